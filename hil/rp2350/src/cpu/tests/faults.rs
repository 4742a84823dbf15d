//! Faults: status registers, escalation, lockup, stack limits, MPU, privilege.

use super::*;

/// Enables MemManage, BusFault, UsageFault and SecureFault.
fn all_faults(m: &mut Machine) {
    m.write(SHCSR, 0xf << 16);
}

#[test]
fn undefined_instruction_escalates_unless_enabled() {
    let mut m = Machine::new(&[0xde00]);
    m.steps(2);
    assert_eq!((m.ipsr(), m.read(CFSR), m.read(HFSR)), (3, 1 << 16, 1 << 30));
    assert_eq!(m.read(STACK - 8), CODE, "the return address is the instruction");
    // Ones clear.
    m.write(CFSR, 1 << 16);
    m.write(HFSR, 1 << 30);
    assert_eq!((m.read(CFSR), m.read(HFSR)), (0, 0));

    let mut m = Machine::new(&[0xde00]);
    all_faults(&mut m);
    m.steps(2);
    assert_eq!((m.ipsr(), m.read(CFSR), m.read(HFSR)), (6, 1 << 16, 0));
}

#[test]
fn data_bus_fault_has_an_address() {
    // ldr r0, [r1]
    let mut m = Machine::new(&[0x6808]);
    all_faults(&mut m);
    m.set(0, 7).set(1, 0x3000_0000).steps(2);
    assert_eq!((m.ipsr(), m.read(CFSR), m.read(BFAR), m.r(0)), (5, 0x8200, 0x3000_0000, 7));
}

#[test]
fn faulting_load_multiple_changes_nothing() {
    // pop {r0, r1} across the end of RAM
    let mut m = Machine::new(&[0xbc03]);
    let end = RAM + RAM_SIZE as u32 - 4;
    m.write(end, 0x55);
    m.set(13, end).steps(1);
    assert_eq!((m.r(0), m.r(13), m.read(BFAR)), (0, end, end + 4));
}

#[test]
fn fetch_faults() {
    // bx r0
    let mut m = Machine::new(&[0x4700]);
    all_faults(&mut m);
    m.set(0, 0x1000_0001).steps(3);
    assert_eq!((m.ipsr(), m.read(CFSR)), (5, 1 << 8));
    assert_eq!(m.read(STACK - 8), 0x1000_0000);
    // Peripherals are execute-never.
    let mut m = Machine::new(&[0x4700]);
    all_faults(&mut m);
    m.set(0, 0x4000_0001).steps(3);
    assert_eq!((m.ipsr(), m.read(CFSR)), (4, 1));
}

#[test]
fn branch_without_thumb_bit() {
    let mut m = Machine::new(&[0x4700]);
    all_faults(&mut m);
    m.set(0, CODE).steps(3);
    assert_eq!((m.ipsr(), m.read(CFSR)), (6, 1 << 17));
}

#[test]
fn traps_for_division_and_alignment() {
    // udiv r0, r1, r2
    let mut m = Machine::new(&[0xfbb1, 0xf0f2, 0x6808]);
    m.set(0, 9).set(1, 4).steps(1);
    assert_eq!(m.r(0), 0);
    let mut m = Machine::new(&[0xfbb1, 0xf0f2]);
    all_faults(&mut m);
    m.write(CCR, 1 << 4);
    m.steps(2);
    assert_eq!((m.ipsr(), m.read(CFSR)), (6, 1 << 25));
    // ldr r0, [r1], unaligned
    let mut m = Machine::new(&[0x6808]);
    m.write(DATA, 0x4433_2211);
    m.write(DATA + 4, 0x8877_6655);
    m.set(1, DATA + 3).steps(1);
    assert_eq!(m.r(0), 0x7766_5544);
    let mut m = Machine::new(&[0x6808]);
    all_faults(&mut m);
    m.write(CCR, 1 << 3);
    m.set(1, DATA + 2).steps(2);
    assert_eq!((m.ipsr(), m.read(CFSR)), (6, 1 << 24));
    // ldm r1, {r0, r2} always wants words
    let mut m = Machine::new(&[0xe891, 0x0005]);
    m.set(1, DATA + 2).steps(1);
    assert_eq!(m.read(CFSR), 1 << 24);
    // and so does device memory: ldr r0, [r1]
    let mut m = Machine::new(&[0x6808]);
    m.set(1, 0x4000_0002).steps(1);
    assert_eq!(m.read(CFSR), 1 << 24);
}

