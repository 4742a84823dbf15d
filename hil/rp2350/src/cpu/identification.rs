//! Read-only registers that say what this core is: feature registers, CoreSight identification, ROM table.

/// The core's CoreSight ROM table at 0xE00FF000: what is modelled is listed, as offsets from the table.
pub(super) fn rom_table(offset: u32) -> u32 {
    match offset {
        // SCS, DWT, FPB
        0x00 => 0xfff0_f003,
        0x04 => 0xfff0_2003,
        0x08 => 0xfff0_3003,
        // System memory is on the same bus.
        0xfcc => 1,
        0xfe0 => 0xc9,
        0xfe4 => 0xb4,
        0xff4 => 0x10,
        0xfd0..=0xffc => component_id(offset),
        _ => 0,
    }
}

/// Identification registers 0xE000ED40..0xE000ED7C of a Cortex-M33 with DSP, FPU, MPU, Security and coprocessors.
pub(super) fn feature_register(offset: u32) -> Option<u32> {
    Some(match offset {
        0xd40 => 0x0000_0030,
        0xd44 => 0x0000_0210,
        0xd48 => 0x0020_0000,
        0xd4c => 0,
        0xd50 => 0x0010_1f40,
        0xd54 => 0,
        0xd58 => 0x0100_0000,
        0xd5c => 0,
        0xd60 => 0x0114_1110,
        0xd64 => 0x0221_2000,
        0xd68 => 0x2023_2232,
        0xd6c => 0x0111_1131,
        0xd70 => 0x0131_0132,
        0xd74 | 0xd78 => 0,
        0xd7c => 0x8000_c000,
        _ => return None,
    })
}

/// CoreSight identification at 0xFD0..0xFFC: part 0xD21 (Cortex-M33) of Arm.
pub(super) fn component_id(offset: u32) -> u32 {
    match offset {
        0xfd0 => 0x04,
        0xfe0 => 0x21,
        0xfe4 => 0xbd,
        0xfe8 => 0x0b,
        0xff0 => 0x0d,
        0xff4 => 0x90,
        0xff8 => 0x05,
        0xffc => 0xb1,
        _ => 0,
    }
}
