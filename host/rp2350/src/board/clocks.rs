//! Clocks: crystal, clk_ref at 12 MHz, one PLL, clk_sys and clk_peri at 150 MHz, a tick a microsecond for the timers.
//! USB, ADC and HSTX get none: nothing here uses them.

use fugit::HertzU32;
use rp235x_hal::clocks::{ClockSource, ClocksManager};
use rp235x_hal::pll::{common_configs::PLL_SYS_150MHZ, setup_pll_blocking};
use rp235x_hal::watchdog::Watchdog;
use rp235x_hal::xosc::setup_xosc_blocking_custom_delay;
use rp235x_hal::{Clock, pac};

/// Cycles of clk_sys and clk_peri a second.
pub const CLK_SYS_HZ: u32 = 150_000_000;
/// The crystal of a Pico 2.
const XOSC: HertzU32 = HertzU32::MHz(12);
/// Times about 1 ms: what Raspberry Pi's own SDK waits for this crystal. The hardware library's default is 64.
const XOSC_STARTUP_DELAY: u32 = 1;

/// Starts the clocks.
///
/// # Panics
/// The crystal or the PLL does not take these settings, which are constants.
pub fn start(
    xosc: pac::XOSC,
    pll_sys: pac::PLL_SYS,
    clocks: pac::CLOCKS,
    watchdog: pac::WATCHDOG,
    resets: &mut pac::RESETS,
) {
    const FITS: &str = "12 MHz and 150 MHz are within the limits of the chip";
    let xosc = setup_xosc_blocking_custom_delay(xosc, XOSC, XOSC_STARTUP_DELAY).expect(FITS);
    Watchdog::new(watchdog).enable_tick_generation((XOSC.to_Hz() / 1_000_000) as u16);
    let mut clocks = ClocksManager::new(clocks);
    let pll = setup_pll_blocking(pll_sys, XOSC, PLL_SYS_150MHZ, &mut clocks, resets).expect(FITS);
    clocks.reference_clock.configure_clock(&xosc, xosc.get_freq()).expect(FITS);
    clocks.system_clock.configure_clock(&pll, pll.get_freq()).expect(FITS);
    clocks.peripheral_clock.configure_clock(&clocks.system_clock, clocks.system_clock.freq()).expect(FITS);
    assert!(clocks.system_clock.freq().to_Hz() == CLK_SYS_HZ, "{FITS}");
}
