//! The peripherals. Each is its registers and what they do; none knows of another, the bus in `soc` connects them.
//!
//! `read` and `write` take the offset of a word; `None` says that there is no register, or none that is modelled.

pub(crate) mod clocks;
pub(crate) mod dma;
pub(crate) mod gpio;
pub(crate) mod gpioc;
pub(crate) mod oscillators;
pub(crate) mod pwm;
pub(crate) mod registers;
pub(crate) mod resets;
pub(crate) mod sio;
pub(crate) mod ticks;
pub(crate) mod timer;
pub(crate) mod uart;
pub(crate) mod watchdog;

/// What a write that reached a register did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    AsSet,
    /// The setting is not modelled.
    NotModelled,
}
