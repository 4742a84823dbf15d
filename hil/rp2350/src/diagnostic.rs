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
    /// The core that did it, or through whose access port the debugger did it.
    pub core: u8,
    /// That core's program counter.
    pub pc: u32,
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
        write!(f, "{micros} us: core {} at {:#010x}: {} ({:#010x})", self.core, self.pc, self.what, self.address)?;
        if self.count > 1 { write!(f, ", {} times", self.count) } else { Ok(()) }
    }
}

/// Collects diagnostics, equal ones once.
#[derive(Default)]
pub(crate) struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub(crate) fn report(&mut self, new: Diagnostic) {
        let same = |old: &&mut Diagnostic| {
            (old.core, old.pc, old.address, old.what) == (new.core, new.pc, new.address, new.what)
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
