//! Power goes and comes: what is forgotten, and what stays.
//!
//! Flash and its wear stay, as does what is outside the board: pins that something drives, bytes on their way to a UART. All
//! else is forgotten. RUN is pulled up by the board's supply, so it goes and comes with it.

use super::Rp2350;
use crate::debug_port::PortState;
use crate::{Line, RunExit};

impl Rp2350 {
    /// Takes the power away, if it is still there, and gives it back: SRAM and registers are forgotten, flash is kept. A flash
    /// operation under way takes effect as far as it has come. It takes no time.
    pub fn power_cycle(&mut self) {
        if self.power {
            self.settle();
        }
        if self.power {
            self.soc.flash.power_goes(self.soc.now);
            self.power_goes();
        }
        self.power = true;
        self.soc.power_on();
        if self.run_high {
            self.soc.gpio.log(self.soc.now, Line::Run, true);
            self.soc.restart_clk_sys();
        }
    }

    /// The board is without power from now on.
    pub(super) fn power_goes(&mut self) {
        if self.run_high {
            self.soc.gpio.log(self.soc.now, Line::Run, false);
        }
        self.cold_reset();
        self.port = PortState::default();
        self.soc.signals = Default::default();
        self.power = false;
    }

    /// Time passes up to `deadline` while RUN is low. The flash chip is not in reset, and finishes what it does.
    pub(super) fn pass_in_reset(&mut self, deadline: u64) -> RunExit {
        while self.soc.flash.next_event() <= deadline {
            self.soc.now = self.soc.now.max(self.soc.flash.next_event());
            if self.soc.flash.service(self.soc.now) {
                self.power_goes();
                return RunExit::PowerCut;
            }
        }
        self.soc.now = self.soc.now.max(deadline);
        RunExit::Deadline
    }
}
