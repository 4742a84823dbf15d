//! How deep a native stack has been: it is painted at first (the main stack in `boot.rs`), and what has lost its paint was
//! used.

/// An address that is no code, no RAM and no small number.
pub const PAINT: u32 = 0xA5C3_5A3C;

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Bytes reserved for the main stack.
pub fn size() -> usize {
    (&raw const _stack_start).addr() - (&raw const _stack_end).addr()
}

/// Bytes of the main stack that were ever used.
pub fn peak() -> usize {
    used(&raw const _stack_end, &raw const _stack_start)
}

/// Updates `stack_peak`.
pub fn keep_peak(vitals: &sandhill_runtime::Vitals) {
    vitals.stack_peak.set_size(peak());
}

/// Bytes of the painted stack from `bottom` up to `end` that were ever used.
pub fn used(bottom: *const u32, end: *const u32) -> usize {
    let mut word = bottom;
    // SAFETY: the callers stay within a stack, which is RAM. Words below the stack pointer belong to no object; a volatile
    // read of one that does belong to an object harms nobody.
    while word < end && unsafe { word.read_volatile() } == PAINT {
        word = word.wrapping_add(1);
    }
    end.addr() - word.addr()
}
