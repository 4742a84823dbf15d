//! IEEE 754 binary32 as FPv5 computes it: add, multiply, divide, square root, fused multiply-add, compare, minimum and
//! maximum, bit for bit with the Arm ARM's pseudocode (DDI 0553, `FPRound` and friends), flags included.
//!
//! Own code on integers, not a crate: `rustc_apfloat` detects tininess after rounding where Arm detects it before (so
//! UFC differs), returns no NaN priority, has no square root, flush-to-zero, default NaN or alternative half precision.
//! What would have been left of it is `round` below. Host floats appear nowhere: their flags are out of Rust's reach.
//!
//! Values are bit patterns (`u32`); every function reads modes from and adds cumulative flags to the [`Fpscr`] it is given.

/// The floating-point status and control register: modes in, cumulative exception flags out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fpscr(pub u32);

/// Invalid operation.
pub const IOC: u32 = 1 << 0;
/// Division by zero.
pub const DZC: u32 = 1 << 1;
/// Overflow.
pub const OFC: u32 = 1 << 2;
/// Underflow.
pub const UFC: u32 = 1 << 3;
/// Inexact.
pub const IXC: u32 = 1 << 4;
/// Input denormal (flushed).
pub const IDC: u32 = 1 << 7;
/// Rounding mode, two bits: nearest, plus infinity, minus infinity, zero.
pub const RMODE_SHIFT: u32 = 22;
/// Flush denormals to zero.
pub const FZ: u32 = 1 << 24;
/// Default NaN instead of propagating the operand's.
pub const DN: u32 = 1 << 25;
/// Alternative half precision (no infinities, no NaNs).
pub const AHP: u32 = 1 << 26;
/// The bits FPv5 on ARMv8.0-M implements; the rest is RES0.
pub const FPSCR_MASK: u32 = 0xF7C0_009F;

/// The NaN of invalid operations, and of every NaN result when `DN` is set.
pub const DEFAULT_NAN: u32 = 0x7FC0_0000;
const INFINITY: u32 = 0x7F80_0000;
const SIGN: u32 = 0x8000_0000;
const QUIET: u32 = 0x0040_0000;

/// How a value between two representable ones is rounded. `Away` (ties away from zero) exists for VCVTA and VRINTA only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rounding {
    Nearest,
    Plus,
    Minus,
    Zero,
    Away,
}

impl Fpscr {
    /// The mode that FPSCR.RMode selects.
    pub fn rounding(self) -> Rounding {
        match (self.0 >> RMODE_SHIFT) & 3 {
            0 => Rounding::Nearest,
            1 => Rounding::Plus,
            2 => Rounding::Minus,
            _ => Rounding::Zero,
        }
    }

    pub(super) fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }

    pub(super) fn raise(&mut self, flags: u32) {
        self.0 |= flags;
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Zero,
    Finite,
    Infinity,
    QuietNan,
    SignallingNan,
}

/// A decoded operand. For `Finite` the value is ±`mant` · 2^`exp`, `mant` not zero and not normalised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unpacked {
    pub kind: Kind,
    pub sign: bool,
    pub mant: u32,
    pub exp: i32,
}

impl Unpacked {
    pub fn is_nan(self) -> bool {
        matches!(self.kind, Kind::QuietNan | Kind::SignallingNan)
    }

    fn is(self, kind: Kind) -> bool {
        self.kind == kind
    }
}

/// Decodes a binary32, flushing a denormal if FPSCR.FZ says so.
pub(super) fn unpack(bits: u32, fpscr: &mut Fpscr) -> Unpacked {
    let sign = bits & SIGN != 0;
    let exp = ((bits >> 23) & 0xFF) as i32;
    let frac = bits & 0x007F_FFFF;
    let (kind, mant, exp) = match (exp, frac) {
        (0, 0) => (Kind::Zero, 0, 0),
        (0, _) if fpscr.has(FZ) => {
            fpscr.raise(IDC);
            (Kind::Zero, 0, 0)
        }
        (0, _) => (Kind::Finite, frac, -149),
        (0xFF, 0) => (Kind::Infinity, 0, 0),
        (0xFF, _) if frac & QUIET != 0 => (Kind::QuietNan, 0, 0),
        (0xFF, _) => (Kind::SignallingNan, 0, 0),
        _ => (Kind::Finite, frac | 0x0080_0000, exp - 150),
    };
    Unpacked { kind, sign, mant, exp }
}

