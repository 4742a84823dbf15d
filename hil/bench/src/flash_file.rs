//! What `--flash` loads: an ELF's loadable segments, or anything else byte for byte from the start of flash.

use std::path::Path;

use object::elf::{FileHeader32, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{LittleEndian, elf};

use crate::BenchError;

/// Where the chip sees its flash (RP2350 datasheet, section 2.2).
const XIP_BASE: u64 = 0x1000_0000;

/// Programs `flash` with the contents of `file`.
pub fn load(file: &Path, flash: &mut [u8]) -> Result<(), BenchError> {
    let bad = |what: String| BenchError::FlashFile { file: file.to_owned(), what };
    let data = std::fs::read(file).map_err(|error| bad(error.to_string()))?;
    if !data.starts_with(&elf::ELFMAG) {
        return program(flash, 0, &data).map_err(bad);
    }
    let header = FileHeader32::<LittleEndian>::parse(&*data);
    let header = header.map_err(|error| bad(error.to_string()))?;
    let segments = header.program_headers(LittleEndian, &*data);
    for segment in segments.map_err(|error| bad(error.to_string()))? {
        let bytes =
            segment.data(LittleEndian, &*data).map_err(|()| bad("a segment lies outside the file".to_owned()))?;
        if segment.p_type(LittleEndian) == PT_LOAD && !bytes.is_empty() {
            let addr = u64::from(segment.p_paddr(LittleEndian));
            let offset =
                addr.checked_sub(XIP_BASE).ok_or_else(|| bad(format!("a segment at {addr:#010x} is not for flash")))?;
            program(flash, offset, bytes).map_err(bad)?;
        }
    }
    Ok(())
}

fn program(flash: &mut [u8], offset: u64, bytes: &[u8]) -> Result<(), String> {
    let size = flash.len();
    usize::try_from(offset)
        .ok()
        .and_then(|offset| flash.get_mut(offset..offset.checked_add(bytes.len())?))
        .ok_or_else(|| format!("{} bytes at {offset:#x} do not fit into {size} bytes of flash", bytes.len()))?
        .copy_from_slice(bytes);
    Ok(())
}
