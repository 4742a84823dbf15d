//! Halting debug: DHCSR, DCRSR, DCRDR, DEMCR, DFSR.
//!
//! The DebugMonitor exception is taken for breakpoints and for MON_PEND; its single-stepping (MON_STEP)
//! is not modelled.

use super::nvic::{BUS_FAULT, HARD_FAULT, MEM_MANAGE, SECURE_FAULT, USAGE_FAULT};
use super::{Core, CoreState};

/// DFSR bits.
pub(super) const DFSR_HALTED: u32 = 1;
pub(super) const DFSR_BKPT: u32 = 1 << 1;
pub(super) const DFSR_VCATCH: u32 = 1 << 3;

const C_DEBUGEN: u32 = 1;
const C_HALT: u32 = 1 << 1;
const C_STEP: u32 = 1 << 2;
const C_MASKINTS: u32 = 1 << 3;
const C_SNAPSTALL: u32 = 1 << 5;
const S_REGRDY: u32 = 1 << 16;
const S_HALT: u32 = 1 << 17;
const S_SLEEP: u32 = 1 << 18;
const S_LOCKUP: u32 = 1 << 19;
/// Secure halting debug is allowed: the model's debug port is open.
const S_SDE: u32 = 1 << 20;
const S_RETIRE_ST: u32 = 1 << 24;
const S_RESET_ST: u32 = 1 << 25;

const DEMCR_VC_CORERESET: u32 = 1;
const DEMCR_VC_MMERR: u32 = 1 << 4;
const DEMCR_VC_NOCPERR: u32 = 1 << 5;
const DEMCR_VC_CHKERR: u32 = 1 << 6;
const DEMCR_VC_STATERR: u32 = 1 << 7;
const DEMCR_VC_BUSERR: u32 = 1 << 8;
const DEMCR_VC_HARDERR: u32 = 1 << 10;
const DEMCR_VC_SFERR: u32 = 1 << 11;
const DEMCR_MON_EN: u32 = 1 << 16;
pub(super) const DEMCR_MON_PEND: u32 = 1 << 17;
const DEMCR_TRCENA: u32 = 1 << 24;
/// Bits that can be written, MON_PEND apart: vector catches, MON_EN, MON_REQ (a flag for software), TRCENA.
const DEMCR_WRITABLE: u32 = 0x0109_0ff1;

#[derive(Clone, Debug)]
pub(super) struct Debug {
    /// DHCSR's control bits.
    control: u32,
    reset_seen: bool,
    /// Instructions executed when DHCSR was last read.
    retired: u64,
    dcrdr: u32,
    demcr: u32,
    pub(super) dfsr: u32,
    pub(super) dscsr: u32,
}

impl Default for Debug {
    fn default() -> Self {
        Debug { control: 0, reset_seen: true, retired: 0, dcrdr: 0, demcr: 0, dfsr: 0, dscsr: 0 }
    }
}

impl Debug {
    #[inline]
    pub(super) fn enabled(&self) -> bool {
        self.control & C_DEBUGEN != 0
    }

    /// The next step ends in Debug state.
    #[inline]
    pub(super) fn stepping(&self) -> bool {
        self.control & (C_DEBUGEN | C_HALT | C_STEP) == C_DEBUGEN | C_STEP
    }

    pub(super) fn masks_interrupts(&self) -> bool {
        self.control & (C_DEBUGEN | C_MASKINTS) == C_DEBUGEN | C_MASKINTS
    }

    pub(super) fn monitor_enabled(&self) -> bool {
        self.demcr & DEMCR_MON_EN != 0
    }

    pub(super) fn trace_enabled(&self) -> bool {
        self.demcr & DEMCR_TRCENA != 0
    }
}

impl Core {
    /// Enters Debug state, for the reason that goes to DFSR.
    pub(super) fn halt(&mut self, reason: u32) {
        self.debug.dfsr |= reason;
        self.debug.control |= C_HALT;
        self.state = CoreState::Halted;
        self.update_attention();
    }

