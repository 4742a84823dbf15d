//! The RP2350 as a library: deterministic, cycle-counting, without I/O, threads or a clock of its own.

pub mod bus;
pub mod cpu;
