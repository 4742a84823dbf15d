//! The chip's watchdog (RP2350 datasheet, 12.9): resets everything but the oscillators unless it is fed. It stands still while a debugger
//! halts a core, which is its state after reset.

use rp235x_hal::pac;

/// Its counter counts microseconds.
const PERIOD_US: u32 = 2_000_000;

fn registers() -> &'static pac::watchdog::RegisterBlock {
    // SAFETY: the peripheral's address; one thread uses it.
    unsafe { &*pac::WATCHDOG::ptr() }
}

/// Whether the last reset was the watchdog's doing.
pub fn was_reset() -> bool {
    registers().reason().read().bits() != 0
}

/// From here on it has to be fed every 2 s.
pub fn start() {
    // SAFETY: the peripheral's address, and this is its only use.
    let psm = unsafe { &*pac::PSM::ptr() };
    // SAFETY: all bits are defined.
    psm.wdsel().write(|w| unsafe { w.bits(0x01ff_ffff).rosc().clear_bit().xosc().clear_bit() });
    feed();
    registers().ctrl().modify(|_, w| w.enable().set_bit());
}

/// Begins its 2 s anew.
pub fn feed() {
    feed_for(0);
}

/// Begins its 2 s anew, after `us` microseconds in which nobody will feed it: 14 s at most.
pub fn feed_for(us: u32) {
    // The register has 24 bits.
    let load = PERIOD_US.saturating_add(us).min(0x00ff_ffff);
    // SAFETY: 24 bits.
    registers().load().write(|w| unsafe { w.load().bits(load) });
}
