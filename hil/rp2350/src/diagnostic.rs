//! What the model could not do: said aloud, so that no program passes because the model invented an answer.

use crate::time::Instant;

/// An access to something that is not modelled, or a request the chip would not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// When it happened first.
    pub at: Instant,
    /// The core that did it, or through whose access port the debugger did it.
    pub core: u8,
    /// That core's program counter.
    pub pc: u32,
    /// The address accessed, or the boot ROM function's code.
    pub address: u32,
    /// What happened.
    pub what: What,
    /// How often the same access was made from the same place.
    pub count: u32,
}

/// What happened, in a [`Diagnostic`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A read of an address where the chip has nothing, or the model has nothing; answered with a bus fault.
    UnmodelledRead,
    /// A write, likewise.
    UnmodelledWrite,
}
