//! The core's way to memory: alignment, the default memory map, the MPU, the private peripheral bus, exclusives.

use super::mpu::Access;
use super::{Core, Fault};
use crate::bus::{Bus, BusFault, Master, Size};

/// log2 of the exclusive reservation granule in bytes.
const GRANULE: u32 = 4;

/// The private peripheral bus, answered by the core itself.
#[inline]
fn is_ppb(addr: u32) -> bool {
    addr >> 20 == 0xe00
}

/// Device memory in the default memory map, where an unaligned access always faults.
#[inline]
fn is_device(addr: u32) -> bool {
    matches!(addr >> 29, 2 | 5..=7)
}

impl Core {
    /// Whether an instruction may be fetched there. The default map's peripheral and device regions are execute-never.
    #[inline(always)]
    fn check_fetch(&mut self, addr: u32) -> Result<(), Fault> {
        let allowed = (addr < 0x4000_0000 || !is_device(addr))
            && (!self.mpu_active || self.mpu.allows(addr, Access::Execute, self.privileged));
        if allowed { Ok(()) } else { Err(Fault::MpuFetch) }
    }

    /// An instruction halfword.
    pub(super) fn fetch<B: Bus>(&mut self, bus: &mut B, addr: u32) -> Result<u16, Fault> {
        self.check_fetch(addr)?;
        bus.fetch(self.id, addr).map_err(|BusFault| Fault::BusFetch)
    }

    /// An instruction's first halfword, and the next one where both are sure to be treated alike.
    #[inline(always)]
    pub(super) fn fetch_first<B: Bus>(&mut self, bus: &mut B, addr: u32) -> Result<(u16, Option<u16>), Fault> {
        self.check_fetch(addr)?;
        match bus.fetch_two(self.id, addr) {
            // A region may end between the two.
            Some(two) if addr & 0x1f != 0x1e => Ok((two as u16, Some((two >> 16) as u16))),
            Some(two) => Ok((two as u16, None)),
            None => Ok((bus.fetch(self.id, addr).map_err(|BusFault| Fault::BusFetch)?, None)),
        }
    }

    /// An aligned load, with the privilege given.
    #[inline]
    fn load_one<B: Bus>(&mut self, bus: &mut B, addr: u32, size: Size, privileged: bool) -> Result<u32, Fault> {
        if self.mpu_active && !is_ppb(addr) && !self.mpu.allows(addr, Access::Read, privileged) {
            return Err(Fault::MpuData(addr));
        }
        let read = if is_ppb(addr) {
            self.own_ppb_read(addr, size, privileged)
        } else {
            bus.read(Master::Core(self.id), addr, size)
        };
        match read {
            Ok(value) => Ok(value),
            Err(BusFault) if self.ignores_bus_faults() => Ok(0),
            Err(BusFault) => Err(Fault::BusData(addr)),
        }
    }

    #[inline]
    fn store_one<B: Bus>(
        &mut self,
        bus: &mut B,
        addr: u32,
        size: Size,
        value: u32,
        privileged: bool,
    ) -> Result<(), Fault> {
        if self.mpu_active && !is_ppb(addr) && !self.mpu.allows(addr, Access::Write, privileged) {
            return Err(Fault::MpuData(addr));
        }
        let written = if is_ppb(addr) {
            self.own_ppb_write(addr, size, value, privileged)
        } else {
            bus.write(Master::Core(self.id), addr, size, value)
        };
        match written {
            Ok(()) => Ok(()),
            Err(BusFault) if self.ignores_bus_faults() => Ok(()),
            Err(BusFault) => Err(Fault::BusData(addr)),
        }
    }

    /// Loads `size` at `addr`, zero-extended; an unaligned address is split unless CCR.UNALIGN_TRP is set.
    #[inline]
    pub(crate) fn load<B: Bus>(&mut self, bus: &mut B, addr: u32, size: Size) -> Result<u32, Fault> {
        self.load_as(bus, addr, size, self.privileged)
    }

    /// Stores the low `size` of `value`; the counterpart of [`Core::load`].
    #[inline]
    pub(crate) fn store<B: Bus>(&mut self, bus: &mut B, addr: u32, size: Size, value: u32) -> Result<(), Fault> {
        self.store_as(bus, addr, size, value, self.privileged)
    }

    /// [`Core::load`] with a privilege of its own (LDRT).
    #[inline]
    pub(super) fn load_as<B: Bus>(
        &mut self,
        bus: &mut B,
        addr: u32,
        size: Size,
        privileged: bool,
    ) -> Result<u32, Fault> {
        if addr & (size.bytes() - 1) == 0 {
            return self.load_one(bus, addr, size, privileged);
        }
        self.check_unaligned(addr)?;
        let part = if addr & 1 == 0 { Size::Half } else { Size::Byte };
        let mut value = 0;
        for offset in (0..size.bytes()).step_by(part.bytes() as usize) {
            value |= self.load_one(bus, addr.wrapping_add(offset), part, privileged)? << (8 * offset);
        }
        Ok(value)
    }

