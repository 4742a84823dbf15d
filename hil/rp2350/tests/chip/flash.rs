//! Flash is written by the boot ROM's functions alone, called the way a flash loader in RAM calls them.

use crate::common::*;
use rp2350_model::{Rp2350, RunExit, What};

/// Where calls return to: a breakpoint in RAM.
const RETURN: u32 = SRAM;
const BUFFER: u32 = SRAM + 0x1000;
const ERASE_SECTOR_MICROS: u64 = 45_000;
const PROGRAM_PAGE_MICROS: u64 = 400;

fn loader() -> Rp2350 {
    let mut chip = Rp2350::new();
    run_for_micros(&mut chip, 3_000);
    attach(&mut chip);
    let mut port = chip.debug();
    halt(&mut port);
    write(&mut port, RETURN, 0xbe00_be00);
    chip
}

/// Calls `function` with `arguments`; returns r0 and the microseconds it took.
fn call(chip: &mut Rp2350, function: u32, arguments: &[u32]) -> (u32, u64) {
    let mut port = chip.debug();
    for (n, &argument) in arguments.iter().enumerate() {
        set_reg(&mut port, n as u32, argument);
    }
    set_reg(&mut port, 13, SRAM + 0x8000);
    set_reg(&mut port, 14, RETURN | 1);
    set_reg(&mut port, 15, function & !1);
    resume(&mut port);
    let start = chip.now().units();
    assert_eq!(run_for_micros(chip, 100_000_000), RunExit::Core0Halted);
    let micros = (chip.now().units() - start) / UNITS_PER_MICROSECOND;
    let mut port = chip.debug();
    assert_eq!(get_reg(&mut port, 15), RETURN, "stopped at the breakpoint");
    (get_reg(&mut port, 0), micros)
}

fn find(chip: &mut Rp2350, code: &[u8; 2]) -> u32 {
    let lookup = read(&mut chip.debug(), 0x14) >> 16;
    call(chip, lookup, &[u32::from(u16::from_le_bytes(*code)), 4]).0
}

fn program(chip: &mut Rp2350, offset: u32, byte: u8, count: usize) -> u64 {
    let function = find(chip, b"RP");
    let data = vec![byte; count];
    chip.debug().mem_write(AP0, CSW, rp2350_model::AccessSize::Word, BUFFER, &data).expect("RAM");
    call(chip, function, &[offset, BUFFER, count as u32]).1
}

#[test]
fn a_flash_loaders_session() {
    let mut chip = loader();
    for code in [b"IF", b"EX", b"FC", b"CX"] {
        let function = find(&mut chip, code);
        assert_ne!(function, 0);
        call(&mut chip, function, &[]);
    }
    let erase = find(&mut chip, b"RE");
    let micros = program(&mut chip, 0x1000, 0xf0, 0x1000);
    assert!((16 * PROGRAM_PAGE_MICROS..16 * PROGRAM_PAGE_MICROS + 100).contains(&micros), "{micros}");
    assert_eq!(chip.flash()[0x1000..0x2000], [0xf0; 0x1000]);
    program(&mut chip, 0x1100, 0x3c, 0x100);
    assert_eq!(chip.flash()[0x1100..0x1200], [0x30; 0x100], "a program only clears bits");
    let (_, micros) = call(&mut chip, erase, &[0x1000, 0x1000, 0x1_0000, 0xd8]);
    assert!((ERASE_SECTOR_MICROS..ERASE_SECTOR_MICROS + 100).contains(&micros), "{micros}");
    assert_eq!(chip.flash()[0x1000..0x2000], [0xff; 0x1000]);
    call(&mut chip, erase, &[0x1_0000, 0x1_0000, 0x1_0000, 0xd8]);
    let wear = chip.wear();
    assert_eq!(wear.programs[1], 17);
    assert_eq!((wear.erases[0], wear.erases[1], wear.erases[2]), (0, 1, 0));
    assert_eq!(wear.erases[16..32], [1; 16]);
    assert_eq!(chip.take_diagnostics(), []);
}

