//! The board's serial console, read by a thread from the moment it is opened.
//!
//! A port is `tcp:HOST:PORT` or a device. Nothing is ever written to it.

use std::{
    io::{self, ErrorKind, Read},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{bench_file, error::Error, net};

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
}

/// For benches without a serial port.
#[derive(Debug)]
pub struct NoConsole;

impl Console for NoConsole {
    fn clear(&mut self) {}

    fn lines(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// A serial port.
#[derive(Debug)]
pub struct Serial {
    received: Arc<Mutex<Vec<u8>>>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Serial {
    pub fn open(file: &bench_file::Serial) -> Result<Self, Error> {
        let fail = |source| Error::Serial { port: file.port.clone(), source };
        let port: Box<dyn Read + Send> = match file.port.strip_prefix("tcp:") {
            Some(address) => {
                let stream = net::connect("the serial port", address)?;
                stream.set_read_timeout(Some(POLL)).map_err(fail)?;
                Box::new(stream)
            }
            None => {
                let port = serialport::new(&file.port, file.baud).timeout(POLL).open();
                Box::new(port.map_err(|error| fail(io::Error::other(error.to_string())))?)
            }
        };
        Ok(Self::read_from(port))
    }

    fn read_from(mut port: Box<dyn Read + Send>) -> Self {
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
                    Err(error)
                        if matches!(
                            error.kind(),
                            ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted
                        ) => {}
                    Err(_) => return,
                }
            }
        });
        Self { received, stop, reader: Some(reader) }
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

impl Drop for Serial {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn lines(bytes: &[u8]) -> Vec<String> {
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
    use std::{io::Write, net::TcpListener};

    #[test]
    fn only_whole_lines_count() {
        let text = b"sandhill 0.1.0\r\nguest: running, 24704 bytes\r\n\r\nhost: \xFF\x07panic\nhalf a li";
        assert_eq!(lines(text), ["sandhill 0.1.0", "guest: running, 24704 bytes", "host: \u{FFFD}panic"]);
        assert!(lines(b"no end").is_empty());
    }

    #[test]
    fn a_port_nobody_listens_on_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = Serial::open(&bench_file::Serial { port: format!("tcp:{address}"), baud: 115_200 }).unwrap_err();
        assert!(error.to_string().contains(&format!("nobody answers at {address}")), "{error}");
        let error = Serial::open(&bench_file::Serial { port: "/dev/no-such-port".into(), baud: 9600 }).unwrap_err();
        assert!(error.to_string().contains("/dev/no-such-port"), "{error}");
    }

    #[test]
    fn text_arrives_over_tcp_and_can_be_forgotten() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = format!("tcp:{}", listener.local_addr().unwrap());
        let mut serial = Serial::open(&bench_file::Serial { port, baud: 115_200 }).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"guest: returned\r\n").unwrap();
        drop(stream);
        // The reader ends with the connection, so everything has arrived.
        serial.reader.take().unwrap().join().unwrap();
        assert_eq!(serial.lines(), ["guest: returned"]);
        serial.clear();
        assert!(serial.lines().is_empty());
    }
}
