//! The boot ROM: what its 32 KiB hold, and where its entry points are.
//!
//! The code is the model's own. When a core is about to execute the instruction at an entry point, the chip does at a high
//! level what the function does (`functions`, `boot`) and moves the core on to the instruction behind it, which returns:
//! an interrupt that comes before the return does not lead through the entry again. A debugger sees an ordinary program
//! counter in ROM, and can step out of it.

pub(crate) mod boot;
pub(crate) mod functions;

use crate::bus::Size;
use crate::memory;
use crate::soc::ROM_SIZE;

/// Initial stack pointer of the ROM's vector table: the top of SRAM.
pub(crate) const INITIAL_SP: u32 = 0x2008_2000;

const ENTRIES: u32 = 0x100;
const STRIDE: u32 = 8;
/// `nop; bx lr`: the entry, and the return behind it.
const RETURN: u32 = 0x4770_bf00;
const BRANCH_SELF: u32 = 0xe7fe;
/// `wfe; b` back to it, and the same with `wfi`.
const WFE_LOOP: u32 = 0xe7fd_bf20;
const WFI_LOOP: u32 = 0xe7fd_bf30;
const TABLE: u32 = 0x400;
/// FUNC_ARM_SEC and DATA (datasheet §5.4.1).
const FLAG_ARM_SEC: u16 = 0x0004;
const FLAG_DATA: u16 = 0x0040;
const GIT_REVISION: u32 = 0x600;
const PARTITION_TABLE: u32 = 0x604;

/// An address in ROM where the model acts for the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Entry {
    /// Where both cores begin after a reset.
    Reset,
    /// Where core 1 waits to be launched through the FIFO.
    Core1Wait,
    /// Where a core sleeps that found nothing to boot: BOOTSEL mode, USB not being modelled.
    Bootsel,
    LookupValue,
    LookupRow,
    ConnectInternalFlash,
    FlashExitXip,
    FlashRangeErase,
    FlashRangeProgram,
    FlashFlushCache,
    FlashEnterCmdXip,
    FlashSelectXipReadMode,
    FlashResetAddressTrans,
    FlashRuntimeToStorage,
    FlashOp,
    Reboot,
    BootromStateReset,
    GetSysInfo,
}

/// Every entry, in the order of their addresses, with the code by which a program looks it up (datasheet §5.4).
const ALL: [(Entry, Option<&[u8; 2]>); 18] = [
    (Entry::Reset, None),
    (Entry::Core1Wait, None),
    (Entry::Bootsel, None),
    (Entry::LookupValue, None),
    (Entry::LookupRow, None),
    (Entry::ConnectInternalFlash, Some(b"IF")),
    (Entry::FlashExitXip, Some(b"EX")),
    (Entry::FlashRangeErase, Some(b"RE")),
    (Entry::FlashRangeProgram, Some(b"RP")),
    (Entry::FlashFlushCache, Some(b"FC")),
    (Entry::FlashEnterCmdXip, Some(b"CX")),
    (Entry::FlashSelectXipReadMode, Some(b"XM")),
    (Entry::FlashResetAddressTrans, Some(b"RA")),
    (Entry::FlashRuntimeToStorage, Some(b"FA")),
    (Entry::FlashOp, Some(b"FO")),
    (Entry::Reboot, Some(b"RB")),
    (Entry::BootromStateReset, Some(b"SR")),
    (Entry::GetSysInfo, Some(b"GS")),
];

impl Entry {
    pub(crate) const fn address(self) -> u32 {
        ENTRIES + self as u32 * STRIDE
    }

    /// Where a function returns once the model has done its work.
    pub(crate) const fn return_address(self) -> u32 {
        self.address() + 2
    }

    /// The entry at `pc`, if the model acts there.
    #[inline]
    pub(crate) fn at(pc: u32) -> Option<Self> {
        let offset = pc.wrapping_sub(ENTRIES);
        if !offset.is_multiple_of(STRIDE) {
            return None;
        }
        ALL.get((offset / STRIDE) as usize).map(|&(entry, _)| entry)
    }
}

/// The contents of the ROM.
pub(crate) fn image() -> Box<[u8]> {
    let mut rom = vec![0; ROM_SIZE as usize].into_boxed_slice();
    let mut put = |address: u32, size, value| {
        memory::write(&mut rom, address as usize, size, value).expect("it lies within the ROM");
    };
    put(0x00, Size::Word, INITIAL_SP);
    // Nothing in the ROM's code raises an exception; should one come, the core stays in it.
    for vector in 1..4 {
        put(vector * 4, Size::Word, Entry::Reset.address() | 1);
    }
    put(0x10, Size::Word, u32::from_le_bytes([b'M', b'u', 2, 2]));
    put(0x14, Size::Half, TABLE);
    put(0x16, Size::Half, Entry::LookupValue.address() | 1);
    put(0x18, Size::Half, Entry::LookupRow.address() | 1);
    for (entry, _) in ALL {
        let code = match entry {
            Entry::Reset => BRANCH_SELF,
            Entry::Core1Wait => WFE_LOOP,
            Entry::Bootsel => WFI_LOOP,
            _ => RETURN,
        };
        put(entry.address(), Size::Word, code);
    }
    let mut at = TABLE;
    let mut row = |code: &[u8; 2], flag: u16, value: u32| {
        put(at, Size::Half, u32::from(u16::from_le_bytes(*code)));
        put(at + 2, Size::Half, u32::from(flag));
        put(at + 4, Size::Half, value);
        at += 6;
    };
    for (entry, code) in ALL {
        if let Some(code) = code {
            row(code, FLAG_ARM_SEC, entry.address() | 1);
        }
    }
    row(b"GR", FLAG_DATA, GIT_REVISION);
    row(b"PT", FLAG_DATA, PARTITION_TABLE);
    rom
}

/// Walks the table: the address of the entry whose code is `code` and that has one of the flags `mask`.
pub(crate) fn find(rom: &[u8], code: u32, mask: u32) -> Option<u32> {
    let half = |at: u32| memory::read_half(rom, at as usize).map(u32::from);
    let mut at = TABLE;
    loop {
        let (entry_code, flags) = (half(at)?, half(at + 2)?);
        if entry_code == 0 {
            return None;
        }
        if entry_code == code & 0xffff && flags & mask != 0 {
            return Some(at);
        }
        at += 6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_where_they_say() {
        for (n, (entry, _)) in ALL.into_iter().enumerate() {
            assert_eq!(entry as usize, n);
            assert_eq!(Entry::at(entry.address()), Some(entry));
        }
        assert_eq!(Entry::at(Entry::Reset.address() + 2), None);
        assert_eq!(Entry::at(0), None);
        assert!(Entry::GetSysInfo.address() + STRIDE <= TABLE);
    }

    #[test]
    fn the_table_finds_functions_by_code_and_flag() {
        let rom = image();
        let code = u32::from(u16::from_le_bytes(*b"RE"));
        let at = find(&rom, code, 4).expect("RE is there");
        let value = memory::read_half(&rom, at as usize + 4).expect("in the ROM");
        assert_eq!(u32::from(value), Entry::FlashRangeErase.address() | 1);
        assert_eq!(find(&rom, code, 0x40), None);
        assert_eq!(find(&rom, u32::from(u16::from_le_bytes(*b"??")), 0xffff), None);
    }
}
