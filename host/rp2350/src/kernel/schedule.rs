//! Whose turn it is: the state of every thread and the rule that picks one. No hardware here but the words of time it is
//! given: microseconds of the timer and cycles of clk_sys, modulo 2^32.

use super::bound::Ended;
use super::switch::Context;
use super::{CALL_ENDED, CYCLES_PER_US, Events, Limits, NEVER, THREADS};
use core::ops::Range;
use core::ptr::null_mut;
use core::sync::atomic::Ordering;

/// The use of the core that counts is halved every 2^13 us.
const HALF_LIFE_SHIFT: u32 = 13;
/// Who used more than this lately, a quarter of the core, comes behind everybody who did not.
const HOG: u32 = 4000 * CYCLES_PER_US;
/// Runs longer than this are all the same.
const LONG_RUN: u32 = 2000 * CYCLES_PER_US;
/// What a run of a new guest is expected to take, before there is experience.
const FIRST_RUN: u32 = 100 * CYCLES_PER_US;
/// The supervisor's runs count this much longer: a guest that blinks is never behind it.
const SUPERVISOR_STANDS_BACK: u32 = 100 * CYCLES_PER_US;
/// How far a thread gets ahead of the next one before they change over: a share of its claim, but not less than this.
const AHEAD_SHARE: u32 = 16;
const AHEAD_LEAST: u32 = 2 * CYCLES_PER_US;
/// The longest turn while somebody else is ready.
const LONGEST_TURN: u32 = 1000 * CYCLES_PER_US;
/// A guest's share of the core is counted over this.
const WINDOW_US: u64 = 10_000;
/// No limit of run time is longer, so that every figure in cycles fits 32 bits twice.
const LONGEST_RUN_US: u32 = 10_000_000;

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// There is none.
    Free,
    Ready,
    /// Until its deadline or an event it waits for.
    Waiting,
    /// Ready, but its share is used up until the deadline.
    HeldBack,
    /// Over; the supervisor was not told yet.
    Ended(Ended),
}

struct Thread {
    state: State,
    deadline_us: u64,
    waits_for: u32,
    /// Events that nobody has taken yet.
    events: u32,
    /// Cycles lately.
    used: u32,
    /// Cycles since it last waited, and what to expect of that by the runs before.
    run: u32,
    expected_run: u32,
    /// Cycles of its own since it was spawned.
    cycles: u64,
    /// Order in which threads got ready: the smaller, the longer ago.
    ready_since: u32,
    /// Cycles between two host calls.
    longest_run: u32,
    /// Cycles in a window if they are bounded, and what is left of them in the window that began at `window_us`.
    share: Option<u32>,
    window_us: u64,
    left: u32,
    text: Range<usize>,
    /// Cycles of its own when it was condemned.
    condemned_at: Option<u64>,
    tls: [*mut u8; 2],
    context: Context,
}

impl Thread {
    const fn new() -> Self {
        Self {
            state: State::Free,
            deadline_us: NEVER,
            waits_for: 0,
            events: 0,
            used: 0,
            run: 0,
            expected_run: 0,
            cycles: 0,
            ready_since: 0,
            longest_run: u32::MAX,
            share: None,
            window_us: 0,
            left: 0,
            text: 0..0,
            condemned_at: None,
            tls: [null_mut(); 2],
            context: Context::new(),
        }
    }
}

pub(super) struct Schedule {
    threads: [Thread; THREADS],
    current: usize,
    /// Cycle counter up to which everything is booked.
    booked: u32,
    /// Cycles booked altogether, without sleep.
    awake: u64,
    /// Half-lives since the start of the timer, modulo 2^32.
    half_lives: u32,
    order: u32,
    /// Least claim of those that are ready but the one that runs.
    next_claim: u32,
    /// What the alarm of deadlines is set to.
    alarm_us: u64,
    pub(super) switches: u32,
    pub(super) make_safe: fn(usize),
}

impl Schedule {
    pub(super) const fn new() -> Self {
        Self {
            threads: [const { Thread::new() }; THREADS],
            current: 0,
            booked: 0,
            awake: 0,
            half_lives: 0,
            order: 0,
            next_claim: u32::MAX,
            alarm_us: NEVER,
            switches: 0,
            make_safe: |_| {},
        }
    }

    /// The thread that called [`super::init`] runs.
    pub(super) fn begin(&mut self, make_safe: fn(usize), now: u32) {
        self.make_safe = make_safe;
        // What boot took counts as awake, and as the supervisor's.
        self.awake = now.into();
        self.threads[0].cycles = now.into();
        self.booked = now;
        self.threads[0].state = State::Ready;
    }

    pub(super) fn state(&self, index: usize) -> State {
        self.threads[index].state
    }

    pub(super) fn context(&mut self, index: usize) -> *mut Context {
        &raw mut self.threads[index].context
    }

    pub(super) fn take_events(&mut self, index: usize, events: Events) -> Events {
        let thread = &mut self.threads[index];
        let taken = thread.events & events.0;
        thread.events &= !taken;
        Events(taken)
    }

