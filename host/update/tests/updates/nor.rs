//! A NOR flash that counts, and that can lose power in any operation. It promises to notice every use that a real one would
//! take amiss: programming what is not erased, a range that is not aligned or not there.

use std::cell::Cell;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use sandhill_update::Flash;

pub const SECTOR: usize = 4096;
const PAGE: usize = 256;

/// How much of the operation in which power goes takes effect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Torn {
    Nothing,
    /// Bytes from the start, of 256.
    Start(u8),
    /// Bytes up to the end, of 256. Of an erase only; a program goes from the start.
    End(u8),
    /// An erase that stopped where it first programs everything.
    Zeroed,
    /// An erase that left any bits, by a seed. The first and last byte stay as they were.
    Middle(u64),
    /// The same, and these two as well.
    Garbage(u64),
    All,
}

impl Torn {
    pub const ERASE: [Self; 13] = [
        Self::Nothing,
        Self::Start(1),
        Self::Start(128),
        Self::Start(255),
        Self::End(1),
        Self::End(128),
        Self::End(255),
        Self::Zeroed,
        Self::Middle(1),
        Self::Garbage(2),
        Self::Garbage(3),
        Self::Garbage(4),
        Self::All,
    ];
    pub const PROGRAM: [Self; 4] = [Self::Nothing, Self::Start(1), Self::Start(128), Self::All];
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Erase,
    Program,
}

#[derive(Debug, PartialEq)]
pub struct PowerIsOff;

impl NorFlashError for PowerIsOff {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

#[derive(Clone)]
pub struct Nor {
    pub bytes: Vec<u8>,
    /// Of each sector.
    pub erases: Vec<u32>,
    /// Pages programmed, of each sector.
    pub programs: Vec<u32>,
    /// Sectors erased and pages programmed, one after the other.
    pub operations: Vec<(Kind, usize)>,
    /// From here on the same cells may be programmed again, as long as bits are only cleared.
    journal: usize,
    cut: Option<(usize, Torn)>,
    is_off: bool,
    pub reads: Cell<u32>,
}

impl Nor {
    pub fn new(bytes: usize, journal: usize) -> Self {
        let sectors = bytes / SECTOR;
        Self {
            bytes: vec![0xff; bytes],
            erases: vec![0; sectors],
            programs: vec![0; sectors],
            operations: Vec::new(),
            journal,
            cut: None,
            is_off: false,
            reads: Cell::new(0),
        }
    }

    /// Power goes in this operation, counted from now.
    pub fn cut_at(&mut self, operation: usize, torn: Torn) {
        self.cut = Some((self.operations.len() + operation, torn));
    }

    pub fn is_off(&self) -> bool {
        self.is_off
    }

    pub fn power_on(&mut self) {
        (self.cut, self.is_off) = (None, false);
    }

    /// The bytes of `start..` after this operation.
    fn operate(&mut self, kind: Kind, start: usize, after: &[u8]) -> Result<(), PowerIsOff> {
        if self.is_off {
            return Err(PowerIsOff);
        }
        let counts = if kind == Kind::Erase { &mut self.erases } else { &mut self.programs };
        counts[start / SECTOR] += 1;
        let cut = self.cut.filter(|cut| cut.0 == self.operations.len());
        self.operations.push((kind, start));
        let cells = &mut self.bytes[start..start + after.len()];
        let part = |of: u8| after.len() * usize::from(of) / 256;
        let Some((_, torn)) = cut else {
            cells.copy_from_slice(after);
            return Ok(());
        };
        self.is_off = true;
        match torn {
            Torn::Nothing => {}
            Torn::Start(of) => cells[..part(of).max(1)].copy_from_slice(&after[..part(of).max(1)]),
            Torn::End(of) => {
                let from = after.len() - part(of).max(1);
                cells[from..].copy_from_slice(&after[from..]);
            }
            Torn::Zeroed => cells.fill(0),
            Torn::Middle(seed) => {
                let end = cells.len() - 1;
                fastrand::Rng::with_seed(seed).fill(&mut cells[1..end]);
            }
            Torn::Garbage(seed) => fastrand::Rng::with_seed(seed).fill(cells),
            Torn::All => cells.copy_from_slice(after),
        }
        Err(PowerIsOff)
    }
}

impl ErrorType for Nor {
    type Error = PowerIsOff;
}

impl ReadNorFlash for Nor {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), PowerIsOff> {
        if self.is_off {
            return Err(PowerIsOff);
        }
        let start = offset as usize;
        bytes.copy_from_slice(&self.bytes[start..start + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Nor {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), PowerIsOff> {
        let (from, to) = (from as usize, to as usize);
        assert!(from < to && to <= self.bytes.len() && from.is_multiple_of(SECTOR) && to.is_multiple_of(SECTOR));
        assert!([SECTOR, 32_768, 65_536].contains(&(to - from)) && from.is_multiple_of(to - from), "{from:x}..{to:x}");
        for sector in (from..to).step_by(SECTOR) {
            self.operate(Kind::Erase, sector, &[0xff; SECTOR])?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), PowerIsOff> {
        let start = offset as usize;
        assert!(start.is_multiple_of(4) && bytes.len().is_multiple_of(4) && start + bytes.len() <= self.bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            let end = bytes.len().min(at + PAGE - (start + at) % PAGE);
            let (before, after) = (&self.bytes[start + at..start + end], &bytes[at..end]);
            if !self.is_off {
                let is_fresh = before.iter().all(|&byte| byte == 0xff);
                let only_clears = before.iter().zip(after).all(|(before, after)| before & after == *after);
                assert!(only_clears && (is_fresh || start >= self.journal), "0x{start:x}: programmed without an erase");
            }
            self.operate(Kind::Program, start + at, &bytes[at..end])?;
            at = end;
        }
        Ok(())
    }
}

impl Flash for Nor {
    fn map(&self, from: u32, length: usize) -> &[u8] {
        self.reads.set(self.reads.get() + 1);
        &self.bytes[from as usize..from as usize + length]
    }
}
