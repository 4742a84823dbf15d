//! The firmware: checks the guests in flash and runs them where they lie, both at once, and takes new ones over the console.
//!
//! It promises that whatever is in the slots, and whatever a guest does, the board stays alive and says what it found, on
//! UART0 and over RTT. It owns the hardware; what a guest may do and what its end means is decided in `sandhill-runtime`,
//! whether an image is whole in `sandhill-update`.

#![no_std]
#![no_main]

extern crate alloc;

mod board;
mod boot;
mod client;
mod engine_support;
mod fault;
mod guests;
mod heap;
mod kernel;
mod ram_slot;
mod stack;
mod supervisor;
mod vitals;

use cortex_m::peripheral::DWT;
use sandhill_runtime::WASMTIME_VERSION;

use crate::board::console::report;
use crate::board::retained::Journal;
use crate::supervisor::Supervisor;
use crate::vitals::VITALS;

#[cortex_m_rt::entry]
fn main() -> ! {
    VITALS.host.boot_to_main_cycles.set(DWT::cycle_count());
    let mut core = cortex_m::Peripherals::take().expect("nobody takes them before main");
    fault::init(&mut core.SCB);
    heap::init();
    board::start();
    kernel::init(board::make_safe);
    vitals::start();
    Supervisor::new(greet()).run()
}

/// The console's first lines. Not inlined: what it needs of the stack is not needed for ever.
#[inline(never)]
fn greet() -> Journal {
    let (journal, trap) = board::retained::start();
    report!(info, "sandhill {} wasmtime {}", env!("CARGO_PKG_VERSION"), WASMTIME_VERSION);
    VITALS.host.boot_to_console_cycles.set(DWT::cycle_count());
    if let Some(trap) = trap {
        report!(warn, "slot {}: before this reset: {}", trap.slot, trap.text());
    }
    journal
}
