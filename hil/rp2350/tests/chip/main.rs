//! The chip through its public API: what a bench sees of it.

mod boot;
mod common;
mod debug_port;
mod dma;
mod flash;
mod peripherals;
mod pins;
mod pwm;
mod watchdog;