/// A result format: binary32, or binary16 for the half-precision conversions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Single,
    Half,
}

/// Whether a value cut off at `kept` goes up by one unit, `rem` of `2 * half` having been cut.
pub(super) fn rounds_up(mode: Rounding, sign: bool, kept: u64, rem: u64, half: u64) -> bool {
    match mode {
        Rounding::Nearest => rem > half || (rem == half && kept & 1 != 0),
        Rounding::Away => rem >= half,
        Rounding::Plus => rem != 0 && !sign,
        Rounding::Minus => rem != 0 && sign,
        Rounding::Zero => false,
    }
}

/// Rounds ±`mant` · 2^`exp` (`mant` not zero) into `format`. The least significant bit of `mant` may stand for "and
/// something below", if `mant` has at least 26 significant bits.
pub(super) fn round(format: Format, sign: bool, mant: u64, exp: i32, mode: Rounding, fpscr: &mut Fpscr) -> u32 {
    let (frac_bits, exp_bits, min_exp) = match format {
        Format::Single => (23u32, 8u32, -126),
        Format::Half => (10, 5, -14),
    };
    let sign_bit = u32::from(sign) << (frac_bits + exp_bits);

    // The leading one goes to bit 62.
    let shift = mant.leading_zeros() as i32 - 1;
    let mut mant = if shift < 0 { (mant >> 1) | (mant & 1) } else { mant << shift };
    let exponent = exp - shift + 62;
    if exponent < min_exp && format == Format::Single && fpscr.has(FZ) {
        fpscr.raise(UFC);
        return sign_bit;
    }

    let tiny = exponent < min_exp;
    let mut cut = 62 - frac_bits;
    if tiny {
        cut = cut.saturating_add((min_exp - exponent) as u32);
        if cut > 63 {
            (mant, cut) = (1, 63);
        }
    }
    let kept = mant >> cut;
    let rem = mant & ((1 << cut) - 1);
    if tiny && rem != 0 {
        // Arm detects tininess before rounding.
        fpscr.raise(UFC);
    }
    // The implicit one of `kept` and a carry out of rounding both add to the exponent field, as they should.
    let biased_less_one = if tiny { 0 } else { (exponent - min_exp) as u64 };
    let packed = (biased_less_one << frac_bits) + kept + u64::from(rounds_up(mode, sign, kept, rem, 1 << (cut - 1)));

    let alternative = format == Format::Half && fpscr.has(AHP);
    let max_field = (1u64 << exp_bits) - u64::from(!alternative);
    if (packed >> frac_bits) < max_field {
        if rem != 0 {
            fpscr.raise(IXC);
        }
        return sign_bit | packed as u32;
    }
    if alternative {
        // No infinity to go to: the largest value, and invalid instead of overflow and inexact.
        fpscr.raise(IOC);
        return sign_bit | 0x7FFF;
    }
    fpscr.raise(OFC | IXC);
    let to_infinity = match mode {
        Rounding::Nearest | Rounding::Away => true,
        Rounding::Plus => !sign,
        Rounding::Minus => sign,
        Rounding::Zero => false,
    };
    let infinity = (max_field << frac_bits) as u32;
    sign_bit | (infinity - u32::from(!to_infinity))
}

fn invalid(fpscr: &mut Fpscr) -> u32 {
    fpscr.raise(IOC);
    DEFAULT_NAN
}

fn signed(sign: bool, magnitude: u32) -> u32 {
    if sign { magnitude | SIGN } else { magnitude }
}

/// The NaN that an operation returns for the NaN operand `bits`.
pub(super) fn process_nan(bits: u32, fpscr: &mut Fpscr) -> u32 {
    if bits & QUIET == 0 {
        fpscr.raise(IOC);
    }
    if fpscr.has(DN) { DEFAULT_NAN } else { bits | QUIET }
}

