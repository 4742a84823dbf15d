//! Instructions whose point is not arithmetic: IT, exclusives, table branches, write-back, coprocessors. Arithmetic is
//! compared with another implementation, instruction by instruction, by the differential test.

use super::*;

#[test]
fn it_blocks() {
    // cmp r0, #0; itte eq; moveq r0, #1; ldreq r3, [r1]; movne r2, #3
    let code = [0x2800, 0xbf06, 0x2001, 0x680b, 0x2203];
    let mut m = Machine::new(&code);
    m.write(DATA, 0x99);
    m.set(1, DATA).steps(5);
    assert_eq!((m.r(0), m.r(3), m.r(2), m.r(15)), (1, 0x99, 0, CODE + 10));
    assert_eq!(m.core.xpsr() >> 30 & 1, 1, "MOV in an IT block leaves the flags");
    let mut m = Machine::new(&code);
    m.set(0, 5).set(1, DATA).steps(5);
    assert_eq!((m.r(0), m.r(3), m.r(2)), (5, 0, 3));
}

#[test]
fn branch_inside_an_it_block_is_undefined() {
    // itt ne; bxne lr; addne r0, #1
    let mut m = Machine::new(&[0xbf1c, BX_LR, 0x3001]);
    m.steps(2);
    assert_eq!(m.read(CFSR), 1 << 16);
}

#[test]
fn exclusives() {
    // ldrex r0, [r1]; strex r2, r0, [r1]; strex r3, r0, [r1]
    let code = [0xe851, 0x0f00, 0xe841, 0x0200, 0xe841, 0x0300];
    let mut m = Machine::new(&code);
    m.set(1, DATA).set(2, 9).steps(3);
    assert_eq!((m.r(2), m.r(3)), (0, 1), "the first succeeds and takes the reservation");
    let mut m = Machine::new(&code);
    m.set(1, DATA).steps(1);
    m.core.clear_exclusive(DATA + 0x100);
    m.core.clear_exclusive(DATA + 1);
    m.steps(1);
    assert_eq!(m.r(2), 1);
    // An exception between takes it too.
    let mut m = Machine::new(&code);
    m.write(SCR, 0);
    m.enable(0, 0);
    m.set(1, DATA).steps(1);
    m.core.set_irq(0, true);
    m.steps(1);
    m.core.set_irq(0, false);
    m.steps(2);
    assert_eq!((m.ipsr(), m.r(2)), (0, 1));
    // ldrex, clrex, strex
    let mut m = Machine::new(&[0xe851, 0x0f00, 0xf3bf, 0x8f2f, 0xe841, 0x0200]);
    m.set(1, DATA).steps(3);
    assert_eq!(m.r(2), 1);
}

#[test]
fn acquire_and_release() {
    // lda r0, [r1]; ldaex r3, [r1]; stlex r2, r0, [r1]; stl r1, [r1]
    let mut m = Machine::new(&[0xe8d1, 0x0faf, 0xe8d1, 0x3fef, 0xe8c1, 0x0fe2, 0xe8c1, 0x1faf]);
    m.write(DATA, 0xabcd);
    m.set(1, DATA).set(2, 7).steps(3);
    assert_eq!((m.r(0), m.r(3), m.r(2)), (0xabcd, 0xabcd, 0));
    m.steps(1);
    assert_eq!(m.read(DATA), DATA);
    let mut m = Machine::new(&[0xe8d1, 0x0faf]);
    m.set(1, DATA + 2).steps(1);
    assert_eq!(m.read(CFSR), 1 << 24);
}

#[test]
fn table_branch() {
    // tbb [pc, r0]; two entries
    let mut m = Machine::new(&[0xe8df, 0xf000, 0x0502]);
    m.set(0, 1).steps(1);
    assert_eq!(m.r(15), CODE + 4 + 10);
}

#[test]
fn write_back_and_loads_to_pc() {
    // ldr r0, [r1], #4; str r0, [sp, #-8]!; ldr pc, [r2]
    let mut m = Machine::new(&[0xf851, 0x0b04, 0xf84d, 0x0d08, 0xf8d2, 0xf000]);
    m.write(DATA, 0x77);
    m.write(DATA + 8, CODE + 0x21);
    m.set(1, DATA).set(2, DATA + 8).steps(2);
    assert_eq!((m.r(0), m.r(1), m.r(13)), (0x77, DATA + 4, STACK - 8));
    assert_eq!(m.read(STACK - 8), 0x77);
    m.steps(1);
    assert_eq!(m.r(15), CODE + 0x20);
}

#[test]
fn coprocessor_operands() {
    // mcr p0, #1, r0, c2, c3, #4; mrc p0, #1, APSR_nzcv, c2, c3, #4; mrrc p0, #7, r0, r1, c8; cdp p0, #1, c4, c2, c3,
    // #5
    let mut m = Machine::new(&[0xee22, 0x0093, 0xee32, 0xf093, 0xec51, 0x0078, 0xee12, 0x40a3, 0xee22, 0x0393]);
    m.write(CPACR, 0xc3);
    m.set(0, 0x55).steps(4);
    let base = CpOp {
        kind: CpKind::Mcr,
        two: false,
        coproc: 0,
        opc1: 1,
        opc2: 4,
        crn: 2,
        crm: 3,
        crd: 0,
        value: 0x55,
        value2: 0,
    };
    assert_eq!(
        m.ram.coprocessor,
        [
            base,
            CpOp { kind: CpKind::Mrc, value: 0, ..base },
            CpOp { kind: CpKind::Mrrc, opc1: 7, opc2: 0, crn: 0, crm: 8, value: 0, ..base },
            CpOp { kind: CpKind::Cdp, opc2: 5, crd: 4, value: 0, ..base },
        ]
    );
    assert_eq!(m.core.xpsr() >> 28, 0xa);
    assert_eq!((m.r(0), m.r(1)), (0x1111, 0x2222));
    // A coprocessor that does not know the instruction: UNDEFINSTR. mcr p3
    m.steps(1);
    assert_eq!(m.read(CFSR), 1 << 16);
}

#[test]
fn special_registers() {
    // msr control, r0; mrs r1, control; mrs r2, ipsr; mrs r3, xpsr
    let mut m = Machine::new(&[0xf380, 0x8814, 0xf3ef, 0x8114, 0xf3ef, 0x8205, 0xf3ef, 0x8303]);
    m.core.set_xpsr(0xf90f_0000);
    m.set(0, 0x2).steps(4);
    assert_eq!((m.r(1), m.r(2), m.r(3)), (2, 0, 0xf80f_0000));
}

#[test]
fn stack_pointer_is_word_aligned() {
    // mov sp, r0
    let mut m = Machine::new(&[0x4685]);
    m.set(0, DATA + 3).steps(1);
    assert_eq!(m.r(13), DATA);
}
