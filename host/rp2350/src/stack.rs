//! How deep a native stack has been: it is painted at first (the main stack in `boot.rs`), and what has lost its paint was
//! used.

use core::sync::atomic::{AtomicUsize, Ordering};

/// An address that is no code, no RAM and no small number.
pub const PAINT: u32 = 0xA5C3_5A3C;

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
}

/// The main stack: bottom and end.
pub fn main() -> (*const u32, *const u32) {
    (&raw const _stack_end, &raw const _stack_start)
}

/// Paints a stack from `bottom` up to `end`, in a quarter of the instructions that a loop made for size takes.
///
/// # Safety
/// It is nobody's yet, and both are aligned to 16 bytes.
pub unsafe fn paint(bottom: *mut u32, end: *mut u32) {
    unsafe extern "C" {
        /// In `boot.rs`.
        fn paint_stack(bottom: *mut u32, end: *mut u32);
    }
    // SAFETY: this function's own contract.
    unsafe { paint_stack(bottom, end) };
}

/// The deepest use of one stack, known so far.
pub struct Watermark(AtomicUsize);

impl Watermark {
    pub const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Bytes of the painted stack from `bottom` up to `end` that were ever used.
    ///
    /// It first looks at the paint just below the deepest use known so far, which is quick. Only if that is gone, or
    /// nothing is known yet, it reads all that is left. So a later, deeper use is missed while it leaves 128 bytes
    /// there untouched.
    pub fn look(&self, (bottom, end): (*const u32, *const u32)) -> usize {
        const NEAR_WORDS: usize = 32;
        let known = self.0.load(Ordering::Relaxed);
        let deepest = end.wrapping_byte_sub(known);
        let near = deepest.wrapping_sub(NEAR_WORDS);
        if known == 0 || near < bottom || first_use(near, deepest) < deepest {
            self.0.store(end.addr() - first_use(bottom, end).addr(), Ordering::Relaxed);
        }
        self.0.load(Ordering::Relaxed)
    }
}

/// The first word without paint from `from` up to `to`.
fn first_use(from: *const u32, to: *const u32) -> *const u32 {
    let mut word = from;
    // SAFETY: the callers stay within a stack, which is RAM. Words below the stack pointer belong to no object; a volatile
    // read of one that does belong to an object harms nobody.
    while word < to && unsafe { word.read_volatile() } == PAINT {
        word = word.wrapping_add(1);
    }
    word
}
