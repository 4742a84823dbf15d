//! What has to survive a power cut: one record a guest, in the journal's region of flash.
//!
//! The library `sequential-storage` writes it: a record goes behind the one before, until a sector is full, and sectors take
//! turns. What it reads is found here, because the library checks every record that it passes, which takes a boot longer
//! than everything else; here the newest is found by its number and only that one is checked. That holds even where an erase
//! was cut short and left garbage, whatever it looks like. What was written is read back.
//! Of the library's representation (major version 8) this knows how an item begins (`src/item.rs`) and that a sector's
//! first and last word are marked when it is begun and full (`src/lib.rs`).

use core::ops::Range;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind};
use embedded_storage_async::nor_flash as async_flash;
use sequential_storage::cache::Cache;
use sequential_storage::map::{MapConfig, MapStorage};

use crate::error::Error;
use crate::flash::{Flash, Slot};

const VERSION: u8 = 1;
/// Of a record in flash.
const RECORD_BYTES: usize = 76;
/// Of an item's data: the guest's number, which is the library's key, and the record.
const DATA_BYTES: usize = 1 + RECORD_BYTES;
/// Of an item's header: CRC of the data, length of the data, CRC of the length.
const HEADER_BYTES: usize = 8;
/// The second word of each header of ours: the length and its CRC-16.
const LENGTH_WORD: u32 = DATA_BYTES as u32 | (crc16_of_length(DATA_BYTES as u16) as u32) << 16;
const NO_SLOT: u8 = 0xff;
/// For the library: key and record, padded to whole words of any flash.
const BUFFER_BYTES: usize = DATA_BYTES.next_multiple_of(32);

/// Where an image on trial is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    None,
    /// It runs after the next reset, once.
    Pending(Slot),
    /// It runs from the next reset on.
    PendingForGood(Slot),
    /// It runs, and without a confirmation not after the next reset.
    Running(Slot),
}

/// What is remembered of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The slot that it runs from, but for trials.
    pub active: Option<Slot>,
    pub trial: Trial,
    /// The lowest security counter that may run.
    pub floor: u32,
    /// For each slot, the hash of the image that an update put there or the host took over; zero: none.
    pub known: [[u8; 32]; 2],
}

impl Record {
    pub const NEW: Self = Self { active: None, trial: Trial::None, floor: 0, known: [[0; 32]; 2] };

    fn to_bytes(self, sequence: u32) -> [u8; RECORD_BYTES] {
        let (trial, slot) = match self.trial {
            Trial::None => (0, NO_SLOT),
            Trial::Pending(slot) => (1, slot as u8),
            Trial::PendingForGood(slot) => (2, slot as u8),
            Trial::Running(slot) => (3, slot as u8),
        };
        let mut bytes = [0; RECORD_BYTES];
        bytes[..4].copy_from_slice(&[VERSION, self.active.map_or(NO_SLOT, |slot| slot as u8), trial, slot]);
        bytes[4..8].copy_from_slice(&sequence.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.floor.to_le_bytes());
        bytes[12..44].copy_from_slice(&self.known[0]);
        bytes[44..].copy_from_slice(&self.known[1]);
        bytes
    }

    /// `None`: of another version, or none at all.
    fn from_bytes(bytes: &[u8; RECORD_BYTES]) -> Option<Self> {
        let slot = |byte| Slot::BOTH.into_iter().find(|&slot| slot as u8 == byte);
        let active = slot(bytes[1]);
        if bytes[0] != VERSION || (active.is_none() && bytes[1] != NO_SLOT) {
            return None;
        }
        let trial = match bytes[2] {
            0 => Trial::None,
            1 => Trial::Pending(slot(bytes[3])?),
            2 => Trial::PendingForGood(slot(bytes[3])?),
            3 => Trial::Running(slot(bytes[3])?),
            _ => return None,
        };
        let mut known = [[0; 32]; 2];
        known[0].copy_from_slice(&bytes[12..44]);
        known[1].copy_from_slice(&bytes[44..]);
        Some(Self { active, trial, floor: u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]), known })
    }
}

/// The newest record of each guest.
///
/// # Errors
/// [`Error::JournalUnreadable`]: it holds something, and no record.
pub fn read<F: Flash>(flash: &F, region: &Range<u32>) -> Result<[Option<Record>; 2], Error> {
    let found = newest(flash, region, None);
    let is_foreign = |found: &Option<Found>| found.as_ref().is_some_and(|found| found.record.is_none());
    let is_begun = |page: Range<u32>| flash.map(page.start, F::WRITE_SIZE).iter().any(|&byte| byte != 0xff);
    if found.iter().any(is_foreign) || (found.iter().all(Option::is_none) && pages::<F>(region).any(is_begun)) {
        return Err(Error::JournalUnreadable);
    }
    Ok(found.map(|found| found.and_then(|found| found.record)))
}

