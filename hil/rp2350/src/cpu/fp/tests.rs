//! Known results, worked out from the Arm ARM's pseudocode or IEEE 754, and what the oracle test cannot compare.

use super::arith::{self, AHP, DN, DZC, FZ, Fpscr, IDC, IOC, IXC, OFC, RMODE_SHIFT, Rounding, UFC};
use super::convert::{self, Fixed};
use super::{Core, Fault, execute};
use crate::bus::{Bus, BusFault, CpOp, CpResult, Master, Size};

const ONE: u32 = 0x3F80_0000;
const TWO: u32 = 0x4000_0000;
const THREE: u32 = 0x4040_0000;
const MAX: u32 = 0x7F7F_FFFF;
const MIN_NORMAL: u32 = 0x0080_0000;
const MIN_DENORMAL: u32 = 1;
const INFINITY: u32 = 0x7F80_0000;
const QNAN: u32 = 0x7FC0_1234;
const SNAN: u32 = 0x7F80_0001;
const MINUS: u32 = 0x8000_0000;
const DEFAULT: u32 = 0x7FC0_0000;

/// Runs with a fresh FPSCR of these modes; returns the result and the flags raised.
fn with(modes: u32, f: impl FnOnce(&mut Fpscr) -> u32) -> (u32, u32) {
    let mut fpscr = Fpscr(modes);
    let result = f(&mut fpscr);
    (result, fpscr.0 & !modes)
}

fn rmode(mode: u32) -> u32 {
    mode << RMODE_SHIFT
}

#[test]
fn addition() {
    assert_eq!(with(0, |f| arith::add(ONE, TWO, f)), (THREE, 0));
    assert_eq!(with(0, |f| arith::sub(ONE, ONE, f)), (0, 0));
    assert_eq!(with(rmode(2), |f| arith::sub(ONE, ONE, f)), (MINUS, 0));
    assert_eq!(with(0, |f| arith::add(INFINITY, INFINITY | MINUS, f)), (DEFAULT, IOC));
    assert_eq!(with(0, |f| arith::add(MAX, MAX, f)), (INFINITY, OFC | IXC));
    assert_eq!(with(rmode(3), |f| arith::add(MAX, MAX, f)), (MAX, OFC | IXC));
    // 1 plus half a unit in the last place: a tie to even; the next float above in RP.
    assert_eq!(with(0, |f| arith::add(ONE, 0x3380_0000, f)), (ONE, IXC));
    assert_eq!(with(rmode(1), |f| arith::add(ONE, MIN_DENORMAL, f)), (ONE + 1, IXC));
    assert_eq!(with(rmode(2), |f| arith::sub(ONE, MIN_DENORMAL, f)), (ONE - 1, IXC));
}

#[test]
fn nan_operands() {
    assert_eq!(with(0, |f| arith::add(QNAN, ONE, f)), (QNAN, 0));
    assert_eq!(with(0, |f| arith::add(QNAN, SNAN, f)), (SNAN | 0x40_0000, IOC));
    assert_eq!(with(DN, |f| arith::add(QNAN, ONE, f)), (DEFAULT, 0));
    assert_eq!(with(0, |f| arith::sub(ONE, QNAN, f)), (QNAN, 0));
    assert_eq!(with(0, |f| arith::mul(INFINITY, 0, f)), (DEFAULT, IOC));
    assert_eq!(with(0, |f| arith::mul_add(QNAN, INFINITY, 0, f)), (DEFAULT, IOC));
    assert_eq!(with(0, |f| arith::min_max(QNAN, ONE, true, f)), (ONE, 0));
    assert_eq!(with(0, |f| arith::min_max(SNAN, ONE, true, f)), (SNAN | 0x40_0000, IOC));
}

#[test]
fn tininess_is_detected_before_rounding() {
    // The largest value below the smallest normal that rounds up to it: tiny before rounding, normal after.
    let almost_one = 0x3F7F_FFFF;
    assert_eq!(with(0, |f| arith::mul(MIN_NORMAL, almost_one, f)), (MIN_NORMAL, UFC | IXC));
    assert_eq!(with(FZ, |f| arith::mul(MIN_NORMAL, almost_one, f)), (0, UFC));
    // An exact denormal underflows only when it is flushed.
    assert_eq!(with(0, |f| arith::div(MIN_NORMAL, TWO, f)), (MIN_NORMAL / 2, 0));
    assert_eq!(with(FZ, |f| arith::div(MIN_NORMAL, TWO, f)), (0, UFC));
    assert_eq!(with(FZ, |f| arith::add(MIN_DENORMAL, ONE, f)), (ONE, IDC));
}

