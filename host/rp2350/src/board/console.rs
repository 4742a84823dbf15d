//! The console on UART0: lines for a person with a serial adapter, each also said to defmt over RTT, and between them the
//! frames of the update protocol, in both directions.
//!
//! Saying a line never waits and never keeps interrupts off for more than a microsecond or two: a line is formatted first, then
//! copied into a ring that the UART's interrupt empties. A ring without room for a line loses the line; frames and the panic handler
//! wait. What is received when its ring is full is lost.

use core::cell::RefCell;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use critical_section::Mutex;
use defmt_rtt as _;
use rp235x_hal::pac::{self, interrupt};

use super::bridge;
use super::pins::{self, Function, Pull};
use super::ring::Ring;
use super::uart1::divisors;
use crate::kernel::{self, Events, Thread};

/// Bits a second after a reset.
pub const BAUD: u32 = 115_200;
/// A client that has sent a request waits for the answer: the ring holds more than the longest encoded request.
const RECEIVED_BYTES: usize = 3 * 1024;
/// Interrupt levels: receive and transmit at half of the FIFO's 32 bytes (RP2350 datasheet, 12.1.8, UARTIFLS). A receiver
/// that is quiet for 32 bits interrupts too.
const AT_HALF: u8 = 2;
/// The console's pins.
const TX: u32 = 0;
const RX: u32 = 1;
/// Bytes given to the UART with interrupts off at once: half a microsecond.
const AT_ONCE: usize = 8;
/// Longest line, with its end. The rest of a longer one is lost.
const LINE_BYTES: usize = 256;
/// What queued frames leave free, so that the lines of a trap, of a trial's end and of what runs instead are not lost behind an answer.
const FOR_LINES_BYTES: usize = 320;
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

static CONSOLE: Mutex<RefCell<Console>> =
    Mutex::new(RefCell::new(Console { uart: None, ring: Ring::new(), received: Ring::new() }));

struct Console {
    /// None until it is open. Lines wait in the ring until then.
    uart: Option<pac::UART0>,
    ring: Ring<512>,
    received: Ring<RECEIVED_BYTES>,
}

/// Opens UART0: 8 data bits, no parity, one stop bit, [`BAUD`].
pub fn open(uart: pac::UART0) {
    pins::connect(TX, Function::Uart, Pull::None);
    // The line is idle without an adapter, too.
    pins::connect(RX, Function::Uart, Pull::Up);
    start(&uart, divisors(BAUD).expect("115200 baud is within reach"));
    critical_section::with(|cs| CONSOLE.borrow_ref_mut(cs).uart = Some(uart));
}

/// Sets the rate and starts both directions. What the FIFOs hold is lost.
fn start(uart: &pac::UART0, (whole, sixty_fourths): (u16, u8)) {
    uart.uartcr().reset();
    uart.uartlcr_h().reset();
    // SAFETY: `divisors` gives 16 and 6 bits; the word length is 2 bits, a level 3.
    unsafe {
        uart.uartibrd().write(|w| w.baud_divint().bits(whole));
        uart.uartfbrd().write(|w| w.baud_divfrac().bits(sixty_fourths));
        uart.uartlcr_h().write(|w| w.wlen().bits(0b11).fen().set_bit());
        uart.uartifls().write(|w| w.rxiflsel().bits(AT_HALF).txiflsel().bits(AT_HALF));
    }
    uart.uartimsc().write(|w| w.rxim().set_bit().rtim().set_bit());
    uart.uartcr().write(|w| w.uarten().set_bit().txe().set_bit().rxe().set_bit());
}

/// Whether the port can run at this rate.
pub fn reaches(baud: u32) -> bool {
    divisors(baud).is_some()
}

/// Changes the rate once everything that is queued was sent; false if it is out of reach. For the supervisor.
pub fn set_baud(baud: u32) -> bool {
    let Some(divisors) = divisors(baud) else { return false };
    flush();
    critical_section::with(|cs| {
        let mut console = CONSOLE.borrow_ref_mut(cs);
        console.received.clear();
        if let Some(uart) = &console.uart {
            start(uart, divisors);
        }
    });
    feed();
    true
}

/// Waits until everything that is queued was sent. For the supervisor.
pub fn flush() {
    while critical_section::with(|cs| CONSOLE.borrow_ref(cs).is_sending()) {
        kernel::wait(kernel::now_us() + 500, Events::NONE);
    }
}

