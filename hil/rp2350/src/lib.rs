//! The RP2350 on a Pico 2 board, as a library: two Cortex-M33, memories, peripherals, boot ROM and debug port.
//!
//! Promises: deterministic to the clock cycle; no I/O, threads, wall clock or randomness; what is not modelled faults or
//! is reported as a [`Diagnostic`], never silently read as zero. Sleeping costs nothing: time jumps to the next event.
//! It leaves the wire protocols, and the pace of time, to the bench.

pub mod bus;
pub mod cpu;
pub mod debug_port;
mod diagnostic;
pub mod time;

pub use debug_port::{AccessSize, DapFault, DebugPort};
pub use diagnostic::{Diagnostic, What};
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
}

/// The chip on its board.
pub struct Rp2350 {
    now: Instant,
    flash: Vec<u8>,
}

impl Default for Rp2350 {
    fn default() -> Self {
        Self::new()
    }
}

impl Rp2350 {
    /// A Pico 2: 4 MiB of erased flash, a 12 MHz crystal, powered, RUN high.
    pub fn new() -> Self {
        Self { now: Instant::ZERO, flash: vec![0xff; 4 << 20] }
    }

    /// The current virtual time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Lets the chip run until `deadline`, or until the debugger halts core 0 (time stands still from then on).
    pub fn run_until(&mut self, deadline: Instant) -> RunExit {
        self.now = self.now.max(deadline);
        RunExit::Deadline
    }

    /// Appends the edges since the last call, in order of time, and forgets them.
    pub fn take_edges(&mut self, into: &mut Vec<Edge>) {
        let _ = into;
    }

    /// The present level of a line.
    pub fn level(&self, line: Line) -> bool {
        line == Line::Run
    }

    /// Drives a pin from outside the board; `None` lets go.
    pub fn drive(&mut self, pin: u8, level: Option<bool>) {
        let _ = (pin, level);
    }

    /// Sets RUN. Low holds the chip in reset: SRAM is kept, all pins float low, time goes on.
    pub fn set_run(&mut self, high: bool) {
        let _ = high;
    }

    /// Appends the bytes that UART `uart` has sent since the last call, and forgets them.
    pub fn uart_take(&mut self, uart: u8, into: &mut Vec<u8>) {
        let _ = (uart, into);
    }

    /// Queues bytes for the receiver of UART `uart`; they arrive one after the other at its baud rate.
    pub fn uart_give(&mut self, uart: u8, bytes: &[u8]) {
        let _ = (uart, bytes);
    }

    /// The debug port.
    pub fn debug(&mut self) -> DebugPort<'_> {
        DebugPort::new(self)
    }

    /// Takes the accesses to what is not modelled.
    pub fn take_diagnostics(&mut self) -> Vec<Diagnostic> {
        Vec::new()
    }

    /// Instructions that `core` executed since power-on.
    pub fn instructions(&self, core: u8) -> u64 {
        let _ = core;
        0
    }

    /// Erases and programs since power-on.
    pub fn wear(&self) -> &Wear {
        const { &Wear { erases: Vec::new(), programs: Vec::new() } }
    }

    /// The flash chip's contents.
    pub fn flash(&self) -> &[u8] {
        &self.flash
    }

    /// The flash chip's contents, for a board that comes programmed.
    pub fn flash_mut(&mut self) -> &mut [u8] {
        &mut self.flash
    }
}

/// How often each 4 KiB sector of the flash was erased and programmed since power-on.
#[derive(Clone, Debug, Default)]
pub struct Wear {
    /// Erase cycles, one entry a 4 KiB sector.
    pub erases: Vec<u32>,
    /// Page programs (256 bytes each), one entry a 4 KiB sector.
    pub programs: Vec<u32>,
}
