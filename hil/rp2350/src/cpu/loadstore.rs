//! 32-bit loads and stores: single, dual, multiple, exclusive, acquire and release, table branches; writes to the PC.

use super::alu::{bad, sign_extend, undefined_if};
use super::{Core, Fault};
use crate::bus::{Bus, Size};

/// Size field of a load or store: 0 byte, 1 halfword, 2 word.
#[inline]
fn size_of(field: u32) -> Result<Size, Fault> {
    match field {
        0 => Ok(Size::Byte),
        1 => Ok(Size::Half),
        2 => Ok(Size::Word),
        _ => Err(Fault::Undefined),
    }
}

impl Core {
    /// BX, BLX, or an interworking branch in a mode where EXC_RETURN has no meaning: bit 0 becomes EPSR.T.
    #[inline]
    pub(super) fn branch_exchange(&mut self, target: u32) {
        self.next_pc = target & !1;
        if target & 1 == 0 {
            self.thumb = false;
            self.attention = true;
        }
    }

    /// BX and loads to the PC: in Handler mode, a value 0xFFxx_xxxx returns from the exception.
    #[inline]
    pub(super) fn load_pc<B: Bus>(&mut self, bus: &mut B, value: u32) -> Result<(), Fault> {
        if value >= 0xff00_0000 && self.special.ipsr != 0 {
            self.exception_return(bus, value);
        } else {
            self.branch_exchange(value);
        }
        Ok(())
    }

    /// LDMIA, POP. Registers change only when every access has succeeded, so that the instruction can start over.
    pub(super) fn load_multiple_up<B: Bus>(
        &mut self,
        bus: &mut B,
        rn: usize,
        list: u32,
        writeback: bool,
    ) -> Result<(), Fault> {
        self.load_multiple(bus, rn, list, writeback, false)
    }

    fn load_multiple<B: Bus>(
        &mut self,
        bus: &mut B,
        rn: usize,
        list: u32,
        writeback: bool,
        down: bool,
    ) -> Result<(), Fault> {
        undefined_if(list == 0)?;
        if list >> 15 != 0 {
            self.ends_it_block()?;
        }
        let bytes = list.count_ones() * 4;
        let base = self.r[rn];
        let (mut addr, end) =
            if down { (base.wrapping_sub(bytes), base.wrapping_sub(bytes)) } else { (base, base.wrapping_add(bytes)) };
        if writeback {
            self.check_writeback(rn, end)?;
        }
        let mut values = [0; 16];
        let mut left = list;
        while left != 0 {
            let reg = left.trailing_zeros() as usize;
            values[reg] = self.load_aligned(bus, addr)?;
            addr = addr.wrapping_add(4);
            left &= left - 1;
        }
        let mut left = list & 0x7fff;
        while left != 0 {
            let reg = left.trailing_zeros() as usize;
            self.write(reg, values[reg]);
            left &= left - 1;
        }
        if writeback {
            self.write(rn, end);
        }
        if list >> 15 != 0 { self.load_pc(bus, values[15]) } else { Ok(()) }
    }

    /// STMIA.
    pub(super) fn store_multiple_up<B: Bus>(
        &mut self,
        bus: &mut B,
        rn: usize,
        list: u32,
        writeback: bool,
    ) -> Result<(), Fault> {
        let base = self.r[rn];
        let end = base.wrapping_add(list.count_ones() * 4);
        self.store_multiple(bus, rn, list, base, writeback.then_some(end))
    }

    /// STMDB, PUSH.
    pub(super) fn store_multiple_down<B: Bus>(
        &mut self,
        bus: &mut B,
        rn: usize,
        list: u32,
        writeback: bool,
    ) -> Result<(), Fault> {
        let start = self.r[rn].wrapping_sub(list.count_ones() * 4);
        self.store_multiple(bus, rn, list, start, writeback.then_some(start))
    }

    fn store_multiple<B: Bus>(
        &mut self,
        bus: &mut B,
        rn: usize,
        list: u32,
        start: u32,
        end: Option<u32>,
    ) -> Result<(), Fault> {
        undefined_if(list == 0)?;
        if let Some(end) = end {
            self.check_writeback(rn, end)?;
        }
        let mut addr = start;
        let mut left = list;
        while left != 0 {
            self.store_aligned(bus, addr, self.r[left.trailing_zeros() as usize])?;
            addr = addr.wrapping_add(4);
            left &= left - 1;
        }
        if let Some(end) = end {
            self.write(rn, end);
        }
        Ok(())
    }

