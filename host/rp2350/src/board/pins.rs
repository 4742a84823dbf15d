//! Pins by number and by mask: levels, pads, and the edges that the hardware remembers.
//!
//! Two guests, handlers and the fault handler share the banks. So every change here is one write to a register that sets,
//! clears or toggles bits, or concerns a pin that has one owner; nothing is read, changed and written back.

use rp235x_hal::pac;

use super::{clear_bits, set_bits};

/// The RP2350A has GPIO 0 to 29, and GPIO 0 and 1 are the console.
pub const GUESTS: u32 = 0x3fff_fffc;
/// Words of the interrupt registers: four bits a pin.
const WORDS: usize = 4;

/// What a pin is connected to: `FUNCSEL` (RP2350 datasheet, 9.4).
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Function {
    Uart = 2,
    Pwm = 4,
    Sio = 5,
    None = 31,
}

/// Pad control bits (RP2350 datasheet, 9.11.3).
const PAD_SCHMITT: u32 = 1 << 1;
const PAD_PULL_DOWN: u32 = 1 << 2;
const PAD_PULL_UP: u32 = 1 << 3;
const PAD_4_MA: u32 = 1 << 4;
const PAD_INPUT_ENABLE: u32 = 1 << 6;
const PAD_ISOLATED: u32 = 1 << 8;

#[derive(Clone, Copy)]
pub enum Pull {
    None,
    Up,
    Down,
}

/// The direction of an edge.
#[derive(Clone, Copy)]
pub enum Edge {
    Falling,
    Rising,
}

impl Edge {
    /// Its bit in the interrupt registers' four of `pin`, and the word they are in.
    const fn place(self, pin: u32) -> (usize, u32) {
        let bit = match self {
            Self::Falling => 4,
            Self::Rising => 8,
        };
        ((pin / 8) as usize, bit << (pin % 8 * 4))
    }
}

fn sio() -> &'static pac::sio::RegisterBlock {
    // SAFETY: the peripheral's address; see the top of this file for why sharing it is sound.
    unsafe { &*pac::SIO::ptr() }
}

fn io() -> &'static pac::io_bank0::RegisterBlock {
    // SAFETY: as in `sio`.
    unsafe { &*pac::IO_BANK0::ptr() }
}

fn pads() -> &'static pac::pads_bank0::RegisterBlock {
    // SAFETY: as in `sio`.
    unsafe { &*pac::PADS_BANK0::ptr() }
}

/// Each pin of a mask.
pub fn each(mut mask: u32) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || {
        let pin = mask.trailing_zeros();
        mask &= mask.wrapping_sub(1);
        (pin < u32::BITS).then_some(pin)
    })
}

/// Drives those of `mask` high that are outputs, at once.
pub fn set_high(mask: u32) {
    // SAFETY: the register only sets bits, here and in the functions below.
    sio().gpio_out_set().write(|w| unsafe { w.bits(mask) });
}

pub fn set_low(mask: u32) {
    // SAFETY: see `set_high`.
    sio().gpio_out_clr().write(|w| unsafe { w.bits(mask) });
}

pub fn toggle(mask: u32) {
    // SAFETY: see `set_high`.
    sio().gpio_out_xor().write(|w| unsafe { w.bits(mask) });
}

/// Makes outputs of `mask`, with the level that was last set.
pub fn drive(mask: u32) {
    // SAFETY: see `set_high`.
    sio().gpio_oe_set().write(|w| unsafe { w.bits(mask) });
}

/// Those of SIO's outputs that are driven.
pub fn driven() -> u32 {
    sio().gpio_oe().read().bits()
}

/// The levels of all pins whose input is on.
pub fn levels() -> u32 {
    sio().gpio_in().read().bits()
}

/// Chooses what drives `pin`.
pub fn select(pin: u32, function: Function) {
    // SAFETY: every pin has these functions, but Uart, which the caller asks for where it is.
    io().gpio(pin as usize).gpio_ctrl().write(|w| unsafe { w.bits(function as u32) });
}

/// Gives `pin` to `function`, then opens its pad, with its input on. In this order, because a pad that is isolated since
/// reset holds its old level until everything behind it stands (RP2350 datasheet, 9.7).
///
/// An RP2350 before A4 pulls an open input with [`Pull::Down`] to some 2.2 V once it was high (datasheet, erratum E9): there
/// such a pin needs 8.2 kOhm to ground, or less.
pub fn connect(pin: u32, function: Function, pull: Pull) {
    select(pin, function);
    let pull = match pull {
        Pull::None => 0,
        Pull::Up => PAD_PULL_UP,
        Pull::Down => PAD_PULL_DOWN,
    };
    let pad = PAD_SCHMITT | PAD_4_MA | PAD_INPUT_ENABLE | pull;
    // SAFETY: all bits of the register are written, none of them reserved.
    pads().gpio(pin as usize).write(|w| unsafe { w.bits(pad) });
}

/// Lets go of `pin`, as after reset.
pub fn disconnect(pin: u32) {
    // SAFETY: the register only clears bits.
    sio().gpio_oe_clr().write(|w| unsafe { w.bits(1 << pin) });
    select(pin, Function::None);
    let pad = PAD_SCHMITT | PAD_4_MA | PAD_PULL_DOWN | PAD_ISOLATED;
    // SAFETY: as in `connect`; these are the values after reset.
    pads().gpio(pin as usize).write(|w| unsafe { w.bits(pad) });
}

/// Takes an edge that the hardware remembers: true if there was one since the last time.
pub fn take_edge(pin: u32, edge: Edge) -> bool {
    let (word, bit) = edge.place(pin);
    let seen = io().intr(word).read().bits() & bit != 0;
    if seen {
        // SAFETY: writing ones forgets these edges only.
        io().intr(word).write(|w| unsafe { w.bits(bit) });
    }
    seen
}

/// Has an edge interrupt, also one that came already. [`pending_edges`] ends it.
pub fn watch_edge(pin: u32, edge: Edge) {
    let (word, bit) = edge.place(pin);
    // SAFETY: this pin's bit, which its owner and the handler share; the write is atomic.
    unsafe { set_bits(io().proc0_inte(word).as_ptr(), bit) };
}

/// Ends the interrupts of all edges of `mask`.
pub fn ignore_edges(mask: u32) {
    for word in 0..WORDS {
        let pins = mask >> (word * 8) & 0xff;
        if pins != 0 {
            // SAFETY: as in `watch_edge`.
            unsafe { clear_bits(io().proc0_inte(word).as_ptr(), spread(pins)) };
        }
    }
}

/// The pins that interrupt, each not any more. The hardware goes on remembering their edges.
pub fn pending_edges() -> u32 {
    let mut pins = 0;
    for word in 0..WORDS {
        let pending = io().proc0_ints(word).read().bits();
        if pending != 0 {
            // SAFETY: as in `watch_edge`.
            unsafe { clear_bits(io().proc0_inte(word).as_ptr(), pending) };
            pins |= each(pending).fold(0, |pins, bit| pins | 1 << (word as u32 * 8 + bit / 4));
        }
    }
    pins
}

/// Four ones for every one of the lower eight bits.
const fn spread(pins: u32) -> u32 {
    let pairs = (pins | pins << 12) & 0x000f_000f;
    let pairs = (pairs | pairs << 6) & 0x0303_0303;
    let bits = (pairs | pairs << 3) & 0x1111_1111;
    bits * 0xf
}

const _: () = assert!(spread(0b1000_0101) == 0xf000_0f0f && spread(0xff) == u32::MAX && spread(0) == 0);
