//! The flash that belongs to guests.

unsafe extern "C" {
    static __guest_slot0_start: u8;
    static __guest_slot0_end: u8;
}

/// The bytes of slot 0.
pub fn guest() -> &'static [u8] {
    let start = &raw const __guest_slot0_start;
    let length = (&raw const __guest_slot0_end).addr() - start.addr();
    // SAFETY: the linker script reserves this range of flash, which is mapped for reading and which this firmware
    // never writes.
    unsafe { core::slice::from_raw_parts(start, length) }
}