/// Queues bytes of a frame, whole lines of it, waiting for room. For the supervisor.
pub fn send(bytes: &[u8]) {
    loop {
        let queued = critical_section::with(|cs| {
            let ring = &mut CONSOLE.borrow_ref_mut(cs).ring;
            ring.room() >= bytes.len() + FOR_LINES_BYTES && ring.push_all(bytes)
        });
        feed();
        if queued {
            return;
        }
        kernel::wait(kernel::now_us() + 500, Events::NONE);
    }
}

/// Fills the UART's FIFO with what is queued, a few bytes at a time.
fn feed() {
    while critical_section::with(|cs| CONSOLE.borrow_ref_mut(cs).feed()) {}
}

/// Takes what was received, as much as fits: how much. [`Events::RECEIVED`] tells the supervisor of the end of a line.
pub fn receive(into: &mut [u8]) -> usize {
    critical_section::with(|cs| CONSOLE.borrow_ref_mut(cs).received.take(into))
}

/// Does `work`, with interrupts off and without a core that could receive; what arrives meanwhile is received all the same.
pub fn bridged<R>(work: impl FnOnce() -> R) -> R {
    let (done, any) = critical_section::with(|cs| {
        let mut console = CONSOLE.borrow_ref_mut(cs);
        let Console { uart: Some(uart), received, .. } = &mut *console else { return (work(), false) };
        // SAFETY: the console is borrowed and interrupts are off until it ends, so nobody else touches ring or UART.
        let bridge = unsafe { bridge::begin(uart, received.vacant()) };
        let done = work();
        let arrived: usize = bridge.end(uart).into_iter().sum();
        received.arrived(arrived);
        (done, arrived > 0)
    });
    if any {
        kernel::signal(Thread::Supervisor, Events::RECEIVED);
    }
    done
}

/// Queues one line.
pub fn line(level: Level, text: fmt::Arguments<'_>) {
    // The logger has room for one frame at a time, and takes all threads for the same.
    static REPORTING: AtomicBool = AtomicBool::new(false);
    if REPORTING.swap(true, Ordering::Acquire) {
        return;
    }
    let line = Line::format(text);
    critical_section::with(|cs| CONSOLE.borrow_ref_mut(cs).ring.push_all(line.with_end()));
    feed();
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
    /// Moves a few bytes to the UART, and has it ask for more if there are any. Whether it would take more at once.
    fn feed(&mut self) -> bool {
        let Some(uart) = &self.uart else { return false };
        let mut moved = 0;
        while moved < AT_ONCE && uart.uartfr().read().txff().bit_is_clear() {
            let Some(byte) = self.ring.pop() else { break };
            // SAFETY: any byte may be sent.
            uart.uartdr().write(|w| unsafe { w.data().bits(byte) });
            moved += 1;
        }
        uart.uartimsc().write(|w| w.rxim().set_bit().rtim().set_bit().txim().bit(!self.ring.is_empty()));
        moved == AT_ONCE
    }

    fn is_sending(&self) -> bool {
        !self.ring.is_empty() || self.uart.as_ref().is_some_and(|uart| uart.uartfr().read().busy().bit_is_set())
    }

    /// Takes what the UART has: true if a line is complete, or the ring is getting full.
    fn take(&mut self) -> bool {
        let Self { uart: Some(uart), received, .. } = self else { return false };
        let mut complete = false;
        while uart.uartfr().read().rxfe().bit_is_clear() {
            let data = uart.uartdr().read();
            // A byte that was disturbed is not what was sent.
            if data.fe().bit_is_clear() && data.be().bit_is_clear() {
                received.push_all(&[data.data().bits()]);
                complete |= data.data().bits() == b'\n';
            }
        }
        complete || received.room() < RECEIVED_BYTES / 2
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
        if let Some(uart) = &CONSOLE.borrow_ref(cs).uart {
            uart.uarticr().write(|w| w.txic().clear_bit_by_one().rtic().clear_bit_by_one());
        }
    });
    // Up to the FIFO's end: the UART asks again only when it falls to its level from above.
    feed();
    if critical_section::with(|cs| CONSOLE.borrow_ref_mut(cs).take()) {
        kernel::signal(Thread::Supervisor, Events::RECEIVED);
    }
}
