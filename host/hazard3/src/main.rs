//! Sandhill on the RP2350's other cores: Hazard3, RISC-V. It runs the guest in slot 0 from the same image as the Arm
//! firmware does.
//!
//! It takes no updates and keeps no security counter. It proves that `sandhill-runtime` needs nothing of Arm, of threads or of an operating system, and is as small as a host
//! can be: one guest, outputs and time. It does not bound a guest's run time, restart it, or speak to anybody; what became
//! of the guest is in `VITALS`.

#![no_std]
#![no_main]

extern crate alloc;

mod board;
mod engine_support;
mod heap;
mod start;

use core::panic::PanicInfo;

use sandhill_runtime::{GuestState, Host, IMAGE_ENGINE, INTERFACES, Outcome, PACKAGES, Policy, VITALS_TEXT, Vitals};
use sandhill_update::{Error, Image, Trust};

use crate::board::{Hazard3, OUTPUTS};

/// What this firmware knows of itself and its guest.
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

/// The call stack of a guest.
const STACK_BYTES: usize = 4 * 1024;

/// What this host allows whatever an image says. The numbers are no tighter than a policy's own bounds.
const HOST_POLICY: Policy =
    Policy { outputs: OUTPUTS, memory_bytes: 16 * 1024, wait_ms: u32::MAX, calls_per_second: u32::MAX, ..Policy::NONE };

/// What an image has to be to run here. Pulley's code is the same on both kinds of cores.
const TRUST: Trust<'static> = Trust {
    keys: &include!(concat!(env!("OUT_DIR"), "/keys.rs")),
    engine: IMAGE_ENGINE,
    packages: PACKAGES,
    interfaces: INTERFACES,
};

/// Called by `start.rs`, once.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    heap::init();
    VITALS.host.heap_size.set_size(heap::SIZE);
    let guest = &VITALS.guests[0];
    match Image::verify(start::slot(), &TRUST, 0) {
        Err(Error::Empty) => guest.set_state(GuestState::None),
        Err(_) => guest.set_state(GuestState::Refused),
        Ok(image) => guest.ended(&run(&image)),
    }
    stay()
}

/// Runs the guest in `image` to its end.
fn run(image: &Image<'static>) -> Outcome {
    let policy = match image.policy().map_or(Ok(Policy::NONE), Policy::parse) {
        Ok(policy) => policy.narrow(&HOST_POLICY),
        Err(error) => return Outcome::Refused(alloc::format!("{error}")),
    };
    let host = match Host::new(STACK_BYTES) {
        Ok(host) => host,
        Err(error) => panic!("engine: {error:#}"),
    };
    // SAFETY: the payload lies in flash, which nothing writes while this firmware runs. That it was made by Wasmtime is what
    // the image's signature says.
    let program = match unsafe { host.load_in_place(image.payload().into()) } {
        Ok(program) => program,
        Err(outcome) => return outcome,
    };
    let board = Hazard3::new(policy.safe_high);
    match host.start(&program, image.name(), policy, board, &VITALS.guests[0]) {
        Ok(mut guest) => {
            heap::keep_used(&VITALS.host);
            guest.run()
        }
        Err(outcome) => outcome,
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    stay()
}

/// Nothing is left to do.
fn stay() -> ! {
    loop {
        riscv::asm::wfi();
    }
}
