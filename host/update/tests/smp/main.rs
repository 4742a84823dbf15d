//! SMP through the bytes on the line: requests as stock clients send them go in, responses are decoded as they decode them.

mod client;
mod fake;
mod frame;
mod garbage;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod toolkit;
mod updates;
mod uploads;
