//! What the boot ROM boots: requests in the watchdog's scratch words, and images in flash (RP2350 datasheet §5.2, §5.9).
//!
//! Hashes, signatures, versions, partition tables and images that are copied to RAM first are not looked at.

use crate::memory;
use crate::soc::FLASH_BASE;

/// Where an image starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) vtor: u32,
    pub(crate) sp: u32,
    pub(crate) pc: u32,
}

/// What was asked for before the reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Boot from flash as usual.
    Normal,
    /// Stay in BOOTSEL.
    Bootsel,
    /// Jump to an address.
    PcSp { pc: u32, sp: u32 },
}

/// Watchdog SCRATCH4, and SCRATCH7 where SCRATCH6 holds a type instead of a stack pointer (datasheet §5.2).
pub(crate) const MAGIC: u32 = 0xb007_c0d3;
/// Reboot types of `reboot` and of SCRATCH6 (datasheet §5.4.8).
pub(crate) const TYPE_BOOTSEL: u32 = 2;
pub(crate) const TYPE_PC_SP: u32 = 0xd;

/// Reads the request, and forgets it: it is valid for one boot.
pub(crate) fn take_request(scratch: &mut [u32; 8]) -> Request {
    let [.., magic, check, sp, pc] = *scratch;
    if magic != MAGIC || check != pc ^ MAGIC.wrapping_neg() {
        return Request::Normal;
    }
    scratch[4] = 0;
    match pc {
        MAGIC if sp & 0xf == TYPE_BOOTSEL => Request::Bootsel,
        MAGIC if sp & 0xf == TYPE_PC_SP => Request::PcSp { pc: scratch[2], sp: scratch[3] },
        MAGIC => Request::Normal,
        _ => Request::PcSp { pc, sp },
    }
}

/// Scratch words that ask for a reboot of `kind`.
pub(crate) fn put_request(scratch: &mut [u32; 8], kind: u32, p0: u32, p1: u32) {
    scratch[2] = p0;
    scratch[3] = p1;
    scratch[4] = MAGIC;
    scratch[5] = MAGIC ^ MAGIC.wrapping_neg();
    scratch[6] = kind;
    scratch[7] = MAGIC;
}

const BLOCK_START: u32 = 0xffff_ded3;
const BLOCK_END: u32 = 0xab12_3579;
/// A block loop must begin in the first 4 KiB.
const SEARCH: usize = 4096;
/// More blocks than any image has; a loop that does not close ends here.
const MOST_BLOCKS: usize = 64;

const ITEM_VECTOR_TABLE: u8 = 0x03;
const ITEM_LOAD_MAP: u8 = 0x06;
const ITEM_IMAGE_TYPE: u8 = 0x42;
const ITEM_ENTRY_POINT: u8 = 0x44;
const ITEM_LAST: u8 = 0x7f;

/// IMAGE_TYPE's fields: an executable for the Arm cores of an RP2350 (datasheet §5.9.3.1).
const IMAGE_TYPE_MASK: u32 = 0x770f;
const IMAGE_TYPE_ARM_EXE: u32 = 0x1001;

#[derive(Default)]
struct Block {
    executable: bool,
    vector_table: Option<u32>,
    entry: Option<(u32, u32)>,
    load_map: bool,
    /// Offset of the next block of the loop.
    next: usize,
}

fn parse(flash: &[u8], at: usize) -> Option<Block> {
    let word = |index: usize| memory::read_word(flash, at.checked_add(index.checked_mul(4)?)?);
    if word(0)? != BLOCK_START {
        return None;
    }
    let mut block = Block::default();
    let mut index = 1;
    loop {
        let header = word(index)?;
        let kind = header as u8;
        let length = if kind & 0x80 != 0 { header >> 8 & 0xffff } else { header >> 8 & 0xff };
        match kind & 0x7f {
            ITEM_LAST => {
                if length as usize != index - 1 {
                    return None;
                }
                let link = word(index + 1)?;
                block.next = at.checked_add_signed(link as i32 as isize)?;
                return (word(index + 2)? == BLOCK_END).then_some(block);
            }
            ITEM_IMAGE_TYPE => block.executable = header >> 16 & IMAGE_TYPE_MASK == IMAGE_TYPE_ARM_EXE,
            ITEM_VECTOR_TABLE => block.vector_table = Some(word(index + 1)?),
            ITEM_ENTRY_POINT => block.entry = Some((word(index + 1)?, word(index + 2)?)),
            ITEM_LOAD_MAP => block.load_map = true,
            _ => {}
        }
        if length == 0 {
            return None;
        }
        index += length as usize;
    }
}

