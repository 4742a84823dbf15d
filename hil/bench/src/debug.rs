//! The debug port: one connection speaking the remote protocol.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Sender, channel};

use crate::board::Request;
use crate::net::board_gone;
use crate::remote::{Command, Parser, Reply};

/// Answers one client until it leaves. The target is left as it is, as by a probe that is unplugged.
pub fn serve(mut client: TcpStream, board: &Sender<Request>) -> io::Result<()> {
    let mut parser = Parser::default();
    let mut buffer = [0; 4096];
    loop {
        let count = client.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let mut out = Vec::new();
        for byte in &buffer[..count] {
            let reply = match parser.push(*byte) {
                None => continue,
                Some(Ok(command)) => ask(board, command)?,
                Some(Err(malformed)) => Reply::Malformed(malformed),
            };
            out.extend(reply.encode());
        }
        client.write_all(&out)?;
    }
}

fn ask(board: &Sender<Request>, command: Command) -> io::Result<Reply> {
    let (reply, answer) = channel();
    board.send(Request::Probe { command, reply }).map_err(board_gone)?;
    answer.recv().map_err(board_gone)
}
