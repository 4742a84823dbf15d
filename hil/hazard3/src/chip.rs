//! Registers of the RP2350 around its RISC-V core: those that starting the crystal, the timer and the pins needs.
//!
//! Addresses and bits are the RP2350 datasheet's; the section stands at each block. A block in reset ignores writes and
//! reads as zero; a write through the XOR, set and clear aliases changes the bits it names (2.1.3).

use std::collections::BTreeMap;

/// Where the processors' peripherals begin; each block has 16 KiB, four aliases of 4 KiB (2.2.4).
pub const APB: u32 = 0x4000_0000;
pub const APB_BYTES: usize = 0x11_0000;
/// The single-cycle I/O block (2.2.7).
pub const SIO: u32 = 0xd000_0000;
pub const SIO_BYTES: usize = 0x1000;

const CLOCKS: u32 = 0x4001_0000;
const CLK_REF_CTRL: u32 = CLOCKS + 0x30;
const CLK_REF_SELECTED: u32 = CLOCKS + 0x38;
const CLK_REF_IS_XOSC: u32 = 2;
const RESETS: u32 = 0x4002_0000;
const RESET_DONE: u32 = RESETS + 8;
/// All blocks are in reset first (7.5).
const RESETS_AT_START: u32 = 0x1fff_ffff;
const RESET_IO_BANK0: u32 = 1 << 6;
const RESET_PADS_BANK0: u32 = 1 << 9;
const IO_BANK0: u32 = 0x4002_8000;
const IO_BANK0_END: u32 = IO_BANK0 + 8 * PINS;
const FUNCSEL_SIO: u32 = 5;
const PADS_BANK0: u32 = 0x4003_8004;
const PADS_BANK0_END: u32 = PADS_BANK0 + 4 * PINS;
/// Pull-down, 4 mA, Schmitt trigger, isolated (9.11.3).
const PAD_AT_START: u32 = 0x116;
const PAD_ISO: u32 = 1 << 8;
const PAD_OD: u32 = 1 << 7;
const XOSC: u32 = 0x4004_8000;
const XOSC_STATUS: u32 = XOSC + 4;
const XOSC_STARTUP: u32 = XOSC + 12;
/// Enabled, for a crystal of 1 to 15 MHz (8.2.8).
const XOSC_ON: u32 = 0xfab << 12 | 0xaa0;
const XOSC_STABLE: u32 = 1 << 31;
const CRYSTAL_MHZ: u32 = 12;
/// (8.5.2)
const TICKS: u32 = 0x4010_8000;
const TICK_RISCV_CTRL: u32 = TICKS + 0x3c;
const TICK_RISCV_CYCLES: u32 = TICKS + 0x40;

const PINS: u32 = 30;

/// A change of level of a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    pub at_us: u64,
    pub pin: u8,
    pub high: bool,
}

pub struct Chip {
    pub edges: Vec<Edge>,
    /// What the firmware did first that is not modelled.
    pub unmodelled: Option<String>,
    /// Registers that only keep what is written, by address.
    kept: BTreeMap<u32, u32>,
    out: u32,
    enabled: u32,
    /// Levels as seen from outside: a pin that is not driven is low.
    levels: u32,
    now_us: u64,
    compare: u64,
    timer_control: u32,
}

impl Default for Chip {
    fn default() -> Self {
        Self {
            edges: Vec::new(),
            unmodelled: None,
            kept: BTreeMap::from([(RESETS, RESETS_AT_START)]),
            out: 0,
            enabled: 0,
            levels: 0,
            now_us: 0,
            compare: u64::MAX,
            // Counts ticks, stands still while a debugger halts (3.1.11, MTIME_CTRL).
            timer_control: 0xd,
        }
    }
}

impl Chip {
    /// When the timer's interrupt gets pending: nothing if it has no time to wait for or does not count microseconds.
    pub fn wakes_at_us(&self) -> Option<u64> {
        let ticks = self.kept(TICK_RISCV_CTRL) & 1 != 0 && self.kept(TICK_RISCV_CYCLES) == CRYSTAL_MHZ;
        // Enabled, and not at the speed of the core.
        let counts = self.timer_control & 3 == 1;
        let crystal = self.kept(CLK_REF_CTRL) & 3 == CLK_REF_IS_XOSC && self.crystal_runs();
        (counts && ticks && crystal && self.compare != u64::MAX).then_some(self.compare)
    }

