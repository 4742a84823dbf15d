//! Flash is written by the boot ROM's functions alone, called the way a flash loader in RAM calls them.

use crate::common::*;
use rp2350_model::{DapFault, FlashOperation, FlashOperationKind, Instant, Line, Rp2350, RunExit, Torn, What};

const BUFFER: u32 = SRAM + 0x1000;
const ERASE_SECTOR_MICROS: u64 = 45_000;
const PROGRAM_PAGE_MICROS: u64 = 400;

fn loader() -> Rp2350 {
    let mut chip = Rp2350::new();
    run_for_micros(&mut chip, 3_000);
    attach(&mut chip);
    halt_for_calls(&mut chip);
    chip
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

/// A loader that is about to erase two sectors and a block from 0xf000 on; flash is not blank there.
fn before_an_erase() -> Rp2350 {
    let mut chip = loader();
    chip.flash_mut()[0xe000..0x2_2000].fill(0x11);
    let erase = find(&mut chip, b"RE");
    begin_call(&mut chip, erase, &[0xf000, 0x1_2000, 0x1_0000, 0xd8]);
    chip
}

fn operations(chip: &mut Rp2350) -> Vec<FlashOperation> {
    let mut operations = Vec::new();
    chip.take_flash_operations(&mut operations);
    operations
}

/// A sector before the block, the block's sixteen, a sector behind it.
#[test]
fn each_sector_of_an_erase_is_an_operation() {
    let mut chip = before_an_erase();
    let from = chip.now().units();
    assert_eq!(run_for_micros(&mut chip, 1_000_000), RunExit::Core0Halted);
    assert_eq!(chip.flash_operations(), 18);
    let block_sector = 150_000 * UNITS_PER_MICROSECOND / 16;
    let sector = ERASE_SECTOR_MICROS * UNITS_PER_MICROSECOND;
    let done = operations(&mut chip);
    assert_eq!(done.len(), 18);
    let mut at = done[0].at.units();
    assert!((from + sector..from + sector + 100 * UNITS_PER_MICROSECOND).contains(&at));
    for (n, operation) in done.iter().enumerate() {
        at += [0, block_sector, sector][usize::from(n > 0) + usize::from(n == 17)];
        assert_eq!((operation.kind, operation.bytes), (FlashOperationKind::Erase, 0x1000));
        assert_eq!((operation.offset, operation.at.units()), (0xf000 + 0x1000 * n as u32, at), "{n}");
    }
    assert_eq!(operations(&mut chip), []);
    program(&mut chip, 0xf000, 0, 0x300);
    assert_eq!(chip.flash_operations(), 21);
    let pages: Vec<_> = operations(&mut chip).iter().map(|page| (page.kind, page.offset, page.bytes)).collect();
    let page = |offset| (FlashOperationKind::Program, offset, 0x100);
    assert_eq!(pages, [page(0xf000), page(0xf100), page(0xf200)]);
}

#[test]
fn power_goes_in_any_erase() {
    let whole = before_an_erase();
    for n in 0..19 {
        for (torn, bytes) in [(Torn::Nothing, 0), (Torn::Part(64), 0x400), (Torn::All, 0x1000)] {
            let mut chip = whole.clone();
            chip.cut_power_at(n, torn);
            let exit = run_for_micros(&mut chip, 1_000_000);
            let erased = 0x1000 * n.min(18) as usize + if n < 18 { bytes } else { 0 };
            let mut expected = vec![0x11; 0x1_4000];
            expected[0x1000..0x1000 + erased].fill(0xff);
            assert!(chip.flash()[0xe000..0x2_2000] == expected, "{n} {torn:?}");
            if n == 18 {
                assert_eq!(exit, RunExit::Core0Halted, "there are no more");
                continue;
            }
            assert_eq!(exit, RunExit::PowerCut);
            assert_eq!(chip.flash_operations(), n + u64::from(torn != Torn::Nothing));
            assert_eq!(operations(&mut chip).iter().map(|operation| operation.bytes as usize).sum::<usize>(), erased);
            let erases: u32 = chip.wear().erases.iter().sum();
            assert_eq!(u64::from(erases), chip.flash_operations());
        }
    }
}

#[test]
fn power_goes_in_a_program_at_its_time() {
    let mut whole = loader();
    let write = find(&mut whole, b"RP");
    let data: Vec<u8> = (0..0x300).map(|n| n as u8 ^ 0x5a).collect();
    whole.debug().mem_write(AP0, CSW, rp2350_model::AccessSize::Word, BUFFER, &data).expect("RAM");
    whole.flash_mut()[0x3000..0x3300].fill(0xf0);
    begin_call(&mut whole, write, &[0x3000, BUFFER, 0x300]);
    let began = whole.now().units();
    for (torn, bytes) in [(Torn::Nothing, 0), (Torn::Part(0), 0), (Torn::Part(128), 128), (Torn::All, 256)] {
        let mut chip = whole.clone();
        chip.cut_power_at(1, torn);
        assert_eq!(run_for_micros(&mut chip, 1_000_000), RunExit::PowerCut);
        let programmed = 0x100 + bytes;
        let expected: Vec<u8> = (0..0x300).map(|n| if n < programmed { data[n] & 0xf0 } else { 0xf0 }).collect();
        assert_eq!(chip.flash()[0x3000..0x3300], expected);
        let micros = (chip.now().units() - began) / UNITS_PER_MICROSECOND;
        let expected = PROGRAM_PAGE_MICROS + PROGRAM_PAGE_MICROS * bytes as u64 / 256;
        assert!((expected..expected + 20).contains(&micros), "{micros} {torn:?}");
    }
}

/// Without power nothing moves; with it the chip boots as at first, and knows nothing of before but its flash.
#[test]
fn a_power_cycle_forgets_all_but_flash() {
    let mut chip = loader();
    chip.flash_mut()[..0x204].copy_from_slice(&image(&[0xe7fe, 0xbf00], &[]));
    chip.flash_mut()[0x1000] = 0x42;
    let mut port = chip.debug();
    write(&mut port, RESETS_CLR, 1 << 6 | 1 << 9);
    output(&mut port, 25);
    write(&mut port, SIO + 0x18, 1 << 25);
    write(&mut port, SRAM + 0x100, 0x1234_5678);
    write(&mut port, 0x400d_800c, 0x600d_f00d);
    let erase = find(&mut chip, b"RE");
    edges(&mut chip);
    chip.cut_power_at(chip.flash_operations(), Torn::Nothing);
    begin_call(&mut chip, erase, &[0x1000, 0x1000, 0x1_0000, 0xd8]);
    assert_eq!(run_for_micros(&mut chip, 1_000_000), RunExit::PowerCut);
    let off = chip.now();
    assert_eq!(run_for_micros(&mut chip, 1_000_000), RunExit::PowerCut);
    assert_eq!((chip.now(), chip.level(Line::Run), chip.level(Line::Pin(25))), (off, false, false));
    assert_eq!(chip.debug().dp_read(0), Err(DapFault::PoweredDown));
    chip.power_cycle();
    let lines: Vec<_> = edges(&mut chip).iter().map(|edge| (edge.at, edge.line, edge.high)).collect();
    assert_eq!(lines, [(off, Line::Run, false), (off, Line::Pin(25), false), (off, Line::Run, true)]);
    assert_eq!(chip.flash()[0x1000], 0x42);
    let before = chip.instructions(0);
    assert_eq!(run_for_micros(&mut chip, 1_999), RunExit::Deadline);
    assert_eq!(chip.instructions(0), before, "the boot ROM takes its time");
    run_for_micros(&mut chip, 1_000);
    assert!(chip.instructions(0) > before, "and starts what is in flash");
    attach(&mut chip);
    let mut port = chip.debug();
    let forgotten = read(&mut port, SRAM + 0x100);
    assert!(forgotten != 0x1234_5678 && forgotten != 0, "{forgotten:#x}");
    assert_eq!(read(&mut port, 0x400d_800c), 0);
    assert_eq!(read(&mut port, 0x4010_002c), 1 << 16, "a power-on reset");

    // Power that goes without being asked to leaves an erase as far as it has come.
    halt_for_calls(&mut chip);
    let erase = find(&mut chip, b"RE");
    begin_call(&mut chip, erase, &[0x1000, 0x1000, 0x1_0000, 0xd8]);
    run_for_micros(&mut chip, ERASE_SECTOR_MICROS / 2);
    chip.flash_mut()[0x1000..0x2000].fill(0);
    chip.power_cycle();
    let erased = chip.flash()[0x1000..0x2000].iter().filter(|&&byte| byte == 0xff).count();
    assert!((2000..2048).contains(&erased), "{erased}");
    assert!(chip.flash()[0x1000 + erased..0x2000].iter().all(|&byte| byte == 0));
    assert_eq!(run_for_micros(&mut chip, 3_000), RunExit::Deadline);
}

/// Who reads flash meanwhile gets a bus error, and the model says so; afterwards all is as before.
#[test]
fn flash_answers_nobody_while_it_is_erased() {
    let mut chip = before_an_erase();
    run_for_micros(&mut chip, 1_000);
    let mut port = chip.debug();
    let mut bytes = [0; 4];
    assert_eq!(port.mem_read(AP1, CSW, FLASH + 0x10_0000, &mut bytes), Err(DapFault::Fault));
    port.dp_write(0, 0x1e).expect("ABORT");
    let said = chip.take_diagnostics();
    assert_eq!(said.len(), 1);
    assert_eq!((said[0].what, said[0].address, said[0].core), (What::FlashBusy, FLASH + 0x10_0000, 1));
    assert_eq!(run_for_micros(&mut chip, 1_000_000), RunExit::Core0Halted);
    assert_eq!(read(&mut chip.debug(), FLASH + 0x10_0000), 0xffff_ffff);
    assert_eq!(chip.take_diagnostics(), []);
}

/// Core 1 runs from flash when core 0 begins an erase: it faults at once.
#[test]
fn a_core_that_fetches_from_flash_meanwhile_faults() {
    let mut chip = loader();
    // It runs `b .` in flash.
    chip.flash_mut()[0x200..0x202].copy_from_slice(&0xe7fe_u16.to_le_bytes());
    for (reg, value) in [(15, CODE), (13, SRAM + 0x4000)] {
        let mut port = chip.debug();
        let mut write_1 = |addr, value: u32| {
            let size = rp2350_model::AccessSize::Word;
            port.mem_write(AP1, CSW, size, addr, &value.to_le_bytes()).expect("writable");
        };
        write_1(0xe000_edf0, 0xa05f_0003);
        write_1(0xe000_edf8, value);
        write_1(0xe000_edf4, 1 << 16 | reg);
        write_1(0xe000_edf0, 0xa05f_0001);
    }
    let erase = find(&mut chip, b"RE");
    chip.take_diagnostics();
    begin_call(&mut chip, erase, &[0x1000, 0x1000, 0x1_0000, 0xd8]);
    assert_eq!(run_for_micros(&mut chip, 1_000_000), RunExit::Core0Halted);
    let said = chip.take_diagnostics();
    assert_eq!((said[0].what, said[0].address, said[0].core), (What::FlashBusy, CODE, 1), "{said:?}");
}

/// A reset does not reach the flash chip: it finishes its sector, begins no other, and the boot ROM waits for it.
#[test]
fn a_reset_in_an_erase_ends_it_with_its_sector() {
    for low in [0, 1_000, 100_000] {
        let mut chip = before_an_erase();
        chip.flash_mut()[..0x204].copy_from_slice(&image(&[0xe7fe, 0xbf00], &[]));
        run_for_micros(&mut chip, ERASE_SECTOR_MICROS / 2);
        chip.set_run(false);
        run_for_micros(&mut chip, low);
        chip.set_run(true);
        let before = chip.instructions(0);
        run_for_micros(&mut chip, 3_000);
        assert_eq!(chip.instructions(0) > before, low == 100_000);
        run_for_micros(&mut chip, ERASE_SECTOR_MICROS);
        assert!(chip.instructions(0) > before);
        assert_eq!(chip.flash_operations(), 1);
        assert_eq!((chip.flash()[0xffff], chip.flash()[0x1_0000]), (0xff, 0x11));
    }
}

/// A clone goes on as the original does: same edges, instructions, flash and time, however it is cut into calls.
#[test]
fn a_clone_has_the_same_future() {
    let mut chip = loader();
    let write = find(&mut chip, b"RP");
    begin_call(&mut chip, write, &[0x3000, BUFFER, 0x1000]);
    chip.cut_power_at(9, Torn::Part(77));
    run_for_micros(&mut chip, 1_234);
    let mut clone = chip.clone();
    assert_eq!(run_for_micros(&mut chip, 10_000), RunExit::PowerCut);
    while clone.run_until(Instant::from_units(clone.now().units() + 31_313)) == RunExit::Deadline {}
    chip.power_cycle();
    clone.power_cycle();
    run_for_micros(&mut chip, 5_000);
    run_for_micros(&mut clone, 5_000);
    assert!(chip.flash() == clone.flash());
    let state = |chip: &mut Rp2350| {
        let log = (edges(chip), operations(chip), chip.take_diagnostics());
        (log, chip.now(), chip.instructions(0), chip.instructions(1), chip.wear().clone())
    };
    assert_eq!(state(&mut chip), state(&mut clone));
}
