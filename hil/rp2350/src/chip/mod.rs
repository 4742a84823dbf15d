//! The chip on its board: lets time pass, steps the cores, carries interrupts and events to them, and resets them.
//!
//! The order of things is fixed, so that a run is the same however it is cut into [`Rp2350::run_until`] calls: in each cycle
//! of clk_sys core 0 comes before core 1, and what peripherals do by themselves comes before the cycle it falls into.

mod power;
mod reset;
mod rom;

use crate::bootrom;
use crate::cpu::{Core, CoreState};
use crate::debug_port::{DebugPort, PortState};
use crate::diagnostic::{Diagnostic, What};
use crate::flash::{FlashOperation, Torn, Wear};
use crate::launch::Launch;
use crate::peripherals::registers::{HAD_RUN_LOW, POWMAN_CHIP_RESET};
use crate::soc::{ROM_SIZE, Soc};
use crate::{Edge, Instant, Line, RunExit};
use rom::{RomCall, RomStep};

/// The chip on its board: a Raspberry Pi Pico 2. A clone is a snapshot: given the same, it has the same future.
#[derive(Clone)]
pub struct Rp2350 {
    pub(crate) soc: Soc,
    pub(crate) cores: [Core; 2],
    pub(crate) port: PortState,
    calls: [Option<RomCall>; 2],
    launch: Launch,
    /// Interrupt lines as the cores have them.
    lines: [u64; 2],
    /// SysTick's reference, likewise.
    systick: [Option<u32>; 2],
    /// Instructions before the last reset that made the cores anew.
    instructions_before: [u64; 2],
    next_event: u64,
    run_high: bool,
    /// The board has power.
    power: bool,
}

impl Default for Rp2350 {
    fn default() -> Self {
        Self::new()
    }
}

impl Rp2350 {
    /// A Pico 2: 4 MiB of erased flash, a 12 MHz crystal, powered, RUN high.
    pub fn new() -> Self {
        let mut chip = Self {
            soc: Soc::new(bootrom::image()),
            cores: [Core::new(0), Core::new(1)],
            port: PortState::default(),
            calls: [None; 2],
            launch: Launch::default(),
            lines: [0; 2],
            systick: [None; 2],
            instructions_before: [0; 2],
            next_event: u64::MAX,
            run_high: true,
            power: true,
        };
        chip.start_in_rom(0);
        chip.start_in_rom(1);
        chip
    }

    /// The current virtual time.
    pub fn now(&self) -> Instant {
        Instant::from_units(self.soc.now)
    }

    /// Lets the chip run until `deadline`, or until the debugger halts core 0 or power goes: then time stands still.
    ///
    /// Time moves in whole cycles of clk_sys, so afterwards [`Rp2350::now`] may be up to one cycle past the deadline; every
    /// edge before it is made. How a span of time is cut into calls does not change what happens in it.
    pub fn run_until(&mut self, deadline: Instant) -> RunExit {
        let deadline = deadline.units();
        loop {
            if !self.power {
                return RunExit::PowerCut;
            }
            if !self.run_high {
                return self.pass_in_reset(deadline);
            }
            self.settle();
            if !self.power {
                return RunExit::PowerCut;
            }
            if self.cores[0].state() == CoreState::Halted {
                return RunExit::Core0Halted;
            }
            if self.soc.now >= deadline {
                return RunExit::Deadline;
            }
            self.advance(deadline);
        }
    }

    /// Appends the edges since the last call, in order of time, and forgets them.
    pub fn take_edges(&mut self, into: &mut Vec<Edge>) {
        self.soc.gpio.take_log(into);
    }

    /// The present level of a line.
    pub fn level(&self, line: Line) -> bool {
        match line {
            Line::Pin(pin) => self.soc.gpio.level(pin),
            Line::Run => self.powered(),
        }
    }

    /// Drives a pin from outside the board; `None` lets go. A pin that the chip drives keeps the chip's level.
    pub fn drive(&mut self, pin: u8, level: Option<bool>) {
        self.settle();
        self.soc.gpio.drive(self.soc.now, pin, level);
        self.soc.signals.attention = true;
    }

