//! One Cortex-M33 r1p0: ARMv8-M Mainline with DSP and single-precision floating point, Secure state only.
//!
//! Promises: every instruction and exception behaves as the Armv8-M Architecture Reference Manual (DDI 0553) says; one
//! instruction takes one cycle, and so does one exception entry; LDM and STM are not interrupted half-way. Encodings
//! the manual calls UNPREDICTABLE are UNDEFINED here (UsageFault), so that a program which relies on one is found.
//! TrustZone's Non-secure world is not modelled: its banked special registers, the SAU and NVIC_ITNS are storage, and a
//! branch into it raises SecureFault (INVTRAN).
//!
//! What is outside the core is the caller's: memory and peripherals through [`Bus`], interrupt lines through
//! [`Core::set_irq`], time while asleep through [`Core::sleep`].

mod alu;
mod data32;
mod debug;
mod decode16;
mod decode32;
mod dsp;
mod dwt_fpb;
mod exception;
pub(crate) mod fp;
mod identification;
mod loadstore;
mod memory;
mod mpu;
mod multiply;
mod nvic;
mod registers;
mod scs;
mod system;
mod systick;
#[cfg(test)]
mod tests;

use crate::bus::Bus;

/// Interrupt lines of an RP2350 core (datasheet, section 3.2).
pub const IRQ_COUNT: u16 = 52;

/// What a core is doing between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreState {
    /// Executes instructions.
    Running,
    /// In WFI, WFE or sleep-on-exit.
    Sleeping,
    /// Halted by the debugger.
    Halted,
    /// Locked up: a fault at HardFault or NMI priority.
    LockedUp,
}

/// An access to the private peripheral bus that this model does not answer; the access itself got a bus error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PpbAccess {
    /// Address of the instruction that made it, if it was not the debugger.
    pub pc: Option<u32>,
    pub addr: u32,
    /// The value written; `None` for a read.
    pub written: Option<u32>,
}

/// Why an instruction did not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// UsageFault UNDEFINSTR.
    Undefined,
    /// UsageFault INVSTATE.
    InvalidState,
    /// UsageFault INVPC.
    InvalidPc,
    /// UsageFault NOCP.
    NoCoprocessor,
    /// UsageFault UNALIGNED.
    Unaligned,
    /// UsageFault DIVBYZERO.
    DivideByZero,
    /// UsageFault STKOF.
    StackOverflow,
    /// BusFault PRECISERR; the address goes to BFAR.
    BusData(u32),
    /// BusFault IBUSERR.
    BusFetch,
    /// BusFault STKERR, UNSTKERR or LSPERR.
    BusFrame(Frame),
    /// MemManage DACCVIOL; the address goes to MMFAR.
    MpuData(u32),
    /// MemManage IACCVIOL.
    MpuFetch,
    /// MemManage MSTKERR, MUNSTKERR or MLSPERR.
    MpuFrame(Frame),
    /// SecureFault INVTRAN: a branch to the Non-secure world.
    SecureTransition,
    /// BKPT, or an FPB match.
    Breakpoint,
}

/// Which handling of a stack frame went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Stacking,
    Unstacking,
    LazyFp,
}

/// What put the core to sleep, which decides what wakes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sleep {
    Wfi,
    Wfe,
}

/// One Cortex-M33.
#[derive(Clone)]
pub struct Core {
    pub(crate) id: u8,
    /// r0-r14 of the current context (r13 is the active stack pointer); r15 reads as the current instruction + 4.
    pub(crate) r: [u32; 16],
    pub(crate) n: bool,
    pub(crate) z: bool,
    pub(crate) c: bool,
    pub(crate) v: bool,
    pub(crate) q: bool,
    /// APSR.GE, bits 3:0.
    pub(crate) ge: u8,
    /// Address of the instruction to execute.
    pc: u32,
    /// Address of the one after it; a branch changes it.
    next_pc: u32,
    /// EPSR.IT of the next instruction; while one executes, of the one after it.
    it: u8,
    /// The executing instruction is in an IT block.
    in_it: bool,
    /// EPSR.T.
    thumb: bool,
    /// Something needs a look before the next instruction: see [`Core::attend`].
    attention: bool,
    /// Counts cycles, awake or asleep.
    cycles: u64,
    instructions: u64,
    /// Cycles awake that were not instructions.
    entries: u64,
    state: CoreState,
    sleep: Sleep,
    event: bool,
    /// Granule of the local exclusive monitor's reservation.
    exclusive: Option<u32>,
    privileged: bool,
    reset_request: bool,
    special: registers::Special,
    nvic: nvic::Nvic,
    scb: scs::Scb,
    systick: systick::SysTick,
    mpu: mpu::Mpu,
    /// The MPU decides over what executes now; cached.
    mpu_active: bool,
    debug: debug::Debug,
    dwt: dwt_fpb::Dwt,
    fpb: dwt_fpb::Fpb,
    pub(crate) fp: fp::Fp,
    unmodelled: Vec<PpbAccess>,
}

