//! Guest images in flash: their format, and whether to believe what a slot holds.
//!
//! Nothing here touches hardware; a host hands over the bytes of a slot.

#![no_std]

mod image;
pub mod smp;

pub use image::{Error, Image};
