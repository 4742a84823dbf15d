//! SysTick, the cycle counter, WFI, WFE and events.

use super::*;

const CSR: u32 = 0xe000_e010;
const RVR: u32 = 0xe000_e014;
const CVR: u32 = 0xe000_e018;

#[test]
fn systick_counts_reload_plus_one() {
    let mut m = Machine::new(&[NOP; 64]);
    m.write(RVR, 9);
    m.write(CVR, 0);
    m.write(CSR, 7);
    m.steps(9);
    assert_eq!((m.read(CVR), m.ipsr()), (1, 0));
    m.steps(1);
    assert_eq!((m.read(CVR), m.ipsr()), (0, 15));
    assert_eq!(m.read(CSR), 0x1_0007);
    assert_eq!(m.read(CSR), 7, "COUNTFLAG clears when read");
}

#[test]
fn systick_periods_do_not_drift() {
    // b .; each SysTick handler counts in r4: adds r4, #1; bx lr
    let mut m = Machine::new(&[0xe7fe]);
    m.handler(15, &[0x3401, BX_LR]);
    m.write(RVR, 99);
    m.write(CVR, 0);
    m.write(CSR, 7);
    m.steps(10_050);
    assert_eq!(m.r(4), 100);
}

#[test]
fn sleep_skips_to_systick() {
    let mut m = Machine::new(&[WFI, NOP]);
    m.write(RVR, 999);
    m.write(CVR, 0);
    m.write(CSR, 7);
    m.steps(1);
    assert_eq!(m.core.state(), CoreState::Sleeping);
    assert_eq!(m.core.ticks_to_wake(), Some(999));
    m.core.sleep(998);
    assert_eq!((m.core.state(), m.core.ticks_to_wake()), (CoreState::Sleeping, Some(1)));
    m.core.sleep(1);
    assert_eq!(m.core.state(), CoreState::Running);
    m.steps(1);
    assert_eq!(m.ipsr(), 15);
    assert_eq!(m.read(STACK - 8), CODE + 2);
}

#[test]
fn systick_without_interrupt_wakes_nothing() {
    let mut m = Machine::new(&[WFI]);
    m.write(RVR, 9);
    m.write(CSR, 5);
    m.steps(1);
    assert_eq!(m.core.ticks_to_wake(), None);
    m.core.sleep(1_000_000);
    assert_eq!((m.core.state(), m.read(CSR) >> 16), (CoreState::Sleeping, 1));
}

#[test]
fn systick_on_the_external_reference() {
    let mut m = Machine::new(&[NOP; 400]);
    m.core.set_systick_reference(Some(12));
    m.write(RVR, 4);
    m.write(CVR, 0);
    m.write(CSR, 3);
    m.steps(59);
    assert_eq!(m.ipsr(), 0);
    m.steps(1);
    assert_eq!(m.ipsr(), 15);
    m.core.set_systick_reference(None);
    let value = m.read(CVR);
    m.steps(50);
    assert_eq!(m.read(CVR), value);
}

#[test]
fn cycle_counter_counts_while_awake() {
    // nop; nop; wfi; nop; nop
    let mut m = Machine::new(&[NOP, NOP, WFI, NOP, NOP]);
    m.write(0xe000_1004, 100);
    m.write(0xe000_1000, 1);
    m.steps(1);
    assert_eq!(m.read(0xe000_1004), 100, "needs DEMCR.TRCENA");
    m.write(DEMCR, 1 << 24);
    m.steps(2);
    m.core.sleep(5000);
    assert_eq!(m.read(0xe000_1004), 102);
    m.enable(1, 0);
    m.write(SCR, 0);
    m.core.set_irq(1, true);
    m.core.set_irq(1, false);
    m.steps(3);
    assert_eq!(m.read(0xe000_1004), 105, "one cycle an exception entry, one an instruction");
    assert_eq!(m.core.instructions(), 5);
    m.write(0xe000_1000, 0);
    m.steps(1);
    assert_eq!(m.read(0xe000_1004), 105);
}

#[test]
fn wfi_wakes_on_a_masked_interrupt() {
    // cpsid i; wfi; movs r0, #1; cpsie i
    let mut m = Machine::new(&[0xb672, WFI, 0x2001, 0xb662, NOP]);
    m.enable(2, 0);
    m.steps(2);
    assert_eq!(m.core.state(), CoreState::Sleeping);
    m.core.set_irq(2, true);
    assert_eq!(m.core.state(), CoreState::Running);
    m.steps(1);
    assert_eq!((m.r(0), m.ipsr()), (1, 0));
    m.steps(2);
    assert_eq!(m.ipsr(), 18);
}

#[test]
fn wfi_does_not_wake_for_a_disabled_or_less_urgent_one() {
    // msr basepri, r0; wfi
    let mut m = Machine::new(&[0xf380, 0x8811, WFI, NOP]);
    m.enable(2, 0x80);
    m.set(0, 0x80).steps(2);
    m.core.set_irq(2, true);
    m.core.set_irq(3, true);
    m.core.event();
    assert_eq!(m.core.state(), CoreState::Sleeping);
    m.enable(2, 0x40);
    assert_eq!(m.core.state(), CoreState::Running);
}

#[test]
fn wfe_uses_an_event_up() {
    let mut m = Machine::new(&[WFE, WFE, NOP]);
    m.core.event();
    m.steps(1);
    assert_eq!((m.core.state(), m.r(15)), (CoreState::Running, CODE + 2));
    m.steps(1);
    assert_eq!(m.core.state(), CoreState::Sleeping);
    m.steps(3);
    assert_eq!((m.core.state(), m.r(15)), (CoreState::Sleeping, CODE + 4));
    m.core.event();
    assert_eq!(m.core.state(), CoreState::Running);
}

#[test]
fn sev_reaches_both_cores() {
    // sev; wfe
    let mut m = Machine::new(&[0xbf40, WFE, NOP]);
    m.steps(2);
    assert_eq!((m.ram.events, m.core.state()), (1, CoreState::Running));
}

#[test]
fn sevonpend_wakes_wfe_without_the_interrupt() {
    let mut m = Machine::new(&[WFE, 0x2001]);
    m.write(SCR, 1 << 4);
    m.steps(1);
    m.core.set_irq(9, true);
    m.steps(1);
    assert_eq!((m.core.state(), m.r(0), m.ipsr()), (CoreState::Running, 1, 0));
}

#[test]
fn interrupt_leaves_an_event_for_the_next_wfe() {
    let mut m = Machine::new(&[NOP, WFE, WFE]);
    m.enable(0, 0);
    m.core.set_irq(0, true);
    m.steps(1);
    m.core.set_irq(0, false);
    m.steps(3);
    assert_eq!((m.core.state(), m.r(15)), (CoreState::Running, CODE + 4));
    m.steps(1);
    assert_eq!(m.core.state(), CoreState::Sleeping);
}
