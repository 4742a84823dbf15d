//! FPv5 single precision. Field `e` is the destination register, `f` and `g` are the operands. The fifth bit of a
//! register number stands where the encoding has it, so a field's value is not always the number: that matters only
//! where registers are counted, and there the fifth bit is `x`.

use crate::class::{Class, Fields, Kind, Operand, class};

pub fn classes() -> Vec<Class> {
    [arithmetic(), conversions(), outside_it(), moves(), loads()].into_iter().flatten().collect()
}

fn arithmetic() -> Vec<Class> {
    vec![
        class("VMLA.F32", "11101110 0 e 00 ffff eeee 1010 f 0 g 0 gggg"),
        class("VMLS.F32", "11101110 0 e 00 ffff eeee 1010 f 1 g 0 gggg"),
        class("VNMLS.F32", "11101110 0 e 01 ffff eeee 1010 f 0 g 0 gggg"),
        class("VNMLA.F32", "11101110 0 e 01 ffff eeee 1010 f 1 g 0 gggg"),
        class("VMUL.F32", "11101110 0 e 10 ffff eeee 1010 f 0 g 0 gggg"),
        class("VNMUL.F32", "11101110 0 e 10 ffff eeee 1010 f 1 g 0 gggg"),
        class("VADD.F32", "11101110 0 e 11 ffff eeee 1010 f 0 g 0 gggg"),
        class("VSUB.F32", "11101110 0 e 11 ffff eeee 1010 f 1 g 0 gggg"),
        class("VDIV.F32", "11101110 1 e 00 ffff eeee 1010 f 0 g 0 gggg"),
        class("VFNMS.F32", "11101110 1 e 01 ffff eeee 1010 f 0 g 0 gggg"),
        class("VFNMA.F32", "11101110 1 e 01 ffff eeee 1010 f 1 g 0 gggg"),
        class("VFMA.F32", "11101110 1 e 10 ffff eeee 1010 f 0 g 0 gggg"),
        class("VFMS.F32", "11101110 1 e 10 ffff eeee 1010 f 1 g 0 gggg"),
        class("VMOV.F32 imm", "11101110 1 e 11 iiii eeee 1010 0000 iiii"),
        class("VMOV.F32 reg", "11101110 1 e 110000 eeee 1010 01 g 0 gggg"),
        class("VABS.F32", "11101110 1 e 110000 eeee 1010 11 g 0 gggg"),
        class("VNEG.F32", "11101110 1 e 110001 eeee 1010 01 g 0 gggg"),
        class("VSQRT.F32", "11101110 1 e 110001 eeee 1010 11 g 0 gggg"),
        class("VCMP.F32", "11101110 1 e 110100 eeee 1010 01 g 0 gggg"),
        class("VCMPE.F32", "11101110 1 e 110100 eeee 1010 11 g 0 gggg"),
        class("VCMP.F32 zero", "11101110 1 e 110101 eeee 1010 0100 0000"),
        class("VCMPE.F32 zero", "11101110 1 e 110101 eeee 1010 1100 0000"),
    ]
}

fn conversions() -> Vec<Class> {
    /// The fraction width is not negative.
    fn fraction(f: &Fields) -> bool {
        f.get('x') == 1 || (f.get('i') << 1 | f.get('j')) <= 16
    }
    vec![
        class("VCVTB.F32.F16", "11101110 1 e 110010 eeee 1010 01 g 0 gggg"),
        class("VCVTT.F32.F16", "11101110 1 e 110010 eeee 1010 11 g 0 gggg"),
        class("VCVTB.F16.F32", "11101110 1 e 110011 eeee 1010 01 g 0 gggg"),
        class("VCVTT.F16.F32", "11101110 1 e 110011 eeee 1010 11 g 0 gggg"),
        class("VRINTR.F32", "11101110 1 e 110110 eeee 1010 01 g 0 gggg"),
        class("VRINTZ.F32", "11101110 1 e 110110 eeee 1010 11 g 0 gggg"),
        class("VRINTX.F32", "11101110 1 e 110111 eeee 1010 01 g 0 gggg"),
        class("VCVT.F32.U32", "11101110 1 e 111000 eeee 1010 01 g 0 gggg"),
        class("VCVT.F32.S32", "11101110 1 e 111000 eeee 1010 11 g 0 gggg"),
        class("VCVTR.U32.F32", "11101110 1 e 111100 eeee 1010 01 g 0 gggg"),
        class("VCVT.U32.F32", "11101110 1 e 111100 eeee 1010 11 g 0 gggg"),
        class("VCVTR.S32.F32", "11101110 1 e 111101 eeee 1010 01 g 0 gggg"),
        class("VCVT.S32.F32", "11101110 1 e 111101 eeee 1010 11 g 0 gggg"),
        class("VCVT.F32.fixed16", "11101110 1 e 11101 h eeee 1010 0 1 j 0 iiii").when(fraction),
        class("VCVT.F32.fixed32", "11101110 1 e 11101 h eeee 1010 1 1 j 0 iiii").kind(Kind::Alone),
        class("VCVT.fixed.F32", "11101110 1 e 11111 h eeee 1010 x 1 j 0 iiii").when(fraction),
    ]
}

