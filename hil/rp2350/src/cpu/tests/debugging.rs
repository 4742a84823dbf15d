//! What a debugger does: halt, step, registers, breakpoints, vector catch, and what a reset leaves.

use super::*;

const KEY: u32 = 0xa05f_0000;
const RUN: u32 = KEY | 1;
const HALT: u32 = KEY | 3;
const STEP: u32 = KEY | 5;
const STEP_MASKED: u32 = KEY | 0xd;

fn register(m: &mut Machine, regsel: u32) -> u32 {
    m.write(DCRSR, regsel);
    m.read(DCRDR)
}

fn set_register(m: &mut Machine, regsel: u32, value: u32) {
    m.write(DCRDR, value);
    m.write(DCRSR, 1 << 16 | regsel);
}

#[test]
fn halt_step_and_go() {
    // movs r0, #1; movs r0, #2; b .
    let mut m = Machine::new(&[0x2001, 0x2002, 0xe7fe]);
    m.write(DHCSR, HALT);
    assert_eq!((m.core.state(), m.read(DFSR)), (CoreState::Halted, 1));
    assert_eq!(m.read(DHCSR) & 0xff_ffff, 0x13_0003);
    m.steps(3);
    assert_eq!(m.r(15), CODE);
    m.write(DFSR, 1);
    m.write(DHCSR, STEP);
    assert_eq!(m.core.state(), CoreState::Running);
    m.steps(1);
    assert_eq!((m.core.state(), m.r(0), m.r(15), m.read(DFSR)), (CoreState::Halted, 1, CODE + 2, 1));
    m.write(DHCSR, RUN);
    m.steps(4);
    assert_eq!((m.core.state(), m.r(0), m.r(15)), (CoreState::Running, 2, CODE + 4));
    // Without the key nothing happens.
    m.write(DHCSR, 3);
    assert_eq!(m.core.state(), CoreState::Running);
}

#[test]
fn registers_through_dcrsr() {
    let mut m = Machine::new(&[NOP]);
    m.write(DHCSR, HALT);
    for regsel in [0, 7, 12, 14, 17, 18, 33, 64, 95] {
        let value = if regsel == 33 { 0x0300_0000 } else { 0x2000_0100 + 8 * regsel };
        set_register(&mut m, regsel, value);
        assert_eq!(register(&mut m, regsel), value, "register {regsel}");
    }
    assert_eq!(register(&mut m, 13), register(&mut m, 17), "SP is MSP");
    set_register(&mut m, 15, CODE + 0x101);
    assert_eq!(register(&mut m, 15), CODE + 0x100);
    set_register(&mut m, 16, 0xf100_0000);
    assert_eq!(register(&mut m, 16), 0xf100_0000);
    set_register(&mut m, 20, 0x0201_f001);
    assert_eq!(register(&mut m, 20), 0x0201_f001);
    assert_eq!(register(&mut m, 13), register(&mut m, 18), "SPSEL: SP is PSP");
}

#[test]
fn bkpt_halts_on_itself() {
    let mut m = Machine::new(&[NOP, 0xbe00]);
    m.write(DHCSR, RUN);
    m.steps(5);
    assert_eq!((m.core.state(), m.r(15), m.read(DFSR)), (CoreState::Halted, CODE + 2, 2));
}

#[test]
fn bkpt_halts_in_an_it_block_whose_condition_fails() {
    // it eq; bkpt
    let mut m = Machine::new(&[0xbf08, 0xbe00]);
    m.write(DHCSR, RUN);
    m.steps(3);
    assert_eq!((m.core.state(), m.r(15)), (CoreState::Halted, CODE + 2));
}

#[test]
fn bkpt_without_a_debugger() {
    let mut m = Machine::new(&[0xbe00]);
    m.steps(2);
    assert_eq!((m.ipsr(), m.read(HFSR)), (3, 1 << 31));
    // With the monitor enabled.
    let mut m = Machine::new(&[0xbe00]);
    m.write(DEMCR, 1 << 16);
    m.steps(2);
    assert_eq!((m.ipsr(), m.read(DFSR)), (12, 2));
}

#[test]
fn hardware_breakpoint() {
    let mut m = Machine::new(&[NOP, 0x2001, 0x2002]);
    assert_eq!(m.read(0xe000_2000), 0x1000_0080);
    m.write(0xe000_2000, 3);
    m.write(0xe000_2008 + 4 * 7, CODE + 3);
    m.write(DHCSR, RUN);
    m.steps(4);
    assert_eq!((m.core.state(), m.r(15), m.r(0), m.read(DFSR)), (CoreState::Halted, CODE + 2, 0, 2));
    // Cleared, the core goes on.
    m.write(0xe000_2008 + 4 * 7, 0);
    m.write(DHCSR, RUN);
    m.steps(2);
    assert_eq!(m.r(0), 2);
}

