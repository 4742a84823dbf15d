//! XOSC, ROSC and the two PLLs (RP2350 datasheet §8.2, §8.3, §8.6): where every clock comes from.
//!
//! Crystal and PLLs give their final frequency from the moment they are on; only STABLE and LOCK take their time. Dormant
//! mode is not modelled.

use crate::rate::Rate;
use crate::time::UNITS_PER_SECOND;

/// The crystal of a Pico 2.
const CRYSTAL: Rate = Rate::hz(12_000_000);
/// The ring oscillator before its divider. The datasheet (§8.3) names about 11 MHz after the reset divider of 8, with a
/// wide spread between chips; the model's oscillator is exactly that.
const RING: Rate = Rate::hz(88_000_000);
const RING_DIVIDER: u32 = 8;
/// How long a PLL takes to lock: a choice, of the order the datasheet expects (§8.6).
const LOCK_TIME: u64 = UNITS_PER_SECOND / 1_000_000 * 100;

const ENABLE: u32 = 0xfab;
const DISABLE: u32 = 0xd1e;
const STABLE: u32 = 1 << 31;
const ENABLED: u32 = 1 << 12;

#[derive(Clone)]
pub(crate) struct Oscillators {
    xosc: Xosc,
    rosc: Rosc,
    pub(crate) pll: [Pll; 2],
}

#[derive(Clone)]
struct Xosc {
    ctrl: u32,
    startup: u32,
    stable_at: Option<u64>,
}

#[derive(Clone)]
struct Rosc {
    ctrl: u32,
    freq: [u32; 2],
    random: u32,
    divider: u32,
    phase: u32,
}

impl Oscillators {
    pub(crate) fn new() -> Self {
        Self {
            xosc: Xosc { ctrl: 0, startup: 0, stable_at: None },
            rosc: Rosc { ctrl: 0xaa0, freq: [0; 2], random: 0x3f04_b16d, divider: RING_DIVIDER, phase: 8 },
            pll: [Pll::new(), Pll::new()],
        }
    }

    pub(crate) fn xosc(&self) -> Option<Rate> {
        self.xosc.stable_at.map(|_| CRYSTAL)
    }

    pub(crate) fn rosc(&self) -> Option<Rate> {
        if self.rosc.ctrl >> 12 & 0xfff == DISABLE {
            return None;
        }
        RING.scaled(1, u64::from(self.rosc.divider))
    }

    pub(crate) fn pll_sys(&self) -> Option<Rate> {
        self.pll[0].rate(self.xosc())
    }

    pub(crate) fn pll_usb(&self) -> Option<Rate> {
        self.pll[1].rate(self.xosc())
    }