/// The NaN result for operands of which one may be a NaN: signalling ones first, then quiet ones, in operand order.
fn process_nans<const N: usize>(operands: [(u32, Unpacked); N], fpscr: &mut Fpscr) -> Option<u32> {
    let first = |kind| operands.iter().find(|(_, u)| u.is(kind));
    first(Kind::SignallingNan).or_else(|| first(Kind::QuietNan)).map(|&(bits, _)| process_nan(bits, fpscr))
}

/// A magnitude with its sign, exact or with a sticky least significant bit: ±`mant` · 2^`exp`.
#[derive(Clone, Copy)]
struct Wide {
    sign: bool,
    mant: u128,
    exp: i32,
}

impl Wide {
    fn new(sign: bool, mant: u64, exp: i32) -> Self {
        Wide { sign, mant: u128::from(mant), exp }
    }

    /// The leading one at bit 120: room for a carry above, and for more bits below than two operands can cancel.
    fn normalised(self) -> Self {
        let shift = self.mant.leading_zeros() as i32 - 7;
        Wide { mant: self.mant << shift, exp: self.exp - shift, ..self }
    }
}

/// Shifts right, keeping "something was below" in the least significant bit.
fn shift_right_sticky(value: u128, by: u32) -> u128 {
    match by {
        0 => value,
        1..=127 => (value >> by) | u128::from(value & ((1 << by) - 1) != 0),
        _ => u128::from(value != 0),
    }
}

/// Rounds the sum of two non-zero values.
fn round_sum(a: Wide, b: Wide, fpscr: &mut Fpscr) -> u32 {
    let (a, b) = (a.normalised(), b.normalised());
    let (high, low) = if (a.exp, a.mant) >= (b.exp, b.mant) { (a, b) } else { (b, a) };
    let low_mant = shift_right_sticky(low.mant, (high.exp - low.exp) as u32);
    let mant = if high.sign == low.sign { high.mant + low_mant } else { high.mant - low_mant };
    let mode = fpscr.rounding();
    if mant == 0 {
        return signed(mode == Rounding::Minus, 0);
    }
    // Down to 63 bits for `round`.
    let excess = (128 - mant.leading_zeros()).saturating_sub(63);
    let narrow = shift_right_sticky(mant, excess) as u64;
    round(Format::Single, high.sign, narrow, high.exp + excess as i32, mode, fpscr)
}

/// `a` with its sign flipped, NaNs too.
pub fn neg(a: u32) -> u32 {
    a ^ SIGN
}

/// `a` with its sign cleared, NaNs too.
pub fn abs(a: u32) -> u32 {
    a & !SIGN
}

/// `a + b`.
pub fn add(a: u32, b: u32, fpscr: &mut Fpscr) -> u32 {
    let (ua, ub) = (unpack(a, fpscr), unpack(b, fpscr));
    if let Some(nan) = process_nans([(a, ua), (b, ub)], fpscr) {
        return nan;
    }
    match (ua.kind, ub.kind) {
        (Kind::Infinity, Kind::Infinity) if ua.sign != ub.sign => invalid(fpscr),
        (Kind::Infinity, _) => signed(ua.sign, INFINITY),
        (_, Kind::Infinity) => signed(ub.sign, INFINITY),
        (Kind::Zero, Kind::Zero) if ua.sign == ub.sign => signed(ua.sign, 0),
        (Kind::Zero, Kind::Zero) => signed(fpscr.rounding() == Rounding::Minus, 0),
        // Adding zero to a representable value is exact, but a denormal may still be flushed on the way out.
        (Kind::Zero, _) => round_exact(ub, fpscr),
        (_, Kind::Zero) => round_exact(ua, fpscr),
        _ => round_sum(Wide::new(ua.sign, ua.mant.into(), ua.exp), Wide::new(ub.sign, ub.mant.into(), ub.exp), fpscr),
    }
}

fn round_exact(a: Unpacked, fpscr: &mut Fpscr) -> u32 {
    let mode = fpscr.rounding();
    round(Format::Single, a.sign, a.mant.into(), a.exp, mode, fpscr)
}

