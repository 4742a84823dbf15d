//! The heap behind `alloc`, and how much of it was ever needed.

use core::alloc::{GlobalAlloc, Layout};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering};

use embedded_alloc::LlffHeap;
/// Enough for two guests with 64 KiB each, while one of them moves because it grows, and for what Wasmtime keeps itself.
/// What a guest can ask for is bounded by its policy, so this is never used up by one.
pub const SIZE: usize = 256 * 1024;

/// Not cleared at boot: that would take longer than starting a guest.
#[unsafe(link_section = ".uninit.heap")]
static mut MEMORY: [MaybeUninit<u8>; SIZE] = [MaybeUninit::uninit(); SIZE];

#[global_allocator]
static HEAP: Measured = Measured { inner: LlffHeap::empty(), used: AtomicUsize::new(0), peak: AtomicUsize::new(0) };

/// The library's allocator, with its high-water mark: it keeps no such figure itself.
struct Measured {
    inner: LlffHeap,
    used: AtomicUsize,
    peak: AtomicUsize,
}

impl Measured {
    /// What a block really takes: the list allocator rounds up to its own node of two words.
    fn cost(layout: Layout) -> usize {
        const NODE: usize = 2 * size_of::<usize>();
        layout.size().max(NODE).next_multiple_of(size_of::<usize>())
    }
}

// SAFETY: every request goes unchanged to an allocator that keeps the contract; the counters are beside it.
unsafe impl GlobalAlloc for Measured {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // The inner allocator's own section nests in this one, so that no other thread comes between it and the counters.
        critical_section::with(|_| {
            // SAFETY: the caller's contract is the inner allocator's.
            let block = unsafe { self.inner.alloc(layout) };
            if !block.is_null() {
                let used = self.used.load(Ordering::Relaxed) + Self::cost(layout);
                self.used.store(used, Ordering::Relaxed);
                if used > self.peak.load(Ordering::Relaxed) {
                    self.peak.store(used, Ordering::Relaxed);
                }
            }
            block
        })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        critical_section::with(|_| {
            // SAFETY: the caller's contract is the inner allocator's.
            unsafe { self.inner.dealloc(block, layout) };
            self.used.store(self.used.load(Ordering::Relaxed) - Self::cost(layout), Ordering::Relaxed);
        });
    }
}

/// Makes allocation possible. Called once, first thing in `main`.
pub fn init() {
    // SAFETY: called once, and nobody else names MEMORY.
    unsafe { HEAP.inner.init((&raw mut MEMORY).addr(), SIZE) };
}

/// Bytes that are allocated, with the allocator's own overhead.
pub fn used() -> usize {
    HEAP.used.load(Ordering::Relaxed)
}

/// Most that was allocated at once.
pub fn peak() -> usize {
    HEAP.peak.load(Ordering::Relaxed)
}
