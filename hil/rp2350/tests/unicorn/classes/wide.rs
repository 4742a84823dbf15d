//! 32-bit data processing: immediates, shifted registers, bit fields, saturation, special registers.

use crate::class::{Class, Fields, Kind, Operand, class};

/// ThumbExpandImm: a replicated byte of zero is UNPREDICTABLE.
fn immediate(f: &Fields) -> bool {
    let imm12 = f.get('i');
    imm12 & 0xFF != 0 || imm12 >> 8 == 0 || imm12 >> 10 != 0
}

/// If the result goes to SP, its low bits stay clear without being cleared: Unicorn does not, see `expected`.
fn aligned(f: &Fields) -> bool {
    f.get('d') != 13 || f.get('i').is_multiple_of(4)
}

/// Both of the above; for SP, only immediates that are not rotated.
fn stack_immediate(f: &Fields) -> bool {
    immediate(f) && (f.get('d') != 13 || (f.get('i').is_multiple_of(4) && f.get('i') < 0x400))
}

pub fn classes() -> Vec<Class> {
    [immediates(), shifted(), bits(), special()].into_iter().flatten().collect()
}

fn immediates() -> Vec<Class> {
    vec![
        class("AND imm", "11110 i 00000 s nnnn 0 iii dddd iiiiiiii").core("nd").when(immediate),
        class("TST imm", "11110 i 000001 nnnn 0 iii 1111 iiiiiiii").core("n").when(immediate),
        class("BIC imm", "11110 i 00001 s nnnn 0 iii dddd iiiiiiii").core("nd").when(immediate),
        class("ORR imm", "11110 i 00010 s nnnn 0 iii dddd iiiiiiii").core("nd").when(immediate),
        class("MOV imm T2", "11110 i 00010 s 1111 0 iii dddd iiiiiiii").core("d").when(immediate),
        class("ORN imm", "11110 i 00011 s nnnn 0 iii dddd iiiiiiii").core("nd").when(immediate),
        class("MVN imm", "11110 i 00011 s 1111 0 iii dddd iiiiiiii").core("d").when(immediate),
        class("EOR imm", "11110 i 00100 s nnnn 0 iii dddd iiiiiiii").core("nd").when(immediate),
        class("TEQ imm", "11110 i 001001 nnnn 0 iii 1111 iiiiiiii").core("n").when(immediate),
        class("ADD imm T3", "11110 i 01000 s nnnn 0 iii dddd iiiiiiii").core("nd").when(immediate),
        class("ADD SP imm T3", "11110 i 01000 s 1101 0 iii dddd iiiiiiii").no_pc("d").when(stack_immediate),
        class("CMN imm", "11110 i 010001 nnnn 0 iii 1111 iiiiiiii").no_pc("n").when(immediate),
        class("ADC imm", "11110 i 01010 s nnnn 0 iii dddd iiiiiiii").core("nd").when(immediate),
        class("SBC imm", "11110 i 01011 s nnnn 0 iii dddd iiiiiiii").core("nd").when(immediate),
        class("SUB imm T3", "11110 i 01101 s nnnn 0 iii dddd iiiiiiii").core("nd").when(immediate),
        class("SUB SP imm T2", "11110 i 01101 s 1101 0 iii dddd iiiiiiii").no_pc("d").when(stack_immediate),
        class("CMP imm T2", "11110 i 011011 nnnn 0 iii 1111 iiiiiiii").no_pc("n").when(immediate),
        class("RSB imm T2", "11110 i 01110 s nnnn 0 iii dddd iiiiiiii").core("nd").when(immediate),
        class("ADDW", "11110 i 100000 nnnn 0 iii dddd iiiiiiii").core("nd"),
        class("ADD SP imm T4", "11110 i 100000 1101 0 iii dddd iiiiiiii").no_pc("d").when(aligned),
        class("ADD SP imm T4 unaligned", "11110 i 100000 1101 0 iii 1101 iiiiiiii").kind(Kind::Alone),
        class("ADR T3", "11110 i 100000 1111 0 iii dddd iiiiiiii").core("d"),
        class("SUBW", "11110 i 101010 nnnn 0 iii dddd iiiiiiii").core("nd"),
        class("SUB SP imm T3", "11110 i 101010 1101 0 iii dddd iiiiiiii").no_pc("d").when(aligned),
        class("SUB SP imm T3 unaligned", "11110 i 101010 1101 0 iii 1101 iiiiiiii").kind(Kind::Alone),
        class("ADR T2", "11110 i 101010 1111 0 iii dddd iiiiiiii").core("d"),
        class("MOVW", "11110 i 100100 jjjj 0 iii dddd iiiiiiii").core("d"),
        class("MOVT", "11110 i 101100 jjjj 0 iii dddd iiiiiiii").core("d"),
    ]
}