/// `a - b`. A NaN `b` keeps its sign.
pub fn sub(a: u32, b: u32, fpscr: &mut Fpscr) -> u32 {
    let is_nan = b & !SIGN > INFINITY;
    add(a, if is_nan { b } else { neg(b) }, fpscr)
}

/// `a * b`.
pub fn mul(a: u32, b: u32, fpscr: &mut Fpscr) -> u32 {
    let (ua, ub) = (unpack(a, fpscr), unpack(b, fpscr));
    if let Some(nan) = process_nans([(a, ua), (b, ub)], fpscr) {
        return nan;
    }
    let sign = ua.sign != ub.sign;
    match (ua.kind, ub.kind) {
        (Kind::Infinity, Kind::Zero) | (Kind::Zero, Kind::Infinity) => invalid(fpscr),
        (Kind::Infinity, _) | (_, Kind::Infinity) => signed(sign, INFINITY),
        (Kind::Zero, _) | (_, Kind::Zero) => signed(sign, 0),
        _ => {
            let product = u64::from(ua.mant) * u64::from(ub.mant);
            let mode = fpscr.rounding();
            round(Format::Single, sign, product, ua.exp + ub.exp, mode, fpscr)
        }
    }
}

/// `a / b`.
pub fn div(a: u32, b: u32, fpscr: &mut Fpscr) -> u32 {
    let (ua, ub) = (unpack(a, fpscr), unpack(b, fpscr));
    if let Some(nan) = process_nans([(a, ua), (b, ub)], fpscr) {
        return nan;
    }
    let sign = ua.sign != ub.sign;
    match (ua.kind, ub.kind) {
        (Kind::Infinity, Kind::Infinity) | (Kind::Zero, Kind::Zero) => invalid(fpscr),
        (Kind::Infinity, _) => signed(sign, INFINITY),
        (_, Kind::Zero) => {
            fpscr.raise(DZC);
            signed(sign, INFINITY)
        }
        (Kind::Zero, _) | (_, Kind::Infinity) => signed(sign, 0),
        _ => {
            // The dividend's leading one at bit 62 and at most 24 bits of divisor: 38 bits of quotient or more.
            let shift = ua.mant.leading_zeros() as i32 + 31;
            let dividend = u64::from(ua.mant) << shift;
            let divisor = u64::from(ub.mant);
            let quotient = (dividend / divisor) | u64::from(!dividend.is_multiple_of(divisor));
            let mode = fpscr.rounding();
            round(Format::Single, sign, quotient, ua.exp - shift - ub.exp, mode, fpscr)
        }
    }
}

/// The square root of `a`.
pub fn sqrt(a: u32, fpscr: &mut Fpscr) -> u32 {
    let ua = unpack(a, fpscr);
    match ua.kind {
        Kind::QuietNan | Kind::SignallingNan => process_nan(a, fpscr),
        Kind::Zero => signed(ua.sign, 0),
        _ if ua.sign => invalid(fpscr),
        Kind::Infinity => INFINITY,
        Kind::Finite => {
            // An even exponent, and a radicand of 61 or 62 bits: 31 bits of root and one of "something below".
            let mut shift = ua.mant.leading_zeros() as i32 + 29;
            if (ua.exp - shift) & 1 != 0 {
                shift += 1;
            }
            let radicand = u64::from(ua.mant) << shift;
            let root = radicand.isqrt();
            let mant = (root << 1) | u64::from(root * root != radicand);
            let mode = fpscr.rounding();
            round(Format::Single, false, mant, (ua.exp - shift) / 2 - 1, mode, fpscr)
        }
    }
}

