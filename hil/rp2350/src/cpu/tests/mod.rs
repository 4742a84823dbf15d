//! The core on a flat RAM: short programs as halfwords, with their assembly beside them.

mod debugging;
mod exceptions;
mod faults;
mod instructions;
mod robustness;
mod threads;
mod time;

use super::nvic::Nvic;
use super::{Core, CoreState};
use crate::bus::{Bus, BusFault, CpKind, CpOp, CpResult, Master, Size};

const RAM: u32 = 0x2000_0000;
const RAM_SIZE: usize = 0x8000;
const CODE: u32 = RAM + 0x400;
const HANDLERS: u32 = RAM + 0x1000;
const STACK: u32 = RAM + 0x4000;
const DATA: u32 = RAM + 0x6000;

const ICSR: u32 = 0xe000_ed04;
const AIRCR: u32 = 0xe000_ed0c;
const SCR: u32 = 0xe000_ed10;
const CCR: u32 = 0xe000_ed14;
const SHPR1: u32 = 0xe000_ed18;
const SHCSR: u32 = 0xe000_ed24;
const CFSR: u32 = 0xe000_ed28;
const HFSR: u32 = 0xe000_ed2c;
const DFSR: u32 = 0xe000_ed30;
const MMFAR: u32 = 0xe000_ed34;
const BFAR: u32 = 0xe000_ed38;
const CPACR: u32 = 0xe000_ed88;
const DHCSR: u32 = 0xe000_edf0;
const DCRSR: u32 = 0xe000_edf4;
const DCRDR: u32 = 0xe000_edf8;
const DEMCR: u32 = 0xe000_edfc;
const FPCCR: u32 = 0xe000_ef34;

const BX_LR: u16 = 0x4770;
const NOP: u16 = 0xbf00;
const WFI: u16 = 0xbf30;
const WFE: u16 = 0xbf20;

/// 32 KiB of RAM; everything else faults.
struct Ram {
    bytes: Vec<u8>,
    events: u32,
    coprocessor: Vec<CpOp>,
}

impl Ram {
    fn range(addr: u32, size: u32) -> Result<std::ops::Range<usize>, BusFault> {
        let from = addr.wrapping_sub(RAM) as usize;
        let range = from..from.saturating_add(size as usize);
        if range.end <= RAM_SIZE { Ok(range) } else { Err(BusFault) }
    }
}

impl Bus for Ram {
    fn fetch(&mut self, _core: u8, addr: u32) -> Result<u16, BusFault> {
        assert_eq!(addr & 1, 0);
        Ok(self.read(Master::Core(0), addr, Size::Half)? as u16)
    }

    fn read(&mut self, _master: Master, addr: u32, size: Size) -> Result<u32, BusFault> {
        assert_eq!(addr & (size.bytes() - 1), 0, "the core splits unaligned accesses");
        let bytes = &self.bytes[Ram::range(addr, size.bytes())?];
        Ok(bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte)))
    }

    fn write(&mut self, _master: Master, addr: u32, size: Size, value: u32) -> Result<(), BusFault> {
        assert_eq!(addr & (size.bytes() - 1), 0, "the core splits unaligned accesses");
        let range = Ram::range(addr, size.bytes())?;
        let count = range.len();
        self.bytes[range].copy_from_slice(&value.to_le_bytes()[..count]);
        Ok(())
    }

    fn send_event(&mut self, _core: u8) {
        self.events += 1;
    }

    fn coprocessor(&mut self, _core: u8, op: CpOp) -> Option<CpResult> {
        self.coprocessor.push(op);
        match (op.coproc, op.kind) {
            (0, CpKind::Mrc) => Some(CpResult { value: 0xa000_0000, value2: 0 }),
            (0, _) => Some(CpResult { value: 0x1111, value2: 0x2222 }),
            _ => None,
        }
    }
}

struct Machine {
    core: Core,
    ram: Ram,
}

impl Machine {
    /// A core at the start of `code`, with vectors that lead to one handler each: `bx lr`.
    fn new(code: &[u16]) -> Machine {
        let ram = Ram { bytes: vec![0; RAM_SIZE], events: 0, coprocessor: Vec::new() };
        let mut machine = Machine { core: Core::new(0), ram };
        machine.place(CODE, code);
        for exception in 2..68 {
            machine.handler(exception, &[BX_LR]);
        }
        machine.core.start(RAM, STACK, CODE);
        machine
    }

    fn place(&mut self, addr: u32, code: &[u16]) {
        for (index, &half) in (0..).zip(code) {
            self.ram.write(Master::Core(0), addr + 2 * index, Size::Half, u32::from(half)).unwrap();
        }
    }

    /// Puts a handler of at most 32 halfwords behind a vector.
    fn handler(&mut self, exception: u32, code: &[u16]) {
        let addr = handler_at(exception);
        self.place(addr, code);
        self.write(RAM + 4 * exception, addr | 1);
    }

    fn read(&mut self, addr: u32) -> u32 {
        if addr >> 28 == 0xe {
            return self.core.ppb_read(addr, Size::Word).unwrap();
        }
        self.ram.read(Master::Core(0), addr, Size::Word).unwrap()
    }

    fn write(&mut self, addr: u32, value: u32) {
        if addr >> 28 == 0xe {
            return self.core.ppb_write(addr, Size::Word, value).unwrap();
        }
        self.ram.write(Master::Core(0), addr, Size::Word, value).unwrap();
    }

    fn steps(&mut self, count: u32) -> &mut Machine {
        for _ in 0..count {
            self.core.step(&mut self.ram);
        }
        self
    }

    fn set(&mut self, reg: u8, value: u32) -> &mut Machine {
        self.core.set_reg(reg, value);
        self
    }

    fn r(&self, reg: u8) -> u32 {
        self.core.reg(reg)
    }

    fn ipsr(&self) -> u32 {
        self.core.xpsr() & 0x1ff
    }

    /// Enables interrupt `line` at `priority`.
    fn enable(&mut self, line: u32, priority: u32) {
        self.write(0xe000_e100 + line / 32 * 4, 1 << (line % 32));
        let byte = 0xe000_e400 + line;
        self.core.ppb_write(byte, Size::Byte, priority).unwrap();
    }
}

fn handler_at(exception: u32) -> u32 {
    HANDLERS + 0x40 * exception
}
