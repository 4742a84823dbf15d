//! The chip model's core on a flat bus with the same memories as Unicorn.

use rp2350_model::bus::{Bus, BusFault, CpOp, CpResult, Master, Size};
use rp2350_model::cpu::{Core, CoreState};

use crate::state::{CODE, CODE_BYTES, DATA, DATA_BYTES, FP_ACTIVE, POINTERS, State};

// Armv8-M ARM, System Control Space.
const CFSR: u32 = 0xE000_ED28;
const HFSR: u32 = 0xE000_ED2C;
const SHCSR: u32 = 0xE000_ED24;
const SHCSR_SVCALLPENDED: u32 = 1 << 15;
const CPACR: u32 = 0xE000_ED88;
const CPACR_CP10_CP11: u32 = 0xF << 20;

// DCRSR.REGSEL.
const XPSR: u8 = 16;
const MSP: u8 = 17;
const PSP: u8 = 18;
const MASKS: u8 = 20;
const FPSCR: u8 = 33;
const S0: u8 = 64;

struct Flat {
    code: Vec<u8>,
    data: Vec<u8>,
    pointers: Vec<u8>,
}

impl Flat {
    fn bytes(&self, addr: u32, count: u32) -> Result<&[u8], BusFault> {
        let (memory, start) = match addr {
            CODE..DATA => (&self.code, CODE),
            DATA..POINTERS => (&self.data, DATA),
            _ => (&self.pointers, POINTERS),
        };
        let from = addr.wrapping_sub(start) as usize;
        memory.get(from..from.wrapping_add(count as usize)).ok_or(BusFault)
    }
}

impl Bus for Flat {
    fn fetch(&mut self, _: u8, addr: u32) -> Result<u16, BusFault> {
        let bytes = self.bytes(addr, 2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn read(&mut self, _: Master, addr: u32, size: Size) -> Result<u32, BusFault> {
        let bytes = self.bytes(addr, size.bytes())?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }

    fn write(&mut self, _: Master, addr: u32, size: Size, value: u32) -> Result<(), BusFault> {
        let from = addr.wrapping_sub(DATA) as usize;
        let count = size.bytes() as usize;
        let place = self.data.get_mut(from..from.wrapping_add(count)).ok_or(BusFault)?;
        place.copy_from_slice(&value.to_le_bytes()[..count]);
        Ok(())
    }

    fn send_event(&mut self, _: u8) {}

    fn coprocessor(&mut self, _: u8, _: CpOp) -> Option<CpResult> {
        None
    }
}

pub struct Model {
    core: Core,
    bus: Flat,
}

impl Model {
    pub fn new(code: &[u8], data: &[u8], pointers: &[u8]) -> Self {
        assert_eq!((code.len(), data.len()), (CODE_BYTES as usize, DATA_BYTES as usize));
        let bus = Flat { code: code.into(), data: data.into(), pointers: pointers.into() };
        Model { core: fresh(), bus }
    }

    pub fn set_code(&mut self, code: &[u8]) {
        self.bus.code.copy_from_slice(code);
    }

    pub fn data(&self) -> &[u8] {
        &self.bus.data
    }

    /// Undoes what a trap or special-register instructions did.
    pub fn restore(&mut self) {
        self.core = fresh();
    }

    /// As [`crate::engine::Engine::run`].
    pub fn run(&mut self, state: &State, instructions: u32, special: bool) -> State {
        let core = &mut self.core;
        let [msp, psp, primask, basepri, faultmask, control] = state.special;
        if special {
            core.set_debug_reg(MASKS, control << 24 | faultmask << 16 | basepri << 8 | primask);
            core.set_debug_reg(MSP, msp);
            core.set_debug_reg(PSP, psp);
        }
        for (n, value) in (0..).zip(state.r) {
            core.set_reg(n, value);
        }
        core.set_debug_reg(XPSR, state.xpsr);
        core.set_debug_reg(FPSCR, state.fpscr);
        for (n, value) in (S0..).zip(state.s) {
            core.set_debug_reg(n, value);
        }

        // No further than the trap: taking the exception would write its frame to memory.
        let mut trapped = false;
        for _ in 0..instructions {
            core.step(&mut self.bus);
            trapped = has_trapped(core);
            if trapped {
                break;
            }
        }

        let read = |regsel| core.debug_reg(regsel).expect("every Cortex-M33 has this register");
        let mut after = State {
            r: std::array::from_fn(|n| core.reg(n as u8)),
            xpsr: read(XPSR),
            s: std::array::from_fn(|n| read(S0 + n as u8)),
            fpscr: read(FPSCR),
            special: state.special,
            trapped,
        };
        if special {
            let masks = read(MASKS);
            after.special = [read(MSP), read(PSP), masks & 1, masks >> 8 & 0xFF, masks >> 16 & 1, masks >> 24];
        }
        after
    }
}

fn fresh() -> Core {
    let mut core = Core::new(0);
    core.start(CODE, DATA + DATA_BYTES / 2, CODE);
    core.ppb_write(CPACR, Size::Word, CPACR_CP10_CP11).expect("CPACR exists");
    core.set_debug_reg(MASKS, FP_ACTIVE << 24);
    core
}

/// The last instruction raised a fault or called the supervisor.
fn has_trapped(core: &mut Core) -> bool {
    core.state() != CoreState::Running
        || [(CFSR, !0), (HFSR, !0), (SHCSR, SHCSR_SVCALLPENDED)].iter().any(|(register, mask)| {
            core.ppb_read(*register, Size::Word).expect("the core answers its own registers") & mask != 0
        })
}
