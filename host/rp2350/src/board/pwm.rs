//! Pulse-width modulation: the chip's slices (RP2350 datasheet, 12.5), counting microseconds.
//!
//! clk_sys has a whole number of cycles a microsecond that fits the divider, so every period and pulse is exact to the
//! cycle, whichever pins share a slice. All changes of a slice that runs come into force together, when its period ends.

use rp235x_hal::pac;

use super::clocks::CLK_SYS_HZ;
use super::pins::{self, Function};

/// One count a microsecond.
const DIVIDER: u8 = {
    let cycles = CLK_SYS_HZ / 1_000_000;
    assert!(cycles * 1_000_000 == CLK_SYS_HZ && cycles <= u8::MAX as u32);
    cycles as u8
};

/// The slice of a pin: GPIO 0 to 15 are slices 0 to 7, and GPIO 16 to 29 once more (datasheet, 12.5.2).
const fn slice_of(pin: u32) -> usize {
    (pin / 2 % 8) as usize
}

/// The pins of the slices of `mask`.
pub const fn sharing(mask: u32) -> u32 {
    let pairs = (mask | mask >> 1) & 0x5555_5555;
    let slices = (pairs | pairs >> 16) & 0x5555;
    (slices | slices << 16) * 3
}

/// The pins of `mask` that show the same output as another one of it.
pub const fn twins(mask: u32) -> u32 {
    let twins = mask & mask >> 16 & 0xffff;
    twins | twins << 16
}

const _: () = assert!(sharing(1 << 17) == 0x0003_0003 && sharing(1 << 15) == 0xc000_c000 && twins(0x10003) == 0x10001);

fn slice(number: usize) -> &'static pac::pwm::CH {
    // SAFETY: the peripheral's address. A slice has one guest, whose thread is its only user, but for the end of that guest.
    unsafe { (*pac::PWM::ptr()).ch(number) }
}

/// Sends pulses of `pulse_us` every `period_us`, which is at least 1 and at most 65 535. The pin joins them with their
/// first rising edge if the slice stood still, with the next period if the other pin's pulses run already.
pub fn set(pin: u32, period_us: u32, pulse_us: u32) {
    let slice = slice(slice_of(pin));
    let top = period_us - 1;
    // A value above TOP is steady high.
    let pulse = pulse_us.min(period_us);
    // Two values of a slice share a register; nobody else writes it (see `slice`).
    let (shift, other) = if pin.is_multiple_of(2) { (0, 0xffff_0000) } else { (16, 0x0000_ffff) };
    let values = slice.cc().read().bits() & other | pulse << shift;
    if slice.csr().read().en().bit_is_set() {
        // Whichever of the two meets the end of a period alone: the pulse of that one period fits into it.
        if top >= slice.top().read().bits() {
            write_top(slice, top);
            write_values(slice, values);
        } else {
            write_values(slice, values);
            write_top(slice, top);
        }
        pins::select(pin, Function::Pwm);
    } else {
        // A slice that stands still takes its values at once. It starts in the last count of a period, where the pin is
        // low, so that the first pulse is as long as the others.
        // SAFETY: any 8 bits are a divider.
        slice.div().write(|w| unsafe { w.int().bits(DIVIDER) });
        write_top(slice, top);
        // SAFETY: 16 bits, as of `top`.
        slice.ctr().write(|w| unsafe { w.bits(top) });
        write_values(slice, values);
        pins::select(pin, Function::Pwm);
        slice.csr().write(|w| w.en().set_bit());
    }
}

/// The last count of a period, 16 bits.
fn write_top(slice: &pac::pwm::CH, top: u32) {
    // SAFETY: any 16 bits are a period.
    slice.top().write(|w| unsafe { w.bits(top) });
}

/// The pulses of both pins, 16 bits each.
fn write_values(slice: &pac::pwm::CH, values: u32) {
    // SAFETY: any 16 bits are a pulse.
    slice.cc().write(|w| unsafe { w.bits(values) });
}

/// Ends the pulses of `pin`, which is low at once. The slice goes on for `others`, those of the guest's pins that still
/// have pulses.
pub fn stop(pin: u32, others: u32) {
    pins::set_low(1 << pin);
    pins::drive(1 << pin);
    pins::select(pin, Function::Sio);
    let number = slice_of(pin);
    let keep = if pin.is_multiple_of(2) { 0xffff_0000 } else { 0x0000_ffff };
    let slice = slice(number);
    // SAFETY: 16 bits each.
    slice.cc().modify(|r, w| unsafe { w.bits(r.bits() & keep) });
    if sharing(1 << pin) & others == 0 {
        slice.csr().reset();
    }
}

/// Stops every slice of `mask`. The pins are no longer theirs.
pub fn stop_slices(mask: u32) {
    for pin in pins::each(sharing(mask) & 0x5555) {
        let slice = slice(slice_of(pin));
        slice.csr().reset();
        slice.cc().reset();
    }
}
