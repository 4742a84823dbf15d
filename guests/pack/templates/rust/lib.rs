//! {name}: the LED is on for half a second, off for half a second, for ever.
#![no_std]

#[allow(unsafe_op_in_unsafe_fn)] // generated
mod bindings;
#[path = "../../../platform/rust/no_std.rs"]
mod no_std;

use bindings::Guest;
use bindings::embedded::platform::{gpio, timing};

/// The LED on a Raspberry Pi Pico 2.
const LED_PIN: u32 = 25;
const HALF_PERIOD_MS: u32 = 500;

struct Program;

impl Guest for Program {
    fn run() {
        loop {
            gpio::set_high(LED_PIN);
            timing::delay_ms(HALF_PERIOD_MS);
            gpio::set_low(LED_PIN);
            timing::delay_ms(HALF_PERIOD_MS);
        }
    }
}

bindings::export!(Program with_types_in bindings);
