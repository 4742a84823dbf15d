//! The 16-bit instructions.

use super::alu::{add_with_carry, shift, shift_imm, sign_extend, undefined_if};
use super::{Core, Fault, Sleep};
use crate::bus::{Bus, Size};

impl Core {
    #[inline]
    pub(super) fn execute16<B: Bus>(&mut self, bus: &mut B, op: u32) -> Result<(), Fault> {
        // The usual places of three low registers and an 8-bit immediate with its register.
        let rd = (op & 7) as usize;
        let rn = (op >> 3 & 7) as usize;
        let rm = (op >> 6 & 7) as usize;
        let rx = (op >> 8 & 7) as usize;
        let imm5 = op >> 6 & 31;
        let imm8 = op & 0xff;
        match op >> 11 {
            kind @ 0b00000..=0b00010 => {
                // MOVS (LSLS #0) does not exist in an IT block.
                undefined_if(op >> 6 == 0 && self.in_it)?;
                let (value, carry) = shift_imm(self.r[rn], kind, imm5, self.c);
                self.r[rd] = value;
                if !self.in_it {
                    self.set_nz(value);
                    self.c = carry;
                }
            }
            0b00011 => {
                let operand = if op >> 10 & 1 != 0 { rm as u32 } else { self.r[rm] };
                let result = if op >> 9 & 1 != 0 {
                    add_with_carry(self.r[rn], !operand, true)
                } else {
                    add_with_carry(self.r[rn], operand, false)
                };
                self.result16(rd, result);
            }
            0b00100 => {
                self.r[rx] = imm8;
                if !self.in_it {
                    self.set_nz(imm8);
                }
            }
            0b00101 => self.set_nzcv(add_with_carry(self.r[rx], !imm8, true)),
            0b00110 => self.result16(rx, add_with_carry(self.r[rx], imm8, false)),
            0b00111 => self.result16(rx, add_with_carry(self.r[rx], !imm8, true)),
            0b01000 => {
                if op >> 10 & 1 == 0 {
                    self.data_processing16(op >> 6 & 15, rd, rn);
                } else {
                    return self.special16(bus, op);
                }
            }
            0b01001 => {
                let addr = (self.r[15] & !3).wrapping_add(imm8 << 2);
                self.r[rx] = self.load(bus, addr, Size::Word)?;
            }
            0b01010 | 0b01011 => {
                let addr = self.r[rn].wrapping_add(self.r[rm]);
                match op >> 9 & 7 {
                    0 => self.store(bus, addr, Size::Word, self.r[rd])?,
                    1 => self.store(bus, addr, Size::Half, self.r[rd])?,
                    2 => self.store(bus, addr, Size::Byte, self.r[rd])?,
                    3 => self.r[rd] = sign_extend(self.load(bus, addr, Size::Byte)?, 8),
                    4 => self.r[rd] = self.load(bus, addr, Size::Word)?,
                    5 => self.r[rd] = self.load(bus, addr, Size::Half)?,
                    6 => self.r[rd] = self.load(bus, addr, Size::Byte)?,
                    _ => self.r[rd] = sign_extend(self.load(bus, addr, Size::Half)?, 16),
                }
            }
            0b01100 => self.store(bus, self.r[rn].wrapping_add(imm5 << 2), Size::Word, self.r[rd])?,
            0b01101 => self.r[rd] = self.load(bus, self.r[rn].wrapping_add(imm5 << 2), Size::Word)?,
            0b01110 => self.store(bus, self.r[rn].wrapping_add(imm5), Size::Byte, self.r[rd])?,
            0b01111 => self.r[rd] = self.load(bus, self.r[rn].wrapping_add(imm5), Size::Byte)?,
            0b10000 => self.store(bus, self.r[rn].wrapping_add(imm5 << 1), Size::Half, self.r[rd])?,
            0b10001 => self.r[rd] = self.load(bus, self.r[rn].wrapping_add(imm5 << 1), Size::Half)?,
            0b10010 => self.store(bus, self.r[13].wrapping_add(imm8 << 2), Size::Word, self.r[rx])?,
            0b10011 => self.r[rx] = self.load(bus, self.r[13].wrapping_add(imm8 << 2), Size::Word)?,
            0b10100 => self.r[rx] = (self.r[15] & !3).wrapping_add(imm8 << 2),
            0b10101 => self.r[rx] = self.r[13].wrapping_add(imm8 << 2),
            0b10110 | 0b10111 => return self.misc16(bus, op),
            0b11000 => return self.store_multiple_up(bus, rx, imm8, true),
            0b11001 => return self.load_multiple_up(bus, rx, imm8, imm8 >> rx & 1 == 0),
            0b11010 | 0b11011 => match op >> 8 & 15 {
                14 => return Err(Fault::Undefined),
                15 => self.supervisor_call(),
                cond => {
                    undefined_if(self.in_it)?;
                    if self.condition(cond) {
                        self.next_pc = self.r[15].wrapping_add(sign_extend(imm8, 8) << 1);
                    }
                }
            },
            // 0b11100; the rest are first halves of 32-bit instructions.
            _ => {
                self.ends_it_block()?;
                self.next_pc = self.r[15].wrapping_add(sign_extend(op & 0x7ff, 11) << 1);
            }
        }
        Ok(())
    }

