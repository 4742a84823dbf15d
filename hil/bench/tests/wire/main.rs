//! The bench through its users' doors: raw TCP clients on the four ports, each test with a bench of its own.

mod chip;
mod common;
mod ports;
mod serial;
