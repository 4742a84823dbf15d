//! A Raspberry Pi Pico 2 as the guest sees it: pins and time.

use cortex_m::peripheral::DWT;
use rp235x_hal::Clock;
use rp235x_hal::pac;
use rp235x_hal::timer::{CopyableTimer0, Timer};
use sandhill_runtime::{Board, Error, Stop};

use crate::kernel::{self, Events};
use crate::{clocks, console};

/// GPIO 0 and 1 are the console.
const FIRST_PIN: u32 = 2;
/// The RP2350A has GPIO 0 to 29.
const LAST_PIN: u32 = 29;
/// `FUNCSEL` of UART0 on GPIO 0 and 1 (RP2350 datasheet, 9.4).
const FUNCSEL_UART: u8 = 2;
/// `FUNCSEL` of the single-cycle I/O block, the same on every pin.
const FUNCSEL_SIO: u8 = 5;

/// The chip after start-up: clk_sys at 150 MHz, TIMER0 counting microseconds, UART0 open.
pub struct Pico2 {
    timer: Timer<CopyableTimer0>,
    sio: pac::SIO,
    io: pac::IO_BANK0,
    pads: pac::PADS_BANK0,
    /// Pins that are outputs already, one bit each.
    outputs: u32,
}

impl Pico2 {
    /// Starts the chip and opens the console. Called once.
    pub fn new() -> Self {
        let mut peripherals = pac::Peripherals::take().expect("called once, before anything else takes them");
        let resets = &mut peripherals.RESETS;
        let clocks =
            clocks::start(peripherals.XOSC, peripherals.PLL_SYS, peripherals.CLOCKS, peripherals.WATCHDOG, resets);
        // A debugger's reset leaves peripherals as they were: let go of the pins of whatever ran before. The pads come
        // second, because their reset isolates them with the level they have.
        resets.reset().modify(|_, w| w.io_bank0().set_bit());
        resets.reset().modify(|_, w| w.pads_bank0().set_bit());
        resets.reset().modify(|_, w| w.io_bank0().clear_bit().pads_bank0().clear_bit());
        loop {
            let done = resets.reset_done().read();
            if done.io_bank0().bit_is_set() && done.pads_bank0().bit_is_set() {
                break;
            }
        }
        let timer = Timer::new_timer0(peripherals.TIMER0, resets, &clocks);

        let board =
            Self { timer, sio: peripherals.SIO, io: peripherals.IO_BANK0, pads: peripherals.PADS_BANK0, outputs: 0 };
        for pin in 0..FIRST_PIN {
            board.connect(pin, FUNCSEL_UART);
        }
        console::open(peripherals.UART0, resets, clocks.peripheral_clock.freq());
        board
    }

    /// Gives `pin` to the peripheral `function`, then opens its pad. In this order, because a pad that is isolated
    /// since reset holds its old level until everything behind it stands (RP2350 datasheet, 9.7).
    fn connect(&self, pin: u32, function: u8) {
        let pin = pin as usize;
        // SAFETY: the two callers name functions that every pin has.
        self.io.gpio(pin).gpio_ctrl().write(|w| unsafe { w.funcsel().bits(function) });
        self.pads.gpio(pin).modify(|_, w| w.ie().set_bit().od().clear_bit().iso().clear_bit());
    }

    /// Makes `pin` drive the level that is set in `GPIO_OUT`.
    fn make_output(&mut self, pin: u32) {
        // SAFETY: a one-bit mask; the register only sets bits.
        self.sio.gpio_oe_set().write(|w| unsafe { w.bits(1 << pin) });
        self.connect(pin, FUNCSEL_SIO);
        self.outputs |= 1 << pin;
    }
}

impl Board for Pico2 {
    fn set_pin(&mut self, pin: u32, high: bool) -> Result<(), Error> {
        if pin > LAST_PIN {
            return Err(Error::NoSuchPin { pin, last: LAST_PIN });
        }
        if pin < FIRST_PIN {
            return Err(Error::ReservedPin { pin, used_for: "console" });
        }
        let mask = 1 << pin;
        if high {
            // SAFETY: as in `make_output`.
            self.sio.gpio_out_set().write(|w| unsafe { w.bits(mask) });
        } else {
            // SAFETY: likewise, and the register only clears bits.
            self.sio.gpio_out_clr().write(|w| unsafe { w.bits(mask) });
        }
        if self.outputs & mask == 0 {
            self.make_output(pin);
        }
        Ok(())
    }

    fn now_us(&mut self) -> u64 {
        self.timer.get_counter().ticks()
    }

    fn sleep_until_us(&mut self, deadline_us: u64) -> Result<(), Stop> {
        kernel::wait(deadline_us, Events::NONE);
        Ok(())
    }

    fn cycles(&mut self) -> u32 {
        DWT::cycle_count()
    }
}
