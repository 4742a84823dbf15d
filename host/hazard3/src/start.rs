//! From the boot ROM to `main`, and what the linker script knows.

use core::arch::global_asm;

// The boot ROM enters at the first word of flash, on hart 0 with interrupts off; the other hart stays in the ROM. Rust
// code may not run before memory is set up. A trap stops the core: there is nobody to tell.
//
// The block tells the boot ROM that this flash holds a RISC-V program for the RP2350 (RP2350 datasheet, 5.9.5.2): it
// begins and ends with a marker and holds one item, the image type.
global_asm!(
    ".section .start, \"ax\"",
    ".global _start",
    "_start:",
    "la sp, _stack_start",
    "la t0, 3f",
    "csrw mtvec, t0",
    "la t0, _sdata",
    "la t1, _edata",
    "la t2, _sidata",
    "0: bgeu t0, t1, 1f",
    "lw t3, 0(t2)",
    "sw t3, 0(t0)",
    "addi t0, t0, 4",
    "addi t2, t2, 4",
    "j 0b",
    "1: la t0, _sbss",
    "la t1, _ebss",
    "2: bgeu t0, t1, 4f",
    "sw zero, 0(t0)",
    "addi t0, t0, 4",
    "j 2b",
    "4: call main",
    // mtvec's two lowest bits are its mode.
    ".balign 4",
    "3: wfi",
    "j 3b",
    ".section .start_block, \"a\"",
    ".word 0xffffded3, 0x11010142, 0x000001ff, 0x00000000, 0xab123579",
);

unsafe extern "C" {
    static __guest_slot0_start: u8;
    static __guest_slot0_end: u8;
}

/// The bytes of slot 0.
pub fn slot() -> &'static [u8] {
    let start = &raw const __guest_slot0_start;
    let length = (&raw const __guest_slot0_end).addr() - start.addr();
    // SAFETY: the linker script reserves this range of flash, which is mapped for reading and which this firmware
    // never writes.
    unsafe { core::slice::from_raw_parts(start, length) }
}
