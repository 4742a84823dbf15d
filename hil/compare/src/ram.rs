//! How much RAM a program needed.

use hil::firmware::{Firmware, VITALS_MAGIC, VitalsLayout};
use object::read::elf::ElfFile32;
use object::{Endianness, Object, ObjectSection, ObjectSymbol};
use rp2350_model::{AccessSize, Rp2350};

use crate::{Engine, Error, Ram};

/// Core 0's memory access port (RP2350 datasheet, 3.5.1), and a transfer of words that privileged secure code may make
/// (ADIv6, CSW).
const CORE0_AP: u32 = 0x2000;
const CSW: u32 = 0xa300_0012;
/// Asks for power: CSYSPWRUPREQ and CDBGPWRUPREQ of CTRL/STAT (ADIv6).
const POWER_UP: u32 = 0x5000_0000;

/// Anything that a program is unlikely to write.
const PAINT: [u8; 4] = [0x96, 0xd2, 0x1b, 0x7e];

/// Where a program keeps what tells its need.
pub struct Meter {
    engine: &'static str,
    kind: Kind,
}

enum Kind {
    /// Sandhill's firmware knows everything itself.
    Vitals(VitalsLayout),
    /// A bare program: its sections say what is fixed, paint says how deep the stack was.
    Bare { fixed: u32, heap_peak: Option<u32>, stack_bottom: u32, stack_top: u32 },
}

impl Meter {
    /// Prepares `chip`, which has not run yet.
    pub fn new(engine: &Engine, firmware: &Firmware, elf: &[u8], chip: &mut Rp2350) -> Result<Self, Error> {
        let name = engine.name;
        let failed = |reason: String| Error::Ram { engine: name.into(), reason };
        if let Some(vitals) = &firmware.vitals {
            return Ok(Self { engine: name, kind: Kind::Vitals(vitals.clone()) });
        }
        let elf = ElfFile32::<Endianness>::parse(elf).map_err(|error| failed(error.to_string()))?;
        let symbol = |name: &str| elf.symbols().find(|symbol| symbol.name() == Ok(name)).map(|s| s.address() as u32);
        let required = |name: &str| symbol(name).ok_or_else(|| failed(format!("the program has no symbol `{name}`")));
        let size = |name| elf.section_by_name(name).map_or(0, |section| section.size() as u32);
        let (stack_bottom, stack_top) = (required("_stack_end")?, required("_stack_start")?);
        chip.debug().dp_write(4, POWER_UP).map_err(|error| failed(error.to_string()))?;
        let paint = PAINT.repeat((stack_top - stack_bottom) as usize / PAINT.len());
        chip.debug()
            .mem_write(CORE0_AP, CSW, AccessSize::Word, stack_bottom, &paint)
            .map_err(|error| failed(error.to_string()))?;
        let fixed = size(".data") + size(".bss");
        Ok(Self { engine: name, kind: Kind::Bare { fixed, heap_peak: symbol("HEAP_PEAK"), stack_bottom, stack_top } })
    }

    /// Reads `chip`, which has run.
    pub fn read(&self, chip: &mut Rp2350) -> Result<Ram, Error> {
        match &self.kind {
            Kind::Vitals(layout) => self.vitals(layout, chip),
            &Kind::Bare { fixed, heap_peak, stack_bottom, stack_top } => {
                let heap = match heap_peak {
                    Some(address) => self.words(chip, address, 1)?[0],
                    None => 0,
                };
                let stack = self.words(chip, stack_bottom, ((stack_top - stack_bottom) / 4) as usize)?;
                let painted = stack.iter().take_while(|word| word.to_le_bytes() == PAINT).count();
                Ok(Ram { fixed, heap, stack: (stack.len() - painted) as u32 * 4 })
            }
        }
    }

    fn vitals(&self, layout: &VitalsLayout, chip: &mut Rp2350) -> Result<Ram, Error> {
        chip.debug().dp_write(4, POWER_UP).map_err(|error| self.failed(error.to_string()))?;
        let words = self.words(chip, layout.address as u32, layout.fields.len())?;
        if words[0] != VITALS_MAGIC {
            return Err(self.failed("the firmware's vitals are not there".into()));
        }
        let get = |name: &str| {
            let at = layout.fields.iter().position(|field| field.name == name);
            at.map(|at| words[at]).ok_or_else(|| self.failed(format!("the firmware has no vital `{name}`")))
        };
        let stack = get("stack_peak")? + get("guest0_stack_peak")? + get("guest1_stack_peak")?;
        Ok(Ram { fixed: get("static_ram")?, heap: get("heap_peak")?, stack })
    }

    fn words(&self, chip: &mut Rp2350, address: u32, count: usize) -> Result<Vec<u32>, Error> {
        let mut bytes = vec![0; 4 * count];
        chip.debug().mem_read(CORE0_AP, CSW, address, &mut bytes).map_err(|error| self.failed(error.to_string()))?;
        Ok(bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect())
    }

    fn failed(&self, reason: String) -> Error {
        Error::Ram { engine: self.engine.into(), reason }
    }
}
