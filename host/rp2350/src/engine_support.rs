//! What Wasmtime asks of a platform without an operating system: two pointers of thread-local storage.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

/// There is one thread, so these are plain statics. Slot 0 is the running guest's activation, slot 1 is for
/// asynchronous components (`wasmtime-platform.h`, `wasmtime_tls_get`).
static SLOTS: [AtomicPtr<u8>; 2] = [AtomicPtr::new(null_mut()), AtomicPtr::new(null_mut())];

#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_get(slot: usize) -> *mut u8 {
    SLOTS[slot].load(Ordering::Relaxed)
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_set(slot: usize, value: *mut u8) {
    SLOTS[slot].store(value, Ordering::Relaxed);
}
