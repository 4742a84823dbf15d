//! What a small preemptive kernel leans on: context switches between main and process stacks with lazy floating-point
//! state, stack limits, memory closed by the MPU while a thread runs, and waiting inside handlers.

use super::*;

/// Where the kernel's word for the running thread is; the threads' blocks follow.
const CURRENT: u32 = DATA;
const BLOCKS: [u32; 3] = [DATA + 0x100, DATA + 0x200, DATA + 0x300];
/// Offsets in a block: r4 to r11, EXC_RETURN, PSP, PSPLIM, s16 to s31, the next block.
const EXC_RETURN: u32 = 0x20;
const PSP: u32 = 0x24;
const PSPLIM: u32 = 0x28;
const S16: u32 = 0x2c;
const NEXT: u32 = 0x6c;

const PENDSVSET: u32 = 1 << 28;
const PEND_SV: u32 = 14;
const USAGE_FAULT: u32 = 6;
const MEM_MANAGE: u32 = 4;
const HARD_FAULT: u32 = 3;

/// Saves the thread in its block and goes on with the next one. Saving s16 to s31 makes the core save what it owes.
const SWITCH: [u16; 32] = [
    0x4b0e, // ldr r3, [pc, #56]
    0x681a, // ldr r2, [r3]
    0xe8a2,
    0x4ff0, // stm r2!, {r4-r11, lr}
    0xf3ef,
    0x8009, // mrs r0, psp
    0xf3ef,
    0x810b, // mrs r1, psplim
    0xc203, // stm r2!, {r0, r1}
    0xf01e,
    0x0f10, // tst lr, #16
    0xbf08, // it eq
    0xec82,
    0x8a10, // vstmeq r2, {s16-s31}
    0x6c12, // ldr r2, [r2, #64]
    0x601a, // str r2, [r3]
    0xe8b2,
    0x4ff0, // ldm r2!, {r4-r11, lr}
    0xca03, // ldm r2!, {r0, r1}
    0xf381,
    0x880b, // msr psplim, r1
    0xf380,
    0x8809, // msr psp, r0
    0xf01e,
    0x0f10, // tst lr, #16
    0xbf08, // it eq
    0xec92,
    0x8a10, // vldmeq r2, {s16-s31}
    0x4770, // bx lr
    0xbf00, // nop
    CURRENT as u16,
    (CURRENT >> 16) as u16,
];

/// Counts in r4, s0 and s16, from r0 and r1, and asks for a switch after each count.
const FLOAT_THREAD: [u16; 13] = [
    0xee00, 0x0a10, // vmov s0, r0
    0xee08, 0x1a10, // vmov s16, r1
    0xeeb7, 0x1a00, // vmov.f32 s2, #1.0
    0x3401, // 1: adds r4, #1
    0xee30, 0x0a01, // vadd.f32 s0, s0, s2
    0xee38, 0x8a01, // vadd.f32 s16, s16, s2
    0x6035, // str r5, [r6]
    0xe7f8, // b 1b
];

/// Counts in r4 only.
const PLAIN_THREAD: [u16; 3] = [
    0x3401, // 1: adds r4, #1
    0x6035, // str r5, [r6]
    0xe7fc, // b 1b
];

const FLOAT_CODE: u32 = CODE + 0x100;
const PLAIN_CODE: u32 = CODE + 0x200;
/// Stacks of the second and third thread, each of 256 bytes.
const STACKS: [u32; 2] = [RAM + 0x5800, RAM + 0x5c00];

/// Three threads in a ring: floating point on the main stack, floating point on a process stack, and neither.
fn kernel() -> Machine {
    let mut m = Machine::new(&FLOAT_THREAD);
    m.place(FLOAT_CODE, &FLOAT_THREAD);
    m.place(PLAIN_CODE, &PLAIN_THREAD);
    m.handler(PEND_SV, &SWITCH);
    m.write(CPACR, 0xf << 20);
    m.write(SHPR1 + 8, 0xf0 << 16);
    m.write(CURRENT, BLOCKS[0]);
    for (n, block) in BLOCKS.into_iter().enumerate() {
        m.write(block + NEXT, BLOCKS[(n + 1) % 3]);
    }
    for (n, (top, code)) in STACKS.into_iter().zip([FLOAT_CODE, PLAIN_CODE]).enumerate() {
        let block = BLOCKS[n + 1];
        m.write(block + 4, PENDSVSET);
        m.write(block + 8, ICSR);
        m.write(block + EXC_RETURN, 0xffff_fffd);
        m.write(block + PSP, top - 0x20);
        m.write(block + PSPLIM, top - 0x100);
        m.write(top - 0x20, 1000f32.to_bits());
        m.write(top - 0x1c, 2000f32.to_bits());
        m.write(top - 8, code);
        m.write(top - 4, 1 << 24);
    }
    m.set(0, 10f32.to_bits()).set(1, 20f32.to_bits()).set(5, PENDSVSET).set(6, ICSR);
    m
}

