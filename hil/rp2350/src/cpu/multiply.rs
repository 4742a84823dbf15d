//! 32-bit multiplication, multiplication with accumulation, absolute differences, division.

use super::alu::{bad, undefined_if};
use super::{Core, Fault};

/// The signed halfword of `value` that `top` selects.
#[inline]
fn half(value: u32, top: bool) -> i64 {
    i64::from((if top { value >> 16 } else { value }) as i16)
}

/// Product of the low halfwords and of the high ones; `swap` exchanges `b`'s halves first.
fn dual(a: u32, b: u32, swap: bool) -> (i64, i64) {
    (half(a, false) * half(b, swap), half(a, true) * half(b, !swap))
}

impl Core {
    /// 111110110: products of 32 bits.
    pub(super) fn multiply32(&mut self, op: u32) -> Result<(), Fault> {
        let rn = (op >> 16 & 15) as usize;
        let ra = (op >> 12 & 15) as usize;
        let rd = (op >> 8 & 15) as usize;
        let rm = (op & 15) as usize;
        let kind = op >> 20 & 7;
        let (high, low) = (op >> 5 & 1 != 0, op >> 4 & 1 != 0);
        undefined_if(bad(rn) || bad(rd) || bad(rm) || ra == 13 || op >> 6 & 3 != 0)?;
        let (n, m) = (self.r[rn], self.r[rm]);
        let accumulate = if ra == 15 { 0 } else { self.r[ra] };
        let signed = i64::from(accumulate as i32);
        self.r[rd] = match kind {
            0 => {
                undefined_if(high || (low && ra == 15))?;
                let product = n.wrapping_mul(m);
                if low { accumulate.wrapping_sub(product) } else { accumulate.wrapping_add(product) }
            }
            // SMLAxy: only the addition can overflow, into Q.
            1 => self.flag_overflow(half(n, high) * half(m, low) + signed),
            // SMLAD, SMLSD: so do their sums; 0x8000 × 0x8000 twice does even without an accumulator.
            2 | 4 => {
                undefined_if(high)?;
                let (first, second) = dual(n, m, low);
                let second = if kind == 4 { -second } else { second };
                self.flag_overflow(first + second + signed)
            }
            3 => {
                undefined_if(high)?;
                self.flag_overflow(((i64::from(n as i32) * half(m, low)) >> 16) + signed)
            }
            5 | 6 => {
                undefined_if(high || (kind == 6 && ra == 15))?;
                let product = i64::from(n as i32) * i64::from(m as i32);
                let wide = i64::from(accumulate) << 32;
                let sum = if kind == 5 { wide.wrapping_add(product) } else { wide.wrapping_sub(product) };
                (sum.wrapping_add(if low { 0x8000_0000 } else { 0 }) >> 32) as u32
            }
            _ => {
                undefined_if(high || low)?;
                let pairs = n.to_le_bytes().into_iter().zip(m.to_le_bytes());
                pairs.fold(accumulate, |sum, (a, b)| sum.wrapping_add(u32::from(a.abs_diff(b))))
            }
        };
        Ok(())
    }

    /// The low word, with Q set if the value does not fit in it as a signed integer.
    fn flag_overflow(&mut self, value: i64) -> u32 {
        self.q |= i32::try_from(value).is_err();
        value as u32
    }

    /// 111110111: products of 64 bits, and division.
    pub(super) fn long_multiply32(&mut self, op: u32) -> Result<(), Fault> {
        let rn = (op >> 16 & 15) as usize;
        let lo = (op >> 12 & 15) as usize;
        let hi = (op >> 8 & 15) as usize;
        let rm = (op & 15) as usize;
        let (kind, sub) = (op >> 20 & 7, op >> 4 & 15);
        undefined_if(bad(rn) || bad(hi) || bad(rm))?;
        let (n, m) = (self.r[rn], self.r[rm]);
        if matches!((kind, sub), (1 | 3, 15)) {
            undefined_if(lo != 15)?;
            if m == 0 {
                if self.scb.div_0_trp() {
                    return Err(Fault::DivideByZero);
                }
                self.r[hi] = 0;
            } else {
                self.r[hi] = if kind == 1 { (n as i32).wrapping_div(m as i32) as u32 } else { n / m };
            }
            return Ok(());
        }
        undefined_if(bad(lo) || lo == hi)?;
        let sum = u64::from(self.r[hi]) << 32 | u64::from(self.r[lo]);
        let signed = (i64::from(n as i32) * i64::from(m as i32)) as u64;
        let unsigned = u64::from(n) * u64::from(m);
        let value = match (kind, sub) {
            (0, 0) => signed,
            (2, 0) => unsigned,
            (4, 0) => sum.wrapping_add(signed),
            (4, 8..=11) => sum.wrapping_add((half(n, sub & 2 != 0) * half(m, sub & 1 != 0)) as u64),
            (4 | 5, 12 | 13) => {
                let (first, second) = dual(n, m, sub & 1 != 0);
                let product = if kind == 4 { first + second } else { first - second };
                sum.wrapping_add(product as u64)
            }
            (6, 0) => sum.wrapping_add(unsigned),
            (6, 6) => unsigned + u64::from(self.r[hi]) + u64::from(self.r[lo]),
            _ => return Err(Fault::Undefined),
        };
        self.r[lo] = value as u32;
        self.r[hi] = (value >> 32) as u32;
        Ok(())
    }
}
