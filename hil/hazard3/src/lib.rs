//! The RP2350 with one of its RISC-V cores, as far as `host/hazard3` needs it: flash, SRAM, pins and the RISC-V timer.
//!
//! The core is Unicorn's; `chip` has the registers around it. Time is virtual and passes only while the core sleeps:
//! instructions take none. So edges come when the guest asked for them, and nothing is known about how long anything takes;
//! for that there is `rp2350-model`.
//!
//! Promises that a register that is not modelled ends the run with its address.

mod chip;
mod unicorn;

use std::path::Path;

pub use chip::Edge;

use object::read::elf::{ElfFile32, FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSection, ObjectSymbol};
use unicorn::{Hart, PATIENCE_BLOCKS, Pause};

const FLASH: u32 = 0x1000_0000;
const FLASH_BYTES: usize = 4 << 20;
const SRAM: u32 = 0x2000_0000;
const SRAM_BYTES: usize = 520 << 10;

/// When a run is over.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// The chip's time, in microseconds.
    Time(u64),
    /// This many edges.
    Edges(usize),
    /// The core sleeps and nothing will wake it.
    Idle,
}

/// A chip with a firmware in its flash.
pub struct Machine {
    hart: Hart,
    elf: Vec<u8>,
}

impl Machine {
    /// A chip that starts `firmware`, an ELF file, with the guest image `slot0`. `unicorn` is the library.
    ///
    /// # Errors
    /// The library cannot be loaded, or the firmware is none for this chip.
    pub fn new(unicorn: &Path, firmware: &[u8], slot0: &[u8]) -> Result<Self, String> {
        let elf = ElfFile32::<Endianness>::parse(firmware).map_err(|error| error.to_string())?;
        let mut flash = vec![0xff; FLASH_BYTES];
        let mut put = |address: u32, bytes: &[u8]| {
            let from = usize::try_from(address.checked_sub(FLASH)?).ok()?;
            flash.get_mut(from..)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
            Some(())
        };
        for header in elf.elf_program_headers() {
            let bytes = header.data(elf.endian(), firmware).map_err(|()| "a segment outside the file")?;
            if header.p_type(elf.endian()) == object::elf::PT_LOAD && !bytes.is_empty() {
                put(header.p_paddr(elf.endian()), bytes).ok_or("a segment outside flash")?;
            }
        }
        put(symbol(&elf, "__guest_slot0_start")?, slot0).ok_or("an image too large for flash")?;
        let entry = elf.elf_header().e_entry(elf.endian());
        if entry != FLASH {
            return Err(format!("the boot ROM enters at the first word of flash, not at 0x{entry:08x}"));
        }
        Ok(Self { hart: Hart::new(unicorn, &flash, entry)?, elf: firmware.to_vec() })
    }

    /// Runs and returns all edges so far, in order.
    ///
    /// # Errors
    /// The firmware touched a register that is not modelled, left memory, slept for good before `until`, or ran for 100
    /// million basic blocks without sleeping.
    pub fn run(&mut self, until: Until) -> Result<&[Edge], String> {
        let limit = if let Until::Edges(count) = until { count } else { usize::MAX };
        while self.hart.chip().edges.len() < limit {
            let pause = self.hart.run(limit)?;
            if self.hart.chip().edges.len() >= limit {
                break;
            }
            let at = self.hart.pc();
            let Pause::Asleep { timer_wakes } = pause else {
                return Err(format!("awake for {PATIENCE_BLOCKS} basic blocks, now at 0x{at:08x}"));
            };
            let wakes_at_us = self.hart.chip().wakes_at_us().filter(|_| timer_wakes);
            match (wakes_at_us, until) {
                (None, Until::Idle) => break,
                (None, _) => return Err(format!("asleep for ever, at 0x{at:08x}")),
                (Some(wakes_at_us), Until::Time(end_us)) if wakes_at_us > end_us => break,
                (Some(wakes_at_us), _) => self.hart.chip_mut().sleep_until_us(wakes_at_us),
            }
        }
        Ok(&self.hart.chip().edges)
    }

    /// The word of the firmware's static `VITALS` that is called `name`.
    ///
    /// # Errors
    /// The firmware has none of that name.
    pub fn vital(&self, name: &str) -> Result<u32, String> {
        let elf = ElfFile32::<Endianness>::parse(&*self.elf).map_err(|error| error.to_string())?;
        let text = elf.section_by_name(".vitals").and_then(|section| section.data().ok()).unwrap_or_default();
        let text = String::from_utf8_lossy(text);
        let line = text.lines().position(|line| line.split(' ').next() == Some(name));
        let line = line.ok_or_else(|| format!("the firmware has no vital `{name}`"))?;
        let at = (symbol(&elf, "VITALS")? - SRAM) as usize + 4 * line;
        let word = self.hart.sram().get(at..at + 4).ok_or("vitals outside SRAM")?;
        Ok(u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
    }
}

fn symbol(elf: &ElfFile32<'_, Endianness>, name: &str) -> Result<u32, String> {
    let symbol = elf.symbols().find(|symbol| symbol.name() == Ok(name));
    symbol.map(|symbol| symbol.address() as u32).ok_or_else(|| format!("the firmware has no symbol `{name}`"))
}
