//! Every encoding class of ARMv8-M Mainline with DSP and FPv5 single precision, by theme.
//!
//! Left out: what enters the Non-secure world (BXNS, BLXNS), what sleeps (WFI, WFE), and what works through the System
//! Control Space, which Unicorn does not have (VLSTM, VLLDM). Encodings that the architecture calls UNPREDICTABLE are
//! excluded by each class's rules.

mod branch;
mod dsp;
mod float;
mod memory;
mod narrow;
mod trap;
mod wide;

use crate::class::Class;

pub fn all() -> Vec<Class> {
    [
        narrow::classes(),
        wide::classes(),
        dsp::classes(),
        memory::classes(),
        branch::classes(),
        float::classes(),
        trap::classes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
