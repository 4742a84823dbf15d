//! The console on UART0: lines for a person with a serial adapter. Each also goes to defmt over RTT.
//!
//! Writing never waits: lines go into a ring that the UART's interrupt empties. A ring that is full loses the rest of
//! the line, but not its end; the panic handler alone waits.

use core::cell::RefCell;
use core::fmt::{self, Write};

use critical_section::Mutex;
use fugit::HertzU32;
use rp235x_hal::pac::{self, interrupt};

const BAUD: u32 = 115_200;
const RING_BYTES: usize = 512;
const LINE_END: &[u8] = b"\r\n";

/// Says the same line on the console and over RTT: `report!(info, "guest: {}", name)`. RTT carries the arguments as text,
/// because they are the words of errors; the format string stays on the PC.
macro_rules! report {
    ($level:ident, $format:literal $(, $value:expr)* $(,)?) => {{
        defmt::$level!($format $(, defmt::Display2Format(&$value))*);
        $crate::console::line(format_args!($format $(, $value)*));
    }};
}
pub(crate) use report;

static CONSOLE: Mutex<RefCell<Option<Console>>> = Mutex::new(RefCell::new(None));

struct Console {
    uart: pac::UART0,
    ring: [u8; RING_BYTES],
    first: usize,
    length: usize,
}

/// Opens UART0: 8 data bits, no parity, one stop bit. Its pins are the caller's business.
pub fn open(uart: pac::UART0, resets: &mut pac::RESETS, clock: HertzU32) {
    resets.reset().modify(|_, w| w.uart0().clear_bit());
    while resets.reset_done().read().uart0().bit_is_clear() {}
    // The divisor in 64ths, rounded: UARTIBRD and UARTFBRD are its halves (RP2350 datasheet, 12.1.7).
    let divisor = (clock.to_Hz() * 4 + BAUD / 2) / BAUD;
    // SAFETY: the two fields are 16 and 6 bits wide, and the divisor of 115200 baud needs 13 at 150 MHz.
    unsafe {
        uart.uartibrd().write(|w| w.baud_divint().bits((divisor / 64) as u16));
        uart.uartfbrd().write(|w| w.baud_divfrac().bits((divisor % 64) as u8));
        uart.uartlcr_h().write(|w| w.wlen().bits(0b11).fen().set_bit());
    }
    uart.uartcr().write(|w| w.uarten().set_bit().txe().set_bit().rxe().set_bit());
    critical_section::with(|cs| {
        CONSOLE.replace(cs, Some(Console { uart, ring: [0; RING_BYTES], first: 0, length: 0 }));
    });
    // SAFETY: the handler below only takes the lock, which masks it where it matters.
    unsafe { cortex_m::peripheral::NVIC::unmask(pac::Interrupt::UART0_IRQ) };
}

/// Queues one line.
pub fn line(text: fmt::Arguments<'_>) {
    critical_section::with(|cs| {
        if let Some(console) = CONSOLE.borrow_ref_mut(cs).as_mut() {
            console.queue(text);
            console.feed();
        }
    });
}

/// Says a line after everything that is queued, and waits until all of it is with the UART. For a system that does
/// nothing else any more: interrupts are off.
pub fn emergency_line(text: fmt::Arguments<'_>) {
    critical_section::with(|cs| {
        // A panic inside `line` holds the console already, and then nothing can be said here.
        if let Ok(mut console) = CONSOLE.borrow(cs).try_borrow_mut()
            && let Some(console) = console.as_mut()
        {
            console.drain();
            console.queue(text);
            console.drain();
        }
    });
}

impl Console {
    /// Puts a line into the ring.
    fn queue(&mut self, text: fmt::Arguments<'_>) {
        // The ring drops what does not fit and never fails.
        let _ = self.write_fmt(text);
        if self.length + LINE_END.len() <= RING_BYTES {
            LINE_END.iter().for_each(|&byte| self.push(byte));
        }
    }

    /// There is room for it.
    fn push(&mut self, byte: u8) {
        self.ring[(self.first + self.length) % RING_BYTES] = byte;
        self.length += 1;
    }

    /// Moves bytes to the UART until its FIFO is full, and has it ask for more if there are any.
    fn feed(&mut self) {
        while self.length > 0 && self.uart.uartfr().read().txff().bit_is_clear() {
            let byte = self.ring[self.first];
            // SAFETY: any byte may be sent.
            self.uart.uartdr().write(|w| unsafe { w.data().bits(byte) });
            self.first = (self.first + 1) % RING_BYTES;
            self.length -= 1;
        }
        self.uart.uartimsc().write(|w| w.txim().bit(self.length > 0));
    }

    /// Waits for the UART to take everything.
    fn drain(&mut self) {
        while self.length > 0 {
            self.feed();
        }
    }
}

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // The end of the line always fits behind it.
        let room = (RING_BYTES - LINE_END.len()).saturating_sub(self.length);
        text.bytes().take(room).for_each(|byte| self.push(byte));
        Ok(())
    }
}

#[interrupt]
fn UART0_IRQ() {
    critical_section::with(|cs| {
        if let Some(console) = CONSOLE.borrow_ref_mut(cs).as_mut() {
            console.uart.uarticr().write(|w| w.txic().clear_bit_by_one());
            console.feed();
        }
    });
}
