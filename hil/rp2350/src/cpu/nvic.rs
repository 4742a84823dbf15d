//! Exception state and priorities: which exception is pending, enabled, active, and which one comes next.

use super::registers::PRIORITY_MASK;
use super::{Core, IRQ_COUNT};

pub(super) const NMI: u16 = 2;
pub(super) const HARD_FAULT: u16 = 3;
pub(super) const MEM_MANAGE: u16 = 4;
pub(super) const BUS_FAULT: u16 = 5;
pub(super) const USAGE_FAULT: u16 = 6;
pub(super) const SECURE_FAULT: u16 = 7;
pub(super) const SVCALL: u16 = 11;
pub(super) const DEBUG_MONITOR: u16 = 12;
pub(super) const PEND_SV: u16 = 14;
pub(super) const SYSTICK: u16 = 15;
/// Exception number of interrupt line 0.
pub(super) const IRQ0: u16 = 16;
/// Exceptions there are.
pub(super) const COUNT: usize = (IRQ0 + IRQ_COUNT) as usize;

/// The interrupt lines that exist.
pub(super) const LINES: u64 = (1 << IRQ_COUNT) - 1;

/// Exceptions that DHCSR.C_MASKINTS holds back.
const MASKABLE: u128 = !((1 << PEND_SV) - 1);

/// Execution priority in Thread mode with nothing masked: below every exception.
const IDLE: i16 = 256;

/// Pending, enabled and active exceptions as bit sets by exception number.
#[derive(Clone, Debug)]
pub(super) struct Nvic {
    pub(super) pending: u128,
    pub(super) enabled: u128,
    pub(super) active: u128,
    pub(super) priority: [u8; COUNT],
    /// Levels of the interrupt lines.
    pub(super) level: u64,
    /// Lines that raise NMI instead (EPPB NMI_MASK0/1).
    pub(super) nmi_mask: u64,
    /// NVIC_ITNS: storage, as nothing here runs Non-secure.
    pub(super) itns: [u32; 2],
    /// Execution priority now: the lower, the more urgent; cached.
    pub(super) execution: i16,
    /// The pending exception that preempts, or 0; cached.
    pub(super) take: u16,
    /// A pending exception would preempt but for PRIMASK, which ends WFI; cached.
    pub(super) wake: bool,
}

impl Default for Nvic {
    fn default() -> Self {
        Nvic {
            pending: 0,
            // NMI, HardFault, SVCall, DebugMonitor, PendSV and SysTick cannot be disabled.
            enabled: 1 << NMI | 1 << HARD_FAULT | 1 << SVCALL | 1 << DEBUG_MONITOR | 1 << PEND_SV | 1 << SYSTICK,
            active: 0,
            priority: [0; COUNT],
            level: 0,
            nmi_mask: 0,
            itns: [0; 2],
            execution: IDLE,
            take: 0,
            wake: false,
        }
    }
}

impl Nvic {
    /// Priority with its subpriority, for choosing among pending exceptions.
    fn full_priority(&self, exception: u16) -> i16 {
        match exception {
            NMI => -2,
            HARD_FAULT => -1,
            _ => i16::from(self.priority[usize::from(exception)]),
        }
    }

    /// The most urgent of `candidates`, the lowest number among equals; 0 if there is none.
    pub(super) fn most_urgent(&self, mut candidates: u128) -> u16 {
        let mut best = (IDLE, 0);
        while candidates != 0 {
            let exception = candidates.trailing_zeros() as u16;
            let priority = self.full_priority(exception);
            if priority < best.0 {
                best = (priority, exception);
            }
            candidates &= candidates - 1;
        }
        best.1
    }

    pub(super) fn is_active(&self, exception: u16) -> bool {
        self.active >> exception & 1 != 0
    }

    pub(super) fn is_enabled(&self, exception: u16) -> bool {
        self.enabled >> exception & 1 != 0
    }

    /// One 32-bit register of a per-line bit array.
    pub(super) fn lines(set: u128, index: u32) -> u32 {
        ((set >> IRQ0) as u64 >> (32 * index)) as u32
    }

