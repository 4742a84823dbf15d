//! Where Unicorn 2.1.4 (QEMU 5.0.1 inside) is known to differ from the Armv8-M Architecture Reference Manual
//! (DDI 0553): each entry names its classes and the one difference they may show. Parentheses name the manual's page.

use crate::generate::{Case, Shape};
use crate::state::{SP, State};

struct Expected {
    classes: &'static [&'static str],
    /// What Unicorn does, what the manual says, and where.
    why: &'static str,
    /// Ours, then Unicorn's: the difference is this and nothing else.
    applies: fn(&Case, &State, &State) -> bool,
}

const TABLE: &[Expected] = &[
    Expected {
        classes: &["YIELD T1", "YIELD.W"],
        why: "Unicorn reports QEMU's internal request to schedule another CPU as an unhandled exception. \
              YIELD is a hint that continues with the next instruction (YIELD).",
        applies: |_, ours, theirs| !ours.trapped && theirs.trapped,
    },
    Expected {
        classes: &[
            "ADD reg T2 to SP",
            "MOV reg T1 to SP",
            "ADD SP imm T4 unaligned",
            "SUB SP imm T3 unaligned",
            "ADD SP reg T3 to SP",
            "SUB SP reg T1 to SP",
            "STR imm T4 SP unaligned",
            "LDR imm T3 to SP",
        ],
        why: "Unicorn keeps bits 1:0 of a result that goes to SP through its stack limit check. They are RES0: \
              writes to R13 clear them (MSP and PSP register descriptions; pseudocode of R[]).",
        applies: |_, ours, theirs| {
            let mut cleared = theirs.clone();
            cleared.r[SP] &= !3;
            theirs.r[SP] & 3 != 0 && *ours == cleared
        },
    },
    Expected {
        classes: &["MSR"],
        why: "Unicorn keeps bits 1:0 of what is written to MSP or PSP, for the same reason.",
        applies: |_, ours, theirs| {
            let mut cleared = theirs.clone();
            cleared.r[SP] &= !3;
            cleared.special[0] &= !3;
            cleared.special[1] &= !3;
            cleared != *theirs && *ours == cleared
        },
    },
    Expected {
        classes: &[
            "LDA unaligned",
            "STL unaligned",
            "LDM T1 unaligned",
            "STM T1 unaligned",
            "LDRD unaligned",
            "STRD unaligned",
            "VLDR unaligned",
            "VSTR unaligned",
        ],
        why: "Unicorn checks the alignment of exclusive accesses only. Load-acquire, store-release, multiple, dual and \
              floating-point accesses must be aligned too: UsageFault UNALIGNED (Alignment behavior).",
        applies: |_, ours, theirs| ours.trapped && !theirs.trapped,
    },
    Expected {
        classes: &["undefined BLX imm"],
        why: "Unicorn executes the A profile's BLX (immediate), which would leave Thumb state. The M profile has no such \
              instruction (Branches and miscellaneous control).",
        applies: |_, ours, theirs| ours.trapped && !theirs.trapped,
    },
    Expected {
        classes: &["VCVT.F32.fixed32"],
        why: "Unicorn rounds as FPSCR.RMode says. Fixed-point to floating-point conversion always rounds to nearest \
              (VCVT between floating-point and fixed-point).",
        applies: |case, ours, theirs| {
            let d = usize::from(case.code[1] >> 12 << 1 | case.code[0] >> 6 & 1);
            let mut nearest = theirs.clone();
            nearest.s[d] = ours.s[d];
            let rounding_mode = case.state.fpscr >> 22 & 3;
            rounding_mode != 0 && theirs.s[d].abs_diff(ours.s[d]) == 1 && *ours == nearest
        },
    },
];

/// Why this difference is Unicorn's, if it is. Memory may differ only by what our side did not get to write.
pub fn reason(class: &str, case: &Case, ours: &State, theirs: &State, memory_differs: bool) -> Option<&'static str> {
    let entry = TABLE.iter().find(|entry| entry.classes.contains(&class))?;
    let alone = case.shape == Shape::Single && (ours.trapped || !memory_differs);
    (alone && (entry.applies)(case, ours, theirs)).then_some(entry.why)
}
