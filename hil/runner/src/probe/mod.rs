//! The debug probe: flash, memory and reset of the board. [`attached`] is the driver for every probe that probe-rs knows,
//! [`patient`] keeps one that has gone silent from blocking the runner.

mod attached;
mod patient;

pub use attached::ProbeRs;
pub use patient::Patient;

use crate::{error::Error, firmware::Segment};

/// Called while flash is erased, written and verified: what is done, bytes done of it, bytes in all.
pub type OnFlash<'a> = &'a mut dyn FnMut(&str, u64, u64);

/// A debug probe wired to one board. Methods that need the chip attach to it by themselves.
pub trait Probe: Send {
    /// What it is, in a few words, for people.
    fn describe(&mut self) -> Result<String, Error>;

    /// Reads memory or flash; a running core goes on.
    fn read(&mut self, address: u64, into: &mut [u8]) -> Result<(), Error>;

    /// Writes a word of memory or of a peripheral; a running core goes on.
    fn write(&mut self, address: u64, word: u32) -> Result<(), Error>;

    /// Erases, writes and verifies the sectors that `segments` lie in. `what` names it in errors. The core stays halted.
    fn flash(&mut self, what: &str, segments: &[Segment], progress: OnFlash<'_>) -> Result<(), Error>;

    /// Ends the debug session and pulls nRST low.
    fn hold_reset(&mut self) -> Result<(), Error>;

    /// Lets nRST go: the board boots, undisturbed by a debug session.
    fn release_reset(&mut self) -> Result<(), Error>;

    /// Resets the chip through the debug port and holds it before its first instruction.
    fn reset_and_halt(&mut self) -> Result<(), Error>;

    /// Lets a halted chip go, and keeps the debug session open, as its end would disturb the chip.
    fn run(&mut self) -> Result<(), Error>;
}
