//! The analyser port: BeagleLogic's TCP protocol, as libsigrok's driver `beaglelogic` speaks it.
//!
//! Lines of text, one reply each; `get` starts a raw stream of samples that ends with `close`. Nothing but samples is sent
//! in between. Triggers and the capture's length are the client's.
//!
//! A trap for clients: libsigrok 0.5.2 writes the n-th *enabled* channel into a VCD from bit n of the samples, so channels
//! must be enabled from the first one on without gaps (its CSV and bits outputs are right either way).

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use crate::board::Request;
use crate::capture::SampleUnit;
use crate::net::board_gone;

/// Sample rates that libsigrok offers.
const SAMPLERATES_HZ: std::ops::RangeInclusive<u32> = 10..=100_000_000;
/// Announced as the size of the capture buffer: the client stops a capture there.
const MEMALLOC: u32 = i32::MAX as u32;
/// Announced as the size of the hardware's transfers; the client derives a poll timeout from it.
const BUFUNITSIZE: u32 = 64 * 1024;
/// Longer lines are no commands.
const LINE_MAX: usize = 256;
/// Small, so that virtual time does not run far ahead of what the client has taken.
const SEND_BUFFER: usize = 128 * 1024;

/// Settings a client can read back.
struct Settings {
    samplerate_hz: u32,
    /// As on the wire: 1 is 8 bits, 0 is 16 bits.
    sampleunit: u32,
    triggerflags: u32,
    memalloc: u32,
    bufunitsize: u32,
}

struct Connection<'a> {
    client: TcpStream,
    board: &'a Sender<Request>,
    settings: Settings,
    streaming: bool,
    stream: Option<JoinHandle<()>>,
}

/// Answers one client until it leaves.
pub fn serve(client: TcpStream, board: &Sender<Request>) -> io::Result<()> {
    rustix::net::sockopt::set_socket_send_buffer_size(&client, SEND_BUFFER)?;
    let mut connection = Connection {
        client,
        board,
        settings: Settings {
            samplerate_hz: 1_000_000,
            sampleunit: 1,
            triggerflags: 1,
            memalloc: MEMALLOC,
            bufunitsize: BUFUNITSIZE,
        },
        streaming: false,
        stream: None,
    };
    let outcome = connection.run();
    connection.stop()?;
    // Frees the stream from a write that nobody reads. It fails if the client closed first.
    let _ = connection.client.shutdown(Shutdown::Both);
    connection.join();
    outcome
}

impl Connection<'_> {
    fn run(&mut self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        let mut line = Vec::new();
        loop {
            let count = self.client.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            for byte in &buffer[..count] {
                match byte {
                    b'\n' => {
                        self.line(&line)?;
                        line.clear();
                    }
                    // What is cut off makes it no command, all the same.
                    _ if line.len() <= LINE_MAX => line.push(*byte),
                    _ => {}
                }
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_whitespace();
        let (name, value) = (words.next(), words.next());
        if self.streaming {
            if name == Some("close") {
                self.stop()?;
            }
            return Ok(());
        }
        let mut reply = match (name, value) {
            (None, _) | (Some("close"), None) => return Ok(()),
            (Some("get"), None) => return self.start(),
            (Some("version"), None) => "BeagleLogic 1.0".to_owned(),
            (Some(name), value) => self.setting(name, value),
        };
        // In one piece: libsigrok takes what it receives first for the whole reply.
        reply.push('\n');
        self.client.write_all(reply.as_bytes())
    }

    fn setting(&mut self, name: &str, value: Option<&str>) -> String {
        let settings = &mut self.settings;
        let (setting, valid) = match name {
            "samplerate" => (&mut settings.samplerate_hz, SAMPLERATES_HZ),
            "sampleunit" => (&mut settings.sampleunit, 0..=1),
            "triggerflags" => (&mut settings.triggerflags, 0..=1),
            "memalloc" => (&mut settings.memalloc, 0..=MEMALLOC),
            "bufunitsize" => (&mut settings.bufunitsize, 1..=MEMALLOC),
            _ => return "error: unknown command".to_owned(),
        };
        match value.map(str::parse::<u32>) {
            None => setting.to_string(),
            Some(Ok(value)) if valid.contains(&value) => {
                *setting = value;
                "ok".to_owned()
            }
            Some(_) => format!("error: {name} is a number from {} to {}", valid.start(), valid.end()),
        }
    }

    fn start(&mut self) -> io::Result<()> {
        self.join();
        let unit = match self.settings.sampleunit {
            1 => SampleUnit::Bits8,
            _ => SampleUnit::Bits16,
        };
        let start = Request::CaptureStart { samplerate_hz: self.settings.samplerate_hz, unit };
        self.board.send(start).map_err(board_gone)?;
        let (client, board) = (self.client.try_clone()?, self.board.clone());
        self.stream = Some(thread::spawn(move || stream(client, &board)));
        self.streaming = true;
        Ok(())
    }

    fn stop(&mut self) -> io::Result<()> {
        if self.streaming {
            self.streaming = false;
            self.board.send(Request::CaptureStop).map_err(board_gone)?;
        }
        Ok(())
    }

    fn join(&mut self) {
        if let Some(stream) = self.stream.take() {
            // It does not panic; if it did, the panic was printed and the next capture starts afresh.
            let _ = stream.join();
        }
    }
}

/// Hands samples from the board to the client until the capture ends or the client is gone; the board makes no more than
/// the client takes.
fn stream(mut client: TcpStream, board: &Sender<Request>) {
    loop {
        let (reply, samples) = channel();
        if board.send(Request::CaptureNext { reply }).is_err() {
            return;
        }
        let Ok(samples) = samples.recv() else {
            return;
        };
        if client.write_all(&samples).is_err() {
            // The reading side of the connection sees the same, and ends the capture.
            return;
        }
    }
}
