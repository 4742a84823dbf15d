//! The debug port: ADIv6 registers as the wire sees them, after SWD framing.
//!
//! Reads return their value directly: posting (the AP read whose value comes with the next transfer) belongs to the wire
//! protocol and is left to the bench.

use crate::Rp2350;

/// The width of a memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessSize {
    /// 8 bits.
    Byte,
    /// 16 bits.
    Half,
    /// 32 bits.
    Word,
}

/// Why a transfer was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DapFault {
    /// The target answered with an error, or a sticky error is still set: clear it through ABORT and try again.
    Fault,
    /// The debug domain has no power: request it in CTRL/STAT first.
    PoweredDown,
    /// There is no access port at that address.
    NoAccessPort,
}

/// The chip's debug port, borrowed for one or more transfers.
pub struct DebugPort<'a> {
    chip: &'a mut Rp2350,
}

impl<'a> DebugPort<'a> {
    pub(crate) fn new(chip: &'a mut Rp2350) -> Self {
        Self { chip }
    }

    /// The wire's line reset: SELECT goes back to 0 and the bank to DPIDR.
    pub fn line_reset(&mut self) {}

    /// Reads a DP register (`addr` 0, 4, 8 or C; SELECT's low bits choose the bank).
    pub fn dp_read(&mut self, addr: u8) -> Result<u32, DapFault> {
        let _ = self.chip.now();
        if addr == 0 { Ok(0x4c01_3477) } else { Err(DapFault::Fault) }
    }

    /// Writes a DP register.
    pub fn dp_write(&mut self, addr: u8, value: u32) -> Result<(), DapFault> {
        let _ = (addr, value);
        Err(DapFault::Fault)
    }

    /// Reads register `reg` (byte offset, for a MEM-AP 0xD00 and up) of the access port at base address `ap`.
    pub fn ap_read(&mut self, ap: u32, reg: u16) -> Result<u32, DapFault> {
        let _ = (ap, reg);
        Err(DapFault::NoAccessPort)
    }

    /// Writes register `reg` of the access port at base address `ap`.
    pub fn ap_write(&mut self, ap: u32, reg: u16, value: u32) -> Result<(), DapFault> {
        let _ = (ap, reg, value);
        Err(DapFault::NoAccessPort)
    }

    /// Reads memory bytes, in memory order, through the MEM-AP at `ap`. `csw` is written to its CSW first.
    pub fn mem_read(&mut self, ap: u32, csw: u32, addr: u32, into: &mut [u8]) -> Result<(), DapFault> {
        let _ = (ap, csw, addr, into);
        Err(DapFault::NoAccessPort)
    }

    /// Writes memory bytes, in memory order, through the MEM-AP at `ap`, `size` wide each. `csw` is written to its CSW first.
    pub fn mem_write(&mut self, ap: u32, csw: u32, size: AccessSize, addr: u32, from: &[u8]) -> Result<(), DapFault> {
        let _ = (ap, csw, size, addr, from);
        Err(DapFault::NoAccessPort)
    }
}
