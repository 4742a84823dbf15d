//! The serial ports: each UART's bytes on a TCP connection, the console UART's on a pseudo-terminal if asked for.
//!
//! Promises what a USB serial adapter promises: bytes towards the chip wait for the line, at the rate the chip's UART is
//! set to (and for time, while it is frozen, and for the UART to be enabled); bytes from the chip are lost if nobody listens, or if the listener does not keep up.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::board::{Request, SerialEnd};
use crate::net::board_gone;

/// What is given to the chip at once, at most: the time it takes on the line bridges the way there and back.
const PIECE: usize = 1024;
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
    let mut buffer = [0; PIECE];
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
    // A client that does not read must hold up nobody, least of all the client after it.
    ioctl_fionbio(&master, true)?;
    let (listener, heard) = sync_channel(LAG);
    listen(board, SerialEnd::Pty, Some(listener))?;
    let reader = Master(File::from(master));
    let writer = reader.0.try_clone()?;
    thread::spawn(move || write_pty(&writer, &heard));
    let board = board.clone();
    // Ends with the bench.
    thread::spawn(move || give_all(reader, SerialEnd::Pty, &board, || false));
    Ok(path)
}

/// The bench's end of the pseudo-terminal: reading from it never ends, whoever comes and goes at the other end.
struct Master(File);

impl Read for Master {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(into) {
                Ok(count) if count > 0 => return Ok(count),
                // While nobody has the terminal open, a read fails at once.
                Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => thread::sleep(LOOK),
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {
                    wait_for(&self.0, PollFlags::IN);
                }
            }
        }
    }
}

/// Bytes, not lines. Having been open once, the terminal also tells when nobody has it open.
fn make_raw(path: &Path) -> io::Result<()> {
    let terminal = OpenOptions::new().read(true).write(true).open(path)?;
    let mut settings = tcgetattr(&terminal)?;
    settings.make_raw();
    Ok(tcsetattr(&terminal, OptionalActions::Now, &settings)?)
}

fn write_pty(mut terminal: &File, heard: &Receiver<Vec<u8>>) {
    while let Ok(bytes) = heard.recv() {
        let mut left = bytes.as_slice();
        // What nobody listens to is lost.
        while !left.is_empty() && !gone(terminal) {
            match terminal.write(left) {
                Ok(count) => left = &left[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait_for(terminal, PollFlags::OUT),
                // The client has just left.
                Err(_) => break,
            }
        }
    }
}

/// Until it is ready, or it is time to look whether anybody is still there.
fn wait_for(terminal: &File, what: PollFlags) {
    let timeout = Timespec { tv_sec: 0, tv_nsec: LOOK.subsec_nanos().into() };
    // A wait that fails is as good as one that is over.
    let _ = poll(&mut [PollFd::new(terminal, what)], Some(&timeout));
}
