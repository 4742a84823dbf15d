//! SMP (MCUmgr's protocol) as stock tools speak it over a serial line: what a host needs to be updated from outside.
//!
//! Nothing here knows flash or a UART: images are the business of whoever implements [`Images`], the rest of the board that
//! of whoever implements [`Board`].
//! Protocol: Zephyr's documentation, "SMP Protocol Specification" and the pages of groups 0 to 3.

mod server;

pub use server::{Board, Entry, Images, Rc, Refusal, SlotInfo, Stored};