    /// Sets RUN. Low holds the chip in reset: SRAM is kept, all pins float low, time goes on. The debug port is reset too
    /// (datasheet §7.3).
    pub fn set_run(&mut self, high: bool) {
        if high == self.run_high {
            return;
        }
        // What was due before comes before.
        self.settle();
        self.run_high = high;
        if !self.power {
            return;
        }
        let now = self.soc.now;
        self.soc.gpio.log(now, Line::Run, high);
        if high {
            self.soc.powman.set(POWMAN_CHIP_RESET, HAD_RUN_LOW);
            self.soc.restart_clk_sys();
        } else {
            self.cold_reset();
            self.port = PortState::default();
        }
    }

    /// Appends the bytes that UART `uart` has sent since the last call, and forgets them.
    pub fn uart_take(&mut self, uart: u8, into: &mut Vec<u8>) {
        if let Some(uart) = self.soc.uarts.get_mut(usize::from(uart)) {
            uart.take_sent(into);
        }
    }

    /// Queues bytes for the receiver of UART `uart`; they arrive one after the other at its baud rate, once it is enabled.
    pub fn uart_give(&mut self, uart: u8, bytes: &[u8]) {
        self.settle();
        let now = self.soc.now;
        if let Some(uart) = self.soc.uarts.get_mut(usize::from(uart)) {
            uart.give(now, bytes);
            self.soc.signals.attention = true;
        }
    }

    /// How many of the queued bytes have not begun to arrive at UART `uart`.
    pub fn uart_waiting(&self, uart: u8) -> usize {
        self.soc.uarts.get(usize::from(uart)).map_or(0, |uart| uart.waiting())
    }

