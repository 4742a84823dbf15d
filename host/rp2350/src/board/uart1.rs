//! UART1 for guests: transmit on GPIO 4, receive on GPIO 5, 8 data bits, no parity, one stop bit.
//!
//! Two rings, which the interrupt handler empties and fills. What comes when the receive ring is full is lost; writing
//! waits for room. One guest has it at a time; that is seen to by its caller.

use core::cell::RefCell;

use critical_section::Mutex;
use rp235x_hal::pac::{self, interrupt};

use super::clocks::CLK_SYS_HZ;
use super::pins::{self, Function, Pull};
use super::ring::Ring;
use crate::kernel::{self, Events, NEVER, Thread};

/// The port's pins.
pub const PINS: u32 = 1 << TX | 1 << RX;
const TX: u32 = 4;
const RX: u32 = 5;
/// Both rings. The contract promises 256 bytes of received ones.
const RING_BYTES: usize = 256;
/// Copied with interrupts off at once.
const CHUNK: usize = 64;
/// Interrupt levels: receive at an eighth of the FIFO's 32 bytes (or after a pause of 32 bits), transmit at half of it
/// (RP2350 datasheet, 12.1.8, UARTIFLS).
const RECEIVE_AT_EIGHTH: u8 = 0;
const TRANSMIT_AT_HALF: u8 = 2;

static PORT: Mutex<RefCell<Port>> =
    Mutex::new(RefCell::new(Port { sending: Ring::new(), received: Ring::new(), guest: 0 }));

struct Port {
    sending: Ring<RING_BYTES>,
    received: Ring<RING_BYTES>,
    /// Slot of the guest that has the port.
    guest: usize,
}

fn uart() -> &'static pac::uart0::RegisterBlock {
    // SAFETY: the peripheral's address. It is changed with PORT's lock held only.
    unsafe { &*pac::UART1::ptr() }
}

/// UARTIBRD and UARTFBRD for a rate: the divisor in 64ths, rounded (RP2350 datasheet, 12.1.7). None: out of reach.
pub const fn divisors(baud: u32) -> Option<(u16, u8)> {
    if baud == 0 || baud > CLK_SYS_HZ / 16 {
        return None;
    }
    // clk_peri is clk_sys.
    let divisor = (CLK_SYS_HZ as u64 * 4 + baud as u64 / 2) / baud as u64;
    if divisor / 64 > u16::MAX as u64 {
        return None;
    }
    Some(((divisor / 64) as u16, (divisor % 64) as u8))
}

/// Opens the port for the guest in `slot`, with nothing received yet.
pub fn open(slot: usize, (whole, sixty_fourths): (u16, u8)) {
    close();
    critical_section::with(|cs| {
        let mut port = PORT.borrow_ref_mut(cs);
        port.sending.clear();
        port.received.clear();
        port.guest = slot;
        let uart = uart();
        // SAFETY: `divisors` made fields of 16 and 6 bits; the levels and the word length fit theirs.
        unsafe {
            uart.uartibrd().write(|w| w.baud_divint().bits(whole));
            uart.uartfbrd().write(|w| w.baud_divfrac().bits(sixty_fourths));
            uart.uartlcr_h().write(|w| w.wlen().bits(0b11).fen().set_bit());
            uart.uartifls().write(|w| w.rxiflsel().bits(RECEIVE_AT_EIGHTH).txiflsel().bits(TRANSMIT_AT_HALF));
        }
        uart.uartimsc().write(|w| w.rxim().set_bit().rtim().set_bit());
        uart.uartcr().write(|w| w.uarten().set_bit().txe().set_bit().rxe().set_bit());
    });
    pins::connect(TX, Function::Uart, Pull::Up);
    pins::connect(RX, Function::Uart, Pull::Up);
}

/// Stops the port, at once but for a byte on its way. The transmit line is then idle, which is high.
pub fn close() {
    critical_section::with(|_| {
        let uart = uart();
        uart.uartimsc().reset();
        uart.uartcr().reset();
        // Empties the FIFOs.
        uart.uartlcr_h().reset();
    });
}

/// Queues `bytes`, waiting for room.
pub fn write(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let queued = critical_section::with(|cs| {
            let mut port = PORT.borrow_ref_mut(cs);
            let now = bytes.len().min(CHUNK).min(port.sending.room());
            port.sending.push_all(&bytes[..now]);
            port.feed();
            now
        });
        bytes = &bytes[queued..];
        if kernel::is_ending() {
            return;
        }
        if queued == 0 {
            kernel::wait(NEVER, Events::SENT);
        }
    }
}

/// The next byte that was received, if one comes before `deadline_us`.
pub fn read(deadline_us: u64) -> Option<u8> {
    loop {
        if let Some(byte) = critical_section::with(|cs| PORT.borrow_ref_mut(cs).received.pop()) {
            return Some(byte);
        }
        if kernel::now_us() >= deadline_us || kernel::is_ending() {
            return None;
        }
        kernel::wait(deadline_us, Events::RECEIVED);
    }
}

impl Port {
    /// Moves bytes to the UART until its FIFO is full, and has it ask for more if there are any.
    fn feed(&mut self) {
        let uart = uart();
        while uart.uartfr().read().txff().bit_is_clear() {
            let Some(byte) = self.sending.pop() else { break };
            // SAFETY: any byte may be sent.
            uart.uartdr().write(|w| unsafe { w.data().bits(byte) });
        }
        uart.uartimsc().write(|w| w.rxim().set_bit().rtim().set_bit().txim().bit(!self.sending.is_empty()));
    }

    /// Takes what the UART has: true if that was anything.
    fn receive(&mut self) -> bool {
        let mut any = false;
        while uart().uartfr().read().rxfe().bit_is_clear() {
            let data = uart().uartdr().read();
            // A byte that was disturbed is not what was sent.
            if data.fe().bit_is_clear() && data.be().bit_is_clear() {
                any |= self.received.push_all(&[data.data().bits()]);
            }
        }
        any
    }
}

#[interrupt]
fn UART1_IRQ() {
    let (guest, events) = critical_section::with(|cs| {
        let mut port = PORT.borrow_ref_mut(cs);
        let pending = uart().uartmis().read();
        let mut events = Events::NONE;
        if pending.txmis().bit_is_set() {
            uart().uarticr().write(|w| w.txic().clear_bit_by_one());
            port.feed();
            events = events | Events::SENT;
        }
        uart().uarticr().write(|w| w.rtic().clear_bit_by_one());
        if port.receive() {
            events = events | Events::RECEIVED;
        }
        (Thread::Guest(port.guest), events)
    });
    if !events.is_empty() {
        kernel::signal(guest, events);
    }
}
