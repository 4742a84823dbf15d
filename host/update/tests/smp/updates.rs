//! From the line to flash: a stock client, the server and the real images behind it. Power cuts and damaged images are the
//! business of other tests.

use std::sync::Mutex;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use mcumgr_toolkit::client::FirmwareUpdateParams;
use mcumgr_toolkit::client::image_run_state::{ImageRunState, analyze};
use sandhill_update::{Error, Flash, Layout, Slot, Updates};

use crate::client::Host;
use crate::support::{HEADER_BYTES, draft, key, sealed, trust};
use crate::toolkit::{connect, lock, shown};

const SECTOR_BYTES: u32 = 4096;
const SLOT_BYTES: u32 = 64 * 1024;

/// As the board's: what is not erased cannot be written.
#[derive(Clone)]
struct Memory(Vec<u8>);

#[derive(Debug)]
struct Misused;

impl NorFlashError for Misused {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl ErrorType for Memory {
    type Error = Misused;
}

impl ReadNorFlash for Memory {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Misused> {
        bytes.copy_from_slice(self.map(offset, bytes.len()));
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Memory {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR_BYTES as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Misused> {
        self.0[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Misused> {
        let here = &mut self.0[offset as usize..offset as usize + bytes.len()];
        if here.iter().zip(bytes).any(|(is, byte)| is & byte != *byte) {
            return Err(Misused);
        }
        here.copy_from_slice(bytes);
        Ok(())
    }
}

impl Flash for Memory {
    fn map(&self, from: u32, length: usize) -> &[u8] {
        &self.0[from as usize..from as usize + length]
    }
}

fn layout() -> Layout {
    let slot = |number: u32| number * SLOT_BYTES..(number + 1) * SLOT_BYTES;
    Layout {
        slots: [[slot(0), slot(1)], [slot(2), slot(3)]],
        journal: 4 * SLOT_BYTES..4 * SLOT_BYTES + 2 * SECTOR_BYTES,
    }
}

/// A board whose guest 0 has `image` in slot A.
fn board(image: &[u8]) -> Memory {
    let mut flash = Memory(vec![0xff; layout().journal.end as usize]);
    flash.0[..image.len()].copy_from_slice(image);
    flash
}

/// What is in flash after a reset, and the slot that guest 0 runs from.
fn reset(flash: Memory) -> (Updates<Memory>, Option<Slot>) {
    let mut updates = Updates::new(flash, layout(), trust());
    let run = updates.boot(0).run;
    updates.boot(1);
    (updates, run)
}

/// The host's flash as a reset finds it.
fn flash_of(host: &Mutex<Host<Updates<Memory>>>) -> Memory {
    let mut host = lock(host);
    Memory(host.images.flash().map(0, layout().journal.end as usize).to_vec())
}

fn image(seed: u8, payload_bytes: usize, counter: u32) -> Vec<u8> {
    let payload: Vec<_> = (0..payload_bytes).map(|at| seed.wrapping_add((at * at / 5) as u8)).collect();
    draft(&payload, counter).signed()
}

#[test]
fn an_update_by_a_stock_client() {
    let (old, new) = (image(1, 9000, 1), image(2, 12_000, 1));
    let (updates, run) = reset(board(&old));
    assert_eq!(run, Some(Slot::A));
    let (client, host) = connect(updates);
    client.firmware_update(&new, None, FirmwareUpdateParams::default(), None).unwrap();
    assert_eq!(lock(&host).board.resets, 1);
    let line = format!("update: guest 0: uploaded to slot B: guest 0.2.0, {} bytes", new.len());
    assert_eq!(lock(&host).board.said, [&*line, "update: guest 0: slot B is on trial after a reset"]);

    let (updates, run) = reset(flash_of(&host));
    assert_eq!(run, Some(Slot::B), "it is on trial");
    let (client, host) = connect(updates);
    let states = client.image_get_state().unwrap();
    assert!(
        matches!(analyze(&states, 0), ImageRunState::Testing { current, fallback } if (current.slot, fallback.slot) == (1, 0))
    );
    let busy = client.image_upload(&old, None, None, false, None).unwrap_err();
    assert!(shown(&busy).contains("MGMT_ERR_EBADSTATE"), "{}", shown(&busy));
    let unconfirmed = flash_of(&host);
    let states = client.image_set_state(None, true).unwrap();
    assert!(matches!(analyze(&states, 0), ImageRunState::Stable(it) if it.slot == 1));

    assert_eq!(reset(flash_of(&host)).1, Some(Slot::B), "it stays");
    assert_eq!(reset(unconfirmed).1, Some(Slot::A), "without a confirmation it would not");
}

#[test]
fn what_is_not_an_image_of_ours_is_refused_with_the_reason() {
    let (client, host) = connect(reset(board(&image(1, 9000, 1))).0);
    let good = image(2, 6000, 1);
    let mut flipped = good.clone();
    flipped[HEADER_BYTES + 4000] ^= 1;
    let cut = &good[..good.len() - 1];
    let foreign = sealed(draft(&[7; 6000], 1).hashed(), &key(3));
    for (image, why) in [
        (&flipped[..], Error::HashMismatch.to_string()),
        (cut, "image truncated".into()),
        (&good[1..], "not a guest image".into()),
        (&foreign, "key".into()),
    ] {
        for place in [0, 2] {
            let refused = shown(&client.image_upload(image, Some(place), None, false, None).unwrap_err());
            assert!(refused.contains(&why), "image {place}: {refused}");
            let said = lock(&host).board.said.pop().unwrap();
            assert!(said.contains("refused") && said.contains(&why), "{said}");
        }
    }
    let states = client.image_get_state().unwrap();
    assert!(matches!(analyze(&states, 0), ImageRunState::Stable(it) if it.slot == 0), "the running guest is untouched");
    assert_eq!(lock(&host).board.ran, None);
}

#[test]
fn the_file_that_is_there_is_not_written_again() {
    let (client, host) = connect(reset(board(&image(1, 9000, 1))).0);
    let new = image(2, 9000, 1);
    for _ in 0..2 {
        client.image_upload(&new, None, None, true, None).unwrap_err();
        client.image_upload(&new, None, None, false, None).unwrap();
    }
    let uploads = lock(&host).board.said.iter().filter(|line| line.contains("uploaded")).count();
    assert_eq!(uploads, 1);
}

#[test]
fn an_image_in_ram_leaves_flash_alone() {
    let (client, host) = connect(reset(board(&image(1, 9000, 1))).0);
    let (before, new) = (flash_of(&host), image(2, 7000, 1));
    client.image_upload(&new, Some(2), None, false, None).unwrap();
    assert_eq!(lock(&host).board.ran, Some(new));
    assert!(flash_of(&host).0 == before.0);
}
