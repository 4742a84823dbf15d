//! Entry, return, priorities, tail-chaining, lazy floating-point state.

use super::*;

#[test]
fn supervisor_call_stacks_and_returns() {
    // movs r0, #1; svc #0; movs r1, #2
    let mut m = Machine::new(&[0x2001, 0xdf00, 0x2102]);
    // mrs r4, ipsr; bx lr
    m.handler(11, &[0xf3ef, 0x8405, BX_LR]);
    m.set(12, 0xcc).set(14, 0xee).steps(3);
    assert_eq!((m.r(15), m.ipsr()), (handler_at(11), 11));
    assert_eq!(m.r(14), 0xffff_fff9);
    assert_eq!(m.r(13), STACK - 0x20);
    let frame: Vec<u32> = (0..8).map(|word| m.read(STACK - 0x20 + 4 * word)).collect();
    assert_eq!(frame[..6], [1, 0, 0, 0, 0xcc, 0xee]);
    assert_eq!(frame[6..], [CODE + 4, 0x0100_0000]);
    m.steps(3);
    assert_eq!((m.r(15), m.ipsr(), m.r(13), m.r(4)), (CODE + 6, 0, STACK, 11));
    assert_eq!((m.r(0), m.r(1), m.r(14)), (1, 2, 0xee));
}

#[test]
fn frame_is_aligned_to_eight_bytes() {
    let mut m = Machine::new(&[0xdf00, NOP]);
    m.set(13, STACK - 4).steps(2);
    assert_eq!(m.r(13), STACK - 8 - 0x20);
    assert_eq!(m.read(m.r(13) + 0x1c) >> 9 & 1, 1);
    m.steps(1);
    assert_eq!(m.r(13), STACK - 4);
}

#[test]
fn thread_on_process_stack_returns_to_it() {
    // msr psp, r0; msr control, r1; svc #0; nop
    let mut m = Machine::new(&[0xf380, 0x8809, 0xf381, 0x8814, 0xdf00, NOP]);
    m.set(0, DATA).set(1, 2).steps(4);
    assert_eq!((m.r(14), m.r(13)), (0xffff_fffd, STACK));
    assert_eq!(m.core.debug_reg(18), Some(DATA - 0x20));
    m.steps(1);
    assert_eq!((m.r(13), m.core.debug_reg(17), m.r(15)), (DATA, Some(STACK), CODE + 10));
}

#[test]
fn more_urgent_interrupt_preempts_and_less_urgent_waits() {
    let mut m = Machine::new(&[NOP, NOP, NOP, NOP]);
    m.handler(16 + 5, &[NOP, NOP, BX_LR]);
    m.enable(5, 0x40);
    m.enable(6, 0x20);
    m.enable(7, 0x40);
    m.core.set_irq(5, true);
    m.steps(2);
    assert_eq!(m.ipsr(), 21);
    m.core.set_irq(7, true);
    m.steps(1);
    assert_eq!(m.ipsr(), 21);
    m.core.set_irq(6, true);
    m.steps(1);
    assert_eq!((m.ipsr(), m.r(14)), (22, 0xffff_fff1));
    // Both nested contexts are active, and 7 is still waiting.
    assert_eq!(m.read(0xe000_e300), 1 << 5 | 1 << 6);
    assert_eq!(m.read(0xe000_e200), 1 << 7);
    m.core.set_irq(5, false);
    m.core.set_irq(6, false);
    m.core.set_irq(7, false);
    m.steps(1);
    assert_eq!(m.ipsr(), 21);
    // The end of 5 tail-chains to 7: no instruction of the thread between.
    let sp = m.r(13);
    m.steps(1);
    assert_eq!((m.ipsr(), m.r(13), m.r(14)), (23, sp, 0xffff_fff9));
    m.steps(1);
    assert_eq!((m.ipsr(), m.r(13)), (0, STACK));
}

#[test]
fn level_still_high_at_return_pends_again() {
    let mut m = Machine::new(&[NOP; 8]);
    m.enable(40, 0);
    m.core.set_irq(40, true);
    m.steps(1);
    assert_eq!((m.ipsr(), m.read(0xe000_e204)), (56, 0));
    m.steps(1);
    assert_eq!(m.ipsr(), 56, "tail-chains to itself");
    m.core.set_irq(40, false);
    m.steps(1);
    assert_eq!(m.ipsr(), 0);
}

#[test]
fn pulse_stays_pending_until_cleared() {
    let mut m = Machine::new(&[NOP; 8]);
    m.core.set_irq(3, true);
    m.core.set_irq(3, false);
    assert_eq!(m.read(0xe000_e200), 8);
    m.write(0xe000_e280, 8);
    assert_eq!(m.read(0xe000_e200), 0);
    // A line that is still high cannot be cleared.
    m.core.set_irq(3, true);
    m.write(0xe000_e280, 8);
    assert_eq!(m.read(0xe000_e200), 8);
}