impl Core {
    /// A core after power-on, at address 0 in Thread mode, privileged, until [`Core::start`] says where to begin.
    pub fn new(id: u8) -> Self {
        Core {
            id,
            r: [0; 16],
            n: false,
            z: false,
            c: false,
            v: false,
            q: false,
            ge: 0,
            pc: 0,
            next_pc: 0,
            it: 0,
            in_it: false,
            thumb: true,
            attention: false,
            cycles: 0,
            instructions: 0,
            entries: 0,
            state: CoreState::Running,
            sleep: Sleep::Wfi,
            event: false,
            exclusive: None,
            privileged: true,
            reset_request: false,
            special: registers::Special::default(),
            nvic: nvic::Nvic::default(),
            scb: scs::Scb::default(),
            systick: systick::SysTick::default(),
            mpu: mpu::Mpu::default(),
            mpu_active: false,
            debug: debug::Debug::default(),
            dwt: dwt_fpb::Dwt::default(),
            fpb: dwt_fpb::Fpb::default(),
            fp: fp::Fp::default(),
            unmodelled: Vec::new(),
        }
    }

    /// Warm reset. Debug, DWT and FPB registers survive, as do the interrupt lines' levels; if the debugger asked for a
    /// vector catch on reset (DEMCR.VC_CORERESET), the core is halted until it is resumed, wherever [`Core::start`]
    /// puts it.
    pub fn reset(&mut self) {
        let fresh = Core::new(self.id);
        let old = std::mem::replace(self, fresh);
        self.cycles = old.cycles;
        self.instructions = old.instructions;
        self.entries = old.entries;
        self.dwt = old.dwt;
        self.fpb = old.fpb;
        self.unmodelled = old.unmodelled;
        self.nvic.level = old.nvic.level;
        self.nvic.pending = u128::from(old.nvic.level) << nvic::IRQ0;
        self.systick.keep_reference(&old.systick, self.cycles);
        self.debug = old.debug;
        self.reset_debug();
        self.reevaluate();
    }

    /// What a boot ROM does before it jumps: vector table, main stack pointer, entry point (bit 0 is ignored).
    /// Does not resume a core that the debugger has halted.
    pub fn start(&mut self, vtor: u32, sp: u32, pc: u32) {
        self.scb.vtor = vtor & !0x7f;
        self.set_msp(sp);
        self.pc = pc & !1;
        self.thumb = true;
        self.it = 0;
        self.r[14] = 0xffff_ffff;
        if self.state != CoreState::Halted {
            self.state = CoreState::Running;
        }
        self.reevaluate();
    }

    /// Executes one instruction or one exception entry, or passes one cycle asleep; returns `clk_sys` cycles.
    pub fn step<B: Bus>(&mut self, bus: &mut B) -> u32 {
        self.cycles += 1;
        if (self.attention || self.cycles >= self.systick.due()) && !self.attend(bus) {
            return 1;
        }
        self.execute(bus);
        1
    }

    #[inline]
    pub fn state(&self) -> CoreState {
        self.state
    }

    #[inline]
    pub fn id(&self) -> u8 {
        self.id
    }

    /// Address of the next instruction.
    #[inline]
    pub fn pc(&self) -> u32 {
        self.pc
    }

    /// SEV of the other core, or an external event: wakes WFE.
    pub fn event(&mut self) {
        self.event = true;
        self.wake_up();
    }

    /// While asleep: cycles until SysTick would pend; `None` if only an interrupt or event wakes the core.
    pub fn ticks_to_wake(&self) -> Option<u64> {
        self.systick.next_exception().map(|due| due.saturating_sub(self.cycles))
    }

    /// A step would do more than pass a cycle asleep, halted or locked up.
    #[inline]
    pub fn wants_step(&self) -> bool {
        match self.state {
            CoreState::Running => true,
            CoreState::Sleeping => self.cycles >= self.systick.due(),
            CoreState::Halted => false,
            CoreState::LockedUp => self.nvic.take == nvic::NMI,
        }
    }

    /// Time passes while asleep: SysTick advances. A halted core's SysTick stands still, as on the chip.
    pub fn sleep(&mut self, cycles: u64) {
        if self.state != CoreState::Halted {
            self.cycles += cycles;
            self.tick();
        }
    }

    /// The external reference clock of SysTick (TICKS PROC0 or PROC1): `clk_sys` cycles a tick, or `None` while it is
    /// off.
    pub fn set_systick_reference(&mut self, cycles_per_tick: Option<u32>) {
        self.tick();
        self.systick.set_reference(cycles_per_tick, self.cycles);
    }

