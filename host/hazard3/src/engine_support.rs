//! What Wasmtime asks of a platform without an operating system (`wasmtime-platform.h`): two pointers of storage for the
//! one thread there is.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

/// Slot 0 is the running guest's activation, slot 1 is for asynchronous components.
static SLOTS: [AtomicPtr<u8>; 2] = [const { AtomicPtr::new(null_mut()) }; 2];

#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_get(slot: usize) -> *mut u8 {
    SLOTS[slot].load(Ordering::Relaxed)
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_set(slot: usize, value: *mut u8) {
    SLOTS[slot].store(value, Ordering::Relaxed);
}
