//! Special-purpose registers: xPSR, the stack pointers and their limits, masks and CONTROL.

use super::Core;
use super::fp::arith::FPSCR_MASK;

/// Special registers other than xPSR. Without a Non-secure world, its bank is storage.
#[derive(Clone, Debug, Default)]
pub(super) struct Special {
    /// Exception number, 0 in Thread mode.
    pub(super) ipsr: u16,
    /// CONTROL.nPRIV.
    pub(super) npriv: bool,
    /// CONTROL.SPSEL.
    pub(super) spsel: bool,
    /// CONTROL.FPCA.
    pub(super) fpca: bool,
    /// CONTROL.SFPA.
    pub(super) sfpa: bool,
    /// The stack pointer that is not r13 now.
    pub(super) other_sp: u32,
    pub(super) msplim: u32,
    pub(super) psplim: u32,
    pub(super) primask: bool,
    pub(super) faultmask: bool,
    pub(super) basepri: u8,
    pub(super) ns: Bank,
}

/// The Non-secure bank.
#[derive(Clone, Debug, Default)]
pub(super) struct Bank {
    pub(super) msp: u32,
    pub(super) psp: u32,
    pub(super) msplim: u32,
    pub(super) psplim: u32,
    pub(super) primask: u32,
    pub(super) basepri: u32,
    pub(super) faultmask: u32,
    pub(super) control: u32,
}

/// Priority bits that exist: the upper four.
pub(super) const PRIORITY_MASK: u8 = 0xf0;

impl Core {
    /// r0-r15; 15 is the address of the next instruction.
    #[inline]
    pub fn reg(&self, n: u8) -> u32 {
        if n == 15 { self.pc } else { self.r[usize::from(n & 15)] }
    }

    /// r0-r15; 15 sets the address of the next instruction (bit 0 is ignored).
    pub fn set_reg(&mut self, n: u8, value: u32) {
        if n == 15 {
            self.pc = value & !1;
        } else {
            self.write(usize::from(n & 15), value);
        }
    }

    pub(super) fn apsr(&self) -> u32 {
        u32::from(self.n) << 31
            | u32::from(self.z) << 30
            | u32::from(self.c) << 29
            | u32::from(self.v) << 28
            | u32::from(self.q) << 27
            | u32::from(self.ge) << 16
    }

    pub(super) fn set_apsr_nzcvq(&mut self, value: u32) {
        self.set_apsr_nzcv(value);
        self.q = value >> 27 & 1 != 0;
    }

    /// N, Z, C, V from bits 31:28 (VMRS and MRC to `APSR_nzcv`).
    pub(crate) fn set_apsr_nzcv(&mut self, value: u32) {
        self.n = value >> 31 != 0;
        self.z = value >> 30 & 1 != 0;
        self.c = value >> 29 & 1 != 0;
        self.v = value >> 28 & 1 != 0;
    }

    /// APSR, EPSR (IT, T) and IPSR in one word.
    pub fn xpsr(&self) -> u32 {
        let it = u32::from(self.it);
        self.apsr() | (it & 3) << 25 | (it >> 2) << 10 | u32::from(self.thumb) << 24 | u32::from(self.special.ipsr)
    }

    /// Writes APSR, EPSR and IPSR, as the debugger can; switches mode if IPSR says so. The number of an exception that
    /// does not exist leaves IPSR as it is.
    pub fn set_xpsr(&mut self, value: u32) {
        self.set_flags_from_psr(value);
        let ipsr = (value & 0x1ff) as u16;
        if usize::from(ipsr) < super::nvic::COUNT {
            self.set_mode(ipsr, self.special.spsel);
        }
        self.reevaluate();
    }

    /// Everything of xPSR but IPSR.
    pub(super) fn set_flags_from_psr(&mut self, value: u32) {
        self.set_apsr_nzcvq(value);
        self.ge = (value >> 16 & 0xf) as u8;
        self.it = (value >> 25 & 3 | value >> 10 << 2 & 0xfc) as u8;
        self.thumb = value >> 24 & 1 != 0;
    }

    #[inline]
    fn uses_psp(&self) -> bool {
        self.special.spsel && self.special.ipsr == 0
    }