#[test]
fn masked_step_takes_no_interrupt_and_plain_step_enters_it() {
    let mut m = Machine::new(&[NOP; 8]);
    m.enable(0, 0);
    m.write(DHCSR, HALT);
    m.core.set_irq(0, true);
    m.write(DHCSR, STEP_MASKED);
    m.steps(1);
    assert_eq!((m.ipsr(), m.r(15)), (0, CODE + 2));
    m.write(DHCSR, HALT);
    m.write(DHCSR, STEP);
    m.steps(1);
    assert_eq!((m.core.state(), m.ipsr(), m.r(15)), (CoreState::Halted, 16, handler_at(16)));
}

#[test]
fn sleeping_core_can_be_halted() {
    let mut m = Machine::new(&[WFI, 0x2001]);
    m.write(DHCSR, RUN);
    m.steps(2);
    assert_eq!((m.core.state(), m.read(DHCSR) >> 18 & 1), (CoreState::Sleeping, 1));
    m.write(DHCSR, HALT);
    assert_eq!((m.core.state(), m.r(15)), (CoreState::Halted, CODE + 2));
    m.write(DHCSR, RUN);
    m.steps(1);
    assert_eq!(m.r(0), 1);
}

#[test]
fn locked_up_core_can_be_halted_and_restarted() {
    let mut m = Machine::new(&[0xde00, 0x2001]);
    m.handler(3, &[0xde00]);
    m.write(DHCSR, RUN);
    m.steps(4);
    assert_eq!(m.core.state(), CoreState::LockedUp);
    m.write(DHCSR, HALT);
    assert_eq!(m.read(DHCSR) & 0xf_0000, 0x3_0000);
    set_register(&mut m, 16, 0x0100_0000);
    set_register(&mut m, 15, CODE + 2);
    m.write(DHCSR, RUN);
    m.steps(1);
    assert_eq!(m.r(0), 1);
}

#[test]
fn reset_request_and_vector_catch() {
    let mut m = Machine::new(&[NOP; 4]);
    m.read(DHCSR);
    assert_eq!(m.read(DHCSR) >> 25 & 1, 0);
    m.write(DHCSR, RUN);
    m.write(DEMCR, 0x0100_0001);
    m.write(0xe000_2008, 0x2000_0501);
    m.write(AIRCR, 0x05fa_0004);
    assert!(m.core.take_reset_request());
    assert!(!m.core.take_reset_request());
    m.core.reset();
    m.core.start(RAM, STACK, CODE);
    assert_eq!((m.core.state(), m.read(DFSR)), (CoreState::Halted, 8));
    assert_eq!((m.read(DEMCR), m.read(0xe000_2008)), (0x0100_0001, 0x2000_0501));
    assert_eq!(m.read(DHCSR) >> 25 & 1, 1, "S_RESET_ST is sticky");
    assert_eq!(m.read(DHCSR) >> 25 & 1, 0, "until it is read");
    m.write(DHCSR, RUN);
    m.steps(2);
    assert_eq!(m.r(15), CODE + 4);
    // Without the catch the core just runs.
    m.write(DEMCR, 0);
    m.core.reset();
    assert_eq!(m.core.state(), CoreState::Running);
    // The wrong key requests nothing.
    m.write(AIRCR, 4);
    assert!(!m.core.take_reset_request());
}

#[test]
fn vector_catch_on_hard_fault() {
    let mut m = Machine::new(&[0xde00]);
    m.write(DHCSR, RUN);
    m.write(DEMCR, 1 << 10);
    m.steps(3);
    assert_eq!((m.core.state(), m.r(15), m.read(DFSR)), (CoreState::Halted, handler_at(3), 8));
}

#[test]
fn identification() {
    let mut m = Machine::new(&[]);
    assert_eq!(m.read(0xe000_ed00), 0x411f_d210);
    assert_eq!((m.read(0xe000_ef40), m.read(0xe000_ed44)), (0x1011_0021, 0x210));
    assert_eq!(m.core.ppb_read(0xe000_ed02, Size::Half), Ok(0x411f));
}

#[test]
fn halted_core_keeps_systick_still() {
    let mut m = Machine::new(&[NOP; 8]);
    m.write(0xe000_e014, 1000);
    m.write(0xe000_e018, 0);
    m.write(0xe000_e010, 5);
    m.steps(3);
    m.write(DHCSR, HALT);
    let value = m.read(0xe000_e018);
    m.core.sleep(100);
    m.steps(10);
    assert_eq!(m.read(0xe000_e018), value);
}
