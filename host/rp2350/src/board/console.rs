//! The console on UART0: lines for a person with a serial adapter. Each also goes to defmt over RTT.
//!
//! Writing never waits and never keeps interrupts off for more than a microsecond or two: a line is formatted first, then
//! copied into a ring that the UART's interrupt empties. A ring without room for a line loses the line; the panic handler
//! alone waits.

use core::cell::RefCell;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use critical_section::Mutex;
use defmt_rtt as _;
use rp235x_hal::pac::{self, interrupt};

use super::pins::{self, Function, Pull};
use super::ring::Ring;
use super::uart1::divisors;

const BAUD: u32 = 115_200;
/// The console's pins.
const PINS: u32 = 0b11;
/// Longest line, with its end. The rest of a longer one is lost.
const LINE_BYTES: usize = 256;
const LINE_END: &[u8] = b"\r\n";

/// How much a line matters, for those who filter the log.
#[derive(Clone, Copy)]
pub enum Level {
    Info,
    Warn,
}

/// Says the same line on the console and over RTT: `report!(info, "slot {}: {}", slot, name)`. For one thread: a line is
/// lost if another one is being reported.
macro_rules! report {
    (info, $($line:tt)+) => { $crate::board::console::line($crate::board::console::Level::Info, format_args!($($line)+)) };
    (warn, $($line:tt)+) => { $crate::board::console::line($crate::board::console::Level::Warn, format_args!($($line)+)) };
}
pub(crate) use report;

static CONSOLE: Mutex<RefCell<Console>> = Mutex::new(RefCell::new(Console { uart: None, ring: Ring::new() }));

struct Console {
    /// None until it is open. Lines wait in the ring until then.
    uart: Option<pac::UART0>,
    ring: Ring<512>,
}

/// Opens UART0: 8 data bits, no parity, one stop bit.
pub fn open(uart: pac::UART0) {
    for pin in pins::each(PINS) {
        pins::connect(pin, Function::Uart, Pull::None);
    }
    let (whole, sixty_fourths) = divisors(BAUD).expect("115200 baud is within reach");
    // SAFETY: `divisors` gives 16 and 6 bits, and a word length is 2 bits.
    unsafe {
        uart.uartibrd().write(|w| w.baud_divint().bits(whole));
        uart.uartfbrd().write(|w| w.baud_divfrac().bits(sixty_fourths));
        uart.uartlcr_h().write(|w| w.wlen().bits(0b11).fen().set_bit());
    }
    uart.uartcr().write(|w| w.uarten().set_bit().txe().set_bit().rxe().set_bit());
    critical_section::with(|cs| CONSOLE.borrow_ref_mut(cs).uart = Some(uart));
}

/// Queues one line.
pub fn line(level: Level, text: fmt::Arguments<'_>) {
    // The logger has room for one frame at a time, and takes all threads for the same.
    static REPORTING: AtomicBool = AtomicBool::new(false);
    if REPORTING.swap(true, Ordering::Acquire) {
        return;
    }
    let line = Line::format(text);
    critical_section::with(|cs| {
        let mut console = CONSOLE.borrow_ref_mut(cs);
        console.ring.push_all(line.with_end());
        console.feed();
    });
    match level {
        Level::Info => defmt::info!("{=str}", line.text()),
        Level::Warn => defmt::warn!("{=str}", line.text()),
    }
    REPORTING.store(false, Ordering::Release);
}

/// Says a line after everything that is queued, and waits until all of it is with the UART. For a system that does
/// nothing else any more: interrupts are off.
pub fn emergency_line(text: fmt::Arguments<'_>) {
    critical_section::with(|cs| {
        // A panic while the console is held cannot be said here.
        if let Ok(mut console) = CONSOLE.borrow(cs).try_borrow_mut() {
            console.drain();
            console.ring.push_all(Line::format(text).with_end());
            console.drain();
        }
    });
}

impl Console {
    /// Moves bytes to the UART until its FIFO is full, and has it ask for more if there are any.
    fn feed(&mut self) {
        let Some(uart) = &self.uart else { return };
        while uart.uartfr().read().txff().bit_is_clear() {
            let Some(byte) = self.ring.pop() else { break };
            // SAFETY: any byte may be sent.
            uart.uartdr().write(|w| unsafe { w.data().bits(byte) });
        }
        uart.uartimsc().write(|w| w.txim().bit(!self.ring.is_empty()));
    }

    /// Waits for the UART to take everything.
    fn drain(&mut self) {
        while self.uart.is_some() && !self.ring.is_empty() {
            self.feed();
        }
    }
}

/// A line being formatted.
struct Line {
    bytes: [u8; LINE_BYTES],
    length: usize,
}

impl Line {
    fn format(text: fmt::Arguments<'_>) -> Self {
        let mut line = Self { bytes: [0; LINE_BYTES], length: 0 };
        // It drops what does not fit and never fails.
        let _ = line.write_fmt(text);
        line.bytes[line.length..][..LINE_END.len()].copy_from_slice(LINE_END);
        line
    }

    fn text(&self) -> &str {
        // Lines are made of ASCII; if one is not and was cut within a character, it is not said over RTT.
        str::from_utf8(&self.bytes[..self.length]).unwrap_or("?")
    }

    fn with_end(&self) -> &[u8] {
        &self.bytes[..self.length + LINE_END.len()]
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // The end of the line always fits behind it.
        let bytes = &text.as_bytes()[..text.len().min(LINE_BYTES - LINE_END.len() - self.length)];
        self.bytes[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
        Ok(())
    }
}

#[interrupt]
fn UART0_IRQ() {
    critical_section::with(|cs| {
        let mut console = CONSOLE.borrow_ref_mut(cs);
        if let Some(uart) = &console.uart {
            uart.uarticr().write(|w| w.txic().clear_bit_by_one());
        }
        console.feed();
    });
}
