//! Moves between floating-point registers, core registers and memory.
//!
//! A faulting multiple transfer leaves its base register as it was (registers already loaded stay loaded: the
//! instruction is restarted). What is UNPREDICTABLE takes the UNDEFINED fault.

use super::arith::FPSCR_MASK;
use super::{Core, Fault, bad, bit, double, field, single, undefined_if};
use crate::bus::Bus;

const SP: usize = 13;
const PC: usize = 15;

/// First halfword 0xECxx or 0xEDxx.
pub(super) fn load_store<B: Bus>(core: &mut Core, bus: &mut B, op: u32) -> Result<(), Fault> {
    let (p, u, w) = (bit(op, 24), bit(op, 23), bit(op, 21));
    match (p, u, w) {
        (false, false, false) if bit(op, 22) => move_two(core, op),
        (false, false, _) => Err(Fault::Undefined),
        (true, _, false) => load_store_one(core, bus, op),
        (true, true, true) => Err(Fault::Undefined),
        _ => load_store_multiple(core, bus, op),
    }
}

/// First single-precision register, and how many, of a transfer of `words` words.
fn register_range(op: u32, words: usize) -> Result<(usize, usize), Fault> {
    let (first, count) = if is_double(op) {
        // An odd count is FLDMX/FSTMX: one word of address more than of data.
        (2 * double(op, 12, 22)?, words & !1)
    } else {
        (single(op, 12, 22), words)
    };
    undefined_if(count == 0 || first + count > 32)?;
    Ok((first, count))
}

fn is_double(op: u32) -> bool {
    bit(op, 8)
}

/// VLDR, VSTR.
fn load_store_one<B: Bus>(core: &mut Core, bus: &mut B, op: u32) -> Result<(), Fault> {
    let words = if is_double(op) { 2 } else { 1 };
    let (first, count) = register_range(op, words)?;
    let n = field(op, 16, 4) as usize;
    undefined_if(n == PC && !bit(op, 20))?;
    let base = if n == PC { core.r[PC] & !3 } else { core.r[n] };
    let offset = field(op, 0, 8) * 4;
    let address = if bit(op, 23) { base.wrapping_add(offset) } else { base.wrapping_sub(offset) };
    transfer(core, bus, op, address, first, count)
}

/// VLDM, VSTM, VPUSH, VPOP.
fn load_store_multiple<B: Bus>(core: &mut Core, bus: &mut B, op: u32) -> Result<(), Fault> {
    let words = field(op, 0, 8);
    let (first, count) = register_range(op, words as usize)?;
    let n = field(op, 16, 4) as usize;
    undefined_if(n == PC)?;
    let base = core.r[n];
    let (address, after) = if bit(op, 23) {
        (base, base.wrapping_add(4 * words))
    } else {
        let below = base.wrapping_sub(4 * words);
        (below, below)
    };
    let write_back = bit(op, 21);
    if write_back && n == SP {
        core.check_sp_limit(after)?;
    }
    transfer(core, bus, op, address, first, count)?;
    if write_back {
        core.r[n] = after;
    }
    Ok(())
}

fn transfer<B: Bus>(
    core: &mut Core,
    bus: &mut B,
    op: u32,
    address: u32,
    first: usize,
    count: usize,
) -> Result<(), Fault> {
    let load = bit(op, 20);
    for i in 0..count {
        let address = address.wrapping_add(4 * i as u32);
        if load {
            core.fp.s[first + i] = core.load_aligned(bus, address)?;
        } else {
            core.store_aligned(bus, address, core.fp.s[first + i])?;
        }
    }
    Ok(())
}

/// VMOV between two core registers and a double-word register or two single-precision ones.
fn move_two(core: &mut Core, op: u32) -> Result<(), Fault> {
    undefined_if(field(op, 6, 2) != 0 || !bit(op, 4))?;
    let first = if is_double(op) { 2 * double(op, 0, 5)? } else { single(op, 0, 5) };
    let (t, t2) = (field(op, 12, 4) as usize, field(op, 16, 4) as usize);
    let load = bit(op, 20);
    undefined_if(bad(t) || bad(t2) || first == 31 || (load && t == t2))?;
    if load {
        (core.r[t], core.r[t2]) = (core.fp.s[first], core.fp.s[first + 1]);
    } else {
        (core.fp.s[first], core.fp.s[first + 1]) = (core.r[t], core.r[t2]);
    }
    Ok(())
}

/// First halfword 0xEExx, second with bit 4 set: VMOV with one core register, VMRS, VMSR.
pub(super) fn register_move(core: &mut Core, op: u32) -> Result<(), Fault> {
    undefined_if(op & 0xF != 0)?;
    let to_core = bit(op, 20);
    let t = field(op, 12, 4) as usize;
    let register = match (is_double(op), field(op, 21, 3)) {
        _ if field(op, 5, 2) != 0 => return Err(Fault::Undefined),
        (false, 0b000) => single(op, 16, 7),
        (false, 0b111) if !bit(op, 7) => return status_move(core, to_core, field(op, 16, 4), t),
        // One word of a double-word register; bits 6:5 would select bytes and halfwords of Advanced SIMD.
        (true, 0b000 | 0b001) => 2 * double(op, 16, 7)? + field(op, 21, 1) as usize,
        _ => return Err(Fault::Undefined),
    };
    undefined_if(bad(t))?;
    if to_core {
        core.r[t] = core.fp.s[register];
    } else {
        core.fp.s[register] = core.r[t];
    }
    Ok(())
}

/// VMRS and VMSR. The M profile has the FPSCR (1) only: MVFR0-2 are memory-mapped.
fn status_move(core: &mut Core, to_core: bool, register: u32, t: usize) -> Result<(), Fault> {
    undefined_if(register != 1 || t == SP || (t == PC && !to_core))?;
    let fpscr = core.fp.fpscr;
    match (to_core, t) {
        (true, PC) => core.set_apsr_nzcv(fpscr),
        (true, _) => core.r[t] = fpscr,
        (false, _) => core.fp.fpscr = core.r[t] & FPSCR_MASK,
    }
    Ok(())
}
