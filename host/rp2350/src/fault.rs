//! The end of the firmware itself: all guests' pins are made safe, a panic or a processor fault is said on both channels,
//! then the core sleeps until the watchdog resets it.

use core::fmt;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};

use crate::board::{self, console};
use crate::kernel::GUESTS;

/// CFSR.STKOF: the stack pointer met its limit (Armv8-M reference manual, D1.2.48).
const CFSR_STKOF: u32 = 1 << 20;

/// Bit of SCB.CCR: the stack limit does not hold for the hard fault's own handler (D1.2.9). What lies below the stack is
/// free memory.
const CCR_STKOFHFNMIGN: u32 = 1 << 10;

/// Makes a stack overflow reportable.
pub fn init(scb: &mut SCB) {
    // SAFETY: the bit only concerns handlers of hard faults and NMIs.
    unsafe { scb.ccr.modify(|ccr| ccr | CCR_STKOFHFNMIGN) };
}

/// Says `what` and stays. A second failure on the way is not reported: the channels may be what failed.
fn stay(what: fmt::Arguments<'_>) -> ! {
    static FAILED: AtomicBool = AtomicBool::new(false);
    cortex_m::interrupt::disable();
    if !FAILED.load(Ordering::Relaxed) {
        FAILED.store(true, Ordering::Relaxed);
        (0..GUESTS).for_each(board::make_safe);
        console::emergency_line(format_args!("host: panic: {what}"));
        defmt::error!("host: panic: {}", defmt::Display2Format(&what));
    }
    loop {
        cortex_m::asm::wfe();
    }
}

/// A violation of the memory protection that is not a guest's end.
pub fn memory(cfsr: u32, address: usize) -> ! {
    stay(format_args!("memory fault at 0x{address:08x}, CFSR 0x{cfsr:08x}"))
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(place) => stay(format_args!("{} ({}:{})", info.message(), place.file(), place.line())),
        None => stay(format_args!("{}", info.message())),
    }
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    // SAFETY: reading the fault status has no side effect, and nothing else runs any more.
    let cfsr = unsafe { (*SCB::PTR).cfsr.read() };
    if cfsr & CFSR_STKOF != 0 {
        // Nothing was stacked, so there is no frame to read the pc from.
        stay(format_args!("native stack overflow, CFSR 0x{cfsr:08x}"))
    }
    stay(format_args!("fault at pc 0x{:08x}, CFSR 0x{cfsr:08x}", frame.pc()))
}
