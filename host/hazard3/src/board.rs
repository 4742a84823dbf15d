//! Pins and time, by the chip's registers.

use rp235x_pac as pac;
use sandhill_runtime::{Board, Stop};

/// GPIO 2 to 29: as on the Arm firmware, whose console has the first two.
pub const OUTPUTS: u32 = 0x3fff_fffc;
/// `FUNCSEL` of the single-cycle I/O block, the same on every pin (RP2350 datasheet, 9.4).
const FUNCSEL_SIO: u8 = 5;
/// The crystal of a Pico 2.
const CRYSTAL_MHZ: u16 = 12;
/// One millisecond in 256 cycles of the crystal (RP2350 datasheet, 8.2.4).
const CRYSTAL_STARTUP: u16 = 47;
/// `CLK_REF_SELECTED` has one bit for each source (RP2350 datasheet, 8.1.6); this is the crystal's.
const CRYSTAL_SELECTED: u32 = 1 << 2;

/// The chip's pins and its RISC-V timer, which counts microseconds.
pub struct Hazard3 {
    peripherals: pac::Peripherals,
    /// Pins that are outputs already, one bit each.
    outputs: u32,
    /// Those whose safe level is high.
    safe_high: u32,
}

impl Hazard3 {
    /// Starts crystal, timer and pins. Called once.
    pub fn new(safe_high: u32) -> Self {
        // SAFETY: the one place that names them, called once.
        let peripherals = unsafe { pac::Peripherals::steal() };
        start_crystal(&peripherals);
        start_timer(&peripherals);
        peripherals.RESETS.reset().modify(|_, w| w.io_bank0().clear_bit().pads_bank0().clear_bit());
        loop {
            let done = peripherals.RESETS.reset_done().read();
            if done.io_bank0().bit_is_set() && done.pads_bank0().bit_is_set() {
                break;
            }
        }
        Self { peripherals, outputs: 0, safe_high }
    }

    /// Lets `pin` drive the level that is set in `GPIO_OUT`. The pad comes last, because one that is isolated since reset
    /// holds its old level until everything behind it stands (RP2350 datasheet, 9.7).
    fn make_output(&mut self, pin: u32) {
        if self.outputs & 1 << pin != 0 {
            return;
        }
        self.outputs |= 1 << pin;
        // SAFETY: a one-bit mask; the register only sets bits.
        self.peripherals.SIO.gpio_oe_set().write(|w| unsafe { w.bits(1 << pin) });
        let pin = pin as usize;
        // SAFETY: every pin has this function.
        self.peripherals.IO_BANK0.gpio(pin).gpio_ctrl().write(|w| unsafe { w.funcsel().bits(FUNCSEL_SIO) });
        self.peripherals.PADS_BANK0.gpio(pin).modify(|_, w| w.ie().set_bit().od().clear_bit().iso().clear_bit());
    }
}

/// clk_ref, and with it clk_sys, from the ring oscillator to the crystal.
fn start_crystal(peripherals: &pac::Peripherals) {
    let crystal = &peripherals.XOSC;
    // SAFETY: any 14 bits may be written.
    crystal.startup().write(|w| unsafe { w.delay().bits(CRYSTAL_STARTUP) });
    crystal.ctrl().write(|w| w.freq_range()._1_15mhz().enable().enable());
    while crystal.status().read().stable().bit_is_clear() {}
    peripherals.CLOCKS.clk_ref_ctrl().modify(|_, w| w.src().xosc_clksrc());
    while peripherals.CLOCKS.clk_ref_selected().read().bits() != CRYSTAL_SELECTED {}
}

/// The timer that the RISC-V privileged architecture calls for, one step a microsecond (RP2350 datasheet, 3.1.8).
fn start_timer(peripherals: &pac::Peripherals) {
    let tick = peripherals.TICKS.tickriscv();
    // SAFETY: any 9 bits may be written.
    tick.cycles().write(|w| unsafe { w.bits(u32::from(CRYSTAL_MHZ)) });
    tick.ctrl().write(|w| w.enable().set_bit());
    peripherals.SIO.mtime_ctrl().write(|w| w.en().set_bit().fullspeed().clear_bit());
}

impl Board for Hazard3 {
    fn set_pin(&mut self, pin: u32, high: bool) {
        if high {
            // SAFETY: a one-bit mask; the register only sets bits.
            self.peripherals.SIO.gpio_out_set().write(|w| unsafe { w.bits(1 << pin) });
        } else {
            // SAFETY: likewise, and the register only clears bits.
            self.peripherals.SIO.gpio_out_clr().write(|w| unsafe { w.bits(1 << pin) });
        }
        self.make_output(pin);
    }

    fn toggle_pin(&mut self, pin: u32) {
        // SAFETY: a one-bit mask; the register inverts that bit.
        self.peripherals.SIO.gpio_out_xor().write(|w| unsafe { w.bits(1 << pin) });
        self.make_output(pin);
    }

    fn read_pin(&mut self, pin: u32) -> bool {
        self.peripherals.SIO.gpio_in().read().bits() >> pin & 1 != 0
    }

    // The host's policy has no input, port or pulse, so nobody gets here; a guest that did would be ended.

    fn wait_edge(&mut self, _: u32, _: bool, _: u64) -> Result<bool, Stop> {
        Err(Stop)
    }

    fn uart_write(&mut self, _: u32, _: &[u8]) -> Result<(), Stop> {
        Err(Stop)
    }

    fn uart_read(&mut self, _: u32, _: u64) -> Result<Option<u8>, Stop> {
        Err(Stop)
    }

    fn set_pwm(&mut self, _: u32, _: u32, _: u32) {}

    fn stop_pwm(&mut self, _: u32) {}

    fn now_us(&mut self) -> u64 {
        let sio = &self.peripherals.SIO;
        loop {
            let high = sio.mtimeh().read().bits();
            let low = sio.mtime().read().bits();
            if sio.mtimeh().read().bits() == high {
                return u64::from(high) << 32 | u64::from(low);
            }
        }
    }

    fn sleep_until_us(&mut self, deadline_us: u64) -> Result<(), Stop> {
        let sio = &self.peripherals.SIO;
        // High half first and at its end, so that the pair never is an earlier time (RISC-V privileged architecture, 3.2.1).
        // SAFETY: any 64 bits may be compared with.
        unsafe {
            sio.mtimecmph().write(|w| w.bits(u32::MAX));
            sio.mtimecmp().write(|w| w.bits(deadline_us as u32));
            sio.mtimecmph().write(|w| w.bits((deadline_us >> 32) as u32));
        }
        // Wakes the core without a handler, because interrupts as a whole stay off (RISC-V privileged architecture, 3.3.3).
        // SAFETY: with interrupts off nothing can interrupt.
        unsafe { riscv::register::mie::set_mtimer() };
        while self.now_us() < deadline_us {
            riscv::asm::wfi();
        }
        Ok(())
    }

    /// None that stands still while others run: there are no others, and the runtime needs no such counter.
    fn cycles(&mut self) -> u32 {
        0
    }

    fn failed(&mut self) {
        let (high, low) = (self.outputs & self.safe_high, self.outputs & !self.safe_high);
        // SAFETY: only bits of pins that the guest drives already.
        self.peripherals.SIO.gpio_out_set().write(|w| unsafe { w.bits(high) });
        // SAFETY: likewise.
        self.peripherals.SIO.gpio_out_clr().write(|w| unsafe { w.bits(low) });
    }
}
