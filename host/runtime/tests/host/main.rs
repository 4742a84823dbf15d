//! The runtime as a host uses it: guests on a fake board, natively, on Pulley and as components.

mod attacks;
mod board;
mod contract;
mod images;
mod outcomes;
mod policy;
mod ways;
