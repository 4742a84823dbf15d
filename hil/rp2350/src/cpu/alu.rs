//! Arithmetic shared by the instruction decoders: conditions, shifts, sums and saturation.

use super::{Core, Fault};

/// `a + b + carry`, with carry and signed overflow out.
#[inline]
pub(super) fn add_with_carry(a: u32, b: u32, carry: bool) -> (u32, bool, bool) {
    let wide = u64::from(a) + u64::from(b) + u64::from(carry);
    let sum = wide as u32;
    (sum, wide >> 32 != 0, (a ^ sum) & (b ^ sum) & 0x8000_0000 != 0)
}

/// A shift of `kind` 0 LSL, 1 LSR, 2 ASR, 3 ROR by 0..=255, as a register gives it.
#[inline]
pub(super) fn shift(value: u32, kind: u32, amount: u32, carry: bool) -> (u32, bool) {
    if amount == 0 {
        return (value, carry);
    }
    match kind {
        0 if amount < 32 => (value << amount, value >> (32 - amount) & 1 != 0),
        0 => (0, amount == 32 && value & 1 != 0),
        1 if amount < 32 => (value >> amount, value >> (amount - 1) & 1 != 0),
        1 => (0, amount == 32 && value >> 31 != 0),
        2 if amount < 32 => ((value as i32 >> amount) as u32, value >> (amount - 1) & 1 != 0),
        2 => ((value as i32 >> 31) as u32, value >> 31 != 0),
        _ => {
            let result = value.rotate_right(amount & 31);
            (result, result >> 31 != 0)
        }
    }
}

/// A shift by a 5-bit immediate, where 0 means LSR #32, ASR #32 and RRX.
#[inline]
pub(super) fn shift_imm(value: u32, kind: u32, imm5: u32, carry: bool) -> (u32, bool) {
    match (kind, imm5) {
        (0, 0) => (value, carry),
        (1 | 2, 0) => shift(value, kind, 32, carry),
        (3, 0) => (value >> 1 | u32::from(carry) << 31, value & 1 != 0),
        _ => shift(value, kind, imm5, carry),
    }
}

/// The 12-bit modified immediate of a 32-bit data-processing instruction.
#[inline]
pub(super) fn expand_imm(imm12: u32, carry: bool) -> Result<(u32, bool), Fault> {
    let byte = imm12 & 0xff;
    if imm12 >> 10 == 0 {
        // A zero byte in a replicated pattern is UNPREDICTABLE.
        if imm12 >> 8 != 0 && byte == 0 {
            return Err(Fault::Undefined);
        }
        let value = match imm12 >> 8 {
            0 => byte,
            1 => byte << 16 | byte,
            2 => byte << 24 | byte << 8,
            _ => byte << 24 | byte << 16 | byte << 8 | byte,
        };
        Ok((value, carry))
    } else {
        let value = (0x80 | imm12 & 0x7f).rotate_right(imm12 >> 7);
        Ok((value, value >> 31 != 0))
    }
}

/// `value` clamped to a signed integer of `bits` (1..=32), and whether it was clamped.
#[inline]
pub(super) fn saturate_signed(value: i64, bits: u32) -> (i64, bool) {
    let max = (1i64 << (bits - 1)) - 1;
    let clamped = value.clamp(-max - 1, max);
    (clamped, clamped != value)
}

/// `value` clamped to an unsigned integer of `bits` (0..=32), and whether it was clamped.
#[inline]
pub(super) fn saturate_unsigned(value: i64, bits: u32) -> (i64, bool) {
    let clamped = value.clamp(0, (1i64 << bits) - 1);
    (clamped, clamped != value)
}

/// Sign-extends the low `bits` of `value`.
#[inline]
pub(super) fn sign_extend(value: u32, bits: u32) -> u32 {
    ((value << (32 - bits)) as i32 >> (32 - bits)) as u32
}

/// SP or PC as a general operand, which the manual calls UNPREDICTABLE.
#[inline]
pub(super) fn bad(reg: usize) -> bool {
    reg == 13 || reg == 15
}

/// UNDEFINED if `yes`.
#[inline]
pub(super) fn undefined_if(yes: bool) -> Result<(), Fault> {
    if yes { Err(Fault::Undefined) } else { Ok(()) }
}

impl Core {
    #[inline]
    pub(super) fn set_nz(&mut self, value: u32) {
        self.n = value >> 31 != 0;
        self.z = value == 0;
    }

    #[inline]
    pub(super) fn set_nzcv(&mut self, (value, carry, overflow): (u32, bool, bool)) {
        self.set_nz(value);
        self.c = carry;
        self.v = overflow;
    }

    /// Writes r0-r14; bits 1:0 of SP are always zero.
    #[inline]
    pub(super) fn write(&mut self, reg: usize, value: u32) {
        self.r[reg] = if reg == 13 { value & !3 } else { value };
    }

    /// Whether condition code `cond` (0..=15) holds.
    #[inline]
    pub(crate) fn condition(&self, cond: u32) -> bool {
        let base = match cond >> 1 {
            0 => self.z,
            1 => self.c,
            2 => self.n,
            3 => self.v,
            4 => self.c && !self.z,
            5 => self.n == self.v,
            6 => self.n == self.v && !self.z,
            _ => return true,
        };
        base != (cond & 1 != 0)
    }
}
