//! The private peripheral bus: System Control Space, and the way to DWT, FPB and the RP2350's EPPB.
//!
//! Whatever is not modelled is answered with a bus error and noted for [`Core::take_unmodelled`].

use super::identification::{component_id, feature_register, rom_table};
use super::nvic::{self, Nvic};
use super::registers::PRIORITY_MASK;
use super::{Core, PpbAccess};
use crate::bus::{BusFault, Size};

pub(super) const CCR_BFHFNMIGN: u32 = 1 << 8;
pub(super) const CCR_STKOFHFNMIGN: u32 = 1 << 10;
const CCR_USERSETMPEND: u32 = 1 << 1;
const CCR_UNALIGN_TRP: u32 = 1 << 3;
const CCR_DIV_0_TRP: u32 = 1 << 4;
/// STKALIGN and NONBASETHRDENA are fixed at 1 in Armv8-M.
const CCR_FIXED: u32 = 0x201;
const CCR_WRITABLE: u32 = CCR_USERSETMPEND | CCR_UNALIGN_TRP | CCR_DIV_0_TRP | CCR_BFHFNMIGN | CCR_STKOFHFNMIGN;

pub(super) const SCR_SLEEPONEXIT: u32 = 1 << 1;
const SCR_SEVONPEND: u32 = 1 << 4;

pub(super) const HFSR_VECTTBL: u32 = 1 << 1;
pub(super) const HFSR_FORCED: u32 = 1 << 30;
pub(super) const HFSR_DEBUGEVT: u32 = 1 << 31;
pub(super) const SFSR_INVTRAN: u32 = 1 << 4;

pub(super) const FPCCR_LSPACT: u32 = 1;
pub(super) const FPCCR_USER: u32 = 1 << 1;
pub(super) const FPCCR_TS: u32 = 1 << 26;
pub(super) const FPCCR_CLRONRET: u32 = 1 << 28;
pub(super) const FPCCR_LSPEN: u32 = 1 << 30;
pub(super) const FPCCR_ASPEN: u32 = 1 << 31;
/// USER, THREAD and the ready bits: whose the saved state is.
pub(super) const FPCCR_CONTEXT: u32 = 0x5fa;

/// CP0-CP7, CP10 and CP11.
const CPACR_WRITABLE: u32 = 0x00f0_ffff;

/// System control registers that are not another module's.
#[derive(Clone, Debug)]
pub(super) struct Scb {
    pub(super) vtor: u32,
    /// AIRCR's PRIGROUP, BFHFNMINS, PRIS and SYSRESETREQS.
    aircr: u32,
    pub(super) scr: u32,
    pub(super) ccr: u32,
    pub(super) cfsr: u32,
    pub(super) hfsr: u32,
    pub(super) mmfar: u32,
    pub(super) bfar: u32,
    pub(super) sfsr: u32,
    sfar: u32,
    pub(super) cpacr: u32,
    nsacr: u32,
    pub(super) fpccr: u32,
    pub(super) fpcar: u32,
    pub(super) fpdscr: u32,
    actlr: u32,
    cppwr: u32,
    csselr: u32,
    /// SAU_CTRL, SAU_RNR, and RBAR and RLAR of each region: storage, as nothing here runs Non-secure.
    sau: [u32; 2],
    sau_regions: [[u32; 2]; 8],
    /// EPPB NMI_MASK0, NMI_MASK1 and SLEEPCTRL (RP2350 datasheet, section 3.7.5).
    eppb: [u32; 3],
}

impl Default for Scb {
    fn default() -> Self {
        Scb {
            vtor: 0,
            aircr: 0,
            scr: 0,
            ccr: CCR_FIXED,
            cfsr: 0,
            hfsr: 0,
            mmfar: 0,
            bfar: 0,
            sfsr: 0,
            sfar: 0,
            cpacr: 0,
            nsacr: 0,
            fpccr: 0xc000_0004,
            fpcar: 0,
            fpdscr: 0,
            actlr: 0,
            cppwr: 0,
            csselr: 0,
            sau: [0; 2],
            sau_regions: [[0; 2]; 8],
            eppb: [0, 0, 2],
        }
    }
}

