//! Everything around the cores: memories, peripherals, and the bus that connects them (RP2350 datasheet §2).
//!
//! It promises each core the same answer at the same time; it leaves it to `chip` to let time pass, to carry interrupt
//! lines to the cores and to do what a reset does to them.

mod bus;
mod dma;

use crate::bus::Master;
use crate::diagnostic::{Diagnostic, Diagnostics, What};
use crate::flash::Flash;
use crate::peripherals::clocks::Clocks;
use crate::peripherals::dma::Dma;
use crate::peripherals::gpio::Gpio;
use crate::peripherals::oscillators::{Oscillators, Pll};
use crate::peripherals::pwm::Pwm;
use crate::peripherals::registers::{self, RegisterFile};
use crate::peripherals::resets::{self, Psm, Resets};
use crate::peripherals::sio::Sio;
use crate::peripherals::ticks::{self, Ticks};
use crate::peripherals::timer::Timer;
use crate::peripherals::uart::{TxEdge, Uart};
use crate::peripherals::watchdog::Watchdog;
use crate::rate::{Cadence, Clock};
use crate::time::Instant;

pub(crate) const ROM_SIZE: u32 = 32 * 1024;
pub(crate) const FLASH_BASE: u32 = 0x1000_0000;
pub(crate) const SRAM_BASE: u32 = 0x2000_0000;
const SRAM_SIZE: usize = 520 * 1024;
const BOOTRAM_SIZE: usize = 1024;
const APB_BASE: u32 = 0x4000_0000;
const UART0_BASE: u32 = 0x4007_0000;
const SIO_BASE: u32 = 0xd000_0000;
const SIO_END: u32 = 0xd000_0200;
const BX_LR: [u8; 2] = 0x4770_u16.to_le_bytes();
/// How many writes of one instruction are remembered for the other core's exclusive monitor: the most that one stores.
const WRITES: usize = 32;

/// The addresses written by the last instruction, while the other core runs too or holds a reservation.
#[derive(Clone)]
pub(crate) struct Writes {
    pub(crate) tracked: bool,
    addresses: [u32; WRITES],
    count: usize,
}

impl Writes {
    fn note(&mut self, address: u32) {
        self.addresses[self.count % WRITES] = address;
        self.count += 1;
    }

    pub(crate) fn take(&mut self) -> &[u32] {
        let count = std::mem::take(&mut self.count).min(WRITES);
        &self.addresses[..count]
    }
}

/// What happened on the bus that `chip` must carry on to the cores.
#[derive(Clone, Default)]
pub(crate) struct Signals {
    /// Interrupt lines or times of events may have changed.
    pub(crate) attention: bool,
    /// SEV, for the core of each index.
    pub(crate) event: [bool; 2],
    /// Cores that come out of being forced off.
    pub(crate) released: u8,
    /// The watchdog bites, or `reboot` of the boot ROM is due.
    pub(crate) watchdog_reset: bool,
    /// Power went.
    pub(crate) power_cut: bool,
    /// Where DMA has written.
    pub(crate) dma_wrote: Option<u32>,
}

#[derive(Clone)]
pub(crate) struct Soc {
    /// Start of the present clk_sys cycle, in time units.
    pub(crate) now: u64,
    /// clk_sys; `None` while it stands still.
    pub(crate) clk_sys: Option<Cadence>,
    /// The same, for what counts it.
    clk_sys_clock: Option<Clock>,
    pub(crate) signals: Signals,
    pub(crate) writes: Writes,
    /// Program counters of the instructions in execution, for diagnostics.
    pub(crate) pc: [u32; 2],
    pub(crate) diagnostics: Diagnostics,
    rom: Box<[u8]>,
    pub(crate) sram: Box<[u8]>,
    pub(crate) flash: Flash,
    bootram: [u8; BOOTRAM_SIZE],
    pub(crate) clocks: Clocks,
    pub(crate) oscillators: Oscillators,
    pub(crate) resets: Resets,
    pub(crate) psm: Psm,
    pub(crate) ticks: Ticks,
    pub(crate) timers: [Timer; 2],
    pub(crate) watchdog: Watchdog,
    /// When `reboot` of the boot ROM resets the chip.
    pub(crate) reboot_at: Option<u64>,
    pub(crate) uarts: [Uart; 2],
    pwm: Pwm,
    dma: Dma,
    /// The cycle in which DMA made its last transfer.
    dma_served: Option<u64>,
    pub(crate) gpio: Gpio,
    pub(crate) sio: Sio,
    pub(crate) powman: RegisterFile,
    sysinfo: RegisterFile,
    syscfg: RegisterFile,
    accessctrl: RegisterFile,
    busctrl: RegisterFile,
    tbman: RegisterFile,
    pads_qspi: RegisterFile,
    io_qspi: RegisterFile,
    bootlocks: RegisterFile,
    /// clk_sys cycles of SysTick's reference tick, for each core.
    pub(crate) systick: [Option<u32>; 2],
    tx_edges: Vec<TxEdge>,
}

