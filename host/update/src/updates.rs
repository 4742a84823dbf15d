//! Which slot's turn it is: the state machine between an upload and an image that stays.
//!
//! Every transition is one record of the journal, so a power cut leaves the state before or the one after it. An image is
//! verified whenever it is about to run, and again whenever its slot has changed since. How an upload gets into a slot is
//! in `upload.rs`.

use core::cell::Cell;
use core::fmt;
use core::ops::Range;

use crate::error::Error;
use crate::flash::{Flash, Layout, Slot};
use crate::image::{Image, Trust, Version};
use crate::journal::{self, Record, Trial};
use crate::upload::{self, Upload};

/// What is in flash, and what shall happen to it.
pub struct Updates<F> {
    pub(crate) flash: F,
    pub(crate) layout: Layout,
    pub(crate) trust: Trust<'static>,
    pub(crate) upload: Option<Upload>,
    /// Of the upload that was completed last.
    pub(crate) uploaded: Version,
    /// As in the journal.
    records: [Record; 2],
    is_journal_read: bool,
    running: [Option<Slot>; 2],
    /// Of each slot whose content was verified since it changed: its security counter, or what is wrong.
    verdicts: [[Cell<Verdict>; 2]; 2],
}

type Verdict = Option<Result<u32, Error>>;

/// What a guest does after a reset or after its trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    /// The slot it runs from; its image is verified.
    pub run: Option<Slot>,
    /// It has to be confirmed, or the next reset ends it.
    pub trial: bool,
    /// What changed.
    pub note: Option<Note>,
    /// Why an image that should run does not; with `run`: one that it should have run instead.
    pub refused: Option<Error>,
    /// What is wrong with the journal.
    pub journal: Option<Error>,
}

/// A change of what a guest runs: as a line for the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// An image that a probe has put there.
    TookOver(Slot),
    OnTrial(Slot),
    Confirmed(Slot),
    /// Back to this slot, or to none.
    Reverted(Option<Slot>, Why),
}

/// Why a trial is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Unconfirmed,
    Failed,
    Refused,
}

impl fmt::Display for Note {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (slot, why) = match *self {
            Self::TookOver(slot) => {
                return write!(out, "slot {slot} has an image that no update put there: it is confirmed");
            }
            Self::OnTrial(slot) => return write!(out, "slot {slot} is on trial"),
            Self::Confirmed(slot) => return write!(out, "slot {slot} is confirmed"),
            Self::Reverted(slot, why) => (slot, why),
        };
        match slot {
            Some(slot) => write!(out, "reverted to slot {slot}: ")?,
            None => write!(out, "reverted to no image: ")?,
        }
        out.write_str(match why {
            Why::Unconfirmed => "there was a reset before a confirmation",
            Why::Failed => "the image on trial does not stay alive",
            Why::Refused => "the image on trial was refused",
        })
    }
}

impl<F: Flash> Updates<F> {
    /// Touches no flash.
    pub fn new(flash: F, layout: Layout, trust: Trust<'static>) -> Self {
        Self {
            flash,
            layout,
            trust,
            upload: None,
            uploaded: Version::default(),
            records: [Record::NEW; 2],
            is_journal_read: false,
            running: [None; 2],
            verdicts: [const { [const { Cell::new(None) }; 2] }; 2],
        }
    }

    /// Decides what `guest` (0 or 1) runs, once after a reset.
    pub fn boot(&mut self, guest: usize) -> Boot {
        let mut boot = Boot { run: None, trial: false, note: None, refused: None, journal: None };
        if !self.is_journal_read {
            self.is_journal_read = true;
            match journal::read(&self.flash, &self.layout.journal) {
                Ok(records) => self.records = records.map(|record| record.unwrap_or(Record::NEW)),
                Err(error) => boot.journal = Some(error),
            }
        }
        self.take_over(guest, &mut boot);
        match self.records[guest].trial {
            Trial::None => self.run_active(guest, &mut boot),
            Trial::Pending(slot) => self.begin_trial(guest, slot, &mut boot),
            Trial::PendingForGood(slot) => self.replace(guest, slot, &mut boot),
            Trial::Running(_) => self.revert(guest, Why::Unconfirmed, &mut boot),
        }
        self.running[guest] = boot.run;
        boot
    }

