//! One Cortex-M33: ARMv8-M Mainline with DSP and single-precision floating point, Secure state only.
//!
//! TrustZone's Non-secure world is not modelled, and attempts to enter it fault.

pub(crate) mod fp;

use crate::bus::{Bus, BusFault, Master, Size};

/// What a core is doing between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreState {
    /// Executes instructions.
    Running,
    /// In WFI, WFE or sleep-on-exit.
    Sleeping,
    /// Halted by the debugger.
    Halted,
    /// Locked up: an unrecoverable fault at HardFault or NMI priority.
    LockedUp,
}

/// Why an instruction did not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// UsageFault UNDEFINSTR.
    Undefined,
    /// UsageFault INVSTATE.
    InvalidState,
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
}

/// One Cortex-M33.
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
    pub(crate) fp: fp::Fp,
    state: CoreState,
    instructions: u64,
}

impl Core {
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
            fp: fp::Fp::default(),
            state: CoreState::Running,
            instructions: 0,
        }
    }

    /// Warm reset: debug registers survive. The core stays in lockup-free reset state until [`Core::start`].
    pub fn reset(&mut self) {
        *self = Core::new(self.id);
    }

    /// What a boot ROM does before it jumps: vector table, main stack pointer, entry point (bit 0 is ignored).
    pub fn start(&mut self, _vtor: u32, sp: u32, pc: u32) {
        self.r[13] = sp & !3;
        self.pc = pc & !1;
        self.state = CoreState::Running;
    }

    /// Executes one instruction or one exception entry; returns `clk_sys` cycles.
    pub fn step<B: Bus>(&mut self, bus: &mut B) -> u32 {
        let _ = bus;
        self.next_pc = self.pc.wrapping_add(2);
        self.pc = self.next_pc;
        self.instructions += 1;
        1
    }

    pub fn state(&self) -> CoreState {
        self.state
    }

    pub fn id(&self) -> u8 {
        self.id
    }

    /// Address of the next instruction.
    pub fn pc(&self) -> u32 {
        self.pc
    }

    /// r0-r15; 15 is the address of the next instruction.
    pub fn reg(&self, n: u8) -> u32 {
        if n == 15 { self.pc } else { self.r[usize::from(n & 15)] }
    }

    /// r0-r15; 15 sets the address of the next instruction.
    pub fn set_reg(&mut self, n: u8, value: u32) {
        if n == 15 {
            self.pc = value & !1;
        } else {
            self.r[usize::from(n & 15)] = value;
        }
    }

    /// A register by its DCRSR number (Armv8-M ARM, DCRSR.REGSEL): 0-15, 16 xPSR, 17 MSP, 18 PSP,
    /// 20 CONTROL:FAULTMASK:BASEPRI:PRIMASK, 28 MSPLIM, 29 PSPLIM, 33 FPSCR, 64-95 s0-s31. `None` if there is none.
    pub fn debug_reg(&self, regsel: u8) -> Option<u32> {
        match regsel {
            0..=15 => Some(self.reg(regsel)),
            33 => Some(self.fp.fpscr),
            64..=95 => Some(self.fp.s[usize::from(regsel - 64)]),
            _ => None,
        }
    }

    /// Writes what [`Core::debug_reg`] reads; `false` if there is no such register.
    pub fn set_debug_reg(&mut self, regsel: u8, value: u32) -> bool {
        match regsel {
            0..=15 => self.set_reg(regsel, value),
            33 => self.fp.fpscr = value,
            64..=95 => self.fp.s[usize::from(regsel - 64)] = value,
            _ => return false,
        }
        true
    }

    /// Level of interrupt line `n` (0..52).
    pub fn set_irq(&mut self, _n: u16, _level: bool) {}

    /// SEV of the other core, or an external event: wakes WFE.
    pub fn event(&mut self) {}

    /// While asleep: cycles until SysTick would pend; `None` if only an interrupt or event wakes the core.
    pub fn ticks_to_wake(&self) -> Option<u64> {
        None
    }

    /// Time passes while asleep or halted: SysTick advances.
    pub fn sleep(&mut self, _cycles: u64) {}

    /// An access to the private peripheral bus, by the debugger if `debugger`.
    pub fn ppb_read(&mut self, _addr: u32, _size: Size) -> Result<u32, BusFault> {
        Err(BusFault)
    }

    /// An access to the private peripheral bus by the debugger.
    pub fn ppb_write(&mut self, _addr: u32, _size: Size, _value: u32) -> Result<(), BusFault> {
        Err(BusFault)
    }

    /// The other master wrote at `addr`: a local exclusive reservation there is lost.
    pub fn clear_exclusive(&mut self, _addr: u32) {}

    /// AIRCR.SYSRESETREQ was written since the last call.
    pub fn take_reset_request(&mut self) -> bool {
        false
    }

    /// Instructions executed since [`Core::new`].
    pub fn instructions(&self) -> u64 {
        self.instructions
    }

    /// Loads `size` at `addr`, zero-extended; unaligned addresses are split unless CCR.UNALIGN_TRP is set.
    pub(crate) fn load<B: Bus>(&mut self, bus: &mut B, addr: u32, size: Size) -> Result<u32, Fault> {
        bus.read(Master::Core(self.id), addr, size).map_err(|BusFault| Fault::BusData(addr))
    }

    /// Stores the low `size` of `value`; the counterpart of [`Core::load`].
    pub(crate) fn store<B: Bus>(&mut self, bus: &mut B, addr: u32, size: Size, value: u32) -> Result<(), Fault> {
        bus.write(Master::Core(self.id), addr, size, value).map_err(|BusFault| Fault::BusData(addr))
    }

    /// As [`Core::load`] of a word, but an unaligned address always faults (LDM, LDRD, VLDR, VLDM).
    pub(crate) fn load_aligned<B: Bus>(&mut self, bus: &mut B, addr: u32) -> Result<u32, Fault> {
        if addr & 3 != 0 {
            return Err(Fault::Unaligned);
        }
        self.load(bus, addr, Size::Word)
    }

    /// As [`Core::store`] of a word, but an unaligned address always faults (STM, STRD, VSTR, VSTM).
    pub(crate) fn store_aligned<B: Bus>(&mut self, bus: &mut B, addr: u32, value: u32) -> Result<(), Fault> {
        if addr & 3 != 0 {
            return Err(Fault::Unaligned);
        }
        self.store(bus, addr, Size::Word, value)
    }

    /// Writes r13 through the stack limit check (VLDM/VSTM/VPUSH write-back to SP must use this).
    pub(crate) fn check_sp_limit(&self, _new_sp: u32) -> Result<(), Fault> {
        Ok(())
    }
}
