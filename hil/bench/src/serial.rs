//! The serial ports: each UART's bytes on a TCP connection, the console UART's on a pseudo-terminal if asked for.
//!
//! Promises what a USB serial adapter promises: bytes towards the chip wait for the line, at the rate the chip's UART is
//! set to (and for time, while it is frozen, and for the UART to be enabled); bytes from the chip are lost if nobody listens, or if the listener does not keep up.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::board::{Request, SerialEnd};
use crate::net::board_gone;

/// Pieces of output a listener may lag behind.
const LAG: usize = 4096;
/// How often a quiet wait looks whether the other end is still there.
const LOOK: Duration = Duration::from_millis(50);

/// Connects one TCP client of the port `end` until it leaves.
pub fn serve(client: TcpStream, end: SerialEnd, board: &Sender<Request>) -> io::Result<()> {
    let (listener, heard) = sync_channel(LAG);
    listen(board, end, Some(listener))?;
    let mut writer = client.try_clone()?;
    let writing = thread::spawn(move || {
        // A failed write means that the client is gone, which the reading side sees too.
        while let Ok(bytes) = heard.recv() {
            if writer.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    let outcome = give_all(&client, end, board, || gone(&client));
    listen(board, end, None)?;
    // Frees the writer; it fails if the client closed first.
    let _ = client.shutdown(Shutdown::Both);
    // The writer does not panic.
    let _ = writing.join();
    outcome
}

fn listen(
    board: &Sender<Request>,
    end: SerialEnd,
    listener: Option<std::sync::mpsc::SyncSender<Vec<u8>>>,
) -> io::Result<()> {
    board.send(Request::SerialListen { end, listener }).map_err(board_gone)
}

/// Gives the chip what `from` reads, no faster than the line takes it, until there is no more.
fn give_all(mut from: impl Read, end: SerialEnd, board: &Sender<Request>, gone: impl Fn() -> bool) -> io::Result<()> {
    let mut buffer = [0; 256];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let (taken, done) = sync_channel(1);
        let bytes = buffer[..count].to_vec();
        board.send(Request::SerialGive { end, bytes, taken }).map_err(board_gone)?;
        while let Err(RecvTimeoutError::Timeout) = done.recv_timeout(LOOK) {
            if gone() {
                return Ok(());
            }
        }
    }
}

/// Whether nobody is at the other end any more.
fn gone(end: impl AsFd) -> bool {
    let mut ends = [PollFd::new(&end, PollFlags::RDHUP)];
    let outcome = poll(&mut ends, Some(&Timespec::default()));
    let hung_up = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
    outcome.is_ok() && ends[0].revents().intersects(hung_up)
}

/// Makes a pseudo-terminal for the serial port; returns its path.
pub fn open_pty(board: &Sender<Request>) -> io::Result<PathBuf> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let path = PathBuf::from(String::from_utf8_lossy(name.as_bytes()).into_owned());
    make_raw(&path)?;
    let (listener, heard) = sync_channel(LAG);
    listen(board, SerialEnd::Pty, Some(listener))?;
    let reader = File::from(master);
    let writer = reader.try_clone()?;
    thread::spawn(move || write_pty(writer, &heard));
    let board = board.clone();
    thread::spawn(move || {
        loop {
            // While nobody has the terminal open, a read fails at once.
            match give_all(&reader, SerialEnd::Pty, &board, || false) {
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                    thread::sleep(LOOK);
                }
                _ => return,
            }
        }
    });
    Ok(path)
}

/// Bytes, not lines. Having been open once, the terminal also tells when nobody has it open.
fn make_raw(path: &Path) -> io::Result<()> {
    let terminal = OpenOptions::new().read(true).write(true).open(path)?;
    let mut settings = tcgetattr(&terminal)?;
    settings.make_raw();
    Ok(tcsetattr(&terminal, OptionalActions::Now, &settings)?)
}

fn write_pty(mut terminal: File, heard: &Receiver<Vec<u8>>) {
    while let Ok(bytes) = heard.recv() {
        if !gone(&terminal) && terminal.write_all(&bytes).is_err() {
            return;
        }
    }
}
