//! How a guest can end, in words for the person who wrote it.

use alloc::format;
use alloc::string::String;
use core::fmt;

/// What this crate itself has against a guest. It reaches the user as the reason of an [`Outcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The guest named a pin the chip does not have.
    #[error("GPIO {pin} does not exist: this board has GPIO 0 to {last}")]
    NoSuchPin { pin: u32, last: u32 },
    /// The guest named a pin the host uses itself.
    #[error("GPIO {pin} belongs to the host ({used_for}): choose another pin")]
    ReservedPin { pin: u32, used_for: &'static str },
    /// The guest was built with more memory than this host gives.
    #[error("the guest needs {needed} bytes of memory, this host gives {limit}: build it with less")]
    TooMuchMemory { needed: usize, limit: usize },
    /// The host has ended the guest; nothing is wrong with it.
    #[error("stopped by the host")]
    Stopped,
}

/// How a guest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It could not be started: made for another host, imports something unknown, or needs more than its limits.
    Refused(String),
    /// It did something it may not do.
    Trapped(String),
    /// `run` returned.
    Returned,
    /// The board asked for an end ([`crate::Stop`]).
    Stopped,
}

impl Outcome {
    /// A guest that did not start, for the reason in `error`: its own start function may have ended it.
    pub(crate) fn not_started(error: &wasmtime::Error) -> Self {
        match error.downcast_ref::<Error>() {
            None if error.is::<wasmtime::Trap>() => Self::ended(error),
            None | Some(Error::TooMuchMemory { .. }) => Self::refused(error),
            Some(Error::NoSuchPin { .. } | Error::ReservedPin { .. } | Error::Stopped) => Self::ended(error),
        }
    }

    /// A guest that could not be started, for the reason in `error`.
    pub(crate) fn refused(error: &wasmtime::Error) -> Self {
        Self::Refused(one_line(error))
    }

    /// A guest that was running, for the reason in `error`.
    pub(crate) fn ended(error: &wasmtime::Error) -> Self {
        match error.downcast_ref::<Error>() {
            Some(Error::Stopped) => Self::Stopped,
            _ => Self::Trapped(one_line(error)),
        }
    }
}

/// The line of `docs/interfaces.md` after `guest: `.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(f, "refused: {reason}"),
            Self::Trapped(reason) => write!(f, "trapped: {reason}"),
            Self::Returned => f.write_str("returned"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// The whole chain of causes on one line of ASCII, because the console has lines.
fn one_line(error: &wasmtime::Error) -> String {
    format!("{error:#}")
        .chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_ascii() && !c.is_ascii_control() => c,
            _ => '?',
        })
        .collect()
}
