//! The command `guest-pack`, as a user calls it.

mod build;
mod image;
mod imgtool;
mod incremental;
mod sign;
mod support;
