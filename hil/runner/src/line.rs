//! A serial line, opened: a TCP port or a device, read and written as plain bytes.
//!
//! A port is `tcp:HOST:PORT` or a device. What a time-out is called is the same for both: [`ErrorKind::TimedOut`].

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serialport::{ClearBuffer, SerialPort};

use crate::{bench_file, error::Error, net};

/// How long a port may take no bytes.
const SEND: Duration = Duration::from_secs(5);

/// An open serial line.
pub enum Line {
    Tcp(TcpStream),
    Device(Box<dyn SerialPort>),
}

impl Line {
    /// `timeout` is for reads.
    pub fn open(file: &bench_file::Serial, timeout: Duration) -> Result<Self, Error> {
        let fail = |source| Error::Serial { port: file.port.clone(), source };
        match file.port.strip_prefix("tcp:") {
            Some(address) => {
                let stream = net::connect("the serial port", address)?;
                stream.set_read_timeout(Some(timeout)).map_err(fail)?;
                stream.set_write_timeout(Some(SEND)).map_err(fail)?;
                // Requests are short, and their answers are waited for.
                stream.set_nodelay(true).map_err(fail)?;
                Ok(Self::Tcp(stream))
            }
            None => {
                let port = serialport::new(&file.port, file.baud).timeout(timeout).open();
                port.map(Self::Device).map_err(|error| fail(error.into()))
            }
        }
    }

    /// The same line, for somebody else.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
            Self::Device(port) => Ok(Self::Device(port.try_clone()?)),
        }
    }

    /// For reads; zero counts as the shortest there is.
    pub fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        let timeout = timeout.max(Duration::from_millis(1));
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(timeout)),
            Self::Device(port) => Ok(port.set_timeout(timeout)?),
        }
    }

    /// The rate of a device, in baud; behind TCP somebody else sets it.
    pub fn set_baud(&mut self, baud: u32) -> io::Result<()> {
        match self {
            Self::Tcp(_) => Ok(()),
            Self::Device(port) => Ok(port.set_baud_rate(baud)?),
        }
    }

    /// Forgets what a device received before it was opened.
    pub fn clear(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) => Ok(()),
            Self::Device(port) => Ok(port.clear(ClearBuffer::Input)?),
        }
    }
}

impl Read for Line {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Device(port) => port.read(into),
        };
        read.map_err(|error| if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error })
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Device(port) => port.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Device(port) => port.flush(),
        }
    }
}