impl Soc {
    pub(crate) fn new(rom: Box<[u8]>) -> Self {
        let mut powman = RegisterFile::powman();
        powman.set(registers::POWMAN_CHIP_RESET, registers::HAD_POR);
        let mut soc = Self {
            now: 0,
            clk_sys: None,
            clk_sys_clock: None,
            signals: Signals::default(),
            writes: Writes { tracked: false, addresses: [0; WRITES], count: 0 },
            pc: [0; 2],
            diagnostics: Diagnostics::default(),
            rom,
            sram: vec![0; SRAM_SIZE].into_boxed_slice(),
            flash: Flash::new(),
            bootram: [0; BOOTRAM_SIZE],
            clocks: Clocks::new(),
            oscillators: Oscillators::new(),
            resets: Resets::new(),
            psm: Psm::default(),
            ticks: Ticks::new(),
            timers: [Timer::new(), Timer::new()],
            watchdog: Watchdog::new(),
            reboot_at: None,
            uarts: [Uart::new(), Uart::new()],
            pwm: Pwm::new(),
            dma: Dma::new(),
            dma_served: None,
            gpio: Gpio::new(),
            sio: Sio::default(),
            powman,
            sysinfo: RegisterFile::sysinfo(),
            syscfg: RegisterFile::syscfg(),
            accessctrl: RegisterFile::accessctrl(),
            busctrl: RegisterFile::busctrl(),
            tbman: RegisterFile::tbman(),
            pads_qspi: RegisterFile::pads_qspi(),
            io_qspi: RegisterFile::io_qspi(),
            bootlocks: RegisterFile::bootram(),
            systick: [None; 2],
            tx_edges: Vec::new(),
        };
        soc.clocks_changed();
        soc
    }

    /// Resets all but memories, pads' outside, and what the arguments keep: the watchdog's memory of a watchdog reset.
    pub(crate) fn reset_everything(&mut self, keep_watchdog: bool) {
        self.reset_peripherals(resets::ALL);
        self.resets = Resets::new();
        self.psm = Psm::default();
        self.clocks = Clocks::new();
        self.oscillators = Oscillators::new();
        self.ticks = Ticks::new();
        if keep_watchdog {
            self.watchdog.soft_reset();
        } else {
            self.watchdog = Watchdog::new();
            self.powman = RegisterFile::powman();
        }
        self.reboot_at = None;
        self.accessctrl.reset();
        self.bootlocks.reset();
        self.reset_sio();
        self.clocks_changed();
    }

    /// What power-on does beyond a reset of everything: memories come up with what physics makes of them. Nobody may rely on
    /// it, so it is neither zero nor what was there.
    pub(crate) fn power_on(&mut self) {
        for memory in [&mut self.sram[..], &mut self.bootram[..]] {
            for (n, word) in memory.chunks_exact_mut(4).enumerate() {
                // Weyl's sequence, scrambled: no two words alike.
                let word_number = (n as u32 + 1).wrapping_mul(0x9e37_79b9);
                word.copy_from_slice(&(word_number ^ word_number >> 15).to_le_bytes());
            }
        }
        self.powman.set(registers::POWMAN_CHIP_RESET, registers::HAD_POR);
    }

    pub(crate) fn reset_sio(&mut self) {
        self.sio = Sio::default();
        self.gpio.sio_out = 0;
        self.gpio.sio_oe = 0;
        self.gpio.update(self.now, u64::MAX);
        self.signals.attention = true;
    }

    /// Puts the registers of these peripherals (RESETS' bits) back to their reset values.
    pub(crate) fn reset_peripherals(&mut self, mask: u32) {
        let has = |peripheral: u32| mask >> peripheral & 1 != 0;
        // From the pad inwards, so that no pin shows what goes on behind it.
        if has(resets::PADS_BANK0) {
            self.gpio.reset_pads(self.now);
        }
        if has(resets::IO_BANK0) {
            self.gpio.reset_io(self.now);
        }
        for (n, bit) in [resets::PLL_SYS, resets::PLL_USB].into_iter().enumerate() {
            if has(bit) {
                self.oscillators.pll[n] = Pll::new();
            }
        }
        for (n, bit) in [resets::TIMER0, resets::TIMER1].into_iter().enumerate() {
            if has(bit) {
                self.timers[n] = Timer::new();
            }
        }
        for (n, bit) in [resets::UART0, resets::UART1].into_iter().enumerate() {
            if has(bit) {
                self.uarts[n].reset();
                self.gpio.update_uart(self.now, n, true);
            }
        }
        if has(resets::DMA) {
            self.dma = Dma::new();
        }
        if has(resets::PWM) {
            self.pwm.reset();
            self.gpio.update_pwm(self.now, self.pwm.outputs());
        }
        for (bit, file) in [
            (resets::SYSINFO, &mut self.sysinfo),
            (resets::SYSCFG, &mut self.syscfg),
            (resets::BUSCTRL, &mut self.busctrl),
            (resets::TBMAN, &mut self.tbman),
            (resets::PADS_QSPI, &mut self.pads_qspi),
            (resets::IO_QSPI, &mut self.io_qspi),
        ] {
            if has(bit) {
                file.reset();
            }
        }
        self.clocks_changed();
    }

