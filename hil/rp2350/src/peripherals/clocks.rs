//! CLOCKS: the clock generators (RP2350 datasheet §8.1), and what frequency each of them has.
//!
//! The rates follow from the registers of this block and of the oscillators and PLLs. Muxes switch at once, except
//! that a glitchless mux does not leave a running clock for one that stands still, as on the chip.

use super::oscillators::Oscillators;
use crate::rate::Rate;

const REF_CTRL: u32 = 0x30;
const REF_DIV: u32 = 0x34;
const REF_SELECTED: u32 = 0x38;
const SYS_CTRL: u32 = 0x3c;
const SYS_DIV: u32 = 0x40;
const SYS_SELECTED: u32 = 0x44;
const PERI_CTRL: u32 = 0x48;
const PERI_DIV: u32 = 0x4c;
const HSTX_CTRL: u32 = 0x54;
const HSTX_DIV: u32 = 0x58;
const USB_CTRL: u32 = 0x60;
const USB_DIV: u32 = 0x64;
const ADC_CTRL: u32 = 0x6c;
const ADC_DIV: u32 = 0x70;
const DFTCLK_XOSC: u32 = 0x78;
const RESUS_CTRL: u32 = 0x84;
const RESUS_STATUS: u32 = 0x88;
const FC0_REF_KHZ: u32 = 0x8c;
const FC0_MIN_KHZ: u32 = 0x90;
const FC0_MAX_KHZ: u32 = 0x94;
const FC0_DELAY: u32 = 0x98;
const FC0_INTERVAL: u32 = 0x9c;
const FC0_SRC: u32 = 0xa0;
const FC0_STATUS: u32 = 0xa4;
const FC0_RESULT: u32 = 0xa8;
const WAKE_EN0: u32 = 0xac;
const WAKE_EN1: u32 = 0xb0;
const SLEEP_EN0: u32 = 0xb4;
const SLEEP_EN1: u32 = 0xb8;
const ENABLED0: u32 = 0xbc;
const ENABLED1: u32 = 0xc0;
const INTR: u32 = 0xc4;
const INTE: u32 = 0xc8;
const INTF: u32 = 0xcc;
const INTS: u32 = 0xd0;

const WORDS: usize = 0xd4 / 4;
/// CTRL.ENABLE and CTRL.ENABLED of the clocks that can be stopped.
const ENABLE: u32 = 1 << 11;
const ENABLED: u32 = 1 << 28;
/// The low-power oscillator's nominal frequency (datasheet §8.4).
const LPOSC: Rate = Rate::hz(32_768);

#[derive(Clone)]
pub(crate) struct Clocks {
    regs: [u32; WORDS],
    /// Which input the glitchless muxes have, as SRC counts.
    ref_source: u32,
    sys_source: u32,
    /// End of the running measurement of the frequency counter, and its result in 1/32 kHz.
    count_done: u64,
    count_result: u32,
}

impl Clocks {
    pub(crate) fn new() -> Self {
        let mut regs = [0; WORDS];
        for div in [0x04, 0x10, 0x1c, 0x28, REF_DIV, SYS_DIV, PERI_DIV, HSTX_DIV, USB_DIV, ADC_DIV] {
            regs[(div / 4) as usize] = 0x0001_0000;
        }
        for (register, reset) in [
            (RESUS_CTRL, 0xff),
            (FC0_MAX_KHZ, 0x01ff_ffff),
            (FC0_DELAY, 1),
            (FC0_INTERVAL, 8),
            (WAKE_EN0, u32::MAX),
            (WAKE_EN1, 0x7fff_ffff),
            (SLEEP_EN0, u32::MAX),
            (SLEEP_EN1, 0x7fff_ffff),
        ] {
            regs[(register / 4) as usize] = reset;
        }
        Self { regs, ref_source: 0, sys_source: 0, count_done: 0, count_result: 0 }
    }

    fn reg(&self, offset: u32) -> u32 {
        self.regs[(offset / 4) as usize]
    }