/// Looks for an image in flash. `None` if there is no closed loop of valid blocks with an Arm executable in it.
pub(crate) fn find_image(flash: &[u8]) -> Option<Start> {
    let first = (0..SEARCH).step_by(4).find(|&at| memory::read_word(flash, at) == Some(BLOCK_START))?;
    let mut image = None;
    let mut at = first;
    for _ in 0..MOST_BLOCKS {
        let block = parse(flash, at)?;
        let next = block.next;
        if block.executable && !block.load_map && image.is_none() {
            image = Some(block);
        }
        if next == first {
            return start(flash, &image?);
        }
        at = next;
    }
    None
}

fn start(flash: &[u8], block: &Block) -> Option<Start> {
    let vtor = block.vector_table.unwrap_or(FLASH_BASE);
    if let Some((pc, sp)) = block.entry {
        return Some(Start { vtor, sp, pc });
    }
    let table = vtor.checked_sub(FLASH_BASE)? as usize;
    Some(Start { vtor, sp: memory::read_word(flash, table)?, pc: memory::read_word(flash, table.checked_add(4)?)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flash(words: &[(usize, u32)]) -> Vec<u8> {
        let mut flash = vec![0xff; 64 * 1024];
        for &(at, word) in words {
            flash[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        flash
    }

    const IMAGE_DEF: [(usize, u32); 7] = [
        (0, 0x2008_0000),
        (4, 0x1000_0201),
        (0x110, BLOCK_START),
        (0x114, 0x1021_0142),
        (0x118, 0x0000_01ff),
        (0x11c, 0),
        (0x120, BLOCK_END),
    ];

    #[test]
    fn a_minimal_image_starts_at_the_vector_table_in_front_of_it() {
        let start = Start { vtor: FLASH_BASE, sp: 0x2008_0000, pc: 0x1000_0201 };
        assert_eq!(find_image(&flash(&IMAGE_DEF)), Some(start));
    }

    #[test]
    fn a_loop_of_two_blocks_with_a_vector_table_item() {
        let image = flash(&[
            (0x200, 0x2007_0000),
            (0x204, 0x1000_0401),
            (0x10, BLOCK_START),
            (0x14, 0x1021_0142),
            (0x18, 0x0000_0203),
            (0x1c, 0x1000_0200),
            (0x20, 0x0000_03ff),
            (0x24, 0x2000 - 0x10),
            (0x28, BLOCK_END),
            (0x2000, BLOCK_START),
            (0x2004, 0x0000_01fe),
            (0x2008, 0x0000_01ff),
            (0x200c, 0x10u32.wrapping_sub(0x2000)),
            (0x2010, BLOCK_END),
        ]);
        let start = Start { vtor: 0x1000_0200, sp: 0x2007_0000, pc: 0x1000_0401 };
        assert_eq!(find_image(&image), Some(start));
    }

    #[test]
    fn what_is_not_a_valid_arm_image_does_not_boot() {
        assert_eq!(find_image(&vec![0xff; 1 << 20]), None);
        assert_eq!(find_image(&[]), None);
        for (index, word) in [(3, 0x1121_0142), (4, 0x0000_02ff), (5, 8), (6, 0)] {
            let mut broken = IMAGE_DEF;
            broken[index].1 = word;
            assert_eq!(find_image(&flash(&broken)), None, "word {index}");
        }
    }

    #[test]
    fn a_request_is_valid_once() {
        let mut scratch = [0; 8];
        assert_eq!(take_request(&mut scratch), Request::Normal);
        scratch[4..].copy_from_slice(&[0xb007_c0d3, 0xffff_fffe, 2, 0xb007_c0d3]);
        assert_eq!(take_request(&mut scratch), Request::Bootsel);
        assert_eq!(take_request(&mut scratch), Request::Normal);
        put_request(&mut scratch, TYPE_PC_SP, 0x2000_0001, 0x2000_1000);
        assert_eq!(take_request(&mut scratch), Request::PcSp { pc: 0x2000_0001, sp: 0x2000_1000 });
    }
}
