//! How deep the native stack has been: it is painted at boot (`boot.rs`), and what has lost its paint was used.

use sandhill_runtime::Vitals;

/// An address that is no code, no RAM and no small number.
pub const PAINT: u32 = 0xA5C3_5A3C;

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Bytes reserved for the stack.
pub fn size() -> usize {
    (&raw const _stack_start).addr() - (&raw const _stack_end).addr()
}

/// Updates `stack_peak`, at any time.
///
/// It first looks at the paint just below the deepest use known so far, which is quick. Only if that is gone, or nothing
/// is known yet, it reads all that is left. So a later, deeper use is missed while it leaves 128 bytes there untouched.
pub fn keep_peak(vitals: &Vitals) {
    const NEAR_WORDS: usize = 32;
    let end = &raw const _stack_start;
    let deepest = end.wrapping_byte_sub(vitals.stack_peak.get() as usize);
    let near = deepest.wrapping_sub(NEAR_WORDS);
    let bottom = &raw const _stack_end;
    if vitals.stack_peak.get() == 0 || near < bottom || first_use(near, deepest) < deepest {
        vitals.stack_peak.set_size(end.addr() - first_use(bottom, end).addr());
    }
}

/// The first word without paint from `from` up to `to`.
fn first_use(from: *const u32, to: *const u32) -> *const u32 {
    let mut word = from;
    // SAFETY: the callers stay between the two linker symbols, which is RAM. Words below the stack pointer belong to no
    // object; a volatile read of one that does belong to an object harms nobody.
    while word < to && unsafe { word.read_volatile() } == PAINT {
        word = word.wrapping_add(1);
    }
    word
}