impl Scb {
    #[inline]
    pub(super) fn unalign_trp(&self) -> bool {
        self.ccr & CCR_UNALIGN_TRP != 0
    }

    #[inline]
    pub(super) fn div_0_trp(&self) -> bool {
        self.ccr & CCR_DIV_0_TRP != 0
    }

    pub(super) fn sevonpend(&self) -> bool {
        self.scr & SCR_SEVONPEND != 0
    }

    /// The priority bits that decide over preemption (AIRCR.PRIGROUP).
    pub(super) fn group_mask(&self) -> i16 {
        (0xffu16 << ((self.aircr >> 8 & 7) + 1) & u16::from(PRIORITY_MASK)) as i16
    }
}

/// Exceptions whose state SHCSR shows: bit of the active, pending and enable flag.
const SHCSR_ACTIVE: [(u16, u32); 10] = [
    (nvic::MEM_MANAGE, 0),
    (nvic::BUS_FAULT, 1),
    (nvic::HARD_FAULT, 2),
    (nvic::USAGE_FAULT, 3),
    (nvic::SECURE_FAULT, 4),
    (nvic::NMI, 5),
    (nvic::SVCALL, 7),
    (nvic::DEBUG_MONITOR, 8),
    (nvic::PEND_SV, 10),
    (nvic::SYSTICK, 11),
];
const SHCSR_PENDING: [(u16, u32); 6] = [
    (nvic::USAGE_FAULT, 12),
    (nvic::MEM_MANAGE, 13),
    (nvic::BUS_FAULT, 14),
    (nvic::SVCALL, 15),
    (nvic::SECURE_FAULT, 20),
    (nvic::HARD_FAULT, 21),
];
const SHCSR_ENABLE: [(u16, u32); 4] =
    [(nvic::MEM_MANAGE, 16), (nvic::BUS_FAULT, 17), (nvic::USAGE_FAULT, 18), (nvic::SECURE_FAULT, 19)];

fn gather(set: u128, places: &[(u16, u32)]) -> u32 {
    places.iter().fold(0, |word, &(exception, bit)| word | ((set >> exception & 1) as u32) << bit)
}

fn scatter(set: &mut u128, places: &[(u16, u32)], word: u32) {
    for &(exception, bit) in places {
        *set = *set & !(1 << exception) | u128::from(word >> bit & 1) << exception;
    }
}

impl Core {
    /// The debugger reads the private peripheral bus.
    pub fn ppb_read(&mut self, addr: u32, size: Size) -> Result<u32, BusFault> {
        self.tick();
        self.ppb_read_as(addr, size, true)
    }

    /// The debugger writes the private peripheral bus.
    pub fn ppb_write(&mut self, addr: u32, size: Size, value: u32) -> Result<(), BusFault> {
        self.tick();
        self.ppb_write_as(addr, size, value, true)
    }

    /// This core reads it; without privilege there is nothing to see.
    #[cold]
    pub(super) fn own_ppb_read(&mut self, addr: u32, size: Size, privileged: bool) -> Result<u32, BusFault> {
        if !privileged {
            return Err(BusFault);
        }
        self.tick();
        self.ppb_read_as(addr, size, false)
    }

    /// This core writes it; without privilege only STIR, and that if CCR.USERSETMPEND allows it.
    #[cold]
    pub(super) fn own_ppb_write(
        &mut self,
        addr: u32,
        size: Size,
        value: u32,
        privileged: bool,
    ) -> Result<(), BusFault> {
        if !privileged && (addr != 0xe000_ef00 || self.scb.ccr & CCR_USERSETMPEND == 0) {
            return Err(BusFault);
        }
        self.tick();
        self.ppb_write_as(addr, size, value, false)
    }

