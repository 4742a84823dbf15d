//! SMP (MCUmgr's protocol) as stock tools speak it over a serial line: what a host needs to be updated from outside.
//!
//! Nothing here knows flash or a UART: images are the business of whoever implements [`Images`], the rest of the board that
//! of whoever implements [`Board`]. Whatever a line brings, it is refused with a reason or ignored; the worst that an
//! honest request can be made to do by others on the line is to be sent again.
//! Protocol: Zephyr's documentation, "SMP Protocol Specification" and the pages of groups 0 to 3.

mod cbor;
mod frame;
mod needs;
mod server;
mod upload;

pub use frame::{Receiver, send};
pub use needs::{Board, Entry, Images, Rc, Refusal, SlotInfo, Stored};
pub use server::{BUFFER_BYTES, Server};

/// What is wrong with a request by itself, whatever there is on the board.
#[derive(Clone, Copy)]
struct Fault {
    rc: Rc,
    why: &'static str,
}

/// Why a request is answered with an error.
enum Failure<E> {
    Fault(Fault),
    Refused(E),
}

impl<E> From<Fault> for Failure<E> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
