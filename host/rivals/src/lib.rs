//! What every program here needs of the chip: to be started, one output, an end.
//!
//! The programs run the compute guest without Sandhill, so that its cost can be told: as native code, and in another
//! interpreter. They set up no clock (the chip starts on its ring oscillator), because `hil/compare` counts
//! instructions. What it measures is outside: edges, memory that was touched, and the symbol `HEAP_PEAK` where there is
//! a heap.

#![no_std]

use core::panic::PanicInfo;

use rp235x_hal::block::ImageDef;
use rp235x_hal::pac;

/// Tells the boot ROM that this flash holds a secure-mode Arm program (RP2350 datasheet, 5.9.3).
#[unsafe(link_section = ".start_block")]
#[used]
pub static IMAGE_DEF: ImageDef = ImageDef::secure_exe();

/// `FUNCSEL` of the single-cycle I/O block, the same on every pin (RP2350 datasheet, 9.4).
const FUNCSEL_SIO: u8 = 5;

/// The single-cycle I/O block, for one program with one thread.
pub struct Pins {
    sio: pac::SIO,
    io: pac::IO_BANK0,
    pads: pac::PADS_BANK0,
    outputs: u32,
}

impl Pins {
    /// Takes the pins out of reset. Called once.
    pub fn new() -> Self {
        let peripherals = pac::Peripherals::take().expect("called once");
        let resets = peripherals.RESETS;
        resets.reset().modify(|_, w| w.io_bank0().clear_bit().pads_bank0().clear_bit());
        loop {
            let done = resets.reset_done().read();
            if done.io_bank0().bit_is_set() && done.pads_bank0().bit_is_set() {
                break;
            }
        }
        Self { sio: peripherals.SIO, io: peripherals.IO_BANK0, pads: peripherals.PADS_BANK0, outputs: 0 }
    }

    /// `gpio.toggle` of `wit/platform.wit`.
    ///
    /// # Panics
    /// The chip has no such pin.
    pub fn toggle(&mut self, pin: u32) {
        assert!(pin < 30, "the chip has GPIO 0 to 29");
        let mask = 1 << pin;
        // SAFETY: any mask may be written; the pin exists.
        self.sio.gpio_out_xor().write(|w| unsafe { w.bits(mask) });
        if self.outputs & mask == 0 {
            self.outputs |= mask;
            // SAFETY: a one-bit mask; the register only sets bits.
            self.sio.gpio_oe_set().write(|w| unsafe { w.bits(mask) });
            // SAFETY: every pin has this function.
            self.io.gpio(pin as usize).gpio_ctrl().write(|w| unsafe { w.funcsel().bits(FUNCSEL_SIO) });
            self.pads.gpio(pin as usize).modify(|_, w| w.ie().set_bit().od().clear_bit().iso().clear_bit());
        }
    }
}

impl Default for Pins {
    fn default() -> Self {
        Self::new()
    }
}

/// No channel to say why: whoever counts edges sees that none comes any more.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        cortex_m::asm::wfe();
    }
}
