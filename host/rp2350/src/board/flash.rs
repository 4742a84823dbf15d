//! The flash chip's guest slots and journal: read where they are mapped, written through the boot ROM's functions
//! (RP2350 datasheet, 5.4.8).
//!
//! While it is written the flash answers nobody, so the code that has it written lies in RAM, and interrupts are off: 45 ms
//! for a sector, 0.4 ms for a page, typically. It promises that the firmware's own sectors are never written, that nothing on
//! UART0 is lost meanwhile, and that guests which wait for a time are let wake up first, if that time is near and the gap
//! behind it long enough.

use core::ops::Range;
use core::ptr;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use rp235x_hal::rom_data;
use sandhill_update::{Flash, Layout, Slot};

use super::{console, watchdog};
use crate::kernel;
use crate::vitals::VITALS;

/// Where the chip sees its flash (datasheet, 2.2).
const XIP_BASE: u32 = 0x1000_0000;
const SECTOR: u32 = 4096;
const PAGE: u32 = 256;

/// What is erased at once: bytes, the flash chip's command, and how long it takes, typically and a little more (W25Q32JV datasheet:
/// tSE 45 ms, tBE1 120 ms, tBE2 150 ms; the longest are 400 ms, 1.6 s and 2 s).
#[derive(Clone, Copy)]
struct Block {
    bytes: u32,
    command: u8,
    us: u64,
}

/// The largest first.
const BLOCKS: [Block; 3] = [
    Block { bytes: 64 * 1024, command: 0xd8, us: 160_000 },
    Block { bytes: 32 * 1024, command: 0x52, us: 130_000 },
    Block { bytes: SECTOR, command: 0x20, us: 50_000 },
];
/// Likewise for a page (tPP 0.4 ms, 3 ms at most).
const PAGE_PROGRAM_US: u64 = 700;
/// The longest of the longest times above.
const LONGEST_US: u32 = 2_000_000;
/// What a guest that wakes up is given to go back to sleep.
const AFTER_A_DEADLINE_US: u64 = 200;

/// Where the boot ROM leaves a function that brings back the mode of reading which it found at boot: position-independent, at
/// most 256 bytes (5.4.8, `flash_range_erase`).
const XIP_SETUP: *const u32 = ptr::without_provenance(0x400e_0000);
const XIP_SETUP_WORDS: usize = 64;

unsafe extern "C" {
    static __guest_slot0_start: u8;
    static __guest_slot0_end: u8;
    static __guest_slot1_start: u8;
    static __guest_slot1_end: u8;
    static __guest_spare0_start: u8;
    static __guest_spare0_end: u8;
    static __guest_spare1_start: u8;
    static __guest_spare1_end: u8;
    static __journal_start: u8;
    static __journal_end: u8;
}

/// The linker script's ranges, as offsets from the start of flash.
pub fn layout() -> Layout {
    let range = |start: *const u8, end: *const u8| start.addr() as u32 - XIP_BASE..end.addr() as u32 - XIP_BASE;
    Layout {
        slots: [
            [
                range(&raw const __guest_slot0_start, &raw const __guest_slot0_end),
                range(&raw const __guest_spare0_start, &raw const __guest_spare0_end),
            ],
            [
                range(&raw const __guest_slot1_start, &raw const __guest_slot1_end),
                range(&raw const __guest_spare1_start, &raw const __guest_spare1_end),
            ],
        ],
        journal: range(&raw const __journal_start, &raw const __journal_end),
    }
}

/// The bytes of a guest's slot. They stay as they are while its image is active or on trial.
pub fn slot(guest: usize, slot: Slot) -> &'static [u8] {
    let range = layout().slots[guest][slot as usize].clone();
    // SAFETY: the linker script reserves it, and it is mapped for reading.
    unsafe { core::slice::from_raw_parts(ptr::without_provenance((XIP_BASE + range.start) as usize), range.len()) }
}

/// What may be written: everything from the first slot to the journal's end.
fn writable() -> Range<u32> {
    let layout = layout();
    layout.slots[0][0].start..layout.journal.end
}

/// The flash that belongs to guests. One thread has it: the supervisor.
pub struct GuestFlash {
    rom: Rom,
}

/// The boot ROM's functions.
#[derive(Clone, Copy)]
struct Rom {
    connect: unsafe extern "C" fn(),
    exit_xip: unsafe extern "C" fn(),
    erase: unsafe extern "C" fn(u32, usize, u32, u8),
    program: unsafe extern "C" fn(u32, *const u8, usize),
    flush_cache: unsafe extern "C" fn(),
}

/// Not what can be written here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlashError {
    #[error("not on a boundary that flash is written by")]
    Misaligned,
    #[error("outside of the guests' flash")]
    OutOfBounds,
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Misaligned => NorFlashErrorKind::NotAligned,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
        }
    }
}

/// One operation, for [`apart`].
enum Operation<'a> {
    Erase { offset: u32, block: Block },
    Program { offset: u32, page: &'a [u8; PAGE as usize] },
}

impl GuestFlash {
    /// Looks up the boot ROM's functions. There is to be one only.
    pub fn new() -> Self {
        Self {
            rom: Rom {
                connect: rom_data::connect_internal_flash::ptr(),
                exit_xip: rom_data::flash_exit_xip::ptr(),
                erase: rom_data::flash_range_erase::ptr(),
                program: rom_data::flash_range_program::ptr(),
                flush_cache: rom_data::flash_flush_cache::ptr(),
            },
        }
    }

