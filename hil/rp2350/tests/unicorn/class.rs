//! An encoding class: a bit pattern, which values of its fields are architecturally defined, and what registers and
//! memory must hold for it to make sense.
//!
//! A pattern is written as the Arm ARM draws it: `0` and `1` are fixed, a letter is a field (bits of the same letter
//! join, most significant first), spaces are for the reader. Field letters have fixed meanings where [`Operand`] and
//! the register rules need them: `n` base, `m` index, `t` and `u` transfer, `d` destination.

use fastrand::Rng;

/// The fields of one encoding, by letter.
#[derive(Clone, Copy)]
pub struct Fields([u32; 26]);

impl Fields {
    pub fn get(&self, letter: char) -> u32 {
        self.0[index(letter)]
    }

    fn set(&mut self, letter: char, value: u32) {
        self.0[index(letter)] = value;
    }
}

fn index(letter: char) -> usize {
    letter as usize - 'a' as usize
}

/// What an instruction needs to find in registers before it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// Nothing.
    None,
    /// `n` points into the data window, aligned to this many bytes.
    Base(u32),
    /// `n` points into the data window, at any address; `m` is a small signed index.
    BaseIndex,
    /// The stack pointer points into the data window (it does anyway).
    Stack,
    /// `m` is the address of code, bit 0 set.
    CodeAddress,
    /// `m` is a small offset.
    CodeOffset,
    /// `n` points at a branch table and `m` is an index into it.
    BranchTable,
    /// `n` (or SP, if not `base`) points into the window whose words all are addresses of code; `m` is a small
    /// multiple of 4 if it is an `index`.
    CodePointer { base: bool, index: bool },
    /// `n` points into the data window, and the exclusive monitor is set or cleared first.
    Exclusive(u32),
    /// `n` points into the data window, but not at a word.
    Unaligned,
    /// `n` points to where there is no memory.
    Unmapped,
    /// `m` is an address of code without bit 0: the instruction after the branch is not executed.
    EvenAddress,
    /// `n` is a value for the special register `s`.
    Special,
}

/// What may be done with an instruction besides running it alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reads and writes registers only: anywhere in a sequence, or in an IT block.
    Data,
    /// Data, but not in an IT block.
    DataOutsideIt,
    /// Uses memory: first in a sequence or an IT block.
    Memory,
    /// Alone, or last in an IT block.
    Branch,
    /// Alone.
    Alone,
    /// Changes special registers: alone, and those are compared too.
    System,
}

pub struct Class {
    pub name: &'static str,
    pub width: u32,
    fixed: u32,
    bits: Vec<(char, u32)>,
    no_sp: &'static str,
    no_pc: &'static str,
    twin: Option<(char, char)>,
    ok: fn(&Fields) -> bool,
    pub operand: Operand,
    pub kind: Kind,
}

/// A class of plain data processing; the builder's methods say what is different.
pub fn class(name: &'static str, pattern: &'static str) -> Class {
    let digits: Vec<char> = pattern.chars().filter(|c| *c != ' ').collect();
    let width = digits.len() as u32;
    assert!(width == 16 || width == 32, "{name}: {width} bits");
    let mut fixed = 0;
    let mut bits = Vec::new();
    for (position, digit) in (0..width).rev().zip(digits) {
        match digit {
            '0' => {}
            '1' => fixed |= 1 << position,
            'a'..='z' => bits.push((digit, position)),
            _ => panic!("{name}: '{digit}' in the pattern"),
        }
    }
    Class {
        name,
        width,
        fixed,
        bits,
        no_sp: "",
        no_pc: "",
        twin: None,
        ok: |_| true,
        operand: Operand::None,
        kind: Kind::Data,
    }
}

impl Class {
    /// These fields name core registers that may be neither SP nor PC.
    pub fn core(mut self, letters: &'static str) -> Self {
        self.no_sp = letters;
        self.no_pc = letters;
        self
    }

    /// These fields name core registers that may not be the PC.
    pub fn no_pc(mut self, letters: &'static str) -> Self {
        self.no_pc = letters;
        self
    }

    /// These fields name core registers that may not be the SP.
    pub fn no_sp(mut self, letters: &'static str) -> Self {
        self.no_sp = letters;
        self
    }

    /// Two fields must hold the same value.
    pub fn twin(mut self, a: char, b: char) -> Self {
        self.twin = Some((a, b));
        self
    }

    /// What else makes an encoding defined.
    pub fn when(mut self, ok: fn(&Fields) -> bool) -> Self {
        self.ok = ok;
        self
    }

    pub fn needs(mut self, operand: Operand) -> Self {
        self.operand = operand;
        self
    }

    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// A random encoding, defined in the sense of the rules above.
    pub fn encode(&self, rng: &mut Rng) -> (u32, Fields) {
        loop {
            let random = rng.u32(..);
            let mut fields = self.split(random);
            if let Some((a, b)) = self.twin {
                fields.set(b, fields.get(a));
            }
            let allowed = |letters: &str, register| letters.chars().all(|c| fields.get(c) != register);
            if allowed(self.no_sp, 13) && allowed(self.no_pc, 15) && (self.ok)(&fields) {
                return (self.join(&fields), fields);
            }
        }
    }

    fn split(&self, word: u32) -> Fields {
        let mut fields = Fields([0; 26]);
        for &(letter, position) in &self.bits {
            fields.set(letter, fields.get(letter) << 1 | (word >> position & 1));
        }
        fields
    }

    fn join(&self, fields: &Fields) -> u32 {
        let mut rest = *fields;
        let mut word = self.fixed;
        for &(letter, position) in self.bits.iter().rev() {
            let value = rest.get(letter);
            word |= (value & 1) << position;
            rest.set(letter, value >> 1);
        }
        word
    }
}
