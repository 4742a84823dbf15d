//! The debug port as the wire sees it: registers, lanes, increments, errors, and that nothing upsets it.

use crate::common::*;
use rp2350_model::{AccessSize, DapFault, Instant, Rp2350};

const CSW_REG: u16 = 0xd00;
const TAR: u16 = 0xd04;
const DRW: u16 = 0xd0c;

fn attached() -> Rp2350 {
    let mut chip = Rp2350::new();
    run_for_micros(&mut chip, 3_000);
    attach(&mut chip);
    chip
}

#[test]
fn power_is_acknowledged_and_needed() {
    let mut chip = Rp2350::new();
    let mut port = chip.debug();
    assert_eq!(port.ap_read(AP0, CSW_REG), Err(DapFault::PoweredDown));
    port.dp_write(4, 0x5000_0000).expect("CTRL/STAT");
    assert_eq!(port.dp_read(4), Ok(0xf000_0000));
    assert_eq!(port.ap_read(AP0, 0xdfc), Ok(0x3477_0008));
    assert_eq!(port.ap_read(AP0, 0xdf4), Ok(0));
    port.dp_write(4, 0).expect("CTRL/STAT");
    assert_eq!(port.dp_read(4), Ok(0));
}

#[test]
fn select_banks_dp_registers() {
    let mut chip = attached();
    let mut port = chip.debug();
    port.dp_write(8, 5).expect("SELECT");
    port.dp_write(4, 0x12).expect("SELECT1");
    assert_eq!(port.dp_read(4), Ok(0x12));
    port.dp_write(8, 0x2000).expect("SELECT");
    assert_eq!(port.selected(), 0x12_0000_2000);
    assert_eq!(port.dp_read(4), Ok(0xf000_0000));
    port.line_reset();
    assert_eq!(port.selected(), 0);
}

#[test]
fn narrow_accesses_use_the_lane_of_their_address() {
    let mut chip = attached();
    let mut port = chip.debug();
    write(&mut port, SRAM, 0x4433_2211);
    port.ap_write(AP0, CSW_REG, 0xa300_0010).expect("CSW: bytes, increment");
    port.ap_write(AP0, TAR, SRAM + 1).expect("TAR");
    assert_eq!(port.ap_read(AP0, DRW), Ok(0x2200));
    assert_eq!(port.ap_read(AP0, DRW), Ok(0x33_0000));
    port.ap_write(AP0, DRW, 0xaa00_0000).expect("DRW");
    assert_eq!(port.ap_read(AP0, TAR), Ok(SRAM + 4));
    assert_eq!(read(&mut port, SRAM), 0xaa33_2211);
    port.ap_write(AP0, CSW_REG, 0xa300_0021).expect("CSW: halves, packed");
    port.ap_write(AP0, TAR, SRAM).expect("TAR");
    assert_eq!(port.ap_read(AP0, DRW), Ok(0xaa33_2211));
}

#[test]
fn the_address_wraps_within_its_kibibyte() {
    let mut chip = attached();
    let mut port = chip.debug();
    port.ap_write(AP0, CSW_REG, CSW).expect("CSW");
    port.ap_write(AP0, TAR, SRAM + 0x7fc).expect("TAR");
    port.ap_write(AP0, DRW, 1).expect("DRW");
    assert_eq!(port.ap_read(AP0, TAR), Ok(SRAM + 0x400));
    // A block goes on, whatever it crosses.
    let block: Vec<u8> = (0..=255).cycle().take(5_001).collect();
    port.mem_write(AP0, CSW, AccessSize::Word, SRAM + 0x3fd, &block).expect("RAM");
    let mut back = vec![0; block.len()];
    port.mem_read(AP1, CSW, SRAM + 0x3fd, &mut back).expect("RAM");
    assert_eq!(back, block);
}

#[test]
fn an_error_sticks_until_it_is_cleared() {
    let mut chip = attached();
    let mut port = chip.debug();
    let mut word = [0; 4];
    assert_eq!(port.mem_read(AP0, CSW, 0x6000_0000, &mut word), Err(DapFault::Fault));
    assert_eq!(port.dp_read(4), Ok(0xf000_0020));
    assert_eq!(port.mem_read(AP0, CSW, SRAM, &mut word), Err(DapFault::Fault));
    port.dp_write(0, 4).expect("ABORT");
    assert_eq!(port.mem_read(AP0, CSW, SRAM, &mut word), Ok(()));
    assert_eq!(port.ap_read(0x3000, 0), Err(DapFault::NoAccessPort));
}

#[test]
fn a_write_has_its_effect_before_the_next_transfer() {
    let mut chip = attached();
    let mut port = chip.debug();
    write(&mut port, RESETS_CLR, 1 << 23);
    write(&mut port, TIMER0 + 0x44, 1);
    assert_eq!(read(&mut port, 0xe000_e200), 1, "TIMER0's first interrupt is pending");
}

/// Of a block as of a single word, at whichever place of it the reservation is.
#[test]
fn a_write_ends_the_cores_reservations() {
    // ldrex r0, [r1]; b .; strex r2, r0, [r1]; b .
    let code = [0xe7fe, 0xe851, 0x0f00, 0xe7fe, 0xe841, 0x0200, 0xe7fe];
    let mut chip = board(&image(&code, &[]));
    run_for_micros(&mut chip, 3_000);
    attach(&mut chip);
    for (block, status) in [(SRAM + 0x80, 1), (SRAM + 0x100, 1), (SRAM + 0x200, 0)] {
        for (reg, value) in [(1, SRAM + 0x100), (2, 7), (15, CODE + 2)] {
            halt(&mut chip.debug());
            set_reg(&mut chip.debug(), reg, value);
        }
        resume(&mut chip.debug());
        run_for_micros(&mut chip, 10);
        let mut port = chip.debug();
        port.mem_write(AP0, CSW, AccessSize::Word, block, &[0; 0x100]).expect("RAM");
        halt(&mut port);
        set_reg(&mut port, 15, CODE + 8);
        resume(&mut port);
        run_for_micros(&mut chip, 10);
        let mut port = chip.debug();
        halt(&mut port);
        assert_eq!(get_reg(&mut port, 2), status, "{block:#x}");
    }
}

