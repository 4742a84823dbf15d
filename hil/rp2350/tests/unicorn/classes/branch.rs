//! Branches of every kind.

use crate::class::{Class, Kind, Operand, class};

/// Loads of a list with the PC, or from an immediate offset.
const LISTED: Operand = Operand::CodePointer { base: true, index: false };

pub fn classes() -> Vec<Class> {
    let branch = |name, pattern| class(name, pattern).kind(Kind::Branch);
    let alone = |name, pattern| class(name, pattern).kind(Kind::Alone);
    vec![
        alone("B T1", "1101 cccc iiiiiiii").when(|f| f.get('c') < 14),
        branch("B T2", "11100 iiiiiiiiiii"),
        alone("B T3", "11110 i cccc iiiiii 10 i 0 i iiiiiiiiiii").when(|f| f.get('c') < 14),
        branch("B T4", "11110 i iiiiiiiiii 10 i 1 i iiiiiiiiiii"),
        branch("BL", "11110 i iiiiiiiiii 11 i 1 i iiiiiiiiiii"),
        alone("CBZ CBNZ", "1011 o 0 i 1 iiiii nnn"),
        branch("BX", "010001110 mmmm 000").core("m").needs(Operand::CodeAddress),
        branch("BLX", "010001111 mmmm 000").core("m").needs(Operand::CodeAddress),
        branch("ADD PC reg T2", "01000100 1 mmmm 111").core("m").needs(Operand::CodeOffset),
        branch("MOV PC reg T1", "01000110 1 mmmm 111").core("m").needs(Operand::CodeAddress),
        branch("TBB TBH", "111010001101 nnnn 11110000000 h mmmm")
            .core("m")
            .no_sp("nm")
            .when(|f| f.get('n') != f.get('m'))
            .needs(Operand::BranchTable),
        branch("LDR imm T3 to PC", "111110001101 nnnn 1111 iiiiiiiiiiii")
            .core("n")
            .when(|f| f.get('i').is_multiple_of(4))
            .needs(LISTED),
        branch("LDR imm T4 to PC", "111110000101 nnnn 1111 1pu1 iiiiii 00").core("n").needs(LISTED),
        branch("LDR reg T2 to PC", "111110000101 nnnn 1111 000000 ss mmmm")
            .core("nm")
            .when(|f| f.get('n') != f.get('m'))
            .needs(Operand::CodePointer { base: true, index: true }),
        branch("POP T1 with PC", "10111101 rrrrrrrr").needs(Operand::CodePointer { base: false, index: false }),
        branch("LDM T2 with PC", "1110100010 w 1 nnnn 1 0 0 rrrrrrrrrrrrr")
            .no_pc("n")
            .when(|f| {
                let listed = f.get('r') >> f.get('n') & 1 != 0;
                f.get('r') != 0 && !(f.get('w') == 1 && listed)
            })
            .needs(LISTED),
        branch("LDMDB with PC", "1110100100 w 1 nnnn 1 0 0 rrrrrrrrrrrrr")
            .no_pc("n")
            .when(|f| {
                let listed = f.get('r') >> f.get('n') & 1 != 0;
                f.get('r') != 0 && !(f.get('w') == 1 && listed)
            })
            .needs(LISTED),
    ]
}