#[test]
fn coprocessor_without_access() {
    // vmov s0, r0 / mcr p0
    for code in [[0xee00, 0x0a10], [0xee22, 0x0093]] {
        let mut m = Machine::new(&code);
        m.steps(1);
        assert_eq!(m.read(CFSR), 1 << 19);
    }
    // CPACR 01: privileged code only. msr control, r1; mcr p0
    let mut m = Machine::new(&[0xee22, 0x0093, 0xf381, 0x8814, 0xee22, 0x0093]);
    m.write(CPACR, 1);
    m.set(1, 1).steps(2);
    assert_eq!(m.read(CFSR), 0);
    m.steps(1);
    assert_eq!(m.read(CFSR), 1 << 19);
}

#[test]
fn fault_in_hard_fault_locks_up_and_nmi_still_works() {
    let mut m = Machine::new(&[0xde00]);
    m.handler(3, &[0xde00]);
    m.steps(3);
    assert_eq!((m.core.state(), m.r(15)), (CoreState::LockedUp, 0xefff_fffe));
    m.steps(5);
    assert_eq!(m.core.state(), CoreState::LockedUp);
    assert_eq!(m.read(DHCSR) >> 19 & 1, 1);
    m.write(ICSR, 1 << 31);
    m.steps(1);
    assert_eq!((m.core.state(), m.ipsr()), (CoreState::Running, 2));
}

#[test]
fn masked_svc_becomes_hard_fault() {
    let mut m = Machine::new(&[0xb672, 0xdf00, NOP]);
    m.steps(3);
    assert_eq!((m.ipsr(), m.read(HFSR)), (3, 1 << 30));
    assert_eq!(m.read(STACK - 8), CODE + 4);
}

#[test]
fn bad_vector_table_is_a_hard_fault() {
    let mut m = Machine::new(&[0xdf00]);
    m.write(0xe000_ed08, 0x3000_0000);
    m.steps(2);
    assert_eq!(m.read(HFSR), 2);
}

#[test]
fn stack_limit_stops_a_push() {
    // msr msplim, r0; push {r0, r1}; push {r0, r1}
    let mut m = Machine::new(&[0xf380, 0x880a, 0xb403, 0xb403]);
    all_faults(&mut m);
    m.set(0, STACK - 8).steps(3);
    assert_eq!((m.read(CFSR), m.r(13)), (1 << 20, STACK - 8));
    // There is no room for UsageFault's own frame either: SP rests on the limit and the handler runs.
    m.steps(1);
    assert_eq!((m.ipsr(), m.r(13)), (6, STACK - 8));
}

#[test]
fn process_stack_limit_is_its_own() {
    // msr psp, r0; msr psplim, r0; msr control, r1; sub sp, #64
    let mut m = Machine::new(&[0xf380, 0x8809, 0xf380, 0x880b, 0xf381, 0x8814, 0xb090]);
    all_faults(&mut m);
    m.set(0, DATA).set(1, 2).steps(4);
    assert_eq!((m.read(CFSR), m.r(13)), (1 << 20, DATA));
    m.steps(1);
    assert_eq!(m.ipsr(), 6, "the frame did not fit on PSP; the handler runs on MSP");
    assert_eq!(m.r(13), STACK);
}

#[test]
fn unprivileged_code_sees_no_ppb() {
    // msr control, r1; msr primask, r1; mrs r2, primask; ldr r3, [r4]
    let mut m = Machine::new(&[0xf381, 0x8814, 0xf381, 0x8810, 0xf3ef, 0x8210, 0x6823]);
    all_faults(&mut m);
    m.set(1, 1).set(2, 5).set(4, 0xe000_ed00).steps(3);
    assert_eq!((m.r(2), m.core.debug_reg(20)), (0, Some(1 << 24)));
    m.steps(2);
    assert_eq!((m.ipsr(), m.read(BFAR)), (5, 0xe000_ed00));
}

