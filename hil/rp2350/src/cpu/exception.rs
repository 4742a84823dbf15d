//! Exception entry and return, stack frames with lazy floating-point state, faults and their escalation.

use super::fp::arith::FPSCR_MASK;
use super::nvic::{self, BUS_FAULT, DEBUG_MONITOR, HARD_FAULT, MEM_MANAGE, NMI, SECURE_FAULT, SVCALL, USAGE_FAULT};
use super::{Core, CoreState, Fault, Frame, Sleep, debug, scs};
use crate::bus::{Bus, BusFault, Master, Size};

/// EXC_RETURN of a Secure exception, from Handler mode, MSP, with floating-point state: the other bits are set on top.
const EXC_RETURN: u32 = 0xffff_ffe1;
const EXC_RETURN_SPSEL: u32 = 1 << 2;
const EXC_RETURN_THREAD: u32 = 1 << 3;
/// No floating-point state in the frame.
const EXC_RETURN_BASIC: u32 = 1 << 4;

/// RETPSR bits.
const RETPSR_SPREALIGN: u32 = 1 << 9;
const RETPSR_SFPA: u32 = 1 << 20;

/// Where a locked-up core says it is.
const LOCKUP_PC: u32 = 0xefff_fffe;

impl Core {
    /// A fault of the instruction at `pc`: sets the status registers and makes the exception pending, or locks up.
    #[cold]
    pub(super) fn raise(&mut self, fault: Fault) {
        if fault == Fault::Breakpoint {
            return self.breakpoint();
        }
        let exception = self.record(fault);
        self.pend_fault(exception);
    }

    /// Sets the status bits of `fault` and says which exception it is.
    fn record(&mut self, fault: Fault) -> u16 {
        let frame_bit = |frame: Frame| match frame {
            Frame::Unstacking => 3,
            Frame::Stacking => 4,
            Frame::LazyFp => 5,
        };
        let (exception, bit) = match fault {
            Fault::MpuFetch => (MEM_MANAGE, 0),
            Fault::MpuData(addr) => {
                self.scb.mmfar = addr;
                self.scb.cfsr |= 1 << 7;
                (MEM_MANAGE, 1)
            }
            Fault::MpuFrame(frame) => (MEM_MANAGE, frame_bit(frame)),
            Fault::BusFetch => (BUS_FAULT, 8),
            Fault::BusData(addr) => {
                self.scb.bfar = addr;
                self.scb.cfsr |= 1 << 15;
                (BUS_FAULT, 9)
            }
            Fault::BusFrame(frame) => (BUS_FAULT, 8 + frame_bit(frame)),
            Fault::Undefined => (USAGE_FAULT, 16),
            Fault::InvalidState => (USAGE_FAULT, 17),
            Fault::InvalidPc => (USAGE_FAULT, 18),
            Fault::NoCoprocessor => (USAGE_FAULT, 19),
            Fault::StackOverflow => (USAGE_FAULT, 20),
            Fault::Unaligned => (USAGE_FAULT, 24),
            Fault::DivideByZero => (USAGE_FAULT, 25),
            Fault::SecureTransition => {
                self.scb.sfsr |= scs::SFSR_INVTRAN;
                return SECURE_FAULT;
            }
            // Raised as one only when neither a debugger nor the monitor takes it.
            Fault::Breakpoint => {
                self.scb.hfsr |= scs::HFSR_DEBUGEVT;
                return HARD_FAULT;
            }
        };
        self.scb.cfsr |= 1 << bit;
        exception
    }

    /// Makes a synchronous exception pending; one that cannot preempt becomes HardFault, and that lockup.
    fn pend_fault(&mut self, exception: u16) {
        let execution = self.nvic.execution;
        if self.nvic.is_enabled(exception) && self.group_priority(exception) < execution {
            return self.pend(exception);
        }
        if execution <= -1 {
            return self.lock_up();
        }
        if exception != HARD_FAULT {
            self.scb.hfsr |= scs::HFSR_FORCED;
        }
        self.pend(HARD_FAULT);
    }

    fn lock_up(&mut self) {
        self.state = CoreState::LockedUp;
        self.pc = LOCKUP_PC;
        self.update_attention();
    }

    /// BKPT or an FPB match: halts, or DebugMonitor, or HardFault. PC stays on the instruction.
    fn breakpoint(&mut self) {
        if self.debug.enabled() {
            self.halt(debug::DFSR_BKPT);
        } else if self.debug.monitor_enabled() && self.group_priority(DEBUG_MONITOR) < self.nvic.execution {
            self.debug.dfsr |= debug::DFSR_BKPT;
            self.pend(DEBUG_MONITOR);
        } else {
            let exception = self.record(Fault::Breakpoint);
            self.pend_fault(exception);
        }
    }

