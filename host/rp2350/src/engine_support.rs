//! What Wasmtime asks of a platform without an operating system (`wasmtime-platform.h`): two pointers of storage for each
//! thread, and locks that threads wait for.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::kernel::{self, Events, NEVER, THREADS};

/// The running thread's. Slot 0 is the running guest's activation, slot 1 is for asynchronous components.
static SLOTS: [AtomicPtr<u8>; 2] = [AtomicPtr::new(null_mut()), AtomicPtr::new(null_mut())];

/// The kernel changes over: `before` gets what the thread that stops has here, and `next` what the other one left.
pub fn exchange_tls(before: &mut [*mut u8; 2], next: [*mut u8; 2]) {
    for ((slot, before), next) in SLOTS.iter().zip(before).zip(next) {
        *before = slot.load(Ordering::Relaxed);
        slot.store(next, Ordering::Relaxed);
    }
}

/// A thread's own cycles when Wasmtime first asked for its storage after it had set it, or 0. It sets it on the way into a
/// guest, and asks for it on the way out of a trap, but in no call to the host.
static TRAPPED_AT: [AtomicU32; THREADS] = [const { AtomicU32::new(0) }; THREADS];

/// This thread's own cycles ([`kernel::cycles`]) when its guest trapped, if it has by an instruction of its own.
pub fn trapped_at() -> Option<u32> {
    let at = TRAPPED_AT[kernel::current().index()].load(Ordering::Relaxed);
    (at != 0).then_some(at)
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_get(slot: usize) -> *mut u8 {
    let trapped_at = &TRAPPED_AT[kernel::current().index()];
    if trapped_at.load(Ordering::Relaxed) == 0 {
        trapped_at.store(kernel::cycles().max(1), Ordering::Relaxed);
    }
    SLOTS[slot].load(Ordering::Relaxed)
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_set(slot: usize, value: *mut u8) {
    // Wasmtime keeps a mark of its own in the lowest bit.
    if value.addr() > 1 {
        TRAPPED_AT[kernel::current().index()].store(0, Ordering::Relaxed);
    }
    SLOTS[slot].store(value, Ordering::Relaxed);
}

/// A lock is one word: how many read under it, or that somebody writes.
const WRITER: usize = usize::MAX;

/// Waits until `take` gives the lock a new value.
///
/// # Safety
/// `lock` is a word of Wasmtime's that only the functions here touch.
unsafe fn acquire(lock: *mut usize, take: fn(usize) -> Option<usize>) {
    loop {
        let taken = critical_section::with(|_| {
            // SAFETY: by this function's contract; interrupts are off, so no other thread is in here.
            unsafe { take(*lock).map(|value| *lock = value) }.is_some()
        });
        if taken {
            return;
        }
        kernel::wait(NEVER, Events::UNLOCKED);
    }
}

/// # Safety
/// As [`acquire`], and this thread holds the lock.
unsafe fn release(lock: *mut usize, give: fn(usize) -> usize) {
    let free = critical_section::with(|_| {
        // SAFETY: as in `acquire`.
        unsafe {
            *lock = give(*lock);
            *lock == 0
        }
    });
    if free {
        kernel::unlocked();
    }
}

// Wasmtime hands over a word that is 0 at first, and pairs the calls as their names say: that is the contract of `acquire` and
// `release`.

#[unsafe(no_mangle)]
unsafe extern "C" fn wasmtime_sync_lock_acquire(lock: *mut usize) {
    // SAFETY: Wasmtime's own contract, above.
    unsafe { acquire(lock, |now| (now == 0).then_some(WRITER)) };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn wasmtime_sync_lock_release(lock: *mut usize) {
    // SAFETY: Wasmtime's own contract, above.
    unsafe { release(lock, |_| 0) };
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_lock_free(_: *mut usize) {}

#[unsafe(no_mangle)]
unsafe extern "C" fn wasmtime_sync_rwlock_read(lock: *mut usize) {
    // SAFETY: Wasmtime's own contract, above.
    unsafe { acquire(lock, |now| (now != WRITER).then(|| now + 1)) };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn wasmtime_sync_rwlock_read_release(lock: *mut usize) {
    // SAFETY: Wasmtime's own contract, above.
    unsafe { release(lock, |now| now - 1) };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn wasmtime_sync_rwlock_write(lock: *mut usize) {
    // SAFETY: Wasmtime's own contract, above.
    unsafe { wasmtime_sync_lock_acquire(lock) };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn wasmtime_sync_rwlock_write_release(lock: *mut usize) {
    // SAFETY: Wasmtime's own contract, above.
    unsafe { wasmtime_sync_lock_release(lock) };
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_rwlock_free(_: *mut usize) {}
