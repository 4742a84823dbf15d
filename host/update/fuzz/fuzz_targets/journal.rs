//! A board with any bytes in its journal: it boots what is verified, or nothing, and can be updated afterwards.

#![no_main]

use std::convert::Infallible;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use libfuzzer_sys::fuzz_target;
use sandhill_update::smp::Images;
use sandhill_update::{Error, Flash, Image, Layout, Trust, Updates};

/// Signed with `KEY`.
const IMAGE: &[u8] = include_bytes!("../corpus/image/guest");
const TRUST: Trust<'_> = Trust {
    keys: &[KEY],
    engine: "wasmtime 48.0.8 pulley32 3f9a01c2",
    packages: &["embedded:platform@0.2.0"],
    interfaces: &["gpio", "timing"],
};
/// As in `image.rs`.
const KEY: [u8; 32] = [
    138, 136, 227, 221, 116, 9, 241, 149, 253, 82, 219, 45, 60, 186, 93, 114, 202, 103, 9, 191, 29, 148, 18, 27, 243,
    116, 136, 1, 180, 15, 111, 92,
];
const SECTOR: usize = 4096;
/// After four slots of a sector.
const JOURNAL: usize = 4 * SECTOR;

fuzz_target!(|input: &[u8]| {
    let Some((&sectors, journal)) = input.split_first() else {
        return;
    };
    let sectors = 2 + usize::from(sectors % 3);
    let mut flash = Nor(vec![0xff; JOURNAL + sectors * SECTOR]);
    flash.0[..IMAGE.len()].copy_from_slice(IMAGE);
    // Of each sector the input has the beginning and the last byte, which says whether the sector is full.
    for (sector, bytes) in journal.chunks(journal.len().div_ceil(sectors).max(1)).enumerate() {
        let cells = &mut flash.0[JOURNAL + sector * SECTOR..][..SECTOR];
        let length = bytes.len().min(SECTOR) - 1;
        cells[..length].copy_from_slice(&bytes[..length]);
        cells[SECTOR - 1] = bytes[length];
    }
    let mut updates = boot(flash, sectors);
    updates.trial_failed(0);
    // Whatever was said of a trial, two resets have ended it.
    let mut updates = boot(updates.flash().clone(), sectors);
    let mut updates = boot(updates.flash().clone(), sectors);
    match update(&mut updates) {
        Ok(()) => assert!(boot(updates.flash().clone(), sectors).running(1).is_some()),
        // A counter that is none of this image's.
        Err(Error::RolledBack { .. }) => {}
        Err(error) => panic!("{error}"),
    }
});

fn boot(flash: Nor, sectors: usize) -> Updates<Nor> {
    let at = |sector: usize, count: usize| (sector * SECTOR) as u32..((sector + count) * SECTOR) as u32;
    let layout = Layout { slots: [[at(0, 1), at(1, 1)], [at(2, 1), at(3, 1)]], journal: at(4, sectors) };
    let mut updates = Updates::new(flash, layout, TRUST);
    for guest in [0, 1] {
        if let Some(slot) = updates.boot(guest).run {
            assert!(updates.image(guest, slot).is_ok());
        }
    }
    updates
}

/// Guest 1 shall run the image from the next reset on.
fn update(updates: &mut Updates<Nor>) -> Result<(), Error> {
    Updates::begin(updates, 1, IMAGE.len() as u32, IMAGE, false)?;
    Updates::data(updates, 0, IMAGE)?;
    Updates::finish(updates, None)?;
    let hash = Image::parse(IMAGE)?.hash();
    updates.set_state(Some(hash), true, &mut |_, _| {})
}

#[derive(Clone)]
struct Nor(Vec<u8>);

impl ErrorType for Nor {
    type Error = Infallible;
}

impl ReadNorFlash for Nor {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Nor {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
        self.0[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        for (cell, byte) in self.0[offset as usize..].iter_mut().zip(bytes) {
            *cell &= byte;
        }
        Ok(())
    }
}

impl Flash for Nor {
    fn map(&self, from: u32, length: usize) -> &[u8] {
        &self.0[from as usize..][..length]
    }
}
