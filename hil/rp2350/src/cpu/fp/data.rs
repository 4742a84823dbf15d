//! Floating-point data processing: decodes to the functions of [`super::arith`] and [`super::convert`].
//!
//! Names follow the instruction tables of the Armv8-M ARM (DDI 0553), "Floating-point data-processing". Like the rest
//! of the core, what is UNPREDICTABLE takes the UNDEFINED fault.

use super::arith::{self, Fpscr, Rounding};
use super::convert::{self, Fixed};
use super::{Core, Fault, bit, field, single, undefined_if};

/// Coprocessor number in bits 11:8; the other one, 11, selects double precision.
const SINGLE_PRECISION: u32 = 10;

struct Operands {
    d: usize,
    n: usize,
    m: usize,
}

fn operands(op: u32) -> Result<Operands, Fault> {
    if field(op, 8, 4) != SINGLE_PRECISION {
        return Err(Fault::Undefined);
    }
    Ok(Operands { d: single(op, 12, 22), n: single(op, 16, 7), m: single(op, 0, 5) })
}

/// First halfword 0xEExx, second with bit 4 clear.
pub(super) fn execute(core: &mut Core, op: u32) -> Result<(), Fault> {
    let Operands { d, n, m } = operands(op)?;
    let mut fpscr = Fpscr(core.fp.fpscr);
    let f = &mut fpscr;
    let (sd, sn, sm) = (core.fp.s[d], core.fp.s[n], core.fp.s[m]);
    let alternate = bit(op, 6);
    let opcode = field(op, 23, 1) << 2 | field(op, 20, 2);

    let result = match (opcode, alternate) {
        // VMLA, VMLS: the product is rounded before it is added.
        (0b000, negate) => {
            let product = arith::mul(sn, sm, f);
            arith::add(sd, if negate { arith::neg(product) } else { product }, f)
        }
        // VNMLS, VNMLA.
        (0b001, negate) => {
            let product = arith::mul(sn, sm, f);
            let product = if negate { arith::neg(product) } else { product };
            arith::add(arith::neg(sd), product, f)
        }
        (0b010, false) => arith::mul(sn, sm, f),
        // VNMUL.
        (0b010, true) => arith::neg(arith::mul(sn, sm, f)),
        (0b011, false) => arith::add(sn, sm, f),
        (0b011, true) => arith::sub(sn, sm, f),
        (0b100, false) => arith::div(sn, sm, f),
        (0b100, true) => return Err(Fault::Undefined),
        // VFNMS, VFNMA: rounded once.
        (0b101, negate) => {
            let sn = if negate { arith::neg(sn) } else { sn };
            arith::mul_add(arith::neg(sd), sn, sm, f)
        }
        // VFMA, VFMS.
        (0b110, negate) => {
            let sn = if negate { arith::neg(sn) } else { sn };
            arith::mul_add(sd, sn, sm, f)
        }
        (_, false) => {
            undefined_if(op & 0xA0 != 0)?;
            expand_immediate(field(op, 16, 4) << 4 | field(op, 0, 4))
        }
        (_, true) => match one_operand(op, sd, sm, f)? {
            Outcome::Value(value) => value,
            Outcome::Flags(nzcv) => {
                core.fp.fpscr = (f.0 & 0x0FFF_FFFF) | nzcv << 28;
                return Ok(());
            }
        },
    };
    core.fp.s[d] = result;
    core.fp.fpscr = fpscr.0;
    Ok(())
}

enum Outcome {
    Value(u32),
    /// N, Z, C, V in bits 3:0.
    Flags(u32),
}

