//! The flash that belongs to guests: how it is reached, and what lies where.

use core::fmt;
use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;

/// Flash that is written through a driver and read where it is mapped. Offsets count from the start of flash.
///
/// `WRITE_SIZE` divides 256 and `ERASE_SIZE` is 4096 on the boards that this is for. An erase of more than that is asked
/// for only in blocks of 32 or 64 KiB that are aligned to their size.
pub trait Flash: NorFlash {
    /// `length` bytes from offset `from`.
    fn map(&self, from: u32, length: usize) -> &[u8];
}

/// One of the two places in flash from which a guest can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    A = 0,
    B = 1,
}

impl Slot {
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// What lies where, in offsets into flash, on borders of sectors.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Of each guest: A and B.
    pub slots: [[Range<u32>; 2]; 2],
    /// Two sectors at least.
    pub journal: Range<u32>,
}
