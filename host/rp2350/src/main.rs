//! The firmware: checks the guest in slot 0 and runs it where it lies in flash.
//!
//! It promises that whatever is in the slot, the board stays alive and says what it found, on UART0 and over RTT.
//! It owns the hardware; what a guest may do and what its end means is decided in `sandhill-runtime`, whether an image
//! is whole in `sandhill-update`.

#![no_std]
#![no_main]

extern crate alloc;

mod board;
mod boot;
mod engine_support;
mod fault;
mod heap;
mod kernel;
mod slot;
mod stack;

use sandhill_runtime::{GuestState, Host, Limits, Outcome, VITALS_TEXT, Vitals, WASMTIME_VERSION};
use sandhill_update::{Error, Image};

use crate::board::console::report;

/// What this firmware knows of itself; a probe finds it by the symbol's name.
#[unsafe(no_mangle)]
pub static VITALS: Vitals = Vitals::new();

/// What the words of [`VITALS`] mean. Lies in the ELF file only.
#[used]
#[unsafe(link_section = ".vitals")]
static VITALS_SECTION: [u8; VITALS_TEXT.len()] = {
    let mut text = [0; VITALS_TEXT.len()];
    text.copy_from_slice(VITALS_TEXT.as_bytes());
    text
};

/// A guest of the blinky world needs a tenth of this; the heap bounds what can be given.
const LIMITS: Limits = Limits { memory_bytes: 64 * 1024, stack_bytes: 4 * 1024 };

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut core = cortex_m::Peripherals::take().expect("nobody takes them before main");
    fault::init(&mut core.SCB);
    heap::init();
    let board = Pico2::new();
    kernel::init(|_| {});
    VITALS.heap_size.set_size(heap::SIZE);
    VITALS.stack_size.set_size(stack::size());
    VITALS.static_ram.set_size(heap::static_ram());
    report!(info, "sandhill {} wasmtime {}", env!("CARGO_PKG_VERSION"), WASMTIME_VERSION);

    match Image::verify(slot::guest()) {
        Err(Error::Empty) => report!(info, "guest: none in slot 0, waiting for one"),
        Err(error) => {
            VITALS.guest_state.set(GuestState::Refused as u32);
            report!(warn, "guest: refused: {}", error);
        }
        Ok(image) => {
            let outcome = run(&image, board);
            report!(info, "guest: {}", outcome);
        }
    }
    heap::keep_peak(&VITALS);
    stack::keep_peak(&VITALS);
    loop {
        kernel::wait(kernel::NEVER, kernel::Events::ENDED);
    }
}

/// Runs the guest in `image` to its end.
fn run(image: &Image<'static>, board: Pico2) -> Outcome {
    let host = match Host::new(LIMITS) {
        Ok(host) => host,
        Err(error) => panic!("engine: {error:#}"),
    };
    // SAFETY: the payload lies in flash, which nothing writes while this firmware runs. That it was made by Wasmtime
    // rests on its hash and on who flashed it, until images are signed.
    let component = match unsafe { host.load_in_place(image.payload().into(), &VITALS) } {
        Ok(component) => component,
        Err(outcome) => return outcome,
    };
    match host.start(&component, board, &VITALS) {
        Err(outcome) => outcome,
        Ok(guest) => {
            report!(info, "guest: running, {} bytes", image.bytes());
            heap::keep_peak(&VITALS);
            stack::keep_peak(&VITALS);
            guest.run().0
        }
    }
}
