//! Everything around the cores: memories, peripherals, and the bus that connects them (RP2350 datasheet §2).
//!
//! It promises each core the same answer at the same time; it leaves it to `chip` to let time pass, to carry interrupt
//! lines to the cores and to do what a reset does to them.

use crate::bus::{Bus, BusFault, CpKind, CpOp, CpResult, Master, Size};
use crate::diagnostic::{Diagnostic, Diagnostics, What};
use crate::flash::Flash;
use crate::memory;
use crate::peripherals::clocks::Clocks;
use crate::peripherals::gpio::Gpio;
use crate::peripherals::oscillators::{Oscillators, Pll};
use crate::peripherals::registers::{self, RegisterFile};
use crate::peripherals::resets::{self, Psm, Resets};
use crate::peripherals::sio::Sio;
use crate::peripherals::ticks::{self, Ticks};
use crate::peripherals::timer::Timer;
use crate::peripherals::uart::{TxEdge, Uart};
use crate::peripherals::watchdog::Watchdog;
use crate::rate::Cadence;
use crate::time::Instant;

pub(crate) const ROM_SIZE: u32 = 32 * 1024;
pub(crate) const FLASH_BASE: u32 = 0x1000_0000;
pub(crate) const SRAM_BASE: u32 = 0x2000_0000;
const SRAM_SIZE: usize = 520 * 1024;
const BOOTRAM_SIZE: usize = 1024;
const APB_BASE: u32 = 0x4000_0000;
const SIO_BASE: u32 = 0xd000_0000;
const SIO_END: u32 = 0xd000_0200;
/// How many writes of one instruction are remembered for the other core's exclusive monitor: the most that one stores.
const WRITES: usize = 32;

/// The addresses written by the last instruction, while both cores run.
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
#[derive(Default)]
pub(crate) struct Signals {
    /// Interrupt lines or times of events may have changed.
    pub(crate) attention: bool,
    /// SEV, for the core of each index.
    pub(crate) event: [bool; 2],
    /// Cores that come out of being forced off.
    pub(crate) released: u8,
    /// The watchdog bites, or `reboot` of the boot ROM is due.
    pub(crate) watchdog_reset: bool,
    /// Writes that another core's exclusive monitor must see, made by the debugger.
    pub(crate) debugger_write: Option<u32>,
}

pub(crate) struct Soc {
    /// Start of the present clk_sys cycle, in time units.
    pub(crate) now: u64,
    /// clk_sys; `None` while it stands still.
    pub(crate) clk_sys: Option<Cadence>,
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
    tx_edges: Vec<TxEdge>,
}

/// A register access: `Reserved` is no error on the chip, and reported here.
enum Answer<T> {
    Done(T),
    Reserved,
    InReset,
    Nothing,
}

impl<T> From<Option<T>> for Answer<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Answer::Reserved, Answer::Done)
    }
}

