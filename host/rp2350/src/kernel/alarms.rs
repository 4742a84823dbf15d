//! TIMER0: the microseconds, and two alarms. Alarm 0 is the next deadline that a thread waits for; alarm 1 is when the
//! running thread's turn has to be looked at again (RP2350 datasheet, 12.8).

use cortex_m::peripheral::{DWT, NVIC};
use rp235x_hal::pac::{self, interrupt};

use super::{CYCLES_PER_US, NEVER, bound, switch, with};

const DEADLINE: u8 = 0;
const TURN: u8 = 1;
/// An alarm compares 32 bits: a later deadline is looked at again on the way.
const FARTHEST_US: u64 = 1 << 31;

/// The counter and the alarms 0 and 1, which nobody else uses.
fn timer() -> &'static pac::timer0::RegisterBlock {
    // SAFETY: the address is the peripheral's. The counter is only read; the alarms' registers are written by the kernel
    // alone, with interrupts off or in the handlers below.
    unsafe { &*pac::TIMER0::ptr() }
}

pub(super) fn init() {
    timer().inte().modify(|_, w| w.alarm_0().set_bit().alarm_1().set_bit());
    // SAFETY: the handlers below take the kernel's lock where they need it.
    unsafe {
        NVIC::unmask(pac::Interrupt::TIMER0_IRQ_0);
        NVIC::unmask(pac::Interrupt::TIMER0_IRQ_1);
    }
}

/// Microseconds since the clocks were started.
pub fn now_us() -> u64 {
    let timer = timer();
    loop {
        // Not through the latching pair of registers, which an interrupt could read in between.
        let high = timer.timerawh().read().bits();
        let low = timer.timerawl().read().bits();
        if timer.timerawh().read().bits() == high {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// Has alarm 0 fire at `deadline_us`, at once if that has passed. It may fire early.
pub(super) fn set_deadline(deadline_us: u64) {
    if deadline_us == NEVER {
        // SAFETY: one bit of the alarm to disarm.
        timer().armed().write(|w| unsafe { w.bits(1 << DEADLINE) });
        return;
    }
    let at = deadline_us.min(now_us() + FARTHEST_US);
    // SAFETY: the register compares with any 32 bits.
    timer().alarm0().write(|w| unsafe { w.bits(at as u32) });
    if now_us() >= at {
        // It may have been set too late, and would then fire a turn of the 32 bits later.
        NVIC::pend(pac::Interrupt::TIMER0_IRQ_0);
    }
}

/// Has alarm 1 fire when `cycles` have passed, or never.
pub(super) fn look_again(cycles: Option<u32>) {
    let Some(cycles) = cycles else {
        // SAFETY: as above.
        timer().armed().write(|w| unsafe { w.bits(1 << TURN) });
        return;
    };
    let from = timer().timerawl().read().bits();
    // One more, because the present microsecond has begun already.
    let delay_us = cycles / CYCLES_PER_US + 1;
    // SAFETY: the register compares with any 32 bits.
    timer().alarm1().write(|w| unsafe { w.bits(from.wrapping_add(delay_us)) });
    if timer().timerawl().read().bits().wrapping_sub(from) >= delay_us {
        NVIC::pend(pac::Interrupt::TIMER0_IRQ_1);
    }
}

#[interrupt]
fn TIMER0_IRQ_0() {
    timer().intr().write(|w| w.alarm_0().clear_bit_by_one());
    with(|kernel| kernel.wake_due(now_us()));
    // Also when nobody's deadline has come: the alarm has to be set again.
    switch::request();
}

#[interrupt]
fn TIMER0_IRQ_1() {
    timer().intr().write(|w| w.alarm_1().clear_bit_by_one());
    with(|kernel| {
        kernel.book(DWT::cycle_count());
        bound::check(kernel);
    });
    switch::request();
}
