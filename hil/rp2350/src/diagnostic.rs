//! What the model could not do: said aloud, so that no program passes because the model invented an answer.

use std::fmt;

use crate::time::Instant;

/// How many different ones are kept until they are taken; a program that runs wild does not fill the memory.
const LIMIT: usize = 256;

/// An access to something that is not modelled, or a request the chip would not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// When it happened first.
    pub at: Instant,
    /// The core that did it, through whose access port the debugger did it, or that wrote to the DMA channel last that did it.
    pub core: u8,
    /// That core's program counter.
    pub pc: u32,
    /// The DMA channel that did it.
    pub dma: Option<u8>,
    /// The address accessed; for a boot ROM function its code or argument, for a coprocessor its number.
    pub address: u32,
    /// What happened.
    pub what: What,
    /// How often the same happened at the same place.
    pub count: u32,
}

/// What happened, in a [`Diagnostic`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A read where the chip, or the model, has nothing; answered with a bus fault.
    UnmodelledRead,
    /// A write, likewise.
    UnmodelledWrite,
    /// A read of a register that the chip reserves or the model does not have, in a block that it has; read as zero.
    ReservedRead,
    /// A write, likewise; ignored.
    ReservedWrite,
    /// An access to a peripheral that RESETS holds; read as zero, writes ignored.
    InReset,
    /// A write to flash through the bus; answered with a bus fault. Flash is written by the boot ROM's functions.
    FlashWrite,
    /// An access to flash, or another call of a boot ROM function that writes it, while one erases or programs it; answered
    /// with a bus fault, and nothing done.
    FlashBusy,
    /// A pin function that is not modelled was selected: the pin does not drive.
    PinFunction,
    /// A setting of a peripheral that is not modelled was chosen: it does not work as set.
    Setting,
    /// A UART sent a byte, but its line does not reach the pin that the board's serial adapter is wired to.
    Unheard,
    /// A lookup in the boot ROM for what it, or the model, does not have; answered with 0.
    RomLookup,
    /// A boot ROM function was called with arguments that it cannot serve; nothing was done.
    RomArgument,
    /// A coprocessor instruction that is not modelled; it raises UsageFault.
    Coprocessor,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            What::UnmodelledRead => "read of what is not modelled",
            What::UnmodelledWrite => "write to what is not modelled",
            What::ReservedRead => "read of a reserved register",
            What::ReservedWrite => "write to a reserved register",
            What::InReset => "access to a peripheral in reset",
            What::FlashWrite => "write to flash through the bus",
            What::FlashBusy => "access to flash while it is erased or programmed",
            What::PinFunction => "pin function that is not modelled",
            What::Setting => "setting that is not modelled",
            What::Unheard => "byte that no pin carries to the serial adapter",
            What::RomLookup => "unknown boot ROM function or datum",
            What::RomArgument => "bad argument to a boot ROM function",
            What::Coprocessor => "coprocessor instruction that is not modelled",
        })
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.at.as_nanos() / 1000;
        write!(f, "{micros} us: ")?;
        if let Some(channel) = self.dma {
            write!(f, "DMA channel {channel} of ")?;
        }
        write!(f, "core {} at {:#010x}: {} ({:#010x}", self.core, self.pc, self.what, self.address)?;
        if let Some(block) = self.block() {
            write!(f, ", {block}")?;
        }
        write!(f, ")")?;
        if self.count > 1 { write!(f, ", {} times", self.count) } else { Ok(()) }
    }
}

impl Diagnostic {
    /// The peripheral that `address` belongs to, by its name in the datasheet's address map (§2.2).
    fn block(&self) -> Option<&'static str> {
        if matches!(self.what, What::RomLookup | What::RomArgument | What::Coprocessor) {
            return None;
        }
        let last_begun = BLOCKS.partition_point(|&(from, _)| from <= self.address);
        let (_, name) = BLOCKS[last_begun.checked_sub(1)?];
        (!name.is_empty()).then_some(name)
    }
}