impl Soc {
    pub(crate) fn new(rom: Box<[u8]>) -> Self {
        let mut powman = RegisterFile::powman();
        powman.set(registers::POWMAN_CHIP_RESET, registers::HAD_POR);
        let mut soc = Self {
            now: 0,
            clk_sys: None,
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
        if has(resets::IO_BANK0) {
            self.gpio.reset_io(self.now);
        }
        if has(resets::PADS_BANK0) {
            self.gpio.reset_pads(self.now);
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
        let clk_sys = self.clocks.clk_sys(&self.oscillators).map(|rate| rate.period(1));
        if self.clk_sys.map(|cadence| cadence.period()) != clk_sys {
            self.clk_sys = clk_sys.map(Cadence::new);
        }
        self.ticks.set_clk_ref(now, self.clocks.clk_ref(&self.oscillators));
        for (timer, which) in self.timers.iter_mut().zip([ticks::TIMER0, ticks::TIMER1]) {
            timer.set_periods(now, self.ticks.period(which), clk_sys);
        }
        self.watchdog.set_period(now, self.ticks.period(ticks::WATCHDOG));
        let clk_peri = self.clocks.clk_peri(&self.oscillators);
        for uart in &mut self.uarts {
            uart.set_clk_peri(clk_peri);
        }
        self.signals.attention = true;
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
            .min(self.watchdog.next_event())
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
            self.uarts[n].service(now, &mut edges);
            for edge in edges.drain(..) {
                self.gpio.update_uart(edge.at, n, edge.high);
            }
            self.tx_edges = edges;
        }
        if self.watchdog.service(now) || self.reboot_at.is_some_and(|at| at <= now) {
            self.reboot_at = None;
            self.signals.watchdog_reset = true;
        }
    }

    /// The interrupt lines of a core (datasheet §3.2).
    pub(crate) fn irq_lines(&self, core: usize) -> u64 {
        let (fifo, bell) = self.sio.irq(core);
        u64::from(self.timers[0].irq())
            | u64::from(self.timers[1].irq()) << 4
            | u64::from(self.gpio.irq(core)) << 21
            | u64::from(fifo) << 25
            | u64::from(bell) << 26
            | u64::from(self.uarts[0].irq()) << 33
            | u64::from(self.uarts[1].irq()) << 34
    }

    #[cold]
    pub(crate) fn report(&mut self, core: u8, address: u32, what: What) {
        let pc = self.pc[usize::from(core & 1)];
        let at = Instant::from_units(self.now);
        self.diagnostics.report(Diagnostic { at, core, pc, address, what, count: 1 });
    }

    /// Where in flash an XIP address leads: the cached window and its uncached and untranslated aliases (datasheet §2.2.2).
    #[inline(always)]
    fn flash_offset(addr: u32) -> usize {
        (addr & if addr >> 24 == 0x1c || addr >> 24 == 0x14 { 0x00ff_ffff } else { 0x0fff_ffff }) as usize
    }

    fn register_read(&mut self, core: usize, addr: u32, peek: bool) -> Answer<u32> {
        let (now, offset) = (self.now, addr & 0xfff);
        if let Some(bit) = reset_of(addr)
            && self.resets.holds(bit)
        {
            return Answer::InReset;
        }
        match addr & !0x3fff {
            0x4000_0000 => self.sysinfo.read(offset).into(),
            0x4000_8000 => self.syscfg.read(offset).into(),
            0x4001_0000 => self.clocks.read(now, offset).into(),
            0x4001_8000 => self.psm.read(offset).into(),
            0x4002_0000 => self.resets.read(offset).into(),
            0x4002_8000 => self.gpio.read_io(offset).into(),
            0x4003_0000 => self.io_qspi.read(offset).into(),
            0x4003_8000 => self.gpio.read_pads(offset).into(),
            0x4004_0000 => self.pads_qspi.read(offset).into(),
            0x4004_8000 => self.oscillators.read_xosc(now, offset).into(),
            0x4005_0000 => self.oscillators.pll[0].read(now, offset).into(),
            0x4005_8000 => self.oscillators.pll[1].read(now, offset).into(),
            0x4006_0000 => self.accessctrl.read(offset).into(),
            0x4006_8000 => self.busctrl.read(offset).into(),
            0x4007_0000 | 0x4007_8000 => {
                let uart = &mut self.uarts[(addr >> 15 & 1) as usize];
                if peek {
                    return uart.peek(offset).into();
                }
                self.signals.attention = true;
                uart.read(offset).into()
            }
            0x400b_0000 | 0x400b_8000 => self.timers[(addr >> 15 & 1) as usize].read(now, offset).into(),
            0x400d_8000 => self.watchdog.read(now, offset).into(),
            0x400e_0000 if offset < 0x400 => memory::read_word(&self.bootram, offset as usize).into(),
            0x400e_0000 => self.bootlocks.read(offset).into(),
            0x400e_8000 => self.oscillators.read_rosc(offset).into(),
            0x4010_0000 => self.powman.read(offset).into(),
            0x4010_8000 => self.ticks.read(now, offset).into(),
            0x4016_0000 => self.tbman.read(offset).into(),
            SIO_BASE if addr < SIO_END => {
                let answer = self.sio.read(&self.gpio, core, offset);
                self.signals.attention |= std::mem::take(&mut self.sio.changed);
                answer.into()
            }
            _ => Answer::Nothing,
        }
    }

    fn register_write(&mut self, core: usize, addr: u32, value: u32) -> Answer<()> {
        let (now, offset) = (self.now, addr & 0xfff);
        if let Some(bit) = reset_of(addr)
            && self.resets.holds(bit)
        {
            return Answer::InReset;
        }
        if addr & !0x3fff == SIO_BASE && addr < SIO_END {
            let answer = self.sio.write(&mut self.gpio, now, core, offset, value);
            self.signals.attention |= std::mem::take(&mut self.sio.changed);
            return answer.into();
        }
        self.signals.attention = true;
        let mut clocks = false;
        let answer = match addr & !0x3fff {
            0x4000_0000 => self.sysinfo.write(offset, value),
            0x4000_8000 => self.syscfg.write(offset, value),
            0x4001_0000 => {
                clocks = true;
                self.clocks.write(now, &self.oscillators, offset, value)
            }
            0x4001_8000 => self.psm.write(offset, value).map(|cores| self.signals.released |= cores),
            0x4002_0000 => self.resets.write(offset, value).map(|entering| self.reset_peripherals(entering)),
            0x4002_8000 => match self.gpio.write_io(now, offset, value) {
                Some(Some(what)) => {
                    self.report(core as u8, addr, what);
                    Some(())
                }
                answer => answer.map(|_| ()),
            },
            0x4003_0000 => self.io_qspi.write(offset, value),
            0x4003_8000 => self.gpio.write_pads(now, offset, value),
            0x4004_0000 => self.pads_qspi.write(offset, value),
            0x4004_8000 => {
                clocks = true;
                self.oscillators.write_xosc(now, offset, value)
            }
            0x4005_0000 | 0x4005_8000 => {
                clocks = true;
                self.oscillators.pll[(addr >> 15 & 1) as usize].write(now, offset, value)
            }
            0x4006_0000 => self.accessctrl.write(offset, value),
            0x4006_8000 => self.busctrl.write(offset, value),
            0x4007_0000 | 0x4007_8000 => {
                let n = (addr >> 15 & 1) as usize;
                let answer = self.uarts[n].write(now, offset, value);
                let level = self.uarts[n].tx_level();
                self.gpio.update_uart(now, n, level);
                answer
            }
            0x400b_0000 | 0x400b_8000 => self.timers[(addr >> 15 & 1) as usize].write(now, offset, value),
            0x400d_8000 => self.watchdog.write(now, offset, value),
            0x400e_0000 if offset < 0x400 => memory::write(&mut self.bootram, offset as usize, Size::Word, value),
            0x400e_0000 => self.bootlocks.write(offset, value),
            0x400e_8000 => {
                clocks = true;
                self.oscillators.write_rosc(offset, value)
            }
            0x4010_0000 => self.powman.write(offset, value),
            0x4010_8000 => {
                clocks = true;
                self.ticks.write(now, offset, value)
            }
            0x4016_0000 => self.tbman.write(offset, value),
            _ => return Answer::Nothing,
        };
        if clocks {
            self.clocks_changed();
        }
        answer.into()
    }

    fn peripheral_read(&mut self, master: Master, addr: u32, size: Size) -> Result<u32, BusFault> {
        let core = core_of(master);
        let word = if addr >> 28 == 4 { addr & !0x3003 } else { addr & !3 };
        let value = match self.register_read(usize::from(core), word, false) {
            Answer::Done(value) => value,
            Answer::Reserved => {
                self.report(core, addr, What::ReservedRead);
                0
            }
            Answer::InReset => {
                self.report(core, addr, What::InReset);
                0
            }
            Answer::Nothing => {
                self.report(core, addr, What::UnmodelledRead);
                return Err(BusFault);
            }
        };
        let value = value >> ((addr & 3) * 8);
        Ok(match size {
            Size::Byte => value & 0xff,
            Size::Half => value & 0xffff,
            Size::Word => value,
        })
    }

    /// Narrow writes reach a peripheral replicated over the word (datasheet §2.1.5); atomic aliases read, modify and write
    /// (§2.1.3).
    fn peripheral_write(&mut self, master: Master, addr: u32, size: Size, value: u32) -> Result<(), BusFault> {
        let core = core_of(master);
        let value = match size {
            Size::Byte => (value & 0xff) * 0x0101_0101,
            Size::Half => (value & 0xffff) * 0x0001_0001,
            Size::Word => value,
        };
        let aliased = addr >> 28 == 4;
        let word = if aliased { addr & !0x3003 } else { addr & !3 };
        let alias = if aliased { addr >> 12 & 3 } else { 0 };
        let value = match alias {
            0 => Some(value),
            alias => match self.register_read(usize::from(core), word, true) {
                Answer::Done(old) => Some(match alias {
                    1 => old ^ value,
                    2 => old | value,
                    _ => old & !value,
                }),
                _ => Some(value),
            },
        };
        match value.map(|value| self.register_write(usize::from(core), word, value)) {
            Some(Answer::Done(())) | None => Ok(()),
            Some(Answer::Reserved) => {
                self.report(core, addr, What::ReservedWrite);
                Ok(())
            }
            Some(Answer::InReset) => {
                self.report(core, addr, What::InReset);
                Ok(())
            }
            Some(Answer::Nothing) => {
                self.report(core, addr, What::UnmodelledWrite);
                Err(BusFault)
            }
        }
    }

    #[cold]
    fn no_memory(&mut self, core: u8, addr: u32, what: What) -> BusFault {
        self.report(core, addr, what);
        BusFault
    }
}

fn core_of(master: Master) -> u8 {
    match master {
        Master::Core(core) | Master::Debugger(core) => core & 1,
    }
}

/// Which bit of RESETS holds the peripheral at `addr`.
fn reset_of(addr: u32) -> Option<u32> {
    Some(match addr & !0x3fff {
        0x4000_0000 => resets::SYSINFO,
        0x4000_8000 => resets::SYSCFG,
        0x4002_8000 => resets::IO_BANK0,
        0x4003_0000 => resets::IO_QSPI,
        0x4003_8000 => resets::PADS_BANK0,
        0x4004_0000 => resets::PADS_QSPI,
        0x4005_0000 => resets::PLL_SYS,
        0x4005_8000 => resets::PLL_USB,
        0x4006_8000 => resets::BUSCTRL,
        0x4007_0000 => resets::UART0,
        0x4007_8000 => resets::UART1,
        0x400b_0000 => resets::TIMER0,
        0x400b_8000 => resets::TIMER1,
        0x4016_0000 => resets::TBMAN,
        _ => return None,
    })
}

impl Bus for Soc {
    #[inline(always)]
    fn fetch(&mut self, core: u8, addr: u32) -> Result<u16, BusFault> {
        let half = match addr >> 28 {
            1 => memory::read_half(self.flash.bytes(), Self::flash_offset(addr)),
            2 => memory::read_half(&self.sram, (addr - SRAM_BASE) as usize),
            0 => memory::read_half(&self.rom, addr as usize),
            _ => None,
        };
        match half {
            Some(half) => Ok(half),
            None => Err(self.no_memory(core, addr, What::UnmodelledRead)),
        }
    }

