//! The floating-point unit (FPv5 single precision): its registers and the instructions of coprocessors 10 and 11.
//!
//! The core has checked CPACR, saved a lazily stacked frame and set CONTROL.FPCA before [`execute`] is called, and it
//! has evaluated the condition of an IT block.

use super::{Core, Fault};
use crate::bus::Bus;

/// Floating-point registers. `d[n]` is `s[2n+1]:s[2n]`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fp {
    pub(crate) s: [u32; 32],
    pub(crate) fpscr: u32,
}

/// Executes one instruction with coprocessor number 10 or 11; `op` is `first halfword << 16 | second halfword`.
pub(crate) fn execute<B: Bus>(_core: &mut Core, _bus: &mut B, _op: u32) -> Result<(), Fault> {
    Err(Fault::Undefined)
}