#[test]
fn mpu_regions() {
    // str r0, [r1]; ldr r2, [r1]; ldrt r3, [r1]
    let code = [0x6008, 0x680a, 0xf851, 0x3e00];
    let region = |m: &mut Machine, number: u32, base: u32, limit: u32| {
        m.write(0xe000_ed98, number);
        m.write(0xe000_ed9c, base);
        m.write(0xe000_eda0, limit | 1);
    };
    let mut m = Machine::new(&code);
    all_faults(&mut m);
    assert_eq!(m.read(0xe000_ed90), 0x800);
    // Code and stack for everyone; data privileged and read-only.
    region(&mut m, 0, RAM | 1 << 1, STACK + 0xfff);
    region(&mut m, 1, DATA | 2 << 1, DATA + 0xff);
    m.write(0xe000_ed94, 1);
    m.set(1, DATA).steps(2);
    assert_eq!((m.ipsr(), m.read(CFSR), m.read(MMFAR)), (4, 0x82, DATA));

    let mut m = Machine::new(&code);
    all_faults(&mut m);
    region(&mut m, 0, RAM | 1 << 1, STACK + 0xfff);
    region(&mut m, 1, DATA, DATA + 0xff);
    m.write(0xe000_ed94, 1);
    m.write(DATA, 3);
    m.set(0, 77).set(1, DATA).steps(2);
    assert_eq!(m.r(2), 77, "privileged code may");
    m.steps(1);
    assert_eq!(m.read(CFSR), 0x82, "LDRT may not");

    // Execute-never: nothing of the code can be fetched.
    let mut m = Machine::new(&code);
    region(&mut m, 0, RAM | 1, RAM + 0xfff);
    m.write(0xe000_ed94, 5);
    m.steps(1);
    assert_eq!(m.read(CFSR), 1);
    // HardFault ignores the MPU.
    m.steps(2);
    assert_eq!(m.core.state(), CoreState::Running);
}

#[test]
fn test_target_reports_the_region() {
    // tt r0, r1; ttt r2, r1
    let mut m = Machine::new(&[0xe841, 0xf000, 0xe841, 0xf240]);
    m.write(0xe000_ed98, 3);
    m.write(0xe000_ed9c, RAM);
    m.write(0xe000_eda0, RAM | 0xffff);
    m.write(0xe000_ed94, 5);
    m.set(1, DATA).steps(2);
    // Secure, readable and writable by privileged code only, region 3.
    assert_eq!((m.r(0), m.r(2)), (0x004d_0003, 0x0041_0003));
}

#[test]
fn non_secure_world_cannot_be_entered() {
    // bxns r0
    let mut m = Machine::new(&[0x4704]);
    all_faults(&mut m);
    m.set(0, CODE).steps(2);
    assert_eq!((m.ipsr(), m.read(0xe000_ede4)), (7, 1 << 4));
    let mut m = Machine::new(&[0x4704]);
    m.set(0, CODE + 0x11).steps(1);
    assert_eq!(m.r(15), CODE + 0x10);
}

#[test]
fn unmodelled_registers_are_reported() {
    // ldr r0, [r1]
    let mut m = Machine::new(&[0x6808]);
    m.set(1, 0xe004_2000).steps(1);
    assert_eq!(m.read(BFAR), 0xe004_2000);
    let noted = m.core.take_unmodelled();
    assert_eq!((noted.len(), noted[0].pc, noted[0].addr, noted[0].written), (1, Some(CODE), 0xe004_2000, None));
    assert_eq!(m.core.ppb_write(0xe000_ef90, Size::Word, 5), Err(BusFault));
    let noted = m.core.take_unmodelled();
    assert_eq!((noted[0].pc, noted[0].written), (None, Some(5)));
}

#[test]
fn hard_fault_may_ignore_bus_faults() {
    let mut m = Machine::new(&[0xde00]);
    // ldr r0, [r1]; movs r2, #1
    m.handler(3, &[0x6808, 0x2201]);
    m.write(CCR, 1 << 8);
    m.set(1, 0x3000_0000).steps(4);
    assert_eq!((m.core.state(), m.r(2)), (CoreState::Running, 1));
}
