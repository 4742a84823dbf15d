//! The compute guest, compiled with `-O2`.

#![no_std]
#![no_main]

#[path = "../native.rs"]
mod native;