/// The instructions that bits 19:16 and 7 tell apart. `sd` is the destination's old value.
fn one_operand(op: u32, sd: u32, sm: u32, f: &mut Fpscr) -> Result<Outcome, Fault> {
    let high = bit(op, 7);
    let value = match (field(op, 16, 4), high) {
        // VMOV, VABS, VNEG.
        (0b0000, false) => sm,
        (0b0000, true) => arith::abs(sm),
        (0b0001, false) => arith::neg(sm),
        (0b0001, true) => arith::sqrt(sm, f),
        // VCVTB, VCVTT from and to half precision: `high` selects the half, the other one is kept.
        (0b0010, top) => convert::half_to_single(if top { sm >> 16 } else { sm & 0xFFFF }, f),
        (0b0011, false) => (sd & 0xFFFF_0000) | convert::single_to_half(sm, f),
        (0b0011, true) => (sd & 0x0000_FFFF) | convert::single_to_half(sm, f) << 16,
        // VCMP, VCMPE; then with zero.
        (0b0100, signal) => return Ok(Outcome::Flags(arith::compare(sd, sm, signal, f))),
        (0b0101, _) if op & 0x2F != 0 => return Err(Fault::Undefined),
        (0b0101, signal) => return Ok(Outcome::Flags(arith::compare(sd, 0, signal, f))),
        // VRINTR, VRINTZ, VRINTX.
        (0b0110, false) => convert::round_to_integral(sm, f.rounding(), false, f),
        (0b0110, true) => convert::round_to_integral(sm, Rounding::Zero, false, f),
        (0b0111, false) => convert::round_to_integral(sm, f.rounding(), true, f),
        // VCVT between single and double precision.
        (0b0111, true) => return Err(Fault::Undefined),
        (0b1000, true) => convert::from_fixed(sm, Fixed::I32, f.rounding(), f),
        (0b1000, false) => convert::from_fixed(sm, Fixed::U32, f.rounding(), f),
        (0b1100, towards_zero) => convert::to_fixed(sm, Fixed::U32, to_int(towards_zero, f), f),
        (0b1101, towards_zero) => convert::to_fixed(sm, Fixed::I32, to_int(towards_zero, f), f),
        // VCVT from and to fixed point work in place.
        (0b1010 | 0b1011, _) => convert::from_fixed(sd, fixed(op)?, Rounding::Nearest, f),
        (0b1110 | 0b1111, _) => convert::to_fixed(sd, fixed(op)?, Rounding::Zero, f),
        _ => return Err(Fault::Undefined),
    };
    Ok(Outcome::Value(value))
}

/// VCVT rounds towards zero, VCVTR as FPSCR says.
fn to_int(towards_zero: bool, f: &Fpscr) -> Rounding {
    if towards_zero { Rounding::Zero } else { f.rounding() }
}

fn fixed(op: u32) -> Result<Fixed, Fault> {
    let bits: u32 = if bit(op, 7) { 32 } else { 16 };
    let integer = field(op, 0, 4) << 1 | field(op, 5, 1);
    // A negative fraction width is UNPREDICTABLE.
    let fraction = bits.checked_sub(integer).ok_or(Fault::Undefined)?;
    Ok(Fixed { bits, unsigned: bit(op, 16), fraction })
}

/// VFPExpandImm: sign, three exponent bits and four of fraction.
fn expand_immediate(imm8: u32) -> u32 {
    let exponent = if imm8 & 0x40 != 0 { 0b0111_1100 } else { 0b1000_0000 } | field(imm8, 4, 2);
    field(imm8, 7, 1) << 31 | exponent << 23 | field(imm8, 0, 4) << 19
}

/// First halfword 0xFExx, second with bit 4 clear: VSEL, VMAXNM, VMINNM, VRINT{A,N,P,M}, VCVT{A,N,P,M}.
/// None of them may be in an IT block.
pub(super) fn execute_unconditional(core: &mut Core, op: u32) -> Result<(), Fault> {
    undefined_if(core.in_it)?;
    let Operands { d, n, m } = operands(op)?;
    let (sn, sm) = (core.fp.s[n], core.fp.s[m]);
    let mut fpscr = Fpscr(core.fp.fpscr);
    let f = &mut fpscr;
    let low = bit(op, 6);
    let result = match (bit(op, 23), field(op, 20, 2)) {
        (false, condition) if !low => {
            let holds = match condition {
                0b00 => core.z,
                0b01 => core.v,
                0b10 => core.n == core.v,
                _ => !core.z && core.n == core.v,
            };
            if holds { sn } else { sm }
        }
        (true, 0b00) => arith::min_max(sn, sm, !low, f),
        (true, 0b11) if low => {
            let mode = match field(op, 16, 2) {
                0b00 => Rounding::Away,
                0b01 => Rounding::Nearest,
                0b10 => Rounding::Plus,
                _ => Rounding::Minus,
            };
            match (field(op, 18, 2), bit(op, 7)) {
                (0b10, false) => convert::round_to_integral(sm, mode, false, f),
                (0b11, true) => convert::to_fixed(sm, Fixed::I32, mode, f),
                (0b11, false) => convert::to_fixed(sm, Fixed::U32, mode, f),
                _ => return Err(Fault::Undefined),
            }
        }
        _ => return Err(Fault::Undefined),
    };
    core.fp.s[d] = result;
    core.fp.fpscr = fpscr.0;
    Ok(())
}
