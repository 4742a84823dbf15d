//! Multiply, divide, extend, and the DSP extension: parallel and saturating arithmetic, halfword multiplies.

use crate::class::{Class, class};

pub fn classes() -> Vec<Class> {
    [multiply(), long(), extend(), parallel(), misc()].into_iter().flatten().collect()
}

fn multiply() -> Vec<Class> {
    vec![
        class("MLA", "111110110000 nnnn aaaa dddd 0000 mmmm").core("nmad"),
        class("MUL T2", "111110110000 nnnn 1111 dddd 0000 mmmm").core("nmd"),
        class("MLS", "111110110000 nnnn aaaa dddd 0001 mmmm").core("nmad"),
        class("SMLAxy", "111110110001 nnnn aaaa dddd 00xy mmmm").core("nmad"),
        class("SMULxy", "111110110001 nnnn 1111 dddd 00xy mmmm").core("nmd"),
        class("SMLAD", "111110110010 nnnn aaaa dddd 000x mmmm").core("nmad"),
        class("SMUAD", "111110110010 nnnn 1111 dddd 000x mmmm").core("nmd"),
        class("SMLAWy", "111110110011 nnnn aaaa dddd 000y mmmm").core("nmad"),
        class("SMULWy", "111110110011 nnnn 1111 dddd 000y mmmm").core("nmd"),
        class("SMLSD", "111110110100 nnnn aaaa dddd 000x mmmm").core("nmad"),
        class("SMUSD", "111110110100 nnnn 1111 dddd 000x mmmm").core("nmd"),
        class("SMMLA", "111110110101 nnnn aaaa dddd 000r mmmm").core("nmad"),
        class("SMMUL", "111110110101 nnnn 1111 dddd 000r mmmm").core("nmd"),
        class("SMMLS", "111110110110 nnnn aaaa dddd 000r mmmm").core("nmad"),
        class("USADA8", "111110110111 nnnn aaaa dddd 0000 mmmm").core("nmad"),
        class("USAD8", "111110110111 nnnn 1111 dddd 0000 mmmm").core("nmd"),
    ]
}

fn long() -> Vec<Class> {
    let two = |name, pattern| class(name, pattern).core("nmlh").when(|f| f.get('l') != f.get('h'));
    vec![
        two("SMULL", "111110111000 nnnn llll hhhh 0000 mmmm"),
        class("SDIV", "111110111001 nnnn 1111 dddd 1111 mmmm").core("nmd"),
        two("UMULL", "111110111010 nnnn llll hhhh 0000 mmmm"),
        class("UDIV", "111110111011 nnnn 1111 dddd 1111 mmmm").core("nmd"),
        two("SMLAL", "111110111100 nnnn llll hhhh 0000 mmmm"),
        two("SMLALxy", "111110111100 nnnn llll hhhh 10xy mmmm"),
        two("SMLALD", "111110111100 nnnn llll hhhh 110x mmmm"),
        two("SMLSLD", "111110111101 nnnn llll hhhh 110x mmmm"),
        two("UMLAL", "111110111110 nnnn llll hhhh 0000 mmmm"),
        two("UMAAL", "111110111110 nnnn llll hhhh 0110 mmmm"),
    ]
}

fn extend() -> Vec<Class> {
    vec![
        class("SXTAH", "111110100000 nnnn 1111 dddd 10rr mmmm").core("nmd"),
        class("SXTH T2", "111110100000 1111 1111 dddd 10rr mmmm").core("md"),
        class("UXTAH", "111110100001 nnnn 1111 dddd 10rr mmmm").core("nmd"),
        class("UXTH T2", "111110100001 1111 1111 dddd 10rr mmmm").core("md"),
        class("SXTAB16", "111110100010 nnnn 1111 dddd 10rr mmmm").core("nmd"),
        class("SXTB16", "111110100010 1111 1111 dddd 10rr mmmm").core("md"),
        class("UXTAB16", "111110100011 nnnn 1111 dddd 10rr mmmm").core("nmd"),
        class("UXTB16", "111110100011 1111 1111 dddd 10rr mmmm").core("md"),
        class("SXTAB", "111110100100 nnnn 1111 dddd 10rr mmmm").core("nmd"),
        class("SXTB T2", "111110100100 1111 1111 dddd 10rr mmmm").core("md"),
        class("UXTAB", "111110100101 nnnn 1111 dddd 10rr mmmm").core("nmd"),
        class("UXTB T2", "111110100101 1111 1111 dddd 10rr mmmm").core("md"),
    ]
}

/// `p`: signed, saturating, halving; then the same unsigned.
fn parallel() -> Vec<Class> {
    let six = |name, pattern| class(name, pattern).core("nmd").when(|f| f.get('p') & 3 != 3);
    vec![
        six("xADD8", "111110101000 nnnn 1111 dddd 0ppp mmmm"),
        six("xADD16", "111110101001 nnnn 1111 dddd 0ppp mmmm"),
        six("xASX", "111110101010 nnnn 1111 dddd 0ppp mmmm"),
        six("xSUB8", "111110101100 nnnn 1111 dddd 0ppp mmmm"),
        six("xSUB16", "111110101101 nnnn 1111 dddd 0ppp mmmm"),
        six("xSAX", "111110101110 nnnn 1111 dddd 0ppp mmmm"),
    ]
}

fn misc() -> Vec<Class> {
    vec![
        class("QADD", "111110101000 nnnn 1111 dddd 1000 mmmm").core("nmd"),
        class("QDADD", "111110101000 nnnn 1111 dddd 1001 mmmm").core("nmd"),
        class("QSUB", "111110101000 nnnn 1111 dddd 1010 mmmm").core("nmd"),
        class("QDSUB", "111110101000 nnnn 1111 dddd 1011 mmmm").core("nmd"),
        class("REV T2", "111110101001 nnnn 1111 dddd 1000 mmmm").core("nmd").twin('n', 'm'),
        class("REV16 T2", "111110101001 nnnn 1111 dddd 1001 mmmm").core("nmd").twin('n', 'm'),
        class("RBIT", "111110101001 nnnn 1111 dddd 1010 mmmm").core("nmd").twin('n', 'm'),
        class("REVSH T2", "111110101001 nnnn 1111 dddd 1011 mmmm").core("nmd").twin('n', 'm'),
        class("SEL", "111110101010 nnnn 1111 dddd 1000 mmmm").core("nmd"),
        class("CLZ", "111110101011 nnnn 1111 dddd 1000 mmmm").core("nmd").twin('n', 'm'),
    ]
}