    /// 1110100xx0: LDM, STM.
    pub(super) fn multiple32<B: Bus>(&mut self, bus: &mut B, op: u32) -> Result<(), Fault> {
        let rn = (op >> 16 & 15) as usize;
        let list = op & 0xffff;
        let (writeback, load) = (op >> 21 & 1 != 0, op >> 20 & 1 != 0);
        let down = match op >> 23 & 3 {
            1 => false,
            2 => true,
            _ => return Err(Fault::Undefined),
        };
        undefined_if(rn == 15 || list.count_ones() < 2 || list >> 13 & 1 != 0 || (writeback && list >> rn & 1 != 0))?;
        if load {
            undefined_if(list >> 14 == 3)?;
            self.load_multiple(bus, rn, list, writeback, down)
        } else {
            undefined_if(list >> 15 != 0)?;
            if down {
                self.store_multiple_down(bus, rn, list, writeback)
            } else {
                self.store_multiple_up(bus, rn, list, writeback)
            }
        }
    }

    /// 1110100xx1: LDRD, STRD, exclusives, acquire and release, table branches, TT.
    #[inline]
    pub(super) fn dual32<B: Bus>(&mut self, bus: &mut B, op: u32) -> Result<(), Fault> {
        let (index, add) = (op >> 24 & 1 != 0, op >> 23 & 1 != 0);
        let (writeback, load) = (op >> 21 & 1 != 0, op >> 20 & 1 != 0);
        let rn = (op >> 16 & 15) as usize;
        let rt = (op >> 12 & 15) as usize;
        let rt2 = (op >> 8 & 15) as usize;
        let offset = (op & 0xff) << 2;
        if !index && !writeback {
            return match (add, load) {
                (false, false) if rt == 15 => self.test_target(op),
                (false, false) => {
                    undefined_if(bad(rt2) || bad(rt) || rn == 15 || rt2 == rn || rt2 == rt)?;
                    let addr = self.r[rn].wrapping_add(offset);
                    let status = self.store_exclusive(bus, addr, Size::Word, self.r[rt])?;
                    self.r[rt2] = status;
                    Ok(())
                }
                (false, true) => {
                    undefined_if(rt2 != 15 || bad(rt) || rn == 15)?;
                    self.r[rt] = self.load_exclusive(bus, self.r[rn].wrapping_add(offset), Size::Word)?;
                    Ok(())
                }
                (true, false) => self.store_release(bus, op),
                (true, true) => self.load_acquire(bus, op),
            };
        }
        if op == 0xe97f_e97f {
            // SG in the Secure state does nothing.
            return Ok(());
        }
        undefined_if(bad(rt) || bad(rt2) || (writeback && (rn == rt || rn == rt2 || rn == 15)))?;
        let base = if rn == 15 { self.r[15] & !3 } else { self.r[rn] };
        let moved = if add { base.wrapping_add(offset) } else { base.wrapping_sub(offset) };
        let addr = if index { moved } else { base };
        if writeback {
            self.check_writeback(rn, moved)?;
        }
        if load {
            undefined_if(rt == rt2)?;
            let low = self.load_aligned(bus, addr)?;
            let high = self.load_aligned(bus, addr.wrapping_add(4))?;
            self.r[rt] = low;
            self.r[rt2] = high;
        } else {
            undefined_if(rn == 15)?;
            self.store_aligned(bus, addr, self.r[rt])?;
            self.store_aligned(bus, addr.wrapping_add(4), self.r[rt2])?;
        }
        if writeback {
            self.write(rn, moved);
        }
        Ok(())
    }

    /// STREXB/H, STL, STLB/H, STLEX, STLEXB/H.
    fn store_release<B: Bus>(&mut self, bus: &mut B, op: u32) -> Result<(), Fault> {
        let rn = (op >> 16 & 15) as usize;
        let rt = (op >> 12 & 15) as usize;
        let rd = (op & 15) as usize;
        let kind = op >> 4 & 15;
        let size = size_of(kind & 3)?;
        undefined_if(rn == 15 || bad(rt) || op >> 8 & 15 != 15)?;
        let (addr, value) = (self.r[rn], self.r[rt]);
        match kind >> 2 {
            2 => {
                undefined_if(rd != 15)?;
                self.store_atomic(bus, addr, size, value)
            }
            1 | 3 => {
                undefined_if(bad(rd) || rd == rn || rd == rt || kind == 0b0110)?;
                let status = self.store_exclusive(bus, addr, size, value)?;
                self.r[rd] = status;
                Ok(())
            }
            _ => Err(Fault::Undefined),
        }
    }

