//! The debug port: ADIv6 registers as the wire sees them, after SWD framing.
//!
//! One DP with three access ports: a MEM-AP for each core, at 0x2000 and 0x4000, and the RP-AP at 0x80000 (RP2350 datasheet
//! §3.5). Reads return their value directly: posting (the AP read whose value comes with the next transfer) belongs to
//! the wire protocol and is left to the bench. Time does not pass in here; a step of core 1 while core 0 is halted, and with it time, takes none.

use thiserror::Error;

use crate::Rp2350;
use crate::bus::{Bus, Master, Size};

/// The width of a memory access.
pub use crate::bus::Size as AccessSize;

/// Why a transfer was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DapFault {
    /// The target answered with an error, or a sticky error is still set.
    #[error("the transfer faulted: clear the sticky error through ABORT and try again")]
    Fault,
    /// The debug domain has no power.
    #[error("the debug domain is off: request power in CTRL/STAT (and release RUN) first")]
    PoweredDown,
    /// There is no access port at that address.
    #[error("there is no access port: use 0x2000 (core 0), 0x4000 (core 1) or 0x80000 (RP-AP)")]
    NoAccessPort,
}

const DPIDR: u32 = 0x4c01_3477;
const TARGETID: u32 = 0x0004_0927;
/// DPIDR1: 20-bit AP addresses, no error mode.
const DPIDR1: u32 = 20;

const STICKY_ORUN: u32 = 1 << 1;
const STICKY_CMP: u32 = 1 << 4;
const STICKY_ERR: u32 = 1 << 5;
const WDATA_ERR: u32 = 1 << 7;
/// CDBGRSTREQ, CDBGPWRUPREQ, CSYSPWRUPREQ; the acknowledgement is the bit above each.
const REQUESTS: u32 = 1 << 26 | 1 << 28 | 1 << 30;
const CDBGPWRUPREQ: u32 = 1 << 28;
const CTRL_WRITABLE: u32 = REQUESTS | 0x00ff_ff0d;

const CSW: u16 = 0xd00;
const TAR: u16 = 0xd04;
const TAR_HIGH: u16 = 0xd08;
const DRW: u16 = 0xd0c;
const BD0: u16 = 0xd10;
const BD3: u16 = 0xd1c;
const CFG: u16 = 0xdf4;
const IDR: u16 = 0xdfc;
/// A MEM-AP for AHB5, ADIv6.
const MEM_AP_IDR: u32 = 0x3477_0008;
/// CSW: what can be written, and what always reads as one (DeviceEn, SDeviceEn).
const CSW_WRITABLE: u32 = 0xff00_0037;
const CSW_ONES: u32 = 1 << 23 | 1 << 6;
const CSW_SIZE: u32 = 7;

const RP_AP: u32 = 0x8_0000;
const RP_AP_CTRL: u16 = 0x000;
const RESCUE_RESTART: u32 = 1 << 31;

/// Debug Halting Control and Status Register: its key, and C_DEBUGEN and C_STEP without C_HALT.
const DHCSR: u32 = 0xe000_edf0;
const DHCSR_KEY: u32 = 0xa05f;
const DHCSR_STEP_MASK: u32 = 7;
const DHCSR_STEP: u32 = 5;

const PPB: std::ops::Range<u32> = 0xe000_0000..0xe010_0000;

#[derive(Clone, Copy)]
struct MemAp {
    csw: u32,
    tar: u32,
}

/// What the debug port remembers between transfers.
#[derive(Clone)]
pub(crate) struct PortState {
    select: u32,
    select1: u32,
    ctrl: u32,
    sticky: u32,
    /// The value of the last AP read.
    buffer: u32,
    mem_ap: [MemAp; 2],
    rp_ctrl: u32,
}

impl Default for PortState {
    fn default() -> Self {
        Self {
            select: 0,
            select1: 0,
            ctrl: 0,
            sticky: 0,
            buffer: 0,
            mem_ap: [MemAp { csw: 2 | CSW_ONES, tar: 0 }; 2],
            rp_ctrl: 0,
        }
    }
}

enum Port {
    Memory(usize),
    Rp,
}

/// The chip's debug port, borrowed for one or more transfers.
pub struct DebugPort<'a> {
    chip: &'a mut Rp2350,
}

impl<'a> DebugPort<'a> {
    pub(crate) fn new(chip: &'a mut Rp2350) -> Self {
        Self { chip }
    }

    /// The wire's line reset: SELECT goes back to 0. Power requests and sticky errors stay.
    pub fn line_reset(&mut self) {
        self.chip.port.select = 0;
        self.chip.port.select1 = 0;
    }

    /// SELECT and SELECT1 as last written: the access port that the wire's AP transfers go to, 64 bits in ADIv6.
    pub fn selected(&self) -> u64 {
        u64::from(self.chip.port.select1) << 32 | u64::from(self.chip.port.select & !0xf)
    }