/// Core 1 is halted between LDREX and STREX while core 0 writes there.
#[test]
fn a_cores_write_ends_the_reservation_of_a_halted_one() {
    // str r0, [r1]; b .; ldrex r0, [r1]; strex r2, r0, [r1]
    let mut chip = board(&image(&[0xe7fe, 0x6008, 0xe7fe, 0xe851, 0x0f00, 0xe841, 0x0200], &[]));
    run_for_micros(&mut chip, 3_000);
    attach(&mut chip);
    for (written, status) in [(SRAM + 0x100, 1), (SRAM + 0x200, 0)] {
        let mut port = chip.debug();
        halt(&mut port);
        let core_1 = |chip: &mut Rp2350, addr: u32, value: u32| {
            let bytes = value.to_le_bytes();
            chip.debug().mem_write(AP1, CSW, AccessSize::Word, addr, &bytes).expect("writable");
        };
        core_1(&mut chip, 0xe000_edf0, 0xa05f_0003);
        for (reg, value) in [(1, SRAM + 0x100), (2, 7), (15, CODE + 6)] {
            core_1(&mut chip, 0xe000_edf8, value);
            core_1(&mut chip, 0xe000_edf4, 1 << 16 | reg);
        }
        core_1(&mut chip, 0xe000_edf0, 0xa05f_000d);
        let mut port = chip.debug();
        set_reg(&mut port, 1, written);
        set_reg(&mut port, 15, CODE + 2);
        resume(&mut port);
        run_for_micros(&mut chip, 10);
        halt(&mut chip.debug());
        core_1(&mut chip, 0xe000_edf0, 0xa05f_000d);
        core_1(&mut chip, 0xe000_edf4, 2);
        let mut bytes = [0; 4];
        chip.debug().mem_read(AP1, CSW, 0xe000_edf8, &mut bytes).expect("readable");
        assert_eq!(u32::from_le_bytes(bytes), status, "{written:#x}");
    }
}

/// xorshift64, from a fixed seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }

    fn pick(&mut self, from: &[u32]) -> u32 {
        from[self.next() as usize % from.len()]
    }
}

/// No sequence of transfers makes the chip panic, or leaves it unusable after a pin reset.
#[test]
fn random_transfers_do_not_upset_the_chip() {
    const BASES: [u32; 23] = [
        0,
        0x1000_0000,
        0x2000_0000,
        0x4000_0000,
        0x4001_0000,
        0x4001_8000,
        0x4002_0000,
        0x4002_8000,
        0x4003_8000,
        0x4004_8000,
        0x4005_0000,
        0x4007_0000,
        0x400b_0000,
        0x400d_8000,
        0x400e_0000,
        0x400e_8000,
        0x4010_0000,
        0x4010_8000,
        0x5000_0000,
        0xd000_0000,
        0xe000_0000,
        0xe000_e000,
        0xe000_1000,
    ];
    let mut random = Random(0x5eed_0000_2350);
    let mut chip = board(&image(&[0x3001, 0xe7fd], &[]));
    for round in 0..300 {
        chip.set_run(false);
        chip.set_run(true);
        run_for_micros(&mut chip, 3_000);
        attach(&mut chip);
        write(&mut chip.debug(), RESETS_CLR, u32::MAX);
        for _ in 0..200 {
            let base = random.pick(&BASES);
            let addr = match random.next() % 4 {
                0 => random.next(),
                1 => base | random.next() & 0xf_ffff,
                _ => base + (random.next() & 0x3ffc),
            };
            let value = match random.next() % 4 {
                0 => 0,
                1 => 1 << (random.next() % 32),
                2 => u32::MAX,
                _ => random.next(),
            };
            let ap = random.pick(&[AP0, AP0, AP1, AP1, 0x8_0000, 0xa000]);
            let mut port = chip.debug();
            let mut bytes = [0; 9];
            let length = random.next() as usize % 9;
            let size = [AccessSize::Byte, AccessSize::Half, AccessSize::Word][random.next() as usize % 3];
            // Errors are part of the exercise.
            let _ = match random.next() % 8 {
                0 => port.dp_read(value as u8).map(|_| ()),
                1 => port.dp_write(value as u8, random.next()),
                2 => port.ap_read(ap, addr as u16).map(|_| ()),
                3 => port.ap_write(ap, addr as u16, value),
                4 | 5 => port.mem_read(ap, CSW, addr, &mut bytes[..length]),
                _ => port.mem_write(ap, CSW, size, addr, &value.to_le_bytes()[..length.min(4)]),
            };
            let _ = port.dp_write(0, 0x1e);
            let _ = port.dp_write(4, 0x5000_0000);
            if random.next().is_multiple_of(16) {
                chip.run_until(Instant::from_units(chip.now().units() + u64::from(random.next() % 120_000)));
            }
        }
        chip.take_diagnostics();
        edges(&mut chip);
        chip.set_run(false);
        chip.set_run(true);
        let before = chip.instructions(0);
        run_for_micros(&mut chip, 3_000);
        assert!(chip.instructions(0) > before + 1_000, "round {round}: it boots again");
    }
}