/// Remembers `record` from now on: after a power cut either it is there or the one before is.
///
/// # Errors
/// [`Error::Journal`]; then it is the same.
pub fn write<F: Flash>(flash: &mut F, region: &Range<u32>, guest: u8, record: &Record) -> Result<(), Error> {
    let records = newest(flash, region, None).map(|found| found.and_then(|found| found.record));
    tidy(flash, region)?;
    match append(flash, region, guest, record) {
        Err(DAMAGED) => {}
        result => return result,
    }
    // No power cut does that; something else has written here. The last resort, and the one thing that must not be cut short.
    for page in pages::<F>(region) {
        erase(flash, &page)?;
    }
    let other = (0..).zip(records).filter(|&(other, _)| other != guest);
    for (other, before) in other.filter_map(|(other, record)| Some((other, record?))) {
        append(flash, region, other, &before)?;
    }
    append(flash, region, guest, record)
}

/// What the library finds in no way to go on with.
const DAMAGED: Error = Error::Journal { what: "it is damaged" };

/// The library's part of [`write`], read back.
fn append<F: Flash>(flash: &mut F, region: &Range<u32>, guest: u8, record: &Record) -> Result<(), Error> {
    let numbers = newest(flash, region, None).into_iter().flatten().map(|found| found.sequence);
    let sequence = numbers.max().map_or(0, |highest| highest.wrapping_add(1));
    let bytes = record.to_bytes(sequence);
    let config = MapConfig::try_new(region.clone()).map_err(|_| Error::Journal { what: "its region" })?;
    let mut map = MapStorage::<u8, _, _>::new(Driver { flash: &mut *flash }, config, Cache::new_uncached());
    let mut buffer = [0; BUFFER_BYTES];
    match now(map.store_item(&mut buffer, &guest, &&bytes[..])) {
        Err(sequential_storage::Error::Storage { .. }) => return Err(FLASH),
        Err(_) => return Err(DAMAGED),
        Ok(()) => {}
    }
    match &newest(flash, region, None)[usize::from(guest)] {
        Some(found) if found.sequence == sequence && found.record == Some(*record) => Ok(()),
        _ => Err(DAMAGED),
    }
}

const FLASH: Error = Error::Journal { what: "the flash reports an error" };

fn erase<F: Flash>(flash: &mut F, page: &Range<u32>) -> Result<(), Error> {
    flash.erase(page.start, page.end).map_err(|_| FLASH)
}

/// Erases what an erase that was cut short has left, where the library would take it for a sector in use. Nothing that is
/// the newest of a guest is erased: the library moves it elsewhere before it erases a sector.
fn tidy<F: Flash>(flash: &mut F, region: &Range<u32>) -> Result<(), Error> {
    let count = pages::<F>(region).count();
    let page = |index: usize| pages::<F>(region).nth(index % count).unwrap_or_default();
    for index in 0..count {
        match state(flash, &page(index)) {
            State::Begun if state(flash, &page(index + 1)) != State::Blank => {
                erase_unless_needed(flash, region, page(index + 1))?;
            }
            State::Torn => {
                erase_unless_needed(flash, region, page(index))?;
            }
            State::Begun | State::Full | State::Blank => {}
        }
    }
    if (0..count).all(|index| state(flash, &page(index)) == State::Full) {
        // One of them was to be erased: the one after the newest record.
        let newest = newest(flash, region, None).into_iter().flatten().max_by_key(|found| found.sequence);
        let last = newest.map_or(0, |found| (found.offset - region.start) as usize / F::ERASE_SIZE);
        if !erase_unless_needed(flash, region, page(last + 1))? {
            erase_unless_needed(flash, region, page(last))?;
        }
    }
    Ok(())
}

/// Whether it was erased.
fn erase_unless_needed<F: Flash>(flash: &mut F, region: &Range<u32>, page: Range<u32>) -> Result<bool, Error> {
    let numbers = |except| newest(flash, region, except).map(|found| found.map(|found| found.sequence));
    let is_needed = numbers(Some(&page)) != numbers(None);
    if !is_needed {
        erase(flash, &page)?;
    }
    Ok(!is_needed)
}

struct Found {
    sequence: u32,
    offset: u32,
    /// `None`: of another version.
    record: Option<Record>,
}

/// Of each guest the record with the highest number, in all sectors but `except`.
fn newest<F: Flash>(flash: &F, region: &Range<u32>, except: Option<&Range<u32>>) -> [Option<Found>; 2] {
    let mut found = [None, None];
    // A record that was cut short is passed over: the next one has a lower number, or the same one in another place.
    let mut below = [Some((u32::MAX, u32::MAX)); 2];
    while below != [None; 2] {
        let mut best = [None; 2];
        for page in pages::<F>(region).filter(|page| Some(page) != except) {
            for (offset, item) in items::<F>(flash.map(page.start, page.len())) {
                let guest = usize::from(item[HEADER_BYTES]);
                let Some(best) = best.get_mut(guest) else {
                    continue;
                };
                let rank = (word(item, HEADER_BYTES + 1 + 4), page.start + offset);
                if Some(rank) < below[guest] && best.is_none_or(|(best, _)| rank > best) {
                    *best = Some((rank, item));
                }
            }
        }
        for ((found, below), best) in found.iter_mut().zip(&mut below).zip(best) {
            *below = best.and_then(|(rank, item)| {
                let (header, data) = item.split_at(HEADER_BYTES);
                if crc32(data) != word(header, 0) {
                    return Some(rank);
                }
                let record = data[1..].try_into().ok().and_then(Record::from_bytes);
                *found = Some(Found { sequence: rank.0, offset: rank.1, record });
                None
            });
        }
    }
    found
}