    /// A branch may stand in an IT block only as its last instruction.
    #[inline]
    pub(super) fn ends_it_block(&self) -> Result<(), Fault> {
        undefined_if(self.in_it && self.it != 0)
    }

    #[inline]
    fn result16(&mut self, rd: usize, result: (u32, bool, bool)) {
        self.r[rd] = result.0;
        if !self.in_it {
            self.set_nzcv(result);
        }
    }

    fn data_processing16(&mut self, kind: u32, rd: usize, rm: usize) {
        let (a, b) = (self.r[rd], self.r[rm]);
        let (value, carry) = match kind {
            0 => (a & b, self.c),
            1 => (a ^ b, self.c),
            2 => shift(a, 0, b & 0xff, self.c),
            3 => shift(a, 1, b & 0xff, self.c),
            4 => shift(a, 2, b & 0xff, self.c),
            5 => return self.result16(rd, add_with_carry(a, b, self.c)),
            6 => return self.result16(rd, add_with_carry(a, !b, self.c)),
            7 => shift(a, 3, b & 0xff, self.c),
            8 => return self.set_nz(a & b),
            9 => return self.result16(rd, add_with_carry(!b, 0, true)),
            10 => return self.set_nzcv(add_with_carry(a, !b, true)),
            11 => return self.set_nzcv(add_with_carry(a, b, false)),
            12 => (a | b, self.c),
            13 => (a.wrapping_mul(b), self.c),
            14 => (a & !b, self.c),
            _ => (!b, self.c),
        };
        self.r[rd] = value;
        if !self.in_it {
            self.set_nz(value);
            self.c = carry;
        }
    }

    /// ADD, CMP, MOV with any register; BX, BLX.
    fn special16<B: Bus>(&mut self, bus: &mut B, op: u32) -> Result<(), Fault> {
        let rd = (op & 7 | op >> 4 & 8) as usize;
        let rm = (op >> 3 & 15) as usize;
        let operand = self.r[rm];
        match op >> 8 & 3 {
            0 => {
                undefined_if(rd == 15 && rm == 15)?;
                let sum = self.r[rd].wrapping_add(operand);
                if rd == 15 {
                    self.ends_it_block()?;
                    self.next_pc = sum & !1;
                } else {
                    // Only ADD SP, SP, Rm is here with rd 13.
                    self.check_writeback(rd, sum)?;
                    self.write(rd, sum);
                }
            }
            1 => {
                undefined_if((rd < 8 && rm < 8) || rd == 15 || rm == 15)?;
                self.set_nzcv(add_with_carry(self.r[rd], !operand, true));
            }
            2 => {
                if rd == 15 {
                    self.ends_it_block()?;
                    self.next_pc = operand & !1;
                } else {
                    self.check_writeback(rd, operand)?;
                    self.write(rd, operand);
                }
            }
            _ => {
                let (link, non_secure) = (op >> 7 & 1 != 0, op >> 2 & 1 != 0);
                undefined_if(op & 3 != 0)?;
                self.ends_it_block()?;
                if non_secure {
                    // BXNS, BLXNS: a target with bit 0 clear is in the Non-secure world.
                    undefined_if(rm == 13 || rm == 15)?;
                    if operand & 1 == 0 {
                        return Err(Fault::SecureTransition);
                    }
                }
                undefined_if(link && rm == 15)?;
                if link {
                    self.r[14] = self.next_pc | 1;
                    self.branch_exchange(operand);
                } else {
                    return self.load_pc(bus, operand);
                }
            }
        }
        Ok(())
    }

