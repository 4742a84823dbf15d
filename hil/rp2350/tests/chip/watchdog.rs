//! The watchdog: feeding, biting, and what outlives a reset by it or by RUN.

use crate::common::*;
use rp2350_model::{Line, Rp2350};

const CTRL: u32 = 0x400d_8000;
const LOAD: u32 = 0x400d_8004;
const REASON: u32 = 0x400d_8008;
const SCRATCH0: u32 = 0x400d_800c;
const ENABLE: u32 = 1 << 30;
const TRIGGER: u32 = 1 << 31;
/// Which stages a watchdog reset takes along; as the C SDK and the HALs set it.
const PSM_WDSEL: u32 = 0x4001_8008;
const ALL_BUT_OSCILLATORS: u32 = 0x01ff_fff3;

#[test]
fn the_watchdog_resets_the_chip_and_remembers() {
    let mut chip = ready(&image(&IDLE, &[]));
    let mut port = chip.debug();
    output(&mut port, 25);
    write(&mut port, SIO + 0x18, 1 << 25);
    write(&mut port, PSM_WDSEL, ALL_BUT_OSCILLATORS);
    write(&mut port, SCRATCH0, 0xcafe);
    write(&mut port, LOAD, 1_000);
    write(&mut port, CTRL, ENABLE);
    run_for_micros(&mut chip, 998);
    assert!(chip.level(Line::Pin(25)));
    write(&mut chip.debug(), LOAD, 1_000);
    run_for_micros(&mut chip, 998);
    assert!(chip.level(Line::Pin(25)), "it was fed");
    run_for_micros(&mut chip, 3);
    assert!(!chip.level(Line::Pin(25)), "the pin floats");
    let mut port = chip.debug();
    assert_eq!(read(&mut port, REASON), 1, "REASON: the timer");
    assert_eq!(read(&mut port, SCRATCH0), 0xcafe);
    assert_eq!(read(&mut port, 0x4002_0000), 0x1fff_ffff, "everything is held in reset again");
    run_for_micros(&mut chip, 5_000);
    let mut port = chip.debug();
    halt(&mut port);
    assert!(get_reg(&mut port, 15) >= CODE, "the image was booted again");
}

#[test]
fn sram_and_scratch_words_outlive_it() {
    let mut chip = ready(&image(&IDLE, &[]));
    let mut port = chip.debug();
    let words = |n: u32| 0x5eed_0000 | n;
    // The whole of SRAM, from its first word to its last.
    for n in 0..0x82 {
        write(&mut port, SRAM + 0x1000 * n, words(n));
        write(&mut port, SRAM + 0x1000 * n + 0xffc, !words(n));
    }
    for n in 0..8 {
        write(&mut port, SCRATCH0 + 4 * n, words(n));
    }
    write(&mut port, PSM_WDSEL, ALL_BUT_OSCILLATORS);
    write(&mut port, LOAD, 500);
    write(&mut port, CTRL, ENABLE);
    run_for_micros(&mut chip, 200);
    assert!((299..=301).contains(&(read(&mut chip.debug(), CTRL) & 0xff_ffff)), "the time that is left");
    // Nobody feeds it; then the image boots, and nothing bites a second time.
    run_for_micros(&mut chip, 20_000);
    let kept = |chip: &mut Rp2350| {
        let mut port = chip.debug();
        (0..0x82).all(|n| {
            let page = SRAM + 0x1000 * n;
            (read(&mut port, page), read(&mut port, page + 0xffc)) == (words(n), !words(n))
        })
    };
    assert!(kept(&mut chip));
    let mut port = chip.debug();
    assert_eq!((read(&mut port, REASON), read(&mut port, CTRL) & ENABLE), (1, 0));
    assert!((0..8).all(|n| read(&mut port, SCRATCH0 + 4 * n) == words(n)));
    halt(&mut port);
    assert!(get_reg(&mut port, 15) >= CODE);
    resume(&mut port);
    // Forced by software.
    write(&mut port, CTRL, TRIGGER);
    run_for_micros(&mut chip, 20_000);
    assert_eq!(read(&mut chip.debug(), REASON), 2);
    assert!(kept(&mut chip));
    // RUN: SRAM keeps its power, the watchdog forgets.
    chip.set_run(false);
    run_for_micros(&mut chip, 1_000);
    chip.set_run(true);
    run_for_micros(&mut chip, 20_000);
    attach(&mut chip);
    assert!(kept(&mut chip));
    let mut port = chip.debug();
    assert_eq!(read(&mut port, REASON), 0);
    assert!((0..8).all(|n| read(&mut port, SCRATCH0 + 4 * n) == 0));
    assert_eq!(chip.take_diagnostics(), []);
}

/// A core that sleeps for good is what a watchdog is for.
#[test]
fn it_bites_a_sleeping_chip() {
    // cpsid i; wfi; b back
    let mut chip = ready(&image(&[0xb672, 0xbf30, 0xe7fd], &[]));
    let mut port = chip.debug();
    write(&mut port, PSM_WDSEL, ALL_BUT_OSCILLATORS);
    write(&mut port, LOAD, 8_000_000);
    write(&mut port, CTRL, ENABLE);
    let before = chip.instructions(0);
    run_for_micros(&mut chip, 7_999_000);
    assert_eq!(chip.instructions(0), before);
    run_for_micros(&mut chip, 10_000);
    assert!(chip.instructions(0) > before, "it booted again");
    assert_eq!(read(&mut chip.debug(), REASON), 1);
}
