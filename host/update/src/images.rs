//! The images in flash as an SMP server sees them.

use crate::error::Error;
use crate::flash::{Flash, Slot};
use crate::image::Image;
use crate::journal::Trial;
use crate::smp::{Entry, Images, Rc, Refusal, SlotInfo, Stored};
use crate::updates::Updates;
use sha2::{Digest, Sha256};

impl Refusal for Error {
    fn rc(&self) -> Rc {
        match self {
            Self::Empty | Self::NoSuchGuest | Self::NotFound => Rc::NotFound,
            Self::NotAnImage { .. } | Self::Truncated { .. } | Self::Unsupported { .. } => Rc::Invalid,
            Self::LengthDiffers { .. } | Self::OutOfOrder { .. } => Rc::Invalid,
            Self::Damaged { .. } | Self::HashMismatch | Self::ShaDiffers => Rc::Corrupt,
            Self::Unsigned | Self::UnknownKey { .. } | Self::BadSignature | Self::RolledBack { .. } => Rc::Denied,
            Self::ForeignEngine { .. } | Self::ForeignContract { .. } => Rc::Denied,
            Self::TooLarge { .. } => Rc::NoMemory,
            Self::NoFreeSlot | Self::NotAnUpgrade { .. } | Self::NoUpload | Self::OnTrial => Rc::BadState,
            Self::NothingRuns | Self::Untested => Rc::BadState,
            Self::Flash { .. } | Self::Journal { .. } | Self::JournalUnreadable => Rc::Unknown,
        }
    }
}

fn guest_of(number: u8) -> Result<usize, Error> {
    if number < 2 { Ok(usize::from(number)) } else { Err(Error::NoSuchGuest) }
}

impl<F: Flash> Images for Updates<F> {
    type Error = Error;

    fn list(&self, each: &mut dyn FnMut(&Entry<'_>)) {
        for (guest, slot) in places() {
            let Ok(image) = Image::parse(self.bytes(guest, slot)) else {
                continue;
            };
            let record = self.record(guest);
            let permanent = record.trial == Trial::PendingForGood(slot);
            each(&Entry {
                guest: guest as u8,
                slot: slot as u8,
                version: &image.version(),
                hash: image.hash(),
                bootable: self.image(guest, slot).is_ok(),
                pending: permanent || record.trial == Trial::Pending(slot),
                confirmed: record.active == Some(slot),
                active: self.running(guest) == Some(slot),
                permanent,
            });
        }
    }

    fn already_there(&self, guest: u8, length: u32, sha: &[u8; 32]) -> bool {
        guest_of(guest).is_ok_and(|guest| Updates::already_there(self, guest, length, sha))
    }

    fn begin(&mut self, guest: u8, length: u32, start: &[u8], upgrade: bool) -> Result<(), Error> {
        Updates::begin(self, guest_of(guest)?, length, start, upgrade)
    }

    fn data(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        Updates::data(self, offset, bytes)
    }

    fn finish(&mut self, sha: Option<&[u8; 32]>) -> Result<Stored<'_>, Error> {
        let (guest, slot) = Updates::finish(self, sha)?;
        self.uploaded = self.image(guest, slot)?.version();
        Ok(Stored { slot: slot as u8, name: self.image(guest, slot)?.name(), version: &self.uploaded })
    }

    fn verify_in_ram<'a>(&self, image: &'a [u8], sha: Option<&[u8; 32]>) -> Result<&'a str, Error> {
        if sha.is_some_and(|sha| Sha256::digest(image).as_slice() != sha) {
            return Err(Error::ShaDiffers);
        }
        let found = Image::verify(image, &self.trust, self.record(0).floor)?;
        if found.bytes() != image.len() {
            return Err(Error::LengthDiffers { needed: found.bytes(), length: image.len() });
        }
        Ok(found.name())
    }

    fn set_state(&mut self, hash: Option<&[u8]>, confirm: bool, changed: &mut dyn FnMut(u8, u8)) -> Result<(), Error> {
        let Some(hash) = hash else {
            if !confirm {
                return Err(Error::NotFound);
            }
            let running = [0, 1].map(|guest| self.running(guest));
            if running == [None; 2] {
                return Err(Error::NothingRuns);
            }
            for (guest, _) in running.iter().enumerate().filter(|(_, slot)| slot.is_some()) {
                let slot = self.confirm_running(guest)?;
                changed(guest as u8, slot as u8);
            }
            return Ok(());
        };
        let (guest, slot) = self.find(hash, confirm).ok_or(Error::NotFound)?;
        if confirm && self.running(guest) == Some(slot) {
            self.confirm_running(guest)?;
        } else {
            self.make_pending(guest, slot, confirm)?;
        }
        changed(guest as u8, slot as u8);
        Ok(())
    }

    fn erase(&mut self, guest: u8) -> Result<(), Error> {
        self.erase_free(guest_of(guest)?)
    }

    fn slot_info(&self, guest: u8, slot: u8) -> SlotInfo {
        let place = places().find(|&(of, at)| (of as u8, at as u8) == (guest, slot));
        place.map_or(SlotInfo { bytes: 0, upload: false }, |(guest, slot)| SlotInfo {
            bytes: self.slot(guest, slot).len() as u32,
            upload: self.free_slot(guest) == Ok(slot),
        })
    }
}

impl<F: Flash> Updates<F> {
    /// Where the image with this hash is. It can be in several places: for a confirmation the one on trial is meant, or
    /// else one that is not active, which is the one that something can be done to.
    fn find(&self, hash: &[u8], confirm: bool) -> Option<(usize, Slot)> {
        let has_hash = |&(guest, slot): &(usize, Slot)| {
            Image::parse(self.bytes(guest, slot)).is_ok_and(|image| image.hash().as_slice() == hash)
        };
        let rank = |&(guest, slot): &(usize, Slot)| {
            let is_on_trial = confirm && self.on_trial(guest) && self.running(guest) == Some(slot);
            (!is_on_trial, self.record(guest).active == Some(slot))
        };
        places().filter(has_hash).min_by_key(rank)
    }
}

/// All slots, those of guest 0 first.
fn places() -> impl Iterator<Item = (usize, Slot)> {
    (0..2).flat_map(|guest| Slot::BOTH.map(|slot| (guest, slot)))
}
