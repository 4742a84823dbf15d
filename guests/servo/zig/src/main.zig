//! Servo in Zig: from one end to the middle to the other end, over and over.
//!
//!   build    zig build     (or: guest-pack build servo-zig, which goes on to the flash image)
//!   imports  pwm and timing of wit/platform.wit, through the package platform; nothing of WASI
//!   memory   1 KiB of stack and a few bytes of static data: there is no heap
const platform = @import("platform");

const servo_pin = 16;
const period_us = 20_000; // 50 Hz
const widths_us = [_]u32{ 1_000, 1_500, 2_000 };
const hold_ms = 200;

export fn run() void {
    while (true) {
        for (widths_us) |width_us| {
            platform.pwm.set(servo_pin, period_us, width_us);
            platform.timing.delayMs(hold_ms);
        }
    }
}
