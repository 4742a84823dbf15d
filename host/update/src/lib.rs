//! Guest images in flash: their format, whether to believe what a slot holds, which slot's turn it is, and the protocol
//! through which new ones arrive.
//!
//! Nothing here touches hardware or knows a clock; a host hands over its flash, which may lose power at any operation.

#![no_std]

mod error;
mod flash;
mod image;
mod images;
mod journal;
mod signature;
pub mod smp;
mod updates;
mod upload;

pub use error::{Error, Text};
pub use flash::{Flash, Layout, Slot};
pub use image::{Image, Trust, Version};
pub use signature::key_hash;
pub use updates::{Boot, Note, Updates, Why};