    /// Registers are words. Narrower reads see their part; narrower writes exist for priorities and fault status only.
    fn ppb_read_as(&mut self, addr: u32, size: Size, debugger: bool) -> Result<u32, BusFault> {
        let word = self.read_word(addr & !3, debugger);
        let Some(word) = word else {
            self.note_unmodelled(addr, None, debugger);
            return Err(BusFault);
        };
        let part = word >> (8 * (addr & 3));
        Ok(match size {
            Size::Byte => part & 0xff,
            Size::Half => part & 0xffff,
            Size::Word => word,
        })
    }

    fn ppb_write_as(&mut self, addr: u32, size: Size, value: u32, debugger: bool) -> Result<(), BusFault> {
        let shift = 8 * (addr & 3);
        let mask = match size {
            Size::Byte => 0xff << shift,
            Size::Half => 0xffff << shift,
            Size::Word => u32::MAX,
        };
        let done = match addr & !3 {
            ipr @ 0xe000_e400..=0xe000_e5ec => {
                for byte in (0..4).filter(|byte| mask >> (8 * byte) & 1 != 0) {
                    let index = (ipr - 0xe000_e400) as usize + byte;
                    self.set_irq_priority(index, (value << shift >> (8 * byte)) as u8);
                }
                Some(())
            }
            shpr @ 0xe000_ed18..=0xe000_ed20 => {
                for byte in (0..4).filter(|byte| mask >> (8 * byte) & 1 != 0) {
                    let index = (shpr - 0xe000_ed18) as usize + byte;
                    self.set_system_priority(index, (value << shift >> (8 * byte)) as u8);
                }
                Some(())
            }
            // CFSR: each status bit is cleared by writing one, in any width.
            0xe000_ed28 => {
                self.scb.cfsr &= !(value << shift & mask);
                Some(())
            }
            word if size == Size::Word => self.write_word(word, value, debugger),
            _ => None,
        };
        self.reevaluate();
        if done.is_none() {
            self.note_unmodelled(addr, Some(value), debugger);
        }
        done.ok_or(BusFault)
    }

    /// The queue is short: whoever does not drain it wants the first accesses, not millions.
    fn note_unmodelled(&mut self, addr: u32, written: Option<u32>, debugger: bool) {
        if self.unmodelled.len() < 64 {
            self.unmodelled.push(PpbAccess { pc: (!debugger).then_some(self.pc), addr, written });
        }
    }

    fn read_word(&mut self, addr: u32, debugger: bool) -> Option<u32> {
        let offset = addr & 0xfff;
        match addr >> 12 {
            0xe0001 => self.dwt_read(offset),
            0xe0002 => self.fpb_read(offset),
            0xe000e => self.scs_read(offset, debugger),
            0xe0080 => self.scb.eppb.get(offset as usize >> 2).copied(),
            0xe00ff => Some(rom_table(offset)),
            _ => None,
        }
    }

    fn write_word(&mut self, addr: u32, value: u32, debugger: bool) -> Option<()> {
        let offset = addr & 0xfff;
        match addr >> 12 {
            0xe0001 => self.dwt_write(offset, value),
            0xe0002 => self.fpb_write(offset, value),
            0xe000e => self.scs_write(offset, value, debugger),
            0xe0080 => {
                *self.scb.eppb.get_mut(offset as usize >> 2)? = value;
                self.nvic.nmi_mask = u64::from(self.scb.eppb[1]) << 32 | u64::from(self.scb.eppb[0]);
                Some(())
            }
            _ => None,
        }
    }

