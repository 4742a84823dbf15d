//! The flash that belongs to guests.

use crate::kernel::GUESTS;

unsafe extern "C" {
    static __guest_slot0_start: u8;
    static __guest_slot0_end: u8;
    static __guest_slot1_start: u8;
    static __guest_slot1_end: u8;
}

/// The bytes of each slot.
pub fn guests() -> [&'static [u8]; GUESTS] {
    let slice = |start: *const u8, end: *const u8| {
        // SAFETY: the linker script reserves these ranges of flash, which are mapped for reading and which this firmware
        // never writes.
        unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) }
    };
    [
        slice(&raw const __guest_slot0_start, &raw const __guest_slot0_end),
        slice(&raw const __guest_slot1_start, &raw const __guest_slot1_end),
    ]
}
