//! The guests that are there to be run: takes an image, starts it, says how it ended, starts it again, later and later,
//! until it has failed too often.
//!
//! It promises that a guest's failures are the other guest's business in no way, and gives back all memory of a guest that
//! has ended. It takes images that were verified; which one that is, is decided in `sandhill-update`.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::mem;

use cortex_m::peripheral::DWT;
use sandhill_runtime::{GUESTS, Guest, GuestState, GuestVitals, Host, Outcome, Policy, Program, Trap, Violation};
use sandhill_update::Image;

use crate::board::console::report;
use crate::board::retained::Journal;
use crate::board::{self, Pico2Guest};
use crate::kernel::{self, Ended, Events, Limits, NEVER, Thread};
use crate::vitals::VITALS;

/// Pulley stack of each guest.
const PULLEY_STACK_BYTES: usize = 2 * 1024;
/// A guest that ran this long begins its count of failures anew.
const GOOD_RUN_US: u64 = 10_000_000;
/// The first restart comes after this, each further one after twice the time of the one before.
const FIRST_BACK_OFF_MS: u64 = 100;
const LONGEST_BACK_OFF_MS: u64 = 60_000;

/// A guest has the core to itself for so long when it starts, if it is the only one: the line that says so is not printed in the
/// middle of what it does first, with its pins high.
const FIRST_STEPS_US: u64 = 200;

/// GPIO 0 and 1 are the console; 23, 24 and 29 are the Pico 2's own: power save, VBUS sense, VSYS measurement.
const PINS: u32 = 0x3FFF_FFFF & !(1 << 0 | 1 << 1 | 1 << 23 | 1 << 24 | 1 << 29);

/// What this board gives a guest at most.
const HOST_POLICY: Policy = Policy {
    outputs: PINS,
    safe_high: PINS,
    inputs: PINS,
    pull_up: PINS,
    pull_down: PINS,
    pwm: PINS,
    uarts: 1 << 1,
    uart_baud: 0,
    pwm_min_period_us: 20,
    memory_bytes: 64 * 1024,
    table_elements: 1024,
    run_us: 1_000_000,
    wait_ms: u32::MAX,
    calls_per_second: 1_000_000,
    cpu_permille: 1000,
    progress_ms: 0,
    failures: 100,
};

/// Where a guest's image is. The numbers are the ones in the vitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    SlotA = 0,
    SlotB = 1,
    Ram = 2,
}

/// All guests.
pub struct Guests {
    host: Host,
    journal: Journal,
    residents: [Option<Resident>; GUESTS],
}

/// A guest that is there to be run.
struct Resident {
    guest: usize,
    name: &'static str,
    /// Of the image.
    bytes: usize,
    policy: Policy,
    program: Program,
    vitals: &'static GuestVitals,
    /// In a row.
    failures: u32,
    started_us: u64,
    life: Life,
}

enum Life {
    /// Its thread has this in its hands.
    Running(Box<Run>),
    /// It starts at this time, for the first time or again.
    Waiting { start_us: u64 },
    /// It is not started any more.
    Over,
}

/// What a guest's thread works on.
struct Run {
    guest: Guest<Pico2Guest>,
    outcome: Option<Outcome>,
}

/// A guest's thread.
extern "C" fn run(argument: *mut ()) {
    // SAFETY: `Resident::start` passes the Run that it keeps in its box, untouched, until this thread has ended.
    let run = unsafe { &mut *argument.cast::<Run>() };
    run.outcome = Some(run.guest.run());
}

