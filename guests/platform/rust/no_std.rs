//! What the standard library would bring: what happens on a panic, and a heap. Here both end the guest with a trap,
//! which the host reports.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::unreachable;
use core::panic::PanicInfo;

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    unreachable()
}

/// The generated bindings name an allocator even where, as in these worlds, nothing is ever allocated.
struct NoHeap;

// SAFETY: no memory is ever handed out.
unsafe impl GlobalAlloc for NoHeap {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        unreachable()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {
        unreachable()
    }
}

#[global_allocator]
static NO_HEAP: NoHeap = NoHeap;
