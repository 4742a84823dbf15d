//! The memory protection unit: PMSAv8 with eight regions.

use super::Core;

pub(super) const REGIONS: usize = 8;

/// CTRL bits.
const ENABLE: u32 = 1;
const HFNMIENA: u32 = 1 << 1;
const PRIVDEFENA: u32 = 1 << 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Execute,
    Read,
    Write,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Mpu {
    ctrl: u32,
    number: u32,
    rbar: [u32; REGIONS],
    rlar: [u32; REGIONS],
    mair: [u32; 2],
}

impl Mpu {
    #[inline]
    pub(super) fn enabled(&self) -> bool {
        self.ctrl & ENABLE != 0
    }

    fn hits(&self, region: usize, addr: u32) -> bool {
        self.rlar[region] & 1 != 0 && (self.rbar[region] & !31..=self.rlar[region] | 31).contains(&addr)
    }

    /// The one region that holds `addr`, for TT: none when the MPU is off, or when regions overlap there.
    pub(super) fn region_of(&self, addr: u32) -> Option<u32> {
        let mut hits = (0..REGIONS).filter(|&region| self.enabled() && self.hits(region, addr));
        match (hits.next(), hits.next()) {
            (Some(region), None) => Some(region as u32),
            _ => None,
        }
    }

    /// Whether a region (or the default map for privileged code) allows the access; overlapping regions never do.
    fn allows(&self, addr: u32, access: Access, privileged: bool) -> bool {
        let mut hits = (0..REGIONS).filter(|&region| self.hits(region, addr));
        let Some(region) = hits.next() else {
            return privileged && self.ctrl & PRIVDEFENA != 0;
        };
        if hits.next().is_some() {
            return false;
        }
        let rbar = self.rbar[region];
        let (read_only, any_privilege) = (rbar >> 2 & 1 != 0, rbar >> 1 & 1 != 0);
        (privileged || any_privilege)
            && match access {
                Access::Execute => rbar & 1 == 0,
                Access::Read => true,
                Access::Write => !read_only,
            }
    }

    /// The index that register `offset` from MPU_TYPE names: RBAR and RLAR, then their three aliases.
    fn alias(&self, offset: u32) -> usize {
        let number = if offset < 0x14 { self.number } else { self.number & !3 | (offset - 0xc) >> 3 };
        number as usize & (REGIONS - 1)
    }

    /// Registers 0xE000ED90..0xE000EDC8 by their offset from the first.
    pub(super) fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 => (REGIONS as u32) << 8,
            0x04 => self.ctrl,
            0x08 => self.number,
            0x0c | 0x14 | 0x1c | 0x24 => self.rbar[self.alias(offset)],
            0x10 | 0x18 | 0x20 | 0x28 => self.rlar[self.alias(offset - 4)],
            0x30 | 0x34 => self.mair[(offset - 0x30) as usize >> 2],
            _ => return None,
        })
    }

    pub(super) fn write(&mut self, offset: u32, value: u32) -> Option<()> {
        match offset {
            0x00 => {}
            0x04 => self.ctrl = value & (ENABLE | HFNMIENA | PRIVDEFENA),
            0x08 => self.number = value & (REGIONS as u32 - 1),
            0x0c | 0x14 | 0x1c | 0x24 => self.rbar[self.alias(offset)] = value,
            0x10 | 0x18 | 0x20 | 0x28 => self.rlar[self.alias(offset - 4)] = value & !0x10,
            0x30 | 0x34 => self.mair[(offset - 0x30) as usize >> 2] = value,
            _ => return None,
        }
        Some(())
    }
}

impl Core {
    /// Whether the MPU allows an access; HardFault and NMI handlers pass unless CTRL.HFNMIENA is set.
    pub(super) fn mpu_allows(&self, addr: u32, access: Access, privileged: bool) -> bool {
        if !self.mpu.enabled() {
            return true;
        }
        if self.nvic.execution < 0 && self.mpu.ctrl & HFNMIENA == 0 {
            return true;
        }
        self.mpu.allows(addr, access, privileged)
    }
}
