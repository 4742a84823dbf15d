//! Connections to instruments that are reached over TCP.

use std::{
    io::{Error as IoError, ErrorKind},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use crate::error::Error;

/// For each of a host's addresses.
const PATIENCE: Duration = Duration::from_secs(3);

/// Connects to `HOST:PORT`; `what` names in the error what should be there.
pub fn connect(what: &'static str, address: &str) -> Result<TcpStream, Error> {
    let refuse = |source| Error::Unreachable { what, address: address.into(), source };
    let mut last = IoError::new(ErrorKind::NotFound, "the host has no address");
    for candidate in address.to_socket_addrs().map_err(refuse)? {
        match TcpStream::connect_timeout(&candidate, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(refuse(last))
}
