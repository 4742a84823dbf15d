//! What a case starts from and ends with, and where its memory is.

use std::fmt::Write as _;

use fastrand::Rng;

/// Code: instructions of the cases, random bytes around them for literal loads to read.
pub const CODE: u32 = 0x0801_0000;
pub const CODE_BYTES: u32 = 0x8000;
/// Data that cases read and write; base registers point near its middle.
pub const DATA: u32 = 0x2000_0000;
pub const DATA_BYTES: u32 = 0x4000;
/// Every word is the address of a slot of code: what is loaded into the PC comes from here. Never written.
pub const POINTERS: u32 = 0x2001_0000;
pub const POINTER_BYTES: u32 = 0x4000;

pub const SP: usize = 13;
pub const PC: usize = 15;

/// CONTROL.FPCA and SFPA: floating-point state is active, so that no instruction resets FPSCR to its default first.
pub const FP_ACTIVE: u32 = 0b1100;

/// MSP, PSP, PRIMASK, BASEPRI, FAULTMASK, CONTROL.
pub type Special = [u32; 6];
pub const SPECIAL_NAMES: [&str; 6] = ["MSP", "PSP", "PRIMASK", "BASEPRI", "FAULTMASK", "CONTROL"];

#[derive(Clone, PartialEq, Eq)]
pub struct State {
    pub r: [u32; 16],
    pub xpsr: u32,
    pub s: [u32; 32],
    pub fpscr: u32,
    pub special: Special,
    /// The last instruction trapped: the other fields say nothing.
    pub trapped: bool,
}

/// xPSR.T.
pub const THUMB: u32 = 1 << 24;

impl State {
    pub fn random(rng: &mut Rng) -> Self {
        let mut r = [0; 16];
        for value in &mut r {
            *value = integer(rng);
        }
        r[SP] = data_address(rng, 4);
        let mut s = [0; 32];
        for value in &mut s {
            *value = float(rng);
        }
        // Often, two operands near each other: cancellation, equality, ties.
        for _ in 0..8 {
            let near = s[rng.usize(0..32)];
            s[rng.usize(0..32)] = near.wrapping_add(rng.u32(0..5)).wrapping_sub(2) ^ (rng.u32(0..2) << 31);
        }
        let flags = rng.u32(..) & 0xF800_0000;
        let ge = rng.u32(0..16) << 16;
        let modes = rng.u32(..) & 0xF7C0_0000;
        State {
            special: [r[SP], data_address(rng, 4), 0, 0, 0, FP_ACTIVE],
            r,
            xpsr: THUMB | flags | ge,
            s,
            // Mostly IEEE behaviour with one mode changed, flags clear.
            fpscr: if rng.bool() { modes } else { modes & 0xF0C0_0000 } | (rng.u32(..) & rng.u32(..) & 0x9F),
            trapped: false,
        }
    }

    /// Names and values of what differs.
    pub fn differences(&self, other: &State) -> String {
        let mut text = String::new();
        if self.trapped != other.trapped {
            let _ = write!(text, " trapped {} {}", self.trapped, other.trapped);
        }
        let mut compare = |name: String, a: u32, b: u32| {
            if a != b {
                let _ = write!(text, " {name} {a:08x} {b:08x}");
            }
        };
        for (n, (a, b)) in self.r.iter().zip(&other.r).enumerate() {
            compare(format!("r{n}"), *a, *b);
        }
        compare("xPSR".into(), self.xpsr, other.xpsr);
        for (n, (a, b)) in self.s.iter().zip(&other.s).enumerate() {
            compare(format!("s{n}"), *a, *b);
        }
        compare("FPSCR".into(), self.fpscr, other.fpscr);
        for ((name, a), b) in SPECIAL_NAMES.iter().zip(&self.special).zip(&other.special) {
            compare((*name).into(), *a, *b);
        }
        text
    }

    pub fn dump(&self) -> String {
        let hex = |values: &[u32]| values.iter().map(|v| format!("{v:08x} ")).collect::<String>();
        format!(
            "      r {}\n      xPSR {:08x} FPSCR {:08x} special {}trapped {}\n      s {}",
            hex(&self.r),
            self.xpsr,
            self.fpscr,
            hex(&self.special),
            self.trapped,
            hex(&self.s)
        )
    }
}

/// An address around the middle of the data window, of this alignment.
pub fn data_address(rng: &mut Rng, align: u32) -> u32 {
    (DATA + DATA_BYTES / 2 + rng.u32(0..512) - 256) & !(align - 1)
}

/// The address of some slot of code, bit 0 set.
pub fn code_address(rng: &mut Rng) -> u32 {
    (CODE + CODE_BYTES / 4 + rng.u32(0..CODE_BYTES / 4) * 2) | 1
}

/// A register value, weighted to where arithmetic changes its mind.
pub fn integer(rng: &mut Rng) -> u32 {
    const EDGES: [u32; 16] = [
        0,
        1,
        2,
        0x7F,
        0x80,
        0xFF,
        0x7FFF,
        0x8000,
        0xFFFF,
        0x7FFF_FFFF,
        0x8000_0000,
        0xFFFF_FFFF,
        0x7FFF_8000,
        0x8000_7FFF,
        0x7F80_807F,
        0xFFFF_8000,
    ];
    match rng.u32(0..8) {
        0 | 1 => EDGES[rng.usize(0..16)],
        2 => EDGES[rng.usize(0..16)].wrapping_add(rng.u32(0..7)).wrapping_sub(3),
        3 => rng.u32(0..64),
        4 => 1 << rng.u32(0..32),
        5 => rng.u32(..) >> rng.u32(0..32),
        _ => rng.u32(..),
    }
}

/// A binary32, weighted to where rounding, flushing and saturating happen.
pub fn float(rng: &mut Rng) -> u32 {
    const EDGES: [u32; 20] = [
        0,
        0x0000_0001,
        0x0000_0002,
        0x007F_FFFF,
        0x0080_0000,
        0x0080_0001,
        0x3EFF_FFFF,
        0x3F00_0000,
        0x3F80_0000,
        0x3F80_0001,
        0x3FC0_0000,
        0x4020_0000,
        0x477F_E000,
        0x4B00_0000,
        0x4EFF_FFFF,
        0x4F00_0000,
        0x7F7F_FFFF,
        0x7F80_0000,
        0x7F80_0001,
        0x7FC0_1234,
    ];
    let sign = rng.u32(0..2) << 31;
    let fraction = if rng.bool() { rng.u32(..) >> 9 } else { (rng.u32(..) & rng.u32(..) & rng.u32(..)) >> 9 };
    sign | match rng.u32(0..10) {
        0..=2 => EDGES[rng.usize(0..20)],
        // Around one, around the integers, around half precision's ends, near the smallest normal, anywhere.
        3 | 4 => rng.u32(115..140) << 23 | fraction,
        5 => rng.u32(146..162) << 23 | fraction,
        6 => rng.u32(98..116) << 23 | fraction,
        7 => rng.u32(0..28) << 23 | fraction,
        8 => fraction >> rng.u32(0..23),
        _ => rng.u32(..) & 0x7FFF_FFFF,
    }
}
