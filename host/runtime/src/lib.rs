//! Runs guests, on whatever board the host is.
//!
//! This crate knows the engine settings ([`WASMTIME_VERSION`]), what a guest may call and whether its [`Policy`] allows it,
//! how long a delay is ([`Pacer`]), how much memory a guest gets, and what the end of a guest means ([`Outcome`]).
//! It has no hardware: a host implements [`Board`]. It trusts the bytes of an image: who hands them over has checked
//! where they come from (`sandhill-update`).

#![no_std]

extern crate alloc;

mod board;
#[cfg(feature = "component")]
mod component;
mod core_imports;
mod engine;
mod guest;
mod limits;
mod outcome;
mod pacer;
mod platform;
mod policy;
mod program;
mod rate;
mod vitals;

pub use board::{Board, Stop};
#[cfg(feature = "component")]
pub use component::OPERATIONS_PER_US;
pub use core_imports::{INTERFACES, PACKAGES};
pub use engine::{IMAGE_ENGINE, WASMTIME_VERSION};
pub use guest::{Guest, Host};
pub use outcome::{Outcome, Place, Trap, Violation};
pub use pacer::Pacer;
pub use policy::{Contradiction, Policy, PolicyError};
pub use program::Program;
pub use vitals::{Figure, GUESTS, GuestState, GuestVitals, HostVitals, VITALS_TEXT, Vitals};
