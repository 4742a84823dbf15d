//! Clocks: crystal, clk_ref at 12 MHz, one PLL, clk_sys and clk_peri at 150 MHz, a tick a microsecond for timer and
//! watchdog. USB, ADC and HSTX get none: nothing here uses them.
//!
//! The crystal takes a millisecond to start. `boot.rs` has it begin with the first instructions, so that what comes in
//! between costs no time.

use rp235x_hal::pac;

/// Cycles of clk_sys and clk_peri a second: those of the PLL's oscillator divided by 5 and by 2.
pub const CLK_SYS_HZ: u32 = VCO_HZ / (POST_DIVIDER_1 as u32 * POST_DIVIDER_2 as u32);
/// The crystal of a Pico 2.
const XOSC_HZ: u32 = 12_000_000;
/// The PLL's oscillator runs at this multiple of the crystal; it has to be 750 to 1600 MHz (RP2350 datasheet, 8.6.3).
const FEEDBACK_DIVIDER: u16 = 125;
const VCO_HZ: u32 = XOSC_HZ * FEEDBACK_DIVIDER as u32;
const POST_DIVIDER_1: u8 = 5;
const POST_DIVIDER_2: u8 = 2;
const _: () = assert!(VCO_HZ >= 750_000_000 && VCO_HZ <= 1_600_000_000);

/// Where `boot.rs` finds the crystal's registers (datasheet, 2.2.4); the hardware library's pointer cannot be a constant's number.
pub const XOSC_BASE: u32 = 0x4004_8000;
/// What it writes to XOSC_STARTUP: about 1 ms in units of 256 cycles, as Raspberry Pi's own SDK has it for this crystal
/// (datasheet, 8.2.4).
pub const XOSC_STARTUP: u32 = (XOSC_HZ / 1000).div_ceil(256);
/// What it writes to XOSC_CTRL: 1 to 15 MHz, on (datasheet, 8.2.7).
pub const XOSC_CTRL: u32 = 0xfab << 12 | 0xaa0;

/// Bit of a SELECTED register for the first and the second source of a clock's glitchless multiplexer.
const FIRST: u32 = 1 << 0;
const SECOND: u32 = 1 << 1;
/// clk_ref's third source: the crystal.
const CRYSTAL: u32 = 1 << 2;

/// Starts the clocks, wherever they were: a debugger's reset leaves them running.
pub fn start(peripherals: &pac::Peripherals) {
    let clocks = &peripherals.CLOCKS;
    while peripherals.XOSC.status().read().stable().bit_is_clear() {}
    // Away from the PLL before it changes.
    clocks.clk_sys_ctrl().modify(|_, w| w.src().clk_ref());
    while clocks.clk_sys_selected().read().bits() != FIRST {}
    clocks.clk_ref_ctrl().modify(|_, w| w.src().xosc_clksrc());
    while clocks.clk_ref_selected().read().bits() != CRYSTAL {}
    start_pll(&peripherals.PLL_SYS, &peripherals.RESETS);
    clocks.clk_sys_ctrl().modify(|_, w| w.auxsrc().clksrc_pll_sys());
    clocks.clk_sys_ctrl().modify(|_, w| w.src().clksrc_clk_sys_aux());
    while clocks.clk_sys_selected().read().bits() != SECOND {}
    clocks.clk_peri_ctrl().write(|w| w.auxsrc().clk_sys().enable().set_bit());
    for tick in [peripherals.TICKS.ticktimer0(), peripherals.TICKS.tickwatchdog()] {
        // SAFETY: nine bits.
        tick.cycles().write(|w| unsafe { w.bits(XOSC_HZ / 1_000_000) });
        tick.ctrl().write(|w| w.enable().set_bit());
    }
}

/// Datasheet, 8.6.4: dividers, power for the oscillator, lock, power for the last dividers.
fn start_pll(pll: &pac::PLL_SYS, resets: &pac::RESETS) {
    resets.reset().modify(|_, w| w.pll_sys().set_bit());
    resets.reset().modify(|_, w| w.pll_sys().clear_bit());
    while resets.reset_done().read().pll_sys().bit_is_clear() {}
    // SAFETY: within its field, like the two below.
    pll.cs().write(|w| unsafe { w.refdiv().bits(1) });
    // SAFETY: as above.
    pll.fbdiv_int().write(|w| unsafe { w.fbdiv_int().bits(FEEDBACK_DIVIDER) });
    pll.pwr().modify(|_, w| w.pd().clear_bit().vcopd().clear_bit());
    while pll.cs().read().lock().bit_is_clear() {}
    // SAFETY: as above.
    pll.prim().write(|w| unsafe { w.postdiv1().bits(POST_DIVIDER_1).postdiv2().bits(POST_DIVIDER_2) });
    pll.pwr().modify(|_, w| w.postdivpd().clear_bit());
}
