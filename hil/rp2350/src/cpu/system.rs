//! 32-bit system instructions: MRS, MSR, hints, barriers, TT.

use super::alu::{bad, undefined_if};
use super::mpu::Access;
use super::{Core, Fault};
use crate::bus::Bus;

impl Core {
    /// 11110 x 111x xxx: what is left of the branch space.
    pub(super) fn system32<B: Bus>(&mut self, bus: &mut B, op: u32) -> Result<(), Fault> {
        let rn = (op >> 16 & 15) as usize;
        let rd = (op >> 8 & 15) as usize;
        let sysm = op & 0xff;
        undefined_if(op >> 26 & 1 != 0 || op >> 12 & 7 != 0)?;
        match op >> 20 & 0x7f {
            0b0111000 => {
                // MSR
                let mask = op >> 10 & 3;
                undefined_if(bad(rn) || op >> 13 & 1 != 0 || op >> 8 & 3 != 0)?;
                undefined_if(mask == 0 || (sysm > 3 && mask != 2))?;
                undefined_if(!self.write_special(sysm, mask, self.r[rn]))
            }
            0b0111010 => {
                // Hints. The 32-bit CPS of the A profile has other bits set.
                undefined_if(op & 0xf_ff00 != 0xf_8000)?;
                if sysm >> 4 == 0 {
                    self.hint(bus, sysm);
                }
                Ok(())
            }
            0b0111011 => {
                undefined_if(op & 0xf_ff00 != 0xf_8f00)?;
                match sysm >> 4 {
                    // CLREX
                    2 => self.exclusive = None,
                    // DSB, DMB, ISB: accesses complete in order here.
                    4..=6 => {}
                    _ => return Err(Fault::Undefined),
                }
                Ok(())
            }
            0b0111110 => {
                // MRS
                undefined_if(bad(rd) || op & 0xf_f000 != 0xf_8000)?;
                self.r[rd] = self.read_special(sysm).ok_or(Fault::Undefined)?;
                Ok(())
            }
            _ => Err(Fault::Undefined),
        }
    }

    /// TT, TTT, TTA, TTAT: the MPU's answer for an address. Everything is Secure; the SAU is not consulted.
    pub(super) fn test_target(&mut self, op: u32) -> Result<(), Fault> {
        let rn = (op >> 16 & 15) as usize;
        let rd = (op >> 8 & 15) as usize;
        undefined_if(bad(rn) || bad(rd) || op & 0x3f != 0)?;
        let (alternate, unprivileged) = (op >> 7 & 1 != 0, op >> 6 & 1 != 0);
        let addr = self.r[rn];
        let mut result = 1 << 22;
        if alternate {
            // The alternate domain is Non-secure, whose MPU is never on: everything is readable and writable.
            result |= 1 << 18 | 1 << 19;
        } else if self.privileged {
            // Unprivileged code is told nothing of the MPU.
            if let Some(region) = self.mpu.region_of(addr) {
                result |= 1 << 16 | region;
            }
            let may = |access| !self.mpu_active || self.mpu.rules_allow(addr, access, !unprivileged);
            result |= u32::from(may(Access::Read)) << 18;
            result |= u32::from(may(Access::Write)) << 19;
        }
        self.r[rd] = result;
        Ok(())
    }
}
