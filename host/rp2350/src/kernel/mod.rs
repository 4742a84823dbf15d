//! Three threads on one core: the supervisor on the main stack, and one for each slot's guest on a stack of its own.
//!
//! It promises that of the threads that are ready the one with the shortest run runs, unless it had too much of the core
//! lately, so that nobody who wakes up for a moment stands behind somebody who computes; that a guest cannot run longer between two host calls, or
//! take a larger share, than its limits say; and that the core sleeps when nobody is ready. It knows nothing of pins: what
//! has to happen first when a guest is ended is the function that [`init`] is given.
//!
//! `switch.rs` has the switch itself, `bound.rs` the end of a guest that ran too long, `alarms.rs` the hardware timer.

mod alarms;
mod bound;
mod schedule;
mod switch;

use core::cell::UnsafeCell;
use core::ops::{BitAnd, BitOr, Range};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use cortex_m::asm;

use crate::board::CLK_SYS_HZ;
use cortex_m::peripheral::DWT;

pub use alarms::now_us;
pub use bound::{Ended, GRANULE};
pub use switch::{STACK_BYTES, stack};

use schedule::{Schedule, State};

pub use sandhill_runtime::GUESTS;
/// The supervisor and the guests.
pub const THREADS: usize = 1 + GUESTS;

/// clk_sys, which the cycle counter counts.
pub const CYCLES_PER_US: u32 = CLK_SYS_HZ / 1_000_000;

/// For [`wait`]: no deadline.
pub const NEVER: u64 = u64::MAX;

/// One of the threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thread {
    Supervisor,
    /// The guest of this slot.
    Guest(usize),
}

impl Thread {
    /// From 0 on, below [`THREADS`].
    pub fn index(self) -> usize {
        match self {
            Self::Supervisor => 0,
            Self::Guest(slot) => 1 + slot,
        }
    }
}

/// What a thread can wait for; several at once are a set. An event that nobody waits for is kept until somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events(u32);

impl Events {
    pub const NONE: Self = Self(0);
    /// A pin changed.
    pub const EDGE: Self = Self(1);
    /// A serial port has received something.
    pub const RECEIVED: Self = Self(1 << 1);
    /// A serial port has room again.
    pub const SENT: Self = Self(1 << 2);
    /// For the supervisor: a guest's thread ended.
    pub const ENDED: Self = Self(1 << 3);
    /// A lock was released.
    pub const UNLOCKED: Self = Self(1 << 4);

    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }
}