#[test]
fn division_and_root() {
    assert_eq!(with(0, |f| arith::div(ONE, THREE, f)), (0x3EAA_AAAB, IXC));
    assert_eq!(with(rmode(3), |f| arith::div(ONE, THREE, f)), (0x3EAA_AAAA, IXC));
    assert_eq!(with(0, |f| arith::div(ONE, MINUS, f)), (INFINITY | MINUS, DZC));
    assert_eq!(with(0, |f| arith::div(0, 0, f)), (DEFAULT, IOC));
    assert_eq!(with(0, |f| arith::sqrt(TWO, f)), (0x3FB5_04F3, IXC));
    assert_eq!(with(0, |f| arith::sqrt(0x4110_0000, f)), (THREE, 0));
    assert_eq!(with(0, |f| arith::sqrt(MINUS, f)), (MINUS, 0));
    assert_eq!(with(0, |f| arith::sqrt(ONE | MINUS, f)), (DEFAULT, IOC));
    // sqrt(2^-149) = 2^-75 * sqrt(2).
    assert_eq!(with(0, |f| arith::sqrt(MIN_DENORMAL, f)), (0x1A35_04F3, IXC));
}

#[test]
fn fused_rounds_once() {
    // (1 + u)(1 - u) - 1 = -u^2 with u = 2^-22: lost when chained, exact when fused.
    let (a, b) = (ONE + 2, ONE - 4);
    let minus_one = ONE | MINUS;
    let (product, _) = with(0, |f| arith::mul(a, b, f));
    assert_eq!(with(0, |f| arith::add(minus_one, product, f)).0, 0);
    assert_eq!(with(0, |f| arith::mul_add(minus_one, a, b, f)), (0xA980_0000, 0));
    assert_eq!(with(0, |f| arith::mul_add(0, ONE, MINUS, f)), (0, 0));
    assert_eq!(with(0, |f| arith::mul_add(MINUS, ONE, MINUS, f)), (MINUS, 0));
}

#[test]
fn comparison() {
    assert_eq!(with(0, |f| arith::compare(0, MINUS, false, f)), (0b0110, 0));
    assert_eq!(with(0, |f| arith::compare(MIN_DENORMAL, MIN_NORMAL, false, f)), (0b1000, 0));
    assert_eq!(with(FZ, |f| arith::compare(MIN_DENORMAL, 0, false, f)), (0b0110, IDC));
    assert_eq!(with(0, |f| arith::compare(QNAN, ONE, false, f)), (0b0011, 0));
    assert_eq!(with(0, |f| arith::compare(QNAN, ONE, true, f)), (0b0011, IOC));
    assert_eq!(with(0, |f| arith::min_max(0, MINUS, true, f)), (0, 0));
    assert_eq!(with(0, |f| arith::min_max(0, MINUS, false, f)), (MINUS, 0));
}

#[test]
fn integers() {
    let to = |a, to, mode| with(0, |f| convert::to_fixed(a, to, mode, f));
    let two_and_a_half = 0x4020_0000;
    assert_eq!(to(two_and_a_half, Fixed::I32, Rounding::Nearest), (2, IXC));
    assert_eq!(to(two_and_a_half, Fixed::I32, Rounding::Away), (3, IXC));
    assert_eq!(to(two_and_a_half | MINUS, Fixed::I32, Rounding::Minus), (-3i32 as u32, IXC));
    assert_eq!(to(ONE | MINUS, Fixed::U32, Rounding::Zero), (0, IOC));
    assert_eq!(to(0x4F00_0000, Fixed::I32, Rounding::Zero), (0x7FFF_FFFF, IOC));
    assert_eq!(to(0xCF00_0000, Fixed::I32, Rounding::Zero), (0x8000_0000, 0));
    assert_eq!(to(0x4F7F_FFFF, Fixed::U32, Rounding::Zero), (0xFFFF_FF00, 0));
    assert_eq!(to(INFINITY, Fixed::U32, Rounding::Zero), (u32::MAX, IOC));
    assert_eq!(to(QNAN, Fixed::I32, Rounding::Zero), (0, IOC));
    let q15 = Fixed { bits: 16, unsigned: false, fraction: 15 };
    assert_eq!(to(ONE | MINUS, q15, Rounding::Zero), (0xFFFF_8000, 0));
    assert_eq!(to(ONE, q15, Rounding::Zero), (0x7FFF, IOC));
    assert_eq!(with(0, |f| convert::from_fixed(0x1234_8000, q15, Rounding::Nearest, f)), (ONE | MINUS, 0));
    assert_eq!(with(0, |f| convert::from_fixed(u32::MAX, Fixed::U32, Rounding::Nearest, f)), (0x4F80_0000, IXC));
    assert_eq!(with(0, |f| convert::round_to_integral(two_and_a_half, Rounding::Nearest, true, f)), (TWO, IXC));
    assert_eq!(with(0, |f| convert::round_to_integral(MINUS | 1, Rounding::Nearest, false, f)), (MINUS, 0));
}