fn shifted() -> Vec<Class> {
    vec![
        class("AND reg T2", "11101010000 s nnnn 0 iii dddd ii tt mmmm").core("nmd"),
        class("TST reg T2", "111010100001 nnnn 0 iii 1111 ii tt mmmm").core("nm"),
        class("BIC reg T2", "11101010001 s nnnn 0 iii dddd ii tt mmmm").core("nmd"),
        class("ORR reg T2", "11101010010 s nnnn 0 iii dddd ii tt mmmm").core("nmd"),
        class("MOV shifted", "11101010010 s 1111 0 iii dddd ii tt mmmm").core("md"),
        class("ORN reg", "11101010011 s nnnn 0 iii dddd ii tt mmmm").core("nmd"),
        class("MVN reg T2", "11101010011 s 1111 0 iii dddd ii tt mmmm").core("md"),
        class("EOR reg T2", "11101010100 s nnnn 0 iii dddd ii tt mmmm").core("nmd"),
        class("TEQ reg", "111010101001 nnnn 0 iii 1111 ii tt mmmm").core("nm"),
        class("PKHBT PKHTB", "111010101100 nnnn 0 iii dddd ii t 0 mmmm").core("nmd"),
        class("ADD reg T3", "11101011000 s nnnn 0 iii dddd ii tt mmmm").core("nmd"),
        class("ADD SP reg T3", "11101011000 s 1101 0 iii dddd ii tt mmmm").core("md"),
        class("ADD SP reg T3 to SP", "11101011000 s 1101 0 000 1101 ii 00 mmmm").core("m").kind(Kind::Alone),
        class("CMN reg T2", "111010110001 nnnn 0 iii 1111 ii tt mmmm").no_pc("nm").no_sp("m"),
        class("ADC reg T2", "11101011010 s nnnn 0 iii dddd ii tt mmmm").core("nmd"),
        class("SBC reg T2", "11101011011 s nnnn 0 iii dddd ii tt mmmm").core("nmd"),
        class("SUB reg T2", "11101011101 s nnnn 0 iii dddd ii tt mmmm").core("nmd"),
        class("SUB SP reg T1", "11101011101 s 1101 0 iii dddd ii tt mmmm").core("md"),
        class("SUB SP reg T1 to SP", "11101011101 s 1101 0 000 1101 ii 00 mmmm").core("m").kind(Kind::Alone),
        class("CMP reg T3", "111010111011 nnnn 0 iii 1111 ii tt mmmm").no_pc("nm").no_sp("m"),
        class("RSB reg", "11101011110 s nnnn 0 iii dddd ii tt mmmm").core("nmd"),
        class("LSL LSR ASR ROR reg T2", "111110100 tt s nnnn 1111 dddd 0000 mmmm").core("nmd"),
    ]
}

fn bits() -> Vec<Class> {
    vec![
        class("SSAT", "11110 0 1100 h 0 nnnn 0 iii dddd ii 0 wwwww")
            .core("nd")
            .when(|f| f.get('h') == 0 || f.get('i') != 0),
        class("SSAT16", "11110 0 110010 nnnn 0000 dddd 00 00 wwww").core("nd"),
        class("USAT", "11110 0 1110 h 0 nnnn 0 iii dddd ii 0 wwwww")
            .core("nd")
            .when(|f| f.get('h') == 0 || f.get('i') != 0),
        class("USAT16", "11110 0 111010 nnnn 0000 dddd 00 00 wwww").core("nd"),
        class("SBFX", "11110 0 110100 nnnn 0 iii dddd ii 0 wwwww").core("nd").when(|f| f.get('i') + f.get('w') <= 31),
        class("UBFX", "11110 0 111100 nnnn 0 iii dddd ii 0 wwwww").core("nd").when(|f| f.get('i') + f.get('w') <= 31),
        class("BFI", "11110 0 110110 nnnn 0 iii dddd ii 0 wwwww").core("nd").when(|f| f.get('w') >= f.get('i')),
        class("BFC", "11110 0 110110 1111 0 iii dddd ii 0 wwwww").core("d").when(|f| f.get('w') >= f.get('i')),
        class("NOP.W", "1111001110101111 1000000000000000"),
        class("YIELD.W", "1111001110101111 1000000000000001").kind(Kind::Alone),
        class("reserved hint.W", "1111001110101111 10000000 hhhh hhhh").when(|f| f.get('h') > 4),
        class("SEV.W", "1111001110101111 1000000000000100"),
        class("DSB DMB", "1111001110111111 10001111010 o xxxx").kind(Kind::Memory),
        // Unicorn forgets the rest of an IT block at an ISB.
        class("ISB", "1111001110111111 100011110110 xxxx").kind(Kind::DataOutsideIt),
        class("CLREX", "1111001110111111 1000111100101111").kind(Kind::Memory),
    ]
}

/// The special registers that a Secure-only core has; 0-7 are the combinations of APSR, IPSR and EPSR.
fn readable(f: &Fields) -> bool {
    matches!(f.get('s'), 0..=3 | 5..=11 | 16..=20)
}

fn special() -> Vec<Class> {
    vec![
        class("MRS", "1111001111101111 1000 dddd ssssssss")
            .core("d")
            .when(readable)
            .needs(Operand::Special)
            .kind(Kind::System),
        class("TT", "111010000100 nnnn 1111 dddd at 000000").core("nd").kind(Kind::Alone),
        class("SG", "1110100101111111 1110100101111111").kind(Kind::Alone),
        class("MSR APSR", "111100111000 nnnn 1000 xx00 000000ss")
            .core("n")
            .when(|f| f.get('x') != 0)
            .needs(Operand::Special)
            .kind(Kind::System),
        class("MSR", "111100111000 nnnn 1000 1000 ssssssss")
            .core("n")
            .when(|f| f.get('s') >= 5 && readable(f))
            .needs(Operand::Special)
            .kind(Kind::System),
        class("CPS", "10110110011 i 00 p f")
            .when(|f| f.get('p') + f.get('f') != 0)
            .needs(Operand::Special)
            .kind(Kind::System),
    ]
}