    /// Tells every clocked block its clock anew.
    pub(crate) fn clocks_changed(&mut self) {
        let now = self.now;
        self.clocks.follow_muxes(&self.oscillators);
        let period = self.clocks.clk_sys(&self.oscillators).map(|rate| rate.period(1));
        if self.clk_sys.map(|cadence| cadence.period()) != period {
            self.clk_sys = period.map(Cadence::new);
            self.pwm.set_clk_sys(now, self.clk_sys);
        }
        self.clk_sys_clock = Clock::follow(self.clk_sys_clock, now, period);
        self.ticks.set_clk_ref(now, self.clocks.clk_ref(&self.oscillators));
        let timers = [(ticks::TIMER0, resets::TIMER0), (ticks::TIMER1, resets::TIMER1)];
        for (timer, (which, reset)) in self.timers.iter_mut().zip(timers) {
            let released = !self.resets.holds(reset);
            let tick = self.ticks.clock(which).filter(|_| released);
            timer.set_clocks(now, tick, self.clk_sys_clock.filter(|_| released));
        }
        self.watchdog.set_clock(now, self.ticks.clock(ticks::WATCHDOG));
        for (n, which) in [ticks::PROC0, ticks::PROC1].into_iter().enumerate() {
            let tick = self.ticks.period(which);
            self.systick[n] = tick.zip(period).map(|(tick, cycle)| tick.in_cycles_of(cycle));
        }
        let clk_peri = self.clocks.clk_peri(&self.oscillators);
        for uart in &mut self.uarts {
            uart.set_clk_peri(clk_peri);
        }
        self.signals.attention = true;
    }

    /// clk_sys begins anew at `now`, after a time in which no cycle was counted.
    pub(crate) fn restart_clk_sys(&mut self) {
        self.clk_sys = None;
        self.clk_sys_clock = None;
        self.clocks_changed();
    }

    /// What the boot ROM leaves at the start of boot RAM: a function that brings back the mode in which flash is read
    /// (datasheet §5.4.8, `flash_range_erase`). The model's flash is always in that mode, so it returns.
    pub(crate) fn leave_xip_setup(&mut self) {
        self.bootram[..BX_LR.len()].copy_from_slice(&BX_LR);
    }

    pub(crate) fn rom(&self) -> &[u8] {
        &self.rom
    }

    /// When something happens next without a core's doing.
    pub(crate) fn next_event(&self) -> u64 {
        self.timers[0]
            .next_event()
            .min(self.timers[1].next_event())
            .min(self.uarts[0].next_event())
            .min(self.uarts[1].next_event())
            .min(self.pwm.next_event())
            .min(self.watchdog.next_event())
            .min(self.flash.next_event())
            .min(self.dma_next_event())
            .min(self.reboot_at.unwrap_or(u64::MAX))
    }

    /// Lets everything happen that is due.
    pub(crate) fn service(&mut self) {
        let now = self.now;
        for timer in &mut self.timers {
            timer.service(now);
        }
        for n in 0..2 {
            let mut edges = std::mem::take(&mut self.tx_edges);
            self.uarts[n].service(now, self.gpio.uart_wires(n), &mut edges);
            for edge in edges.drain(..) {
                self.gpio.update_uart(edge.at, n, edge.high);
            }
            self.tx_edges = edges;
            if self.uarts[n].take_unheard() {
                self.report(Master::Core(0), UART0_BASE + n as u32 * 0x8000, What::Unheard);
            }
        }
        // Its edges come on a cycle's beginning, so none of the above is later.
        if self.pwm.next_event() <= now {
            let gpio = &mut self.gpio;
            self.pwm.service(now, |at, outputs| gpio.update_pwm(at, outputs));
        }
        if self.watchdog.service(now) || self.reboot_at.is_some_and(|at| at <= now) {
            self.reboot_at = None;
            self.signals.watchdog_reset = true;
        }
        self.signals.power_cut |= self.flash.service(now);
        if !self.signals.power_cut {
            self.dma_service();
        }
    }

    /// The interrupt lines of a core (datasheet §3.2).
    pub(crate) fn irq_lines(&self, core: usize) -> u64 {
        let (fifo, bell) = self.sio.irq(core);
        u64::from(self.timers[0].irq())
            | u64::from(self.timers[1].irq()) << 4
            | u64::from(self.pwm.irq(0)) << 8
            | u64::from(self.pwm.irq(1)) << 9
            | (0..4).fold(0, |lines, n| lines | u64::from(self.dma.irq(n)) << (10 + n))
            | u64::from(self.gpio.irq(core)) << 21
            | u64::from(fifo) << 25
            | u64::from(bell) << 26
            | u64::from(self.uarts[0].irq()) << 33
            | u64::from(self.uarts[1].irq()) << 34
    }

    #[cold]
    pub(crate) fn report(&mut self, by: Master, address: u32, what: What) {
        let core = self.core_of(by);
        let dma = if let Master::Dma(channel) = by { Some(channel) } else { None };
        let pc = self.pc[usize::from(core & 1)];
        let at = Instant::from_units(self.now);
        self.diagnostics.report(Diagnostic { at, core, pc, dma, address, what, count: 1 });
    }
}