/// `addend + a * b`, rounded once.
pub fn mul_add(addend: u32, a: u32, b: u32, fpscr: &mut Fpscr) -> u32 {
    let (uc, ua, ub) = (unpack(addend, fpscr), unpack(a, fpscr), unpack(b, fpscr));
    let invalid_product = matches!((ua.kind, ub.kind), (Kind::Infinity, Kind::Zero) | (Kind::Zero, Kind::Infinity));
    let nan = process_nans([(addend, uc), (a, ua), (b, ub)], fpscr);
    if invalid_product && (nan.is_none() || uc.is(Kind::QuietNan)) {
        return invalid(fpscr);
    }
    if let Some(nan) = nan {
        return nan;
    }
    let product_sign = ua.sign != ub.sign;
    let product_infinite = ua.is(Kind::Infinity) || ub.is(Kind::Infinity);
    let product_zero = ua.is(Kind::Zero) || ub.is(Kind::Zero);
    match uc.kind {
        Kind::Infinity if product_infinite && uc.sign != product_sign => invalid(fpscr),
        Kind::Infinity => signed(uc.sign, INFINITY),
        _ if product_infinite => signed(product_sign, INFINITY),
        Kind::Zero if product_zero && uc.sign == product_sign => signed(uc.sign, 0),
        Kind::Zero if product_zero => signed(fpscr.rounding() == Rounding::Minus, 0),
        _ if product_zero => round_exact(uc, fpscr),
        _ => {
            let product = u64::from(ua.mant) * u64::from(ub.mant);
            let exp = ua.exp + ub.exp;
            if uc.is(Kind::Zero) {
                let mode = fpscr.rounding();
                return round(Format::Single, product_sign, product, exp, mode, fpscr);
            }
            round_sum(Wide::new(product_sign, product, exp), Wide::new(uc.sign, uc.mant.into(), uc.exp), fpscr)
        }
    }
}

/// The order of two numbers that are not NaNs; zeros are equal.
fn order(a: Unpacked, b: Unpacked) -> core::cmp::Ordering {
    // Monotonic in the value: the sign, then magnitude by class, exponent field and fraction.
    let key = |u: Unpacked| {
        let magnitude = match u.kind {
            Kind::Zero => 0,
            Kind::Finite => {
                let exp = i64::from(u.exp + 150);
                (exp << 24) | i64::from(u.mant)
            }
            _ => i64::MAX,
        };
        if u.sign { -magnitude } else { magnitude }
    };
    key(a).cmp(&key(b))
}

/// Compares; the result is N, Z, C, V in bits 3:0. `signal_quiet` raises IOC for quiet NaNs too (VCMPE).
pub fn compare(a: u32, b: u32, signal_quiet: bool, fpscr: &mut Fpscr) -> u32 {
    let (ua, ub) = (unpack(a, fpscr), unpack(b, fpscr));
    if ua.is_nan() || ub.is_nan() {
        if signal_quiet || ua.is(Kind::SignallingNan) || ub.is(Kind::SignallingNan) {
            fpscr.raise(IOC);
        }
        return 0b0011;
    }
    match order(ua, ub) {
        core::cmp::Ordering::Equal => 0b0110,
        core::cmp::Ordering::Less => 0b1000,
        core::cmp::Ordering::Greater => 0b0010,
    }
}

/// The larger (`maximum`) or smaller of two; a quiet NaN gives way to a number (VMAXNM, VMINNM).
pub fn min_max(a: u32, b: u32, maximum: bool, fpscr: &mut Fpscr) -> u32 {
    let (ua, ub) = (unpack(a, fpscr), unpack(b, fpscr));
    let signalling = ua.is(Kind::SignallingNan) || ub.is(Kind::SignallingNan);
    let chosen = match (ua.is(Kind::QuietNan), ub.is(Kind::QuietNan)) {
        (true, false) if !signalling => ub,
        (false, true) if !signalling => ua,
        _ => {
            if let Some(nan) = process_nans([(a, ua), (b, ub)], fpscr) {
                return nan;
            }
            let first = match order(ua, ub) {
                core::cmp::Ordering::Greater => maximum,
                core::cmp::Ordering::Less => !maximum,
                // Two zeros (or the same number twice): of differing signs, + is the larger.
                core::cmp::Ordering::Equal => ua.sign != maximum,
            };
            if first { ua } else { ub }
        }
    };
    match chosen.kind {
        Kind::Zero => signed(chosen.sign, 0),
        Kind::Infinity => signed(chosen.sign, INFINITY),
        _ => round_exact(chosen, fpscr),
    }
}