    pub(crate) fn read_xosc(&self, now: u64, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 => self.xosc.ctrl,
            0x04 => match self.xosc.stable_at {
                None => 0,
                Some(at) if now < at => ENABLED,
                Some(_) => ENABLED | STABLE,
            },
            0x08 => 0x7761_6b65,
            0x0c => self.xosc.startup,
            _ => return None,
        })
    }

    pub(crate) fn write_xosc(&mut self, now: u64, offset: u32, value: u32) -> Option<()> {
        match offset {
            0x00 => {
                self.xosc.ctrl = value & 0x00ff_ffff;
                match value >> 12 & 0xfff {
                    ENABLE if self.xosc.stable_at.is_none() => {
                        let delay = u64::from(self.xosc.startup & 0x3fff) * 256;
                        let delay = if self.xosc.startup >> 20 & 1 != 0 { delay * 4 } else { delay };
                        self.xosc.stable_at = Some(now + CRYSTAL.period(1).time_of(delay));
                    }
                    DISABLE => self.xosc.stable_at = None,
                    _ => {}
                }
            }
            0x04 => {}
            0x0c => self.xosc.startup = value & 0x0010_3fff,
            _ => return None,
        }
        Some(())
    }

    pub(crate) fn read_rosc(&mut self, offset: u32) -> Option<u32> {
        let rosc = &mut self.rosc;
        Some(match offset {
            0x00 => rosc.ctrl,
            0x04 | 0x08 => rosc.freq[(offset / 4 - 1) as usize],
            0x0c => rosc.random,
            0x10 => 0x7761_6b65,
            0x14 => 0xaa00 + rosc.divider,
            0x18 => rosc.phase,
            0x1c if rosc.ctrl >> 12 & 0xfff == DISABLE => 0,
            0x1c => STABLE | ENABLED | 1 << 16,
            // A fixed pseudo-random sequence: the model is deterministic.
            0x20 => {
                let bit = (rosc.random ^ rosc.random >> 2 ^ rosc.random >> 6 ^ rosc.random >> 7) & 1;
                rosc.random = rosc.random >> 1 | bit << 31;
                bit
            }
            _ => return None,
        })
    }

    pub(crate) fn write_rosc(&mut self, offset: u32, value: u32) -> Option<()> {
        match offset {
            0x00 => self.rosc.ctrl = value & 0x00ff_ffff,
            0x04 | 0x08 => self.rosc.freq[(offset / 4 - 1) as usize] = value & 0xffff,
            0x0c => self.rosc.random = value,
            0x14 => {
                self.rosc.divider = match value & 0xffff {
                    n @ 0xaa00..=0xaa7f if n > 0xaa00 => n - 0xaa00,
                    _ => 128,
                };
            }
            0x18 => self.rosc.phase = value & 0xf,
            0x1c => {}
            _ => return None,
        }
        Some(())
    }
}

#[derive(Clone)]
pub(crate) struct Pll {
    cs: u32,
    pwr: u32,
    fbdiv: u32,
    prim: u32,
    inte: u32,
    intf: u32,
    locked_at: Option<u64>,
}

impl Pll {
    pub(crate) fn new() -> Self {
        Self { cs: 1, pwr: 0x2d, fbdiv: 0, prim: 0x7_7000, inte: 0, intf: 0, locked_at: None }
    }

    fn rate(&self, reference: Option<Rate>) -> Option<Rate> {
        const POSTDIV_DOWN: u32 = 1 << 3;
        let reference = reference?;
        if self.cs >> 8 & 1 != 0 {
            return Some(reference);
        }
        self.locked_at?;
        if self.pwr & POSTDIV_DOWN != 0 {
            return None;
        }
        let refdiv = u64::from(self.cs & 0x3f).max(1);
        let post = u64::from(self.prim >> 16 & 7) * u64::from(self.prim >> 12 & 7);
        reference.scaled(u64::from(self.fbdiv), refdiv * post)
    }

    pub(crate) fn read(&self, now: u64, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 if self.locked_at.is_some_and(|at| now >= at) => self.cs | 1 << 31,
            0x00 => self.cs,
            0x04 => self.pwr,
            0x08 => self.fbdiv,
            0x0c => self.prim,
            0x10 => 0,
            0x14 => self.inte,
            0x18 | 0x1c => self.intf,
            _ => return None,
        })
    }

    pub(crate) fn write(&mut self, now: u64, offset: u32, value: u32) -> Option<()> {
        match offset {
            0x00 => self.cs = value & 0x13f,
            0x04 => self.pwr = value & 0x2d,
            0x08 => self.fbdiv = value & 0xfff,
            0x0c => self.prim = value & 0x7_7000,
            0x10 | 0x1c => {}
            0x14 => self.inte = value & 1,
            0x18 => self.intf = value & 1,
            _ => return None,
        }
        // Power-down of the PLL and of its VCO; the feedback divider works from 16 on (datasheet §8.6.2).
        let powered = self.pwr & 0x21 == 0 && (16..=320).contains(&self.fbdiv);
        self.locked_at = match self.locked_at {
            Some(at) if powered => Some(at),
            None if powered => Some(now + LOCK_TIME),
            _ => None,
        };
        Some(())
    }
}
