//! The flash chip on the board: NOR flash that only the boot ROM's functions write.
//!
//! An erase sets all bits of a sector, a program only clears bits. Times are typical ones of the W25Q32JV datasheet
//! (AC characteristics: tSE 45 ms, tBE1 120 ms, tBE2 150 ms, tPP 0.4 ms); a Pico 2 carries a chip of that family. Each sector and
//! each page is an operation by itself, with a time of its own, and power may go in any of them. A block of 32 or 64 KiB that is erased at
//! once is eight or sixteen, one after the other: a choice. Until the last one is done nobody can read.

use crate::time::{Instant, UNITS_PER_SECOND};

pub(crate) const SIZE: usize = 4 << 20;
pub(crate) const SECTOR: u32 = 4096;
pub(crate) const PAGE: u32 = 256;

const MICROSECOND: u64 = UNITS_PER_SECOND / 1_000_000;
const SECTOR_ERASE: u64 = 45_000 * MICROSECOND;
/// Blocks that are erased at once: bytes, the chip's command, time.
const BLOCKS: [(u32, u8, u64); 2] =
    [(32 * 1024, 0x52, 120_000 * MICROSECOND), (64 * 1024, 0xd8, 150_000 * MICROSECOND)];
const PAGE_PROGRAM: u64 = 400 * MICROSECOND;

/// How often each 4 KiB sector of the flash was erased and programmed since the chip was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wear {
    /// Erase cycles, one entry a 4 KiB sector.
    pub erases: Vec<u32>,
    /// Page programs (256 bytes each), one entry a 4 KiB sector.
    pub programs: Vec<u32>,
}

/// What a [`FlashOperation`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashOperationKind {
    /// Erases a sector of 4096 bytes.
    Erase,
    /// Programs a page of 256 bytes.
    Program,
}

/// A sector erased or a page programmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashOperation {
    /// When it was done, or power went in it.
    pub at: Instant,
    /// Which of the two.
    pub kind: FlashOperationKind,
    /// Where it begins, from the start of flash.
    pub offset: u32,
    /// How many bytes from there on took effect: the whole sector or page, unless power went.
    pub bytes: u32,
}

/// How much of an operation took effect before power went: bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// It did not begin, and is not counted.
    Nothing,
    /// So many 256ths of the sector or page; the rest is as it was.
    Part(u8),
    /// It was done, nothing after it.
    All,
}

/// The flash chip refuses: not aligned to what it erases or programs at once, or outside of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Misaligned,
    OutOfRange,
}

/// What one call of a boot ROM function has done to the flash.
#[derive(Clone)]
pub(crate) struct Job {
    kind: FlashOperationKind,
    from: u32,
    end: u32,
    /// An erase takes whole blocks of so many bytes at once, in such a time.
    block: Option<(u32, u64)>,
    /// What a program writes from `from` on.
    data: Vec<u8>,
}

fn check(offset: u32, count: u32, unit: u32) -> Result<u32, Refusal> {
    if !offset.is_multiple_of(unit) || !count.is_multiple_of(unit) {
        return Err(Refusal::Misaligned);
    }
    match offset.checked_add(count) {
        Some(end) if end as usize <= SIZE => Ok(end),
        _ => Err(Refusal::OutOfRange),
    }
}

impl Job {
    /// Erases sectors: whole blocks at once where `block` gives a size and a command of the chip for them, as the boot ROM does.
    pub(crate) fn erase(offset: u32, count: u32, block: (u32, u8)) -> Result<Self, Refusal> {
        let end = check(offset, count, SECTOR)?;
        let known = BLOCKS.into_iter().find(|&(bytes, command, _)| (bytes, command) == block);
        let block = known.map(|(bytes, _, time)| (bytes, time));
        Ok(Self { kind: FlashOperationKind::Erase, from: offset, end, block, data: Vec::new() })
    }

    /// Programs `count` bytes, each of which `data` gives by its number; one that is nowhere is out of range, too.
    pub(crate) fn program(offset: u32, count: u32, data: impl FnMut(u32) -> Option<u8>) -> Result<Self, Refusal> {
        let end = check(offset, count, PAGE)?;
        let data = (0..count).map(data).collect::<Option<_>>().ok_or(Refusal::OutOfRange)?;
        Ok(Self { kind: FlashOperationKind::Program, from: offset, end, block: None, data })
    }

    /// Bytes of one operation.
    fn unit(&self) -> u32 {
        match self.kind {
            FlashOperationKind::Erase => SECTOR,
            FlashOperationKind::Program => PAGE,
        }
    }

    /// How long the operation at `offset` takes.
    fn time(&self, offset: u32) -> u64 {
        match (self.kind, self.block) {
            (FlashOperationKind::Program, _) => PAGE_PROGRAM,
            (FlashOperationKind::Erase, Some((bytes, time))) if self.has_block(offset & !(bytes - 1), bytes) => {
                time / u64::from(bytes / SECTOR)
            }
            (FlashOperationKind::Erase, _) => SECTOR_ERASE,
        }
    }

    fn has_block(&self, block: u32, bytes: u32) -> bool {
        block >= self.from && block + bytes <= self.end
    }

    fn duration(&self) -> u64 {
        (self.from..self.end).step_by(self.unit() as usize).map(|offset| self.time(offset)).sum()
    }
}

/// A job under way.
#[derive(Clone)]
struct Work {
    job: Job,
    /// The core that waits for it.
    owner: u8,
    /// The operation at work, since when, and how long it takes.
    offset: u32,
    began: u64,
    time: u64,
    /// When the last one is done.
    until: u64,
    /// The flash's contents meanwhile.
    bytes: Box<[u8]>,
}

