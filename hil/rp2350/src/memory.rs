//! Little-endian access to plain memory: ROM, SRAM, flash. Bounds are the caller's promise of a wide enough slice; an
//! access that does not fit answers `None`.

use crate::bus::Size;

/// Reads `size` at `offset`.
#[inline(always)]
pub(crate) fn read(memory: &[u8], offset: usize, size: Size) -> Option<u32> {
    Some(match size {
        Size::Byte => u32::from(*memory.get(offset)?),
        Size::Half => u32::from(u16::from_le_bytes(*memory.get(offset..)?.first_chunk()?)),
        Size::Word => u32::from_le_bytes(*memory.get(offset..)?.first_chunk()?),
    })
}

/// Reads the halfword at `offset`.
#[inline(always)]
pub(crate) fn read_half(memory: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*memory.get(offset..)?.first_chunk()?))
}

/// Reads the word at `offset`.
pub(crate) fn read_word(memory: &[u8], offset: usize) -> Option<u32> {
    read(memory, offset, Size::Word)
}

/// Writes the low `size` of `value` at `offset`.
#[inline(always)]
pub(crate) fn write(memory: &mut [u8], offset: usize, size: Size, value: u32) -> Option<()> {
    match size {
        Size::Byte => *memory.get_mut(offset)? = value as u8,
        Size::Half => {
            *memory.get_mut(offset..)?.first_chunk_mut()? = (value as u16).to_le_bytes();
        }
        Size::Word => *memory.get_mut(offset..)?.first_chunk_mut()? = value.to_le_bytes(),
    }
    Some(())
}
