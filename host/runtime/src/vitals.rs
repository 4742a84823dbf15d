//! Figures that a host keeps about itself and its guest, for a debug probe to read from RAM.
//!
//! The list below is the only place that knows the layout: it makes the struct and the text that describes it.

use core::sync::atomic::{AtomicU32, Ordering};

/// First word of [`Vitals`]: "VIT1".
const MAGIC: u32 = 0x5649_5431;

macro_rules! vitals {
    ($($(#[doc = $doc:literal])+ $name:ident: $unit:literal,)*) => {
        /// The figures, one word each. Written by the host's one thread, read by the probe at any time.
        #[repr(C)]
        pub struct Vitals {
            magic: AtomicU32,
            $($(#[doc = $doc])+ pub $name: Figure,)*
        }

        impl Vitals {
            /// All zero.
            #[must_use]
            pub const fn new() -> Self {
                Self { magic: AtomicU32::new(MAGIC), $($name: Figure::new(),)* }
            }
        }

        /// One line a word of [`Vitals`], in its order: name, unit, description. A firmware puts it into its section `.vitals`.
        pub const VITALS_TEXT: &str = concat!(
            "magic - always 0x56495431\n",
            $(stringify!($name), " ", $unit, $($doc,)+ "\n",)*
        );
    };
}

vitals! {
    /// reserved for the heap
    heap_size: "bytes",
    /// most that was allocated at once, with the allocator's own overhead
    heap_peak: "bytes",
    /// reserved for the native stack
    stack_size: "bytes",
    /// deepest use of the native stack so far
    stack_peak: "bytes",
    /// .data, .bss and .uninit without the heap
    static_ram: "bytes",
    /// the guest's linear memories
    guest_memory: "bytes",
    /// the guest's call stack
    pulley_stack: "bytes",
    /// from reset to the call of the guest's run
    boot_to_run_cycles: "cycles",
    /// from reset to the guest's first change of a pin, modulo 2^32
    boot_to_first_edge_cycles: "cycles",
    /// calls from the guest to the host
    host_calls: "calls",
    /// shortest from one host function's return to the end of the next one, without sleep
    call_cycles_min: "cycles",
    /// the last such time
    call_cycles_last: "cycles",
    /// the longest such time
    call_cycles_max: "cycles",
    /// most that a delay ended after its deadline
    delay_late_us_max: "us",
    /// guests that ended in a trap
    traps: "traps",
    /// 0 none, 1 running, 2 returned, 3 trapped, 4 refused
    guest_state: "state",
}

impl Default for Vitals {
    fn default() -> Self {
        Self::new()
    }
}

/// What the guest is doing, as `guest_state` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestState {
    None = 0,
    Running = 1,
    Returned = 2,
    Trapped = 3,
    Refused = 4,
}

/// One figure: written by one thread, so a plain load and store is enough.
#[repr(transparent)]
pub struct Figure(AtomicU32);

impl Figure {
    const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    #[must_use]
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, value: u32) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Sizes fit: no board of ours has 4 GiB; a larger one shows the largest figure.
    pub fn set_size(&self, bytes: usize) {
        self.set(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    pub fn count(&self) {
        self.set(self.get().wrapping_add(1));
    }

    pub fn keep_max(&self, value: u32) {
        if value > self.get() {
            self.set(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_one_line_a_word() {
        assert_eq!(VITALS_TEXT.lines().count() * 4, size_of::<Vitals>());
        for line in VITALS_TEXT.lines() {
            let words = line.split(' ').collect::<alloc::vec::Vec<_>>();
            assert!(words.len() >= 3 && words.iter().all(|word| !word.is_empty()), "{line:?}");
        }
    }

    #[test]
    fn the_text_is_in_memory_order() {
        let place = VITALS_TEXT.lines().position(|line| line.starts_with("guest_state "));
        assert_eq!(place, Some(core::mem::offset_of!(Vitals, guest_state) / 4));
    }
}
