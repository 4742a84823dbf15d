//! The floating-point unit (FPv5 single precision): its registers and the instructions of coprocessors 10 and 11.
//!
//! The core has checked CPACR, saved a lazily stacked frame and set CONTROL.FPCA before [`execute`] is called, and it
//! has evaluated the condition of an IT block. Double-precision arithmetic does not exist on this unit and is
//! UNDEFINED; double-word registers exist for loads, stores and moves only.

pub mod arith;
pub mod convert;
mod data;
mod transfer;

#[cfg(test)]
mod tests;

use super::alu::{bad, undefined_if};
use super::{Core, Fault};
use crate::bus::Bus;

/// Floating-point registers. `d[n]` is `s[2n+1]:s[2n]`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fp {
    pub(crate) s: [u32; 32],
    pub(crate) fpscr: u32,
}

/// Executes one instruction with coprocessor number 10 or 11; `op` is `first halfword << 16 | second halfword`.
pub(crate) fn execute<B: Bus>(core: &mut Core, bus: &mut B, op: u32) -> Result<(), Fault> {
    match op >> 24 {
        0xEC | 0xED => transfer::load_store(core, bus, op),
        0xEE if op & 0x10 != 0 => transfer::register_move(core, op),
        0xEE => data::execute(core, op),
        0xFE if op & 0x10 == 0 => data::execute_unconditional(core, op),
        _ => Err(Fault::Undefined),
    }
}

/// Bits `low + width - 1` to `low` of `op`.
fn field(op: u32, low: u32, width: u32) -> u32 {
    (op >> low) & ((1 << width) - 1)
}

fn bit(op: u32, n: u32) -> bool {
    op >> n & 1 != 0
}

/// A single-precision register number: four bits at `low` above one at `extra`.
fn single(op: u32, low: u32, extra: u32) -> usize {
    (field(op, low, 4) << 1 | field(op, extra, 1)) as usize
}

/// A double-word register number: one bit at `extra` above four at `low`. The unit has 16 of them.
fn double(op: u32, low: u32, extra: u32) -> Result<usize, Fault> {
    if bit(op, extra) {
        return Err(Fault::Undefined);
    }
    Ok(field(op, low, 4) as usize)
}
