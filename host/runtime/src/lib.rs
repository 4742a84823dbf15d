//! Runs one guest component, on whatever board the host is.
//!
//! This crate knows the engine settings ([`engine`]), what a guest may call ([`platform`]), how long a delay is
//! ([`pacer`]), how much memory a guest gets ([`Limits`]) and what the end of a guest means ([`Outcome`]).
//! It has no hardware: a host implements [`Board`]. It trusts the bytes of an image: who hands them over has checked
//! where they come from (`sandhill-update`).

#![no_std]

extern crate alloc;

mod engine;
mod guest;
mod outcome;
mod pacer;
mod platform;
mod vitals;

pub use engine::{Limits, WASMTIME_VERSION};
pub use guest::{Guest, Host};
pub use outcome::{Error, Outcome};
pub use pacer::Pacer;
pub use platform::{Board, Stop};
pub use vitals::{GuestState, VITALS_TEXT, Vitals};
