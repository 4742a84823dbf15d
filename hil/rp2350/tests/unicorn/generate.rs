//! Random cases: single instructions of every class, straight sequences and IT blocks.

use fastrand::Rng;

use crate::class::{Class, Fields, Kind, Operand};
use crate::state::{CODE, CODE_BYTES, POINTER_BYTES, POINTERS, SP, State, code_address, data_address};

/// Room for one case's code, in bytes: an IT instruction and four of 32 bits, or a sequence of six, and what stops it.
pub const SLOT: u32 = 32;
/// Slots lie in the middle half of the code memory: literal loads reach 4 KiB to either side.
pub const SLOTS: u32 = CODE_BYTES / 2 / SLOT;

/// `B .`: what comes after a case's instructions, so that the translator stops there.
const BRANCH_TO_SELF: u16 = 0xE7FE;

pub struct Case {
    /// Index into the classes of the instruction that gives the case its name.
    pub class: usize,
    pub shape: Shape,
    pub code: Vec<u16>,
    pub instructions: u32,
    /// How many of them Unicorn does not count, if that matters: it does not count what a condition skips. After other
    /// IT blocks it merely runs on into the branch to itself; after a branch it would go on where that led.
    pub uncounted: u32,
    pub state: State,
    pub special: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Single,
    Sequence,
    ItBlock,
}

pub struct Generator {
    classes: Vec<Class>,
    rng: Rng,
    data: Vec<usize>,
    it_body: Vec<usize>,
    it_first: Vec<usize>,
    harmless: Vec<usize>,
    next: usize,
}

impl Generator {
    pub fn new(classes: Vec<Class>, seed: u64) -> Self {
        let of = |kinds: &[Kind]| -> Vec<usize> {
            (0..classes.len()).filter(|n| kinds.contains(&classes[*n].kind)).collect()
        };
        // Classes that write neither core registers nor flags.
        let harmless = of(&[Kind::Data])
            .into_iter()
            .filter(|n| {
                let name = classes[*n].name;
                name == "NOP.W" || name.contains(".F32")
            })
            .collect();
        Generator {
            data: of(&[Kind::Data, Kind::DataOutsideIt]),
            it_body: of(&[Kind::Data]),
            it_first: of(&[Kind::Data, Kind::Memory]),
            harmless,
            classes,
            rng: Rng::with_seed(seed),
            next: 0,
        }
    }

    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// A case for slot number `slot`. Classes take turns, so that each is run equally often.
    pub fn case(&mut self, slot: u32) -> Case {
        let class = self.next;
        self.next = (self.next + 1) % self.classes.len();
        let mut state = State::random(&mut self.rng);
        state.r[15] = CODE + CODE_BYTES / 4 + slot * SLOT;
        let kind = self.classes[class].kind;
        let mut case = Case {
            class,
            shape: Shape::Single,
            code: Vec::with_capacity(SLOT as usize / 2),
            instructions: 0,
            uncounted: 0,
            state,
            special: kind == Kind::System,
        };
        let shape = match kind {
            Kind::Alone | Kind::System => Shape::Single,
            Kind::Branch if self.rng.u32(0..4) == 0 => Shape::ItBlock,
            Kind::Branch => Shape::Single,
            _ => [Shape::Single, Shape::Single, Shape::Sequence, Shape::ItBlock][self.rng.usize(0..4)],
        };
        case.shape = shape;
        match shape {
            Shape::Single => self.single(&mut case),
            Shape::Sequence => self.sequence(&mut case),
            Shape::ItBlock => self.it_block(&mut case),
        }
        case.code.push(BRANCH_TO_SELF);
        case
    }

    fn push(&mut self, case: &mut Case, class: usize) -> Fields {
        let (word, fields) = self.classes[class].encode(&mut self.rng);
        if self.classes[class].width == 32 {
            case.code.push((word >> 16) as u16);
        }
        case.code.push(word as u16);
        case.instructions += 1;
        self.prepare(&mut case.state, class, &fields);
        fields
    }

    fn single(&mut self, case: &mut Case) {
        let class = case.class;
        match self.classes[class].operand {
            Operand::Exclusive(_) => {
                let fields = self.push(case, class);
                self.monitor(case, &fields);
            }
            Operand::Special if self.rng.bool() => {
                // Half of the time with a CONTROL of its own: unprivileged, or on the process stack.
                let value = self.rng.u32(0..16);
                let register = self.rng.usize(0..13);
                let fields = self.push(case, class);
                if fields.get('n') as usize != register {
                    case.state.r[register] = value;
                    case.code.splice(0..0, [0xF380 | register as u16, 0x8814]);
                    case.instructions += 1;
                }
            }
            Operand::EvenAddress => {
                self.push(case, class);
                case.instructions += 1;
            }
            _ => {
                self.push(case, class);
            }
        }
    }

