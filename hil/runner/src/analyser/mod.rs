//! The logic analyser: captures pins into a VCD file. [`sigrok`] is the driver for everything that sigrok-cli knows.

mod sigrok;

pub use sigrok::Sigrok;

use std::{path::Path, time::Duration};

use crate::error::Error;

/// Called while samples come in: how many, and how many there will be.
pub type OnSamples<'a> = &'a mut dyn FnMut(u64, u64);

/// An analyser whose channels are clipped to the board as the bench file says. Captures name channels by what they are
/// clipped to.
pub trait Analyser {
    /// What it is, in a few words, for people.
    fn describe(&mut self) -> Result<String, Error>;

    /// Starts a capture of `length` and returns once samples are taken, or once they would be if time on the board
    /// stood still.
    fn start(&mut self, length: Duration, vcd: &Path) -> Result<(), Error>;

    /// Whether the capture that was started is over.
    fn ended(&mut self) -> bool;

    /// Waits for the end of the capture; the VCD file is complete then.
    fn finish(&mut self, progress: OnSamples<'_>) -> Result<(), Error>;
}
