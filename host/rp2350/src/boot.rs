//! The first instructions: what has to happen before memory is set up.

use core::arch::global_asm;

use rp235x_hal::block::ImageDef;

use crate::board::clocks;

/// Tells the boot ROM that this flash holds a secure-mode Arm program (RP2350 datasheet, 5.9.3).
#[unsafe(link_section = ".start_block")]
#[used]
pub static IMAGE_DEF: ImageDef = ImageDef::secure_exe();

// Called by cortex-m-rt's reset handler before it clears .bss, with an empty stack: plain assembly, because Rust code
// may not run yet. It starts the cycle counter (DEMCR.TRCENA, then DWT_CTRL.CYCCNTENA; Armv8-M reference manual,
// D1.2.66 and D1.2.60), so that cycle figures count from reset; starts the crystal, which takes a while (`board/clocks.rs`);
// and paints the stack (`stack.rs`).
global_asm!(
    ".section .text.__pre_init, \"ax\"",
    ".global __pre_init",
    ".type __pre_init,%function",
    ".thumb_func",
    "__pre_init:",
    "ldr r0, =0xE000EDFC",
    "ldr r1, [r0]",
    "orr r1, r1, #0x01000000",
    "str r1, [r0]",
    "ldr r0, =0xE0001000",
    "movs r1, #0",
    "str r1, [r0, #4]",
    "ldr r1, [r0]",
    "orr r1, r1, #1",
    "str r1, [r0]",
    "ldr r0, ={xosc}",
    "ldr r1, ={xosc_startup}",
    "str r1, [r0, #0x0c]",
    "ldr r1, ={xosc_ctrl}",
    "str r1, [r0]",
    "ldr r0, =_stack_end",
    "ldr r1, =_stack_start",
    "b paint_stack",
    ".size __pre_init, . - __pre_init",
    xosc = const clocks::XOSC_BASE,
    xosc_startup = const clocks::XOSC_STARTUP,
    xosc_ctrl = const clocks::XOSC_CTRL,
);

// Paints from r0 up to r1, 16 bytes a turn (`stack::paint`); without a stack of its own, as it may be the one that is painted.
global_asm!(
    ".section .text.paint_stack, \"ax\"",
    ".global paint_stack",
    ".type paint_stack,%function",
    ".thumb_func",
    "paint_stack:",
    "ldr r2, ={paint}",
    "mov r3, r2",
    "0:",
    "strd r2, r3, [r0], #8",
    "strd r2, r3, [r0], #8",
    "cmp r0, r1",
    "blo 0b",
    "bx lr",
    ".size paint_stack, . - paint_stack",
    paint = const crate::stack::PAINT,
);