fn float(bits: u32) -> f32 {
    f32::from_bits(bits)
}

/// Steps until the first thread has counted to `count` and asked for a switch.
fn run_to(m: &mut Machine, count: u32) {
    for _ in 0..100 * count {
        m.steps(1);
        if m.ipsr() == PEND_SV && m.r(4) == count && m.read(CURRENT) == BLOCKS[0] && m.r(15) == handler_at(PEND_SV) {
            return;
        }
    }
    panic!("the first thread never came so far");
}

#[test]
fn threads_switch_with_their_floating_point_state() {
    let mut m = kernel();
    for count in 1..50 {
        run_to(&mut m, count);
        // The first thread has just been interrupted; its s0 to s15 are owed to its frame.
        assert_eq!((m.r(14), m.r(13)), (0xffff_ffe9, STACK - 0x68));
        assert_eq!((m.read(FPCCR) & 1, m.read(0xe000_ef38)), (1, STACK - 0x48));
        let (s0, s16) = (m.core.debug_reg(64).unwrap(), m.core.debug_reg(80).unwrap());
        assert_eq!((float(s0), float(s16)), (10.0 + count as f32, 20.0 + count as f32));
        if count == 1 {
            continue;
        }
        let others = count - 1;
        // The second lies in its block and its frame, floating-point registers and all.
        let [_, second, third] = BLOCKS;
        assert_eq!(m.read(second), others);
        assert_eq!((m.read(second + EXC_RETURN), m.read(second + PSP)), (0xffff_ffed, STACKS[0] - 0x68));
        let (s0, s16) = (m.read(STACKS[0] - 0x48), m.read(second + S16));
        assert_eq!((float(s0), float(s16)), (1000.0 + others as f32, 2000.0 + others as f32));
        // The third never had any.
        assert_eq!(m.read(third), others);
        assert_eq!((m.read(third + EXC_RETURN), m.read(third + PSP)), (0xffff_fffd, STACKS[1] - 0x20));
    }
}

#[test]
fn control_follows_the_thread() {
    let mut m = kernel();
    run_to(&mut m, 3);
    let mut seen = [None; 3];
    for _ in 0..200 {
        m.steps(1);
        if m.ipsr() == 0 {
            let thread = BLOCKS.iter().position(|&block| block == m.read(CURRENT)).unwrap();
            let limit = m.core.debug_reg(29).unwrap();
            let control = m.core.debug_reg(20).unwrap() >> 24;
            assert_eq!(*seen[thread].get_or_insert((control, limit)), (control, limit));
        }
    }
    // SPSEL and FPCA (and with it SFPA); the third thread's limit stands while the first, on the main stack, runs.
    let limits = STACKS.map(|top| top - 0x100);
    assert_eq!(seen, [Some((0b1100, 0)), Some((0b1110, limits[0])), Some((0b0010, limits[1]))]);
}

#[test]
fn a_thread_that_overflows_its_stack_is_left_in_its_fault() {
    let mut m = kernel();
    m.write(SHCSR, 7 << 16);
    // 1: adds r4, #1; push {r0-r7}; b 1b
    m.place(PLAIN_CODE, &[0x3401, 0xb4ff, 0xe7fc]);
    // Asks for a switch, and returns: into it. str r5, [r6]; bx lr
    m.handler(USAGE_FAULT, &[0x6035, BX_LR]);
    while m.ipsr() != USAGE_FAULT {
        m.steps(1);
    }
    // 256 bytes are eight pushes; for the frame of the fault there was no room either.
    let top = STACKS[1];
    assert_eq!((m.read(CFSR), m.r(4), m.r(14)), (1 << 20, 9, 0xffff_fffd));
    assert_eq!(m.core.debug_reg(18), Some(top - 0x100));
    assert!((0..0x40).all(|word| m.read(top - 0x200 + 4 * word) == 0), "nothing below the limit was written");
    // The kernel leaves it out from now on.
    m.write(BLOCKS[1] + NEXT, BLOCKS[0]);
    run_to(&mut m, 5);
    assert_eq!((m.read(CFSR), m.read(BLOCKS[1]), m.read(BLOCKS[2])), (1 << 20, 4, 9));
}

