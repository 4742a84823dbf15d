//! An upload's way into a slot, page by page as it arrives.
//!
//! It promises that the slot holds no whole image from the first change on until the new one is verified and known in the
//! journal: its first page is erased before everything else and programmed after everything else. Sectors are erased when
//! the upload reaches them; what is blank already is neither erased nor programmed, and every page is read back.

use core::ops::Range;

use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::flash::{Flash, Slot};
use crate::image::{HEADER_PAGE_BYTES, Image, Version};
use crate::updates::Updates;

/// What a NOR flash programs at once, and what is reserved for an image's header.
const PAGE_BYTES: usize = HEADER_PAGE_BYTES;
const PAGE: u32 = PAGE_BYTES as u32;
/// What flash erases at once, faster than sector by sector; the largest first.
const BLOCKS: [u32; 2] = [64 * 1024, 32 * 1024];

/// The upload under way.
pub(crate) struct Upload {
    pub guest: usize,
    pub slot: Slot,
    length: u32,
    /// Arrived, from the start.
    next: u32,
    /// Erased, from the start.
    erased: u32,
    /// Of what has arrived; hashed as it does, while the line brings more.
    file: Sha256,
    /// The image's first page.
    head: [u8; PAGE_BYTES],
    /// The last page, as far as it has arrived.
    page: [u8; PAGE_BYTES],
}

impl<F: Flash> Updates<F> {
    /// Begins an upload of `length` bytes that begin with `start` (the 32 bytes of the header at least) into the slot of
    /// `guest` that is free; one under way ends. Writes nothing. With `above_active` its version has to be.
    ///
    /// # Errors
    /// There is no free slot, or this is no image for it.
    pub fn begin(&mut self, guest: usize, length: u32, start: &[u8], above_active: bool) -> Result<(), Error> {
        self.upload = None;
        let slot = self.free_slot(guest)?;
        let available = self.slot(guest, slot).len();
        if length as usize > available {
            return Err(Error::TooLarge { needed: length as usize, available });
        }
        Image::check_header(start, length as usize)?;
        if above_active {
            self.check_version(guest, Version::of_header(start))?;
        }
        let page = [0xff; PAGE_BYTES];
        self.upload = Some(Upload { guest, slot, length, next: 0, erased: 0, file: Sha256::new(), head: page, page });
        Ok(())
    }

    /// Whether the slot that an upload would go to holds the very file of `length` bytes with this SHA-256, verified.
    pub fn already_there(&self, guest: usize, length: u32, sha: &[u8; 32]) -> bool {
        let Ok(slot) = self.free_slot(guest) else {
            return false;
        };
        self.image(guest, slot).is_ok_and(|image| image.bytes() == length as usize)
            && Sha256::digest(&self.bytes(guest, slot)[..length as usize]).as_slice() == sha
    }

    /// Takes the next piece, of any length.
    ///
    /// # Errors
    /// It is not the next one, or flash failed; then the upload is over.
    pub fn data(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        let mut upload = self.upload.take().ok_or(Error::NoUpload)?;
        if offset != upload.next || bytes.len() > (upload.length - upload.next) as usize {
            let expected = upload.next;
            self.upload = Some(upload);
            return Err(Error::OutOfOrder { expected });
        }
        upload.file.update(bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = upload.next as usize % PAGE_BYTES;
            let (now, later) = rest.split_at(rest.len().min(PAGE_BYTES - at));
            rest = later;
            let page = if upload.next < PAGE { &mut upload.head } else { &mut upload.page };
            page[at..at + now.len()].copy_from_slice(now);
            upload.next += now.len() as u32;
            if upload.next.is_multiple_of(PAGE) {
                self.program_last(&mut upload)?;
            }
        }
        self.upload = Some(upload);
        Ok(())
    }

