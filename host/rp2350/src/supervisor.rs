//! The supervisor: the thread that starts the guests, hears of their ends, serves the update protocol on the console, and
//! writes flash.
//!
//! It promises that it comes behind every guest that does not take the core for itself, and that only images are run that
//! `sandhill-update` has verified. It feeds the watchdog as long as every guest that was told to end does end.

use alloc::boxed::Box;

use cortex_m::peripheral::{DWT, SCB};
use sandhill_runtime::{GUESTS, IMAGE_ENGINE, INTERFACES, PACKAGES};
use sandhill_update::smp::Server;
use sandhill_update::{Boot, Error, Slot, Trust, Updates};

use crate::board::console::{self, report};
use crate::board::flash::{self, GuestFlash};
use crate::board::retained::Journal;
use crate::board::watchdog;
use crate::client::{Around, Line};
use crate::guests::{Guests, Place, refuse};
use crate::kernel::{self, Events};
use crate::ram_slot::RamSlot;
use crate::vitals::{self, VITALS};

/// How often the watchdog is fed; it waits for four times as long.
const ROUND_US: u64 = 500_000;
/// A guest that was told to end and runs on for this long, of its own time, has the host's code in an endless loop.
const STUCK_US: u64 = 500_000;

/// Who may sign guests (`build.rs`).
const KEYS: &[[u8; 32]] = &include!(concat!(env!("OUT_DIR"), "/keys.rs"));

/// What an image has to be to run here.
const TRUST: Trust<'static> = Trust { keys: KEYS, engine: IMAGE_ENGINE, packages: PACKAGES, interfaces: INTERFACES };

/// The supervisor's state.
pub struct Supervisor {
    updates: Updates<GuestFlash>,
    guests: Guests,
    ram: RamSlot,
    line: Line,
    server: Server<Error>,
    /// Guests whose image is on trial.
    on_trial: [bool; GUESTS],
}

impl Supervisor {
    /// On the heap: the stack would keep it for ever, below all that comes and goes.
    ///
    /// # Panics
    /// Wasmtime cannot run here.
    #[inline(never)]
    pub fn new(journal: Journal) -> Box<Self> {
        Box::new(Self {
            updates: Updates::new(GuestFlash::new(), flash::layout(), TRUST),
            guests: Guests::new(journal),
            ram: RamSlot::new(),
            line: Line::new(),
            server: Server::new(),
            on_trial: [false; GUESTS],
        })
    }

    /// Never returns.
    pub fn run(mut self: Box<Self>) -> ! {
        watchdog::start();
        for guest in 0..GUESTS {
            self.boot(guest);
        }
        vitals::resets(self.guests.journal());
        let mut round_us = 0;
        loop {
            self.serve();
            for guest in self.guests.hear_ends() {
                self.fall_back(guest);
            }
            self.guests.start_due();
            if kernel::now_us() >= round_us {
                if (0..GUESTS).all(|guest| kernel::overrun_us(guest) < STUCK_US) {
                    watchdog::feed();
                }
                self.line.keep_rate();
                vitals::update();
                round_us = kernel::now_us() + ROUND_US;
            }
            kernel::wait(round_us.min(self.guests.next_start_us()), Events::ENDED | Events::RECEIVED);
        }
    }

    /// Decides what runs as `guest`, and starts it.
    // What it needs of the stack is not needed at the same time as what follows.
    #[inline(never)]
    fn boot(&mut self, guest: usize) {
        let began = DWT::cycle_count();
        let boot = self.updates.boot(guest);
        VITALS.guests[guest].verify_cycles.set(DWT::cycle_count().wrapping_sub(began));
        self.follow(guest, &boot);
    }

    /// Says what was decided, and does it.
    fn follow(&mut self, guest: usize, boot: &Boot) {
        let &Boot { run, trial, note, refused, journal } = boot;
        if let Some(error) = journal {
            report!(warn, "update: journal: {error}");
        }
        if let Some(note) = note {
            report!(info, "update: guest {guest}: {note}");
        }
        let Some(slot) = run else {
            match refused {
                None | Some(Error::Empty) => report!(info, "slot {guest}: empty"),
                Some(error) => refuse(guest, &error),
            }
            return;
        };
        if let Some(error) = refused {
            report!(warn, "update: guest {guest}: refused: {error}");
        }
        self.set_trial(guest, trial);
        let place = match slot {
            Slot::A => Place::SlotA,
            Slot::B => Place::SlotB,
        };
        // SAFETY: `Updates` has verified the image and does not write a slot whose image is active or on trial; an image that
        // is neither any more is removed before.
        let loaded = unsafe { self.guests.load(guest, flash::slot(guest, slot), place) };
        if !loaded {
            self.fall_back(guest);
        }
    }

    fn set_trial(&mut self, guest: usize, trial: bool) {
        self.on_trial[guest] = trial;
        VITALS.guests[guest].on_trial.set(trial.into());
    }

    /// `guest` is not started any more: if its image was on trial, the one before runs again.
    fn fall_back(&mut self, guest: usize) {
        if !self.on_trial[guest] {
            return;
        }
        self.set_trial(guest, false);
        self.guests.remove(guest);
        if let Some(boot) = self.updates.trial_failed(guest) {
            self.follow(guest, &boot);
        }
    }

    /// Answers what clients have sent.
    // As above.
    #[inline(never)]
    fn serve(&mut self) {
        while self.line.next_request() {
            let mut around = Around::new(&mut self.guests, &mut self.ram, self.line.baud());
            self.line.answer(&mut self.server, &mut self.updates, &mut around);
            let wants = around.take_wants();
            self.line.work(&mut self.server, &mut self.updates, &mut around);
            VITALS.host.smp_requests.set(self.server.requests());
            VITALS.host.smp_errors.set(self.server.errors());
            if wants.reset {
                console::flush();
                SCB::sys_reset();
            }
            if let Some(baud) = wants.baud {
                self.line.set_baud(baud);
            }
            if wants.run_ram {
                self.run_ram();
            }
            for guest in 0..GUESTS {
                if self.on_trial[guest] && !self.updates.on_trial(guest) {
                    // It was confirmed.
                    self.set_trial(guest, false);
                }
            }
        }
    }

    /// The RAM slot's image was verified: it runs in the place of guest 0. What it does is nobody's trial.
    fn run_ram(&mut self) {
        self.guests.remove(0);
        self.set_trial(0, false);
        // SAFETY: it was verified, and the RAM slot is emptied only after guest 0 was removed (`client.rs`).
        unsafe { self.guests.load(0, self.ram.image(), Place::Ram) };
    }
}
