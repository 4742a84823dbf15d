//! Blinky in Rust: the LED is on for half a second, off for half a second, for ever.
//!
//!   build    cargo component build --release     (or: guest-pack build blinky-rust, which goes on to the flash image)
//!   imports  gpio and timing of wit/platform.wit, through the bindings cargo-component generates; nothing of WASI
//!   memory   1 KiB of stack and a few bytes of static data: there is no heap
#![no_std]

mod bindings;
#[path = "../../../platform/rust/no_std.rs"]
mod no_std;

use bindings::Guest;
use bindings::embedded::platform::{gpio, timing};

/// The LED on a Raspberry Pi Pico 2.
const LED_PIN: u32 = 25;
const HALF_PERIOD_MS: u32 = 500;

struct Blinky;

impl Guest for Blinky {
    fn run() {
        loop {
            gpio::set_high(LED_PIN);
            timing::delay_ms(HALF_PERIOD_MS);
            gpio::set_low(LED_PIN);
            timing::delay_ms(HALF_PERIOD_MS);
        }
    }
}

bindings::export!(Blinky with_types_in bindings);