    /// Reads a DP register (`addr` 0, 4, 8 or C; SELECT's low bits choose the bank).
    pub fn dp_read(&mut self, addr: u8) -> Result<u32, DapFault> {
        if !self.chip.powered() {
            return Err(DapFault::PoweredDown);
        }
        let port = &self.chip.port;
        Ok(match (addr & 0xc, port.select & 0xf) {
            (0, 1) => DPIDR1,
            // BASEPTR0 and 1: no ROM table is announced.
            (0, 2 | 3) => 0,
            (0, _) => DPIDR,
            (4, 0) => port.ctrl | (port.ctrl & REQUESTS) << 1 | port.sticky,
            (4, 2) => TARGETID,
            (4, 3) => 1,
            (4, 5) => port.select1,
            (4, _) => 0,
            (8, _) => port.buffer,
            _ if port.sticky != 0 => return Err(DapFault::Fault),
            _ => port.buffer,
        })
    }

    /// Writes a DP register.
    pub fn dp_write(&mut self, addr: u8, value: u32) -> Result<(), DapFault> {
        if !self.chip.powered() {
            return Err(DapFault::PoweredDown);
        }
        let port = &mut self.chip.port;
        match (addr & 0xc, port.select & 0xf) {
            (0, _) => {
                // ABORT's clear bits, in the order of the flags they clear.
                for (clear, flag) in [(2, STICKY_CMP), (4, STICKY_ERR), (8, WDATA_ERR), (16, STICKY_ORUN)] {
                    if value & clear != 0 {
                        port.sticky &= !flag;
                    }
                }
            }
            (4, 0) => port.ctrl = value & CTRL_WRITABLE,
            (4, 5) => port.select1 = value,
            (8, _) => port.select = value,
            _ => {}
        }
        Ok(())
    }

    /// Reads register `reg` (byte offset, for a MEM-AP 0xD00 and up) of the access port at base address `ap`.
    pub fn ap_read(&mut self, ap: u32, reg: u16) -> Result<u32, DapFault> {
        let value = match self.port(ap)? {
            Port::Memory(n) => self.mem_ap_read(n, reg)?,
            Port::Rp if reg == RP_AP_CTRL => self.chip.port.rp_ctrl,
            Port::Rp => 0,
        };
        self.chip.port.buffer = value;
        Ok(value)
    }

    /// Writes register `reg` of the access port at base address `ap`.
    pub fn ap_write(&mut self, ap: u32, reg: u16, value: u32) -> Result<(), DapFault> {
        match self.port(ap)? {
            Port::Memory(n) => self.mem_ap_write(n, reg, value),
            Port::Rp => {
                if reg == RP_AP_CTRL {
                    let before = std::mem::replace(&mut self.chip.port.rp_ctrl, value);
                    if value & !before & RESCUE_RESTART != 0 {
                        self.chip.rescue();
                    }
                }
                Ok(())
            }
        }
    }

    /// Reads memory bytes, in memory order, through the MEM-AP at `ap`. `csw` is written to its CSW first; the accesses are
    /// as wide as address and length allow.
    pub fn mem_read(&mut self, ap: u32, csw: u32, addr: u32, into: &mut [u8]) -> Result<(), DapFault> {
        let n = self.memory_port(ap, csw)?;
        let mut done = 0;
        while done < into.len() {
            let at = addr.wrapping_add(done as u32);
            let size = widest(at, into.len() - done, Size::Word);
            let width = size.bytes() as usize;
            let value = self.access(n, at, size, None)?;
            into[done..done + width].copy_from_slice(&value.to_le_bytes()[..width]);
            done += width;
        }
        self.chip.port.mem_ap[n].tar = addr.wrapping_add(done as u32);
        Ok(())
    }

    /// Writes memory bytes, in memory order, through the MEM-AP at `ap`, each access `size` wide where address and rest
    /// allow it and narrower where not. `csw` is written to its CSW first.
    pub fn mem_write(&mut self, ap: u32, csw: u32, size: AccessSize, addr: u32, from: &[u8]) -> Result<(), DapFault> {
        let n = self.memory_port(ap, csw)?;
        let mut done = 0;
        while done < from.len() {
            let at = addr.wrapping_add(done as u32);
            let size = widest(at, from.len() - done, size);
            let width = size.bytes() as usize;
            let mut bytes = [0; 4];
            bytes[..width].copy_from_slice(&from[done..done + width]);
            self.access(n, at, size, Some(u32::from_le_bytes(bytes)))?;
            done += width;
        }
        self.chip.port.mem_ap[n].tar = addr.wrapping_add(done as u32);
        Ok(())
    }

    fn memory_port(&mut self, ap: u32, csw: u32) -> Result<usize, DapFault> {
        match self.port(ap)? {
            Port::Memory(n) => {
                self.mem_ap_write(n, CSW, csw)?;
                Ok(n)
            }
            Port::Rp => Err(DapFault::NoAccessPort),
        }
    }