#[test]
fn half_precision() {
    assert_eq!(with(0, |f| convert::half_to_single(0x3C00, f)), (ONE, 0));
    assert_eq!(with(FZ, |f| convert::half_to_single(0x0001, f)), (0x3380_0000, 0));
    assert_eq!(with(0, |f| convert::half_to_single(0xFC00, f)), (INFINITY | MINUS, 0));
    assert_eq!(with(AHP, |f| convert::half_to_single(0x7C00, f)), (0x4780_0000, 0));
    assert_eq!(with(0, |f| convert::single_to_half(0x4780_0000, f)), (0x7C00, OFC | IXC));
    assert_eq!(with(AHP, |f| convert::single_to_half(0x4780_0000, f)), (0x7C00, 0));
    assert_eq!(with(AHP, |f| convert::single_to_half(INFINITY, f)), (0x7FFF, IOC));
    assert_eq!(with(AHP, |f| convert::single_to_half(MAX, f)), (0x7FFF, IOC));
    assert_eq!(with(AHP, |f| convert::single_to_half(QNAN | MINUS, f)), (0x8000, IOC));
    // Denormal halves are not flushed; denormal singles are.
    assert_eq!(with(FZ, |f| convert::single_to_half(0x3380_0000, f)), (1, 0));
    assert_eq!(with(FZ, |f| convert::single_to_half(MIN_DENORMAL, f)), (0, IDC));
    assert_eq!(with(0, |f| convert::single_to_half(MIN_DENORMAL, f)), (0, UFC | IXC));
}

/// Sixteen words of memory at address 0.
struct Words([u32; 16]);

impl Bus for Words {
    fn fetch(&mut self, _: u8, _: u32) -> Result<u16, BusFault> {
        Err(BusFault)
    }

    fn read(&mut self, _: Master, addr: u32, _: Size) -> Result<u32, BusFault> {
        self.0.get(addr as usize / 4).copied().ok_or(BusFault)
    }

    fn write(&mut self, _: Master, addr: u32, _: Size, value: u32) -> Result<(), BusFault> {
        *self.0.get_mut(addr as usize / 4).ok_or(BusFault)? = value;
        Ok(())
    }

    fn send_event(&mut self, _: u8) {}

    fn coprocessor(&mut self, _: u8, _: CpOp) -> Option<CpResult> {
        None
    }
}

#[test]
fn fixed_point_always_rounds_to_nearest_one_way_and_to_zero_the_other() {
    let mut core = Core::new(0);
    let mut bus = Words([0; 16]);
    // Rounding towards plus infinity in FPSCR changes neither.
    core.fp.fpscr = rmode(1);
    // VCVT.F32.U32 s0, s0, #16 of 256 and half a unit in the last place.
    core.fp.s[0] = 0x0100_0001;
    assert_eq!(execute(&mut core, &mut bus, 0xEEBB_0AC8), Ok(()));
    assert_eq!((core.fp.s[0], core.fp.fpscr), (0x4380_0000, rmode(1) | IXC));
    // VCVT.U32.F32 s0, s0, #1 of 2.75.
    core.fp.s[0] = 0x4030_0000;
    assert_eq!(execute(&mut core, &mut bus, 0xEEBF_0AEF), Ok(()));
    assert_eq!((core.fp.s[0], core.fp.fpscr), (5, rmode(1) | IXC));
}

#[test]
fn unpredictable_is_undefined() {
    let mut core = Core::new(0);
    let mut bus = Words([0; 16]);
    for op in [
        0xEEB0_0A80,           // VMOV imm with bit 7
        0xEEB5_0A41,           // VCMP with zero and an operand
        0xEE00_FA10,           // VMOV s0, pc
        0xEE10_DA10,           // VMOV sp, s0
        0xEC51_1A10,           // VMOV r1, r1, s0, s1
        0xEC41_0A3F,           // VMOV s31, s32, r0, r1
        0xEEE1_FA10,           // VMSR FPSCR, pc
        0xEEF7_0A10,           // VMRS r0, MVFR0
        0xED8F_0A00,           // VSTR s0, [pc]
        0xEC9F_0A01,           // VLDMIA pc, {s0}
        0xEC91_0A00,           // VLDMIA r1, {}
        0xECD1_FA02,           // VLDMIA r1, {s31, s32}
        0xEE30_0B00,           // VADD.F64
        0xED91_0B40 | 1 << 22, // VLDR d16
    ] {
        assert_eq!(execute(&mut core, &mut bus, op), Err(Fault::Undefined), "{op:08x}");
    }
}

#[test]
fn multiple_loads_fault_without_moving_the_base() {
    let mut core = Core::new(0);
    let mut bus = Words(std::array::from_fn(|n| n as u32));
    // VLDMIA r1!, {s0-s3}
    let load = 0xECB1_0A04;
    core.set_reg(1, 4);
    assert_eq!(execute(&mut core, &mut bus, load), Ok(()));
    assert_eq!((core.reg(1), &core.fp.s[..4]), (20, &[1, 2, 3, 4][..]));
    core.set_reg(1, 56);
    assert_eq!(execute(&mut core, &mut bus, load), Err(Fault::BusData(64)));
    assert_eq!(core.reg(1), 56);
    core.set_reg(1, 6);
    assert_eq!(execute(&mut core, &mut bus, load), Err(Fault::Unaligned));
    assert_eq!(core.reg(1), 6);
}
