//! A day of updates, in virtual time: three languages in turn, each uploaded, tested, reset into and confirmed; then runs from
//! the RAM slot, without a reset. Nothing may grow, and flash may wear only where and as much as it was computed to.

use std::ops::Range;
use std::time::Duration;

use crate::board::{Artefacts, nanos};
use crate::cuts::{reset, update};
use crate::{Board, Error};

/// The guests that take turns.
const GUESTS: [&str; 3] = ["guests/blinky-c", "guests/blinky-rust", "guests/blinky-zig"];
/// What W25Q32JV's datasheet gives a sector: 100 000 erase cycles.
const CYCLES: f64 = 100_000.0;
const SECTOR: usize = 4096;
/// The protocol's number of the RAM slot, and its place in the vitals.
const RAM_SLOT: u32 = 2;

/// Erases and page programs, of the most worn sector and of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wear {
    pub erases_most: u32,
    pub erases: u32,
    pub programs: u32,
}

/// Bytes of the heap that are in use, and most that ever were since the last reset: the first time and the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heap {
    pub first: (u32, u32),
    pub last: (u32, u32),
}

impl Heap {
    fn keep(seen: &mut Option<Self>, board: &mut Board) -> Result<(), Error> {
        let now = (board.vital("heap_used")?, board.vital("heap_peak")?);
        let first = seen.map_or(now, |heap| heap.first);
        *seen = Some(Self { first, last: now });
        Ok(())
    }

    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.first == self.last
    }
}

/// What a soak left.
#[derive(Clone, Debug)]
pub struct Soak {
    pub updates: u32,
    /// Of virtual time.
    pub hours: f64,
    /// Of the heap after an update, and the reset in it, to each of the three guests.
    pub after_updates: [Heap; 3],
    /// Runs from the RAM slot after that, without a reset.
    pub ram_runs: u32,
    /// Of the heap after a run of each of the three guests from RAM.
    pub after_ram_runs: [Heap; 3],
    pub firmware: Wear,
    pub slots: Wear,
    pub journal: Wear,
    /// Sectors that the longest of the images takes.
    pub image_sectors: u32,
}

/// Updates guest 0 `updates` times, three at least, within `time` of virtual time; then runs a tenth as many from RAM.
///
/// # Errors
/// An update failed.
pub fn soak(artefacts: &Artefacts, updates: u32, time: Duration, progress: &mut dyn FnMut(u32)) -> Result<Soak, Error> {
    let images = [artefacts.image(GUESTS[0])?, artefacts.image(GUESTS[1])?, artefacts.image(GUESTS[2])?];
    let shared = artefacts.board(Some(&images[2]))?;
    let client = shared.client()?;
    let before = shared.board().chip.wear().clone();
    let (mut after_updates, mut after_ram_runs) = ([None; 3], [None; 3]);
    let began = shared.board().chip.now().as_nanos();
    for n in 0..updates {
        let which = n as usize % GUESTS.len();
        update(&shared, &client, &images[which], false)?;
        client.image_set_state(None, true)?;
        let mut board = shared.board();
        // Half a second later the firmware has looked at its figures again.
        board.run(Duration::from_millis(600));
        let name = GUESTS[which].trim_start_matches("guests/");
        if board.vital("guest0_state")? != 1 || !board.console.iter().any(|line| line.contains(name)) {
            return Err(Error::Wrong(format!("update {n}: {name} does not run: {}", board.console.join("; "))));
        }
        Heap::keep(&mut after_updates[which], &mut board)?;
        // The rest of its share of the day.
        let due = began + nanos(time) / u64::from(updates) * u64::from(n + 1);
        let left = due.saturating_sub(board.chip.now().as_nanos());
        board.run(Duration::from_nanos(left));
        board.clear_console();
        drop(board);
        progress(n + 1);
    }
    let ram_runs = updates.div_ceil(10).max(6);
    for n in 0..ram_runs {
        let which = n as usize % GUESTS.len();
        client.image_upload(&images[which], Some(RAM_SLOT), None, false, None)?;
        let mut board = shared.board();
        board.run(Duration::from_millis(600));
        if (board.vital("guest0_state")?, board.vital("guest0_slot")?) != (1, RAM_SLOT) {
            return Err(Error::Wrong(format!("run {n} from RAM: it does not run: {}", board.console.join("; "))));
        }
        board.clear_console();
        // The first round makes the peak.
        if n >= 3 {
            Heap::keep(&mut after_ram_runs[which], &mut board)?;
        }
    }
    reset(&shared, &client)?;
    let board = shared.board();
    let [firmware, slots, journal] = board.sectors().map(|sectors| wear(&board, &before, sectors));
    let longest = images.iter().map(Vec::len).max().unwrap_or(0);
    Ok(Soak {
        updates,
        hours: (board.chip.now().as_nanos() - began) as f64 / 3.6e12,
        after_updates: after_updates.map(|heap| heap.expect("there were three updates at least")),
        ram_runs,
        after_ram_runs: after_ram_runs.map(|heap| heap.expect("there were six runs at least")),
        firmware,
        slots,
        journal,
        image_sectors: longest.div_ceil(SECTOR) as u32,
    })
}

fn wear(board: &Board, before: &rp2350_model::Wear, sectors: Range<usize>) -> Wear {
    let now = board.chip.wear();
    let erases = sectors.clone().map(|sector| now.erases[sector] - before.erases[sector]);
    Wear {
        erases_most: erases.clone().max().unwrap_or(0),
        erases: erases.sum(),
        programs: sectors.map(|sector| now.programs[sector] - before.programs[sector]).sum(),
    }
}

impl Soak {
    /// What an update may cost: of each image sector one erase, and one of the journal, amortised.
    ///
    /// # Errors
    /// What is beyond that.
    pub fn check(&self) -> Result<(), Error> {
        let mut wrong = Vec::new();
        if self.firmware != Wear::default() {
            wrong.push(format!("the firmware's sectors were written: {:?}", self.firmware));
        }
        if self.slots.erases > self.updates * self.image_sectors {
            wrong.push(format!("{} sectors of slots erased in {} updates", self.slots.erases, self.updates));
        }
        if self.journal.erases > self.updates {
            wrong.push(format!("{} sectors of the journal erased in {} updates", self.journal.erases, self.updates));
        }
        if !self.after_updates.iter().chain(&self.after_ram_runs).all(Heap::is_flat) {
            wrong.push(format!("the heap grew: {:?}, {:?}", self.after_updates, self.after_ram_runs));
        }
        if wrong.is_empty() { Ok(()) } else { Err(Error::Wrong(wrong.join("; "))) }
    }

    /// Erase cycles that one update costs the most worn sector.
    #[must_use]
    pub fn cycles_an_update(&self) -> f64 {
        f64::from(self.slots.erases_most.max(self.journal.erases_most)) / f64::from(self.updates)
    }
}

/// Years until a sector has had its cycles, at so many cycles an update and so many updates a day.
#[must_use]
pub fn lifetime_years(cycles_an_update: f64, updates_a_day: f64) -> f64 {
    CYCLES / (cycles_an_update * updates_a_day * 365.25)
}
