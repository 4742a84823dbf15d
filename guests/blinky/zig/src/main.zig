//! Blinky in Zig: the LED is on for half a second, off for half a second, for ever.
//!
//!   build    zig build     (or: guest-pack build blinky-zig, which goes on to the flash image)
//!   imports  gpio and timing of wit/platform.wit, through the package platform; nothing of WASI
//!   memory   1 KiB, all of it stack: there is no heap and no static data
const platform = @import("platform");

const led_pin = 25; // the LED on a Raspberry Pi Pico 2
const half_period_ms = 500;

export fn run() void {
    while (true) {
        platform.gpio.setHigh(led_pin);
        platform.timing.delayMs(half_period_ms);
        platform.gpio.setLow(led_pin);
        platform.timing.delayMs(half_period_ms);
    }
}
