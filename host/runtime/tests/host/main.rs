//! The runtime as a host uses it: components on a fake board, natively and on Pulley.

mod board;
mod images;
mod outcomes;
