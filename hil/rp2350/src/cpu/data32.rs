//! 32-bit data processing: shifted register, modified immediate, plain immediate, bit fields, register shifts.

use super::alu::{
    add_with_carry, bad, expand_imm, saturate_signed, saturate_unsigned, shift, shift_imm, sign_extend, undefined_if,
};
use super::{Core, Fault};

impl Core {
    /// 1110101: data processing with a shifted register.
    #[inline]
    pub(super) fn shifted_register32(&mut self, op: u32) -> Result<(), Fault> {
        let kind = op >> 21 & 15;
        let flags = op >> 20 & 1 != 0;
        let rn = (op >> 16 & 15) as usize;
        let rd = (op >> 8 & 15) as usize;
        let rm = (op & 15) as usize;
        let imm5 = op >> 10 & 0x1c | op >> 6 & 3;
        let shift_kind = op >> 4 & 3;
        // MOV (T3) may name SP, on one side and without flags; ADD and SUB to SP take LSL #0..3 only.
        let plain_move = kind == 2 && rn == 15 && shift_kind == 0 && imm5 == 0;
        if plain_move && !flags {
            undefined_if(rd == 15 || rm == 15 || (rd == 13 && rm == 13) || op >> 15 & 1 != 0)?;
            self.check_writeback(rd, self.r[rm])?;
            self.write(rd, self.r[rm]);
            return Ok(());
        }
        undefined_if(bad(rm) || op >> 15 & 1 != 0)?;
        if rd == 13 && matches!(kind, 8 | 13) {
            undefined_if(shift_kind != 0 || imm5 > 3)?;
        }
        if kind == 6 {
            undefined_if(flags || shift_kind & 1 != 0 || bad(rd) || bad(rn))?;
            let (operand, _) = shift_imm(self.r[rm], shift_kind, imm5, self.c);
            self.r[rd] = if shift_kind == 0 {
                operand & 0xffff_0000 | self.r[rn] & 0xffff
            } else {
                self.r[rn] & 0xffff_0000 | operand & 0xffff
            };
            return Ok(());
        }
        let (operand, carry) = shift_imm(self.r[rm], shift_kind, imm5, self.c);
        self.data_processing32(kind, flags, rn, rd, operand, carry)
    }

    /// 11110x0: data processing with a modified immediate.
    #[inline]
    pub(super) fn modified_immediate32(&mut self, op: u32) -> Result<(), Fault> {
        let imm12 = op & 0xff | op >> 4 & 0x700 | op >> 15 & 0x800;
        let (operand, carry) = expand_imm(imm12, self.c)?;
        let rn = (op >> 16 & 15) as usize;
        let rd = (op >> 8 & 15) as usize;
        self.data_processing32(op >> 21 & 15, op >> 20 & 1 != 0, rn, rd, operand, carry)
    }

    /// The sixteen operations both forms share. `carry` is the shifter's.
    #[inline]
    fn data_processing32(
        &mut self,
        kind: u32,
        flags: bool,
        rn: usize,
        rd: usize,
        operand: u32,
        carry: bool,
    ) -> Result<(), Fault> {
        let a = self.r[rn];
        // TST, TEQ, CMN, CMP: no destination.
        let test = rd == 15 && flags && matches!(kind, 0 | 4 | 8 | 13);
        match kind {
            0..=4 => {
                let moves = matches!(kind, 2 | 3) && rn == 15;
                undefined_if((bad(rn) && !moves) || (bad(rd) && !test))?;
                let value = match kind {
                    0 => a & operand,
                    1 => a & !operand,
                    2 if moves => operand,
                    2 => a | operand,
                    3 if moves => !operand,
                    3 => a | !operand,
                    _ => a ^ operand,
                };
                if !test {
                    self.r[rd] = value;
                }
                if flags {
                    self.set_nz(value);
                    self.c = carry;
                }
                Ok(())
            }
            8 | 13 => {
                // ADD and SUB work on SP; SP as destination needs SP as first operand.
                undefined_if(rn == 15 || (rd == 15 && !test) || (rd == 13 && rn != 13))?;
                let result =
                    if kind == 8 { add_with_carry(a, operand, false) } else { add_with_carry(a, !operand, true) };
                if !test {
                    self.check_writeback(rd, result.0)?;
                    self.write(rd, result.0);
                }
                if flags {
                    self.set_nzcv(result);
                }
                Ok(())
            }
            10 | 11 | 14 => {
                undefined_if(bad(rn) || bad(rd))?;
                let result = match kind {
                    10 => add_with_carry(a, operand, self.c),
                    11 => add_with_carry(a, !operand, self.c),
                    _ => add_with_carry(!a, operand, true),
                };
                self.r[rd] = result.0;
                if flags {
                    self.set_nzcv(result);
                }
                Ok(())
            }
            _ => Err(Fault::Undefined),
        }
    }

