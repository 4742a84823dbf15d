//! The board as one guest sees it, and what of it is whose.
//!
//! A pin, a PWM slice and the serial port have one guest at a time. Two guests whose policies name the same one do not
//! run at once: the later one is refused.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use cortex_m::peripheral::DWT;
use rp235x_hal::pac::interrupt;
use sandhill_runtime::{Board, GuestVitals, Policy, Stop};

use super::pins::{self, Edge, Function, Pull};
use super::{pwm, uart1};
use crate::engine_support;
use crate::kernel::{self, Events, GUESTS, Thread};

/// UART1 in a policy's mask of ports.
const PORT_1: u32 = 1 << 1;

/// Why a guest does not get what its policy names.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum Conflict {
    #[error("GPIO {0} is not a guest's: the board has GPIO 2 to 29 for them")]
    NoSuchPin(u32),
    #[error("GPIO {0} is UART1's: leave out the pin or the port")]
    SerialPin(u32),
    #[error("GPIO {pin} is used by slot {by}: change one of the two policies")]
    Pin { pin: u32, by: usize },
    #[error("GPIO {pin} shares its PWM generator with a pin of slot {by}: move one of them")]
    Slice { pin: u32, by: usize },
    #[error("GPIO {0} and the pin 16 away from it have the same PWM output: move one of them")]
    Twins(u32),
    #[error("no such serial port: guests have port 1")]
    NoSuchPort,
    #[error("UART1 cannot do {0} baud: the least is 144, the most 9375000")]
    Baud(u32),
}

/// What is a slot's, whether a guest runs there or not: masks of pins.
struct Claim {
    outputs: AtomicU32,
    /// Those of `outputs` and `pwm` that are safe when high.
    safe_high: AtomicU32,
    inputs: AtomicU32,
    pwm: AtomicU32,
    /// The pins of UART1, or none.
    uart: AtomicU32,
}

impl Claim {
    const fn none() -> Self {
        Self {
            outputs: AtomicU32::new(0),
            safe_high: AtomicU32::new(0),
            inputs: AtomicU32::new(0),
            pwm: AtomicU32::new(0),
            uart: AtomicU32::new(0),
        }
    }

    fn pins(&self) -> u32 {
        self.outputs.load(Relaxed) | self.inputs.load(Relaxed) | self.pwm.load(Relaxed) | self.uart.load(Relaxed)
    }
}

/// Written by [`claim`], before the guest runs that it concerns.
static CLAIMS: [Claim; GUESTS] = [const { Claim::none() }; GUESTS];

/// Gives the guest in `slot` what its policy names, for its next start. Its inputs have their pulls from here on; its
/// outputs stay as they are until it drives them: let go of, or at their safe level after a failure.
///
/// # Errors
/// The board does not have it, or the other guest does. What the slot had before is kept.
pub fn claim(slot: usize, policy: &Policy, vitals: &'static GuestVitals) -> Result<Pico2Guest, Conflict> {
    let divisors = match policy.uarts {
        0 => None,
        PORT_1 => Some(uart1::divisors(policy.uart_baud).ok_or(Conflict::Baud(policy.uart_baud))?),
        _ => return Err(Conflict::NoSuchPort),
    };
    let uart = if divisors.is_some() { uart1::PINS } else { 0 };
    let named = policy.outputs | policy.inputs | policy.pwm;
    let first = |mask: u32| pins::each(mask).next();
    if let Some(pin) = first(named & !pins::GUESTS) {
        return Err(Conflict::NoSuchPin(pin));
    }
    if let Some(pin) = first(named & uart) {
        return Err(Conflict::SerialPin(pin));
    }
    if let Some(pin) = first(pwm::twins(policy.pwm)) {
        return Err(Conflict::Twins(pin));
    }
    for (by, other) in CLAIMS.iter().enumerate().filter(|&(by, _)| by != slot) {
        if let Some(pin) = first((named | uart) & other.pins()) {
            return Err(Conflict::Pin { pin, by });
        }
        if let Some(pin) = first(policy.pwm & pwm::sharing(other.pwm.load(Relaxed))) {
            return Err(Conflict::Slice { pin, by });
        }
    }

    make_safe(slot);
    let claim = &CLAIMS[slot];
    let held = pins::driven() & (claim.outputs.load(Relaxed) | claim.pwm.load(Relaxed));
    let held = held & (policy.outputs | policy.pwm);
    for pin in pins::each(claim.pins() & !held) {
        pins::disconnect(pin);
    }
    claim.outputs.store(policy.outputs, Relaxed);
    claim.safe_high.store(policy.safe_high, Relaxed);
    claim.inputs.store(policy.inputs, Relaxed);
    claim.pwm.store(policy.pwm, Relaxed);
    claim.uart.store(uart, Relaxed);
    for pin in pins::each((policy.outputs | policy.pwm) & !held) {
        pins::connect(pin, Function::Sio, Pull::Down);
    }
    for pin in pins::each(policy.inputs) {
        let pull = match 1 << pin {
            bit if policy.pull_up & bit != 0 => Pull::Up,
            bit if policy.pull_down & bit != 0 => Pull::Down,
            _ => Pull::None,
        };
        pins::connect(pin, Function::Sio, pull);
    }
    if let Some(divisors) = divisors {
        uart1::open(slot, divisors);
    }
    Ok(Pico2Guest { slot, vitals, driven: 0, waited: 0, pulsing: 0 })
}

