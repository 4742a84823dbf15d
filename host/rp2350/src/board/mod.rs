//! The Raspberry Pi Pico 2: clocks, console, watchdog, what outlives a reset, and the pins and ports of the guests.
//!
//! It promises that no call of it keeps interrupts off for longer than 5 us, since an edge of the other guest may be due,
//! but for writes of flash, for which `flash` waits for a gap; and that a guest's pins are where its policy wants them
//! within 10 us of [`make_safe`]. Which guest may use what is decided by [`claim`]; when it runs is the kernel's business.

mod bridge;
pub mod clocks;
pub mod console;
pub mod flash;
mod guest;
mod pins;
mod pwm;
pub mod retained;
mod ring;
mod uart1;
pub mod watchdog;

use cortex_m::peripheral::NVIC;
use rp235x_hal::pac;

pub use clocks::CLK_SYS_HZ;
pub use guest::{Pico2Guest, claim, make_safe};

/// Interrupt priorities, the smaller the more urgent; the upper four of eight bits count (RP2350 datasheet, 3.7.4).
/// The kernel's timers lie above and its PendSV below.
mod priority {
    pub const EDGES: u8 = 0x80;
    pub const UART1: u8 = 0xa0;
    pub const CONSOLE: u8 = 0xc0;
}

/// Starts the chip: clocks, pins let go of, TIMER0 counting microseconds, the console open. Called once, first.
pub fn start() {
    let peripherals = pac::Peripherals::take().expect("called once, before anything else takes them");
    clocks::start(&peripherals);
    let resets = &peripherals.RESETS;
    // A debugger's reset leaves peripherals as they were: let go of whatever ran before. The pads come second, because
    // their reset isolates them with the level they have.
    resets.reset().modify(|_, w| w.io_bank0().set_bit());
    resets
        .reset()
        .modify(|_, w| w.pads_bank0().set_bit().pwm().set_bit().uart0().set_bit().uart1().set_bit().dma().set_bit());
    resets.reset().modify(|_, w| {
        w.io_bank0().clear_bit().pads_bank0().clear_bit().pwm().clear_bit();
        w.uart0().clear_bit().uart1().clear_bit().timer0().clear_bit().dma().clear_bit()
    });
    loop {
        let done = resets.reset_done().read();
        let pins = done.dma().bit_is_set()
            && done.io_bank0().bit_is_set()
            && done.pads_bank0().bit_is_set()
            && done.pwm().bit_is_set();
        if pins && done.uart0().bit_is_set() && done.uart1().bit_is_set() && done.timer0().bit_is_set() {
            break;
        }
    }
    console::open(peripherals.UART0);
    // SAFETY: the core's interrupt controller; each handler shares its data through atomics or a lock that masks it.
    unsafe {
        let mut nvic = cortex_m::Peripherals::steal().NVIC;
        for (interrupt, priority) in [
            (pac::Interrupt::IO_IRQ_BANK0, priority::EDGES),
            (pac::Interrupt::UART1_IRQ, priority::UART1),
            (pac::Interrupt::UART0_IRQ, priority::CONSOLE),
        ] {
            nvic.set_priority(interrupt, priority);
            NVIC::unmask(interrupt);
        }
    }
}

/// Sets `bits` of a peripheral's register, in one write: every register but those of SIO has an alias for that (RP2350 datasheet, 2.1.3).
///
/// # Safety
/// `register` is one of a peripheral's, and whoever shares it expects the change.
unsafe fn set_bits(register: *mut u32, bits: u32) {
    // SAFETY: the caller's contract.
    unsafe { register.byte_add(0x2000).write_volatile(bits) };
}

/// Clears `bits` of a peripheral's register, in one write.
///
/// # Safety
/// As [`set_bits`].
unsafe fn clear_bits(register: *mut u32, bits: u32) {
    // SAFETY: the caller's contract.
    unsafe { register.byte_add(0x3000).write_volatile(bits) };
}
