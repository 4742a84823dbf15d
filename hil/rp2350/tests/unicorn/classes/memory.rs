//! Loads and stores: single, dual, multiple, exclusive, acquire and release.

use crate::class::{Class, Fields, Kind, Operand, class};

pub fn classes() -> Vec<Class> {
    [narrow(), single(), pairs(), multiple(), ordered()].into_iter().flatten().collect()
}

fn memory(name: &'static str, pattern: &'static str, operand: Operand) -> Class {
    class(name, pattern).kind(Kind::Memory).needs(operand)
}

fn narrow() -> Vec<Class> {
    let any = Operand::Base(1);
    let indexed = |name, pattern| memory(name, pattern, Operand::BaseIndex).when(|f| f.get('n') != f.get('m'));
    vec![
        memory("LDR lit T1", "01001 ttt iiiiiiii", Operand::None),
        indexed("STR reg T1", "0101000 mmm nnn ttt"),
        indexed("STRH reg T1", "0101001 mmm nnn ttt"),
        indexed("STRB reg T1", "0101010 mmm nnn ttt"),
        indexed("LDRSB reg T1", "0101011 mmm nnn ttt"),
        indexed("LDR reg T1", "0101100 mmm nnn ttt"),
        indexed("LDRH reg T1", "0101101 mmm nnn ttt"),
        indexed("LDRB reg T1", "0101110 mmm nnn ttt"),
        indexed("LDRSH reg T1", "0101111 mmm nnn ttt"),
        memory("STR imm T1", "01100 iiiii nnn ttt", any),
        memory("LDR imm T1", "01101 iiiii nnn ttt", any),
        memory("STRB imm T1", "01110 iiiii nnn ttt", any),
        memory("LDRB imm T1", "01111 iiiii nnn ttt", any),
        memory("STRH imm T1", "10000 iiiii nnn ttt", any),
        memory("LDRH imm T1", "10001 iiiii nnn ttt", any),
        memory("STR SP T2", "10010 ttt iiiiiiii", Operand::Stack),
        memory("LDR SP T2", "10011 ttt iiiiiiii", Operand::Stack),
        memory("PUSH T1", "1011010 p rrrrrrrr", Operand::Stack).when(|f| f.get('p') + f.get('r') != 0),
        memory("POP T1", "10111100 rrrrrrrr", Operand::Stack).when(|f| f.get('r') != 0),
        memory("STM T1", "11000 nnn rrrrrrrr", Operand::Base(4)).when(|f| {
            let below = f.get('r') & ((1 << f.get('n')) - 1);
            let listed = f.get('r') >> f.get('n') & 1 != 0;
            // A base that is listed, but not first, stores an UNKNOWN value.
            f.get('r') != 0 && !(listed && below != 0)
        }),
        memory("LDM T1", "11001 nnn rrrrrrrr", Operand::Base(4)).when(|f| f.get('r') != 0),
    ]
}

/// Pre- and post-indexed forms with write-back: the base is not transferred.
fn indexed_form(f: &Fields) -> bool {
    let (p, w) = (f.get('p') != 0, f.get('w') != 0);
    // p, u without w is the unprivileged form, which is a class of its own.
    let defined = if p { w || f.get('v') == 0 } else { w };
    // SP moves by whole words: Unicorn does not clear its low bits, see `expected`.
    let aligned = f.get('n') != 13 || f.get('i').is_multiple_of(4);
    defined && aligned && !(w && f.get('n') == f.get('t'))
}