    fn scs_read(&mut self, offset: u32, debugger: bool) -> Option<u32> {
        let index = offset >> 2 & 15;
        let nvic = &self.nvic;
        Some(match offset {
            // ICTR: the lines come in groups of 32.
            0x004 => 1,
            0x008 => self.scb.actlr,
            0x00c => self.scb.cppwr,
            0x010..=0x01c => self.systick.read(offset - 0x10),
            0x100..=0x13c | 0x180..=0x1bc => irq_word(nvic.enabled, index),
            0x200..=0x23c | 0x280..=0x2bc => irq_word(nvic.pending, index),
            0x300..=0x33c => irq_word(nvic.active, index),
            0x380..=0x3bc => nvic.itns.get(index as usize).copied().unwrap_or(0),
            0x400..=0x5ec => {
                let first = (offset - 0x400) as usize;
                u32::from_le_bytes([0, 1, 2, 3].map(|byte| self.irq_priority(first + byte)))
            }
            0xd00 => 0x411f_d210,
            0xd04 => self.read_icsr(),
            0xd08 => self.scb.vtor,
            0xd0c => 0xfa05_0000 | self.scb.aircr,
            0xd10 => self.scb.scr,
            0xd14 => self.scb.ccr,
            0xd18..=0xd20 => {
                let first = (offset - 0xd18) as usize + 4;
                u32::from_le_bytes([0, 1, 2, 3].map(|byte| nvic.priority[first + byte]))
            }
            0xd24 => {
                gather(nvic.active, &SHCSR_ACTIVE)
                    | gather(nvic.pending, &SHCSR_PENDING)
                    | gather(nvic.enabled, &SHCSR_ENABLE)
            }
            0xd28 => self.scb.cfsr,
            0xd2c => self.scb.hfsr,
            0xd30 => self.debug.dfsr,
            0xd34 => self.scb.mmfar,
            0xd38 => self.scb.bfar,
            0xd3c => 0,
            0xd40..=0xd7c => return feature_register(offset),
            0xd80 => 0,
            0xd84 => self.scb.csselr,
            0xd88 => self.scb.cpacr,
            0xd8c => self.scb.nsacr,
            0xd90..=0xdc4 => return self.mpu.read(offset - 0xd90),
            0xdd0 => self.scb.sau[0],
            0xdd4 => 8,
            0xdd8 => self.scb.sau[1],
            0xddc | 0xde0 => self.scb.sau_regions[self.scb.sau[1] as usize & 7][(offset == 0xde0) as usize],
            0xde4 => self.scb.sfsr,
            0xde8 => self.scb.sfar,
            0xdf0 => self.read_dhcsr(debugger),
            // DCRSR and STIR are write-only; reserved words beside them read as zero.
            0xdf4 | 0xf00 => 0,
            0xdf8 => self.read_dcrdr(),
            0xdfc => self.read_demcr(),
            0xe04 => 0,
            // DSCSR: the core is in the Secure state.
            0xe08 => self.debug.dscsr | 1 << 16,
            0xf34 => self.scb.fpccr,
            0xf38 => self.scb.fpcar,
            0xf3c => self.scb.fpdscr,
            0xf40 => 0x1011_0021,
            0xf44 => 0x1100_0011,
            0xf48 => 0x0000_0040,
            // DLAR and DLSR: no software lock. DAUTHSTATUS: all debug allowed.
            0xfb0 | 0xfb4 => 0,
            0xfb8 => 0xff,
            0xfbc => 0x4770_2a04,
            0xfcc => 0,
            0xfd0..=0xffc => component_id(offset),
            _ => return None,
        })
    }

    fn read_icsr(&self) -> u32 {
        let nvic = &self.nvic;
        let pending = |exception: u16| (nvic.pending >> exception & 1) as u32;
        let highest = nvic.most_urgent(nvic.pending & nvic.enabled);
        let others = nvic.active & !(1 << self.special.ipsr);
        u32::from(self.special.ipsr)
            | u32::from(others == 0) << 11
            | u32::from(highest) << 12
            | u32::from(nvic.pending >> nvic::IRQ0 != 0) << 22
            | pending(nvic::SYSTICK) << 26
            | pending(nvic::PEND_SV) << 28
            | pending(nvic::NMI) << 31
    }