    /// The miscellaneous instructions 0xb000..0xbfff.
    fn misc16<B: Bus>(&mut self, bus: &mut B, op: u32) -> Result<(), Fault> {
        let rd = (op & 7) as usize;
        let value = self.r[(op >> 3 & 7) as usize];
        match op >> 8 & 15 {
            0b0000 => {
                let offset = (op & 0x7f) << 2;
                let sp = self.r[13];
                let sp = if op >> 7 & 1 == 0 { sp.wrapping_add(offset) } else { sp.wrapping_sub(offset) };
                self.check_sp_limit(sp)?;
                self.r[13] = sp;
            }
            0b0001 | 0b0011 | 0b1001 | 0b1011 => {
                undefined_if(self.in_it)?;
                if (self.r[rd] == 0) == (op >> 11 & 1 == 0) {
                    let offset = (op >> 3 & 31) << 1 | (op >> 9 & 1) << 6;
                    self.next_pc = self.r[15].wrapping_add(offset);
                }
            }
            0b0010 => {
                self.r[rd] = match op >> 6 & 3 {
                    0 => sign_extend(value, 16),
                    1 => sign_extend(value, 8),
                    2 => value & 0xffff,
                    _ => value & 0xff,
                }
            }
            0b0100 | 0b0101 => {
                let list = op & 0xff | (op & 0x100) << 6;
                return self.store_multiple_down(bus, 13, list, true);
            }
            0b0110 => {
                // CPS; the other encodings here are SETEND and unallocated.
                undefined_if(op & 0xffec != 0xb660 || op & 3 == 0 || self.in_it)?;
                if self.privileged {
                    let mask = op >> 4 & 1 != 0;
                    if op & 2 != 0 {
                        self.special.primask = mask;
                    }
                    if op & 1 != 0 && (!mask || self.nvic.execution > -1) {
                        self.special.faultmask = mask;
                    }
                    self.reevaluate();
                }
            }
            0b1010 => {
                self.r[rd] = match op >> 6 & 3 {
                    0 => value.swap_bytes(),
                    1 => value.swap_bytes().rotate_left(16),
                    3 => sign_extend(value.swap_bytes() >> 16, 16),
                    _ => return Err(Fault::Undefined),
                }
            }
            0b1100 | 0b1101 => {
                let list = op & 0xff | (op & 0x100) << 7;
                return self.load_multiple_up(bus, 13, list, true);
            }
            0b1110 => return Err(Fault::Breakpoint),
            0b1111 => {
                if op & 15 != 0 {
                    let (condition, mask) = (op >> 4 & 15, op & 15);
                    undefined_if(self.in_it || condition == 15 || (condition == 14 && !mask.is_power_of_two()))?;
                    self.it = (op & 0xff) as u8;
                } else {
                    self.hint(bus, op >> 4 & 15);
                }
            }
            _ => return Err(Fault::Undefined),
        }
        Ok(())
    }

    /// NOP, YIELD, WFE, WFI, SEV; what is unallocated is a NOP.
    pub(super) fn hint<B: Bus>(&mut self, bus: &mut B, number: u32) {
        match number {
            2 => self.go_to_sleep(Sleep::Wfe),
            3 => self.go_to_sleep(Sleep::Wfi),
            4 => {
                self.event = true;
                bus.send_event(self.id);
            }
            _ => {}
        }
    }
}