    pub(crate) fn read(&self, now: u64, offset: u32) -> Option<u32> {
        Some(match offset {
            REF_SELECTED => 1 << self.ref_source,
            SYS_SELECTED => 1 << self.sys_source,
            0x08 | 0x14 | 0x20 | 0x2c | 0x50 | 0x5c | 0x68 | 0x74 => 1,
            0x00 | 0x0c | 0x18 | 0x24 | PERI_CTRL | HSTX_CTRL | USB_CTRL | ADC_CTRL => {
                let ctrl = self.reg(offset);
                if ctrl & ENABLE != 0 { ctrl | ENABLED } else { ctrl }
            }
            FC0_STATUS => self.count_status(now),
            FC0_RESULT => self.count_result,
            ENABLED0 => self.reg(WAKE_EN0),
            ENABLED1 => self.reg(WAKE_EN1),
            INTS => self.reg(INTF) & 1,
            _ if offset < INTS => self.reg(offset),
            _ => return None,
        })
    }

    pub(crate) fn write(&mut self, now: u64, oscillators: &Oscillators, offset: u32, value: u32) -> Option<()> {
        let mask = match offset {
            0x00 | 0x0c | 0x18 | 0x24 => 0x0013_1de0,
            REF_CTRL => 0x63,
            REF_DIV => 0x00ff_0000,
            SYS_CTRL => 0xe1,
            0x04 | 0x10 | 0x1c | 0x28 | SYS_DIV => u32::MAX,
            PERI_CTRL => 0x0ce0,
            PERI_DIV | HSTX_DIV => 0x0003_0000,
            HSTX_CTRL | USB_CTRL | ADC_CTRL => 0x0013_0ce0,
            USB_DIV | ADC_DIV => 0x000f_0000,
            DFTCLK_XOSC | 0x7c | 0x80 => 3,
            RESUS_CTRL => 0x0001_11ff,
            FC0_REF_KHZ => 0x000f_ffff,
            FC0_MIN_KHZ | FC0_MAX_KHZ => 0x01ff_ffff,
            FC0_DELAY => 7,
            FC0_INTERVAL => 15,
            FC0_SRC => 0xff,
            WAKE_EN0 | SLEEP_EN0 => u32::MAX,
            WAKE_EN1 | SLEEP_EN1 => 0x7fff_ffff,
            INTE | INTF => 1,
            RESUS_STATUS | FC0_STATUS | FC0_RESULT | ENABLED0 | ENABLED1 | INTR | INTS => 0,
            _ if offset <= 0x74 => 0,
            _ => return None,
        };
        if mask == 0 {
            return Some(());
        }
        self.regs[(offset / 4) as usize] = value & mask;
        if offset == FC0_SRC {
            self.measure(now, oscillators);
        }
        self.follow_muxes(oscillators);
        Some(())
    }

    /// Lets the glitchless muxes go where their CTRL points, as soon as a clock is there.
    pub(crate) fn follow_muxes(&mut self, oscillators: &Oscillators) {
        let wanted = self.reg(REF_CTRL) & 3;
        if self.ref_input(oscillators, wanted).is_some() {
            self.ref_source = wanted;
        }
        let wanted = self.reg(SYS_CTRL) & 1;
        if self.sys_input(oscillators, wanted).is_some() {
            self.sys_source = wanted;
        }
    }

    fn ref_input(&self, oscillators: &Oscillators, source: u32) -> Option<Rate> {
        match (source, self.reg(REF_CTRL) >> 5 & 3) {
            (0, _) => oscillators.rosc(),
            (1, 0 | 3) => oscillators.pll_usb(),
            (2, _) => oscillators.xosc(),
            (3, _) => Some(LPOSC),
            _ => None,
        }
    }

    fn sys_input(&self, oscillators: &Oscillators, source: u32) -> Option<Rate> {
        match (source, self.reg(SYS_CTRL) >> 5 & 7) {
            (0, _) => self.clk_ref(oscillators),
            (_, 0) => oscillators.pll_sys(),
            (_, 1) => oscillators.pll_usb(),
            (_, 2) => oscillators.rosc(),
            (_, 3) => oscillators.xosc(),
            _ => None,
        }
    }

    pub(crate) fn clk_ref(&self, oscillators: &Oscillators) -> Option<Rate> {
        let divider = match self.reg(REF_DIV) >> 16 & 0xff {
            0 => 256,
            n => u64::from(n),
        };
        self.ref_input(oscillators, self.ref_source)?.scaled(1, divider)
    }

