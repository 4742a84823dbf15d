//! The firmware's ELF file: what to flash, where the guest slots and the journal are, and what its vitals are called.
//!
//! Addresses come from symbols only, so that the firmware's linker script stays the one authority on the memory map.

use std::{fs, ops::Range, path::Path};

use object::{
    Endianness, Object, ObjectSection, ObjectSymbol,
    read::elf::{ElfFile32, ProgramHeader},
};

use crate::error::Error;

/// First word of `VITALS` in the board's RAM: "VIT2".
pub const VITALS_MAGIC: u32 = 0x5649_5432;

/// Symbols of the guests' slots A, in order.
const SLOTS: [(&str, &str); 2] =
    [("__guest_slot0_start", "__guest_slot0_end"), ("__guest_slot1_start", "__guest_slot1_end")];
/// The same of their slots B.
const SPARES: [(&str, &str); 2] =
    [("__guest_spare0_start", "__guest_spare0_end"), ("__guest_spare1_start", "__guest_spare1_end")];
const JOURNAL: (&str, &str) = ("__journal_start", "__journal_end");

#[derive(Clone, Debug, PartialEq)]
pub struct Firmware {
    /// What goes into flash: address and bytes, in order of address.
    pub segments: Vec<Segment>,
    /// Addresses of the guests' slots A.
    pub slots: [Range<u64>; 2],
    /// Addresses of their slots B; firmware that takes no updates has none.
    pub spares: Vec<Range<u64>>,
    /// Where the firmware keeps which slot is whose turn; likewise.
    pub journal: Option<Range<u64>>,
    /// Absent in firmware that keeps none.
    pub vitals: Option<VitalsLayout>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    pub address: u64,
    pub bytes: Vec<u8>,
}

/// Where the vitals are and what they are called.
#[derive(Clone, Debug, PartialEq)]
pub struct VitalsLayout {
    pub address: u64,
    /// One a word, in order; the first is the magic.
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub name: String,
    pub unit: String,
    pub description: String,
}

impl Firmware {
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(Error::file(path))?;
        Self::parse(&bytes).map_err(|message| Error::Firmware { path: path.into(), message })
    }

    /// The message says what is wrong with the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let elf =
            ElfFile32::<Endianness>::parse(bytes).map_err(|error| format!("this is no 32-bit ELF file: {error}"))?;
        let symbol = |name: &str| elf.symbols().find(|symbol| symbol.name() == Ok(name)).map(|symbol| symbol.address());
        let required = |name: &str| {
            symbol(name).ok_or_else(|| {
                format!("it has no symbol `{name}`: it must be built with the linker script of host/rp2350 and not be stripped")
            })
        };
        let slot = |(start, end): (&str, &str)| {
            let slot = required(start)?..required(end)?;
            if slot.is_empty() { Err(format!("`{start}` is not below `{end}`")) } else { Ok(slot) }
        };
        let slots = [slot(SLOTS[0])?, slot(SLOTS[1])?];
        let optional = |region: (&str, &str)| symbol(region.0).map(|_| slot(region)).transpose();
        let spares = SPARES.into_iter().filter_map(|spare| optional(spare).transpose()).collect::<Result<_, _>>()?;
        let journal = optional(JOURNAL)?;
        let vitals = match (symbol("VITALS"), elf.section_by_name(".vitals")) {
            (Some(address), Some(section)) => {
                let text = section.data().map_err(|error| format!("its section .vitals cannot be read: {error}"))?;
                let text = std::str::from_utf8(text).map_err(|_| "its section .vitals is not UTF-8".to_string())?;
                Some(VitalsLayout { address, fields: fields(text)? })
            }
            _ => None,
        };
        Ok(Self { segments: segments(&elf, bytes)?, slots, spares, journal, vitals })
    }

    /// Bytes that go into flash.
    pub fn flash_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes.len() as u64).sum()
    }
}

/// Loadable segments with something in them. One that holds no section (file headers only) is skipped, as probe-rs does.
fn segments(elf: &ElfFile32<'_, Endianness>, bytes: &[u8]) -> Result<Vec<Segment>, String> {
    let endian = elf.endian();
    let mut segments = Vec::new();
    for header in elf.elf_program_headers() {
        let data = header.data(endian, bytes).map_err(|()| "a segment lies outside the file".to_string())?;
        if header.p_type(endian) != object::elf::PT_LOAD || data.is_empty() {
            continue;
        }
        let (start, size) = header.file_range(endian);
        let holds_section = elf.sections().any(|section| {
            section.file_range().is_some_and(|(at, length)| at >= start && at + length <= start + size && length > 0)
        });
        if holds_section {
            segments.push(Segment { address: header.p_paddr(endian).into(), bytes: data.to_vec() });
        }
    }
    if segments.is_empty() {
        return Err("it has no segment to flash".into());
    }
    segments.sort_by_key(|segment| segment.address);
    Ok(segments)
}

fn fields(text: &str) -> Result<Vec<Field>, String> {
    let text = text.trim_end_matches('\0');
    let fields: Vec<Field> = text
        .lines()
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().unwrap_or_default().to_string();
            Field { name: word(), unit: word(), description: word() }
        })
        .collect();
    match fields.first() {
        Some(first) if first.name == "magic" => Ok(fields),
        _ => Err("its section .vitals does not begin with the magic".into()),
    }
}

#[cfg(test)]
#[path = "firmware_tests.rs"]
mod tests;
