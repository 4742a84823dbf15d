//! PendSV, the lowest of the exceptions: puts one thread's registers away and takes up another's. When nobody is ready it
//! sleeps itself, since every interrupt comes before it: so there is no thread for idling.

use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::asm;
use cortex_m::peripheral::scb::SystemHandler;
use cortex_m::peripheral::{DWT, SCB};

use super::{CURRENT, GUESTS, OTHERS_CYCLES, alarms, bound, with};
use crate::engine_support;
use crate::stack;

/// Native stack of each guest. What a guest's own calls need is on the Pulley stack; here is the interpreter and the host.
pub const STACK_BYTES: usize = 6 * 1024;

#[repr(C, align(32))]
struct Stack([MaybeUninit<u32>; STACK_BYTES / 4]);

/// Painted when its thread starts for the first time; so nothing clears it.
#[unsafe(link_section = ".uninit.stacks")]
static mut STACKS: [MaybeUninit<Stack>; GUESTS] = [const { MaybeUninit::uninit() }; GUESTS];

/// What is not in the frame that the exception's entry has stacked. The order is known to the assembly below.
#[repr(C)]
pub(super) struct Context {
    /// 0 for the supervisor, whose limit is that of the main stack.
    stack_limit: u32,
    stack_pointer: u32,
    exc_return: u32,
    r4_to_r11: [u32; 8],
    s16_to_s31: [u32; 16],
}

impl Context {
    pub(super) const fn new() -> Self {
        Self { stack_limit: 0, stack_pointer: 0, exc_return: 0, r4_to_r11: [0; 8], s16_to_s31: [0; 16] }
    }
}

/// Back to Thread mode on the process stack, a frame without floating-point state (Armv8-M reference manual, B3.22).
const RETURN_TO_THREAD: u32 = 0xFFFF_FFFD;
/// XPSR of a thread that begins: Thumb state.
const XPSR_T: u32 = 1 << 24;

pub(super) fn init() {
    // SAFETY: lowering PendSV lets everything else come first; nothing relies on the opposite.
    unsafe { cortex_m::Peripherals::steal().SCB.set_priority(SystemHandler::PendSV, 0xFF) };
}

/// Has PendSV look whose turn it is, as soon as nothing more urgent is left.
pub(super) fn request() {
    SCB::set_pendsv();
}

/// The stack of the guest in `slot`: bottom and end.
pub fn stack(slot: usize) -> (*const u32, *const u32) {
    // Only the address is taken.
    let bottom = (&raw const STACKS).cast::<Stack>().wrapping_add(slot).cast::<u32>();
    (bottom, bottom.wrapping_add(STACK_BYTES / 4))
}

/// A context that begins with `entry(argument)`. The stack is painted once, so that its figure is the deepest use of all starts.
pub(super) fn fresh(slot: usize, entry: extern "C" fn(*mut ()), argument: *mut ()) -> Context {
    static PAINTED: [AtomicBool; GUESTS] = [const { AtomicBool::new(false) }; GUESTS];
    let (bottom, end) = stack(slot);
    let (bottom, end) = (bottom.cast_mut(), end.cast_mut());
    if !PAINTED[slot].swap(true, Ordering::Relaxed) {
        // SAFETY: the whole stack, which no thread uses yet.
        unsafe { stack::paint(bottom, end) };
    }
    let frame = [argument as u32, 0, 0, 0, 0, ended as *const () as u32, entry as *const () as u32, XPSR_T];
    let stack_pointer = end.wrapping_sub(frame.len());
    // SAFETY: the eight words at the end of the stack.
    unsafe { stack_pointer.cast::<[u32; 8]>().write(frame) };
    Context {
        stack_limit: bottom as u32,
        stack_pointer: stack_pointer as u32,
        exc_return: RETURN_TO_THREAD,
        ..Context::new()
    }
}

/// Where `entry` returns to.
extern "C" fn ended() -> ! {
    bound::returned();
    loop {
        asm::nop();
    }
}

/// Chooses the next thread, and sleeps until there is one. Returns the contexts of the one before in the low word and of
/// the next one in the high word: twice the same if the thread stays.
extern "C" fn turn() -> u64 {
    with(|kernel| kernel.book(DWT::cycle_count()));
    loop {
        let contexts = with(|kernel| {
            SCB::clear_pendsv();
            let before = kernel.current();
            let chosen = kernel.choose(alarms::now_us());
            kernel.follow_deadline(alarms::set_deadline);
            let Some(next) = chosen else {
                kernel.book_unowned(DWT::cycle_count());
                asm::dsb();
                // Any interrupt ends it, and is let in at the end of this block.
                asm::wfi();
                kernel.skip(DWT::cycle_count());
                return None;
            };
            alarms::look_again(kernel.look_again());
            bound::follow(kernel.condemned_text(next));
            if next != before {
                let tls = *kernel.tls(next);
                engine_support::exchange_tls(kernel.tls(before), tls);
                CURRENT.store(next, Ordering::Relaxed);
            }
            // Also when the thread stays: what its wake-up took was booked to nobody.
            OTHERS_CYCLES.store(kernel.others_cycles(), Ordering::Relaxed);
            Some(kernel.context(before) as u64 | (kernel.context(next) as u64) << 32)
        });
        if let Some(contexts) = contexts {
            return contexts;
        }
        asm::isb();
    }
}

/// The exception's entry has stacked r0-r3, r12, lr, pc and xpsr on the thread's own stack, with room for s0-s15 and FPSCR
/// if the thread has floating-point state: then bit 4 of EXC_RETURN is 0, and s16-s31 are to be saved too; that also has
/// the core fill the room it left (lazy stacking).
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn PendSV() {
    core::arch::naked_asm!(
        "push {{r3, lr}}",
        "bl {turn}",
        "pop {{r3, lr}}",
        "cmp r0, r1",
        "it eq",
        "bxeq lr",
        "mrs r2, psp",
        "adds r0, #4",
        "stmia r0!, {{r2, lr}}",
        "stmia r0!, {{r4-r11}}",
        "tst lr, #0x10",
        "it eq",
        "vstmiaeq r0, {{s16-s31}}",
        "ldmia r1!, {{r2, r3, lr}}",
        "ldmia r1!, {{r4-r11}}",
        "tst lr, #0x10",
        "it eq",
        "vldmiaeq r1, {{s16-s31}}",
        // The limit never holds for the other thread's stack, not even between two instructions.
        "movs r0, #0",
        "msr psplim, r0",
        "msr psp, r3",
        "msr psplim, r2",
        "bx lr",
        turn = sym turn,
    )
}
