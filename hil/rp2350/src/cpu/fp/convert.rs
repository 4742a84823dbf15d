//! Conversions between binary32 and integers, fixed point, binary16, and to an integral binary32.
//!
//! Bit for bit the Arm ARM's `FPToFixed`, `FixedToFP`, `FPRoundInt`, `FPHalfToSingle` and `FPSingleToHalf`.

use super::arith::{
    AHP, DEFAULT_NAN, DN, Format, Fpscr, IOC, IXC, Kind, Rounding, process_nan, round, rounds_up, unpack,
};

/// How an integer or fixed-point number lies in a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fixed {
    /// 16 or 32.
    pub bits: u32,
    pub unsigned: bool,
    /// Bits after the binary point, 0 to `bits`.
    pub fraction: u32,
}

impl Fixed {
    pub const I32: Fixed = Fixed::int(false);
    pub const U32: Fixed = Fixed::int(true);

    const fn int(unsigned: bool) -> Self {
        Fixed { bits: 32, unsigned, fraction: 0 }
    }
}

/// Cuts `mant` · 2^`exp` (`exp` negative) to an integer; also says whether something was cut.
fn integer_part(sign: bool, mant: u32, exp: i32, mode: Rounding) -> (u64, bool) {
    // A binary32 has 24 bits: below 2^-40 all that matters is that it is not zero.
    let (mant, cut) = if exp < -40 { (1, 40) } else { (u64::from(mant), -exp as u32) };
    let kept = mant >> cut;
    let rem = mant & ((1 << cut) - 1);
    let up = rounds_up(mode, sign, kept, rem, 1 << (cut - 1));
    (kept + u64::from(up), rem != 0)
}

/// To fixed point; out of range saturates and raises IOC, a NaN becomes 0 and raises IOC.
pub fn to_fixed(a: u32, to: Fixed, mode: Rounding, fpscr: &mut Fpscr) -> u32 {
    let ua = unpack(a, fpscr);
    let (low, high) = match (to.unsigned, to.bits) {
        (true, bits) => (0, (1i64 << bits) - 1),
        (false, bits) => (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1),
    };
    let exp = ua.exp + to.fraction as i32;
    let (magnitude, inexact) = match ua.kind {
        Kind::QuietNan | Kind::SignallingNan => {
            fpscr.raise(IOC);
            return 0;
        }
        Kind::Zero => return 0,
        Kind::Infinity => (u64::MAX, false),
        // 2^33 at least: out of every range.
        Kind::Finite if exp > 33 => (u64::MAX, false),
        Kind::Finite if exp >= 0 => (u64::from(ua.mant) << exp, false),
        Kind::Finite => integer_part(ua.sign, ua.mant, exp, mode),
    };
    // Magnitudes above 2^62 saturate either way.
    let magnitude = magnitude.min(1 << 62) as i64;
    let value = if ua.sign { -magnitude } else { magnitude };
    if value < low || value > high {
        fpscr.raise(IOC);
    } else if inexact {
        fpscr.raise(IXC);
    }
    value.clamp(low, high) as u32
}

/// From fixed point. `bits` above `from.bits` are ignored.
pub fn from_fixed(bits: u32, from: Fixed, mode: Rounding, fpscr: &mut Fpscr) -> u32 {
    let unused = 32 - from.bits;
    let value = if from.unsigned {
        i64::from((bits << unused) >> unused)
    } else {
        i64::from(((bits << unused) as i32) >> unused)
    };
    if value == 0 {
        return 0;
    }
    let exp = -(from.fraction as i32);
    round(Format::Single, value < 0, value.unsigned_abs(), exp, mode, fpscr)
}

/// To an integral binary32. `exact` raises IXC when that changes the value (VRINTX).
pub fn round_to_integral(a: u32, mode: Rounding, exact: bool, fpscr: &mut Fpscr) -> u32 {
    let ua = unpack(a, fpscr);
    let sign = a & 0x8000_0000;
    match ua.kind {
        Kind::QuietNan | Kind::SignallingNan => process_nan(a, fpscr),
        Kind::Zero => sign,
        Kind::Infinity => a,
        Kind::Finite if ua.exp >= 0 => a,
        Kind::Finite => {
            let (magnitude, inexact) = integer_part(ua.sign, ua.mant, ua.exp, mode);
            if inexact && exact {
                fpscr.raise(IXC);
            }
            if magnitude == 0 {
                return sign;
            }
            // At most 2^24: exact.
            round(Format::Single, ua.sign, magnitude, 0, mode, fpscr)
        }
    }
}

/// Binary16 (bits 15:0) to binary32. Half-precision denormals are never flushed.
pub fn half_to_single(half: u32, fpscr: &mut Fpscr) -> u32 {
    let sign = (half & 0x8000) << 16;
    let exp = (half >> 10) & 0x1F;
    let frac = half & 0x3FF;
    match (exp, frac) {
        (0, 0) => sign,
        (0, _) => {
            // frac · 2^-24, exact.
            let mode = Rounding::Nearest;
            sign | round(Format::Single, false, frac.into(), -24, mode, &mut Fpscr(0))
        }
        (31, 0) if !fpscr.has(AHP) => sign | 0x7F80_0000,
        (31, _) if !fpscr.has(AHP) => {
            if frac & 0x200 == 0 {
                fpscr.raise(IOC);
            }
            if fpscr.has(DN) { DEFAULT_NAN } else { sign | DEFAULT_NAN | (frac << 13) }
        }
        _ => sign | ((exp + 112) << 23) | (frac << 13),
    }
}

/// Binary32 to binary16 (bits 15:0 of the result).
pub fn single_to_half(a: u32, fpscr: &mut Fpscr) -> u32 {
    let ua = unpack(a, fpscr);
    let sign = u32::from(ua.sign) << 15;
    match ua.kind {
        Kind::QuietNan | Kind::SignallingNan => {
            if ua.kind == Kind::SignallingNan || fpscr.has(AHP) {
                fpscr.raise(IOC);
            }
            if fpscr.has(AHP) {
                sign
            } else if fpscr.has(DN) {
                0x7E00
            } else {
                sign | 0x7E00 | ((a >> 13) & 0x1FF)
            }
        }
        Kind::Infinity if fpscr.has(AHP) => {
            fpscr.raise(IOC);
            sign | 0x7FFF
        }
        Kind::Infinity => sign | 0x7C00,
        Kind::Zero => sign,
        Kind::Finite => {
            let mode = fpscr.rounding();
            round(Format::Half, ua.sign, ua.mant.into(), ua.exp, mode, fpscr)
        }
    }
}