    /// The running thread waits from now on. Everything is booked.
    pub(super) fn block(&mut self, deadline_us: u64, events: Events) {
        let thread = &mut self.threads[self.current];
        thread.expected_run = (thread.expected_run + thread.run) / 2;
        thread.run = 0;
        thread.state = State::Waiting;
        thread.deadline_us = deadline_us;
        thread.waits_for = events.0;
    }

    /// Keeps `events` for the thread; true if it got ready by that.
    pub(super) fn signal(&mut self, index: usize, events: Events) -> bool {
        let thread = &mut self.threads[index];
        if matches!(thread.state, State::Free | State::Ended(_)) {
            return false;
        }
        thread.events |= events.0;
        let wakes = thread.state == State::Waiting && thread.events & thread.waits_for != 0;
        if wakes {
            self.make_ready(index);
        }
        wakes
    }

    fn make_ready(&mut self, index: usize) {
        let thread = &mut self.threads[index];
        thread.state = State::Ready;
        thread.deadline_us = NEVER;
        thread.ready_since = self.order;
        self.order = self.order.wrapping_add(1);
    }

    /// The alarm of deadlines has fired: wakes whoever's has come.
    pub(super) fn wake_due(&mut self, now_us: u64) {
        self.alarm_us = NEVER;
        for index in 0..THREADS {
            if self.threads[index].deadline_us <= now_us {
                self.make_ready(index);
            }
        }
    }

    /// Has `set` follow the next deadline of all.
    pub(super) fn follow_deadline(&mut self, set: impl FnOnce(u64)) {
        let next_us = self.threads.iter().map(|thread| thread.deadline_us).min().unwrap_or(NEVER);
        if next_us != self.alarm_us {
            self.alarm_us = next_us;
            set(next_us);
        }
    }

    pub(super) fn set_limits(&mut self, index: usize, limits: &Limits) {
        let thread = &mut self.threads[index];
        thread.longest_run = limits.run_us.min(LONGEST_RUN_US) * CYCLES_PER_US;
        let share = limits.cpu_permille * (WINDOW_US as u32 * CYCLES_PER_US / 1000);
        thread.share = (limits.cpu_permille < 1000).then_some(share);
        thread.text = limits.text.clone();
    }

    pub(super) fn spawn(&mut self, index: usize, context: Context) {
        let thread = &mut self.threads[index];
        thread.context = context;
        thread.events = 0;
        thread.cycles = 0;
        thread.run = 0;
        thread.expected_run = FIRST_RUN;
        thread.window_us = 0;
        thread.left = thread.share.unwrap_or(0);
        thread.condemned_at = None;
        thread.tls = [null_mut(); 2];
        self.make_ready(index);
    }

    /// The running guest is to end.
    pub(super) fn condemn(&mut self) {
        let thread = &mut self.threads[self.current];
        thread.condemned_at = Some(thread.cycles);
    }

    /// The guest of this thread is to end, wherever it is: one that waits is woken, and ends on its way back.
    pub(super) fn stop(&mut self, index: usize) {
        let thread = &mut self.threads[index];
        if matches!(thread.state, State::Free | State::Ended(_)) || thread.condemned_at.is_some() {
            return;
        }
        thread.condemned_at = Some(thread.cycles);
        if thread.state != State::Ready {
            self.make_ready(index);
        }
    }

    /// Whether the running thread is to end, so that it must not wait any more.
    pub(super) fn is_condemned(&self) -> bool {
        self.threads[self.current].condemned_at.is_some()
    }

    /// Microseconds until a guest has something to do, as far as that is known: 0 if one has now.
    pub(super) fn quiet_us(&self, now_us: u64) -> u64 {
        let guests = self.threads.iter().skip(1);
        let quiet = |thread: &Thread| match thread.state {
            State::Free | State::Ended(_) => NEVER,
            State::Ready => 0,
            State::Waiting | State::HeldBack => thread.deadline_us.saturating_sub(now_us),
        };
        guests.map(quiet).min().unwrap_or(NEVER)
    }

    /// What is closed to the thread if it is condemned.
    pub(super) fn condemned_text(&self, index: usize) -> Option<Range<usize>> {
        let thread = &self.threads[index];
        thread.condemned_at.is_some().then(|| thread.text.clone())
    }

    pub(super) fn overrun_cycles(&self, index: usize) -> u64 {
        let thread = &self.threads[index];
        match thread.state {
            State::Free | State::Ended(_) => 0,
            _ => thread.condemned_at.map_or(0, |at| thread.cycles - at),
        }
    }

    pub(super) fn finish(&mut self, index: usize, ended: Ended) {
        let thread = &mut self.threads[index];
        thread.state = State::Ended(ended);
        thread.deadline_us = NEVER;
        self.signal(0, Events::ENDED);
    }

    pub(super) fn take_end(&mut self, index: usize) -> Option<Ended> {
        let State::Ended(ended) = self.threads[index].state else {
            return None;
        };
        self.threads[index].state = State::Free;
        Some(ended)
    }