#[test]
fn equal_priorities_go_by_number_and_groups_do_not_preempt() {
    let mut m = Machine::new(&[NOP; 8]);
    // PRIGROUP 5: two group bits; 0x40 and 0x60 are one group.
    m.write(AIRCR, 0x05fa_0500);
    m.enable(9, 0x60);
    m.enable(10, 0x40);
    m.enable(11, 0x40);
    m.core.set_irq(9, true);
    m.steps(1);
    m.core.set_irq(9, false);
    m.core.set_irq(11, true);
    m.core.set_irq(10, true);
    assert_eq!(m.ipsr(), 25);
    m.steps(1);
    assert_eq!(m.ipsr(), 26, "subpriority decides over order, number over ties; neither preempted");
}

#[test]
fn basepri_primask_faultmask() {
    // cpsid i; cpsie i; msr basepri, r0; msr basepri_max, r1; msr basepri_max, r2; cpsid f; cpsie f
    let mut m = Machine::new(&[0xb672, 0xb662, 0xf380, 0x8811, 0xf381, 0x8812, 0xf382, 0x8812, 0xb671, 0xb661, NOP]);
    m.enable(0, 0x80);
    m.set(0, 0x80).set(1, 0xc0).set(2, 0x70).steps(1);
    m.core.set_irq(0, true);
    m.steps(2);
    assert_eq!(m.ipsr(), 16, "taken after CPSIE, before the next instruction");
    m.core.set_irq(0, false);
    m.steps(2);
    m.core.set_irq(0, true);
    m.steps(1);
    assert_eq!((m.ipsr(), m.core.debug_reg(20)), (0, Some(0x8000)), "BASEPRI masks; BASEPRI_MAX only lowers");
    m.steps(2);
    assert_eq!(m.core.debug_reg(20), Some(0x1_7000));
    // FAULTMASK holds back even priority 0.
    m.write(SHPR1 + 8, 0);
    m.write(ICSR, 1 << 28);
    m.steps(1);
    assert_eq!((m.ipsr(), m.r(15)), (0, CODE + 20), "PendSV waits for CPSIE f");
    m.steps(1);
    assert_eq!(m.ipsr(), 14);
}

#[test]
fn nmi_passes_faultmask() {
    let mut m = Machine::new(&[0xb671, NOP]);
    m.steps(1);
    m.write(ICSR, 1 << 31);
    m.steps(1);
    assert_eq!(m.ipsr(), 2);
    m.steps(1);
    assert_eq!((m.ipsr(), m.core.debug_reg(20)), (0, Some(0x1_0000)), "NMI leaves FAULTMASK");
}

#[test]
fn byte_priorities_keep_four_bits() {
    let mut m = Machine::new(&[NOP]);
    m.write(0xe000_e400, 0xffff_ffff);
    assert_eq!(m.read(0xe000_e400), 0xf0f0_f0f0);
    m.core.ppb_write(0xe000_e401, Size::Byte, 0x3f).unwrap();
    assert_eq!(m.core.ppb_read(0xe000_e401, Size::Byte), Ok(0x30));
    assert_eq!(m.read(0xe000_e400), 0xf0f0_30f0);
    m.write(SHPR1, 0xffff_ffff);
    assert_eq!(m.read(SHPR1), 0xf0f0_f0f0);
}

#[test]
fn it_block_survives_an_interrupt() {
    // cmp r0, r0; itte eq; moveq r0, #1; moveq r1, #2; movne r2, #3
    let mut m = Machine::new(&[0x4280, 0xbf06, 0x2001, 0x2102, 0x2203]);
    // A handler that changes the flags: cmp r0, #9; bx lr
    m.handler(16, &[0x2809, BX_LR]);
    m.enable(0, 0);
    m.steps(3);
    m.core.set_irq(0, true);
    m.steps(1);
    m.core.set_irq(0, false);
    assert_eq!(m.read(m.r(13) + 0x1c) & 0x0600_fc00, it_bits(0x0c));
    m.steps(2);
    assert_eq!(m.ipsr(), 0);
    m.steps(2);
    assert_eq!((m.r(0), m.r(1), m.r(2), m.r(15)), (1, 2, 0, CODE + 10));
}

/// ITSTATE as xPSR shows it.
fn it_bits(it: u32) -> u32 {
    (it & 3) << 25 | (it >> 2) << 10
}

