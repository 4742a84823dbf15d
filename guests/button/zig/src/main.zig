//! Button in Zig: the LED is on while the button is pressed.
//!
//!   build    zig build     (or: guest-pack build button-zig, which goes on to the flash image)
//!   imports  gpio and button of wit/platform.wit, through the package platform; nothing of WASI
//!   memory   1 KiB, all of it stack: there is no heap and no static data
const platform = @import("platform");

const led_pin = 25; // the LED on a Raspberry Pi Pico 2
const button_pin = 15;
const timeout_ms = 1_000;

export fn run() void {
    while (true) {
        // The level decides and an edge only wakes: a contact that bounces cannot leave the LED the wrong way round.
        if (platform.button.isPressed(button_pin)) {
            platform.gpio.setHigh(led_pin);
            _ = platform.button.wait(button_pin, .released, timeout_ms);
        } else {
            platform.gpio.setLow(led_pin);
            _ = platform.button.wait(button_pin, .pressed, timeout_ms);
        }
    }
}