    /// Books the cycles up to `now` to the thread that runs.
    pub(super) fn book(&mut self, now: u32) {
        let spent = now.wrapping_sub(self.booked);
        self.booked = now;
        self.awake += u64::from(spent);
        let thread = &mut self.threads[self.current];
        thread.cycles += u64::from(spent);
        thread.used = thread.used.saturating_add(spent);
        thread.run = thread.run.saturating_add(spent).min(LONG_RUN);
        thread.left = thread.left.saturating_sub(spent);
    }

    /// Books the cycles up to `now` to nobody.
    pub(super) fn book_unowned(&mut self, now: u32) {
        self.awake += u64::from(now.wrapping_sub(self.booked));
        self.booked = now;
    }

    /// The cycles up to `now`, if the counter counted, were sleep.
    pub(super) fn skip(&mut self, now: u32) {
        self.booked = now;
    }

    /// Cycle counter minus the running thread's own cycles.
    pub(super) fn others_cycles(&self) -> u32 {
        self.booked.wrapping_sub(self.threads[self.current].cycles as u32)
    }

    pub(super) fn tls(&mut self, index: usize) -> &mut [*mut u8; 2] {
        &mut self.threads[index].tls
    }

    pub(super) fn run_cycles(&mut self, index: usize, now: u32) -> u64 {
        self.book(now);
        self.threads[index].cycles
    }

    pub(super) fn awake_cycles(&mut self, now: u32) -> u64 {
        self.book(now);
        self.awake
    }

    /// Cycles that the running thread has left of its run between two host calls: none left, 0.
    pub(super) fn run_left(&self) -> u32 {
        let thread = &self.threads[self.current];
        let run = (thread.cycles as u32).wrapping_sub(CALL_ENDED[self.current].load(Ordering::Relaxed));
        thread.longest_run.saturating_sub(run)
    }

    /// Chooses who runs; none if nobody is ready. Everything up to now is booked.
    pub(super) fn choose(&mut self, now_us: u64) -> Option<usize> {
        self.forget(now_us);
        let mut best: Option<(u32, u32, usize)> = None;
        self.next_claim = u32::MAX;
        for index in 0..THREADS {
            if self.threads[index].state != State::Ready || self.hold_back(index, now_us) {
                continue;
            }
            let candidate = (self.claim(index), self.threads[index].ready_since.wrapping_sub(self.order), index);
            let behind = match best {
                Some(other) if other < candidate => candidate.0,
                other => {
                    best = Some(candidate);
                    other.map_or(u32::MAX, |other| other.0)
                }
            };
            self.next_claim = self.next_claim.min(behind);
        }
        let (_, _, index) = best?;
        if index != self.current {
            self.switches = self.switches.wrapping_add(1);
            self.current = index;
        }
        Some(index)
    }

    /// The less, the sooner is its turn: how long its run takes, as far as that is known or to be expected. So who wakes up
    /// for a moment comes before who runs on and on, even one that has only begun. It is no way to get more of the core.
    fn claim(&self, index: usize) -> u32 {
        let thread = &self.threads[index];
        let run = if index == 0 { thread.run + SUPERVISOR_STANDS_BACK } else { thread.run.max(thread.expected_run) };
        run + if thread.used > HOG { thread.used } else { 0 }
    }

    /// Cycles after which the choice has to be looked at again.
    pub(super) fn look_again(&self) -> Option<u32> {
        let thread = &self.threads[self.current];
        let turn = (self.next_claim != u32::MAX).then(|| {
            // Of a run that is shorter than expected the claim stays for now.
            let claim = if thread.used > HOG { self.claim(self.current) } else { thread.run };
            let ahead = (self.next_claim / AHEAD_SHARE).max(AHEAD_LEAST);
            (self.next_claim.saturating_sub(claim) + ahead).min(LONGEST_TURN)
        });
        let run = (self.is_bounded() && thread.condemned_at.is_none()).then(|| self.run_left());
        let share = thread.share.map(|_| thread.left);
        [turn, run, share].into_iter().flatten().min()
    }

    /// Whether the running thread is a guest.
    pub(super) fn is_bounded(&self) -> bool {
        self.current != 0
    }

    /// Halves everybody's use once a half-life.
    fn forget(&mut self, now_us: u64) {
        let half_lives = (now_us >> HALF_LIFE_SHIFT) as u32;
        let passed = half_lives.wrapping_sub(self.half_lives);
        if passed > 0 {
            self.half_lives = half_lives;
            for thread in &mut self.threads {
                thread.used = thread.used.checked_shr(passed).unwrap_or(0);
            }
        }
    }

    /// Whether the share of this thread, which is ready, is used up; it then sleeps until the window ends.
    fn hold_back(&mut self, index: usize, now_us: u64) -> bool {
        let thread = &mut self.threads[index];
        let Some(share) = thread.share else {
            return false;
        };
        if now_us - thread.window_us >= WINDOW_US {
            thread.window_us = now_us;
            thread.left = share;
        }
        let held_back = thread.left == 0;
        if held_back {
            thread.state = State::HeldBack;
            thread.deadline_us = thread.window_us + WINDOW_US;
        }
        held_back
    }

    pub(super) fn current(&self) -> usize {
        self.current
    }
}