    /// Verifies what was uploaded and completes it. `sha`: of the whole file, as it was announced. Where it is.
    ///
    /// # Errors
    /// It is refused, or flash failed. The upload is over, and the slot holds no image.
    pub fn finish(&mut self, sha: Option<&[u8; 32]>) -> Result<(usize, Slot), Error> {
        let mut upload = self.upload.take().ok_or(Error::NoUpload)?;
        if upload.next != upload.length {
            return Err(Error::Truncated { needed: upload.length as usize, available: upload.next as usize });
        }
        if !upload.length.is_multiple_of(PAGE) {
            self.program_last(&mut upload)?;
        }
        let (guest, slot) = (upload.guest, upload.slot);
        let file = upload.file.finalize_reset();
        if sha.is_some_and(|sha| file.as_slice() != sha) {
            return Err(Error::ShaDiffers);
        }
        let (hash, counter) = self.check(&upload)?;
        let mut record = *self.record(guest);
        record.known[slot as usize] = hash;
        self.remember(guest, record)?;
        program(&mut self.flash, self.layout.slots[guest][slot as usize].start, &upload.head)?;
        self.set_verdict(guest, slot, Some(Ok(counter)));
        Ok((guest, slot))
    }

    /// Of a complete upload whose first page is not in flash yet: hash and security counter.
    fn check(&self, upload: &Upload) -> Result<([u8; 32], u32), Error> {
        let length = upload.length as usize;
        let uploaded = &self.bytes(upload.guest, upload.slot)[..length];
        let floor = self.record(upload.guest).floor;
        let image = Image::verify_with(&upload.head, uploaded, &self.trust, floor)?;
        if image.bytes() != length {
            return Err(Error::LengthDiffers { needed: image.bytes(), length });
        }
        Ok((*image.hash(), image.security_counter()))
    }

    fn check_version(&self, guest: usize, version: Version) -> Result<(), Error> {
        let active = self.record(guest).active.and_then(|slot| self.image(guest, slot).ok());
        match active.map(|image| image.version()) {
            Some(active) if version <= active => Err(Error::NotAnUpgrade { version, active }),
            _ => Ok(()),
        }
    }

    /// Programs the page that ends with what has arrived last; not the first one, whose time comes in `finish`.
    fn program_last(&mut self, upload: &mut Upload) -> Result<(), Error> {
        let end = upload.next.next_multiple_of(PAGE);
        if end == PAGE {
            return Ok(());
        }
        let slot = self.slot(upload.guest, upload.slot);
        if upload.erased == 0 {
            self.set_verdict(upload.guest, upload.slot, None);
        }
        let extent = slot.start + upload.length.next_multiple_of(F::ERASE_SIZE as u32);
        upload.erased =
            erase_up_to(&mut self.flash, slot.start + upload.erased..slot.start + end, extent)? - slot.start;
        program(&mut self.flash, slot.start + end - PAGE, &upload.page)?;
        upload.page = [0xff; PAGE_BYTES];
        Ok(())
    }
}

/// Erases a whole slot, or part of one, from its start on.
pub(crate) fn erase<F: Flash>(flash: &mut F, range: Range<u32>) -> Result<(), Error> {
    let extent = range.end;
    erase_up_to(flash, range, extent).map(|_| ())
}

/// Erases `range` and what is in the same sectors, and whole blocks as long as they end before `extent`. How far it came.
fn erase_up_to<F: Flash>(flash: &mut F, range: Range<u32>, extent: u32) -> Result<u32, Error> {
    let mut at = range.start;
    while at < range.end {
        let block = BLOCKS.into_iter().find(|block| at.is_multiple_of(*block) && at + block <= extent);
        let end = at + block.unwrap_or(F::ERASE_SIZE as u32);
        let is_blank = |flash: &F| flash.map(at, (end - at) as usize).iter().all(|&byte| byte == 0xff);
        if !is_blank(flash) {
            flash.erase(at, end).map_err(|error| failed(at, &error))?;
            if !is_blank(flash) {
                return Err(Error::Flash { what: "not erased", offset: at });
            }
        }
        at = end;
    }
    Ok(at)
}

/// Programs one page.
fn program<F: Flash>(flash: &mut F, offset: u32, page: &[u8; PAGE_BYTES]) -> Result<(), Error> {
    if page.iter().any(|&byte| byte != 0xff) {
        flash.write(offset, page).map_err(|error| failed(offset, &error))?;
    }
    if flash.map(offset, PAGE_BYTES) != page {
        return Err(Error::Flash { what: "not as written", offset });
    }
    Ok(())
}

fn failed(offset: u32, error: &impl NorFlashError) -> Error {
    let what = match error.kind() {
        NorFlashErrorKind::NotAligned => "not aligned",
        NorFlashErrorKind::OutOfBounds => "out of bounds",
        _ => "the driver reports an error",
    };
    Error::Flash { what, offset }
}
