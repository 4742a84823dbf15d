//! What goes into the board's flash through the probe: firmware and guests where they differ, and nothing in places that
//! an earlier run, or an update, has left something in.
//!
//! It decides no order and resets nothing; the core stays halted after whatever was flashed.

use std::ops::Range;

use crate::{
    artefacts::Guest,
    error::Error,
    firmware::{Firmware, Segment},
    probe::Probe,
    progress::Progress,
};

/// A guest's header is shorter; what is no image here is no guest to the firmware.
const HEADER: usize = 256;
/// The smallest piece of flash that can be erased.
const SECTOR: usize = 4096;

/// A guest as it lies in the slot A that is its number.
pub fn in_slot(firmware: &Firmware, guest: &Guest, slot: usize) -> Segment {
    Segment { address: firmware.slots[slot].start, bytes: guest.image.clone() }
}

/// Flashes unless the same bytes are there already; returns whether it did.
pub fn if_different(
    probe: &mut dyn Probe,
    what: &str,
    segments: &[Segment],
    progress: &Progress,
) -> Result<bool, Error> {
    let bytes: usize = segments.iter().map(|segment| segment.bytes.len()).sum();
    let mut same = true;
    for segment in segments {
        let mut found = vec![0; segment.bytes.len()];
        probe.read(segment.address, &mut found)?;
        same &= found == segment.bytes;
    }
    if same {
        progress.line(&format!("{what}: already there ({bytes} bytes)"));
        return Ok(false);
    }
    probe.flash(what, segments, &mut |step, done, total| progress.at(&format!("{what}: {step}"), done, total))?;
    progress.clear();
    progress.line(&format!("{what}: flashed and verified ({bytes} bytes)"));
    Ok(true)
}

/// Sees to it that the firmware finds no guest in the slot that begins here; returns whether there was one.
pub fn blank(probe: &mut dyn Probe, what: &str, slot: u64, progress: &Progress) -> Result<bool, Error> {
    let mut header = [0; HEADER];
    probe.read(slot, &mut header)?;
    if header == [0xFF; HEADER] {
        return Ok(false);
    }
    erase(probe, what, slot..slot + SECTOR as u64, progress)?;
    Ok(true)
}

/// Sees to it that what earlier updates left cannot run instead of what is flashed: no guest in a slot B, and no word in
/// the journal of whose turn it is. Returns whether there was anything.
pub fn forget_updates(probe: &mut dyn Probe, firmware: &Firmware, progress: &Progress) -> Result<bool, Error> {
    let mut found = false;
    for (guest, spare) in firmware.spares.iter().enumerate() {
        found |= blank(probe, &format!("slot B of guest {guest}, of an earlier update"), spare.start, progress)?;
    }
    if let Some(journal) = &firmware.journal {
        // Whatever its size, a symbol table that is wrong must not make this take all memory.
        let mut rest = journal.clone();
        while !rest.is_empty() {
            let mut piece = vec![0; (rest.end - rest.start).min(SECTOR as u64) as usize];
            probe.read(rest.start, &mut piece)?;
            if piece.iter().any(|byte| *byte != 0xFF) {
                erase(probe, "the journal of updates", journal.clone(), progress)?;
                return Ok(true);
            }
            rest.start += piece.len() as u64;
        }
    }
    Ok(found)
}

fn erase(probe: &mut dyn Probe, what: &str, region: Range<u64>, progress: &Progress) -> Result<(), Error> {
    let erased = [Segment { address: region.start, bytes: vec![0xFF; (region.end - region.start) as usize] }];
    probe.flash(what, &erased, &mut |step, done, total| progress.at(&format!("{what}: {step}"), done, total))?;
    progress.clear();
    progress.line(&format!("{what}: erased"));
    Ok(())
}
