//! Hardware in the loop: flashes firmware and guests, captures what the pins do, judges it and reports.
//!
//! The runner knows a bench only by its file: a debug probe that probe-rs can open, a logic analyser that sigrok-cli can
//! open, a serial port, and perhaps a program that has to run. It knows the build only by its artefact folder.
//! The `hil` command is `main.rs`; everything it does is here, for tests to use.

pub mod analyser;
pub mod artefacts;
pub mod bench_file;
pub mod capture;
pub mod check;
pub mod console;
pub mod error;
pub mod figures;
pub mod firmware;
pub mod flash;
pub mod instruments;
pub mod judge;
pub mod line;
mod net;
pub mod probe;
mod program;
pub mod progress;
pub mod report;
pub mod run;
pub mod service;
pub mod stimuli;
pub mod stored;
pub mod table;
pub mod test_file;
pub mod update;
pub mod vitals;

pub use error::Error;