/// An interrupt that waits for the end of a function's time comes before its return; what the function does is done once.
#[test]
fn an_interrupt_in_a_call_does_not_repeat_it() {
    const ICSR: u32 = 0xe000_ed04;
    let mut chip = loader();
    let lookup = read(&mut chip.debug(), 0x14) >> 16;
    let expected = find(&mut chip, b"RE");
    let mut port = chip.debug();
    // PendSV: bx lr
    write(&mut port, SRAM + 0x200, 0x4770);
    write(&mut port, SRAM + 0x100 + 4 * 14, (SRAM + 0x200) | 1);
    write(&mut port, 0xe000_ed08, SRAM + 0x100);
    set_reg(&mut port, 0, u32::from(u16::from_le_bytes(*b"RE")));
    set_reg(&mut port, 1, 4);
    set_reg(&mut port, 14, RETURN | 1);
    set_reg(&mut port, 15, lookup);
    resume(&mut port);
    assert_eq!(run_for_micros(&mut chip, 1), RunExit::Deadline);
    write(&mut chip.debug(), ICSR, 1 << 28);
    assert_eq!(run_for_micros(&mut chip, 1_000), RunExit::Core0Halted);
    assert_eq!(get_reg(&mut chip.debug(), 0), expected);
    assert_eq!(read(&mut chip.debug(), ICSR) & 1 << 28, 0, "the interrupt was taken");
    assert_eq!(chip.take_diagnostics(), []);
}

#[test]
fn bad_ranges_change_nothing_and_are_said() {
    let mut chip = loader();
    program(&mut chip, 0, 0x55, 0x1000);
    let (erase, write) = (find(&mut chip, b"RE"), find(&mut chip, b"RP"));
    let before = chip.flash().to_vec();
    call(&mut chip, erase, &[0x800, 0x1000, 0x1_0000, 0xd8]);
    call(&mut chip, erase, &[0, 0x900, 0x1_0000, 0xd8]);
    call(&mut chip, erase, &[0x3f_f000, 0x2000, 0x1_0000, 0xd8]);
    call(&mut chip, erase, &[0xffff_f000, 0x2000, 0x1_0000, 0xd8]);
    call(&mut chip, write, &[0x10, BUFFER, 0x100]);
    call(&mut chip, write, &[0, 0x3000_0000, 0x100]);
    assert_eq!(chip.flash(), before);
    assert_eq!(chip.wear().erases[0], 0);
    let said = chip.take_diagnostics();
    assert!(said.iter().filter(|said| said.what == What::RomArgument).count() >= 5, "{said:?}");
}

#[test]
fn flash_op_returns_the_roms_error_codes() {
    let mut chip = loader();
    let op = find(&mut chip, b"FO");
    let erase = 0;
    let program = 1 << 16;
    let read_back = 2 << 16;
    assert_eq!(call(&mut chip, op, &[erase, FLASH + 0x2000, 0x1000, 0]).0, 0);
    assert_eq!(call(&mut chip, op, &[erase, FLASH + 0x2001, 0x1000, 0]).0 as i32, -11);
    assert_eq!(call(&mut chip, op, &[erase, FLASH + 0x40_0000, 0x1000, 0]).0 as i32, -10);
    write(&mut chip.debug(), BUFFER, 0x600d_f00d);
    assert_eq!(call(&mut chip, op, &[program, FLASH + 0x2000, 0x100, BUFFER]).0, 0);
    assert_eq!(call(&mut chip, op, &[read_back, FLASH + 0x2000, 4, BUFFER + 0x800]).0, 0);
    assert_eq!(read(&mut chip.debug(), BUFFER + 0x800), 0x600d_f00d);
}

#[test]
fn an_unknown_function_is_not_found_and_said() {
    let mut chip = loader();
    assert_eq!(find(&mut chip, b"zz"), 0);
    assert_eq!(chip.take_diagnostics()[0].what, What::RomLookup);
}

#[test]
fn reboot_resets_after_its_delay() {
    let mut chip = loader();
    chip.flash_mut()[..0x204].copy_from_slice(&image(&[0xe7fe, 0xbf00], &[]));
    let reboot = find(&mut chip, b"RB");
    assert_eq!(call(&mut chip, reboot, &[0, 10, 0, 0]).0, 0);
    set_reg(&mut chip.debug(), 15, 0x110);
    resume(&mut chip.debug());
    let before = chip.instructions(0);
    run_for_micros(&mut chip, 11_000);
    assert!(chip.instructions(0) - before < 100);
    run_for_micros(&mut chip, 5_000);
    assert!(chip.instructions(0) - before > 10_000, "the image runs");
}

#[test]
fn system_information_is_complete_and_fixed() {
    let mut chip = loader();
    let get = find(&mut chip, b"GS");
    assert_eq!(call(&mut chip, get, &[BUFFER, 16, 0x11]).0, 8);
    let mut first = [0; 32];
    chip.debug().mem_read(AP0, CSW, BUFFER, &mut first).expect("RAM");
    assert_eq!(first[..4], [0x11, 0, 0, 0]);
    assert_eq!(call(&mut chip, get, &[BUFFER, 3, 1]).0 as i32, -13);
}