    /// The lines that bits of a register of such an array name, as exceptions.
    pub(super) fn exceptions(index: u32, bits: u32) -> u128 {
        u128::from(u64::from(bits) << (32 * index) & LINES) << IRQ0
    }
}

impl Core {
    /// Group priority: what decides over preemption.
    pub(super) fn group_priority(&self, exception: u16) -> i16 {
        match self.nvic.full_priority(exception) {
            priority @ 0.. => priority & self.scb.group_mask(),
            priority => priority,
        }
    }

    /// Priority of what is executing, without and with PRIMASK.
    fn execution_priority(&self) -> (i16, i16) {
        let mut priority = IDLE;
        let mut active = self.nvic.active;
        while active != 0 {
            let exception = active.trailing_zeros() as u16;
            priority = priority.min(self.group_priority(exception));
            active &= active - 1;
        }
        if self.special.basepri != 0 {
            priority = priority.min(i16::from(self.special.basepri) & self.scb.group_mask());
        }
        if self.special.faultmask {
            priority = priority.min(-1);
        }
        (priority, if self.special.primask { priority.min(0) } else { priority })
    }

    /// Decides again what preempts. To be called after every change of an exception's state, of a priority, or of a
    /// mask.
    pub(super) fn reevaluate(&mut self) {
        let (unmasked, execution) = self.execution_priority();
        self.nvic.execution = execution;
        self.mpu_active = self.mpu.decides_at(execution);
        let mut candidates = self.nvic.pending & self.nvic.enabled;
        if self.debug.masks_interrupts() {
            candidates &= !MASKABLE;
        }
        let best = self.nvic.most_urgent(candidates);
        let group = if best != 0 { self.group_priority(best) } else { IDLE };
        self.nvic.take = if group < execution { best } else { 0 };
        self.nvic.wake = group < unmasked;
        self.wake_up();
        self.update_attention();
    }

    /// An exception became pending: SEVONPEND, then priorities.
    pub(super) fn pended(&mut self) {
        if self.scb.sevonpend() {
            self.event = true;
        }
        self.reevaluate();
    }

    /// Makes `exception` pending.
    pub(super) fn pend(&mut self, exception: u16) {
        let bit = 1 << exception;
        if self.nvic.pending & bit == 0 {
            self.nvic.pending |= bit;
            self.pended();
        }
    }

    /// Level of interrupt line `n` (0..52): a rising edge makes the interrupt pending, and so does a level that is
    /// still high when its handler returns.
    pub fn set_irq(&mut self, n: u16, level: bool) {
        if n >= IRQ_COUNT {
            return;
        }
        let bit = 1u64 << n;
        if (self.nvic.level & bit != 0) == level {
            return;
        }
        self.nvic.level ^= bit;
        if level {
            self.pend(if self.nvic.nmi_mask & bit != 0 { NMI } else { IRQ0 + n });
        }
    }

    /// ICPR and the end of a handler: lines still high are pending again.
    pub(super) fn repend_levels(&mut self, exceptions: u128) {
        self.nvic.pending |= u128::from(self.nvic.level & !self.nvic.nmi_mask) << IRQ0 & exceptions;
    }

    /// Byte `index` of IPR.
    pub(super) fn irq_priority(&self, index: usize) -> u8 {
        self.nvic.priority.get(index + usize::from(IRQ0)).copied().unwrap_or(0)
    }

    pub(super) fn set_irq_priority(&mut self, index: usize, value: u8) {
        if let Some(priority) = self.nvic.priority.get_mut(index + usize::from(IRQ0)) {
            *priority = value & PRIORITY_MASK;
        }
    }

    /// Byte `index` of SHPR1-3, where byte 0 is exception 4.
    pub(super) fn set_system_priority(&mut self, index: usize, value: u8) {
        let exception = index as u16 + 4;
        if matches!(exception, MEM_MANAGE..=SECURE_FAULT | SVCALL | DEBUG_MONITOR | PEND_SV | SYSTICK) {
            self.nvic.priority[usize::from(exception)] = value & PRIORITY_MASK;
        }
    }
}