    /// The image on trial has failed for good: what `guest` runs instead, from now on. `None`: its image is not on trial.
    pub fn trial_failed(&mut self, guest: usize) -> Option<Boot> {
        if !self.on_trial(guest) {
            return None;
        }
        let mut boot = Boot { run: None, trial: false, note: None, refused: None, journal: None };
        self.revert(guest, Why::Failed, &mut boot);
        self.running[guest] = boot.run;
        Some(boot)
    }

    /// Whether what `guest` runs has to be confirmed.
    pub fn on_trial(&self, guest: usize) -> bool {
        self.running[guest].is_some_and(|slot| self.records[guest].trial == Trial::Running(slot))
    }

    /// The slot that `guest` runs from, as far as this knows.
    pub fn running(&self, guest: usize) -> Option<Slot> {
        self.running[guest]
    }

    /// The image in a slot, verified. That takes its time only once after each change of the slot.
    ///
    /// # Errors
    /// It is not to be run.
    pub fn image(&self, guest: usize, slot: Slot) -> Result<Image<'_>, Error> {
        let floor = self.records[guest].floor;
        let verdict = &self.verdicts[guest][slot as usize];
        let counter = verdict.get().unwrap_or_else(|| {
            let found = Image::verify(self.bytes(guest, slot), &self.trust, 0).map(|image| image.security_counter());
            verdict.set(Some(found));
            found
        })?;
        if counter < floor {
            return Err(Error::RolledBack { counter, floor });
        }
        Image::parse(self.bytes(guest, slot))
    }

    /// Where a slot is in flash.
    pub fn slot(&self, guest: usize, slot: Slot) -> Range<u32> {
        self.layout.slots[guest][slot as usize].clone()
    }

    /// The driver, for its own figures.
    pub fn flash(&mut self) -> &mut F {
        &mut self.flash
    }

    pub(crate) fn bytes(&self, guest: usize, slot: Slot) -> &[u8] {
        let range = self.slot(guest, slot);
        self.flash.map(range.start, range.len())
    }

    pub(crate) fn record(&self, guest: usize) -> &Record {
        &self.records[guest]
    }

    /// Remembers what is known of `slot`'s content, or nothing.
    pub(crate) fn set_verdict(&mut self, guest: usize, slot: Slot, verdict: Verdict) {
        self.verdicts[guest][slot as usize].set(verdict);
    }

    /// The slot that an update may change.
    pub(crate) fn free_slot(&self, guest: usize) -> Result<Slot, Error> {
        let record = &self.records[guest];
        if record.trial != Trial::None {
            return Err(Error::NoFreeSlot);
        }
        Ok(record.active.map_or(Slot::A, Slot::other))
    }

    /// One step of the state machine.
    pub(crate) fn remember(&mut self, guest: usize, record: Record) -> Result<(), Error> {
        if record != self.records[guest] {
            journal::write(&mut self.flash, &self.layout.journal, guest as u8, &record)?;
            self.records[guest] = record;
        }
        Ok(())
    }

    /// The image in `slot` shall run after the next reset, on trial or for good.
    pub(crate) fn make_pending(&mut self, guest: usize, slot: Slot, for_good: bool) -> Result<(), Error> {
        let record = self.records[guest];
        let trial = if for_good { Trial::PendingForGood(slot) } else { Trial::Pending(slot) };
        match record.trial {
            Trial::None if record.active == Some(slot) => return Ok(()),
            Trial::None => {}
            pending if pending == trial => return Ok(()),
            Trial::Pending(pending) if pending == slot => {}
            _ => return Err(Error::OnTrial),
        }
        self.image(guest, slot)?;
        self.remember(guest, Record { trial, ..record })
    }

    /// What `guest` runs stays.
    pub(crate) fn confirm_running(&mut self, guest: usize) -> Result<Slot, Error> {
        let slot = self.running[guest].ok_or(Error::NothingRuns)?;
        let record = self.records[guest];
        if record.trial == Trial::Running(slot) {
            let floor = record.floor.max(self.image(guest, slot)?.security_counter());
            self.remember(guest, Record { active: Some(slot), trial: Trial::None, floor, ..record })?;
        }
        Ok(slot)
    }

    /// Erases the slot that is free.
    pub(crate) fn erase_free(&mut self, guest: usize) -> Result<(), Error> {
        let slot = self.free_slot(guest)?;
        self.upload.take_if(|upload| (upload.guest, upload.slot) == (guest, slot));
        self.set_verdict(guest, slot, None);
        let range = self.slot(guest, slot);
        upload::erase(&mut self.flash, range)?;
        let mut record = self.records[guest];
        record.known[slot as usize] = [0; 32];
        self.remember(guest, record)
    }

    /// An image that came through a probe is the active one.
    fn take_over(&mut self, guest: usize, boot: &mut Boot) {
        let mut record = self.records[guest];
        let found = Slot::BOTH.map(|slot| Image::parse(self.bytes(guest, slot)).ok().map(|image| *image.hash()));
        let unknown = |slot: &Slot| found[*slot as usize].is_some_and(|hash| hash != record.known[*slot as usize]);
        for slot in Slot::BOTH.into_iter().filter(unknown) {
            match self.image(guest, slot) {
                Ok(_) => {
                    record.active = Some(slot);
                    record.trial = Trial::None;
                    for (known, found) in record.known.iter_mut().zip(found) {
                        *known = found.unwrap_or(*known);
                    }
                    boot.note = Some(Note::TookOver(slot));
                    self.remember_or_tell(guest, record, boot);
                    // Even if that could not be written: then the next boot comes to the same.
                    self.records[guest] = record;
                    return;
                }
                Err(error) => boot.refused = boot.refused.or(Some(error)),
            }
        }
    }

    fn begin_trial(&mut self, guest: usize, slot: Slot, boot: &mut Boot) {
        match self.image(guest, slot).map(|_| ()) {
            Ok(()) => {
                let record = Record { trial: Trial::Running(slot), ..self.records[guest] };
                // Without the record nothing would ever end the trial.
                if self.remember_or_tell(guest, record, boot) {
                    (boot.run, boot.trial, boot.note) = (Some(slot), true, Some(Note::OnTrial(slot)));
                } else {
                    self.run_active(guest, boot);
                }
            }
            Err(error) => {
                boot.refused = Some(error);
                self.revert(guest, Why::Refused, boot);
            }
        }
    }

    fn replace(&mut self, guest: usize, slot: Slot, boot: &mut Boot) {
        match self.image(guest, slot).map(|image| image.security_counter()) {
            Ok(counter) => {
                let record = self.records[guest];
                let floor = record.floor.max(counter);
                let record = Record { active: Some(slot), trial: Trial::None, floor, ..record };
                if self.remember_or_tell(guest, record, boot) {
                    boot.note = Some(Note::Confirmed(slot));
                }
                self.run_active(guest, boot);
            }
            Err(error) => {
                boot.refused = Some(error);
                self.revert(guest, Why::Refused, boot);
            }
        }
    }

    fn revert(&mut self, guest: usize, why: Why, boot: &mut Boot) {
        let record = Record { trial: Trial::None, ..self.records[guest] };
        // Where that cannot be written the next boot tries again: the trial is over all the same.
        self.remember_or_tell(guest, record, boot);
        boot.note = Some(Note::Reverted(record.active, why));
        self.run_active(guest, boot);
    }

    fn run_active(&mut self, guest: usize, boot: &mut Boot) {
        match self.records[guest].active {
            Some(slot) => match self.image(guest, slot) {
                Ok(_) => boot.run = Some(slot),
                Err(error) => boot.refused = boot.refused.or(Some(error)),
            },
            None => {
                let errors =
                    Slot::BOTH.map(|slot| self.image(guest, slot).map_or_else(|error| error, |_| Error::Untested));
                let error = errors.into_iter().find(|error| *error != Error::Empty).unwrap_or(Error::Empty);
                boot.refused = boot.refused.or(Some(error));
            }
        }
    }

    fn remember_or_tell(&mut self, guest: usize, record: Record, boot: &mut Boot) -> bool {
        let written = self.remember(guest, record);
        boot.journal = boot.journal.or(written.err());
        written.is_ok()
    }
}
