//! A board with two guests, as far as updates see it.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

use sandhill_update::smp::Images;
use sandhill_update::{Boot, Error, Layout, Slot, Updates};

use crate::nor::{Nor, SECTOR};
use crate::support::{draft, trust};

pub const SLOT: usize = 4 * SECTOR;

/// Where everything is when slots have `slot` bytes and the journal has `journal` sectors.
pub fn layout(slot: usize, journal: usize) -> Layout {
    let at = |index: usize| (index * slot) as u32..((index + 1) * slot) as u32;
    let end = 4 * slot;
    Layout { slots: [[at(0), at(2)], [at(1), at(3)]], journal: end as u32..(end + journal * SECTOR) as u32 }
}

/// A guest's image: `id` is what tells it from others, a tenth of it the security counter.
pub fn image(id: u8, bytes: usize) -> Arc<[u8]> {
    // Signed once: the tests ask for the same images thousands of times.
    type Images = BTreeMap<(u8, usize), Arc<[u8]>>;
    static IMAGES: Mutex<Images> = Mutex::new(BTreeMap::new());
    let mut images = IMAGES.lock().expect("no test panics in here");
    images.entry((id, bytes)).or_insert_with(|| made(id, bytes).into()).clone()
}

fn made(id: u8, bytes: usize) -> Vec<u8> {
    let mut payload = vec![id; bytes];
    fastrand::Rng::with_seed(id.into()).fill(&mut payload[1..]);
    // A page that is blank needs no program.
    payload[256..768].fill(0xff);
    draft(&payload, u32::from(id / 10)).signed()
}

pub struct Board {
    updates: Updates<Nor>,
    layout: Layout,
    pub boots: [Boot; 2],
}

impl Board {
    pub fn new(slot: usize, journal: usize) -> Self {
        let layout = layout(slot, journal);
        Self::with(Nor::new(layout.journal.end as usize, layout.journal.start as usize), layout)
    }

    fn with(nor: Nor, layout: Layout) -> Self {
        let mut updates = Updates::new(nor, layout.clone(), trust());
        let boots = [0, 1].map(|guest| updates.boot(guest));
        Self { updates, layout, boots }
    }

    pub fn reset(&mut self) {
        *self = Self::with(self.updates.flash().clone(), self.layout.clone());
    }

    pub fn power_cycle(&mut self) {
        self.updates.flash().power_on();
        self.reset();
    }

    /// The same board after a reset, to be treated differently.
    pub fn copy(&mut self) -> Self {
        Self::with(self.updates.flash().clone(), self.layout.clone())
    }

    /// What a probe does.
    pub fn flash_directly(&mut self, guest: usize, slot: Slot, image: &[u8]) {
        let range = self.layout.slots[guest][slot as usize].clone();
        let cells = &mut self.updates.flash().bytes[range.start as usize..range.end as usize];
        cells.fill(0xff);
        cells[..image.len()].copy_from_slice(image);
    }

    /// The id of what `guest` runs.
    pub fn runs(&self, guest: usize) -> Option<u8> {
        let slot = self.updates.running(guest)?;
        let found = self.updates.image(guest, slot).expect("what runs is verified");
        Some(found.payload()[0])
    }

    pub fn upload(&mut self, guest: usize, image: &[u8], chunk: usize) -> Result<Slot, Error> {
        self.updates.begin(guest, image.len() as u32, &image[..image.len().min(chunk.max(32))], false)?;
        for (index, bytes) in image.chunks(chunk).enumerate() {
            self.updates.data((index * chunk) as u32, bytes)?;
        }
        self.updates.finish(None).map(|(_, slot)| slot)
    }

    pub fn set(&mut self, id: u8, image: &[u8], confirm: bool) -> Result<(), Error> {
        assert_eq!(image[256], id);
        let parsed = sandhill_update::Image::parse(image).expect("an image");
        self.updates.set_state(Some(parsed.hash()), confirm, &mut |_, _| {})
    }

    pub fn confirm(&mut self) -> Result<(), Error> {
        self.updates.set_state(None, true, &mut |_, _| {})
    }
}

impl Deref for Board {
    type Target = Updates<Nor>;

    fn deref(&self) -> &Updates<Nor> {
        &self.updates
    }
}

impl DerefMut for Board {
    fn deref_mut(&mut self) -> &mut Updates<Nor> {
        &mut self.updates
    }
}
