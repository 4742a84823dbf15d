//! {name}: the LED is on for half a second, off for half a second, for ever.
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
