//! The compute guest, compiled with `-O3`.

#![no_std]
#![no_main]

#[path = "../native.rs"]
mod native;