/// Where peripherals begin; one without a name is a gap.
const BLOCKS: [(u32, &str); 57] = [
    (0x4000_0000, "SYSINFO"),
    (0x4000_8000, "SYSCFG"),
    (0x4001_0000, "CLOCKS"),
    (0x4001_8000, "PSM"),
    (0x4002_0000, "RESETS"),
    (0x4002_8000, "IO_BANK0"),
    (0x4003_0000, "IO_QSPI"),
    (0x4003_8000, "PADS_BANK0"),
    (0x4004_0000, "PADS_QSPI"),
    (0x4004_8000, "XOSC"),
    (0x4005_0000, "PLL_SYS"),
    (0x4005_8000, "PLL_USB"),
    (0x4006_0000, "ACCESSCTRL"),
    (0x4006_8000, "BUSCTRL"),
    (0x4007_0000, "UART0"),
    (0x4007_8000, "UART1"),
    (0x4008_0000, "SPI0"),
    (0x4008_8000, "SPI1"),
    (0x4009_0000, "I2C0"),
    (0x4009_8000, "I2C1"),
    (0x400a_0000, "ADC"),
    (0x400a_8000, "PWM"),
    (0x400b_0000, "TIMER0"),
    (0x400b_8000, "TIMER1"),
    (0x400c_0000, "HSTX_CTRL"),
    (0x400c_8000, "XIP_CTRL"),
    (0x400d_0000, "XIP_QMI"),
    (0x400d_8000, "WATCHDOG"),
    (0x400e_0000, "BOOTRAM"),
    (0x400e_8000, "ROSC"),
    (0x400f_0000, "TRNG"),
    (0x400f_8000, "SHA256"),
    (0x4010_0000, "POWMAN"),
    (0x4010_8000, "TICKS"),
    (0x4011_0000, ""),
    (0x4012_0000, "OTP"),
    (0x4013_8000, ""),
    (0x4015_8000, "GLITCH_DETECTOR"),
    (0x4016_0000, "TBMAN"),
    (0x4016_8000, ""),
    (0x5000_0000, "DMA"),
    (0x5001_0000, ""),
    (0x5010_0000, "USB"),
    (0x5020_0000, "PIO0"),
    (0x5030_0000, "PIO1"),
    (0x5040_0000, "PIO2"),
    (0x5050_0000, "XIP_AUX"),
    (0x5060_0000, "HSTX_FIFO"),
    (0x5070_0000, "CORESIGHT_TRACE"),
    (0x5080_0000, ""),
    (0xd000_0000, "SIO"),
    (0xd002_0000, "SIO_NONSEC"),
    (0xd004_0000, ""),
    (0xe000_0000, "PPB"),
    (0xe002_0000, "PPB_NONSEC"),
    (0xe008_0000, "EPPB"),
    (0xe010_0000, ""),
];

/// Collects diagnostics, equal ones once.
#[derive(Clone, Default)]
pub(crate) struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub(crate) fn report(&mut self, new: Diagnostic) {
        let same = |old: &&mut Diagnostic| {
            (old.core, old.pc, old.dma) == (new.core, new.pc, new.dma)
                && (old.address, old.what) == (new.address, new.what)
        };
        if let Some(old) = self.0.iter_mut().find(same) {
            old.count = old.count.saturating_add(1);
        } else if self.0.len() < LIMIT {
            self.0.push(new);
        }
    }

    pub(crate) fn take(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_which_peripheral_is_missing() {
        assert!(BLOCKS.is_sorted_by_key(|&(from, _)| from));
        let at = Instant::from_nanos(1_234_567);
        let by =
            |dma, address, what| Diagnostic { at, core: 1, pc: 0x1000_0200, dma, address, what, count: 1 }.to_string();
        let said = |address, what| by(None, address, what);
        assert_eq!(
            said(0x4009_0004, What::UnmodelledWrite),
            "1234 us: core 1 at 0x10000200: write to what is not modelled (0x40090004, I2C0)"
        );
        assert_eq!(
            by(Some(3), 0x1010_0000, What::FlashBusy),
            "1234 us: DMA channel 3 of core 1 at 0x10000200: access to flash while it is erased or programmed (0x10100000)"
        );
        assert!(said(0x4009_ffff, What::UnmodelledRead).ends_with("(0x4009ffff, I2C1)"));
        for nowhere in [0, 0x3fff_ffff, 0x4020_0000, 0x6000_0000, 0xffff_ffff] {
            assert!(said(nowhere, What::UnmodelledRead).ends_with(&format!("({nowhere:#010x})")));
        }
        assert!(said(0x4009_0000, What::RomLookup).ends_with("(0x40090000)"), "not an address");
    }
}
