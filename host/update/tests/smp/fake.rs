//! Images and a board in memory: what the server asks of them, and nothing of flash. An image here is 32 bytes of header, of
//! which the first four are the magic, and anything after it; its hash is its first 32 bytes.

use std::fmt::{self, Arguments};

use sha2::{Digest, Sha256};

use sandhill_update::smp::{self, Entry, Rc, Refusal, SlotInfo, Stored};

pub const MAGIC: [u8; 4] = [0x3d, 0xb8, 0xf3, 0x96];
pub const SLOT_BYTES: u32 = 16 * 1024;
pub const RAM_BYTES: u32 = 8 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    NotAnImage,
    TooLarge,
    NoFreeSlot,
    FlashFailed,
    OtherBytes,
    NoSuchImage,
    NotNewer,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnImage => "not a guest image: flash guest.img",
            Self::TooLarge => "image too large for its slot",
            Self::NoFreeSlot => "no free slot: confirm the image on trial, or reset",
            Self::FlashFailed => {
                "flash failed at an offset that takes a long sentence to tell, so that the text is longer \
                than anything that fits a small buffer, and ends in letters of two bytes: äöüäöüäöüäöüäöüäöüäöüäöüäöü"
            }
            Self::OtherBytes => "image damaged (SHA-256 differs): flash it again",
            Self::NoSuchImage => "no image with this hash",
            Self::NotNewer => "the image is not newer than the one that runs",
        })
    }
}

impl Refusal for Refused {
    fn rc(&self) -> Rc {
        match self {
            Self::NotAnImage | Self::TooLarge | Self::NotNewer => Rc::Invalid,
            Self::NoFreeSlot => Rc::BadState,
            Self::FlashFailed => Rc::Unknown,
            Self::OtherBytes => Rc::Corrupt,
            Self::NoSuchImage => Rc::NotFound,
        }
    }
}

/// Slot A of each guest runs and is confirmed; uploads go to slot B.
pub struct Images {
    pub slots: [[Vec<u8>; 2]; 2],
    pub pending: [Option<bool>; 2],
    pub busy: bool,
    /// The write after this many fails.
    pub writes_left: usize,
    /// Every write, so that a test sees that there are no others.
    pub writes: Vec<(u32, usize)>,
    upload: Option<(u8, u32)>,
}

impl Images {
    pub fn new() -> Self {
        let running = |guest: u8| image(100 + guest, 64);
        let slots = [[running(0), Vec::new()], [running(1), Vec::new()]];
        Self { slots, pending: [None; 2], busy: false, writes_left: usize::MAX, writes: Vec::new(), upload: None }
    }
}

/// An image of `bytes` bytes, told from others by `seed`. 0 is the version that is not newer.
pub fn image(seed: u8, bytes: usize) -> Vec<u8> {
    let mut image: Vec<_> = (0..bytes).map(|at| seed.wrapping_add((at * at / 7) as u8)).collect();
    image[..4].copy_from_slice(&MAGIC);
    image[4] = seed;
    image
}

pub fn sha(image: &[u8]) -> [u8; 32] {
    Sha256::digest(image).into()
}

fn check(image: &[u8], announced: Option<&[u8; 32]>) -> Result<(), Refused> {
    if image[..4] != MAGIC {
        return Err(Refused::NotAnImage);
    }
    if announced.is_some_and(|announced| *announced != sha(image)) { Err(Refused::OtherBytes) } else { Ok(()) }
}

impl smp::Images for Images {
    type Error = Refused;

