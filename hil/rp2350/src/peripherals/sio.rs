//! SIO: what a core reaches in a single cycle — pins, FIFOs to the other core, spinlocks, doorbells (datasheet §3.1).
//!
//! Interpolators, TMDS encoder and the RISC-V timer are not modelled: their registers are reported.

use std::collections::VecDeque;

use super::gpio::Gpio;

/// Entries of each inter-core FIFO (datasheet §3.1.5).
const FIFO_DEPTH: usize = 4;

#[derive(Clone, Default)]
struct Side {
    /// What this core can read.
    inbox: VecDeque<u32>,
    overflow: bool,
    underflow: bool,
    /// Doorbells rung for this core.
    bells: u32,
}

#[derive(Clone, Default)]
pub(crate) struct Sio {
    sides: [Side; 2],
    locks: u32,
    peri_nonsec: u32,
    /// Set when an access changed an interrupt line.
    pub(crate) changed: bool,
}

impl Sio {
    /// FIFO and doorbell interrupt of a core.
    pub(crate) fn irq(&self, core: usize) -> (bool, bool) {
        let side = &self.sides[core];
        let fifo = !side.inbox.is_empty() || side.overflow || side.underflow;
        (fifo, side.bells != 0)
    }

    pub(crate) fn pop(&mut self, core: usize) -> Option<u32> {
        self.changed = true;
        self.sides[core].inbox.pop_front()
    }

    pub(crate) fn push(&mut self, from: usize, value: u32) -> bool {
        self.changed = true;
        let inbox = &mut self.sides[from ^ 1].inbox;
        let room = inbox.len() < FIFO_DEPTH;
        if room {
            inbox.push_back(value);
        }
        room
    }

    /// Throws away what `core` has not read.
    pub(crate) fn drain(&mut self, core: usize) {
        self.sides[core].inbox.clear();
        self.changed = true;
    }

    #[inline]
    pub(crate) fn read(&mut self, gpio: &Gpio, core: usize, offset: u32) -> Option<u32> {
        let side = &self.sides[core];
        Some(match offset {
            0x000 => core as u32,
            0x004 => gpio.input() as u32,
            0x008 => (gpio.input() >> 32) as u32,
            0x010 => gpio.sio_out as u32,
            0x014 => (gpio.sio_out >> 32) as u32,
            0x030 => gpio.sio_oe as u32,
            0x034 => (gpio.sio_oe >> 32) as u32,
            // The set, clear and toggle registers are write-only.
            0x018..0x030 | 0x038..0x050 => 0,
            0x050 => {
                let room = self.sides[core ^ 1].inbox.len() < FIFO_DEPTH;
                u32::from(!side.inbox.is_empty())
                    | u32::from(room) << 1
                    | u32::from(side.overflow) << 2
                    | u32::from(side.underflow) << 3
            }
            0x054 => 0,
            0x058 => match self.pop(core) {
                Some(value) => value,
                None => {
                    self.sides[core].underflow = true;
                    0
                }
            },
            0x05c => self.locks,
            0x100..0x180 => {
                let lock = 1 << ((offset - 0x100) / 4);
                if self.locks & lock != 0 {
                    0
                } else {
                    self.locks |= lock;
                    lock
                }
            }
            0x180 | 0x184 => self.sides[core ^ 1].bells,
            0x188 | 0x18c => side.bells,
            0x190 => self.peri_nonsec,
            _ => return None,
        })
    }

    #[inline]
    pub(crate) fn write(&mut self, gpio: &mut Gpio, now: u64, core: usize, offset: u32, value: u32) -> Option<()> {
        match offset {
            0x010..0x050 => {
                let high = offset & 4 != 0;
                let value = u64::from(value) << if high { 32 } else { 0 };
                let keep = if high { 0xffff_ffff } else { !0xffff_ffff };
                let register = if offset < 0x030 { &mut gpio.sio_out } else { &mut gpio.sio_oe };
                let old = *register;
                *register = match (offset - 0x010) % 0x20 / 8 {
                    0 => old & keep | value,
                    1 => old | value,
                    2 => old & !value,
                    _ => old ^ value,
                };
                let changed = old ^ *register;
                gpio.update(now, changed);
                self.changed |= gpio.watched();
            }
            0x050 => {
                self.sides[core].overflow &= value & 4 == 0;
                self.sides[core].underflow &= value & 8 == 0;
                self.changed = true;
            }
            0x054 => {
                if !self.push(core, value) {
                    self.sides[core].overflow = true;
                }
            }
            0x100..0x180 => self.locks &= !(1 << ((offset - 0x100) / 4)),
            0x180 => self.ring(core ^ 1, value, 0),
            0x184 => self.ring(core ^ 1, 0, value),
            0x188 => self.ring(core, value, 0),
            0x18c => self.ring(core, 0, value),
            0x190 => self.peri_nonsec = value & 0x23,
            // Read-only.
            0x000..0x00c | 0x058 | 0x05c => {}
            _ => return None,
        }
        Some(())
    }

    fn ring(&mut self, core: usize, set: u32, clear: u32) {
        let bells = &mut self.sides[core].bells;
        *bells = (*bells | set & 0xff) & !clear;
        self.changed = true;
    }
}
