//! What a guest may ask of its board: wit/platform.wit in Zig.
//!
//! Zig's `extern` names a module and a function of it, which is all that an import with plain numbers needs. The
//! declarations cannot drift from the contract unnoticed: guest-pack refuses a guest whose imports have another name
//! or another signature than the world's.

/// Digital outputs. A pin that does not exist, or belongs to the host, traps.
pub const gpio = struct {
    const import = struct {
        extern "embedded:platform/gpio@0.2.0" fn @"set-high"(pin: u32) void;
        extern "embedded:platform/gpio@0.2.0" fn @"set-low"(pin: u32) void;
    };

    /// Drives the pin (a GPIO number) to 3.3 V.
    pub const setHigh = import.@"set-high";
    /// Drives the pin (a GPIO number) to ground.
    pub const setLow = import.@"set-low";
};

pub const timing = struct {
    const import = struct {
        extern "embedded:platform/timing@0.2.0" fn @"delay-ms"(ms: u32) void;
    };

    /// Suspends the guest. A loop of delays keeps its period, whatever its own instructions cost.
    pub const delayMs = import.@"delay-ms";
};
