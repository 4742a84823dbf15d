//! The resets, and what each of them takes along (RP2350 datasheet §7.3 and §7.4).

use super::Rp2350;
use crate::cpu::Core;
use crate::peripherals::registers::{HAD_RESCUE, POWMAN_CHIP_RESET, RESCUE_FLAG};
use crate::peripherals::resets::Reach;

impl Rp2350 {
    /// A system reset request of either core resets both cores, as debuggers rely on, and nothing else: debug registers,
    /// peripherals and scratch words stay. That it reaches no peripheral is what the RP2040's datasheet says of its own
    /// (§2.4.2.9).
    pub(crate) fn warm_reset(&mut self) {
        self.soc.watchdog.reason = 0;
        for n in 0..2 {
            self.cores[n].reset();
            self.start_in_rom(n);
        }
        self.soc.signals.attention = true;
    }

    pub(super) fn watchdog_reset(&mut self) {
        match self.soc.psm.watchdog_reach() {
            Reach::Everything => {
                self.soc.reset_everything(true);
                self.reset_cores(3);
            }
            Reach::SioAndCores => {
                self.soc.reset_peripherals(self.soc.resets.wdsel());
                self.soc.reset_sio();
                self.reset_cores(3);
            }
            Reach::Cores(cores) => {
                self.soc.reset_peripherals(self.soc.resets.wdsel());
                self.reset_cores(cores);
            }
        }
    }

    fn reset_cores(&mut self, cores: u8) {
        for n in (0..2).filter(|n| cores >> n & 1 != 0) {
            self.cores[n].reset();
            self.start_in_rom(n);
        }
        self.soc.signals.attention = true;
    }

    /// A reset of the whole chip: also of the cores' debug registers.
    pub(super) fn cold_reset(&mut self) {
        self.soc.reset_everything(false);
        for n in 0..2 {
            let old = std::mem::replace(&mut self.cores[n], Core::new(n as u8));
            self.instructions_before[n] += old.instructions();
            self.lines[n] = 0;
            self.systick[n] = None;
            self.start_in_rom(n);
        }
    }

    /// The debugger's rescue reset (datasheet §3.5.8): everything but the debug port, and no boot from flash.
    pub(crate) fn rescue(&mut self) {
        self.cold_reset();
        self.soc.powman.set(POWMAN_CHIP_RESET, HAD_RESCUE | RESCUE_FLAG);
    }
}