    /// Lets time pass.
    pub fn sleep_until_us(&mut self, time_us: u64) {
        self.now_us = self.now_us.max(time_us);
    }

    pub fn read(&mut self, address: u32) -> u32 {
        match address {
            XOSC_STATUS if self.crystal_runs() => XOSC_STABLE,
            XOSC_STATUS => 0,
            CLK_REF_SELECTED => 1 << (self.kept(CLK_REF_CTRL) & 3),
            RESET_DONE => !self.kept(RESETS) & RESETS_AT_START,
            _ if address >= SIO => self.read_sio(address - SIO),
            _ if is_kept(address) => self.kept(address),
            _ => self.lacks("reads", address),
        }
    }

    pub fn write(&mut self, address: u32, value: u32) {
        if address >= SIO {
            self.write_sio(address - SIO, value);
        } else {
            let (register, alias) = (address & !0x3000, address >> 12 & 3);
            if !is_kept(register) {
                self.lacks("writes", address);
                return;
            }
            let before = self.kept(register);
            let after = match alias {
                1 => before ^ value,
                2 => before | value,
                3 => before & !value,
                _ => value,
            };
            if !self.in_reset(register) {
                self.kept.insert(register, after);
            }
        }
        self.log_edges();
    }

    fn read_sio(&mut self, offset: u32) -> u32 {
        match offset {
            0x004 => self.levels,
            0x1a4 => self.timer_control,
            0x1b0 => self.now_us as u32,
            0x1b4 => (self.now_us >> 32) as u32,
            _ => self.lacks("reads", SIO + offset),
        }
    }

    fn write_sio(&mut self, offset: u32, value: u32) {
        let half = u64::from(value);
        match offset {
            0x010 => self.out = value,
            0x018 => self.out |= value,
            0x020 => self.out &= !value,
            0x028 => self.out ^= value,
            0x030 => self.enabled = value,
            0x038 => self.enabled |= value,
            0x040 => self.enabled &= !value,
            0x1a4 => self.timer_control = value,
            0x1b8 => self.compare = self.compare & !0xffff_ffff | half,
            0x1bc => self.compare = self.compare & 0xffff_ffff | half << 32,
            _ => {
                self.lacks("writes", SIO + offset);
            }
        }
    }

    fn crystal_runs(&self) -> bool {
        self.kept(XOSC) == XOSC_ON && self.kept(XOSC_STARTUP) != 0
    }

    /// A pin shows what the block drives once it is connected and its pad enabled and not isolated.
    fn log_edges(&mut self) {
        for pin in 0..PINS {
            let driven = self.enabled >> pin & 1 != 0
                && self.kept(IO_BANK0 + 4 + 8 * pin) & 0x1f == FUNCSEL_SIO
                && self.kept(PADS_BANK0 + 4 * pin) & (PAD_ISO | PAD_OD) == 0;
            let high = driven && self.out >> pin & 1 != 0;
            if (self.levels >> pin & 1 != 0) != high {
                self.levels ^= 1 << pin;
                self.edges.push(Edge { at_us: self.now_us, pin: pin as u8, high });
            }
        }
    }

    fn in_reset(&self, register: u32) -> bool {
        let block = match register {
            IO_BANK0..IO_BANK0_END => RESET_IO_BANK0,
            PADS_BANK0..PADS_BANK0_END => RESET_PADS_BANK0,
            _ => return false,
        };
        self.kept.get(&RESETS).is_some_and(|resets| resets & block != 0)
    }

    fn kept(&self, register: u32) -> u32 {
        if self.in_reset(register) {
            return 0;
        }
        let at_start = if (PADS_BANK0..PADS_BANK0_END).contains(&register) { PAD_AT_START } else { 0 };
        self.kept.get(&register).copied().unwrap_or(at_start)
    }

    fn lacks(&mut self, does: &str, address: u32) -> u32 {
        self.unmodelled.get_or_insert_with(|| format!("the firmware {does} 0x{address:08x}, which is not modelled"));
        0
    }
}

fn is_kept(register: u32) -> bool {
    matches!(
        register,
        RESETS | CLK_REF_CTRL | XOSC | XOSC_STARTUP | TICK_RISCV_CTRL | TICK_RISCV_CYCLES | IO_BANK0..IO_BANK0_END
            | PADS_BANK0..PADS_BANK0_END
    )
}