impl Guests {
    /// None yet. The retained `journal` is told of traps.
    ///
    /// # Panics
    /// Wasmtime cannot run here.
    pub fn new(journal: Journal) -> Self {
        let host = match Host::new(PULLEY_STACK_BYTES) {
            Ok(host) => host,
            Err(error) => panic!("engine: {error:#}"),
        };
        Self { host, journal, residents: [const { None }; GUESTS] }
    }

    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Takes the image at the start of `bytes` for `guest`, which has none, and lets it start; false if it cannot be run, which it
    /// says.
    ///
    /// # Safety
    /// The image was verified, and `bytes` stay as they are until [`Self::remove`], or for ever.
    pub unsafe fn load(&mut self, guest: usize, bytes: &'static [u8], place: Place) -> bool {
        VITALS.guests[guest].slot.set(place as u32);
        // SAFETY: this function's own contract.
        match unsafe { Resident::load(&self.host, guest, bytes) } {
            Ok(resident) => self.residents[guest] = Some(resident),
            Err(reason) => {
                refuse(guest, &reason);
                return false;
            }
        }
        self.start_due();
        true
    }

    /// Ends `guest` if it runs, and forgets its image. It takes as long as the longest of the host's functions.
    pub fn remove(&mut self, guest: usize) {
        if self.is_running(guest) {
            kernel::stop(guest);
            while kernel::take_end(guest).is_none() {
                kernel::wait(NEVER, Events::ENDED);
            }
            board::make_safe(guest);
        }
        self.residents[guest] = None;
        VITALS.guests[guest].set_state(GuestState::None);
    }

    fn is_running(&self, guest: usize) -> bool {
        matches!(&self.residents[guest], Some(Resident { life: Life::Running(_), .. }))
    }

    /// Starts every guest whose time has come.
    pub fn start_due(&mut self) {
        for resident in self.residents.iter_mut().flatten() {
            if resident.start_us() <= kernel::now_us() {
                resident.start(&self.host);
            }
        }
    }

    /// When the next guest is to be started.
    pub fn next_start_us(&self) -> u64 {
        self.residents.iter().flatten().map(Resident::start_us).min().unwrap_or(NEVER)
    }

    /// Takes note of guests that have ended. Returns those that are not started any more, because they failed too often or
    /// cannot be started.
    pub fn hear_ends(&mut self) -> Vec<usize> {
        for resident in self.residents.iter_mut().flatten() {
            if let Some(ended) = kernel::take_end(resident.guest) {
                resident.ended(ended, &mut self.journal);
            }
        }
        let given_up = |resident: &&Resident| {
            let state = resident.vitals.state.get();
            matches!(resident.life, Life::Over)
                && (state == GuestState::Stopped as u32 || state == GuestState::Refused as u32)
        };
        self.residents.iter().flatten().filter(given_up).map(|resident| resident.guest).collect()
    }
}

impl Resident {
    /// # Safety
    /// As [`Guests::load`].
    unsafe fn load(host: &Host, guest: usize, bytes: &'static [u8]) -> Result<Self, alloc::string::String> {
        let vitals = &VITALS.guests[guest];
        let began = DWT::cycle_count();
        let image = Image::parse(bytes).map_err(|error| error.to_string())?;
        let policy = image.policy().map_or(Ok(Policy::NONE), Policy::parse).map_err(|error| error.to_string())?;
        let policy = policy.narrow(&HOST_POLICY);
        // SAFETY: the caller keeps the bytes as they are. That Wasmtime made them is what the image's signature says.
        let program = unsafe { host.load_in_place(image.payload().into()) }.map_err(|outcome| match outcome {
            Outcome::Refused(reason) => reason,
            other => other.to_string(),
        })?;
        let text = program.text();
        if text.is_empty()
            || !text.start.is_multiple_of(kernel::GRANULE)
            || text.end > image.payload().as_ptr_range().end.addr()
        {
            return Err("its code is not on a 32-byte boundary: pack it again with this host's tools".into());
        }
        // The host closes whole granules; what the last one holds besides is the image's padding.
        let text = text.start..text.end.next_multiple_of(kernel::GRANULE);
        kernel::set_limits(guest, &Limits { run_us: policy.run_us, cpu_permille: policy.cpu_permille, text });
        vitals.load_cycles.set(DWT::cycle_count().wrapping_sub(began));
        Ok(Self {
            guest,
            name: image.name(),
            bytes: image.bytes(),
            policy,
            program,
            vitals,
            failures: 0,
            started_us: 0,
            life: Life::Waiting { start_us: 0 },
        })
    }

