//! What a board goes through in the field, on the chip model: power that goes in any write of flash, updates by the thousand, the
//! wear they leave, and how long it all takes.
//!
//! Everything is done through the door that users have: a stock client of the update protocol at the UART, and the power
//! supply. Time is virtual, so that a day takes a minute and every figure repeats.

mod board;
mod cuts;
mod soak;
mod speed;

use std::io;
use std::path::PathBuf;

pub use board::{Artefacts, Board, Shared};
pub use cuts::{Cut, Flow, Outcome, count, cuts, update};
pub use soak::{Heap, Soak, Wear, lifetime_years, soak};
pub use speed::{Speed, Upload, speed};

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No file of the build.
    #[error("{path}: {source}. Run `./x endurance`, which builds everything first", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The firmware's file.
    #[error("{0}")]
    Artefacts(#[from] hil::Error),
    /// The firmware itself.
    #[error("the firmware: {0}; build it with `./x build`")]
    Firmware(&'static str),
    /// A figure that this firmware does not keep.
    #[error("the firmware has no figure {0}; build firmware and tools of one version")]
    NoVital(String),
    /// The board did not say what it should.
    #[error("the board's console should say `{expected}`; it says: {console}")]
    Silent { expected: String, console: String },
    /// The update protocol.
    #[error("the board refuses an update: {0}")]
    Client(#[from] mcumgr_toolkit::client::MCUmgrClientError),
    /// What was seen is not what has to be.
    #[error("{0}")]
    Wrong(String),
}