    pub(crate) fn clk_sys(&self, oscillators: &Oscillators) -> Option<Rate> {
        let divider = match self.reg(SYS_DIV) {
            n if n >> 16 == 0 => 1 << 32 | u64::from(n),
            n => u64::from(n),
        };
        self.sys_input(oscillators, self.sys_source)?.scaled(1 << 16, divider)
    }

    pub(crate) fn clk_peri(&self, oscillators: &Oscillators) -> Option<Rate> {
        let ctrl = self.reg(PERI_CTRL);
        if ctrl & ENABLE == 0 {
            return None;
        }
        let source = match ctrl >> 5 & 7 {
            0 => self.clk_sys(oscillators),
            1 => oscillators.pll_sys(),
            2 => oscillators.pll_usb(),
            3 => oscillators.rosc(),
            4 => oscillators.xosc(),
            _ => None,
        };
        source?.scaled(1, whole_divider(self.reg(PERI_DIV), 3))
    }

    /// clk_usb and clk_adc, which share their list of sources.
    fn clk_usb_adc(&self, oscillators: &Oscillators, ctrl: u32, div: u32) -> Option<Rate> {
        let ctrl = self.reg(ctrl);
        if ctrl & ENABLE == 0 {
            return None;
        }
        let source = match ctrl >> 5 & 7 {
            0 => oscillators.pll_usb(),
            1 => oscillators.pll_sys(),
            2 => oscillators.rosc(),
            3 => oscillators.xosc(),
            _ => None,
        };
        source?.scaled(1, whole_divider(self.reg(div), 15))
    }

    fn clk_hstx(&self, oscillators: &Oscillators) -> Option<Rate> {
        let ctrl = self.reg(HSTX_CTRL);
        if ctrl & ENABLE == 0 {
            return None;
        }
        let source = match ctrl >> 5 & 7 {
            0 => self.clk_sys(oscillators),
            1 => oscillators.pll_sys(),
            2 => oscillators.pll_usb(),
            _ => None,
        };
        source?.scaled(1, whole_divider(self.reg(HSTX_DIV), 3))
    }

    /// The frequency counter (datasheet §8.1.7): exact, after 2^INTERVAL µs.
    fn measure(&mut self, now: u64, oscillators: &Oscillators) {
        let rate = match self.reg(FC0_SRC) {
            1 => oscillators.pll_sys(),
            2 => oscillators.pll_usb(),
            3 | 4 => oscillators.rosc(),
            5 => oscillators.xosc(),
            8 => self.clk_ref(oscillators),
            9 => self.clk_sys(oscillators),
            10 => self.clk_peri(oscillators),
            11 => self.clk_usb_adc(oscillators, USB_CTRL, USB_DIV),
            12 => self.clk_usb_adc(oscillators, ADC_CTRL, ADC_DIV),
            13 => self.clk_hstx(oscillators),
            14 => Some(LPOSC),
            _ => None,
        };
        self.count_result = rate.map_or(0, |rate| rate.khz_32().min(0x3fff_ffff) as u32);
        self.count_done = now + ((crate::time::UNITS_PER_SECOND / 1_000_000) << self.reg(FC0_INTERVAL));
    }

    fn count_status(&self, now: u64) -> u32 {
        const PASS: u32 = 1;
        const DONE: u32 = 1 << 4;
        const RUNNING: u32 = 1 << 8;
        const FAIL: u32 = 1 << 16;
        const SLOW: u32 = 1 << 20;
        const FAST: u32 = 1 << 24;
        if self.reg(FC0_SRC) == 0 {
            return 0;
        }
        if now < self.count_done {
            return RUNNING;
        }
        let khz = self.count_result >> 5;
        DONE | if khz < self.reg(FC0_MIN_KHZ) {
            FAIL | SLOW
        } else if khz > self.reg(FC0_MAX_KHZ) {
            FAIL | FAST
        } else {
            PASS
        }
    }
}

/// An integer divider in bits 16 and up; 0 divides by one more than the field can hold.
fn whole_divider(register: u32, mask: u32) -> u64 {
    match register >> 16 & mask {
        0 => u64::from(mask) + 1,
        n => u64::from(n),
    }
}
