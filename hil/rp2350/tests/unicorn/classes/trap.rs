//! What must trap: undefined encodings, absent coprocessors, unaligned and unmapped accesses, the wrong state.

use crate::class::{Class, Kind, Operand, class};

pub fn classes() -> Vec<Class> {
    [undefined(), accesses(), state()].into_iter().flatten().collect()
}

fn trap(name: &'static str, pattern: &'static str) -> Class {
    class(name, pattern).kind(Kind::Alone)
}

fn undefined() -> Vec<Class> {
    vec![
        trap("UDF T1", "11011110 iiiiiiii"),
        trap("UDF T2", "111101111111 iiii 1010 iiiiiiiiiiii"),
        trap("undefined 16-bit", "10110111 iiiiiiii"),
        trap("undefined 16-bit 2", "10111000 iiiiiiii"),
        trap("undefined BLX imm", "11110 iiiiiiiiiii 11 i 0 iiiiiiiiiii 0"),
        trap("undefined Advanced SIMD", "111 i 1111 iiiiiiii iiii 101i iiiiiiii"),
        trap("undefined VDIV", "11101110 1 e 00 ffff eeee 1010 f 1 g 0 gggg"),
        trap("undefined VFP one operand", "11101110 1 e 111001 eeee 1010 i 1 g 0 gggg"),
        trap("undefined VCVT double", "11101110 1 e 110111 eeee 101i 11 g 0 gggg"),
        trap("double precision", "11101110 a e bb ffff eeee 1011 f 0 g 0 gggg")
            .when(|f| (f.get('a') << 2 | f.get('b')) < 7),
        trap("double precision one operand", "11101110 1 e 11000 f eeee 1011 i 1 g 0 gggg"),
        trap("double precision VSEL", "11111110 0 e cc ffff eeee 1011 f 0 g 0 gggg"),
        trap("double precision VMAXNM", "11111110 1 e 00 ffff eeee 1011 f i g 0 gggg"),
        trap("MCR MRC absent", "11101110 ooo l nnnn tttt 00cc ppp 1 mmmm").core("t"),
        trap("CDP absent", "11101110 oooo nnnn dddd 00cc ppp 0 mmmm"),
        trap("MCRR MRRC absent", "11101100010 l uuuu tttt 00cc oooo mmmm")
            .core("tu")
            .when(|f| f.get('t') != f.get('u')),
        trap("SVC", "11011111 iiiiiiii"),
        trap("BKPT", "10111110 iiiiiiii"),
    ]
}

fn accesses() -> Vec<Class> {
    let unaligned = |name, pattern| trap(name, pattern).no_sp("nt").no_pc("nt").needs(Operand::Unaligned);
    let unmapped = |name, pattern| trap(name, pattern).core("n").no_pc("nt").no_sp("nt").needs(Operand::Unmapped);
    vec![
        unaligned("LDREX unaligned", "111010000101 nnnn tttt 1111 iiiiiiii"),
        unaligned("LDA unaligned", "111010001101 nnnn tttt 111110101111"),
        unaligned("LDAEX unaligned", "111010001101 nnnn tttt 111111101111"),
        unaligned("STL unaligned", "111010001100 nnnn tttt 111110101111"),
        unaligned("LDM T1 unaligned", "11001 nnn rrrrrrrr").when(|f| f.get('r') != 0),
        unaligned("STM T1 unaligned", "11000 nnn rrrrrrrr").when(|f| {
            let listed = f.get('r') >> f.get('n') & 1 != 0;
            f.get('r') != 0 && !listed
        }),
        unaligned("LDRD unaligned", "1110100 1 v 101 nnnn tttt 0000 iiiiiiii").when(|f| f.get('t') != 0),
        unaligned("STRD unaligned", "1110100 1 v 100 nnnn tttt 0000 iiiiiiii"),
        unaligned("VLDR unaligned", "11101101 v e 01 nnnn eeee 1010 iiiiiiii"),
        unaligned("VSTR unaligned", "11101101 v e 00 nnnn eeee 1010 iiiiiiii"),
        unmapped("LDR unmapped", "111110001101 nnnn tttt iiiiiiiiiiii"),
        unmapped("LDRB unmapped", "111110001001 nnnn tttt iiiiiiiiiiii"),
        unmapped("STR unmapped", "111110001100 nnnn tttt iiiiiiiiiiii"),
        unmapped("STRH unmapped", "111110001010 nnnn tttt iiiiiiiiiiii"),
        unmapped("LDM unmapped", "11001 nnn rrrrrrrr").when(|f| f.get('r') != 0),
        unmapped("VLDR unmapped", "11101101 v e 01 nnnn eeee 1010 iiiiiiii"),
    ]
}

fn state() -> Vec<Class> {
    let leaves_thumb = |name, pattern| trap(name, pattern).core("m").needs(Operand::EvenAddress);
    vec![leaves_thumb("BX to even", "010001110 mmmm 000"), leaves_thumb("BLX to even", "010001111 mmmm 000")]
}
