//! The virtual bench: a Pico 2 (`rp2350-model`) with a debug probe, a logic analyser and two serial adapters, as a real
//! bench has them, on four TCP ports.
//!
//! Promises that stock tools work on it: probe-rs through the Black Magic Probe's remote protocol, sigrok through
//! BeagleLogic's, any terminal through the serial ports. docs/src/reference/bench.md has the policy of time. Not here: what the chip
//! does (`rp2350-model`), and any judgement of what was seen (`hil`).

mod analyser;
mod board;
mod capture;
mod debug;
mod diagnostics;
mod flash_file;
mod net;
mod probe;
mod remote;
mod serial;
mod swd;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use board::SerialEnd;
use rp2350_model::{Line, Rp2350};

pub use flash_file::load as load_flash;

/// Why the bench could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A port is taken, or the address is not this machine's.
    #[error(
        "cannot listen on {address} for the {port} port ({source}): choose another one, or port 0 for any free one"
    )]
    Listen {
        /// Which of the four.
        port: &'static str,
        /// What was asked for.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// No pseudo-terminal could be made.
    #[error("cannot open a pseudo-terminal for the serial port ({0}): leave --serial-pty out and use the TCP port")]
    Pty(io::Error),
    /// The flash file cannot be used.
    #[error("cannot program the flash from {}: {what}", file.display())]
    FlashFile {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A channel is none.
    #[error("channel {0:?} is neither \"run\" nor a GPIO number from 0 to 29")]
    Channel(String),
    /// Too many channels.
    #[error("the analyser has 14 channels, {0} were given")]
    ChannelCount(usize),
}

/// What channels are clipped to if nothing else is asked for: the LED, RUN, UART0 and four more pins.
pub const DEFAULT_CHANNELS: &str = "25,run,0,1,15,16,17,18";

/// What is where.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the debug probe listens; port 0 is any free one.
    pub debug: SocketAddr,
    /// Where the analyser listens.
    pub analyser: SocketAddr,
    /// Where the serial port, UART0, listens.
    pub serial: SocketAddr,
    /// Where UART1's port listens.
    pub uart1: SocketAddr,
    /// Whether the serial port is a pseudo-terminal, too.
    pub serial_pty: bool,
    /// What the analyser's channels are clipped to, at most 14.
    pub channels: Vec<Line>,
}

impl Default for Config {
    /// Free ports on 127.0.0.1, no pseudo-terminal, [`DEFAULT_CHANNELS`].
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            debug: any,
            analyser: any,
            serial: any,
            uart1: any,
            serial_pty: false,
            channels: parse_channels(DEFAULT_CHANNELS).expect("the list is valid"),
        }
    }
}

/// Reads a list of channels such as `25,run,0`.
pub fn parse_channels(text: &str) -> Result<Vec<Line>, BenchError> {
    let parse = |name: &str| match name.parse() {
        Ok(pin @ 0..=29) => Ok(Line::Pin(pin)),
        _ if name == "run" => Ok(Line::Run),
        _ => Err(BenchError::Channel(name.to_owned())),
    };
    let channels: Vec<_> = text.split(',').map(parse).collect::<Result<_, _>>()?;
    match channels.len() {
        0..=14 => Ok(channels),
        count => Err(BenchError::ChannelCount(count)),
    }
}

/// A bench at work. It stops when this is dropped.
#[derive(Debug)]
pub struct Bench {
    /// Where the debug probe listens.
    pub debug: SocketAddr,
    /// Where the analyser listens.
    pub analyser: SocketAddr,
    /// Where the serial port, UART0, listens.
    pub serial: SocketAddr,
    /// Where UART1's port listens.
    pub uart1: SocketAddr,
    /// The serial port's pseudo-terminal.
    pub pty: Option<PathBuf>,
    board: Sender<board::Request>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Bench {
    /// Sets the bench up around `chip`; it listens when this returns.
    pub fn start(chip: Rp2350, config: &Config) -> Result<Self, BenchError> {
        let (debug, debug_at) = listen("debug", config.debug)?;
        let (analyser, analyser_at) = listen("analyser", config.analyser)?;
        let (serial, serial_at) = listen("serial", config.serial)?;
        let (uart1, uart1_at) = listen("uart1", config.uart1)?;
        let (board, requests) = channel();
        let pty = config.serial_pty.then(|| serial::open_pty(&board)).transpose().map_err(BenchError::Pty)?;
        let stop = Arc::new(AtomicBool::new(false));
        let channels = config.channels.clone();
        let to = || board.clone();
        let threads = vec![
            thread::spawn(move || board::Board::new(chip, channels, requests).run()),
            net::serve(debug, "debug", stop.clone(), {
                let board = to();
                move |client| debug::serve(client, &board)
            }),
            net::serve(analyser, "analyser", stop.clone(), {
                let board = to();
                move |client| analyser::serve(client, &board)
            }),
            net::serve(serial, "serial", stop.clone(), {
                let board = to();
                move |client| serial::serve(client, SerialEnd::Serial, &board)
            }),
            net::serve(uart1, "uart1", stop.clone(), {
                let board = to();
                move |client| serial::serve(client, SerialEnd::Uart1, &board)
            }),
        ];
        Ok(Self {
            debug: debug_at,
            analyser: analyser_at,
            serial: serial_at,
            uart1: uart1_at,
            pty,
            board,
            stop,
            threads,
        })
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A thread that is gone already needs no word.
        let _ = self.board.send(board::Request::Shutdown);
        for address in [self.debug, self.analyser, self.serial, self.uart1] {
            // Wakes the listener, which then sees `stop`.
            let _ = TcpStream::connect(address);
        }
        for thread in self.threads.drain(..) {
            // A panic was printed where it happened.
            let _ = thread.join();
        }
    }
}

fn listen(port: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), BenchError> {
    let failed = |source| BenchError::Listen { port, address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// xorshift32: the same numbers for the same seed, everywhere.
    pub(crate) fn random(seed: u32) -> impl FnMut() -> u32 {
        let mut state = seed;
        move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        }
    }

    #[test]
    fn channels_are_pins_and_run() {
        let channels = parse_channels("25,run,0").expect("valid");
        assert_eq!(channels, [Line::Pin(25), Line::Run, Line::Pin(0)]);
        for bad in ["", "30", "25,", "gpio25", "-1"] {
            assert!(matches!(parse_channels(bad), Err(BenchError::Channel(_))), "{bad:?}");
        }
        let many = vec!["0"; 15].join(",");
        assert!(matches!(parse_channels(&many), Err(BenchError::ChannelCount(15))));
    }
}