    fn list(&self, each: &mut dyn FnMut(&Entry<'_>)) {
        for (guest, slots) in (0..).zip(&self.slots) {
            for (slot, image) in (0..).zip(slots) {
                let Some(hash) = image.first_chunk() else { continue };
                let runs = slot == 0;
                let pending = if runs { None } else { self.pending[usize::from(guest)] };
                each(&Entry {
                    guest,
                    slot,
                    version: &format_args!("1.{}.3", image[4]),
                    hash,
                    bootable: true,
                    pending: pending.is_some(),
                    confirmed: runs,
                    active: runs,
                    permanent: pending == Some(true),
                });
            }
        }
    }

    fn already_there(&self, guest: u8, length: u32, announced: &[u8; 32]) -> bool {
        let image = &self.slots[usize::from(guest)][1];
        image.len() == length as usize && sha(image) == *announced
    }

    fn begin(&mut self, guest: u8, length: u32, start: &[u8], upgrade: bool) -> Result<(), Refused> {
        self.upload = None;
        if start[..4] != MAGIC {
            return Err(Refused::NotAnImage);
        }
        if length > SLOT_BYTES {
            return Err(Refused::TooLarge);
        }
        if self.busy || self.pending[usize::from(guest)].is_some() {
            return Err(Refused::NoFreeSlot);
        }
        if upgrade && start[4] == 0 {
            return Err(Refused::NotNewer);
        }
        self.upload = Some((guest, length));
        Ok(())
    }

    fn data(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Refused> {
        let (guest, length) = self.upload.expect("data only after begin");
        let slot = &mut self.slots[usize::from(guest)][1];
        if offset == 0 {
            slot.clear();
        }
        assert_eq!(slot.len(), offset as usize, "no gap, no overlap");
        assert!(slot.len() + bytes.len() <= length as usize);
        let left = self.writes_left.checked_sub(1);
        let Some(left) = left else {
            self.upload = None;
            return Err(Refused::FlashFailed);
        };
        self.writes_left = left;
        slot.extend(bytes);
        self.writes.push((offset, bytes.len()));
        Ok(())
    }

    fn finish(&mut self, sha: Option<&[u8; 32]>) -> Result<Stored<'_>, Refused> {
        let (guest, length) = self.upload.take().expect("finish only after begin");
        let slot = &self.slots[usize::from(guest)][1];
        assert_eq!(slot.len(), length as usize, "finish only at the end");
        check(slot, sha)?;
        Ok(Stored { slot: 1, name: "blinky-rust", version: &"0.2.0" })
    }

    fn verify_in_ram<'a>(&self, image: &'a [u8], sha: Option<&[u8; 32]>) -> Result<&'a str, Refused> {
        check(image, sha)?;
        Ok("blinky-ram")
    }

    fn set_state(
        &mut self,
        hash: Option<&[u8]>,
        confirm: bool,
        changed: &mut dyn FnMut(u8, u8),
    ) -> Result<(), Refused> {
        let Some(hash) = hash else { return Ok(()) };
        let found = (0..2).find(|&guest| self.slots[guest][1].get(..32) == Some(hash));
        let guest = found.ok_or(Refused::NoSuchImage)?;
        self.pending[guest] = Some(confirm);
        changed(guest as u8, 1);
        Ok(())
    }

    fn erase(&mut self, guest: u8) -> Result<(), Refused> {
        if self.pending[usize::from(guest)].is_some() {
            return Err(Refused::NoFreeSlot);
        }
        self.upload = self.upload.filter(|&(other, _)| other != guest);
        self.slots[usize::from(guest)][1].clear();
        Ok(())
    }

    fn slot_info(&self, _: u8, slot: u8) -> SlotInfo {
        SlotInfo { bytes: SLOT_BYTES, upload: slot == 1 }
    }
}

pub struct Board {
    pub said: Vec<String>,
    pub resets: usize,
    pub baud: u32,
    pub ram_bytes: u32,
    pub ram: Vec<u8>,
    pub ran: Option<Vec<u8>>,
}

impl Board {
    pub fn new() -> Self {
        Self { said: Vec::new(), resets: 0, baud: 115_200, ram_bytes: RAM_BYTES, ram: Vec::new(), ran: None }
    }
}

impl smp::Board for Board {
    fn application(&self) -> &str {
        "sandhill 0.2.0 wasmtime 48.0.8"
    }

    fn say(&mut self, line: Arguments<'_>) {
        self.said.push(line.to_string());
    }

    fn reset(&mut self) {
        self.resets += 1;
    }

    fn statistics(&mut self, group: &str, each: &mut dyn FnMut(&str, u32)) -> bool {
        match group {
            "host" => {
                each("heap_size", 262_144);
                each("flash_erases", 0);
            }
            // As many and as long as they get.
            "guest0" => (0..25).for_each(|field| each(&format!("a_longish_field_{field:02}"), u32::MAX - field)),
            "guest1" => {}
            _ => return false,
        }
        true
    }

    fn set_baud(&mut self, baud: u32) -> bool {
        let known = (9600..=3_000_000).contains(&baud);
        if known {
            self.baud = baud;
        }
        known
    }

    fn baud(&self) -> u32 {
        self.baud
    }

    fn ram_slot_bytes(&self) -> u32 {
        self.ram_bytes
    }

    fn ram_slot(&mut self, bytes: usize) -> Option<&mut [u8]> {
        self.ram = vec![0xee; bytes];
        Some(&mut self.ram)
    }

    fn ram_image(&mut self) -> &mut [u8] {
        &mut self.ram
    }

    fn run_ram_slot(&mut self) {
        self.ran = Some(self.ram.clone());
    }
}
