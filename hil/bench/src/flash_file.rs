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

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF with one loadable segment of `bytes` at the physical address `paddr`.
    fn elf(paddr: u32, bytes: &[u8]) -> Vec<u8> {
        const HEADER: u32 = 52;
        const SEGMENT: u32 = 32;
        let mut elf = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0\x01\0\0\0".to_vec();
        let len = bytes.len() as u32;
        for word in [0, HEADER, 0, 0, SEGMENT << 16 | HEADER, 1, 0] {
            elf.extend(u32::to_le_bytes(word));
        }
        // It runs in SRAM, but is stored in flash.
        for word in [PT_LOAD.0, HEADER + SEGMENT, 0x2000_0000, paddr, len, len, 4, 4] {
            elf.extend(u32::to_le_bytes(word));
        }
        elf.extend(bytes);
        elf
    }

    fn load_bytes(name: &str, bytes: &[u8]) -> (Result<(), BenchError>, Vec<u8>) {
        let file = std::env::temp_dir().join(format!("virtual-bench-{}-{name}", std::process::id()));
        std::fs::write(&file, bytes).expect("a scratch file");
        let mut flash = vec![0xff; 16];
        let outcome = load(&file, &mut flash);
        std::fs::remove_file(&file).expect("it was just written");
        (outcome, flash)
    }

    #[test]
    fn an_elf_goes_where_it_is_stored() {
        let (outcome, flash) = load_bytes("stored", &elf(0x1000_0004, &[1, 2, 3]));
        outcome.expect("it fits");
        assert_eq!(flash[..8], [0xff, 0xff, 0xff, 0xff, 1, 2, 3, 0xff]);
    }

    #[test]
    fn anything_else_goes_to_the_start() {
        let (outcome, flash) = load_bytes("raw", &[9, 8]);
        outcome.expect("it fits");
        assert_eq!(flash[..3], [9, 8, 0xff]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (name, bytes) in [
            ("below", elf(0x0fff_ffff, &[1])),
            ("above", elf(0x1000_000f, &[1, 2])),
            ("far", elf(0xffff_ffff, &[1])),
            ("cut", elf(0x1000_0000, &[1])[..60].to_vec()),
            ("long", vec![0; 17]),
        ] {
            let (outcome, flash) = load_bytes(name, &bytes);
            assert!(matches!(outcome, Err(BenchError::FlashFile { .. })), "{name}");
            assert_eq!(flash, [0xff; 16], "{name}");
        }
    }
}
