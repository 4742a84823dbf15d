//! The engine settings every host shares with `guests/pack`.
//!
//! Images carry the settings they were compiled with; Wasmtime refuses an image whose settings differ. The page
//! `docs/src/reference/interfaces.md` lists them.

use core::num::NonZeroUsize;

use wasmtime::{Config, Engine};

/// [`WASMTIME_VERSION`] as a literal.
#[macro_export]
macro_rules! wasmtime_version {
    () => {
        "48.0.8"
    };
}

/// The version of Wasmtime in this host. An image made by another major version is refused.
pub const WASMTIME_VERSION: &str = wasmtime_version!();

/// What an image says it was compiled for, if it is for this host's microcontroller: version, target, and the start of the
/// SHA-256 of what Wasmtime writes of version and settings into a `.cwasm`. A test compares it with what `guests/pack` makes.
pub const IMAGE_ENGINE: &str = concat!("wasmtime ", wasmtime_version!(), " pulley32 05ff2f93");

/// A trap's report names the function it happened in, not its callers.
const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::MIN;

/// Settings that are compiled into an image, and so have to be the same wherever it is made or run; and the Pulley stack.
fn config(stack_bytes: usize) -> Config {
    let mut config = Config::new();
    config
        .memory_reservation(0)
        .memory_reservation_for_growth(0)
        .memory_guard_size(0)
        .memory_init_cow(false)
        .signals_based_traps(false)
        .wasm_custom_page_sizes(true)
        .concurrency_support(false)
        .max_wasm_stack(stack_bytes)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES));
    config
}

/// What images are compiled for where nothing is compiled on the spot.
#[cfg(not(feature = "compile"))]
const TARGET: &str = if cfg!(target_pointer_width = "32") { "pulley32" } else { "pulley64" };

/// An engine for images compiled ahead of time for this machine: `pulley32` on a 32-bit microcontroller.
#[cfg(not(feature = "compile"))]
pub(crate) fn engine(stack_bytes: usize) -> wasmtime::Result<Engine> {
    let mut config = config(stack_bytes);
    // Wasmtime would come to the same, by reading the text again for each of the settings that it compares: 14 000
    // instructions of a start on a Cortex-M33.
    config.target(TARGET)?;
    Engine::new(&config)
}

/// An engine that compiles for this machine.
#[cfg(feature = "compile")]
pub(crate) fn engine(stack_bytes: usize) -> wasmtime::Result<Engine> {
    Engine::new(&config(stack_bytes))
}

/// An engine for `target`, a Wasmtime triple such as `pulley64`.
#[cfg(feature = "compile")]
pub(crate) fn engine_for(stack_bytes: usize, target: &str) -> wasmtime::Result<Engine> {
    let mut config = config(stack_bytes);
    config.target(target)?;
    Engine::new(&config)
}

/// An engine for this machine that counts operations, for a host that has no interrupt to end a guest with.
#[cfg(feature = "component")]
pub(crate) fn metered_engine(stack_bytes: usize) -> wasmtime::Result<Engine> {
    Engine::new(config(stack_bytes).consume_fuel(true))
}
