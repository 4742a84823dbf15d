//! What this firmware knows of itself, for a probe to read at any time (`docs/src/reference/memory.md`, "Vitals").

use sandhill_runtime::{VITALS_TEXT, Vitals};

use crate::kernel::{self, GUESTS, Thread};
use crate::stack::{self, Watermark};
use crate::{board, heap};

/// A probe finds it by the symbol's name.
#[unsafe(no_mangle)]
pub static VITALS: Vitals = Vitals::new();

/// What the words of [`VITALS`] mean. Lies in the ELF file only.
#[used]
#[unsafe(link_section = ".vitals")]
static VITALS_SECTION: [u8; VITALS_TEXT.len()] = {
    let mut text = [0; VITALS_TEXT.len()];
    text.copy_from_slice(VITALS_TEXT.as_bytes());
    text
};

static MAIN_STACK: Watermark = Watermark::new();
static GUEST_STACKS: [Watermark; GUESTS] = [const { Watermark::new() }; GUESTS];

/// Figures that stay.
pub fn start() {
    let (bottom, end) = stack::main();
    VITALS.host.stack_size.set_size(end.addr() - bottom.addr());
    VITALS.host.heap_size.set_size(heap::SIZE);
    VITALS.host.static_ram.set_size(static_ram());
}

/// Figures of resets.
pub fn resets(journal: &board::retained::Journal) {
    VITALS.host.resets.set(journal.boots().wrapping_sub(1));
    VITALS.host.watchdog_resets.set(journal.watchdog_resets());
}

/// Everything that changes by itself. Quick enough to be done every second without counting as work.
pub fn update() {
    VITALS.host.stack_peak.set_size(MAIN_STACK.look(stack::main()));
    VITALS.host.heap_peak.set_size(heap::peak());
    VITALS.host.heap_used.set_size(heap::used());
    VITALS.host.uptime_ms.set((kernel::now_us() / 1000) as u32);
    VITALS.host.awake_us.set(kernel::awake_us() as u32);
    VITALS.host.switches.set(kernel::switches());
    for (slot, guest) in VITALS.guests.iter().enumerate().filter(|(_, guest)| guest.stack_size.get() != 0) {
        guest.stack_peak.set_size(GUEST_STACKS[slot].look(kernel::stack(slot)));
        guest.run_us.set(kernel::run_us(Thread::Guest(slot)) as u32);
    }
}

/// Bytes of RAM that are taken whatever happens: everything but heap and stacks, which have figures of their own.
fn static_ram() -> usize {
    unsafe extern "C" {
        static _ram_start: u8;
        static __euninit: u8;
    }
    (&raw const __euninit).addr() - (&raw const _ram_start).addr() - heap::SIZE - GUESTS * kernel::STACK_BYTES
}
