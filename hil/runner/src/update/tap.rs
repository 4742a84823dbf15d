//! The serial line between an SMP client and the board, with an ear for the console: what the board prints between the
//! frames is kept, as it says why an update went as it did.
//!
//! A request has its time from when it was sent, however much the board prints meanwhile.

use std::{
    io::{self, ErrorKind, Read, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use mcumgr_toolkit::transport::serial::ConfigurableTimeout;

use crate::{console, line::Line};

/// More than a board prints during an update; what a runaway board prints beyond it is dropped.
const LIMIT: usize = 1 << 16;
/// How lines that are part of a frame begin (SMP over console, Zephyr's `mcumgr/transport/serial.h`).
const FRAME: [[u8; 2]; 2] = [[0x06, 0x09], [0x04, 0x14]];

/// What came over the line besides frames.
#[derive(Clone, Default)]
pub struct Heard(Arc<Shared>);

#[derive(Default)]
struct Shared {
    text: Mutex<Vec<u8>>,
    sent: AtomicU64,
}

impl Heard {
    /// The lines since the last call.
    pub fn take(&self) -> Vec<String> {
        let mut text = self.0.text.lock().unwrap_or_else(PoisonError::into_inner);
        console::lines(&std::mem::take(&mut *text))
    }

    /// How many bytes were sent to the board.
    pub fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }
}

/// The line, as the client sees it.
pub struct Tap {
    line: Line,
    heard: Heard,
    /// The line that comes in, up to its end.
    begun: Vec<u8>,
    timeout: Duration,
    asked: Instant,
}

impl Tap {
    pub fn new(line: Line, timeout: Duration) -> Self {
        Self { line, heard: Heard::default(), begun: Vec::new(), timeout, asked: Instant::now() }
    }

    pub fn heard(&self) -> Heard {
        self.heard.clone()
    }

    fn listen(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.begun.len() < LIMIT {
                self.begun.push(*byte);
            }
            // A frame may begin in the middle of a line of text.
            if self.begun.len() > 2 && FRAME.iter().any(|start| self.begun.ends_with(start)) {
                let text = self.begun.len() - 2;
                self.begun.drain(..text);
            }
            if *byte == b'\n' {
                if !FRAME.iter().any(|start| self.begun.starts_with(start)) {
                    let mut text = self.heard.0.text.lock().unwrap_or_else(PoisonError::into_inner);
                    if text.len() + self.begun.len() <= LIMIT {
                        text.extend(&self.begun);
                    }
                }
                self.begun.clear();
            }
        }
    }
}

impl Read for Tap {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.timeout.checked_sub(self.asked.elapsed()).ok_or(ErrorKind::TimedOut)?;
            self.line.set_timeout(left)?;
            match self.line.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(count) => {
                    self.listen(&into[..count]);
                    return Ok(count);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Write for Tap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.line.write(bytes)?;
        self.heard.0.sent.fetch_add(count as u64, Ordering::Relaxed);
        self.asked = Instant::now();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.line.flush()
    }
}

impl ConfigurableTimeout for Tap {
    fn set_timeout(&mut self, timeout: Duration) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.timeout = timeout;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    fn tap() -> (Tap, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (board, _) = listener.accept().unwrap();
        (Tap::new(Line::Tcp(stream), Duration::from_secs(20)), board)
    }

    #[test]
    fn text_between_frames_is_kept_and_frames_are_not() {
        let (mut tap, mut board) = tap();
        let stream =
            b"slot 0: a: running\r\n\x06\x09AAECAwQ=\nhalf \x06\x09AAEC\n\x04\x14AwQ=\nupdate: guest 0: x\r\nunfinis";
        board.write_all(stream).unwrap();
        drop(board);
        let mut all = Vec::new();
        tap.read_to_end(&mut all).unwrap();
        assert_eq!(all, stream, "the client gets everything");
        assert_eq!(tap.heard().take(), ["slot 0: a: running", "update: guest 0: x"]);
        assert!(tap.heard().take().is_empty());
    }

    #[test]
    fn a_board_that_prints_without_an_end_does_not_hold_up_the_time_out() {
        let (mut tap, mut board) = tap();
        tap.timeout = Duration::from_millis(100);
        let printing = std::thread::spawn(move || while board.write_all(b"noise\n").is_ok() {});
        tap.write_all(b"?").unwrap();
        let mut buffer = [0; 64];
        let error = loop {
            match tap.read(&mut buffer) {
                Ok(count) => assert!(count > 0),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(tap.heard.0.text.lock().unwrap().len() <= LIMIT);
        drop(tap);
        printing.join().unwrap();
    }

    #[test]
    fn noise_never_grows_without_bound() {
        let (mut tap, _board) = tap();
        let mut random = oorandom::Rand32::new(4);
        for _ in 0..200_000 {
            let byte = random.rand_u32() as u8;
            tap.listen(&[if byte == b'\n' { b' ' } else { byte }]);
        }
        assert!(tap.begun.len() <= LIMIT);
    }
}
