//! Dispatch of the 32-bit instructions. `op` is `first halfword << 16 | second halfword` everywhere.

use super::alu::{bad, sign_extend, undefined_if};
use super::{Core, Fault, fp};
use crate::bus::{Bus, CpKind, CpOp};

impl Core {
    #[inline]
    pub(super) fn execute32<B: Bus>(&mut self, bus: &mut B, op: u32) -> Result<(), Fault> {
        match op >> 25 & 15 {
            // 1110 100x, 1110 101x, 1110 11xx
            0b0100 if op >> 22 & 1 == 0 => self.multiple32(bus, op),
            0b0100 => self.dual32(bus, op),
            0b0101 => self.shifted_register32(op),
            0b0110 | 0b0111 | 0b1110 | 0b1111 => self.coprocessor32(bus, op),
            // 1111 0xxx
            0b1000..=0b1011 => {
                if op >> 15 & 1 != 0 {
                    self.branch_or_system32(bus, op)
                } else if op >> 25 & 1 == 0 {
                    self.modified_immediate32(op)
                } else {
                    self.plain_immediate32(op)
                }
            }
            // 1111 100x
            0b1100 => self.single32(bus, op),
            // 1111 101x
            _ if op >> 24 & 1 == 0 => self.register32(op),
            _ if op >> 23 & 1 == 0 => self.multiply32(op),
            _ => self.long_multiply32(op),
        }
    }

    #[inline]
    fn branch_or_system32<B: Bus>(&mut self, bus: &mut B, op: u32) -> Result<(), Fault> {
        let sign = op >> 26 & 1;
        let (j1, j2) = (op >> 13 & 1, op >> 11 & 1);
        match op >> 12 & 5 {
            0 => {
                let cond = op >> 22 & 15;
                if cond >= 14 {
                    return self.system32(bus, op);
                }
                undefined_if(self.in_it)?;
                if self.condition(cond) {
                    let offset = sign << 20 | j2 << 19 | j1 << 18 | (op >> 16 & 0x3f) << 12 | (op & 0x7ff) << 1;
                    self.next_pc = self.r[15].wrapping_add(sign_extend(offset, 21));
                }
                Ok(())
            }
            // BLX (immediate) would leave Thumb: it does not exist.
            4 => Err(Fault::Undefined),
            kind => {
                self.ends_it_block()?;
                let (i1, i2) = (!(j1 ^ sign) & 1, !(j2 ^ sign) & 1);
                let offset = sign << 24 | i1 << 23 | i2 << 22 | (op >> 16 & 0x3ff) << 12 | (op & 0x7ff) << 1;
                if kind == 5 {
                    self.r[14] = self.next_pc | 1;
                }
                self.next_pc = self.r[15].wrapping_add(sign_extend(offset, 25));
                Ok(())
            }
        }
    }

    /// 111x11: coprocessor instructions, of which 10 and 11 are floating point.
    fn coprocessor32<B: Bus>(&mut self, bus: &mut B, op: u32) -> Result<(), Fault> {
        // The Advanced SIMD space does not exist in this architecture.
        undefined_if(op >> 24 & 3 == 3)?;
        let coproc = op >> 8 & 15;
        if coproc == 10 || coproc == 11 {
            if op & 0xffe0_ffff == 0xec20_0a00 {
                return self.lazy_multiple32(bus, op);
            }
            self.prepare_fp(bus)?;
            return fp::execute(self, bus, op);
        }
        self.check_coprocessor(coproc)?;
        let (rt, rt2) = ((op >> 12 & 15) as usize, (op >> 16 & 15) as usize);
        let load = op >> 20 & 1 != 0;
        let mut request = CpOp {
            kind: CpKind::Cdp,
            two: op >> 28 & 1 != 0,
            coproc: coproc as u8,
            opc1: 0,
            opc2: 0,
            crn: 0,
            crm: (op & 15) as u8,
            crd: 0,
            value: 0,
            value2: 0,
        };
        if op >> 21 & 0x1f == 0b00010 {
            request.opc1 = (op >> 4 & 15) as u8;
            undefined_if(bad(rt) || bad(rt2) || (load && rt == rt2))?;
            if load {
                request.kind = CpKind::Mrrc;
            } else {
                request.kind = CpKind::Mcrr;
                request.value = self.r[rt];
                request.value2 = self.r[rt2];
            }
        } else if op >> 24 & 3 == 2 {
            request.opc2 = (op >> 5 & 7) as u8;
            request.crn = rt2 as u8;
            if op >> 4 & 1 == 0 {
                request.opc1 = (op >> 20 & 15) as u8;
                request.crd = rt as u8;
            } else {
                request.opc1 = (op >> 21 & 7) as u8;
                undefined_if(rt == 13 || (!load && rt == 15))?;
                if load {
                    request.kind = CpKind::Mrc;
                } else {
                    request.kind = CpKind::Mcr;
                    request.value = self.r[rt];
                }
            }
        } else {
            // LDC, STC: no coprocessor of this chip has them.
            return Err(Fault::Undefined);
        }
        let result = bus.coprocessor(self.id, request).ok_or(Fault::Undefined)?;
        match request.kind {
            CpKind::Mrc if rt == 15 => self.set_apsr_nzcv(result.value),
            CpKind::Mrc => self.r[rt] = result.value,
            CpKind::Mrrc => {
                self.r[rt] = result.value;
                self.r[rt2] = result.value2;
            }
            CpKind::Mcr | CpKind::Mcrr | CpKind::Cdp => {}
        }
        Ok(())
    }

    /// NOCP unless CPACR gives access to `coproc`.
    pub(super) fn check_coprocessor(&self, coproc: u32) -> Result<(), Fault> {
        match self.scb.cpacr >> (2 * coproc) & 3 {
            3 => Ok(()),
            1 if self.privileged => Ok(()),
            _ => Err(Fault::NoCoprocessor),
        }
    }
}
