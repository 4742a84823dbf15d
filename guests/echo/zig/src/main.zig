//! Echo in Zig: what comes in on the serial port goes out again.
//!
//!   build    zig build     (or: guest-pack build echo-zig, which goes on to the flash image)
//!   imports  uart of wit/platform.wit, through the package platform; nothing of WASI
//!   memory   1 KiB, all of it stack: there is no heap and no static data
const platform = @import("platform");

const port = 1;
const timeout_ms = 1_000;

export fn run() void {
    while (true) {
        if (platform.uart.read(port, timeout_ms)) |byte| {
            platform.uart.write(port, &.{byte});
        }
    }
}
