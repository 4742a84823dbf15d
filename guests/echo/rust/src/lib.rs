//! Echo in Rust: what comes in on the serial port goes out again.
//!
//!   build    cargo component build --release     (or: guest-pack build echo-rust, which goes on to the flash image)
//!   imports  uart of wit/platform.wit, through the bindings cargo-component generates; nothing of WASI
//!   memory   1 KiB of stack and a few bytes of static data: there is no heap
#![no_std]

mod bindings;
#[path = "../../../platform/rust/no_std.rs"]
mod no_std;

use bindings::Guest;
use bindings::embedded::platform::uart;

const PORT: u32 = 1;
const TIMEOUT_MS: u32 = 1_000;

struct Echo;

impl Guest for Echo {
    fn run() {
        loop {
            if let Some(byte) = uart::read(PORT, TIMEOUT_MS) {
                uart::write(PORT, &[byte]);
            }
        }
    }
}

bindings::export!(Echo with_types_in bindings);
