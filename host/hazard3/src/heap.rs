//! The heap behind `alloc`.

use core::mem::MaybeUninit;

use embedded_alloc::LlffHeap;
use sandhill_runtime::HostVitals;

/// Enough for a guest with 16 KiB of memory and what Wasmtime needs itself.
pub const SIZE: usize = 48 * 1024;

/// Not cleared at boot.
#[unsafe(link_section = ".uninit.heap")]
static mut MEMORY: [MaybeUninit<u8>; SIZE] = [MaybeUninit::uninit(); SIZE];

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

/// Makes allocation possible. Called once, first thing in `main`.
pub fn init() {
    // SAFETY: called once, and nobody else names MEMORY.
    unsafe { HEAP.init((&raw mut MEMORY).addr(), SIZE) };
}

/// Keeps what is in use now.
pub fn keep_used(vitals: &HostVitals) {
    vitals.heap_used.set_size(HEAP.used());
}