    /// The debug port.
    pub fn debug(&mut self) -> DebugPort<'_> {
        self.settle();
        DebugPort::new(self)
    }

    /// Takes the accesses to what is not modelled, each place once.
    pub fn take_diagnostics(&mut self) -> Vec<Diagnostic> {
        for n in 0..2 {
            for access in self.cores[n].take_unmodelled() {
                let written = access.written.is_some();
                let what = if written { What::UnmodelledWrite } else { What::UnmodelledRead };
                let at = Instant::from_units(self.soc.now);
                let pc = access.pc.unwrap_or(self.cores[n].pc());
                let (core, address) = (n as u8, access.addr);
                self.soc.diagnostics.report(Diagnostic { at, core, pc, dma: None, address, what, count: 1 });
            }
        }
        self.soc.diagnostics.take()
    }

    /// Instructions that `core` executed since the chip was made.
    pub fn instructions(&self, core: u8) -> u64 {
        let n = usize::from(core & 1);
        self.instructions_before[n] + self.cores[n].instructions()
    }

    /// Erases and programs of the flash since the chip was made; power cycles change nothing in it.
    pub fn wear(&self) -> &Wear {
        self.soc.flash.wear()
    }

    /// Sectors erased and pages programmed since the chip was made: each counts by itself, also where one call of a boot ROM
    /// function does several. It goes on counting over power cycles; one that power went in counts, unless nothing of it took
    /// effect ([`Torn::Nothing`]).
    pub fn flash_operations(&self) -> u64 {
        self.soc.flash.operations()
    }

    /// Appends the flash operations since the last call, in order of time, and forgets them.
    pub fn take_flash_operations(&mut self, into: &mut Vec<FlashOperation>) {
        self.soc.flash.take_log(into);
    }

    /// Power goes in flash operation number `operation`, the one that comes when [`Rp2350::flash_operations`] is `operation`:
    /// before it, in it or after it, as `done` says, at the time at which the operation has come so far. It happens once, and
    /// replaces what was asked for before; a number that has passed means never.
    pub fn cut_power_at(&mut self, operation: u64, done: Torn) {
        self.soc.flash.cut_at(operation, done);
        self.soc.signals.attention = true;
    }

    /// The flash chip's contents.
    pub fn flash(&self) -> &[u8] {
        self.soc.flash.bytes()
    }

    /// The flash chip's contents, for a board that comes programmed.
    pub fn flash_mut(&mut self) -> &mut [u8] {
        self.soc.flash.bytes_mut()
    }

    /// Whether RUN is high, and the chip able to answer.
    pub(crate) fn powered(&self) -> bool {
        self.run_high && self.power
    }

    /// Brings everything up to the present: due events, resets, interrupt lines, events between the cores.
    pub(crate) fn settle(&mut self) {
        // What attention is for may be due at once: a UART's start bit, an alarm at the present time.
        while self.powered() && (self.soc.signals.attention || self.soc.now >= self.next_event) {
            if self.soc.now >= self.next_event {
                self.abandon_flash_job();
                self.soc.service();
                if std::mem::take(&mut self.soc.signals.power_cut) {
                    self.power_goes();
                    return;
                }
                if let Some(addr) = self.soc.signals.dma_wrote.take() {
                    for core in &mut self.cores {
                        core.clear_exclusive(addr);
                    }
                }
            }
            if std::mem::take(&mut self.soc.signals.watchdog_reset) {
                self.watchdog_reset();
            }
            self.soc.signals.attention = false;
            for n in 0..2 {
                self.carry_signals(n);
            }
            self.soc.signals.released = 0;
            self.next_event = self.soc.next_event();
        }
    }

    /// Carries to core `n` what the bus has for it: events, being forced off, SysTick's reference, interrupt lines.
    fn carry_signals(&mut self, n: usize) {
        if std::mem::take(&mut self.soc.signals.event[n]) {
            self.cores[n].event();
        }
        let off = self.soc.psm.off() >> n & 1 != 0;
        if off || self.soc.signals.released >> n & 1 != 0 {
            self.cores[n].reset();
            self.start_in_rom(n);
        }
        if self.systick[n] != self.soc.systick[n] {
            self.systick[n] = self.soc.systick[n];
            self.cores[n].set_systick_reference(self.systick[n]);
        }
        let lines = self.soc.irq_lines(n);
        let mut changed = lines ^ self.lines[n];
        self.lines[n] = lines;
        while changed != 0 {
            let line = changed.trailing_zeros();
            changed &= changed - 1;
            self.cores[n].set_irq(line as u16, lines >> line & 1 != 0);
        }
    }

    /// When core `n` next needs a step, if not before `stop`. It may be now.
    fn wake_time(&self, n: usize, stop: u64) -> u64 {
        if self.soc.psm.off() >> n & 1 != 0 {
            return stop;
        }
        let core = &self.cores[n];
        if core.state() == CoreState::Halted {
            return stop;
        }
        if let Some(call) = self.call_of(n) {
            return call.until.max(self.soc.now).min(stop);
        }
        if core.wants_step() {
            return self.soc.now;
        }
        match (core.ticks_to_wake(), self.soc.clk_sys) {
            (Some(cycles), Some(mut cadence)) => self.soc.now.saturating_add(cadence.steps(cycles)).min(stop),
            _ => stop,
        }
    }

    /// The boot ROM function that core `n` waits in.
    fn call_of(&self, n: usize) -> Option<RomCall> {
        self.calls[n].filter(|call| self.cores[n].pc() == call.entry.address() && self.soc.now < call.until)
    }

    /// Lets time pass up to the next thing that needs attention, at most to `deadline`.
    fn advance(&mut self, deadline: u64) {
        let stop = deadline.min(self.next_event);
        let Some(cadence) = self.soc.clk_sys else {
            // Without clk_sys nothing but time moves.
            self.soc.now = self.soc.now.max(stop);
            return;
        };
        let wake = [self.wake_time(0, stop), self.wake_time(1, stop)];
        let awake = wake.map(|at| at <= self.soc.now);
        match awake {
            [true, true] => self.run_both(stop),
            [true, false] => self.run_one(0, stop.min(wake[1])),
            [false, true] => self.run_one(1, stop.min(wake[0])),
            [false, false] => {
                let until = wake[0].min(wake[1]);
                let cycles = cadence.cycles_for(until - self.soc.now).max(1);
                self.pass(cycles);
                for core in &mut self.cores {
                    core.sleep(cycles);
                }
            }
        }
    }

    fn pass(&mut self, cycles: u64) {
        if let Some(cadence) = &mut self.soc.clk_sys {
            self.soc.now = self.soc.now.saturating_add(cadence.steps(cycles));
        }
    }

    /// One core runs, the other sleeps.
    fn run_one(&mut self, n: usize, stop: u64) {
        let mut cycles = 0;
        self.soc.writes.tracked = self.cores[n ^ 1].has_reservation();
        loop {
            let pc = self.cores[n].pc();
            if pc < ROM_SIZE {
                match self.rom(n, pc) {
                    RomStep::Execute => {}
                    RomStep::Wait => break,
                    RomStep::Again if self.soc.signals.attention => break,
                    RomStep::Again => continue,
                }
            }
            self.soc.pc[n] = pc;
            let core = &mut self.cores[n];
            core.step(&mut self.soc);
            cycles += 1;
            if let Some(cadence) = &mut self.soc.clk_sys {
                self.soc.now += cadence.step();
            }
            if core.take_reset_request() {
                self.soc.writes.tracked = false;
                self.cores[n ^ 1].sleep(cycles);
                self.warm_reset();
                return;
            }
            let running = core.state() == CoreState::Running;
            if self.soc.writes.tracked {
                self.end_reservations(n ^ 1);
            }
            if self.soc.signals.attention || self.soc.now >= stop || !running {
                break;
            }
        }
        self.soc.writes.tracked = false;
        self.cores[n ^ 1].sleep(cycles);
    }

    /// Both cores run, in turns.
    fn run_both(&mut self, stop: u64) {
        self.soc.writes.tracked = true;
        'cycles: loop {
            for n in 0..2 {
                let pc = self.cores[n].pc();
                if pc < ROM_SIZE && !self.enter_rom(n) {
                    // It waits in a function from here on; the other one still has this cycle.
                    self.cores[n].sleep(1);
                    self.soc.signals.attention = true;
                    continue;
                }
                self.soc.pc[n] = self.cores[n].pc();
                self.cores[n].step(&mut self.soc);
                self.end_reservations(n ^ 1);
            }
            if let Some(cadence) = &mut self.soc.clk_sys {
                self.soc.now += cadence.step();
            }
            for n in 0..2 {
                if self.cores[n].take_reset_request() {
                    self.warm_reset();
                    break 'cycles;
                }
            }
            let running = self.cores.iter().all(|core| core.state() == CoreState::Running);
            if self.soc.signals.attention || self.soc.now >= stop || !running {
                break;
            }
        }
        self.soc.writes.tracked = false;
    }

    /// Ends what core `n` has reserved where the other core's last instruction wrote.
    fn end_reservations(&mut self, n: usize) {
        for &addr in self.soc.writes.take() {
            self.cores[n].clear_exclusive(addr);
        }
    }

    /// The debugger steps core 1. While core 0 is halted no time passes in which it could, so it does at once.
    pub(crate) fn step_core_1_while_core_0_is_halted(&mut self) {
        if self.cores[0].state() != CoreState::Halted || !self.cores[1].wants_step() || !self.enter_rom(1) {
            return;
        }
        self.soc.pc[1] = self.cores[1].pc();
        self.cores[1].step(&mut self.soc);
        if self.cores[1].take_reset_request() {
            self.warm_reset();
        }
    }

    /// Handles the ROM until the core is to execute an instruction (`true`) or waits in a function.
    fn enter_rom(&mut self, n: usize) -> bool {
        loop {
            let pc = self.cores[n].pc();
            if pc >= ROM_SIZE {
                return true;
            }
            match self.rom(n, pc) {
                RomStep::Execute => return true,
                RomStep::Wait => return false,
                RomStep::Again => {}
            }
        }
    }
}
