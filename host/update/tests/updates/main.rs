//! Updates of guests on a flash that counts, and that loses power wherever it can.

mod board;
mod machine;
mod nor;
mod power;
#[path = "../support/mod.rs"]
mod support;
mod wear;
