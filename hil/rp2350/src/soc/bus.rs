//! The bus: which address leads where, and how registers answer (RP2350 datasheet §2).

use super::{APB_BASE, SIO_BASE, SIO_END, SRAM_BASE, Soc};
use crate::bus::{Bus, BusFault, CpKind, CpOp, CpResult, Master, Size};
use crate::diagnostic::What;
use crate::memory;
use crate::peripherals::{Written, gpioc, resets};

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
    /// Where in flash an XIP address leads: the cached window and its uncached and untranslated aliases (datasheet §2.2.2).
    #[inline(always)]
    fn flash_offset(addr: u32) -> usize {
        (addr & if addr >> 24 == 0x1c || addr >> 24 == 0x14 { 0x00ff_ffff } else { 0x0fff_ffff }) as usize
    }

    fn register_read(&mut self, master: Master, addr: u32, peek: bool) -> Answer<u32> {
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
            0x400a_8000 => self.pwm.read(now, offset).into(),
            0x400b_0000 | 0x400b_8000 => self.timers[(addr >> 15 & 1) as usize].read(now, offset).into(),
            0x400d_8000 => self.watchdog.read(now, offset).into(),
            0x400e_0000 if offset < 0x400 => memory::read_word(&self.bootram, offset as usize).into(),
            0x400e_0000 => self.bootlocks.read(offset).into(),
            0x400e_8000 => self.oscillators.read_rosc(offset).into(),
            0x4010_0000 => self.powman.read(offset).into(),
            0x4010_8000 => self.ticks.read(now, offset).into(),
            0x4016_0000 => self.tbman.read(offset).into(),
            0x5000_0000 => self.dma.read(offset).into(),
            SIO_BASE if reaches_sio(master, addr) => {
                let core = usize::from(self.core_of(master));
                let answer = self.sio.read(&self.gpio, core, offset);
                self.signals.attention |= std::mem::take(&mut self.sio.changed);
                answer.into()
            }
            _ => Answer::Nothing,
        }
    }

    fn register_write(&mut self, master: Master, addr: u32, value: u32) -> Answer<()> {
        let (now, offset) = (self.now, addr & 0xfff);
        if let Some(bit) = reset_of(addr)
            && self.resets.holds(bit)
        {
            return Answer::InReset;
        }
        if reaches_sio(master, addr) {
            let core = usize::from(self.core_of(master));
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
                    self.report(master, addr, what);
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
            0x400a_8000 => {
                let answer = self.pwm.write(now, offset, value);
                self.gpio.update_pwm(now, self.pwm.outputs());
                if answer == Some(Written::NotModelled) {
                    self.report(master, addr, What::Setting);
                }
                answer.map(|_| ())
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
            0x5000_0000 => {
                let answer = self.dma.write(self.core_of(master), offset, value);
                if answer == Some(Written::NotModelled) {
                    self.report(master, addr, What::Setting);
                }
                answer.map(|_| ())
            }
            _ => return Answer::Nothing,
        };
        if clocks {
            self.clocks_changed();
        }
        answer.into()
    }

    fn peripheral_read(&mut self, master: Master, addr: u32, size: Size) -> Result<u32, BusFault> {
        let word = if has_aliases(addr) { addr & !0x3003 } else { addr & !3 };
        let value = match self.register_read(master, word, false) {
            Answer::Done(value) => value,
            Answer::Reserved => {
                self.report(master, addr, What::ReservedRead);
                0
            }
            Answer::InReset => {
                self.report(master, addr, What::InReset);
                0
            }
            Answer::Nothing => {
                self.report(master, addr, What::UnmodelledRead);
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
        let value = match size {
            Size::Byte => (value & 0xff) * 0x0101_0101,
            Size::Half => (value & 0xffff) * 0x0001_0001,
            Size::Word => value,
        };
        let aliased = has_aliases(addr);
        let word = if aliased { addr & !0x3003 } else { addr & !3 };
        let alias = if aliased { addr >> 12 & 3 } else { 0 };
        let mut whole = value;
        // Only the clear alias knows of bits that are cleared by writing one (datasheet, register field type WC).
        let clears = alias == 3 && clears_where_one_is_written(word);
        if alias != 0
            && !clears
            && let Answer::Done(old) = self.register_read(master, word, true)
        {
            whole = match alias {
                1 => old ^ value,
                2 => old | value,
                _ => old & !value,
            };
        }
        match self.register_write(master, word, whole) {
            Answer::Done(()) => Ok(()),
            Answer::Reserved => {
                self.report(master, addr, What::ReservedWrite);
                Ok(())
            }
            Answer::InReset => {
                self.report(master, addr, What::InReset);
                Ok(())
            }
            Answer::Nothing => {
                self.report(master, addr, What::UnmodelledWrite);
                Err(BusFault)
            }
        }
    }

    /// The core that makes an access, or has it made.
    pub(super) fn core_of(&self, master: Master) -> u8 {
        match master {
            Master::Core(core) | Master::Debugger(core) => core & 1,
            Master::Dma(channel) => self.dma.owner(channel),
        }
    }

    #[cold]
    fn no_memory(&mut self, master: Master, addr: u32, what: What) -> BusFault {
        let busy = self.flash.busy() && addr >> 28 == 1 && Self::flash_offset(addr) < crate::flash::SIZE;
        let what = if busy && what != What::FlashWrite { What::FlashBusy } else { what };
        self.report(master, addr, what);
        BusFault
    }
}

/// SIO belongs to the cores: DMA does not get there (datasheet §3.1).
fn reaches_sio(master: Master, addr: u32) -> bool {
    (SIO_BASE..SIO_END).contains(&addr) && !matches!(master, Master::Dma(_))
}

/// APB and AHB peripherals have atomic aliases.
fn has_aliases(addr: u32) -> bool {
    matches!(addr >> 28, 4 | 5)
}

/// Registers of bits that an event sets, and that writing one clears.
fn clears_where_one_is_written(addr: u32) -> bool {
    match addr & !0x3fff {
        // IO_BANK0 INTR0 to INTR5.
        0x4002_8000 => (0x230..0x248).contains(&(addr & 0xfff)),
        // UARTRSR and UARTICR.
        0x4007_0000 | 0x4007_8000 => matches!(addr & 0xfff, 0x04 | 0x44),
        // PWM INTR.
        0x400a_8000 => addr & 0xfff == 0xf4,
        // TIMER ARMED and INTR.
        0x400b_0000 | 0x400b_8000 => matches!(addr & 0xfff, 0x20 | 0x3c),
        // DMA INTR and INTS of each line.
        0x5000_0000 => (0x400..0x440).contains(&(addr & 0xfff)) && matches!(addr & 0xc, 0 | 0xc),
        _ => false,
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
        0x400a_8000 => resets::PWM,
        0x400b_0000 => resets::TIMER0,
        0x400b_8000 => resets::TIMER1,
        0x4016_0000 => resets::TBMAN,
        0x5000_0000 => resets::DMA,
        _ => return None,
    })
}

impl Bus for Soc {
    #[inline(always)]
    fn fetch(&mut self, core: u8, addr: u32) -> Result<u16, BusFault> {
        let half = match addr >> 28 {
            1 => memory::read_half(self.flash.mapped(), Self::flash_offset(addr)),
            2 => memory::read_half(&self.sram, (addr - SRAM_BASE) as usize),
            0 => memory::read_half(&self.rom, addr as usize),
            _ => None,
        };
        match half {
            Some(half) => Ok(half),
            None => Err(self.no_memory(Master::Core(core), addr, What::UnmodelledRead)),
        }
    }

    #[inline(always)]
    fn fetch_two(&mut self, _core: u8, addr: u32) -> Option<u32> {
        match addr >> 28 {
            1 => memory::read(self.flash.mapped(), Self::flash_offset(addr), Size::Word),
            2 => memory::read(&self.sram, (addr - SRAM_BASE) as usize, Size::Word),
            0 => memory::read(&self.rom, addr as usize, Size::Word),
            _ => None,
        }
    }

    #[inline]
    fn read(&mut self, master: Master, addr: u32, size: Size) -> Result<u32, BusFault> {
        let value = match addr >> 28 {
            2 => memory::read(&self.sram, (addr - SRAM_BASE) as usize, size),
            1 => memory::read(self.flash.mapped(), Self::flash_offset(addr), size),
            0 => memory::read(&self.rom, addr as usize, size),
            _ if addr >= APB_BASE => return self.peripheral_read(master, addr, size),
            _ => None,
        };
        match value {
            Some(value) => Ok(value),
            None => Err(self.no_memory(master, addr, What::UnmodelledRead)),
        }
    }

    #[inline]
    fn write(&mut self, master: Master, addr: u32, size: Size, value: u32) -> Result<(), BusFault> {
        let what = match addr >> 28 {
            2 => {
                let offset = (addr - SRAM_BASE) as usize;
                if memory::write(&mut self.sram, offset, size, value).is_some() {
                    if self.writes.tracked {
                        self.writes.note(addr);
                    }
                    return Ok(());
                }
                What::UnmodelledWrite
            }
            1 => What::FlashWrite,
            _ if addr >= APB_BASE => return self.peripheral_write(master, addr, size, value),
            _ => What::UnmodelledWrite,
        };
        Err(self.no_memory(master, addr, what))
    }

    fn send_event(&mut self, core: u8) {
        self.signals.event[usize::from(core & 1 ^ 1)] = true;
        self.signals.attention = true;
    }

    /// The GPIO coprocessor, and of the redundancy coprocessor the canary status (datasheet §3.6.3): it says that the
    /// canaries are valid, as the boot ROM leaves them.
    fn coprocessor(&mut self, core: u8, op: CpOp) -> Option<CpResult> {
        const CANARIES_VALID: u32 = 1 << 31;
        if op.coproc == 0
            && let Some(result) = gpioc::execute(&mut self.gpio, self.now, op)
        {
            self.signals.attention |= self.gpio.watched();
            return Some(result);
        }
        if op.coproc == 7 && op.kind == CpKind::Mrc && (op.opc1, op.crn, op.crm) == (1, 0, 0) {
            return Some(CpResult { value: CANARIES_VALID, value2: 0 });
        }
        self.report(Master::Core(core), u32::from(op.coproc), What::Coprocessor);
        None
    }
}
