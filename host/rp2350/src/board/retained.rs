//! What outlives a reset: why the last guest failed, and how often the chip was reset. In RAM that nothing clears.
//!
//! After power-on, or after a reset in the middle of a change, the record is not one: it is then taken for empty. It
//! promises that no reader sees half of it.

use core::cell::UnsafeCell;
use core::fmt::{self, Write};
use core::mem::MaybeUninit;

use super::watchdog;

/// "SANR", and a number that changes with the layout below.
const MAGIC: u32 = 0x5341_4e52 + 1;
/// Longest text of a trap.
const TEXT_BYTES: usize = 160;

/// Words only: every byte of it counts in the check.
#[repr(C)]
#[derive(Clone, Copy)]
struct Record {
    magic: u32,
    /// Of the other words.
    check: u32,
    boots: u32,
    watchdog_resets: u32,
    /// Slot of the trap, and the bytes of its text: 0 if there was none.
    slot: u32,
    length: u32,
    text: [u32; TEXT_BYTES / 4],
}

struct Retained(UnsafeCell<MaybeUninit<Record>>);

// SAFETY: `start` says who may touch it.
unsafe impl Sync for Retained {}

#[unsafe(link_section = ".uninit.retained")]
static RETAINED: Retained = Retained(UnsafeCell::new(MaybeUninit::uninit()));

/// The retained record, for one thread.
pub struct Journal(());

/// A trap from before the reset.
pub struct Trap {
    pub slot: usize,
    text: [u8; TEXT_BYTES],
    length: usize,
}

impl Trap {
    pub fn text(&self) -> &str {
        // Written as ASCII; a text that is not was cut within a character.
        str::from_utf8(&self.text[..self.length]).unwrap_or("?")
    }
}

/// Opens the record and counts this start in it. Called once; also says which trap came before this reset.
pub fn start() -> (Journal, Option<Trap>) {
    // SAFETY: called once, so this is the only access; the words may have any value, and `uninit` is what the linker
    // makes of them, not the compiler: they are read volatile.
    let record = unsafe { RETAINED.0.get().cast::<Record>().read_volatile() };
    let mut record = if record.is_whole() { record } else { Record::EMPTY };
    let trap = (record.length != 0).then(|| {
        let mut text = [0; TEXT_BYTES];
        for (bytes, word) in text.as_chunks_mut::<4>().0.iter_mut().zip(record.text) {
            *bytes = word.to_le_bytes();
        }
        Trap { slot: record.slot as usize, text, length: record.length as usize }
    });
    record.boots = record.boots.wrapping_add(1);
    record.watchdog_resets = record.watchdog_resets.wrapping_add(u32::from(watchdog::was_reset()));
    record.length = 0;
    let mut journal = Journal(());
    journal.write(record);
    (journal, trap)
}

impl Journal {
    fn read(&self) -> Record {
        // SAFETY: `start` has written it, and only this object reaches it.
        unsafe { RETAINED.0.get().cast::<Record>().read_volatile() }
    }

    fn write(&mut self, mut record: Record) {
        record.check = record.sum();
        // A reset on the way leaves a check that does not hold.
        // SAFETY: as in `read`.
        unsafe { RETAINED.0.get().cast::<Record>().write_volatile(record) };
    }

    /// Starts of this firmware, since power-on.
    pub fn boots(&self) -> u32 {
        self.read().boots
    }

    /// Those of them that followed a watchdog's reset.
    pub fn watchdog_resets(&self) -> u32 {
        self.read().watchdog_resets
    }

    /// Keeps `text`, which is ASCII, for the next start; the end of a long one is lost.
    pub fn keep_trap(&mut self, slot: usize, text: fmt::Arguments<'_>) {
        let mut record = self.read();
        record.slot = slot as u32;
        record.length = 0;
        // It drops what does not fit and never fails.
        let _ = record.write_fmt(text);
        self.write(record);
    }
}

impl Record {
    const EMPTY: Self =
        Self { magic: MAGIC, check: 0, boots: 0, watchdog_resets: 0, slot: 0, length: 0, text: [0; TEXT_BYTES / 4] };

    fn is_whole(&self) -> bool {
        self.magic == MAGIC && self.check == self.sum() && self.length as usize <= TEXT_BYTES
    }

    /// FNV-1a, a word at a time. Against chance, not against intent.
    fn sum(&self) -> u32 {
        let head = [self.boots, self.watchdog_resets, self.slot, self.length];
        head.iter().chain(&self.text).fold(0x811c_9dc5, |sum: u32, word| (sum ^ word).wrapping_mul(0x0100_0193))
    }
}

impl Write for Record {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            let at = self.length as usize;
            let Some(word) = self.text.get_mut(at / 4) else { break };
            let shift = at % 4 * 8;
            *word = *word & !(0xff << shift) | u32::from(byte) << shift;
            self.length += 1;
        }
        Ok(())
    }
}