    /// When it is to be started.
    fn start_us(&self) -> u64 {
        match self.life {
            Life::Waiting { start_us } => start_us,
            Life::Running(_) | Life::Over => NEVER,
        }
    }

    fn start(&mut self, host: &Host) {
        let began = DWT::cycle_count();
        self.life = Life::Over;
        let board = match board::claim(self.guest, &self.policy, self.vitals) {
            Ok(board) => board,
            Err(error) => return refuse(self.guest, &error),
        };
        let guest = match host.start(&self.program, self.name, self.policy, board, self.vitals) {
            Ok(guest) => guest,
            Err(Outcome::Refused(reason)) => return refuse(self.guest, &reason),
            Err(other) => return refuse(self.guest, &other),
        };
        let mut run = Box::new(Run { guest, outcome: None });
        let argument = (&raw mut *run).cast();
        self.life = Life::Running(run);
        self.vitals.stack_size.set_size(kernel::STACK_BYTES);
        self.started_us = kernel::now_us();
        self.vitals.start_cycles.set(DWT::cycle_count().wrapping_sub(began));
        // SAFETY: the box keeps the Run where it is, and nobody touches it until the thread has ended.
        unsafe { kernel::spawn(self.guest, self::run, argument) };
        // Its first wake-up is like all later ones: of a core that sleeps, which is a microsecond quicker.
        kernel::wait(kernel::now_us() + FIRST_STEPS_US, Events::NONE);
        if self.failures == 0 {
            report!(info, "slot {}: {}: running, {} bytes", self.guest, self.name, self.bytes);
        }
    }

    /// Its thread has ended: why, and what now.
    fn ended(&mut self, ended: Ended, journal: &mut Journal) {
        let Life::Running(mut run) = mem::replace(&mut self.life, Life::Over) else {
            return;
        };
        let outcome = match ended {
            Ended::Returned => run.outcome.take().unwrap_or(Outcome::Stopped),
            Ended::Running { pc, safe_cycles } => {
                self.vitals.safe_us_max.keep_max(safe_cycles.div_ceil(kernel::CYCLES_PER_US));
                let longest_us = self.policy.run_us;
                let reason = Violation::RanTooLong { longest_us }.of(self.name).to_string();
                let outcome = Outcome::Trapped(Trap { reason, place: self.program.locate(pc) });
                self.vitals.ended(&outcome);
                outcome
            }
        };
        drop(run);
        let (guest, name) = (self.guest, self.name);
        match outcome {
            Outcome::Trapped(trap) => self.failed(&trap, journal),
            other => report!(info, "slot {guest}: {name}: {other}"),
        }
    }

    fn failed(&mut self, trap: &Trap, journal: &mut Journal) {
        let (guest, name) = (self.guest, self.name);
        let ran_us = kernel::run_us(Thread::Guest(guest));
        report!(warn, "slot {guest}: {name}: trapped: {trap}; ran {ran_us} us");
        journal.keep_trap(guest, format_args!("{name}: trapped: {trap}; ran {ran_us} us"));
        let now_us = kernel::now_us();
        if now_us - self.started_us >= GOOD_RUN_US {
            self.failures = 0;
        }
        self.failures += 1;
        if self.failures >= self.policy.failures {
            self.vitals.set_state(GuestState::Stopped);
            report!(warn, "slot {guest}: {name}: stopped after {} failures, its pins are safe", self.failures);
            return;
        }
        let back_off_ms = (FIRST_BACK_OFF_MS << (self.failures - 1).min(20)).min(LONGEST_BACK_OFF_MS);
        self.life = Life::Waiting { start_us: now_us + back_off_ms * 1000 };
        self.vitals.restarts.count();
        report!(
            info,
            "slot {guest}: {name}: restart {} of {} in {back_off_ms} ms",
            self.failures,
            self.policy.failures - 1
        );
    }
}

/// Says why a guest is not run.
pub fn refuse(guest: usize, reason: &dyn core::fmt::Display) {
    VITALS.guests[guest].set_state(GuestState::Refused);
    report!(warn, "slot {guest}: refused: {reason}");
}