impl BitOr for Events {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Events {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// What bounds a guest's run time.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest run time between two host calls, in microseconds of the guest's own.
    pub run_us: u32,
    /// Share of the core over 10 ms, in thousandths. From 1000 on the guest is not held back.
    pub cpu_permille: u32,
    /// Addresses of the guest's bytecode, whole blocks of 32 bytes that nothing else reads.
    pub text: Range<usize>,
}

/// Everything the kernel knows; touched with interrupts off only.
struct Kernel(UnsafeCell<Schedule>);

// SAFETY: one core runs, and `with` turns its interrupts off.
unsafe impl Sync for Kernel {}

static KERNEL: Kernel = Kernel(UnsafeCell::new(Schedule::new()));

/// Index of the thread that runs. Written in PendSV only.
static CURRENT: AtomicUsize = AtomicUsize::new(0);
/// Cycle counter minus the running thread's own cycles, modulo 2^32. Written in PendSV only.
static OTHERS_CYCLES: AtomicU32 = AtomicU32::new(0);
/// A thread's own cycles when it last returned from a host call.
static CALL_ENDED: [AtomicU32; THREADS] = [const { AtomicU32::new(0) }; THREADS];

/// Runs `f` on the kernel's state. Not from within another such `f`.
fn with<R>(f: impl FnOnce(&mut Schedule) -> R) -> R {
    // SAFETY: interrupts are off, so nobody else is in here; no `f` in this module calls `with` again.
    critical_section::with(|_| f(unsafe { &mut *KERNEL.0.get() }))
}

/// Starts the kernel; the caller is the supervisor from now on. TIMER0 counts microseconds already; its alarms 0 and 1
/// are the kernel's. `make_safe` makes the pins of a guest safe that is being ended, by interrupt, within microseconds.
pub fn init(make_safe: fn(slot: usize)) {
    with(|kernel| kernel.begin(make_safe, DWT::cycle_count()));
    switch::init();
    bound::init();
    alarms::init();
}

/// The thread that runs, or that the running interrupt came upon.
pub fn current() -> Thread {
    match CURRENT.load(Ordering::Relaxed) {
        0 => Thread::Supervisor,
        index => Thread::Guest((index - 1) % GUESTS),
    }
}

/// Blocks this thread until [`now_us`] is `until_us` or one of `events` has come, and takes those that have: none means
/// that the time has come, or that the guest is to end ([`is_ending`]). For threads only.
pub fn wait(until_us: u64, events: Events) -> Events {
    let index = CURRENT.load(Ordering::Relaxed);
    let taken = with(|kernel| {
        let taken = kernel.take_events(index, events);
        if taken.is_empty() && now_us() < until_us && !kernel.is_condemned() {
            kernel.book(DWT::cycle_count());
            kernel.block(until_us, events);
            switch::request();
            return None;
        }
        Some(taken)
    });
    asm::dsb();
    // The switch happens here, where interrupts are on again, and this thread goes on when it is its turn.
    asm::isb();
    taken.unwrap_or_else(|| with(|kernel| kernel.take_events(index, events)))
}

/// Tells `thread` that `events` came. From a thread or an interrupt.
pub fn signal(thread: Thread, events: Events) {
    with(|kernel| {
        if kernel.signal(thread.index(), events) {
            switch::request();
        }
    });
}

/// A lock is free: those who wait for one try again.
pub fn unlocked() {
    for index in 0..THREADS {
        with(|kernel| {
            if kernel.signal(index, Events::UNLOCKED) {
                switch::request();
            }
        });
    }
}

/// Starts `entry(argument)` on the thread of the guest in `slot`, with empty stack and accounts. The thread ends when
/// `entry` returns or with [`end`]; the supervisor then gets [`Events::ENDED`].
///
/// # Panics
/// The thread has not ended yet.
///
/// # Safety
/// `argument` is what `entry` expects, and stays so until the thread has ended. `entry` may never return: whatever it
/// has on its stack is then not dropped.
pub unsafe fn spawn(slot: usize, entry: extern "C" fn(*mut ()), argument: *mut ()) {
    let index = Thread::Guest(slot).index();
    assert!(with(|kernel| kernel.state(index) == State::Free), "slot {slot}: its thread still runs");
    let context = switch::fresh(slot, entry, argument);
    CALL_ENDED[index].store(0, Ordering::Relaxed);
    with(|kernel| kernel.spawn(index, context));
    switch::request();
}

/// Has the guest in `slot` end, as one that ran too long does: at its next bytecode. What it waits for it gets no more. The
/// supervisor then gets [`Events::ENDED`], unless there was no guest.
pub fn stop(slot: usize) {
    with(|kernel| kernel.stop(Thread::Guest(slot).index()));
    switch::request();
}

/// Whether the running thread's guest is to end: waiting is over at once then.
pub fn is_ending() -> bool {
    with(|kernel| kernel.is_condemned())
}

/// Microseconds until the next deadline of a guest: 0 while one computes. What comes from outside may come at any time.
pub fn quiet_us() -> u64 {
    with(|kernel| kernel.quiet_us(now_us()))
}

/// Bounds the guest in `slot`. Called while its thread does not exist.
pub fn set_limits(slot: usize, limits: &Limits) {
    with(|kernel| kernel.set_limits(Thread::Guest(slot).index(), limits));
}

/// A host call is about to return to the guest: its next `run_us` begins.
#[inline]
pub fn call_ends() {
    CALL_ENDED[CURRENT.load(Ordering::Relaxed) % THREADS].store(cycles(), Ordering::Relaxed);
}

/// clk_sys cycles that the running thread had to itself, modulo 2^32; waiting and other threads do not count. Of
/// interrupts those count that came while it ran.
#[inline]
pub fn cycles() -> u32 {
    loop {
        let others = OTHERS_CYCLES.load(Ordering::Relaxed);
        let now = DWT::cycle_count();
        // Another thread may have run in between.
        if OTHERS_CYCLES.load(Ordering::Relaxed) == others {
            return now.wrapping_sub(others);
        }
    }
}

/// Microseconds that `thread` had to itself since it was spawned.
pub fn run_us(thread: Thread) -> u64 {
    with(|kernel| kernel.run_cycles(thread.index(), DWT::cycle_count())) / u64::from(CYCLES_PER_US)
}

/// Microseconds in which the core was not asleep.
pub fn awake_us() -> u64 {
    with(|kernel| kernel.awake_cycles(DWT::cycle_count())) / u64::from(CYCLES_PER_US)
}

/// How often another thread's turn came.
pub fn switches() -> u32 {
    with(|kernel| kernel.switches)
}

/// Microseconds that the guest in `slot` ran on, by its own time, since it was told to end: 0 if it was not. Host code that it
/// is in comes to its end first, which takes no longer than the longest of the host's functions.
pub fn overrun_us(slot: usize) -> u64 {
    with(|kernel| kernel.overrun_cycles(Thread::Guest(slot).index())) / u64::from(CYCLES_PER_US)
}

/// How the thread of `slot` ended, once: none while it runs or if it was told already.
pub fn take_end(slot: usize) -> Option<Ended> {
    with(|kernel| kernel.take_end(Thread::Guest(slot).index()))
}