    fn port(&mut self, ap: u32) -> Result<Port, DapFault> {
        if !self.chip.powered() || self.chip.port.ctrl & CDBGPWRUPREQ == 0 {
            return Err(DapFault::PoweredDown);
        }
        let port = &mut self.chip.port;
        if port.sticky & (STICKY_ERR | STICKY_ORUN | WDATA_ERR) != 0 {
            return Err(DapFault::Fault);
        }
        match ap {
            0x2000 => Ok(Port::Memory(0)),
            0x4000 => Ok(Port::Memory(1)),
            RP_AP => Ok(Port::Rp),
            _ => {
                port.sticky |= STICKY_ERR;
                Err(DapFault::NoAccessPort)
            }
        }
    }

    fn mem_ap_read(&mut self, n: usize, reg: u16) -> Result<u32, DapFault> {
        let MemAp { csw, tar } = self.chip.port.mem_ap[n];
        Ok(match reg & !3 {
            CSW => csw,
            TAR => tar,
            DRW => self.transfer(n, None)?,
            reg @ BD0..=BD3 => self.access(n, banked(tar, reg), Size::Word, None)?,
            IDR => MEM_AP_IDR,
            // TAR's upper half, no big endian, no large data, no ROM table.
            TAR_HIGH | CFG => 0,
            _ => 0,
        })
    }

    fn mem_ap_write(&mut self, n: usize, reg: u16, value: u32) -> Result<(), DapFault> {
        let state = &mut self.chip.port.mem_ap[n];
        match reg & !3 {
            CSW => {
                // Sizes beyond a word are not implemented, and read back as a word.
                let size = (value & CSW_SIZE).min(2);
                state.csw = value & CSW_WRITABLE & !CSW_SIZE | size | CSW_ONES;
            }
            TAR => state.tar = value,
            DRW => {
                self.transfer(n, Some(value))?;
            }
            reg @ BD0..=BD3 => {
                let addr = banked(state.tar, reg);
                self.access(n, addr, Size::Word, Some(value))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// An access through DRW: byte lanes follow the address; TAR moves on, within its KiB.
    fn transfer(&mut self, n: usize, write: Option<u32>) -> Result<u32, DapFault> {
        let MemAp { csw, .. } = self.chip.port.mem_ap[n];
        let size = match csw & CSW_SIZE {
            0 => Size::Byte,
            1 => Size::Half,
            _ => Size::Word,
        };
        let increment = csw >> 4 & 3;
        // A packed transfer fills a word with as many narrow accesses as fit.
        let accesses = if increment == 2 { 4 / size.bytes() } else { 1 };
        let mut value = 0;
        for _ in 0..accesses {
            let tar = self.chip.port.mem_ap[n].tar;
            let addr = tar & !(size.bytes() - 1);
            let lane = (addr & 3) * 8;
            value |= self.access(n, addr, size, write.map(|value| value >> lane))? << lane;
            if increment != 0 {
                let next = tar & !0x3ff | tar.wrapping_add(size.bytes()) & 0x3ff;
                self.chip.port.mem_ap[n].tar = next;
            }
        }
        Ok(value)
    }

    /// An aligned access by core `n`'s MEM-AP; an error becomes sticky. A write answers 0.
    fn access(&mut self, n: usize, addr: u32, size: Size, write: Option<u32>) -> Result<u32, DapFault> {
        let chip = &mut *self.chip;
        let master = Master::Debugger(n as u8);
        chip.soc.pc[n] = chip.cores[n].pc();
        let answer = match write {
            None if PPB.contains(&addr) => chip.cores[n].ppb_read(addr, size),
            None => chip.soc.read(master, addr, size),
            Some(value) if PPB.contains(&addr) => chip.cores[n].ppb_write(addr, size, value).map(|()| 0),
            Some(value) => chip.soc.write(master, addr, size, value).map(|()| 0),
        };
        if let Some(value) = write {
            for core in &mut chip.cores {
                core.clear_exclusive(addr);
            }
            if chip.cores[n].take_reset_request() {
                chip.warm_reset();
            }
            if (n, addr) == (1, DHCSR) && value >> 16 == DHCSR_KEY && value & DHCSR_STEP_MASK == DHCSR_STEP {
                chip.step_core_1_while_core_0_is_halted();
            }
            chip.settle();
        }
        answer.map_err(|_| {
            chip.port.sticky |= STICKY_ERR;
            DapFault::Fault
        })
    }
}

/// The widest access, up to `most`, that `addr` is aligned for and `left` bytes leave room for.
fn widest(addr: u32, left: usize, most: Size) -> Size {
    [Size::Word, Size::Half]
        .into_iter()
        .find(|size| size.bytes() <= most.bytes() && addr.is_multiple_of(size.bytes()) && size.bytes() as usize <= left)
        .unwrap_or(Size::Byte)
}

fn banked(tar: u32, reg: u16) -> u32 {
    tar & !0xf | u32::from(reg - BD0)
}
