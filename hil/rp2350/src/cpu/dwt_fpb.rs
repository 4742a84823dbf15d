//! DWT with its cycle counter, and the FPB's eight hardware breakpoints.
//!
//! DWT comparators are registers only: no watchpoint ever matches.

use super::Core;
use super::identification::component_id;

const COMPARATORS: usize = 4;
/// DWT_CTRL: four comparators, CYCCNTENA.
const DWT_CTRL: u32 = 0x4000_0000;
const CYCCNTENA: u32 = 1;
const DWT_CTRL_WRITABLE: u32 = 0x007f_1fff;
/// What a comparator can do (DWT_FUNCTION.ID): the even ones count cycles or match too.
const FUNCTION_ID: [u32; COMPARATORS] = [0x5800_0000, 0xf000_0000, 0x5000_0000, 0xf000_0000];

const BREAKPOINTS: usize = 8;
/// FP_CTRL: revision 2, eight comparators.
const FP_CTRL: u32 = 0x1000_0080;

#[derive(Clone, Debug, Default)]
pub(super) struct Dwt {
    control: u32,
    /// CYCCNT when `since` awake cycles had passed.
    cyccnt: u32,
    since: u64,
    comp: [u32; COMPARATORS],
    function: [u32; COMPARATORS],
}

#[derive(Clone, Debug, Default)]
pub(super) struct Fpb {
    enabled: bool,
    comp: [u32; BREAKPOINTS],
}

impl Fpb {
    /// Any breakpoint is set.
    #[inline]
    pub(super) fn active(&self) -> bool {
        self.enabled && self.comp.iter().any(|comp| comp & 1 != 0)
    }

    /// A breakpoint is on the instruction at `addr`.
    pub(super) fn matches(&self, addr: u32) -> bool {
        self.enabled && self.comp.contains(&(addr | 1))
    }
}

impl Core {
    /// The FPB has a breakpoint on the next instruction.
    pub(crate) fn at_breakpoint(&self) -> bool {
        self.fpb.matches(self.pc)
    }

    fn counts_cycles(&self) -> bool {
        self.dwt.control & CYCCNTENA != 0 && self.debug.trace_enabled()
    }

    /// Brings the stored CYCCNT up to now, before what makes it count changes.
    pub(super) fn freeze_cyccnt(&mut self) {
        let now = self.awake_cycles();
        if self.counts_cycles() {
            self.dwt.cyccnt = self.dwt.cyccnt.wrapping_add((now - self.dwt.since) as u32);
        }
        self.dwt.since = now;
    }

    /// Counts on from here.
    pub(super) fn resume_cyccnt(&mut self) {
        self.dwt.since = self.awake_cycles();
    }

    /// Registers from 0xE0001000.
    pub(super) fn dwt_read(&mut self, offset: u32) -> Option<u32> {
        let comparator = (offset as usize).wrapping_sub(0x20) >> 4;
        Some(match offset {
            0x00 => DWT_CTRL | self.dwt.control,
            0x04 => {
                self.freeze_cyccnt();
                self.dwt.cyccnt
            }
            // The event counters exist and never count here; LSUCNT to FOLDCNT.
            0x08..=0x18 => 0,
            0x1c => self.pc,
            0x20..=0x5c => match offset & 15 {
                0 => self.dwt.comp[comparator],
                8 => self.dwt.function[comparator] | FUNCTION_ID[comparator],
                _ => return None,
            },
            // Software lock: not implemented, reads as zero.
            0xfb0 | 0xfb4 => 0,
            0xfbc => 0x4770_1a02,
            0xfcc => 0,
            0xfd0..=0xffc => component_id(offset),
            _ => return None,
        })
    }

    pub(super) fn dwt_write(&mut self, offset: u32, value: u32) -> Option<()> {
        let comparator = (offset as usize).wrapping_sub(0x20) >> 4;
        match offset {
            0x00 => {
                self.freeze_cyccnt();
                self.dwt.control = value & DWT_CTRL_WRITABLE;
                self.resume_cyccnt();
            }
            0x04 => {
                self.dwt.cyccnt = value;
                self.resume_cyccnt();
            }
            0x08..=0x1c | 0xfb0 => {}
            0x20..=0x5c => match offset & 15 {
                0 => self.dwt.comp[comparator] = value,
                8 => self.dwt.function[comparator] = value & 0xc3f,
                _ => return None,
            },
            _ => return None,
        }
        Some(())
    }

    /// Registers from 0xE0002000.
    pub(super) fn fpb_read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 => FP_CTRL | u32::from(self.fpb.enabled),
            // FP_REMAP: no remapping.
            0x04 => 0,
            0x08..=0x24 => self.fpb.comp[(offset as usize - 8) >> 2],
            0xfb0 | 0xfb4 => 0,
            0xfbc => 0x4770_1a03,
            0xfcc => 0,
            0xfd0..=0xffc => component_id(offset),
            _ => return None,
        })
    }

    pub(super) fn fpb_write(&mut self, offset: u32, value: u32) -> Option<()> {
        match offset {
            // KEY must be set for a write to count.
            0x00 if value & 2 != 0 => self.fpb.enabled = value & 1 != 0,
            0x00 | 0x04 | 0xfb0 => {}
            // Bit 0 enables; an address is a halfword's. Without bit 0 nothing matches, whatever the rest.
            0x08..=0x24 => self.fpb.comp[(offset as usize - 8) >> 2] = value,
            _ => return None,
        }
        self.update_attention();
        Some(())
    }
}
