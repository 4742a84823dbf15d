//! The supervisor: the thread that loads the guests, starts them, hears of their ends, reports these, and starts a guest
//! that failed again, later and later, until it has failed too often.
//!
//! It promises that a guest's failures are the other guest's business in no way: it comes behind every guest that does not
//! take the core for itself, and gives back all memory of a guest that has ended. It feeds the watchdog as long as every
//! guest that was told to end does end.

use alloc::boxed::Box;
use alloc::string::ToString;
use core::mem;

use cortex_m::peripheral::DWT;
use sandhill_runtime::{GUESTS, Guest, GuestState, GuestVitals, Host, Outcome, Policy, Program, Trap, Violation};
use sandhill_update::{Error, Image};

use crate::board::console::report;
use crate::board::retained::Journal;
use crate::board::{self, Pico2Guest, watchdog};
use crate::kernel::{self, Ended, Events, Limits, NEVER, Thread};
use crate::vitals::VITALS;
use crate::{slot, vitals};

/// Pulley stack of each guest.
const PULLEY_STACK_BYTES: usize = 2 * 1024;
/// How often the watchdog is fed; it waits for four times as long.
const ROUND_US: u64 = 500_000;
/// A guest that ran this long begins its count of failures anew.
const GOOD_RUN_US: u64 = 10_000_000;
/// The first restart comes after this, each further one after twice the time of the one before.
const FIRST_BACK_OFF_MS: u64 = 100;
const LONGEST_BACK_OFF_MS: u64 = 60_000;
/// A guest that was told to end and runs on for this long, of its own time, has the host's code in an endless loop.
const STUCK_US: u64 = 500_000;

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

/// The supervisor's state.
pub struct Supervisor {
    host: Host,
    journal: Journal,
    slots: [Option<Resident>; GUESTS],
}

/// A guest that is there to be run.
struct Resident {
    slot: usize,
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

impl Supervisor {
    /// # Panics
    /// Wasmtime cannot run here.
    pub fn new(journal: Journal) -> Self {
        let host = match Host::new(PULLEY_STACK_BYTES) {
            Ok(host) => host,
            Err(error) => panic!("engine: {error:#}"),
        };
        Self { host, journal, slots: [const { None }; GUESTS] }
    }

    /// Never returns.
    pub fn run(mut self) -> ! {
        watchdog::start();
        for (number, bytes) in slot::guests().into_iter().enumerate() {
            self.slots[number] = Resident::load(&self.host, number, bytes);
            self.start_due();
        }
        vitals::resets(&self.journal);
        let mut round_us = 0;
        loop {
            self.hear_ends();
            self.start_due();
            if kernel::now_us() >= round_us {
                if (0..GUESTS).all(|slot| kernel::overrun_us(slot) < STUCK_US) {
                    watchdog::feed();
                }
                vitals::update();
                round_us = kernel::now_us() + ROUND_US;
            }
            let start_us = self.slots.iter().flatten().map(Resident::start_us).min().unwrap_or(NEVER);
            kernel::wait(round_us.min(start_us), Events::ENDED);
        }
    }

    fn start_due(&mut self) {
        for resident in self.slots.iter_mut().flatten() {
            if resident.start_us() <= kernel::now_us() {
                resident.start(&self.host);
            }
        }
    }

