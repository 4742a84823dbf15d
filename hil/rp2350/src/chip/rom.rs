//! What happens while a core's program counter is in the boot ROM.

use super::Rp2350;
use crate::bootrom::{self, Entry, boot, functions};
use crate::launch::Launch;
use crate::peripherals::registers::{POWMAN_CHIP_RESET, RESCUE_FLAG};
use crate::peripherals::resets;

/// How long the boot ROM takes from reset to the program's first instruction: 2 ms at the ring oscillator's 11 MHz. A choice:
/// the real time depends on the ring oscillator, the flash and the image.
const BOOT_CYCLES: u64 = 22_000;
/// Peripherals that the boot ROM takes out of reset before it starts a program.
const BOOT_RELEASES: u32 = 1 << resets::IO_QSPI
    | 1 << resets::PADS_QSPI
    | 1 << resets::BUSCTRL
    | 1 << resets::SYSINFO
    | 1 << resets::SYSCFG
    | 1 << resets::TBMAN;

/// A boot ROM function at work: the core stays at its entry until `until`, and interrupts wait.
#[derive(Clone, Copy)]
pub(super) struct RomCall {
    pub(super) entry: Entry,
    pub(super) until: u64,
    flash: functions::Outcome,
}

/// What to do with a core whose program counter is in ROM.
#[derive(PartialEq, Eq)]
pub(super) enum RomStep {
    /// Execute the instruction there.
    Execute,
    /// Nothing until the function's time is over.
    Wait,
    /// Look again: the core is elsewhere.
    Again,
}

impl Rp2350 {
    /// Core `n` is about to execute the ROM's instruction at `pc`: does what the model does there.
    pub(super) fn rom(&mut self, n: usize, pc: u32) -> RomStep {
        let Some(entry) = Entry::at(pc) else {
            return RomStep::Execute;
        };
        if self.cores[n].at_breakpoint() {
            return RomStep::Execute;
        }
        match entry {
            Entry::Bootsel => return RomStep::Execute,
            Entry::Core1Wait => return self.core1_wait(n),
            Entry::Reset if n == 1 => {
                self.soc.sio.drain(1);
                self.cores[1].set_reg(15, Entry::Core1Wait.address());
                return RomStep::Again;
            }
            _ => {}
        }
        let Some(call) = self.calls[n].filter(|call| call.entry == entry) else {
            self.calls[n] = Some(self.begin_call(n, pc, entry));
            return RomStep::Wait;
        };
        if self.soc.now < call.until {
            return RomStep::Wait;
        }
        self.calls[n] = None;
        if entry == Entry::Reset {
            self.boot();
            return RomStep::Again;
        }
        self.soc.pc[n] = pc;
        functions::call(&mut self.soc, &mut self.cores[n], entry, call.flash);
        self.cores[n].set_reg(15, entry.return_address());
        RomStep::Again
    }

    fn begin_call(&mut self, n: usize, pc: u32, entry: Entry) -> RomCall {
        let cycles = if entry == Entry::Reset { BOOT_CYCLES } else { functions::CALL_CYCLES };
        let begins = self.soc.now + self.soc.clk_sys.map_or(0, |mut cadence| cadence.steps(cycles));
        if entry == Entry::Reset {
            // The flash finishes what it does when the chip is reset, and the program cannot be read before.
            let until = begins.max(self.soc.flash.busy_until().unwrap_or(0));
            return RomCall { entry, until, flash: Ok(()) };
        }
        self.soc.pc[n] = pc;
        let (until, flash) = functions::begin(&mut self.soc, &self.cores[n], entry, begins);
        RomCall { entry, until, flash }
    }

    /// Ends a flash job whose core has left the function, through a reset or the debugger.
    pub(super) fn abandon_flash_job(&mut self) {
        if let Some(owner) = self.soc.flash.owner()
            && self.call_of(usize::from(owner)).is_none_or(|call| call.entry == Entry::Reset)
        {
            self.soc.flash.abandon(owner, self.soc.now);
        }
    }

    /// The launch protocol of core 1 (datasheet §5.3).
    fn core1_wait(&mut self, n: usize) -> RomStep {
        let Some(word) = self.soc.sio.pop(n) else {
            return RomStep::Execute;
        };
        let (answer, start) = self.launch.take(word);
        self.soc.sio.push(n, answer);
        self.soc.signals.event[n ^ 1] = true;
        self.soc.signals.attention = true;
        if let Some(start) = start {
            self.cores[n].start(start.vtor, start.sp, start.pc);
        }
        RomStep::Again
    }

    /// What core 0 does at the end of the boot path.
    fn boot(&mut self) {
        let flags = self.soc.powman.get(POWMAN_CHIP_RESET);
        self.soc.powman.set(POWMAN_CHIP_RESET, flags & !RESCUE_FLAG);
        let request = boot::take_request(&mut self.soc.watchdog.scratch);
        let stay = flags & RESCUE_FLAG != 0 || request == boot::Request::Bootsel;
        let start = match request {
            _ if stay => None,
            boot::Request::PcSp { pc, sp } => Some(boot::Start { vtor: 0, sp, pc }),
            _ => boot::find_image(self.soc.flash.bytes()),
        };
        match start {
            Some(start) => {
                self.soc.resets.release(BOOT_RELEASES);
                self.soc.leave_xip_setup();
                self.cores[0].start(start.vtor, start.sp, start.pc);
            }
            None => self.cores[0].set_reg(15, Entry::Bootsel.address()),
        }
    }

    pub(super) fn start_in_rom(&mut self, n: usize) {
        self.calls[n] = None;
        self.soc.flash.abandon(n as u8, self.soc.now);
        self.cores[n].start(0, bootrom::INITIAL_SP, Entry::Reset.address());
        if n == 1 {
            self.launch = Launch::default();
        }
    }
}
