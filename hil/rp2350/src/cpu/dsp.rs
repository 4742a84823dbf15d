//! 32-bit data processing with registers only: extension, parallel addition and subtraction, saturation, bit counting.

use super::alu::{bad, saturate_signed, saturate_unsigned, sign_extend, undefined_if};
use super::{Core, Fault};

/// How a parallel operation delivers its lanes (the prefix S/U, Q/UQ, SH/UH).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lanes {
    /// Modulo, sets APSR.GE.
    Wrap,
    Saturate,
    Halve,
}

impl Core {
    /// 11111010: data processing with registers.
    pub(super) fn register32(&mut self, op: u32) -> Result<(), Fault> {
        undefined_if(op >> 12 & 15 != 15)?;
        let kind = op >> 20 & 15;
        let sub = op >> 4 & 15;
        if kind < 8 {
            if sub == 0 {
                return self.register_shift32(op);
            }
            undefined_if(sub & 8 == 0 || kind > 5)?;
            return self.extend32(op, kind);
        }
        match sub >> 2 {
            0 | 1 => self.parallel32(op, kind & 7, sub),
            2 => self.saturating_misc32(op, kind & 7, sub & 3),
            _ => Err(Fault::Undefined),
        }
    }

    /// SXTH, SXTB, SXTB16, the unsigned ones, and each with addition.
    fn extend32(&mut self, op: u32, kind: u32) -> Result<(), Fault> {
        let rn = (op >> 16 & 15) as usize;
        let rd = (op >> 8 & 15) as usize;
        let rm = (op & 15) as usize;
        undefined_if(rn == 13 || bad(rd) || bad(rm) || op >> 6 & 1 != 0)?;
        let value = self.r[rm].rotate_right((op >> 4 & 3) * 8);
        let base = if rn == 15 { 0 } else { self.r[rn] };
        let lanes = |low: u32, high: u32| base.wrapping_add(low) & 0xffff | (base >> 16).wrapping_add(high) << 16;
        self.r[rd] = match kind {
            0 => base.wrapping_add(sign_extend(value, 16)),
            1 => base.wrapping_add(value & 0xffff),
            2 => lanes(sign_extend(value, 8), sign_extend(value >> 16, 8)),
            3 => lanes(value & 0xff, value >> 16 & 0xff),
            4 => base.wrapping_add(sign_extend(value, 8)),
            _ => base.wrapping_add(value & 0xff),
        };
        Ok(())
    }

    /// SADD16 and its 35 relatives.
    fn parallel32(&mut self, op: u32, kind: u32, sub: u32) -> Result<(), Fault> {
        let rn = (op >> 16 & 15) as usize;
        let rd = (op >> 8 & 15) as usize;
        let rm = (op & 15) as usize;
        undefined_if(bad(rn) || bad(rd) || bad(rm))?;
        let unsigned = sub & 4 != 0;
        let lanes = match sub & 3 {
            0 => Lanes::Wrap,
            1 => Lanes::Saturate,
            2 => Lanes::Halve,
            _ => return Err(Fault::Undefined),
        };
        let (a, b) = (self.r[rn], self.r[rm]);
        let bits = if matches!(kind, 0 | 4) { 8 } else { 16 };
        let lane = |value: u32, index: u32| -> i64 {
            let value = value >> (index * bits) & (u32::MAX >> (32 - bits));
            if unsigned { i64::from(value) } else { i64::from(sign_extend(value, bits) as i32) }
        };
        let mut result = 0;
        let mut ge = 0;
        for index in 0..32 / bits {
            // ASX and SAX exchange the halves of Rm; ASX subtracts in the low lane, SAX in the high one.
            let (other, subtract) = match kind {
                0 | 1 => (index, false),
                4 | 5 => (index, true),
                2 => (1 - index, index == 0),
                6 => (1 - index, index == 1),
                _ => return Err(Fault::Undefined),
            };
            let exact = if subtract { lane(a, index) - lane(b, other) } else { lane(a, index) + lane(b, other) };
            // An unsigned sum sets GE on carry out; everything else when not negative.
            let reached = if unsigned && !subtract { exact >> bits != 0 } else { exact >= 0 };
            if reached {
                ge |= (if bits == 8 { 1 } else { 3 }) << (index * bits / 8);
            }
            let value = match lanes {
                Lanes::Wrap => exact,
                Lanes::Saturate if unsigned => saturate_unsigned(exact, bits).0,
                Lanes::Saturate => saturate_signed(exact, bits).0,
                Lanes::Halve => exact >> 1,
            };
            result |= (value as u32 & (u32::MAX >> (32 - bits))) << (index * bits);
        }
        self.r[rd] = result;
        if lanes == Lanes::Wrap {
            self.ge = ge;
        }
        Ok(())
    }

    /// QADD…, REV…, SEL, CLZ.
    fn saturating_misc32(&mut self, op: u32, kind: u32, sub: u32) -> Result<(), Fault> {
        let rn = (op >> 16 & 15) as usize;
        let rd = (op >> 8 & 15) as usize;
        let rm = (op & 15) as usize;
        undefined_if(bad(rn) || bad(rd) || bad(rm))?;
        let (n, m) = (self.r[rn], self.r[rm]);
        self.r[rd] = match (kind, sub) {
            (0, _) => {
                let doubled = if sub & 1 != 0 {
                    let (value, clamped) = saturate_signed(2 * i64::from(n as i32), 32);
                    self.q |= clamped;
                    value
                } else {
                    i64::from(n as i32)
                };
                let m = i64::from(m as i32);
                let (value, clamped) = saturate_signed(if sub & 2 != 0 { m - doubled } else { m + doubled }, 32);
                self.q |= clamped;
                value as u32
            }
            // REV, REV16, RBIT, REVSH and CLZ encode Rm twice.
            (1, _) | (3, 0) => {
                undefined_if(rn != rm)?;
                match (kind, sub) {
                    (1, 0) => m.swap_bytes(),
                    (1, 1) => m.swap_bytes().rotate_left(16),
                    (1, 2) => m.reverse_bits(),
                    (1, _) => sign_extend(m.swap_bytes() >> 16, 16),
                    _ => m.leading_zeros(),
                }
            }
            (2, 0) => {
                let mask =
                    (0..4).filter(|byte| self.ge >> byte & 1 != 0).fold(0, |mask, byte| mask | 0xff << (8 * byte));
                n & mask | m & !mask
            }
            _ => return Err(Fault::Undefined),
        };
        Ok(())
    }
}