/// A sector, as its first and last byte say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Blank,
    Begun,
    Full,
    /// None of these: an erase was cut short.
    Torn,
}

fn state<F: Flash>(flash: &F, page: &Range<u32>) -> State {
    let bytes = flash.map(page.start, page.len());
    let is_marked = |byte: u8| byte.count_zeros() >= 4;
    match (is_marked(bytes[0]), is_marked(bytes[bytes.len() - 1])) {
        (true, false) => State::Begun,
        (true, true) => State::Full,
        (false, false) if bytes.iter().all(|&byte| byte == 0xff) => State::Blank,
        (false, _) => State::Torn,
    }
}

fn pages<F: Flash>(region: &Range<u32>) -> impl Iterator<Item = Range<u32>> + use<F> {
    let bytes = F::ERASE_SIZE as u32;
    region.clone().step_by(F::ERASE_SIZE).map(move |start| start..start + bytes)
}

/// The records in a sector, with where they are, as far as headers tell.
fn items<F: Flash>(page: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut at = F::WRITE_SIZE;
    let end = page.len() - F::WRITE_SIZE;
    core::iter::from_fn(move || {
        loop {
            let header = page.get(at..end)?.get(..HEADER_BYTES)?;
            let item = at;
            match word(header, 4) {
                LENGTH_WORD => {
                    at += (HEADER_BYTES + DATA_BYTES).next_multiple_of(F::WRITE_SIZE);
                    return Some((item as u32, page.get(item..end)?.get(..HEADER_BYTES + DATA_BYTES)?));
                }
                u32::MAX if word(header, 0) == u32::MAX => return None,
                _ => at += F::WRITE_SIZE,
            }
        }
    })
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The library's CRC of data: Castagnoli's polynomial, reflected, another initial value; never with 0 or 0xff in its lowest
/// byte, which is programmed first.
fn crc32(data: &[u8]) -> u32 {
    // By halves of a byte: half the steps of a table of 16 words are a tenth of those without one.
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut index = 0;
        while index < 16 {
            let mut crc = index as u32;
            let mut bit = 0;
            while bit < 4 {
                crc = (crc >> 1) ^ (if crc & 1 == 1 { 0x82f6_3b78 } else { 0 });
                bit += 1;
            }
            table[index] = crc;
            index += 1;
        }
        table
    };
    let crc = !data.iter().fold(0xeeee_eeee_u32, |crc, &byte| {
        let crc = crc ^ u32::from(byte);
        let crc = (crc >> 4) ^ TABLE[(crc & 15) as usize];
        (crc >> 4) ^ TABLE[(crc & 15) as usize]
    });
    match crc {
        0 => 1,
        crc if matches!(crc as u8, 0 | 0xff) => crc ^ 1,
        crc => crc,
    }
}

/// The library's CRC of a length.
const fn crc16_of_length(length: u16) -> u16 {
    let bytes = length.to_le_bytes();
    let (mut crc, mut index) = (0xffff_u16, 0);
    while index < bytes.len() {
        crc ^= bytes[index] as u16;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (if crc & 1 == 1 { 0x1a2e } else { 0 });
            bit += 1;
        }
        index += 1;
    }
    if crc == 0 { 0xfffe } else { !crc }
}

/// The flash as the library wants it: with futures, which are ready at once.
struct Driver<'a, F> {
    flash: &'a mut F,
}

/// What the driver reported.
#[derive(Debug)]
struct Failed(NorFlashErrorKind);

impl NorFlashError for Failed {
    fn kind(&self) -> NorFlashErrorKind {
        self.0
    }
}

impl<F> async_flash::ErrorType for Driver<'_, F> {
    type Error = Failed;
}

impl<F: Flash> async_flash::ReadNorFlash for Driver<'_, F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Failed> {
        self.flash.read(offset, bytes).map_err(|error| Failed(error.kind()))
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl<F: Flash> async_flash::NorFlash for Driver<'_, F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Failed> {
        self.flash.erase(from, to).map_err(|error| Failed(error.kind()))
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Failed> {
        self.flash.write(offset, bytes).map_err(|error| Failed(error.kind()))
    }
}

/// The result of a future that waits for nothing.
fn now<T, E>(
    future: impl Future<Output = Result<T, sequential_storage::Error<E>>>,
) -> Result<T, sequential_storage::Error<E>> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        // Only a flash that waits makes the library wait, and `Driver` does not.
        Poll::Pending => Err(sequential_storage::Error::LogicBug {}),
    }
}
