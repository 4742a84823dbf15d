//! From reset to a program, or not: boot ROM, resets, the debugger's requests.

use crate::common::*;
use rp2350_model::{DapFault, Instant, Line, Rp2350, RunExit};

/// `b .`
const FOREVER: [u16; 1] = [0xe7fe];

#[test]
fn an_image_is_started_after_the_boot_roms_time() {
    let mut chip = board(&image(&FOREVER, &[]));
    run_for_micros(&mut chip, 1_999);
    assert_eq!(chip.instructions(0), 0);
    run_for_micros(&mut chip, 11);
    assert!(chip.instructions(0) > 90, "{}", chip.instructions(0));
    attach(&mut chip);
    let mut port = chip.debug();
    halt(&mut port);
    assert_eq!(get_reg(&mut port, 15), CODE);
    assert_eq!(get_reg(&mut port, 13), SRAM + 0x8_0000);
    assert_eq!(read(&mut port, 0xe000_ed08), FLASH);
    assert_eq!(chip.take_diagnostics(), []);
}

#[test]
fn erased_flash_sleeps_in_the_boot_rom_without_a_word() {
    let mut chip = Rp2350::new();
    assert_eq!(chip.run_until(Instant::from_nanos(3_600_000_000_000)), RunExit::Deadline);
    assert!(chip.now().as_nanos() >= 3_600_000_000_000);
    assert!(chip.instructions(0) < 100);
    attach(&mut chip);
    let mut port = chip.debug();
    halt(&mut port);
    assert!(get_reg(&mut port, 15) < 0x8000);
    assert_eq!(chip.take_diagnostics(), []);
}

#[test]
fn the_boot_rom_has_its_header() {
    let mut chip = Rp2350::new();
    attach(&mut chip);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, 0x10), u32::from_le_bytes([b'M', b'u', 2, 2]));
}

#[test]
fn run_low_holds_the_chip_and_keeps_sram() {
    let mut chip = board(&image(&FOREVER, &[]));
    run_for_micros(&mut chip, 3_000);
    attach(&mut chip);
    let mut port = chip.debug();
    write(&mut port, SRAM + 0x100, 0x1234_5678);
    let before = chip.instructions(0);
    chip.set_run(false);
    assert!(!chip.level(Line::Run));
    let low_at = chip.now();
    assert_eq!(chip.debug().dp_read(0), Err(DapFault::PoweredDown));
    run_for_micros(&mut chip, 10_000);
    assert_eq!(chip.instructions(0), before);
    chip.set_run(true);
    let high_at = chip.now();
    // The debug port was reset with everything else.
    assert_eq!(chip.debug().ap_read(AP0, 0xd00), Err(DapFault::PoweredDown));
    let runs: Vec<_> = edges(&mut chip).into_iter().filter(|edge| edge.line == Line::Run).collect();
    assert_eq!(runs.iter().map(|edge| (edge.at, edge.high)).collect::<Vec<_>>(), [(low_at, false), (high_at, true)]);
    run_for_micros(&mut chip, 3_000);
    assert!(chip.instructions(0) > before);
    attach(&mut chip);
    assert_eq!(read(&mut chip.debug(), SRAM + 0x100), 0x1234_5678);
}

