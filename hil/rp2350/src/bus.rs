//! What a core sees of the rest of the chip.
//!
//! A core calls [`Bus`] for everything except its own private peripheral bus (0xE000_0000..0xE010_0000), which it
//! answers itself. Addresses are aligned to the access: the core splits unaligned accesses into aligned ones first.

/// Width of a data access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Byte,
    Half,
    Word,
}

impl Size {
    /// Bytes of an access of this width.
    #[inline]
    pub const fn bytes(self) -> u32 {
        match self {
            Size::Byte => 1,
            Size::Half => 2,
            Size::Word => 4,
        }
    }
}

/// Who makes an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Master {
    /// The core of this number.
    Core(u8),
    /// The debugger, through the MEM-AP of the core of this number.
    Debugger(u8),
    /// The DMA channel of this number.
    Dma(u8),
}

/// The access is answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusFault;

/// Which coprocessor instruction a [`CpOp`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpKind {
    /// One register to the coprocessor: [`CpOp::value`].
    Mcr,
    /// One register from the coprocessor: [`CpResult::value`].
    Mrc,
    /// Two registers to the coprocessor: [`CpOp::value`] is Rt, [`CpOp::value2`] is Rt2.
    Mcrr,
    /// Two registers from the coprocessor: [`CpResult::value`] is Rt, [`CpResult::value2`] is Rt2.
    Mrrc,
    /// An operation inside the coprocessor.
    Cdp,
}

/// A coprocessor instruction that passed the CPACR check. Fields that the instruction does not encode are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpOp {
    pub kind: CpKind,
    /// The unconditional encoding (MCR2, MRC2, MCRR2, MRRC2, CDP2).
    pub two: bool,
    /// Coprocessor number, 0..=7 (10 and 11 are the floating-point unit, inside the core).
    pub coproc: u8,
    pub opc1: u8,
    pub opc2: u8,
    pub crn: u8,
    pub crm: u8,
    /// CDP only: the destination coprocessor register.
    pub crd: u8,
    /// Rt, for MCR and MCRR.
    pub value: u32,
    /// Rt2, for MCRR.
    pub value2: u32,
}

/// What a coprocessor answers; zero where the instruction reads nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpResult {
    /// Rt. For MRC to `APSR_nzcv`, bits 31:28 become N, Z, C, V.
    pub value: u32,
    /// Rt2, for MRRC.
    pub value2: u32,
}

/// Everything outside a core.
pub trait Bus {
    /// Reads an instruction halfword; `addr` is halfword-aligned.
    fn fetch(&mut self, core: u8, addr: u32) -> Result<u16, BusFault>;
    /// Reads the halfwords at `addr` and after it at once, the first in the lower half; `None` where [`Bus::fetch`] is to be
    /// asked for each.
    fn fetch_two(&mut self, _core: u8, _addr: u32) -> Option<u32> {
        None
    }
    /// Reads `size` at an aligned address; unused upper bits are zero.
    fn read(&mut self, master: Master, addr: u32, size: Size) -> Result<u32, BusFault>;
    /// Writes `size` at an aligned address; upper bits of `value` that do not fit are ignored.
    fn write(&mut self, master: Master, addr: u32, size: Size, value: u32) -> Result<(), BusFault>;
    /// `core` executed SEV.
    fn send_event(&mut self, core: u8);
    /// A coprocessor instruction of `core`; `None` raises UsageFault (UNDEFINSTR).
    fn coprocessor(&mut self, core: u8, op: CpOp) -> Option<CpResult>;
}
