//! The firmware as UF2: what a board in BOOTSEL mode takes as a file dropped on its drive.
//!
//! Promises that the blocks hold every byte that the ELF loads into flash, at its address, whole pages of 256 bytes, what
//! is between filled with FFh. Format: github.com/microsoft/uf2; family: RP2350 datasheet 5.5.3.

use std::collections::BTreeMap;

use object::Endianness;
use object::elf::{FileHeader32, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};

/// Bytes of flash a block carries: the boot ROM takes no other number.
const PAGE: usize = 256;
const BLOCK: usize = 512;
/// Code for the Arm cores in secure state.
const RP2350_ARM_S: u32 = 0xe48b_ff59;

const MAGIC: [u32; 2] = [0x0a32_4655, 0x9e5d_5157];
const MAGIC_END: u32 = 0x0ab1_6f30;
/// The last word of the header is a family.
const HAS_FAMILY: u32 = 0x2000;

/// The UF2 file of an ELF.
///
/// # Errors
/// What is wrong with the ELF.
pub fn from_elf(elf: &[u8]) -> Result<Vec<u8>, String> {
    let pages = pages(elf)?;
    let count = pages.len() as u32;
    let mut file = Vec::with_capacity(pages.len() * BLOCK);
    for (number, (address, page)) in (0..).zip(pages) {
        let header = [MAGIC[0], MAGIC[1], HAS_FAMILY, address, PAGE as u32, number, count, RP2350_ARM_S];
        file.extend(header.into_iter().flat_map(u32::to_le_bytes));
        file.extend(page);
        file.resize(file.len() + BLOCK - PAGE - 4 * (header.len() + 1), 0);
        file.extend(MAGIC_END.to_le_bytes());
    }
    Ok(file)
}

/// The pages of flash that the ELF loads something into, by address.
fn pages(elf: &[u8]) -> Result<BTreeMap<u32, [u8; PAGE]>, String> {
    let reason = |error: object::Error| error.to_string();
    let header = FileHeader32::<Endianness>::parse(elf).map_err(reason)?;
    let endian = header.endian().map_err(reason)?;
    let mut pages = BTreeMap::new();
    for segment in
        header.program_headers(endian, elf).map_err(reason)?.iter().filter(|segment| segment.p_type(endian) == PT_LOAD)
    {
        let data = segment.data(endian, elf).map_err(|()| "a segment lies outside the file".to_owned())?;
        // Where it is stored, not where it runs: initial values of variables lie in flash.
        for (address, &byte) in (segment.p_paddr(endian)..).zip(data) {
            let offset = address % PAGE as u32;
            pages.entry(address - offset).or_insert([0xff; PAGE])[offset as usize] = byte;
        }
    }
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two segments: 300 bytes at 0x1000_0000, and four that run in RAM but are stored behind them.
    fn elf() -> Vec<u8> {
        let mut elf = b"\x7fELF\x01\x01\x01".to_vec();
        elf.resize(16, 0);
        let half = |value: u16| value.to_le_bytes();
        let word = |value: u32| value.to_le_bytes();
        elf.extend([half(2), half(40)].concat());
        elf.extend([word(1), word(0x1000_0001), word(52), word(0), word(0)].concat());
        elf.extend([half(52), half(32), half(2), half(40), half(0), half(0)].concat());
        for (offset, runs_at, stored_at, bytes) in
            [(116, 0x1000_0000, 0x1000_0000, 300), (416, 0x2000_0000, 0x1000_0204, 4)]
        {
            elf.extend([1, offset, runs_at, stored_at, bytes, bytes, 5, 4].map(word).concat());
        }
        elf.extend((0..300).map(|n| n as u8));
        elf.extend([1, 2, 3, 4]);
        elf
    }

    #[test]
    fn every_page_that_the_elf_fills_is_a_block() {
        let file = from_elf(&elf()).unwrap();
        let words = |block: &[u8]| -> Vec<u32> {
            block[..32].chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
        };
        let blocks: Vec<_> = file.chunks(BLOCK).collect();
        assert_eq!(blocks.len(), 3);
        for (number, block) in (0..).zip(&blocks) {
            let address = 0x1000_0000 + 256 * number;
            assert_eq!(words(block), [0x0a32_4655, 0x9e5d_5157, 0x2000, address, 256, number, 3, 0xe48b_ff59]);
            assert_eq!(block[508..], 0x0ab1_6f30u32.to_le_bytes());
            assert!(block[32 + 256..508].iter().all(|&byte| byte == 0));
        }
        let flash: Vec<u8> = blocks.iter().flat_map(|block| &block[32..32 + 256]).copied().collect();
        let mut expected: Vec<u8> = (0..300).map(|n| n as u8).collect();
        expected.resize(0x204, 0xff);
        expected.extend([1, 2, 3, 4]);
        expected.resize(3 * 256, 0xff);
        assert_eq!(flash, expected);
    }

    #[test]
    fn what_is_no_elf_is_refused() {
        assert!(from_elf(b"").is_err());
        assert!(from_elf(&elf()[..60]).is_err());
        // Its second segment lies behind the file's end.
        let short = elf();
        assert!(from_elf(&short[..short.len() - 1]).is_err());
    }
}
