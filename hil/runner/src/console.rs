//! Serial ports, read by a thread from the moment they are opened: the board's console, to which nothing is ever written,
//! and the guests' port.

use std::{
    io::{ErrorKind, Read, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{bench_file, error::Error, line::Line};

/// How often the reading thread looks whether it shall end.
const POLL: Duration = Duration::from_millis(50);
/// More than any run prints; what a runaway board prints beyond it is dropped.
const LIMIT: usize = 1 << 20;

/// What the board prints.
pub trait Console {
    /// Forgets what has come in so far.
    fn clear(&mut self);

    /// What has come in since, as whole lines; bytes that are no UTF-8 are replaced.
    fn lines(&mut self) -> Vec<String>;

    /// Whether there is a console at all.
    fn tells(&self) -> bool {
        true
    }
}

/// A serial port that guests talk on.
pub trait Port {
    /// Forgets what has come in so far.
    fn clear(&mut self);

    /// What has come in since.
    fn received(&mut self) -> Vec<u8>;

    /// Sends all of it.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Error>;
}

/// For benches without a serial port.
#[derive(Debug)]
pub struct NoConsole;

impl Console for NoConsole {
    fn clear(&mut self) {}

    fn lines(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn tells(&self) -> bool {
        false
    }
}

/// A serial port.
pub struct Serial {
    name: String,
    writer: Line,
    received: Arc<Mutex<Vec<u8>>>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Serial {
    pub fn open(file: &bench_file::Serial) -> Result<Self, Error> {
        let fail = |source| Error::Serial { port: file.port.clone(), source };
        let writer = Line::open(file, POLL)?;
        let reader = writer.try_clone().map_err(fail)?;
        Ok(Self::over(&file.port, reader, writer))
    }

    fn over(name: &str, mut port: Line, writer: Line) -> Self {
        let received = Arc::new(Mutex::new(Vec::<u8>::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (Arc::clone(&received), Arc::clone(&stop));
        let reader = thread::spawn(move || {
            let mut buffer = [0; 1024];
            while !stopped.load(Ordering::Relaxed) {
                match port.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(count) => {
                        let mut received = shared.lock().unwrap_or_else(PoisonError::into_inner);
                        let room = LIMIT.saturating_sub(received.len());
                        received.extend_from_slice(&buffer[..count.min(room)]);
                    }
                    Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
                    Err(_) => return,
                }
            }
        });
        Self { name: name.into(), writer, received, stop, reader: Some(reader) }
    }
}

impl Console for Serial {
    fn clear(&mut self) {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn lines(&mut self) -> Vec<String> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        lines(&received)
    }
}

impl Port for Serial {
    fn clear(&mut self) {
        Console::clear(self);
    }

    fn received(&mut self) -> Vec<u8> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let sent = self.writer.write_all(bytes).and_then(|()| self.writer.flush());
        sent.map_err(|source| Error::Serial { port: self.name.clone(), source })
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Text as whole lines, without control characters and empty lines.
pub(crate) fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    // A line that has just begun would differ from run to run.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| line.trim_end().chars().filter(|c| !c.is_control()).collect::<String>())
        .filter(|line| !line.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn only_whole_lines_count() {
        let text = b"sandhill 0.2.0\r\nslot 0: blinky-c: running, 4000 bytes\r\n\r\nhost: \xFF\x07panic\nhalf a li";
        assert_eq!(lines(text), ["sandhill 0.2.0", "slot 0: blinky-c: running, 4000 bytes", "host: \u{FFFD}panic"]);
        assert!(lines(b"no end").is_empty());
    }

    fn open(port: &str) -> Error {
        match Serial::open(&bench_file::Serial { port: port.into(), baud: 115_200 }) {
            Ok(_) => panic!("{port} can be opened"),
            Err(error) => error,
        }
    }

    #[test]
    fn a_port_nobody_listens_on_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = open(&format!("tcp:{address}"));
        assert!(error.to_string().contains(&format!("nobody answers at {address}")), "{error}");
        let error = open("/dev/no-such-port");
        assert!(error.to_string().contains("/dev/no-such-port"), "{error}");
    }

    #[test]
    fn text_arrives_over_tcp_and_can_be_forgotten() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = format!("tcp:{}", listener.local_addr().unwrap());
        let mut serial = Serial::open(&bench_file::Serial { port, baud: 115_200 }).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"slot 0: blinky-c: returned\r\n").unwrap();
        serial.send(b"hello").unwrap();
        let mut sent = [0; 5];
        stream.read_exact(&mut sent).unwrap();
        assert_eq!(&sent, b"hello");
        drop(stream);
        // The reader ends with the connection, so everything has arrived.
        serial.reader.take().unwrap().join().unwrap();
        assert_eq!(serial.lines(), ["slot 0: blinky-c: returned"]);
        Console::clear(&mut serial);
        assert!(serial.lines().is_empty());
    }
}