    /// Sets IPSR and CONTROL.SPSEL, and with them the active stack pointer.
    pub(super) fn set_mode(&mut self, ipsr: u16, spsel: bool) {
        let before = self.uses_psp();
        self.special.ipsr = ipsr;
        self.special.spsel = spsel;
        if before != self.uses_psp() {
            std::mem::swap(&mut self.r[13], &mut self.special.other_sp);
        }
        self.privileged = ipsr != 0 || !self.special.npriv;
    }

    pub(super) fn msp(&self) -> u32 {
        if self.uses_psp() { self.special.other_sp } else { self.r[13] }
    }

    pub(super) fn psp(&self) -> u32 {
        if self.uses_psp() { self.r[13] } else { self.special.other_sp }
    }

    pub(super) fn set_msp(&mut self, value: u32) {
        *(if self.uses_psp() { &mut self.special.other_sp } else { &mut self.r[13] }) = value & !3;
    }

    pub(super) fn set_psp(&mut self, value: u32) {
        *(if self.uses_psp() { &mut self.r[13] } else { &mut self.special.other_sp }) = value & !3;
    }

    /// Limit of the active stack pointer.
    #[inline]
    pub(super) fn sp_limit(&self) -> u32 {
        if self.uses_psp() { self.special.psplim } else { self.special.msplim }
    }

    pub(super) fn control(&self) -> u32 {
        let s = &self.special;
        u32::from(s.npriv) | u32::from(s.spsel) << 1 | u32::from(s.fpca) << 2 | u32::from(s.sfpa) << 3
    }

    pub(super) fn set_control(&mut self, value: u32) {
        self.special.npriv = value & 1 != 0;
        self.special.fpca = value & 4 != 0;
        self.special.sfpa = value & 8 != 0;
        // SPSEL can only be changed in Thread mode; a handler always runs on MSP.
        let spsel = if self.special.ipsr == 0 { value & 2 != 0 } else { self.special.spsel };
        self.set_mode(self.special.ipsr, spsel);
    }

    /// CONTROL:FAULTMASK:BASEPRI:PRIMASK as DCRSR packs them.
    fn masks(&self) -> u32 {
        self.control() << 24
            | u32::from(self.special.faultmask) << 16
            | u32::from(self.special.basepri) << 8
            | u32::from(self.special.primask)
    }

    fn set_masks(&mut self, value: u32) {
        self.set_control(value >> 24);
        self.special.faultmask = value >> 16 & 1 != 0;
        self.special.basepri = (value >> 8) as u8 & PRIORITY_MASK;
        self.special.primask = value & 1 != 0;
        self.reevaluate();
    }

    /// A register by its DCRSR number (DCRSR.REGSEL): 0-14, 15 the next instruction's address, 16 xPSR, 17 MSP, 18 PSP,
    /// 20 CONTROL:FAULTMASK:BASEPRI:PRIMASK, 24-31 the banked stack pointers and limits, 33 FPSCR, 34 and 35 the banked
    /// masks, 64-95 s0-s31. `None` if there is none.
    pub fn debug_reg(&self, regsel: u8) -> Option<u32> {
        let ns = &self.special.ns;
        Some(match regsel {
            0..=15 => self.reg(regsel),
            16 => self.xpsr(),
            17 | 26 => self.msp(),
            18 | 27 => self.psp(),
            20 | 34 => self.masks(),
            24 => ns.msp,
            25 => ns.psp,
            28 => self.special.msplim,
            29 => self.special.psplim,
            30 => ns.msplim,
            31 => ns.psplim,
            33 => self.fp.fpscr,
            35 => ns.control << 24 | ns.faultmask << 16 | ns.basepri << 8 | ns.primask,
            64..=95 => self.fp.s[usize::from(regsel - 64)],
            _ => return None,
        })
    }

    /// Writes what [`Core::debug_reg`] reads; `false` if there is no such register.
    pub fn set_debug_reg(&mut self, regsel: u8, value: u32) -> bool {
        match regsel {
            0..=15 => self.set_reg(regsel, value),
            16 => self.set_xpsr(value),
            17 | 26 => self.set_msp(value),
            18 | 27 => self.set_psp(value),
            20 | 34 => self.set_masks(value),
            24 => self.special.ns.msp = value & !3,
            25 => self.special.ns.psp = value & !3,
            28 => self.special.msplim = value & !7,
            29 => self.special.psplim = value & !7,
            30 => self.special.ns.msplim = value & !7,
            31 => self.special.ns.psplim = value & !7,
            33 => self.fp.fpscr = value & FPSCR_MASK,
            35 => {
                let ns = &mut self.special.ns;
                ns.control = value >> 24 & 7;
                ns.faultmask = value >> 16 & 1;
                ns.basepri = value >> 8 & u32::from(PRIORITY_MASK);
                ns.primask = value & 1;
            }
            64..=95 => self.fp.s[usize::from(regsel - 64)] = value,
            _ => return false,
        }
        true
    }

