//! The flash chip on the board: NOR flash that only the boot ROM's functions write.
//!
//! An erase sets all bits of a sector, a program only clears bits. Times are typical ones of the W25Q32JV datasheet
//! (AC characteristics: tSE 45 ms, tBE2 150 ms, tPP 0.4 ms); a Pico 2 carries a chip of that family.

use crate::time::UNITS_PER_SECOND;

pub(crate) const SIZE: usize = 4 << 20;
pub(crate) const SECTOR: u32 = 4096;
pub(crate) const BLOCK: u32 = 64 * 1024;
pub(crate) const PAGE: u32 = 256;

const MICROSECOND: u64 = UNITS_PER_SECOND / 1_000_000;
const SECTOR_ERASE: u64 = 45_000 * MICROSECOND;
const BLOCK_ERASE: u64 = 150_000 * MICROSECOND;
const PAGE_PROGRAM: u64 = 400 * MICROSECOND;

/// How often each 4 KiB sector of the flash was erased and programmed since power-on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wear {
    /// Erase cycles, one entry a 4 KiB sector.
    pub erases: Vec<u32>,
    /// Page programs (256 bytes each), one entry a 4 KiB sector.
    pub programs: Vec<u32>,
}

pub(crate) struct Flash {
    bytes: Box<[u8]>,
    wear: Wear,
}

/// The flash chip refuses: not aligned to what it erases or programs at once, or outside of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Misaligned,
    OutOfRange,
}

fn check(offset: u32, count: u32, unit: u32) -> Result<(), Refusal> {
    if !offset.is_multiple_of(unit) || !count.is_multiple_of(unit) {
        return Err(Refusal::Misaligned);
    }
    match offset.checked_add(count) {
        Some(end) if end as usize <= SIZE => Ok(()),
        _ => Err(Refusal::OutOfRange),
    }
}

impl Flash {
    pub(crate) fn new() -> Self {
        let sectors = SIZE / SECTOR as usize;
        Self {
            bytes: vec![0xff; SIZE].into_boxed_slice(),
            wear: Wear { erases: vec![0; sectors], programs: vec![0; sectors] },
        }
    }

    #[inline(always)]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    pub(crate) fn wear(&self) -> &Wear {
        &self.wear
    }

    /// Time to erase a range: whole 64 KiB blocks at once where `blocks` allows it, as the boot ROM does.
    pub(crate) fn erase_time(offset: u32, count: u32, blocks: bool) -> Result<u64, Refusal> {
        check(offset, count, SECTOR)?;
        let (mut at, end, mut time) = (offset, offset + count, 0);
        while at < end {
            if blocks && at % BLOCK == 0 && end - at >= BLOCK {
                at += BLOCK;
                time += BLOCK_ERASE;
            } else {
                at += SECTOR;
                time += SECTOR_ERASE;
            }
        }
        Ok(time)
    }

    pub(crate) fn erase(&mut self, offset: u32, count: u32) -> Result<(), Refusal> {
        check(offset, count, SECTOR)?;
        self.bytes[offset as usize..(offset + count) as usize].fill(0xff);
        let sectors = offset / SECTOR..(offset + count) / SECTOR;
        for sector in sectors {
            self.wear.erases[sector as usize] += 1;
        }
        Ok(())
    }

    pub(crate) fn program_time(offset: u32, count: u32) -> Result<u64, Refusal> {
        check(offset, count, PAGE)?;
        Ok(u64::from(count / PAGE) * PAGE_PROGRAM)
    }

    pub(crate) fn program(&mut self, offset: u32, data: &[u8]) -> Result<(), Refusal> {
        let count = u32::try_from(data.len()).map_err(|_| Refusal::OutOfRange)?;
        check(offset, count, PAGE)?;
        let target = &mut self.bytes[offset as usize..(offset + count) as usize];
        for (cell, byte) in target.iter_mut().zip(data) {
            *cell &= byte;
        }
        for page in offset / PAGE..(offset + count) / PAGE {
            self.wear.programs[(page * PAGE / SECTOR) as usize] += 1;
        }
        Ok(())
    }
}