    fn hear_ends(&mut self) {
        for resident in self.slots.iter_mut().flatten() {
            if let Some(ended) = kernel::take_end(resident.slot) {
                resident.ended(ended, &mut self.journal);
            }
        }
    }
}

impl Resident {
    /// Takes what is in the slot; says so if it cannot be run.
    fn load(host: &Host, slot: usize, bytes: &'static [u8]) -> Option<Self> {
        let vitals = &VITALS.guests[slot];
        let began = DWT::cycle_count();
        let image = match Image::verify(bytes) {
            Ok(image) => image,
            Err(Error::Empty) => {
                report!(info, "slot {slot}: empty");
                return None;
            }
            Err(error) => return refuse(slot, &error),
        };
        let verified = DWT::cycle_count();
        vitals.verify_cycles.set(verified.wrapping_sub(began));
        let policy = match image.policy().map_or(Ok(Policy::NONE), Policy::parse) {
            Ok(policy) => policy.narrow(&HOST_POLICY),
            Err(error) => return refuse(slot, &error),
        };
        // SAFETY: the payload lies in flash, which nothing writes while this firmware runs. That it was made by Wasmtime
        // rests on its hash and on who flashed it, until images are signed.
        let program = match unsafe { host.load_in_place(image.payload().into()) } {
            Ok(program) => program,
            Err(Outcome::Refused(reason)) => return refuse(slot, &reason),
            Err(other) => return refuse(slot, &other),
        };
        let text = program.text();
        if text.is_empty()
            || !text.start.is_multiple_of(kernel::GRANULE)
            || text.end > image.payload().as_ptr_range().end.addr()
        {
            return refuse(slot, &"its code is not on a 32-byte boundary: pack it again with this host's tools");
        }
        // The host closes whole granules; what the last one holds besides is the image's padding.
        let text = text.start..text.end.next_multiple_of(kernel::GRANULE);
        kernel::set_limits(slot, &Limits { run_us: policy.run_us, cpu_permille: policy.cpu_permille, text });
        vitals.load_cycles.set(DWT::cycle_count().wrapping_sub(verified));
        Some(Self {
            slot,
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
        let board = match board::claim(self.slot, &self.policy, self.vitals) {
            Ok(board) => board,
            Err(error) => {
                self.refused(&error);
                return;
            }
        };
        let guest = match host.start(&self.program, self.name, self.policy, board, self.vitals) {
            Ok(guest) => guest,
            Err(Outcome::Refused(reason)) => {
                self.refused(&reason);
                return;
            }
            Err(other) => {
                self.refused(&other);
                return;
            }
        };
        let mut run = Box::new(Run { guest, outcome: None });
        let argument = (&raw mut *run).cast();
        self.life = Life::Running(run);
        self.vitals.stack_size.set_size(kernel::STACK_BYTES);
        self.started_us = kernel::now_us();
        self.vitals.start_cycles.set(DWT::cycle_count().wrapping_sub(began));
        // SAFETY: the box keeps the Run where it is, and nobody touches it until the thread has ended.
        unsafe { kernel::spawn(self.slot, self::run, argument) };
        if self.failures == 0 {
            report!(info, "slot {}: {}: running, {} bytes", self.slot, self.name, self.bytes);
        }
    }

    fn refused(&self, reason: &dyn core::fmt::Display) {
        refuse(self.slot, reason);
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
        let (slot, name) = (self.slot, self.name);
        match outcome {
            Outcome::Trapped(trap) => self.failed(&trap, journal),
            other => report!(info, "slot {slot}: {name}: {other}"),
        }
    }

    fn failed(&mut self, trap: &Trap, journal: &mut Journal) {
        let (slot, name) = (self.slot, self.name);
        let ran_us = kernel::run_us(Thread::Guest(slot));
        report!(warn, "slot {slot}: {name}: trapped: {trap}; ran {ran_us} us");
        journal.keep_trap(slot, format_args!("{name}: trapped: {trap}; ran {ran_us} us"));
        let now_us = kernel::now_us();
        if now_us - self.started_us >= GOOD_RUN_US {
            self.failures = 0;
        }
        self.failures += 1;
        if self.failures >= self.policy.failures {
            self.vitals.set_state(GuestState::Stopped);
            report!(warn, "slot {slot}: {name}: stopped after {} failures, its pins are safe", self.failures);
            return;
        }
        let back_off_ms = (FIRST_BACK_OFF_MS << (self.failures - 1).min(20)).min(LONGEST_BACK_OFF_MS);
        self.life = Life::Waiting { start_us: now_us + back_off_ms * 1000 };
        self.vitals.restarts.count();
        report!(
            info,
            "slot {slot}: {name}: restart {} of {} in {back_off_ms} ms",
            self.failures,
            self.policy.failures - 1
        );
    }
}

/// Says why a slot is not run.
fn refuse(slot: usize, reason: &dyn core::fmt::Display) -> Option<Resident> {
    VITALS.guests[slot].set_state(GuestState::Refused);
    report!(warn, "slot {slot}: refused: {reason}");
    None
}