    /// MRS: the register of number `sysm`, zero where privilege is missing or EPSR is asked for.
    pub(super) fn read_special(&self, sysm: u32) -> Option<u32> {
        let s = &self.special;
        let p = self.privileged;
        let privileged = |value: u32| if p { value } else { 0 };
        Some(match sysm {
            // IPSR is readable only with privilege; EPSR reads as zero.
            0..=3 | 5..=7 => {
                let ipsr = if sysm & 1 != 0 { privileged(u32::from(s.ipsr)) } else { 0 };
                ipsr | if sysm & 4 == 0 { self.apsr() } else { 0 }
            }
            8 => privileged(self.msp()),
            9 => privileged(self.psp()),
            10 => privileged(s.msplim),
            11 => privileged(s.psplim),
            16 => privileged(u32::from(s.primask)),
            17 | 18 => privileged(u32::from(s.basepri)),
            19 => privileged(u32::from(s.faultmask)),
            20 => self.control(),
            0x88 => privileged(s.ns.msp),
            0x89 => privileged(s.ns.psp),
            0x8a => privileged(s.ns.msplim),
            0x8b => privileged(s.ns.psplim),
            0x90 => privileged(s.ns.primask),
            0x91 => privileged(s.ns.basepri),
            0x93 => privileged(s.ns.faultmask),
            0x94 => s.ns.control,
            0x98 => privileged(if s.ns.control & 2 != 0 { s.ns.psp } else { s.ns.msp }),
            _ => return None,
        })
    }

    /// MSR: `mask` bit 1 selects APSR_nzcvq, bit 0 APSR_g. `false` if there is no such register.
    pub(super) fn write_special(&mut self, sysm: u32, mask: u32, value: u32) -> bool {
        match sysm {
            0..=3 => {
                if mask & 2 != 0 {
                    self.set_apsr_nzcvq(value);
                }
                if mask & 1 != 0 {
                    self.ge = (value >> 16 & 0xf) as u8;
                }
                return true;
            }
            5..=7 => return true,
            8..=11 | 16..=20 | 0x88..=0x8b | 0x90 | 0x91 | 0x93 | 0x94 | 0x98 => {}
            _ => return false,
        }
        if !self.privileged {
            // Of all these, unprivileged code may write only CONTROL.SFPA.
            if sysm == 20 {
                self.special.sfpa = value & 8 != 0;
            }
            return true;
        }
        match sysm {
            8 => self.set_msp(value),
            9 => self.set_psp(value),
            10 => self.special.msplim = value & !7,
            11 => self.special.psplim = value & !7,
            16 => self.special.primask = value & 1 != 0,
            17 => self.special.basepri = value as u8 & PRIORITY_MASK,
            18 => {
                let value = value as u8 & PRIORITY_MASK;
                if value != 0 && (value < self.special.basepri || self.special.basepri == 0) {
                    self.special.basepri = value;
                }
            }
            19 => {
                if value & 1 == 0 || self.nvic.execution > -1 {
                    self.special.faultmask = value & 1 != 0;
                }
            }
            20 => self.set_control(value),
            0x88 => self.special.ns.msp = value & !3,
            0x89 => self.special.ns.psp = value & !3,
            0x8a => self.special.ns.msplim = value & !7,
            0x8b => self.special.ns.psplim = value & !7,
            0x90 => self.special.ns.primask = value & 1,
            0x91 => self.special.ns.basepri = value & u32::from(PRIORITY_MASK),
            0x93 => self.special.ns.faultmask = value & 1,
            0x94 => self.special.ns.control = value & 7,
            _ if self.special.ns.control & 2 != 0 => self.special.ns.psp = value & !3,
            _ => self.special.ns.msp = value & !3,
        }
        self.reevaluate();
        true
    }
}