    /// Has `operation` done in a gap between the guests' deadlines that is `needs_us` long, if one is near.
    fn carry_out(&mut self, operation: &Operation<'_>, needs_us: u64) {
        let patience_us = kernel::now_us() + needs_us;
        loop {
            let (now_us, quiet_us) = (kernel::now_us(), kernel::quiet_us());
            if quiet_us >= needs_us || now_us.saturating_add(quiet_us) >= patience_us {
                break;
            }
            kernel::wait(now_us + quiet_us + AFTER_A_DEADLINE_US, kernel::Events::NONE);
        }
        // An erase at its slowest is no reason for a reset.
        watchdog::feed_for(LONGEST_US);
        let mut setup = [0; XIP_SETUP_WORDS];
        for (n, word) in setup.iter_mut().enumerate() {
            // SAFETY: boot RAM, which is readable. As words, which is all it takes.
            *word = unsafe { XIP_SETUP.add(n).read_volatile() };
        }
        let took_us = console::bridged(|| {
            let began_us = kernel::now_us();
            // SAFETY: interrupts are off in here and the other core does not run, so nobody fetches from flash; `setup` is the
            // boot ROM's function.
            unsafe { apart(&self.rom, &setup, operation) };
            kernel::now_us() - began_us
        });
        VITALS.host.flash_longest_us.keep_max(took_us as u32);
    }
}

/// Writes flash, from RAM: nothing in here may be in flash, no constant table and no function either.
///
/// # Safety
/// Nobody else reads flash meanwhile, interrupt handlers included. `setup` is a function that makes flash readable again.
#[unsafe(link_section = ".data.apart")]
#[inline(never)]
unsafe fn apart(rom: &Rom, setup: &[u32; XIP_SETUP_WORDS], operation: &Operation<'_>) {
    // SAFETY: the caller's contract; the boot ROM's functions have their arguments as the datasheet wants them, checked by
    // `erase` and `write` below. The lowest bit of a function's address says that it is Thumb code.
    unsafe {
        (rom.connect)();
        (rom.exit_xip)();
        match operation {
            Operation::Erase { offset, block } => {
                (rom.erase)(*offset, block.bytes as usize, block.bytes, block.command)
            }
            Operation::Program { offset, page } => (rom.program)(*offset, page.as_ptr(), PAGE as usize),
        }
        (rom.flush_cache)();
        let setup: extern "C" fn() = core::mem::transmute(setup.as_ptr().addr() | 1);
        setup();
    }
}

fn check(from: u32, to: u32, unit: u32) -> Result<(), FlashError> {
    let writable = writable();
    if !from.is_multiple_of(unit) || !to.is_multiple_of(unit) {
        return Err(FlashError::Misaligned);
    }
    if from < writable.start || from > to || to > writable.end {
        return Err(FlashError::OutOfBounds);
    }
    Ok(())
}

impl ErrorType for GuestFlash {
    type Error = FlashError;
}

impl ReadNorFlash for GuestFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        let end = offset.saturating_add(bytes.len() as u32);
        check(offset, end, 1)?;
        bytes.copy_from_slice(self.map(offset, bytes.len()));
        Ok(())
    }

    fn capacity(&self) -> usize {
        writable().end as usize
    }
}

impl NorFlash for GuestFlash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR as usize;

    /// Whole blocks at once, where there are any.
    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check(from, to, SECTOR)?;
        let mut at = from;
        while at < to {
            let fits = |block: &&Block| at.is_multiple_of(block.bytes) && to - at >= block.bytes;
            let block = BLOCKS.iter().find(fits).copied().unwrap_or(BLOCKS[BLOCKS.len() - 1]);
            self.carry_out(&Operation::Erase { offset: at, block }, block.us);
            let erases = &VITALS.host.flash_erases;
            erases.set(erases.get().wrapping_add(block.bytes / SECTOR));
            at += block.bytes;
        }
        Ok(())
    }

    /// What of a page is not written stays as it is: to program all ones changes nothing.
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let end = offset.saturating_add(bytes.len() as u32);
        check(offset, end, Self::WRITE_SIZE as u32)?;
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let start = (at % PAGE) as usize;
            let (now, later) = rest.split_at(rest.len().min(PAGE as usize - start));
            let mut page = [0xff; PAGE as usize];
            page[start..][..now.len()].copy_from_slice(now);
            self.carry_out(&Operation::Program { offset: at - start as u32, page: &page }, PAGE_PROGRAM_US);
            VITALS.host.flash_programs.count();
            at += now.len() as u32;
            rest = later;
        }
        Ok(())
    }
}

impl Flash for GuestFlash {
    fn map(&self, from: u32, length: usize) -> &[u8] {
        let writable = writable();
        let (start, end) = (writable.start as usize, writable.end as usize);
        let from = from as usize;
        assert!(from >= start && from <= end && length <= end - from, "within the guests' flash");
        // SAFETY: mapped for reading, and this object, which is borrowed meanwhile, is the only way to change it.
        unsafe { core::slice::from_raw_parts(ptr::without_provenance(XIP_BASE as usize + from), length) }
    }
}