    /// [`Core::store`] with a privilege of its own (STRT).
    #[inline]
    pub(super) fn store_as<B: Bus>(
        &mut self,
        bus: &mut B,
        addr: u32,
        size: Size,
        value: u32,
        privileged: bool,
    ) -> Result<(), Fault> {
        if addr & (size.bytes() - 1) == 0 {
            return self.store_one(bus, addr, size, value, privileged);
        }
        self.check_unaligned(addr)?;
        let part = if addr & 1 == 0 { Size::Half } else { Size::Byte };
        for offset in (0..size.bytes()).step_by(part.bytes() as usize) {
            self.store_one(bus, addr.wrapping_add(offset), part, value >> (8 * offset), privileged)?;
        }
        Ok(())
    }

    fn check_unaligned(&self, addr: u32) -> Result<(), Fault> {
        if self.scb.unalign_trp() || is_device(addr) { Err(Fault::Unaligned) } else { Ok(()) }
    }

    /// A word load that faults if unaligned (LDM, LDRD, VLDR).
    #[inline]
    pub(crate) fn load_aligned<B: Bus>(&mut self, bus: &mut B, addr: u32) -> Result<u32, Fault> {
        self.load_atomic(bus, addr, Size::Word)
    }

    /// A word store that faults if unaligned (STM, STRD, VSTR).
    #[inline]
    pub(crate) fn store_aligned<B: Bus>(&mut self, bus: &mut B, addr: u32, value: u32) -> Result<(), Fault> {
        self.store_atomic(bus, addr, Size::Word, value)
    }

    /// As [`Core::load`], but an unaligned address always faults (exclusives, load-acquire).
    #[inline]
    pub(super) fn load_atomic<B: Bus>(&mut self, bus: &mut B, addr: u32, size: Size) -> Result<u32, Fault> {
        if addr & (size.bytes() - 1) != 0 {
            return Err(Fault::Unaligned);
        }
        self.load_one(bus, addr, size, self.privileged)
    }

    /// As [`Core::store`], but an unaligned address always faults (exclusives, store-release).
    #[inline]
    pub(super) fn store_atomic<B: Bus>(&mut self, bus: &mut B, addr: u32, size: Size, value: u32) -> Result<(), Fault> {
        if addr & (size.bytes() - 1) != 0 {
            return Err(Fault::Unaligned);
        }
        self.store_one(bus, addr, size, value, self.privileged)
    }

    /// Whether the active stack pointer may become `new_sp`: below its limit is UsageFault STKOF. Whoever moves SP by
    /// an address calculation (ADD, SUB, MOV, write-back) asks first, before any access to memory.
    #[inline]
    pub(crate) fn check_sp_limit(&self, new_sp: u32) -> Result<(), Fault> {
        if new_sp < self.sp_limit() && !self.ignores_stack_limit() {
            return Err(Fault::StackOverflow);
        }
        Ok(())
    }

    /// [`Core::check_sp_limit`] if `reg` is SP.
    #[inline]
    pub(crate) fn check_writeback(&self, reg: usize, value: u32) -> Result<(), Fault> {
        if reg == 13 { self.check_sp_limit(value) } else { Ok(()) }
    }

    /// The local exclusive monitor holds a reservation.
    pub(crate) fn has_reservation(&self) -> bool {
        self.exclusive.is_some()
    }

    /// The other master wrote at `addr`: a reservation there is lost.
    pub fn clear_exclusive(&mut self, addr: u32) {
        if self.exclusive == Some(addr >> GRANULE) {
            self.exclusive = None;
        }
    }

    pub(super) fn load_exclusive<B: Bus>(&mut self, bus: &mut B, addr: u32, size: Size) -> Result<u32, Fault> {
        let value = self.load_atomic(bus, addr, size)?;
        self.exclusive = Some(addr >> GRANULE);
        Ok(value)
    }

    /// Returns the status STREX writes: 0 stored, 1 not.
    pub(super) fn store_exclusive<B: Bus>(
        &mut self,
        bus: &mut B,
        addr: u32,
        size: Size,
        value: u32,
    ) -> Result<u32, Fault> {
        if addr & (size.bytes() - 1) != 0 {
            return Err(Fault::Unaligned);
        }
        if self.exclusive.take() != Some(addr >> GRANULE) {
            return Ok(1);
        }
        self.store_one(bus, addr, size, value, self.privileged)?;
        Ok(0)
    }
}
