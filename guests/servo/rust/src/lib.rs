//! Servo in Rust: from one end to the middle to the other end, over and over.
//!
//!   build    cargo component build --release     (or: guest-pack build servo-rust, which goes on to the flash image)
//!   imports  pwm and timing of wit/platform.wit, through the bindings cargo-component generates; nothing of WASI
//!   memory   1 KiB of stack and a few bytes of static data: there is no heap
#![no_std]

mod bindings;
#[path = "../../../platform/rust/no_std.rs"]
mod no_std;

use bindings::Guest;
use bindings::embedded::platform::{pwm, timing};

const SERVO_PIN: u32 = 16;
/// 50 Hz.
const PERIOD_US: u32 = 20_000;
const WIDTHS_US: [u32; 3] = [1_000, 1_500, 2_000];
const HOLD_MS: u32 = 200;

struct Servo;

impl Guest for Servo {
    fn run() {
        loop {
            for width_us in WIDTHS_US {
                pwm::set(SERVO_PIN, PERIOD_US, width_us);
                timing::delay_ms(HOLD_MS);
            }
        }
    }
}

bindings::export!(Servo with_types_in bindings);
