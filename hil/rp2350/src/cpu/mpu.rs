//! The memory protection unit: PMSAv8 with eight regions.
//!
//! Between two borders of regions every access of a kind gets the same answer, so the span in which one was allowed is
//! remembered until a register changes.

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

/// Spans that are remembered for each kind of access, by the megabyte they are asked for in.
const SPANS: usize = 16;

/// Addresses at which an access is allowed.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    from: u32,
    /// Bytes; 0 while there is none.
    size: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Mpu {
    /// For each kind of access, without and with privilege.
    allowed: [[Span; SPANS]; 6],
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

    /// Whether the MPU is on for code of this execution priority; HardFault and NMI handlers pass unless CTRL.HFNMIENA is
    /// set.
    pub(super) fn decides_at(&self, execution: i16) -> bool {
        self.enabled() && (execution >= 0 || self.ctrl & HFNMIENA != 0)
    }

    /// Whether a region (or the default map for privileged code) allows the access; overlapping regions never do.
    #[inline(always)]
    pub(super) fn allows(&mut self, addr: u32, access: Access, privileged: bool) -> bool {
        let kind = 2 * access as usize + usize::from(privileged);
        let place = (addr >> 20 ^ addr >> 28) as usize % SPANS;
        let Span { from, size } = self.allowed[kind][place];
        addr.wrapping_sub(from) < size || self.decide(addr, access, privileged, kind, place)
    }

    #[cold]
    fn decide(&mut self, addr: u32, access: Access, privileged: bool, kind: usize, place: usize) -> bool {
        let allowed = self.rules_allow(addr, access, privileged);
        if allowed {
            self.allowed[kind][place] = self.span_around(addr);
        }
        allowed
    }

    /// The addresses around `addr` that no border of a region separates from it.
    fn span_around(&self, addr: u32) -> Span {
        let (mut first, mut last) = (0, u32::MAX);
        for region in (0..REGIONS).filter(|&region| self.rlar[region] & 1 != 0) {
            let (base, limit) = (self.rbar[region] & !31, self.rlar[region] | 31);
            for border in [base, limit.wrapping_add(1)] {
                if border <= addr {
                    first = first.max(border);
                } else {
                    last = last.min(border - 1);
                }
            }
        }
        Span { from: first, size: (last - first).saturating_add(1) }
    }

    pub(super) fn rules_allow(&self, addr: u32, access: Access, privileged: bool) -> bool {
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
        self.allowed = Default::default();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is remembered never differs from what the regions say, at their borders above all.
    #[test]
    fn remembered_answers_are_the_regions_own() {
        let mut random = fastrand::Rng::with_seed(0x5eed);
        for _ in 0..300 {
            let mut mpu = Mpu::default();
            mpu.write(0x04, ENABLE | random.u32(..) & PRIVDEFENA);
            let mut borders = vec![0, 0x2000_0000, u32::MAX];
            for region in 0..random.u32(..9) {
                let base = 0x2000_0000 + random.u32(..64) * 32;
                let limit = if random.u8(..8) == 0 { u32::MAX } else { base + random.u32(..40) * 32 };
                mpu.write(0x08, region);
                mpu.write(0x0c, base | random.u32(..8));
                mpu.write(0x10, limit & !31 | u32::from(random.u8(..8) != 0));
                borders.extend([base, limit]);
            }
            for _ in 0..300 {
                let addr = random.choice(&borders).unwrap().wrapping_add(random.u32(..130)).wrapping_sub(65);
                let access = random.choice([Access::Execute, Access::Read, Access::Write]).unwrap();
                let privileged = random.bool();
                let allowed = mpu.rules_allow(addr, access, privileged);
                assert_eq!(mpu.allows(addr, access, privileged), allowed, "{addr:#x} {access:?} {privileged} {mpu:x?}");
            }
        }
    }
}