/// The order in which probe-rs resets an RP235x and halts it at the reset vector.
#[test]
fn rescue_then_bootsel_then_a_caught_reset() {
    const SCRATCH4: u32 = 0x400d_801c;
    const AIRCR: u32 = 0xe000_ed0c;
    const DEMCR: u32 = 0xe000_edfc;
    let mut chip = board(&image(&FOREVER, &[]));
    run_for_micros(&mut chip, 3_000);
    attach(&mut chip);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, 0xd000_0000), 0);
    port.ap_write(0x8_0000, 0, 1 << 31).expect("RESCUE_RESTART");
    port.ap_write(0x8_0000, 0, 0).expect("RESCUE_RESTART");
    let before = chip.instructions(0);
    run_for_micros(&mut chip, 30_000);
    assert!(chip.instructions(0) - before < 100, "a rescued chip must not boot from flash");

    let mut port = chip.debug();
    write(&mut port, 0xe000_edf0, 0xa05f_0001);
    for (n, value) in [0xb007_c0d3, 0xffff_fffe, 2, 0xb007_c0d3].into_iter().enumerate() {
        write(&mut port, SCRATCH4 + 4 * n as u32, value);
    }
    write(&mut port, AIRCR, 0x05fa_0004);
    run_for_micros(&mut chip, 30_000);
    assert!(chip.instructions(0) - before < 100, "BOOTSEL was asked for");

    let mut port = chip.debug();
    write(&mut port, DEMCR, 1);
    read(&mut port, 0xe000_edf0);
    write(&mut port, AIRCR, 0x05fa_0004);
    let dhcsr = read(&mut port, 0xe000_edf0);
    assert_eq!(dhcsr >> 25 & 1, 1, "S_RESET_ST");
    assert_eq!(dhcsr >> 17 & 1, 1, "S_HALT");
    assert!(get_reg(&mut port, 15) < 0x8000);
    assert_eq!(run_for_micros(&mut chip, 1_000), RunExit::Core0Halted);
    let mut port = chip.debug();
    write(&mut port, DEMCR, 0);
    resume(&mut port);
    run_for_micros(&mut chip, 3_000);
    assert!(chip.instructions(0) - before > 1_000, "the image runs after all");
}

#[test]
fn time_stands_still_while_core_0_is_halted() {
    let mut chip = board(&image(&FOREVER, &[]));
    run_for_micros(&mut chip, 3_000);
    attach(&mut chip);
    halt(&mut chip.debug());
    let now = chip.now();
    assert_eq!(run_for_micros(&mut chip, 1_000_000), RunExit::Core0Halted);
    assert_eq!(chip.now(), now);
    resume(&mut chip.debug());
    assert_eq!(run_for_micros(&mut chip, 1_000), RunExit::Deadline);
}

/// A debugger resumes by a step and a go; it does so for core 1 while core 0 stays halted.
#[test]
fn core_1_can_be_stepped_while_core_0_is_halted() {
    const DHCSR: u32 = 0xe000_edf0;
    let mut chip = board(&image(&FOREVER, &[]));
    run_for_micros(&mut chip, 3_000);
    attach(&mut chip);
    let mut port = chip.debug();
    halt(&mut port);
    let mut dhcsr = |value: u32| {
        let size = rp2350_model::AccessSize::Word;
        let mut port = chip.debug();
        port.mem_write(AP1, CSW, size, DHCSR, &value.to_le_bytes()).expect("writable");
        let mut bytes = [0; 4];
        port.mem_read(AP1, CSW, DHCSR, &mut bytes).expect("readable");
        (u32::from_le_bytes(bytes) >> 17 & 1, chip.instructions(1))
    };
    let (halted, before) = dhcsr(0xa05f_0003);
    assert_eq!(halted, 1);
    assert_eq!(dhcsr(0xa05f_000d), (1, before + 1), "one instruction, and halted again");
}

/// A program that sets AIRCR.SYSRESETREQ, having counted its starts in SRAM.
#[test]
fn a_system_reset_request_starts_both_cores_anew_and_keeps_peripherals() {
    let mut code = vec![
        0x4805, // ldr r0, [pc, #20] SRAM
        0x6801, // ldr r1, [r0]
        0x3101, // adds r1, #1
        0x6001, // str r1, [r0]
        0x2903, // cmp r1, #3
        0xd003, // beq +6 → b .
        0x4803, // ldr r0, [pc, #12] AIRCR
        0x4904, // ldr r1, [pc, #16] key
        0x6001, // str r1, [r0]
        0xe7fe, // b .
        0xe7fe, // b .
        0xbf00,
    ];
    code.extend(literal(SRAM));
    code.extend(literal(0xe000_ed0c));
    code.extend(literal(0x05fa_0004));
    let mut chip = board(&image(&code, &[]));
    run_for_micros(&mut chip, 10_000);
    attach(&mut chip);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, SRAM), 3);
}