    /// SVC. The return address is the next instruction, as it is by the time the exception is taken.
    pub(super) fn supervisor_call(&mut self) {
        self.pend_fault(SVCALL);
    }

    /// CCR.BFHFNMIGN: data bus faults of HardFault and NMI handlers are ignored.
    #[cold]
    pub(super) fn ignores_bus_faults(&self) -> bool {
        self.nvic.execution < 0 && self.scb.ccr & scs::CCR_BFHFNMIGN != 0
    }

    /// CCR.STKOFHFNMIGN: so are stack limits.
    #[cold]
    pub(super) fn ignores_stack_limit(&self) -> bool {
        self.nvic.execution < 0 && self.scb.ccr & scs::CCR_STKOFHFNMIGN != 0
    }

    /// Takes the exception that preempts, saving the context first.
    pub(super) fn enter_exception<B: Bus>(&mut self, bus: &mut B) {
        let mut exc_return = EXC_RETURN;
        if !self.special.fpca {
            exc_return |= EXC_RETURN_BASIC;
        }
        if self.special.ipsr == 0 {
            exc_return |= EXC_RETURN_THREAD;
        }
        if self.special.spsel {
            exc_return |= EXC_RETURN_SPSEL;
        }
        let stacked = self.push_frame(bus);
        // The handler runs even if its frame is lost; the fault is a second exception that may come first.
        if let Err(fault) = stacked {
            let exception = self.record(fault);
            self.pend_fault(exception);
            if self.state == CoreState::LockedUp {
                return;
            }
        }
        self.take_exception(bus, exc_return);
    }

    /// Starts the handler of the exception that preempts; the context is on the stack already.
    fn take_exception<B: Bus>(&mut self, bus: &mut B, exc_return: u32) {
        let exception = self.nvic.take;
        self.special.fpca = false;
        self.special.sfpa = false;
        self.set_mode(exception, false);
        self.r[14] = exc_return;
        self.it = 0;
        self.exclusive = None;
        self.event = true;
        self.nvic.pending &= !(1 << exception);
        self.nvic.active |= 1 << exception;
        self.reevaluate();
        match self.vector(bus, exception) {
            Ok(vector) => {
                self.pc = vector & !1;
                self.next_pc = self.pc;
                self.thumb = vector & 1 != 0;
                self.catch_vector(exception);
            }
            Err(BusFault) => {
                self.scb.hfsr |= scs::HFSR_VECTTBL;
                self.pend_fault(HARD_FAULT);
                self.next_pc = self.pc;
            }
        }
        self.update_attention();
    }

    fn vector<B: Bus>(&mut self, bus: &mut B, exception: u16) -> Result<u32, BusFault> {
        bus.read(Master::Core(self.id), self.scb.vtor.wrapping_add(u32::from(exception) * 4), Size::Word)
    }

    /// Pushes r0-r3, r12, lr, the return address and RETPSR, with room for floating-point state if it is in use.
    fn push_frame<B: Bus>(&mut self, bus: &mut B) -> Result<(), Fault> {
        let extended = self.special.fpca;
        let size = match (extended, self.scb.fpccr & scs::FPCCR_TS != 0) {
            (false, _) => 0x20,
            (true, false) => 0x68,
            (true, true) => 0xa8,
        };
        let sp = self.r[13];
        let frame = sp.wrapping_sub(size) & !7;
        let mut retpsr = self.xpsr();
        if sp & 4 != 0 {
            retpsr |= RETPSR_SPREALIGN;
        }
        if self.special.sfpa {
            retpsr |= RETPSR_SFPA;
        }
        if frame < self.sp_limit() && !self.ignores_stack_limit() {
            self.r[13] = self.sp_limit();
            return Err(Fault::StackOverflow);
        }
        self.r[13] = frame;
        let words = [self.r[0], self.r[1], self.r[2], self.r[3], self.r[12], self.r[14], self.pc, retpsr];
        let mut result = Ok(());
        for (index, word) in (0..).zip(words) {
            result = result.and(self.store_aligned(bus, frame.wrapping_add(4 * index), word));
        }
        if extended {
            self.begin_lazy_fp(frame.wrapping_add(0x20));
            if self.scb.fpccr & scs::FPCCR_LSPEN == 0 {
                result = result.and(self.save_fp(bus));
            }
        }
        result.map_err(|fault| frame_fault(fault, Frame::Stacking))
    }