fn outside_it() -> Vec<Class> {
    let plain = |name, pattern| class(name, pattern).kind(Kind::DataOutsideIt);
    vec![
        plain("VSEL.F32", "11111110 0 e cc ffff eeee 1010 f 0 g 0 gggg"),
        plain("VMAXNM.F32", "11111110 1 e 00 ffff eeee 1010 f 0 g 0 gggg"),
        plain("VMINNM.F32", "11111110 1 e 00 ffff eeee 1010 f 1 g 0 gggg"),
        plain("VRINTA N P M.F32", "11111110 1 e 1110 rr eeee 1010 01 g 0 gggg"),
        plain("VCVTA N P M.U32.F32", "11111110 1 e 1111 rr eeee 1010 01 g 0 gggg"),
        plain("VCVTA N P M.S32.F32", "11111110 1 e 1111 rr eeee 1010 11 g 0 gggg"),
    ]
}

fn moves() -> Vec<Class> {
    vec![
        class("VMOV core to S", "111011100000 ffff tttt 1010 f 0010000").core("t"),
        class("VMOV S to core", "111011100001 ffff tttt 1010 f 0010000").core("t"),
        class("VMOV core to D word", "1110111000 h 0 ffff tttt 1011 0 0010000").core("t"),
        class("VMOV D word to core", "1110111000 h 1 ffff tttt 1011 0 0010000").core("t"),
        class("VMOV two cores to two S", "111011000100 uuuu tttt 1010 00 j 1 iiii")
            .core("tu")
            .when(|f| f.get('i') != 15 || f.get('j') == 0),
        class("VMOV two S to two cores", "111011000101 uuuu tttt 1010 00 j 1 iiii")
            .core("tu")
            .when(|f| f.get('t') != f.get('u') && (f.get('i') != 15 || f.get('j') == 0)),
        class("VMOV two cores to D", "111011000100 uuuu tttt 1011 00 0 1 iiii").core("tu"),
        class("VMOV D to two cores", "111011000101 uuuu tttt 1011 00 0 1 iiii")
            .core("tu")
            .when(|f| f.get('t') != f.get('u')),
        class("VMRS", "111011101111 0001 tttt 101000010000").no_sp("t"),
        class("VMSR", "111011101110 0001 tttt 101000010000").core("t"),
    ]
}

fn loads() -> Vec<Class> {
    fn singles(f: &Fields) -> bool {
        let first = f.get('e') << 1 | f.get('x');
        let count = f.get('i');
        count != 0 && first + count <= 32
    }
    fn doubles(f: &Fields) -> bool {
        // An odd count is FLDMX and FSTMX.
        let count = f.get('i') / 2;
        count != 0 && f.get('e') + count <= 16
    }
    let memory = |name, pattern| class(name, pattern).kind(Kind::Memory).needs(Operand::Base(4)).no_pc("n");
    let stack = |name, pattern| class(name, pattern).kind(Kind::Memory).needs(Operand::Stack);
    vec![
        memory("VSTR.F32", "11101101 v e 00 nnnn eeee 1010 iiiiiiii"),
        memory("VLDR.F32", "11101101 v e 01 nnnn eeee 1010 iiiiiiii"),
        memory("VSTR.F64", "11101101 v 0 00 nnnn eeee 1011 iiiiiiii"),
        memory("VLDR.F64", "11101101 v 0 01 nnnn eeee 1011 iiiiiiii"),
        class("VLDR lit", "11101101 v e 01 1111 eeee 1010 iiiiiiii").kind(Kind::Memory),
        class("VLDR.F64 lit", "11101101 v 0 01 1111 eeee 1011 iiiiiiii").kind(Kind::Memory),
        memory("VSTMIA.F32", "11101100 1 x w 0 nnnn eeee 1010 00 iiiiii").when(singles),
        memory("VLDMIA.F32", "11101100 1 x w 1 nnnn eeee 1010 00 iiiiii").when(singles),
        memory("VSTMIA.F64", "11101100 1 0 w 0 nnnn eeee 1011 00 iiiiii").when(doubles),
        memory("VLDMIA.F64", "11101100 1 0 w 1 nnnn eeee 1011 00 iiiiii").when(doubles),
        memory("VSTMDB.F32", "11101101 0 x 10 nnnn eeee 1010 00 iiiiii").when(singles),
        memory("VLDMDB.F32", "11101101 0 x 11 nnnn eeee 1010 00 iiiiii").when(singles),
        memory("VSTMDB.F64", "11101101 0 0 10 nnnn eeee 1011 00 iiiiii").when(doubles),
        memory("VLDMDB.F64", "11101101 0 0 11 nnnn eeee 1011 00 iiiiii").when(doubles),
        stack("VPUSH.F32", "11101101 0 x 10 1101 eeee 1010 00 iiiiii").when(singles),
        stack("VPOP.F32", "11101100 1 x 11 1101 eeee 1010 00 iiiiii").when(singles),
        stack("VPUSH.F64", "11101101 0 0 10 1101 eeee 1011 00 iiiiii").when(doubles),
        stack("VPOP.F64", "11101100 1 0 11 1101 eeee 1011 00 iiiiii").when(doubles),
    ]
}