    /// TBB, TBH, LDREXB/H, LDA, LDAB/H, LDAEX, LDAEXB/H.
    fn load_acquire<B: Bus>(&mut self, bus: &mut B, op: u32) -> Result<(), Fault> {
        let rn = (op >> 16 & 15) as usize;
        let rt = (op >> 12 & 15) as usize;
        let rm = (op & 15) as usize;
        let kind = op >> 4 & 15;
        if kind <= 1 {
            undefined_if(rn == 13 || bad(rm) || op >> 8 & 0xff != 0xf0)?;
            self.ends_it_block()?;
            let index = self.r[rm];
            let offset = if kind == 0 {
                self.load(bus, self.r[rn].wrapping_add(index), Size::Byte)?
            } else {
                self.load(bus, self.r[rn].wrapping_add(index << 1), Size::Half)?
            };
            self.next_pc = self.r[15].wrapping_add(offset << 1);
            return Ok(());
        }
        let size = size_of(kind & 3)?;
        undefined_if(rn == 15 || bad(rt) || op & 0xf0f != 0xf0f)?;
        self.r[rt] = match kind >> 2 {
            2 => self.load_atomic(bus, self.r[rn], size)?,
            1 | 3 if kind != 0b0110 => self.load_exclusive(bus, self.r[rn], size)?,
            _ => return Err(Fault::Undefined),
        };
        Ok(())
    }

    /// 1111100x: a single load or store, or a memory hint.
    #[inline]
    pub(super) fn single32<B: Bus>(&mut self, bus: &mut B, op: u32) -> Result<(), Fault> {
        let signed = op >> 24 & 1 != 0;
        let load = op >> 20 & 1 != 0;
        let size = size_of(op >> 21 & 3)?;
        let word = size == Size::Word;
        let rn = (op >> 16 & 15) as usize;
        let rt = (op >> 12 & 15) as usize;
        undefined_if(signed && (word || !load) || (!load && rn == 15))?;
        let hint = load && rt == 15 && !word;
        let mut writeback = None;
        let mut privileged = self.privileged;
        let addr = if rn == 15 {
            let base = self.r[15] & !3;
            let offset = op & 0xfff;
            if op >> 23 & 1 != 0 { base.wrapping_add(offset) } else { base.wrapping_sub(offset) }
        } else if op >> 23 & 1 != 0 {
            self.r[rn].wrapping_add(op & 0xfff)
        } else if op >> 11 & 1 != 0 {
            let (index, add, write) = (op >> 10 & 1 != 0, op >> 9 & 1 != 0, op >> 8 & 1 != 0);
            undefined_if(!index && !write)?;
            let offset = op & 0xff;
            let moved = if add { self.r[rn].wrapping_add(offset) } else { self.r[rn].wrapping_sub(offset) };
            if index && add && !write {
                undefined_if(bad(rt))?;
                privileged = false;
            }
            if write {
                undefined_if(rn == rt || hint)?;
                self.check_writeback(rn, moved)?;
                writeback = Some(moved);
            }
            if index { moved } else { self.r[rn] }
        } else {
            let rm = (op & 15) as usize;
            undefined_if(op >> 6 & 0x3f != 0 || bad(rm))?;
            self.r[rn].wrapping_add(self.r[rm] << (op >> 4 & 3))
        };
        // PLD, PLI and the unallocated hints beside them.
        if hint {
            return Ok(());
        }
        undefined_if(!word && rt == 13 || !load && rt == 15)?;
        if !load {
            self.store_as(bus, addr, size, self.r[rt], privileged)?;
            if let Some(moved) = writeback {
                self.write(rn, moved);
            }
            return Ok(());
        }
        if rt == 15 {
            self.ends_it_block()?;
        }
        let mut value = self.load_as(bus, addr, size, privileged)?;
        if signed {
            value = sign_extend(value, 8 * size.bytes());
        }
        if let Some(moved) = writeback {
            self.write(rn, moved);
        }
        if rt == 15 {
            return self.load_pc(bus, value);
        }
        self.write(rt, value);
        Ok(())
    }
}