    /// Notes in FPCCR and FPCAR where floating-point state goes, and whose it is.
    fn begin_lazy_fp(&mut self, addr: u32) {
        let ready =
            |exception: u16| self.nvic.is_enabled(exception) && self.group_priority(exception) < self.nvic.execution;
        let mut fpccr = self.scb.fpccr & !scs::FPCCR_CONTEXT | scs::FPCCR_LSPACT;
        fpccr |= u32::from(!self.privileged) << 1;
        fpccr |= u32::from(self.special.ipsr == 0) << 3;
        fpccr |= u32::from(self.nvic.execution > -1) << 4;
        fpccr |= u32::from(ready(MEM_MANAGE)) << 5;
        fpccr |= u32::from(ready(BUS_FAULT)) << 6;
        fpccr |= u32::from(ready(SECURE_FAULT)) << 7;
        fpccr |= u32::from(ready(DEBUG_MONITOR)) << 8;
        fpccr |= u32::from(ready(USAGE_FAULT)) << 10;
        self.scb.fpccr = fpccr;
        self.scb.fpcar = addr & !7;
    }

    /// Writes the floating-point state to FPCAR and ends the lazy state.
    fn save_fp<B: Bus>(&mut self, bus: &mut B) -> Result<(), Fault> {
        let addr = self.scb.fpcar;
        let privileged = self.scb.fpccr & scs::FPCCR_USER == 0;
        let treat_as_secure = self.scb.fpccr & scs::FPCCR_TS != 0;
        for index in 0..if treat_as_secure { 32 } else { 16 } {
            // s16-s31 follow FPSCR and one reserved word.
            let offset = if index < 16 { 4 * index } else { 4 * index + 8 };
            let value = self.fp.s[index as usize];
            self.store_as(bus, addr.wrapping_add(offset), Size::Word, value, privileged)?;
        }
        self.store_as(bus, addr.wrapping_add(0x40), Size::Word, self.fp.fpscr, privileged)?;
        self.scb.fpccr &= !scs::FPCCR_LSPACT;
        if treat_as_secure {
            self.fp.s = [0; 32];
            self.fp.fpscr = 0;
        }
        Ok(())
    }

    /// Before a floating-point instruction: access rights, state owed to an earlier context, and a context of its own.
    #[inline]
    pub(super) fn prepare_fp<B: Bus>(&mut self, bus: &mut B) -> Result<(), Fault> {
        self.check_coprocessor(10)?;
        if self.scb.fpccr & scs::FPCCR_LSPACT != 0 {
            self.save_fp(bus).map_err(|fault| frame_fault(fault, Frame::LazyFp))?;
        }
        if !self.special.fpca && self.scb.fpccr & scs::FPCCR_ASPEN != 0 {
            self.fp.fpscr = self.scb.fpdscr;
            self.special.fpca = true;
            self.special.sfpa = true;
        }
        Ok(())
    }

    /// VLSTM and VLLDM: the Secure floating-point state around a call to the Non-secure world; no-ops without one.
    pub(super) fn lazy_multiple32<B: Bus>(&mut self, bus: &mut B, op: u32) -> Result<(), Fault> {
        let addr = self.r[(op >> 16 & 15) as usize];
        if op >> 16 & 15 == 15 {
            return Err(Fault::Undefined);
        }
        if !self.special.sfpa {
            return Ok(());
        }
        self.check_coprocessor(10)?;
        if addr & 7 != 0 {
            return Err(Fault::Unaligned);
        }
        if op >> 20 & 1 == 0 {
            self.begin_lazy_fp(addr);
            if self.scb.fpccr & scs::FPCCR_LSPEN == 0 {
                self.save_fp(bus)?;
            }
            self.special.fpca = false;
        } else {
            if self.scb.fpccr & scs::FPCCR_LSPACT != 0 {
                self.scb.fpccr &= !scs::FPCCR_LSPACT;
            } else {
                self.load_fp(bus, addr)?;
            }
            self.special.fpca = true;
        }
        Ok(())
    }

    fn load_fp<B: Bus>(&mut self, bus: &mut B, addr: u32) -> Result<(), Fault> {
        let count = if self.scb.fpccr & scs::FPCCR_TS != 0 { 32 } else { 16 };
        for index in 0..count {
            let offset = if index < 16 { 4 * index } else { 4 * index + 8 };
            self.fp.s[index as usize] = self.load_aligned(bus, addr.wrapping_add(offset))?;
        }
        self.fp.fpscr = self.load_aligned(bus, addr.wrapping_add(0x40))? & FPSCR_MASK;
        Ok(())
    }

