//! Figures that a host keeps about itself and its guests, for a debug probe to read from RAM while they run.
//!
//! The lists below are the only place that knows the layout: they make the structs and the text that describes them.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::Outcome;

/// First word of [`Vitals`]: "VIT2".
const MAGIC: u32 = 0x5649_5432;

/// Guests that a host can run at once: one a slot.
pub const GUESTS: usize = 2;

macro_rules! figures {
    ($(#[doc = $about:literal])+ $name:ident, $text:ident; $($(#[doc = $doc:literal])+ $field:ident: $unit:literal,)*) => {
        $(#[doc = $about])+
        #[repr(C)]
        pub struct $name { $($(#[doc = $doc])+ pub $field: Figure,)* }

        impl $name {
            /// All zero.
            #[must_use]
            pub const fn new() -> Self {
                Self { $($field: Figure::new(),)* }
            }

            /// Names of the figures, each with a line's end, in their order.
            const NAMES: &'static str = concat!($(stringify!($field), "\n",)*);

            /// Calls `each` with the name and the value of every figure, in order.
            pub fn each(&self, each: &mut dyn FnMut(&str, u32)) {
                // SAFETY: the struct is `repr(C)` and has figures only, as many as there are names.
                let figures = unsafe {
                    core::slice::from_raw_parts(core::ptr::from_ref(self).cast::<Figure>(), size_of::<Self>() / 4)
                };
                for (name, figure) in Self::NAMES.lines().zip(figures) {
                    each(name, figure.get());
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        /// The lines of these figures, each with a prefix before its name.
        macro_rules! $text {
            ($prefix:literal) => { concat!($($prefix, stringify!($field), " ", $unit, $($doc,)+ "\n",)*) };
        }
    };
}

figures! {
    /// Figures of the host itself. A word each, written by one thread at a time.
    HostVitals, host_text;
    /// reserved for the heap
    heap_size: "bytes",
    /// most that was allocated at once, with the allocator's own overhead
    heap_peak: "bytes",
    /// allocated now
    heap_used: "bytes",
    /// reserved for the main stack
    stack_size: "bytes",
    /// deepest use of the main stack so far
    stack_peak: "bytes",
    /// .data, .bss and .uninit without heap and stacks
    static_ram: "bytes",
    /// from reset to main, modulo 2^32
    boot_to_main_cycles: "cycles",
    /// from reset to the console's first line, modulo 2^32
    boot_to_console_cycles: "cycles",
    /// time since the host started, modulo 2^32
    uptime_ms: "ms",
    /// time that the core was not asleep, modulo 2^32
    awake_us: "us",
    /// switches between threads, modulo 2^32
    switches: "switches",
    /// resets since power-on
    resets: "resets",
    /// resets by the watchdog since power-on
    watchdog_resets: "resets",
    /// sectors of flash erased since reset
    flash_erases: "sectors",
    /// pages of flash programmed since reset
    flash_programs: "pages",
    /// longest that writing flash stopped everything else
    flash_longest_us: "us",
    /// requests of the update protocol since reset
    smp_requests: "requests",
    /// those of them that were refused
    smp_errors: "requests",
}

figures! {
    /// Figures of one guest, in the sense of the slot it lives in: a guest that is started again goes on counting.
    GuestVitals, guest_text;
    /// 0 none, 1 running, 2 returned, 3 trapped and waiting for its restart, 4 refused, 5 stopped after too many failures
    state: "state",
    /// the guest's linear memories
    memory: "bytes",
    /// the guest's call stack in the interpreter
    pulley_stack: "bytes",
    /// reserved for the native stack of the guest's thread
    stack_size: "bytes",
    /// deepest use of that stack so far
    stack_peak: "bytes",
    /// to check the image's hash and signature
    verify_cycles: "cycles",
    /// to take the image where it lies
    load_cycles: "cycles",
    /// from there to the call of run
    start_cycles: "cycles",
    /// from reset to the guest's first change of a pin, modulo 2^32
    boot_to_first_edge_cycles: "cycles",
    /// calls from the guest to the host, modulo 2^32
    host_calls: "calls",
    /// shortest from one host function's return to the next one's return, without waiting: what a host call costs
    call_cycles_min: "cycles",
    /// the last such time
    call_cycles_last: "cycles",
    /// the longest such time
    call_cycles_max: "cycles",
    /// most that a delay ended after its deadline
    delay_late_us_max: "us",
    /// CPU time used, modulo 2^32
    run_us: "us",
    /// ends in a trap
    traps: "traps",
    /// starts after a trap
    restarts: "restarts",
    /// longest from a trap to the pins being safe
    safe_us_max: "us",
    /// where its image is: 0 slot A, 1 slot B, 2 RAM
    slot: "slot",
    /// whether the next reset brings back the image before, unless this one is confirmed
    on_trial: "0|1",
}

/// All figures, one word each, as a probe finds them.
#[repr(C)]
pub struct Vitals {
    magic: AtomicU32,
    /// Of the host.
    pub host: HostVitals,
    /// Of the guest in slot 0 and of the one in slot 1.
    pub guests: [GuestVitals; GUESTS],
}

/// One line a word of [`Vitals`], in its order: name, unit, description. A firmware puts it into its section `.vitals`.
pub const VITALS_TEXT: &str =
    concat!("magic - always 0x56495432\n", host_text!(""), guest_text!("guest0_"), guest_text!("guest1_"));

impl Vitals {
    /// All zero.
    #[must_use]
    pub const fn new() -> Self {
        Self { magic: AtomicU32::new(MAGIC), host: HostVitals::new(), guests: [const { GuestVitals::new() }; GUESTS] }
    }
}

impl Default for Vitals {
    fn default() -> Self {
        Self::new()
    }
}

impl GuestVitals {
    /// Sets `state`, which has one writer at a time: the guest's thread, or who ended it.
    pub fn set_state(&self, state: GuestState) {
        self.state.set(state as u32);
    }

    /// Keeps an end: its state and, if it was a trap, the count of traps. The runtime does so for every [`Outcome`] it
    /// returns; a host does so for a guest that it ended from outside.
    pub fn ended(&self, outcome: &Outcome) {
        self.set_state(match outcome {
            Outcome::Refused(_) => GuestState::Refused,
            Outcome::Trapped(_) => {
                self.traps.count();
                GuestState::Trapped
            }
            Outcome::Returned => GuestState::Returned,
            Outcome::Stopped => GuestState::None,
        });
    }
}

/// What a guest is doing, as `state` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestState {
    /// There is no guest.
    None = 0,
    /// Its `run` was called and has not ended.
    Running = 1,
    /// Its `run` returned.
    Returned = 2,
    /// It trapped, and waits for its restart.
    Trapped = 3,
    /// It could not be started.
    Refused = 4,
    /// It failed too often in a row, and is not started again.
    Stopped = 5,
}

/// One figure: written by one thread at a time, so a plain load and store is enough.
#[repr(transparent)]
pub struct Figure(AtomicU32);

impl Figure {
    const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// The figure as it is now.
    #[must_use]
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Replaces it.
    pub fn set(&self, value: u32) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Sizes fit: no board of ours has 4 GiB; a larger one shows the largest figure.
    pub fn set_size(&self, bytes: usize) {
        self.set(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// One more, modulo 2^32.
    pub fn count(&self) {
        self.set(self.get().wrapping_add(1));
    }

    /// Replaces it by a larger one.
    pub fn keep_max(&self, value: u32) {
        if value > self.get() {
            self.set(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;

    #[test]
    fn the_text_has_one_line_a_word() {
        assert_eq!(VITALS_TEXT.lines().count() * 4, size_of::<Vitals>());
        for line in VITALS_TEXT.lines() {
            let words = line.split(' ').collect::<alloc::vec::Vec<_>>();
            assert!(words.len() >= 3 && words.iter().all(|word| !word.is_empty()), "{line:?}");
        }
    }

    #[test]
    fn every_figure_is_told_by_its_name() {
        let vitals = HostVitals::new();
        vitals.heap_size.set(1);
        vitals.smp_errors.set(2);
        let mut told = alloc::vec::Vec::new();
        vitals.each(&mut |name, value| told.push((alloc::string::String::from(name), value)));
        assert_eq!(told.len() * 4, size_of::<HostVitals>());
        assert_eq!(told.first(), Some(&("heap_size".into(), 1)));
        assert_eq!(told.last(), Some(&("smp_errors".into(), 2)));
    }

    #[test]
    fn the_text_is_in_memory_order() {
        let word = |name: &str| VITALS_TEXT.lines().position(|line| line.split(' ').next() == Some(name));
        let guest = offset_of!(Vitals, guests) / 4;
        assert_eq!(word("magic"), Some(0));
        assert_eq!(word("heap_size"), Some(offset_of!(Vitals, host.heap_size) / 4));
        assert_eq!(word("smp_errors"), Some(guest - 1));
        assert_eq!(word("guest0_state"), Some(guest));
        assert_eq!(word("guest0_traps"), Some(guest + offset_of!(GuestVitals, traps) / 4));
        assert_eq!(word("guest1_traps"), Some(guest + (size_of::<GuestVitals>() + offset_of!(GuestVitals, traps)) / 4));
    }
}