    /// An exclusive access finds the monitor set for its address or for another one, 64 bytes away, or cleared.
    fn monitor(&mut self, case: &mut Case, fields: &Fields) {
        const CLREX: [u16; 2] = [0xF3BF, 0x8F2F];
        let n = fields.get('n') as u16;
        let name = self.classes[case.class].name;
        // LDREXB, LDREXH or LDREX of the same base into a register that is not used again. The LDREX of elsewhere traps
        // if the base is that of a byte or halfword and not aligned.
        let free =
            (0..13).find(|r| ['n', 't', 'd'].iter().all(|f| fields.get(*f) != *r)).expect("three are taken") as u16;
        let load = match name.as_bytes()[name.len() - 1] {
            b'B' => [0xE8D0 | n, free << 12 | 0xF4F],
            b'H' => [0xE8D0 | n, free << 12 | 0xF5F],
            _ => [0xE850 | n, free << 12 | 0xF00 | fields.get('i') as u16],
        };
        let elsewhere = [0xE850 | n, load[1] & 0xF000 | 0xF00 | (fields.get('i') as u16 ^ 0x10)];
        let prefix: Vec<u16> = match self.rng.u32(0..6) {
            0 => CLREX.into(),
            1 => [load, CLREX].concat(),
            2 => elsewhere.into(),
            3 => [load, elsewhere].concat(),
            _ => load.into(),
        };
        case.instructions += prefix.len() as u32 / 2;
        case.code.splice(0..0, prefix);
    }

    /// Up to six instructions, the first of which may use memory.
    fn sequence(&mut self, case: &mut Case) {
        let first = case.class;
        self.push(case, first);
        for _ in 0..self.rng.u32(1..6) {
            let class = self.data[self.rng.usize(0..self.data.len())];
            self.push(case, class);
        }
    }

    /// An IT instruction and one to four conditional ones: memory only in the first place, a branch only in the last.
    fn it_block(&mut self, case: &mut Case) {
        let kind = self.classes[case.class].kind;
        if kind == Kind::DataOutsideIt {
            case.shape = Shape::Single;
            self.push(case, case.class);
            return;
        }
        let count = self.rng.u32(1..5);
        // The condition AL has no "else".
        let first_condition = self.rng.u32(0..15);
        let mut mask = 1 << (4 - count);
        let mut skipped = u32::from(!holds(first_condition, case.state.xpsr));
        for place in 1..count {
            let otherwise = u32::from(first_condition < 14 && self.rng.bool());
            mask |= ((first_condition & 1) ^ otherwise) << (4 - place);
            skipped += u32::from(!holds(first_condition ^ otherwise, case.state.xpsr));
        }
        case.code.push((0xBF00 | first_condition << 4 | mask) as u16);
        case.instructions += 1;
        let at = match kind {
            Kind::Memory => 0,
            Kind::Branch => count - 1,
            _ => self.rng.u32(0..count),
        };
        for place in 0..count {
            let others = match kind {
                // Registers of a branch must still hold what they were given.
                Kind::Branch => &self.harmless,
                _ if place == 0 => &self.it_first,
                _ => &self.it_body,
            };
            let class = if place == at { case.class } else { others[self.rng.usize(0..others.len())] };
            self.push(case, class);
        }
        if kind == Kind::Branch {
            case.uncounted = skipped;
        }
    }

    /// Gives registers what the instruction needs to find in them.
    fn prepare(&mut self, state: &mut State, class: usize, fields: &Fields) {
        let rng = &mut self.rng;
        let (n, m) = (fields.get('n') as usize, fields.get('m') as usize);
        match self.classes[class].operand {
            Operand::None | Operand::Stack => {}
            Operand::Base(align) | Operand::Exclusive(align) => {
                let align = if n == SP { align.max(4) } else { align };
                // Mostly aligned to a word.
                let align = if rng.bool() { align.max(4) } else { align };
                state.r[n] = data_address(rng, align);
            }
            Operand::BaseIndex => {
                state.r[m] = rng.u32(0..512).wrapping_sub(256);
                state.r[n] = data_address(rng, if n == SP { 4 } else { 1 });
            }
            Operand::CodeAddress => state.r[m] = code_address(rng),
            Operand::EvenAddress => state.r[m] = code_address(rng) & !1,
            Operand::Unaligned => state.r[n] = data_address(rng, 4) + rng.u32(1..4),
            Operand::Unmapped => state.r[n] = 0x2F00_0000 + data_address(rng, 4),
            Operand::CodeOffset => state.r[m] = rng.u32(0..4096).wrapping_sub(2048),
            Operand::BranchTable => {
                state.r[m] = rng.u32(0..64);
                if n != 15 {
                    state.r[n] = data_address(rng, 1);
                }
            }
            Operand::CodePointer { base, index } => {
                state.r[if base { n } else { SP }] = (POINTERS + POINTER_BYTES / 2 + rng.u32(0..256)) & !3;
                if index {
                    state.r[m] = rng.u32(0..64) * 4;
                }
            }
            Operand::Special => state.r[n] = special_value(rng, fields.get('s')),
        }
    }
}

/// ConditionHolds of the Arm ARM, for the flags in `xpsr`.
fn holds(condition: u32, xpsr: u32) -> bool {
    let [n, z, c, v] = [31, 30, 29, 28].map(|bit| xpsr >> bit & 1 != 0);
    let base = match condition >> 1 {
        0 => z,
        1 => c,
        2 => n,
        3 => v,
        4 => c && !z,
        5 => n == v,
        6 => n == v && !z,
        _ => return true,
    };
    base != (condition & 1 != 0)
}

/// A value for special register `sysm`, of the bits that both models implement: BASEPRI has four of its eight on the
/// RP2350, and all of them in Unicorn, which has no interrupt controller to tell it.
fn special_value(rng: &mut Rng, sysm: u32) -> u32 {
    match sysm {
        17 | 18 => rng.u32(..) & 0xF0,
        _ if rng.bool() => rng.u32(0..16),
        _ => rng.u32(..),
    }
}
