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

/// Updates `stack_peak`. Reads all paint that is left, so not for the way of every host call.
pub fn keep_peak(vitals: &Vitals) {
    let mut word = &raw const _stack_end;
    let end = &raw const _stack_start;
    // SAFETY: the words between these linker symbols are RAM. Those below the stack pointer belong to no object, and
    // the loop ends at the latest at the live part of the stack, where a volatile read harms nobody.
    while word < end && unsafe { word.read_volatile() } == PAINT {
        word = word.wrapping_add(1);
    }
    vitals.stack_peak.set_size(end.addr() - word.addr());
}