    /// 11110x1: data processing with a plain immediate, saturation and bit fields.
    pub(super) fn plain_immediate32(&mut self, op: u32) -> Result<(), Fault> {
        let rn = (op >> 16 & 15) as usize;
        let rd = (op >> 8 & 15) as usize;
        let imm12 = op & 0xff | op >> 4 & 0x700 | op >> 15 & 0x800;
        let imm16 = op >> 4 & 0xf000 | imm12;
        let (lsb, width_or_msb) = (op >> 10 & 0x1c | op >> 6 & 3, op & 31);
        match op >> 20 & 31 {
            0b00000 | 0b01010 => {
                let subtract = op >> 23 & 1 != 0;
                undefined_if(rd == 15 || (rd == 13 && rn != 13))?;
                let base = if rn == 15 { self.r[15] & !3 } else { self.r[rn] };
                let value = if subtract { base.wrapping_sub(imm12) } else { base.wrapping_add(imm12) };
                self.check_writeback(rd, value)?;
                self.write(rd, value);
            }
            0b00100 => {
                undefined_if(bad(rd))?;
                self.r[rd] = imm16;
            }
            0b01100 => {
                undefined_if(bad(rd))?;
                self.r[rd] = self.r[rd] & 0xffff | imm16 << 16;
            }
            kind @ (0b10000 | 0b10010 | 0b11000 | 0b11010) => {
                undefined_if(bad(rd) || bad(rn) || op >> 5 & 1 != 0 || op >> 26 & 1 != 0)?;
                let unsigned = kind & 0b1000 != 0;
                if kind & 2 != 0 && lsb == 0 {
                    undefined_if(op >> 4 & 1 != 0)?;
                    self.saturate16(unsigned, rd, rn, op & 15);
                } else {
                    let (operand, _) = shift_imm(self.r[rn], kind & 2, lsb, self.c);
                    let operand = i64::from(operand as i32);
                    let (value, clamped) = if unsigned {
                        saturate_unsigned(operand, width_or_msb)
                    } else {
                        saturate_signed(operand, width_or_msb + 1)
                    };
                    self.r[rd] = value as u32;
                    self.q |= clamped;
                }
            }
            kind @ (0b10100 | 0b11100) => {
                undefined_if(bad(rd) || bad(rn) || lsb + width_or_msb > 31 || op >> 5 & 1 != 0 || op >> 26 & 1 != 0)?;
                let value = self.r[rn] >> lsb;
                let bits = width_or_msb + 1;
                self.r[rd] = if kind == 0b10100 { sign_extend(value, bits) } else { value & (u32::MAX >> (32 - bits)) };
            }
            0b10110 => {
                // BFC when Rn is 15.
                undefined_if(bad(rd) || rn == 13 || width_or_msb < lsb || op >> 5 & 1 != 0 || op >> 26 & 1 != 0)?;
                let mask = (u32::MAX >> (31 - (width_or_msb - lsb))) << lsb;
                let source = if rn == 15 { 0 } else { self.r[rn] << lsb };
                self.r[rd] = self.r[rd] & !mask | source & mask;
            }
            _ => return Err(Fault::Undefined),
        }
        Ok(())
    }

    /// SSAT16, USAT16.
    fn saturate16(&mut self, unsigned: bool, rd: usize, rn: usize, field: u32) {
        let mut value = 0;
        for half in [0, 16] {
            let lane = i64::from((self.r[rn] >> half) as i16);
            let (lane, clamped) =
                if unsigned { saturate_unsigned(lane, field) } else { saturate_signed(lane, field + 1) };
            self.q |= clamped;
            value |= (lane as u32 & 0xffff) << half;
        }
        self.r[rd] = value;
    }

    /// LSL, LSR, ASR, ROR by a register.
    pub(super) fn register_shift32(&mut self, op: u32) -> Result<(), Fault> {
        let rn = (op >> 16 & 15) as usize;
        let rd = (op >> 8 & 15) as usize;
        let rm = (op & 15) as usize;
        undefined_if(bad(rn) || bad(rd) || bad(rm))?;
        let (value, carry) = shift(self.r[rn], op >> 21 & 3, self.r[rm] & 0xff, self.c);
        self.r[rd] = value;
        if op >> 20 & 1 != 0 {
            self.set_nz(value);
            self.c = carry;
        }
        Ok(())
    }
}