    #[inline]
    fn read(&mut self, master: Master, addr: u32, size: Size) -> Result<u32, BusFault> {
        let value = match addr >> 28 {
            2 => memory::read(&self.sram, (addr - SRAM_BASE) as usize, size),
            1 => memory::read(self.flash.bytes(), Self::flash_offset(addr), size),
            0 => memory::read(&self.rom, addr as usize, size),
            _ if addr >= APB_BASE => return self.peripheral_read(master, addr, size),
            _ => None,
        };
        match value {
            Some(value) => Ok(value),
            None => Err(self.no_memory(core_of(master), addr, What::UnmodelledRead)),
        }
    }

    #[inline]
    fn write(&mut self, master: Master, addr: u32, size: Size, value: u32) -> Result<(), BusFault> {
        let what = match addr >> 28 {
            2 => {
                let offset = (addr - SRAM_BASE) as usize;
                if memory::write(&mut self.sram, offset, size, value).is_some() {
                    match master {
                        Master::Core(_) if !self.writes.tracked => {}
                        Master::Core(_) => self.writes.note(addr),
                        Master::Debugger(_) => self.signals.debugger_write = Some(addr),
                    }
                    return Ok(());
                }
                What::UnmodelledWrite
            }
            1 => What::FlashWrite,
            _ if addr >= APB_BASE => return self.peripheral_write(master, addr, size, value),
            _ => What::UnmodelledWrite,
        };
        Err(self.no_memory(core_of(master), addr, what))
    }

    fn send_event(&mut self, core: u8) {
        self.signals.event[usize::from(core & 1 ^ 1)] = true;
        self.signals.attention = true;
    }

    /// Of the coprocessors only the redundancy coprocessor's canary status is there (datasheet §3.6.3): it says that the
    /// canaries are valid, as the boot ROM leaves them.
    fn coprocessor(&mut self, core: u8, op: CpOp) -> Option<CpResult> {
        const CANARIES_VALID: u32 = 1 << 31;
        if op.coproc == 7 && op.kind == CpKind::Mrc && (op.opc1, op.crn, op.crm) == (1, 0, 0) {
            return Some(CpResult { value: CANARIES_VALID, value2: 0 });
        }
        self.report(core, u32::from(op.coproc), What::Coprocessor);
        None
    }
}
