//! Listening sockets: one client a port at a time.
//!
//! Promises that a client that comes while another is there waits for it to leave, for as long as a tool needs that closes
//! and opens again, and is then turned away with a line on stderr; and that nothing a client does ends the bench.

use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::diagnostics::warn;

/// How long a second client may wait for the first one to leave.
const PATIENCE: Duration = Duration::from_secs(2);

/// Accepts clients until `stop` is set and one more connection comes in.
pub fn serve(
    listener: TcpListener,
    port: &'static str,
    stop: Arc<AtomicBool>,
    handler: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut busy: Option<Receiver<()>> = None;
        for client in listener.incoming() {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let client = match client {
                Ok(client) => client,
                Err(error) => {
                    warn(format_args!("{port}: cannot accept a connection: {error}"));
                    // Out of descriptors, most likely: the clients that have them must leave first.
                    thread::sleep(Duration::from_millis(100));
                    continue;
                }
            };
            if let Some(left) = busy.take() {
                // The sender is dropped when the client before has left: an error is what is waited for.
                if left.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                    warn(format_args!("{port}: turned a client away, another one is connected"));
                    busy = Some(left);
                    continue;
                }
            }
            let (leaving, left) = channel();
            busy = Some(left);
            let handler = handler.clone();
            thread::spawn(move || {
                match client.set_nodelay(true).and_then(|()| handler(client)) {
                    // A client that closes while data is on its way to it has left, nothing more.
                    Err(error) if !matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                        warn(format_args!("{port}: client lost: {error}"));
                    }
                    _ => {}
                }
                drop(leaving);
            });
        }
    })
}

/// The board thread is gone: the bench is shutting down.
pub fn board_gone<T>(_: T) -> io::Error {
    io::Error::other("the bench is shutting down")
}