    /// A branch to EXC_RETURN in Handler mode. Ends in the interrupted context or in another handler.
    pub(super) fn exception_return<B: Bus>(&mut self, bus: &mut B, exc_return: u32) {
        let returning = self.special.ipsr;
        let mut integrity = Ok(());
        // ES, S and DCRS as this core sets them, the reserved bits as well; Handler mode has only MSP.
        if exc_return & 0xffff_ffe3 != EXC_RETURN
            || exc_return & (EXC_RETURN_THREAD | EXC_RETURN_SPSEL) == EXC_RETURN_SPSEL
        {
            integrity = Err(Fault::InvalidPc);
        }
        if self.nvic.is_active(returning) {
            // FAULTMASK ends with a handler, unless NMI or HardFault is active.
            if !self.nvic.is_active(NMI) && !self.nvic.is_active(HARD_FAULT) {
                self.special.faultmask = false;
            }
            self.nvic.active &= !(1 << returning);
            self.repend_levels(1 << returning);
        } else {
            integrity = Err(Fault::InvalidPc);
        }
        self.reevaluate();
        if integrity.is_ok() && self.nvic.take == 0 {
            integrity = self.pop_frame(bus, exc_return);
            if integrity.is_ok() {
                return self.finish_return();
            }
        }
        if let Err(fault) = integrity {
            let exception = self.record(fault);
            self.pend_fault(exception);
        }
        // Tail-chaining: the frame stays where it is, for the next handler.
        if self.nvic.take != 0 && self.state != CoreState::LockedUp {
            self.take_exception(bus, exc_return);
        } else {
            self.next_pc = self.pc;
        }
    }

    /// The last of an exception return: the event register, monitors, and sleep-on-exit.
    fn finish_return(&mut self) {
        self.exclusive = None;
        self.event = true;
        self.reevaluate();
        if self.special.ipsr == 0 && self.scb.scr & scs::SCR_SLEEPONEXIT != 0 {
            self.go_to_sleep(Sleep::Wfi);
        }
    }

    fn pop_frame<B: Bus>(&mut self, bus: &mut B, exc_return: u32) -> Result<(), Fault> {
        let thread = exc_return & EXC_RETURN_THREAD != 0;
        let process = exc_return & EXC_RETURN_SPSEL != 0;
        let extended = exc_return & EXC_RETURN_BASIC == 0;
        let frame = if process { self.psp() } else { self.msp() };
        // The frame is read with the rights it was written with.
        let mut words = [0; 8];
        let privileged = !(thread && self.special.npriv);
        for (index, word) in (0..).zip(&mut words) {
            *word = self
                .load_as(bus, frame.wrapping_add(4 * index), Size::Word, privileged)
                .map_err(|fault| frame_fault(fault, Frame::Unstacking))?;
        }
        let [r0, r1, r2, r3, r12, lr, pc, retpsr] = words;
        let ipsr = (retpsr & 0x1ff) as u16;
        if thread != (ipsr == 0) || usize::from(ipsr) >= nvic::COUNT {
            return Err(Fault::InvalidPc);
        }
        let mut size = 0x20;
        if extended {
            let treat_as_secure = self.scb.fpccr & scs::FPCCR_TS != 0;
            size = if treat_as_secure { 0xa8 } else { 0x68 };
            if self.scb.fpccr & scs::FPCCR_LSPACT != 0 {
                self.scb.fpccr &= !scs::FPCCR_LSPACT;
            } else {
                self.check_coprocessor(10)?;
                self.load_fp(bus, frame.wrapping_add(0x20)).map_err(|fault| frame_fault(fault, Frame::Unstacking))?;
            }
        } else if self.special.fpca && self.scb.fpccr & scs::FPCCR_CLRONRET != 0 {
            self.fp.s[..16].fill(0);
            self.fp.fpscr = 0;
        }
        let mut sp = frame.wrapping_add(size);
        if retpsr & RETPSR_SPREALIGN != 0 {
            sp |= 4;
        }
        if process {
            self.set_psp(sp);
        } else {
            self.set_msp(sp);
        }
        self.set_mode(ipsr, process);
        self.set_flags_from_psr(retpsr);
        self.special.fpca = extended;
        self.special.sfpa = retpsr & RETPSR_SFPA != 0;
        (self.r[0], self.r[1], self.r[2], self.r[3]) = (r0, r1, r2, r3);
        self.r[12] = r12;
        self.r[14] = lr;
        self.next_pc = pc & !1;
        Ok(())
    }
}

/// A data fault while a frame is handled is reported as such, without an address.
fn frame_fault(fault: Fault, frame: Frame) -> Fault {
    match fault {
        Fault::BusData(_) => Fault::BusFrame(frame),
        Fault::MpuData(_) => Fault::MpuFrame(frame),
        other => other,
    }
}