#[derive(Clone)]
pub(crate) struct Flash {
    /// What can be read over the bus: everything, or nothing while a job is under way.
    mapped: Box<[u8]>,
    work: Option<Work>,
    wear: Wear,
    operations: u64,
    cut: Option<(u64, Torn)>,
    log: Vec<FlashOperation>,
}

impl Flash {
    pub(crate) fn new() -> Self {
        let sectors = SIZE / SECTOR as usize;
        Self {
            mapped: vec![0xff; SIZE].into_boxed_slice(),
            work: None,
            wear: Wear { erases: vec![0; sectors], programs: vec![0; sectors] },
            operations: 0,
            cut: None,
            log: Vec::new(),
        }
    }

    /// What the bus has to read: nothing while the flash is busy.
    #[inline(always)]
    pub(crate) fn mapped(&self) -> &[u8] {
        &self.mapped
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.work.as_ref().map_or(&self.mapped, |work| &work.bytes)
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.work.as_mut().map_or(&mut self.mapped, |work| &mut work.bytes)
    }

    pub(crate) fn wear(&self) -> &Wear {
        &self.wear
    }

    pub(crate) fn operations(&self) -> u64 {
        self.operations
    }

    pub(crate) fn take_log(&mut self, into: &mut Vec<FlashOperation>) {
        into.append(&mut self.log);
    }

    /// Power goes in the operation before which so many were done.
    pub(crate) fn cut_at(&mut self, operation: u64, torn: Torn) {
        self.cut = Some((operation, torn));
    }

    pub(crate) fn busy(&self) -> bool {
        self.work.is_some()
    }

    /// When the job under way is done.
    pub(crate) fn busy_until(&self) -> Option<u64> {
        self.work.as_ref().map(|work| work.until)
    }

    /// Starts a job at time `at` for core `owner`; returns when it will be done. The caller has seen that it is not busy.
    pub(crate) fn begin(&mut self, job: Job, owner: u8, at: u64) -> u64 {
        let until = at + job.duration();
        if until > at {
            let bytes = std::mem::take(&mut self.mapped);
            let (offset, time) = (job.from, job.time(job.from));
            self.work = Some(Work { owner, offset, began: at, time, until, bytes, job });
        }
        until
    }

    /// Core `owner` no longer works at its job: the operation under way is the last one. The chip is not reset with it.
    pub(crate) fn abandon(&mut self, owner: u8, now: u64) {
        if let Some(work) = &mut self.work
            && work.owner == owner
        {
            work.job.end = work.offset + work.job.unit();
            work.until = work.began + work.time;
            if work.began > now {
                self.end_work();
            }
        }
    }

    pub(crate) fn owner(&self) -> Option<u8> {
        self.work.as_ref().map(|work| work.owner)
    }

    fn end_work(&mut self) {
        if let Some(work) = self.work.take() {
            self.mapped = work.bytes;
        }
    }

    /// When the operation under way is done, or power goes.
    pub(crate) fn next_event(&self) -> u64 {
        let Some(work) = &self.work else {
            return u64::MAX;
        };
        let time = match self.cut {
            Some((operation, Torn::Nothing)) if operation == self.operations => 0,
            Some((operation, Torn::Part(part))) if operation == self.operations => work.time * u64::from(part) / 256,
            _ => work.time,
        };
        work.began + time
    }

    /// Carries out what is done by `now`; `true` when power went.
    pub(crate) fn service(&mut self, now: u64) -> bool {
        loop {
            let due = self.next_event();
            let Some(work) = self.work.as_ref().filter(|_| due <= now) else {
                return false;
            };
            let cut = self.cut.filter(|&(operation, _)| operation == self.operations);
            let unit = work.job.unit();
            match cut {
                Some((_, Torn::Nothing)) => {}
                Some((_, Torn::Part(part))) => self.carry_out(due, unit * u32::from(part) / 256),
                _ => self.carry_out(due, unit),
            }
            if cut.is_some() {
                self.cut = None;
                self.end_work();
                return true;
            }
            if let Some(work) = &mut self.work {
                work.offset += unit;
                work.began = due;
                work.time = work.job.time(work.offset);
                if work.offset >= work.job.end {
                    self.end_work();
                }
            }
        }
    }

    /// Power goes at `now`, wherever the operation under way is.
    pub(crate) fn power_goes(&mut self, now: u64) {
        if let Some(work) = &self.work
            && work.began <= now
        {
            let part = (now - work.began) * u64::from(work.job.unit()) / work.time;
            self.carry_out(now, part as u32);
        }
        self.end_work();
    }

    /// The operation under way takes effect on its first `count` bytes.
    fn carry_out(&mut self, at: u64, count: u32) {
        let Some(Work { job, offset, bytes, .. }) = &mut self.work else {
            return;
        };
        let (kind, offset, sector) = (job.kind, *offset, (*offset / SECTOR) as usize);
        let target = &mut bytes[offset as usize..(offset + count) as usize];
        match kind {
            FlashOperationKind::Erase => {
                target.fill(0xff);
                self.wear.erases[sector] += 1;
            }
            FlashOperationKind::Program => {
                let data = &job.data[(offset - job.from) as usize..];
                for (cell, byte) in target.iter_mut().zip(data) {
                    *cell &= byte;
                }
                self.wear.programs[sector] += 1;
            }
        }
        self.operations += 1;
        self.log.push(FlashOperation { at: Instant::from_units(at), kind, offset, bytes: count });
    }
}