/// Brings all outputs of `slot` to their safe levels, stops its pulses, its serial port and its edge interrupts. From any
/// context, again and again; it takes less than 10 us. What it had stays the slot's until its next [`claim`].
pub fn make_safe(slot: usize) {
    let claim = &CLAIMS[slot];
    let pwm = claim.pwm.load(Relaxed);
    let outputs = claim.outputs.load(Relaxed) | pwm;
    let high = claim.safe_high.load(Relaxed);
    pins::set_high(high);
    pins::set_low(outputs & !high);
    pins::drive(outputs);
    if pwm != 0 {
        for pin in pins::each(pwm) {
            pins::select(pin, Function::Sio);
        }
        pwm::stop_slices(pwm);
    }
    pins::ignore_edges(claim.inputs.load(Relaxed));
    if claim.uart.load(Relaxed) != 0 {
        uart1::close();
    }
}

/// The board for the guest in one slot, from one start of it to its end.
pub struct Pico2Guest {
    slot: usize,
    vitals: &'static GuestVitals,
    /// Outputs that it has driven.
    driven: u32,
    /// Inputs that it has waited for.
    waited: u32,
    /// Pins that have pulses.
    pulsing: u32,
}

impl Pico2Guest {
    /// Has `pin` driven with the level that is set.
    #[inline]
    fn drive(&mut self, mask: u32) {
        if self.driven & mask == 0 {
            pins::drive(mask);
            self.driven |= mask;
        }
    }
}

impl Board for Pico2Guest {
    #[inline]
    fn set_pin(&mut self, pin: u32, high: bool) {
        let mask = 1 << pin;
        // The level first, so that a new output starts with it.
        if high {
            pins::set_high(mask)
        } else {
            pins::set_low(mask)
        }
        self.drive(mask);
    }

    #[inline]
    fn toggle_pin(&mut self, pin: u32) {
        let mask = 1 << pin;
        if self.driven & mask == 0 {
            pins::set_high(mask)
        } else {
            pins::toggle(mask)
        }
        self.drive(mask);
    }

    #[inline]
    fn read_pin(&mut self, pin: u32) -> bool {
        pins::levels() & 1 << pin != 0
    }

    /// The hardware remembers an edge until it is taken here; the interrupt only ends the waiting. So an edge at any moment
    /// is either seen by the look that comes before, or interrupts at once.
    fn wait_edge(&mut self, pin: u32, rising: bool, deadline_us: u64) -> Result<bool, Stop> {
        let edge = if rising { Edge::Rising } else { Edge::Falling };
        if self.waited & 1 << pin == 0 {
            self.waited |= 1 << pin;
            pins::take_edge(pin, Edge::Rising);
            pins::take_edge(pin, Edge::Falling);
        }
        loop {
            if pins::take_edge(pin, edge) {
                return Ok(true);
            }
            if kernel::now_us() >= deadline_us || kernel::is_ending() {
                return Ok(false);
            }
            pins::watch_edge(pin, edge);
            kernel::wait(deadline_us, Events::EDGE);
            pins::ignore_edges(1 << pin);
        }
    }

    fn uart_write(&mut self, _port: u32, bytes: &[u8]) -> Result<(), Stop> {
        uart1::write(bytes);
        Ok(())
    }

    fn uart_read(&mut self, _port: u32, deadline_us: u64) -> Result<Option<u8>, Stop> {
        Ok(uart1::read(deadline_us))
    }

    fn set_pwm(&mut self, pin: u32, period_us: u32, pulse_us: u32) {
        pwm::set(pin, period_us, pulse_us);
        self.pulsing |= 1 << pin;
    }

    fn stop_pwm(&mut self, pin: u32) {
        self.pulsing &= !(1 << pin);
        pwm::stop(pin, self.pulsing);
    }

    #[inline]
    fn now_us(&mut self) -> u64 {
        kernel::now_us()
    }

    fn sleep_until_us(&mut self, deadline_us: u64) -> Result<(), Stop> {
        kernel::wait(deadline_us, Events::NONE);
        Ok(())
    }

    #[inline]
    fn cycles(&mut self) -> u32 {
        kernel::cycles()
    }

    /// Ten microseconds are more than the call to [`kernel::wait`] takes.
    fn begin(&mut self) -> Result<u64, Stop> {
        let deadline_us = self.now_us() + 10;
        self.sleep_until_us(deadline_us)?;
        Ok(deadline_us)
    }

    /// Of all starts of the guest the first one's counts: the cycle counter runs since reset.
    fn first_edge(&mut self) {
        let figure = &self.vitals.boot_to_first_edge_cycles;
        if figure.get() == 0 {
            figure.set(DWT::cycle_count());
        }
    }

    #[inline]
    fn call_ends(&mut self) -> Result<(), Stop> {
        kernel::call_ends();
        Ok(())
    }

    fn failed(&mut self) {
        // A call that is not allowed gets here at once; a trap of the guest's own takes Wasmtime some time.
        let began = engine_support::trapped_at().unwrap_or_else(kernel::cycles);
        make_safe(self.slot);
        let took = kernel::cycles().wrapping_sub(began);
        self.vitals.safe_us_max.keep_max(took.div_ceil(kernel::CYCLES_PER_US));
    }
}

/// An edge that somebody waits for. That it interrupts no more is enough to end the interrupt.
#[interrupt]
fn IO_IRQ_BANK0() {
    let pins = pins::pending_edges();
    for (slot, claim) in CLAIMS.iter().enumerate() {
        if claim.inputs.load(Relaxed) & pins != 0 {
            kernel::signal(Thread::Guest(slot), Events::EDGE);
        }
    }
}
