//! Button in Rust: the LED is on while the button is pressed.
//!
//!   build    cargo component build --release     (or: guest-pack build button-rust, which goes on to the flash image)
//!   imports  gpio and button of wit/platform.wit, through the bindings cargo-component generates; nothing of WASI
//!   memory   1 KiB of stack and a few bytes of static data: there is no heap
#![no_std]

#[allow(unsafe_op_in_unsafe_fn, reason = "generated, for the edition before this one")]
mod bindings;
#[path = "../../../platform/rust/no_std.rs"]
mod no_std;

use bindings::Guest;
use bindings::embedded::platform::button::Edge;
use bindings::embedded::platform::{button, gpio};

/// The LED on a Raspberry Pi Pico 2.
const LED_PIN: u32 = 25;
const BUTTON_PIN: u32 = 15;
const TIMEOUT_MS: u32 = 1_000;

struct Button;

impl Guest for Button {
    fn run() {
        loop {
            // The level decides and an edge only wakes: a contact that bounces cannot leave the LED the wrong way round.
            if button::is_pressed(BUTTON_PIN) {
                gpio::set_high(LED_PIN);
                button::wait(BUTTON_PIN, Edge::Released, TIMEOUT_MS);
            } else {
                gpio::set_low(LED_PIN);
                button::wait(BUTTON_PIN, Edge::Pressed, TIMEOUT_MS);
            }
        }
    }
}

bindings::export!(Button with_types_in bindings);