/// EXC_RETURN may come by any way that loads PC.
#[test]
fn a_handler_returns_by_pop_too() {
    // svc #0; nop
    let mut m = Machine::new(&[0xdf00, NOP]);
    // push {r4, lr}; movs r4, #7; pop {r4, pc}
    m.handler(11, &[0xb510, 0x2407, 0xbd10]);
    m.set(4, 3).steps(5);
    assert_eq!((m.ipsr(), m.r(15), m.r(4), m.r(13)), (0, CODE + 2, 3, STACK));
}

const RNR: u32 = 0xe000_ed98;
const RBAR: u32 = 0xe000_ed9c;
const RLAR: u32 = 0xe000_eda0;
const MPU_CTRL: u32 = 0xe000_ed94;
const READ_ONLY: u32 = 3 << 1;
/// RLAR of both regions: enabled, 256 bytes from [`DATA`] on.
const OVER_IT: u32 = DATA + 0xe1;

/// A thread reads [`DATA`] in a loop; region 1 lies over region 0 there once it is enabled. r5 and r6 are what enables it.
fn reader() -> Machine {
    // 1: ldr r0, [r1]; adds r2, #1; b 1b
    let mut m = Machine::new(&[0x6808, 0x3201, 0xe7fc]);
    m.write(SHCSR, 7 << 16);
    m.write(RNR, 0);
    m.write(RBAR, DATA | READ_ONLY);
    m.write(RLAR, OVER_IT);
    m.write(RNR, 1);
    m.write(RBAR, DATA | READ_ONLY);
    // Everything else is the default map's.
    m.write(MPU_CTRL, 5);
    m.write(DATA + 0x20, 0x1234);
    m.set(1, DATA + 0x20).set(5, RLAR).set(6, OVER_IT).set(7, 0);
    // The interrupt closes it: str r6, [r5]; bx lr
    m.handler(16, &[0x602e, BX_LR]);
    // MemManage opens it: str r7, [r5]; bx lr
    m.handler(MEM_MANAGE, &[0x602f, BX_LR]);
    m.enable(0, 0x40);
    m
}

#[test]
fn memory_closed_by_a_handler_faults_at_the_next_access() {
    let mut m = reader();
    // The interrupt comes before the load, after it, and after the addition.
    for before in [3, 4, 5] {
        let count = m.steps(before).r(2);
        m.core.set_irq(0, true);
        m.steps(2);
        m.core.set_irq(0, false);
        m.steps(1);
        assert_eq!((m.ipsr(), m.read(CFSR)), (0, 0), "back in the thread, which has not read yet");
        m.set(0, 0);
        let mut steps = 0;
        while m.ipsr() == 0 {
            m.steps(1);
            steps += 1;
            assert!(steps <= 4, "it can read no more");
        }
        assert_eq!((m.ipsr(), m.read(CFSR), m.read(MMFAR)), (MEM_MANAGE, 0x82, DATA + 0x20));
        assert_eq!(m.read(m.r(13) + 0x18), CODE, "the load's own address");
        assert_eq!(m.r(0), 0, "it loaded nothing");
        assert!(m.r(2) <= count + 1);
        m.write(CFSR, 0xff);
        // Opened again, the load is made up for.
        m.steps(3);
        assert_eq!((m.ipsr(), m.r(0), m.r(15)), (0, 0x1234, CODE + 2));
        m.steps(2);
        assert_eq!(m.r(15), CODE);
    }
}