fn single() -> Vec<Class> {
    let wide = |name, pattern| memory(name, pattern, Operand::Base(1)).core("t").no_pc("nt");
    let word = |name, pattern| memory(name, pattern, Operand::Base(1)).no_pc("nt");
    let literal = |name, pattern| memory(name, pattern, Operand::None).core("t");
    let indexed = |name, pattern| {
        memory(name, pattern, Operand::BaseIndex).no_sp("tm").no_pc("nmt").when(|f| f.get('n') != f.get('m'))
    };
    vec![
        wide("STRB imm T2", "111110001000 nnnn tttt iiiiiiiiiiii"),
        wide("LDRB imm T2", "111110001001 nnnn tttt iiiiiiiiiiii"),
        wide("STRH imm T2", "111110001010 nnnn tttt iiiiiiiiiiii"),
        wide("LDRH imm T2", "111110001011 nnnn tttt iiiiiiiiiiii"),
        word("STR imm T3", "111110001100 nnnn tttt iiiiiiiiiiii"),
        wide("LDR imm T3", "111110001101 nnnn tttt iiiiiiiiiiii"),
        word("LDR imm T3 to SP", "111110001101 nnnn 1101 iiiiiiiiiiii").kind(Kind::Alone),
        wide("LDRSB imm T1", "111110011001 nnnn tttt iiiiiiiiiiii"),
        wide("LDRSH imm T1", "111110011011 nnnn tttt iiiiiiiiiiii"),
        wide("STRB imm T3", "111110000000 nnnn tttt 1pvw iiiiiiii").when(indexed_form),
        wide("LDRB imm T3", "111110000001 nnnn tttt 1pvw iiiiiiii").when(indexed_form),
        wide("STRH imm T3", "111110000010 nnnn tttt 1pvw iiiiiiii").when(indexed_form),
        wide("LDRH imm T3", "111110000011 nnnn tttt 1pvw iiiiiiii").when(indexed_form),
        word("STR imm T4", "111110000100 nnnn tttt 1pvw iiiiiiii").when(indexed_form),
        wide("LDR imm T4", "111110000101 nnnn tttt 1pvw iiiiiiii").when(indexed_form),
        wide("LDRSB imm T2", "111110010001 nnnn tttt 1pvw iiiiiiii").when(indexed_form),
        wide("LDRSH imm T2", "111110010011 nnnn tttt 1pvw iiiiiiii").when(indexed_form),
        word("STR imm T4 SP unaligned", "111110000100 1101 tttt 1pv1 iiiiiiii").kind(Kind::Alone).no_sp("t"),
        wide("STRBT", "111110000000 nnnn tttt 1110 iiiiiiii"),
        wide("LDRBT", "111110000001 nnnn tttt 1110 iiiiiiii"),
        wide("STRHT", "111110000010 nnnn tttt 1110 iiiiiiii"),
        wide("LDRHT", "111110000011 nnnn tttt 1110 iiiiiiii"),
        wide("STRT", "111110000100 nnnn tttt 1110 iiiiiiii"),
        wide("LDRT", "111110000101 nnnn tttt 1110 iiiiiiii"),
        wide("LDRSBT", "111110010001 nnnn tttt 1110 iiiiiiii"),
        wide("LDRSHT", "111110010011 nnnn tttt 1110 iiiiiiii"),
        indexed("STRB reg T2", "111110000000 nnnn tttt 000000 ss mmmm"),
        indexed("LDRB reg T2", "111110000001 nnnn tttt 000000 ss mmmm"),
        indexed("STRH reg T2", "111110000010 nnnn tttt 000000 ss mmmm"),
        indexed("LDRH reg T2", "111110000011 nnnn tttt 000000 ss mmmm"),
        indexed("STR reg T2", "111110000100 nnnn tttt 000000 ss mmmm"),
        indexed("LDR reg T2", "111110000101 nnnn tttt 000000 ss mmmm"),
        indexed("LDRSB reg T2", "111110010001 nnnn tttt 000000 ss mmmm"),
        indexed("LDRSH reg T2", "111110010011 nnnn tttt 000000 ss mmmm"),
        literal("LDRB lit", "11111000 v 0011111 tttt iiiiiiiiiiii"),
        literal("LDRH lit", "11111000 v 0111111 tttt iiiiiiiiiiii"),
        literal("LDR lit T2", "11111000 v 1011111 tttt iiiiiiiiiiii"),
        literal("LDRSB lit", "11111001 v 0011111 tttt iiiiiiiiiiii"),
        literal("LDRSH lit", "11111001 v 0111111 tttt iiiiiiiiiiii"),
        memory("PLD imm", "111110001001 nnnn 1111 iiiiiiiiiiii", Operand::Base(1)).no_pc("n"),
        memory("PLI imm", "111110011001 nnnn 1111 iiiiiiiiiiii", Operand::Base(1)).no_pc("n"),
        memory("PLD lit", "11111000 v 0011111 1111 iiiiiiiiiiii", Operand::None),
        memory("PLI lit", "11111001 v 0011111 1111 iiiiiiiiiiii", Operand::None),
        memory("PLD reg", "111110000001 nnnn 1111 000000 ss mmmm", Operand::BaseIndex).core("nm"),
    ]
}