    /// After a warm reset: what of debug state a reset ends, and the vector catch.
    pub(super) fn reset_debug(&mut self) {
        self.debug.control &= C_DEBUGEN;
        self.debug.reset_seen = true;
        if self.debug.enabled() && self.debug.demcr & DEMCR_VC_CORERESET != 0 {
            self.halt(DFSR_VCATCH);
        }
    }

    /// DEMCR's vector catches: halts at the first instruction of the handler.
    pub(super) fn catch_vector(&mut self, exception: u16) {
        let cfsr = self.scb.cfsr;
        let usage = |status: u32, catch: u32| if cfsr & status != 0 { catch } else { 0 };
        let catches = match exception {
            HARD_FAULT => DEMCR_VC_HARDERR,
            MEM_MANAGE => DEMCR_VC_MMERR,
            BUS_FAULT => DEMCR_VC_BUSERR,
            SECURE_FAULT => DEMCR_VC_SFERR,
            USAGE_FAULT => {
                usage(1 << 19, DEMCR_VC_NOCPERR) | usage(3 << 24, DEMCR_VC_CHKERR) | usage(0x17 << 16, DEMCR_VC_STATERR)
            }
            _ => 0,
        };
        if self.debug.enabled() && self.debug.demcr & catches != 0 {
            self.halt(DFSR_VCATCH);
        }
    }

    pub(super) fn read_dhcsr(&mut self, debugger: bool) -> u32 {
        let state = match self.state {
            CoreState::Running => 0,
            CoreState::Sleeping => S_SLEEP,
            CoreState::Halted => S_HALT,
            CoreState::LockedUp => S_LOCKUP,
        };
        let mut value = self.debug.control | S_REGRDY | S_SDE | state;
        if self.debug.reset_seen {
            value |= S_RESET_ST;
        }
        if self.instructions != self.debug.retired {
            value |= S_RETIRE_ST;
        }
        if debugger {
            self.debug.reset_seen = false;
            self.debug.retired = self.instructions;
        }
        value
    }

    /// Software cannot change C_DEBUGEN, so only the debugger's writes matter here.
    pub(super) fn write_dhcsr(&mut self, value: u32, debugger: bool) {
        if value >> 16 != 0xa05f || !debugger {
            return;
        }
        self.debug.control = value & (C_DEBUGEN | C_HALT | C_STEP | C_MASKINTS | C_SNAPSTALL);
        if !self.debug.enabled() {
            self.debug.control = 0;
        }
        if self.debug.control & C_HALT != 0 {
            if self.state != CoreState::Halted {
                self.halt(DFSR_HALTED);
            }
        } else if self.state == CoreState::Halted {
            self.state = CoreState::Running;
        }
        self.reevaluate();
    }

    /// DCRSR: transfers a register; only a halted core does.
    pub(super) fn write_dcrsr(&mut self, value: u32) {
        if self.state != CoreState::Halted {
            return;
        }
        let regsel = (value & 0x7f) as u8;
        if value >> 16 & 1 != 0 {
            self.set_debug_reg(regsel, self.debug.dcrdr);
        } else {
            self.debug.dcrdr = self.debug_reg(regsel).unwrap_or(0);
        }
    }

    pub(super) fn read_dcrdr(&self) -> u32 {
        self.debug.dcrdr
    }

    pub(super) fn write_dcrdr(&mut self, value: u32) {
        self.debug.dcrdr = value;
    }

    pub(super) fn read_demcr(&self) -> u32 {
        let pending = self.nvic.pending >> super::nvic::DEBUG_MONITOR & 1 != 0;
        self.debug.demcr | if pending { DEMCR_MON_PEND } else { 0 }
    }

    pub(super) fn write_demcr(&mut self, value: u32) {
        self.freeze_cyccnt();
        self.debug.demcr = value & DEMCR_WRITABLE;
        self.resume_cyccnt();
        let bit = 1 << super::nvic::DEBUG_MONITOR;
        if value & DEMCR_MON_PEND != 0 {
            self.nvic.pending |= bit;
        } else {
            self.nvic.pending &= !bit;
        }
        self.reevaluate();
    }
}
