//! The RP2350 on a Pico 2 board, as a library: two Cortex-M33, memories, peripherals, boot ROM and debug port.
//!
//! Promises: deterministic to the clock cycle; no I/O, threads, wall clock or randomness; what is not modelled faults or
//! is reported as a [`Diagnostic`], never silently read as zero. Sleeping costs nothing: time jumps to the next event.
//! It leaves the wire protocols, and the pace of time, to the bench.

mod bootrom;
pub mod bus;
mod chip;
pub mod cpu;
pub mod debug_port;
mod diagnostic;
mod flash;
mod launch;
mod memory;
mod peripherals;
mod rate;
mod soc;
pub mod time;

pub use chip::Rp2350;
pub use debug_port::{AccessSize, DapFault, DebugPort};
pub use diagnostic::{Diagnostic, What};
pub use flash::{FlashOperation, FlashOperationKind, Torn, Wear};
pub use time::Instant;

/// A wire that leaves the board: a GPIO pin or the RUN (reset) input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Line {
    /// GPIO 0 to 29.
    Pin(u8),
    /// The RUN input: low holds the chip in reset.
    Run,
}

/// A change of level on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// When it changed.
    pub at: Instant,
    /// What changed.
    pub line: Line,
    /// The new level.
    pub high: bool,
}

/// Why [`Rp2350::run_until`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunExit {
    /// The deadline was reached.
    Deadline,
    /// The debugger halted core 0; time stands still until it lets go.
    Core0Halted,
    /// Power went, as [`Rp2350::cut_power_at`] asked; time stands still until [`Rp2350::power_cycle`].
    PowerCut,
}