fn pairs() -> Vec<Class> {
    let pair = |name, pattern| memory(name, pattern, Operand::Base(4)).core("tu").no_pc("ntu");
    vec![
        pair("STRD imm", "1110100 p v 1 w 0 nnnn tttt uuuu iiiiiiii").when(|f| {
            let base_moved = f.get('n') == f.get('t') || f.get('n') == f.get('u');
            f.get('p') + f.get('w') != 0 && !(f.get('w') != 0 && base_moved)
        }),
        pair("LDRD imm", "1110100 p v 1 w 1 nnnn tttt uuuu iiiiiiii").when(|f| {
            let base_moved = f.get('n') == f.get('t') || f.get('n') == f.get('u');
            let distinct = f.get('t') != f.get('u');
            distinct && f.get('p') + f.get('w') != 0 && !(f.get('w') != 0 && base_moved)
        }),
        memory("LDRD lit", "11101001 v 1011111 tttt uuuu iiiiiiii", Operand::None)
            .core("tu")
            .when(|f| f.get('t') != f.get('u')),
    ]
}

fn multiple() -> Vec<Class> {
    fn list(f: &Fields) -> bool {
        // The list has no bit for SP: the one for LR is next to R12's.
        let place = if f.get('n') == 14 { 13 } else { f.get('n') };
        let listed = f.get('n') != 13 && f.get('r') >> place & 1 != 0;
        f.get('r').count_ones() >= 2 && !(f.get('w') == 1 && listed)
    }
    let multiple = |name, pattern| memory(name, pattern, Operand::Base(4)).no_pc("n").when(list);
    vec![
        multiple("STM T2", "1110100010 w 0 nnnn 0 r 0 rrrrrrrrrrrrr"),
        multiple("LDM T2", "1110100010 w 1 nnnn 0 r 0 rrrrrrrrrrrrr"),
        multiple("STMDB", "1110100100 w 0 nnnn 0 r 0 rrrrrrrrrrrrr"),
        multiple("LDMDB", "1110100100 w 1 nnnn 0 r 0 rrrrrrrrrrrrr"),
    ]
}

fn ordered() -> Vec<Class> {
    let plain = |name, pattern, align| memory(name, pattern, Operand::Base(align)).core("t").no_pc("nt");
    let load = |name, pattern, align| {
        class(name, pattern).kind(Kind::Alone).needs(Operand::Exclusive(align)).core("t").no_pc("nt")
    };
    let store = |name, pattern, align| {
        class(name, pattern)
            .kind(Kind::Alone)
            .needs(Operand::Exclusive(align))
            .no_sp("td")
            .no_pc("ntd")
            .when(|f| f.get('d') != f.get('n') && f.get('d') != f.get('t'))
    };
    vec![
        plain("LDA", "111010001101 nnnn tttt 111110101111", 4),
        plain("LDAB", "111010001101 nnnn tttt 111110001111", 1),
        plain("LDAH", "111010001101 nnnn tttt 111110011111", 2),
        plain("STL", "111010001100 nnnn tttt 111110101111", 4),
        plain("STLB", "111010001100 nnnn tttt 111110001111", 1),
        plain("STLH", "111010001100 nnnn tttt 111110011111", 2),
        load("LDREX", "111010000101 nnnn tttt 1111 iiiiiiii", 4),
        load("LDREXB", "111010001101 nnnn tttt 111101001111", 1),
        load("LDREXH", "111010001101 nnnn tttt 111101011111", 2),
        load("LDAEX", "111010001101 nnnn tttt 111111101111", 4),
        load("LDAEXB", "111010001101 nnnn tttt 111111001111", 1),
        load("LDAEXH", "111010001101 nnnn tttt 111111011111", 2),
        store("STREX", "111010000100 nnnn tttt dddd iiiiiiii", 4),
        store("STREXB", "111010001100 nnnn tttt 11110100 dddd", 1),
        store("STREXH", "111010001100 nnnn tttt 11110101 dddd", 2),
        store("STLEX", "111010001100 nnnn tttt 11111110 dddd", 4),
        store("STLEXB", "111010001100 nnnn tttt 11111100 dddd", 1),
        store("STLEXH", "111010001100 nnnn tttt 11111101 dddd", 2),
    ]
}