#[test]
fn conditional_svc_returns_behind_itself() {
    // movs r0, #1; itt ne; addne r0, #1; svcne #1; movs r1, #5
    let mut m = Machine::new(&[0x2001, 0xbf1c, 0x3001, 0xdf01, 0x2105]);
    m.steps(7);
    assert_eq!((m.ipsr(), m.r(0), m.r(1)), (0, 2, 5));
}

#[test]
fn floating_point_frame_is_saved_lazily() {
    // vmov s0, r0; svc #0; vmov r2, s0
    let mut m = Machine::new(&[0xee00, 0x0a10, 0xdf00, 0xee10, 0x2a10]);
    // vmov s0, r1; bx lr
    m.handler(11, &[0xee00, 0x1a10, BX_LR]);
    m.write(CPACR, 0xf << 20);
    m.set(0, 0x1234).set(1, 0x5678).steps(1);
    assert_eq!(m.core.debug_reg(20).unwrap() >> 24, 0b1100, "FPCA and SFPA");
    m.steps(2);
    assert_eq!((m.r(13), m.r(14)), (STACK - 0x68, 0xffff_ffe9));
    assert_eq!(m.read(FPCCR) & 1, 1);
    assert_eq!(m.read(0xe000_ef38), STACK - 0x48);
    assert_eq!(m.read(STACK - 0x48), 0, "not written yet");
    m.steps(1);
    assert_eq!(m.read(FPCCR) & 1, 0);
    assert_eq!(m.read(STACK - 0x48), 0x1234);
    m.steps(2);
    assert_eq!((m.r(13), m.r(2)), (STACK, 0x1234), "the thread's s0 is back");
}

#[test]
fn untouched_floating_point_state_is_never_written() {
    let mut m = Machine::new(&[0xee00, 0x0a10, 0xdf00, 0xee10, 0x2a10]);
    m.write(CPACR, 0xf << 20);
    m.set(0, 0x1234).steps(5);
    assert_eq!((m.r(13), m.r(2)), (STACK, 0x1234));
    assert_eq!(m.read(STACK - 0x48), 0);
    assert_eq!(m.read(FPCCR) & 1, 0);
}

#[test]
fn without_lazy_saving_the_frame_is_written_at_once() {
    let mut m = Machine::new(&[0xee00, 0x0a10, 0xdf00, NOP]);
    m.write(CPACR, 0xf << 20);
    m.write(FPCCR, 1 << 31);
    m.set(0, 0x1234).steps(3);
    assert_eq!(m.read(STACK - 0x48), 0x1234);
    assert_eq!(m.read(FPCCR) & 1, 0);
}

#[test]
fn forged_return_is_refused() {
    // Thread mode on PSP is asked for from Handler mode: Handler | SPSEL.
    let mut m = Machine::new(&[0xdf00, NOP]);
    m.write(SHCSR, 1 << 18);
    m.steps(2).set(14, 0xffff_fff5).steps(1);
    assert_eq!((m.ipsr(), m.read(CFSR)), (6, 1 << 18));
    assert_eq!(m.r(14), 0xffff_fff5);
}

#[test]
fn return_to_the_wrong_mode_is_refused() {
    let mut m = Machine::new(&[0xdf00, NOP]);
    m.write(SHCSR, 1 << 18);
    m.steps(2);
    // The frame says Handler mode, EXC_RETURN says Thread mode.
    m.write(STACK - 4, 0x0100_000b);
    m.steps(1);
    assert_eq!((m.ipsr(), m.read(CFSR)), (6, 1 << 18));
}

#[test]
fn sleep_on_exit() {
    let mut m = Machine::new(&[NOP; 8]);
    m.enable(0, 0);
    m.write(SCR, 2);
    m.core.set_irq(0, true);
    m.steps(1);
    m.core.set_irq(0, false);
    m.steps(1);
    assert_eq!(m.core.state(), CoreState::Sleeping);
    m.core.set_irq(0, true);
    m.steps(1);
    assert_eq!((m.core.state(), m.ipsr()), (CoreState::Running, 16));
}

#[test]
fn software_trigger_and_active_bits() {
    let mut m = Machine::new(&[NOP; 4]);
    m.enable(51, 0x10);
    m.write(0xe000_ef00, 51);
    assert_eq!(m.read(ICSR) >> 12 & 0x1ff, 67);
    m.steps(1);
    assert_eq!((m.ipsr(), m.read(ICSR) & 0xfff), (67, 67 | 1 << 11));
    assert_eq!(Nvic::lines(1 << 67, 1), 1 << 19);
    // Lines that do not exist stay zero.
    m.write(0xe000_e104, u32::MAX);
    assert_eq!(m.read(0xe000_e104), 0xf_ffff);
}