    fn scs_write(&mut self, offset: u32, value: u32, debugger: bool) -> Option<()> {
        let index = offset >> 2 & 15;
        let exceptions = if index < 2 { Nvic::exceptions(index, value) } else { 0 };
        match offset {
            0x004 => {}
            0x008 => self.scb.actlr = value,
            0x00c => self.scb.cppwr = value,
            0x010..=0x01c => self.systick.write(offset - 0x10, value),
            0x100..=0x13c => self.nvic.enabled |= exceptions,
            0x180..=0x1bc => self.nvic.enabled &= !exceptions,
            0x200..=0x23c => {
                self.nvic.pending |= exceptions;
                self.pended();
            }
            0x280..=0x2bc => {
                self.nvic.pending &= !exceptions;
                self.repend_levels(exceptions & !self.nvic.active);
            }
            0x300..=0x33c => {}
            0x380..=0x3bc => {
                if let Some(itns) = self.nvic.itns.get_mut(index as usize) {
                    *itns = value & (nvic::LINES >> (32 * index)) as u32;
                }
            }
            0xd00 | 0xd40..=0xd80 | 0xdd4 | 0xf40..=0xf48 | 0xfb0..=0xffc => {}
            0xd04 => self.write_icsr(value),
            0xd08 => self.scb.vtor = value & !0x7f,
            0xd0c => self.write_aircr(value),
            0xd10 => self.scb.scr = value & 0x1e,
            0xd14 => self.scb.ccr = CCR_FIXED | value & CCR_WRITABLE,
            0xd24 => {
                scatter(&mut self.nvic.active, &SHCSR_ACTIVE, value);
                scatter(&mut self.nvic.pending, &SHCSR_PENDING, value);
                scatter(&mut self.nvic.enabled, &SHCSR_ENABLE, value);
            }
            0xd2c => self.scb.hfsr &= !value,
            0xd30 => self.debug.dfsr &= !value,
            0xd34 => self.scb.mmfar = value,
            0xd38 => self.scb.bfar = value,
            0xd3c => {}
            0xd84 => self.scb.csselr = value & 0xf,
            0xd88 => self.scb.cpacr = value & CPACR_WRITABLE,
            0xd8c => self.scb.nsacr = value & 0xcff,
            0xd90..=0xdc4 => return self.mpu.write(offset - 0xd90, value),
            0xdd0 => self.scb.sau[0] = value & 3,
            0xdd8 => self.scb.sau[1] = value & 7,
            0xddc | 0xde0 => {
                self.scb.sau_regions[self.scb.sau[1] as usize & 7][(offset == 0xde0) as usize] = value & !0x1c;
            }
            0xde4 => self.scb.sfsr &= !value,
            0xde8 => self.scb.sfar = value,
            0xdf0 => self.write_dhcsr(value, debugger),
            0xdf4 => self.write_dcrsr(value),
            0xdf8 => self.write_dcrdr(value),
            0xdfc => self.write_demcr(value),
            0xe04 => {}
            0xe08 => self.debug.dscsr = value & 3,
            0xf00 => {
                let line = (value & 0x1ff) as u16;
                if line < super::IRQ_COUNT {
                    self.pend(nvic::IRQ0 + line);
                }
            }
            0xf34 => self.scb.fpccr = value & 0xfc00_07ff,
            0xf38 => self.scb.fpcar = value & !7,
            0xf3c => self.scb.fpdscr = value & 0x07c0_0000,
            // ICIALLU to BPIALL: there are no caches to maintain.
            0xf50..=0xf78 => {}
            _ => return None,
        }
        Some(())
    }

    fn write_icsr(&mut self, value: u32) {
        // When both bits of a pair are set, neither changes anything here.
        for (exception, set, clear) in [(nvic::SYSTICK, 26, 25), (nvic::PEND_SV, 28, 27), (nvic::NMI, 31, 30)] {
            match (value >> set & 1, value >> clear & 1) {
                (1, 0) => self.pend(exception),
                (0, 1) => self.nvic.pending &= !(1 << exception),
                _ => {}
            }
        }
    }

    fn write_aircr(&mut self, value: u32) {
        if value >> 16 != 0x05fa {
            return;
        }
        // PRIS, BFHFNMINS, PRIGROUP, SYSRESETREQS.
        self.scb.aircr = value & 0x6708;
        if value & 2 != 0 {
            // VECTCLRACTIVE.
            self.nvic.active = 0;
            self.set_mode(0, self.special.spsel);
        }
        if value & 4 != 0 {
            self.reset_request = true;
        }
    }
}

fn irq_word(set: u128, index: u32) -> u32 {
    if index < 2 { Nvic::lines(set, index) } else { 0 }
}