    /// AIRCR.SYSRESETREQ was written since the last call.
    #[inline]
    pub fn take_reset_request(&mut self) -> bool {
        std::mem::take(&mut self.reset_request)
    }

    /// PPB accesses that were answered with a bus error because nothing is modelled there, since the last call.
    pub fn take_unmodelled(&mut self) -> Vec<PpbAccess> {
        std::mem::take(&mut self.unmodelled)
    }

    /// Instructions executed since [`Core::new`].
    pub fn instructions(&self) -> u64 {
        self.instructions
    }

    /// Cycles this core was neither asleep nor halted; DWT CYCCNT counts these.
    fn awake_cycles(&self) -> u64 {
        self.instructions + self.entries
    }

    /// Brings SysTick up to now.
    fn tick(&mut self) {
        if self.systick.advance(self.cycles) {
            self.nvic.pending |= 1 << nvic::SYSTICK;
            self.pended();
        }
    }

    /// Decides again whether the next step is more than one plain instruction.
    fn update_attention(&mut self) {
        self.attention = self.state != CoreState::Running
            || self.nvic.take != 0
            || !self.thumb
            || self.debug.stepping()
            || self.fpb.active();
    }

    /// Everything that is not "execute the next instruction". Returns whether to execute one now.
    #[cold]
    fn attend<B: Bus>(&mut self, bus: &mut B) -> bool {
        if self.cycles >= self.systick.due() && self.state != CoreState::Halted {
            self.tick();
        }
        match self.state {
            CoreState::Halted => {
                // Time stands still for a halted core.
                self.cycles -= 1;
                return false;
            }
            CoreState::Sleeping => return false,
            CoreState::LockedUp if self.nvic.take != nvic::NMI => return false,
            CoreState::LockedUp | CoreState::Running => {}
        }
        self.state = CoreState::Running;
        if self.nvic.take != 0 {
            self.entries += 1;
            self.enter_exception(bus);
        } else if !self.thumb {
            self.entries += 1;
            self.raise(Fault::InvalidState);
        } else if self.at_breakpoint() {
            self.entries += 1;
            self.raise(Fault::Breakpoint);
        } else if self.debug.stepping() {
            self.execute(bus);
        } else {
            self.update_attention();
            return true;
        }
        if self.debug.stepping() && self.state != CoreState::Halted {
            self.halt(debug::DFSR_HALTED);
        }
        self.update_attention();
        false
    }

    /// WFE or WFI: sleeps unless there is a reason not to.
    fn go_to_sleep(&mut self, sleep: Sleep) {
        self.sleep = sleep;
        self.state = CoreState::Sleeping;
        self.wake_up();
        self.update_attention();
    }

    /// Ends sleep if its end has come. WFE uses the event up.
    fn wake_up(&mut self) {
        if self.state != CoreState::Sleeping {
            return;
        }
        let awake = match self.sleep {
            Sleep::Wfi => self.nvic.wake,
            Sleep::Wfe => self.nvic.take != 0 || std::mem::take(&mut self.event),
        };
        if awake {
            self.state = CoreState::Running;
            self.update_attention();
        }
    }

    /// Executes the instruction at `pc`.
    #[inline]
    fn execute<B: Bus>(&mut self, bus: &mut B) {
        let pc = self.pc;
        self.instructions += 1;
        let (first, second) = match self.fetch_first(bus, pc) {
            Ok(halves) => halves,
            Err(fault) => return self.raise(fault),
        };
        self.r[15] = pc.wrapping_add(4);
        let it = self.it;
        let wide = first >= 0xe800;
        let op = if wide {
            self.next_pc = pc.wrapping_add(4);
            match second.map_or_else(|| self.fetch(bus, pc.wrapping_add(2)), Ok) {
                Ok(second) => u32::from(first) << 16 | u32::from(second),
                Err(fault) => return self.raise(fault),
            }
        } else {
            self.next_pc = pc.wrapping_add(2);
            u32::from(first)
        };
        self.in_it = it != 0;
        if it != 0 {
            self.it = if it & 7 == 0 { 0 } else { it & 0xe0 | it << 1 & 0x1f };
            // BKPT is unconditional even in an IT block.
            if !self.condition(u32::from(it >> 4)) && (wide || op >> 8 != 0xbe) {
                self.pc = self.next_pc;
                return;
            }
        }
        let result = if wide { self.execute32(bus, op) } else { self.execute16(bus, op) };
        match result {
            Ok(()) => self.pc = self.next_pc,
            Err(fault) => {
                self.it = it;
                self.raise(fault);
            }
        }
    }
}
