//! What a guest may ask of its board: wit/platform.wit in Zig.
//!
//! Zig's `extern` names a module and a function of it, which is all that an import with a few numbers needs. The
//! declarations cannot drift from the contract unnoticed: guest-pack refuses a guest whose imports have another name
//! or another signature than the world's.
//!
//! A pin is a GPIO number. A call that names a pin or a port outside the guest's policy traps.

/// Digital inputs and outputs.
pub const gpio = struct {
    const import = struct {
        extern "embedded:platform/gpio@0.2.0" fn @"set-high"(pin: u32) void;
        extern "embedded:platform/gpio@0.2.0" fn @"set-low"(pin: u32) void;
        extern "embedded:platform/gpio@0.2.0" fn toggle(pin: u32) void;
        extern "embedded:platform/gpio@0.2.0" fn @"is-high"(pin: u32) bool;
    };

    /// Drives the pin to 3.3 V.
    pub const setHigh = import.@"set-high";
    /// Drives the pin to ground.
    pub const setLow = import.@"set-low";
    /// Drives the pin to the opposite of what it was last driven to.
    pub const toggle = import.toggle;
    /// The level of an input or an output.
    pub const isHigh = import.@"is-high";
};

pub const timing = struct {
    const import = struct {
        extern "embedded:platform/timing@0.2.0" fn @"delay-ms"(ms: u32) void;
        extern "embedded:platform/timing@0.2.0" fn @"delay-until"(us: u64) void;
        extern "embedded:platform/timing@0.2.0" fn @"now-us"() u64;
    };

    /// Suspends the guest. A loop of delays keeps its period, whatever its own instructions cost.
    pub const delayMs = import.@"delay-ms";
    /// Suspends the guest until `nowUs()` is `us` or more.
    pub const delayUntil = import.@"delay-until";
    /// Microseconds since the host started.
    pub const nowUs = import.@"now-us";
};

/// Push buttons between a pin and ground.
pub const button = struct {
    pub const Edge = enum(u32) { pressed, released };

    const import = struct {
        extern "embedded:platform/button@0.2.0" fn @"is-pressed"(pin: u32) bool;
        extern "embedded:platform/button@0.2.0" fn wait(pin: u32, edge: Edge, timeout_ms: u32) bool;
    };

    /// Whether the button is pressed now.
    pub const isPressed = import.@"is-pressed";
    /// Waits for an edge: true if there was one since the previous wait for it returned.
    pub const wait = import.wait;
};

/// Serial ports.
pub const uart = struct {
    /// How the contract's `option<u8>` lies in memory.
    const Result = extern struct { some: bool, byte: u8 };

    const import = struct {
        extern "embedded:platform/uart@0.2.0" fn write(port: u32, bytes: [*]const u8, length: usize) void;
        extern "embedded:platform/uart@0.2.0" fn read(port: u32, timeout_ms: u32, result: *Result) void;
    };

    /// Sends the bytes in order; returns when the host has them all.
    pub fn write(port: u32, bytes: []const u8) void {
        import.write(port, bytes.ptr, bytes.len);
    }

    /// The next byte that was received, or null if none came in time.
    pub fn read(port: u32, timeout_ms: u32) ?u8 {
        var result: Result = undefined;
        import.read(port, timeout_ms, &result);
        return if (result.some) result.byte else null;
    }
};

/// Pulse-width modulation.
pub const pwm = struct {
    const import = struct {
        extern "embedded:platform/pwm@0.2.0" fn set(pin: u32, period_us: u32, pulse_us: u32) void;
        extern "embedded:platform/pwm@0.2.0" fn stop(pin: u32) void;
    };

    /// Sends pulses until told otherwise.
    pub const set = import.set;
    /// Ends them; the pin is low.
    pub const stop = import.stop;
};