#[test]
fn a_fault_takes_its_priority_into_account() {
    // In the thread, without MEMFAULTENA: HardFault.
    let close = |m: &mut Machine| m.write(RLAR, OVER_IT);
    let mut m = reader();
    m.write(SHCSR, 0);
    close(&mut m);
    m.steps(2);
    assert_eq!((m.ipsr(), m.read(CFSR), m.read(HFSR)), (HARD_FAULT, 0x82, 1 << 30));
    // In a handler that is more urgent than MemManage: HardFault. ldr r0, [r1]; bx lr
    let mut m = reader();
    m.handler(16, &[0x6808, BX_LR]);
    m.write(SHPR1, 0x80);
    close(&mut m);
    m.core.set_irq(0, true);
    m.steps(3);
    assert_eq!((m.ipsr(), m.read(HFSR)), (HARD_FAULT, 1 << 30));
    // In one that is less urgent: MemManage, and back.
    let mut m = reader();
    m.handler(16, &[0x6808, BX_LR]);
    m.write(SHPR1, 0x20);
    close(&mut m);
    m.core.set_irq(0, true);
    m.steps(3);
    assert_eq!((m.ipsr(), m.read(HFSR)), (MEM_MANAGE, 0));
    assert_eq!(m.read(m.r(13) + 0x18), handler_at(16));
    assert_eq!(m.r(14), 0xffff_fff1);
    m.core.set_irq(0, false);
    m.steps(3);
    assert_eq!((m.ipsr(), m.r(0)), (16, 0x1234));
    // An interrupt that comes with the fault and is more urgent goes first; the fault is not forgotten.
    let mut m = reader();
    m.handler(16, &[0x3301, BX_LR]);
    m.write(SHPR1, 0x80);
    close(&mut m);
    m.steps(1);
    m.core.set_irq(0, true);
    m.core.set_irq(0, false);
    m.steps(1);
    assert_eq!(m.ipsr(), 16);
    m.steps(2);
    assert_eq!((m.ipsr(), m.r(14), m.read(m.r(13) + 0x18)), (MEM_MANAGE, 0xffff_fff9, CODE));
}

#[test]
fn an_unprivileged_thread_sees_overlap_as_closed_too() {
    // msr control, r3; 1: ldr r0, [r1]; b 1b
    let mut m = reader();
    m.place(CODE, &[0xf383, 0x8814, 0x6808, 0xe7fd]);
    m.write(RNR, 2);
    m.write(RBAR, RAM | 1 << 1);
    m.write(RLAR, DATA - 0x1f);
    m.set(3, 1).steps(4);
    assert_eq!((m.ipsr(), m.r(0)), (0, 0x1234));
    m.write(RNR, 1);
    m.write(RLAR, OVER_IT);
    m.steps(3);
    assert_eq!((m.ipsr(), m.read(CFSR), m.read(MMFAR)), (MEM_MANAGE, 0x82, DATA + 0x20));
}

#[test]
fn wfi_in_a_handler_waits_for_what_would_preempt_it() {
    let mut m = Machine::new(&[NOP; 4]);
    m.handler(16, &[WFI, 0x2001, BX_LR]);
    m.enable(0, 0x40);
    m.enable(1, 0x40);
    m.enable(2, 0x20);
    m.core.set_irq(0, true);
    m.steps(2);
    m.core.set_irq(0, false);
    assert_eq!((m.core.state(), m.ipsr()), (CoreState::Sleeping, 16));
    m.core.set_irq(1, true);
    assert_eq!(m.core.state(), CoreState::Sleeping, "as urgent as the handler: it waits");
    m.core.set_irq(2, true);
    assert_eq!(m.core.state(), CoreState::Running);
    m.steps(1);
    assert_eq!((m.ipsr(), m.read(m.r(13) + 0x18)), (18, handler_at(16) + 2));
    m.core.set_irq(2, false);
    m.steps(2);
    assert_eq!((m.ipsr(), m.r(0)), (16, 1));
    m.steps(1);
    assert_eq!(m.ipsr(), 17, "now it is the other one's turn");
}

#[test]
fn wfe_in_a_handler_takes_the_event_of_its_entry_first() {
    let mut m = Machine::new(&[NOP; 4]);
    m.handler(16, &[WFE, WFE, 0x2001, BX_LR]);
    m.enable(0, 0x40);
    m.core.set_irq(0, true);
    m.steps(2);
    m.core.set_irq(0, false);
    assert_eq!((m.core.state(), m.r(15)), (CoreState::Running, handler_at(16) + 2));
    m.steps(1);
    assert_eq!(m.core.state(), CoreState::Sleeping);
    m.core.event();
    m.steps(1);
    assert_eq!((m.core.state(), m.r(0)), (CoreState::Running, 1));
}
