//! The engine settings every host shares with `guests/pack`, and the limits a host chooses for its guest.
//!
//! Images carry the settings they were compiled with; Wasmtime refuses an image whose settings differ. The page
//! `docs/interfaces.md` lists them.

use wasmtime::{Config, Engine};

/// The version of Wasmtime in this host. An image made by another major version is refused.
pub const WASMTIME_VERSION: &str = "48.0.8";

/// What one guest may use. The host chooses; the image is not asked.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// All linear memories of the guest together, in bytes.
    pub memory_bytes: usize,
    /// The guest's call stack, in bytes. On Pulley it is allocated when the guest starts.
    pub stack_bytes: usize,
}

/// Settings that are compiled into an image, and so have to be the same wherever it is made or run.
fn config(limits: Limits) -> Config {
    let mut config = Config::new();
    config
        .memory_reservation(0)
        .memory_reservation_for_growth(0)
        .memory_guard_size(0)
        .memory_init_cow(false)
        .signals_based_traps(false)
        .wasm_custom_page_sizes(true)
        .concurrency_support(false)
        .max_wasm_stack(limits.stack_bytes)
        .wasm_backtrace_max_frames(None);
    config
}

/// An engine for images compiled ahead of time for this machine: `pulley32` on a 32-bit microcontroller.
pub(crate) fn engine(limits: Limits) -> wasmtime::Result<Engine> {
    Engine::new(&config(limits))
}

/// An engine for `target`, a Wasmtime triple such as `pulley64`.
#[cfg(feature = "compile")]
pub(crate) fn engine_for(limits: Limits, target: &str) -> wasmtime::Result<Engine> {
    let mut config = config(limits);
    config.target(target)?;
    Engine::new(&config)
}
