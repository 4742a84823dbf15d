//! RESETS: holds peripherals in reset (RP2350 datasheet §7.5), and PSM: the power-on state machine (§7.4).

pub(crate) const IO_BANK0: u32 = 6;
pub(crate) const IO_QSPI: u32 = 7;
pub(crate) const PADS_BANK0: u32 = 9;
pub(crate) const PADS_QSPI: u32 = 10;
pub(crate) const PLL_SYS: u32 = 14;
pub(crate) const PLL_USB: u32 = 15;
pub(crate) const PWM: u32 = 16;
pub(crate) const BUSCTRL: u32 = 1;
pub(crate) const DMA: u32 = 2;
pub(crate) const SYSCFG: u32 = 20;
pub(crate) const SYSINFO: u32 = 21;
pub(crate) const TBMAN: u32 = 22;
pub(crate) const TIMER0: u32 = 23;
pub(crate) const TIMER1: u32 = 24;
pub(crate) const UART0: u32 = 26;
pub(crate) const UART1: u32 = 27;

/// Every peripheral there is.
pub(crate) const ALL: u32 = 0x1fff_ffff;

#[derive(Clone)]
pub(crate) struct Resets {
    /// Which peripherals are held.
    held: u32,
    wdsel: u32,
}

impl Resets {
    pub(crate) fn new() -> Self {
        Self { held: ALL, wdsel: 0 }
    }

    pub(crate) fn holds(&self, peripheral: u32) -> bool {
        self.held >> peripheral & 1 != 0
    }

    /// Which peripherals a watchdog reset takes along.
    pub(crate) fn wdsel(&self) -> u32 {
        self.wdsel
    }

    pub(crate) fn release(&mut self, peripherals: u32) {
        self.held &= !peripherals;
    }

    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 => self.held,
            0x04 => self.wdsel,
            0x08 => !self.held & ALL,
            _ => return None,
        })
    }

    /// Returns which peripherals go into reset with this write.
    pub(crate) fn write(&mut self, offset: u32, value: u32) -> Option<u32> {
        let value = value & ALL;
        match offset {
            0x00 => {
                let entering = value & !self.held;
                self.held = value;
                return Some(entering);
            }
            0x04 => self.wdsel = value,
            0x08 => {}
            _ => return None,
        }
        Some(0)
    }
}

/// The stages of the power-on state machine; resetting one resets all after it.
const STAGES: u32 = 0x01ff_ffff;
const STAGE_RESETS: u32 = 4;
const STAGE_SIO: u32 = 21;
const STAGE_PROC0: u32 = 23;

#[derive(Clone, Default)]
pub(crate) struct Psm {
    force_on: u32,
    force_off: u32,
    wdsel: u32,
}

/// How far down the chain a reset reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Clocks, all peripherals and what comes after.
    Everything,
    /// SIO and the cores.
    SioAndCores,
    /// The cores of this mask.
    Cores(u8),
}

impl Psm {
    /// What a watchdog reset takes along.
    pub(crate) fn watchdog_reach(&self) -> Reach {
        let first = self.wdsel.trailing_zeros();
        match first {
            0..=STAGE_RESETS => Reach::Everything,
            _ if first <= STAGE_SIO => Reach::SioAndCores,
            _ => Reach::Cores((self.wdsel >> STAGE_PROC0 & 3) as u8),
        }
    }

    /// Selects everything but the oscillators, as `reboot` of the boot ROM does.
    pub(crate) fn select_all(&mut self) {
        self.wdsel = STAGES & !0xc;
    }

    /// The cores that are forced off.
    pub(crate) fn off(&self) -> u8 {
        (self.force_off >> STAGE_PROC0 & 3) as u8
    }

    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 => self.force_on,
            0x04 => self.force_off,
            0x08 => self.wdsel,
            0x0c => STAGES & !self.force_off,
            _ => return None,
        })
    }

    /// Returns which cores come out of being forced off.
    pub(crate) fn write(&mut self, offset: u32, value: u32) -> Option<u8> {
        let value = value & STAGES;
        match offset {
            0x00 => self.force_on = value,
            0x04 => {
                let before = self.off();
                self.force_off = value;
                return Some(before & !self.off());
            }
            0x08 => self.wdsel = value,
            0x0c => {}
            _ => return None,
        }
        Some(0)
    }
}
