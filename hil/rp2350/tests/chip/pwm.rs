//! PWM slices: their edges to the cycle, double buffering, interrupts, and that they cost nothing between.

use crate::common::*;
use rp2350_model::{Instant, Rp2350, What};

const PWM: u32 = 0x400a_8000;
const CSR: u32 = 0x00;
const DIV: u32 = 0x04;
const CTR: u32 = 0x08;
const CC: u32 = 0x0c;
const TOP: u32 = 0x10;
const EN: u32 = PWM + 0xf0;
const INTR: u32 = PWM + 0xf4;
const IRQ0_INTE: u32 = PWM + 0xf8;
const IRQ0_INTF: u32 = PWM + 0xfc;
const IRQ0_INTS: u32 = PWM + 0x100;
const IRQ1_INTE: u32 = PWM + 0x104;
const IRQ1_INTS: u32 = PWM + 0x10c;
const ENABLE: u32 = 1;
const PH_CORRECT: u32 = 2;
const RESET: u32 = 1 << 16;

fn slice(n: u32, register: u32) -> u32 {
    PWM + 0x14 * n + register
}

/// A board whose PWM is out of reset, with `pins` showing it.
fn pwm(image: &[u8], pins: &[u32]) -> Rp2350 {
    let mut chip = ready(image);
    let mut port = chip.debug();
    write(&mut port, RESETS_CLR, RESET);
    for &pin in pins {
        write(&mut port, pad_of(pin), 0x56);
        write(&mut port, ctrl_of(pin), 4);
    }
    edges(&mut chip);
    chip
}

/// Edges of `pin` as (cycles since `start`, level).
fn cycles_of(chip: &mut Rp2350, pin: u8, start: u64) -> Vec<(u64, bool)> {
    let cycle = |at: u64| {
        assert_eq!((at - start) % CYCLE, 0, "on a cycle's beginning");
        (at - start) / CYCLE
    };
    edges_of(chip, pin).into_iter().map(|(at, high)| (cycle(at), high)).collect()
}

/// Forgets what the pins did while they were set up: what comes is counted from now.
fn begin(chip: &mut Rp2350) -> u64 {
    edges(chip);
    chip.now().units()
}

fn run_cycles(chip: &mut Rp2350, cycles: u64) {
    chip.run_until(Instant::from_units(chip.now().units() + cycles * CYCLE));
}

#[test]
fn edges_come_to_the_cycle() {
    // Two channels of slice 0, whose divider is 3, on their two pins each: periods of 10 counts.
    let mut chip = pwm(&image(&IDLE, &[]), &[0, 1, 16, 17]);
    let mut port = chip.debug();
    write(&mut port, slice(0, DIV), 3 << 4);
    write(&mut port, slice(0, TOP), 9);
    write(&mut port, slice(0, CC), 7 << 16 | 4);
    let start = begin(&mut chip);
    write(&mut chip.debug(), slice(0, CSR), ENABLE);
    run_cycles(&mut chip, 91);
    let log = edges(&mut chip);
    let of = |pin: u8| -> Vec<(u64, bool)> {
        let line = rp2350_model::Line::Pin(pin);
        log.iter().filter(|e| e.line == line).map(|e| ((e.at.units() - start) / CYCLE, e.high)).collect()
    };
    for pin in [0, 16] {
        assert_eq!(of(pin), [(12, false), (30, true), (42, false), (60, true), (72, false), (90, true)]);
    }
    for pin in [1, 17] {
        assert_eq!(of(pin), [(21, false), (30, true), (51, false), (60, true), (81, false), (90, true)]);
    }
    assert!(log.is_sorted_by_key(|edge| edge.at));
    assert!(log.iter().all(|edge| (edge.at.units() - start).is_multiple_of(CYCLE)));
    assert_eq!(chip.take_diagnostics(), []);
}

#[test]
fn the_count_is_there_at_every_moment() {
    let mut chip = pwm(&image(&IDLE, &[]), &[]);
    let mut port = chip.debug();
    // A divider of 1 5/16: 1, 1, 1, 2 cycles and so on, 21 cycles for 16 counts.
    write(&mut port, slice(11, DIV), 0x15);
    write(&mut port, slice(11, TOP), 4);
    write(&mut port, slice(11, CC), 2);
    write(&mut port, EN, 1 << 11);
    assert_eq!(read(&mut port, slice(11, CSR)), ENABLE);
    for cycle in 0..500_u32 {
        let counts = (16 * cycle + 15) / 21;
        assert_eq!(read(&mut chip.debug(), slice(11, CTR)), counts % 5, "cycle {cycle}");
        run_cycles(&mut chip, 1);
    }
}

#[test]
fn phase_correct_goes_up_and_down() {
    let mut chip = pwm(&image(&IDLE, &[]), &[2]);
    let mut port = chip.debug();
    write(&mut port, slice(1, TOP), 3);
    write(&mut port, slice(1, CC), 1);
    let start = begin(&mut chip);
    write(&mut chip.debug(), slice(1, CSR), ENABLE | PH_CORRECT);
    let mut counts = Vec::new();
    for _ in 0..17 {
        counts.push(read(&mut chip.debug(), slice(1, CTR)));
        run_cycles(&mut chip, 1);
    }
    assert_eq!(counts, [0, 1, 2, 3, 3, 2, 1, 0, 0, 1, 2, 3, 3, 2, 1, 0, 0]);
    assert_eq!(cycles_of(&mut chip, 2, start), [(1, false), (7, true), (9, false), (15, true), (17, false)]);
    assert_eq!(read(&mut chip.debug(), INTR), 2);
}

#[test]
fn levels_change_at_the_wrap_and_not_before() {
    let mut chip = pwm(&image(&IDLE, &[]), &[4]);
    let mut port = chip.debug();
    write(&mut port, slice(2, TOP), 99);
    write(&mut port, slice(2, CC), 50);
    let start = begin(&mut chip);
    write(&mut chip.debug(), slice(2, CSR), ENABLE);
    run_cycles(&mut chip, 20);
    let mut port = chip.debug();
    write(&mut port, slice(2, CC), 10);
    write(&mut port, slice(2, TOP), 39);
    assert_eq!(read(&mut port, slice(2, CC)), 10, "reads back as written");
    run_cycles(&mut chip, 200);
    let expected = [(50, false), (100, true), (110, false), (140, true), (150, false), (180, true), (190, false)];
    assert_eq!(cycles_of(&mut chip, 4, start), [&expected[..], &[(220, true)]].concat());
    // 0 is always low, TOP + 1 always high: not one glitch.
    for (level, edges) in [(0, 1), (0, 0), (40, 1), (40, 0)] {
        write(&mut chip.debug(), slice(2, CC), level);
        run_cycles(&mut chip, 60);
        cycles_of(&mut chip, 4, start);
        run_cycles(&mut chip, 400);
        assert_eq!(cycles_of(&mut chip, 4, start), [], "{level}, {edges}");
        assert_eq!(chip.level(rp2350_model::Line::Pin(4)), level == 40);
    }
    // Disabled, it keeps its level; the inverted output the other one.
    write(&mut chip.debug(), slice(2, CSR), 0);
    run_cycles(&mut chip, 1_000);
    assert!(chip.level(rp2350_model::Line::Pin(4)));
    write(&mut chip.debug(), slice(2, CSR), 1 << 2);
    assert!(!chip.level(rp2350_model::Line::Pin(4)));
}

#[test]
fn a_wrap_interrupts() {
    let mut chip = pwm(&toggler(8, INTR, 1 << 3), &[]);
    let mut port = chip.debug();
    output(&mut port, 25);
    write(&mut port, slice(3, TOP), 149);
    write(&mut port, slice(3, DIV), 10 << 4);
    write(&mut port, IRQ0_INTE, 1 << 3);
    write(&mut port, IRQ1_INTE, 1 << 4);
    write(&mut port, 0xe000_e100, 1 << 8);
    write(&mut port, EN, 1 << 3);
    run_for_micros(&mut chip, 95);
    let toggles = edges_of(&mut chip, 25);
    assert_eq!(toggles.len(), 9, "one each 10 us");
    assert!(toggles.windows(2).all(|two| two[1].0 - two[0].0 == 1_500 * CYCLE));
    // The second line is its own, and what is forced is not cleared by clearing INTR.
    let mut port = chip.debug();
    assert_eq!((read(&mut port, IRQ0_INTS), read(&mut port, IRQ1_INTS)), (0, 0));
    write(&mut port, slice(4, TOP), 0);
    write(&mut port, EN, 1 << 4);
    run_cycles(&mut chip, 2);
    write(&mut chip.debug(), EN, 0);
    let mut port = chip.debug();
    assert_eq!((read(&mut port, IRQ0_INTS), read(&mut port, IRQ1_INTS)), (0, 1 << 4));
    assert_eq!(read(&mut port, 0xe000_e200) >> 8 & 3, 2);
    write(&mut port, INTR + 0x3000, 1 << 4);
    assert_eq!(read(&mut port, IRQ1_INTS), 0);
    write(&mut port, IRQ0_INTF, 1);
    assert_eq!(read(&mut port, IRQ0_INTS), 1);
}

/// 50 Hz with servo pulses, beside a sleeping core: as few steps as there are edges, and not one cycle of drift.
#[test]
fn a_long_period_is_exact_and_cheap() {
    let mut chip = pwm(&image(&IDLE, &[]), &[16]);
    let mut port = chip.debug();
    write(&mut port, slice(0, DIV), 150 << 4);
    write(&mut port, slice(0, TOP), 19_999);
    write(&mut port, slice(0, CC), 1_500);
    let start = begin(&mut chip);
    write(&mut chip.debug(), slice(0, CSR), ENABLE);
    let before = chip.instructions(0);
    // An hour.
    run_for_micros(&mut chip, 3_600_000_000);
    assert_eq!(chip.instructions(0), before);
    let log = edges_of(&mut chip, 16);
    assert_eq!(log.len(), 2 * 50 * 3_600);
    for (n, two) in (0..).zip(log.chunks(2)) {
        let period = start + n * 20_000 * UNITS_PER_MICROSECOND;
        let wrap = period + 20_000 * UNITS_PER_MICROSECOND;
        assert_eq!(two, [(period + 1_500 * UNITS_PER_MICROSECOND, false), (wrap, true)]);
    }
}

#[test]
fn settings_changed_on_the_way_take_effect_at_once() {
    let mut chip = pwm(&image(&IDLE, &[]), &[6]);
    let mut port = chip.debug();
    write(&mut port, slice(3, DIV), 100 << 4);
    write(&mut port, slice(3, TOP), 99);
    write(&mut port, slice(3, CC), 50);
    write(&mut port, slice(3, CSR), ENABLE);
    run_cycles(&mut chip, 250);
    assert_eq!(read(&mut chip.debug(), slice(3, CTR)), 2);
    // The divider: 50 cycles of the third count have passed already.
    write(&mut chip.debug(), slice(3, DIV), 60 << 4);
    run_cycles(&mut chip, 9);
    assert_eq!(read(&mut chip.debug(), slice(3, CTR)), 2);
    run_cycles(&mut chip, 1);
    assert_eq!(read(&mut chip.debug(), slice(3, CTR)), 3);
    // The count, the phase, and beyond TOP to the end of 16 bits.
    let mut port = chip.debug();
    write(&mut port, slice(3, CTR), 98);
    write(&mut port, slice(3, CSR), ENABLE | 1 << 7);
    assert_eq!(read(&mut port, slice(3, CTR)), 99);
    write(&mut port, slice(3, CSR), ENABLE | 1 << 6);
    run_cycles(&mut chip, 119);
    assert_eq!(read(&mut chip.debug(), slice(3, CTR)), 99);
    run_cycles(&mut chip, 1);
    assert_eq!(read(&mut chip.debug(), slice(3, CTR)), 0);
    write(&mut chip.debug(), slice(3, CTR), 0xffff);
    run_cycles(&mut chip, 60);
    assert_eq!(read(&mut chip.debug(), slice(3, CTR)), 0);
    // Counting on the B pin is not modelled, and no counting is seen.
    write(&mut chip.debug(), slice(3, CSR), ENABLE | 1 << 4);
    assert_eq!(chip.take_diagnostics()[0].what, What::Setting);
    run_cycles(&mut chip, 1_000);
    assert_eq!(read(&mut chip.debug(), slice(3, CTR)), 0);
}

#[test]
fn reset_holds_it() {
    let mut chip = pwm(&image(&IDLE, &[]), &[0]);
    let mut port = chip.debug();
    write(&mut port, slice(0, TOP), 9);
    write(&mut port, slice(0, CC), 5);
    write(&mut port, slice(0, CSR), ENABLE);
    write(&mut port, 0x4002_2000, RESET);
    assert_eq!(read(&mut port, slice(0, TOP)), 0);
    assert_eq!(chip.take_diagnostics()[0].what, What::InReset);
    run_cycles(&mut chip, 100);
    assert_eq!(cycles_of(&mut chip, 0, 0).len() % 2, 0, "it went low with the reset");
    let mut port = chip.debug();
    write(&mut port, RESETS_CLR, RESET);
    for (register, value) in [(CSR, 0), (DIV, 0x10), (CTR, 0), (CC, 0), (TOP, 0xffff)] {
        assert_eq!(read(&mut port, slice(0, register)), value);
    }
    assert_eq!(read(&mut port, PWM + 0x110), 0);
    assert_eq!(chip.take_diagnostics()[0].what, What::ReservedRead);
}

/// However long the spans in which it is looked at, and whatever clk_sys does meanwhile.
#[test]
fn cutting_time_changes_nothing() {
    let run = |span: u64| {
        let mut chip = pwm(&image(&[0xe7fe], &[]), &[0, 1, 2]);
        let mut port = chip.debug();
        // clk_sys at 150 MHz / 1.7: cycles are no whole number of time units.
        write(&mut port, 0x4001_0040, 0x0001_b333);
        write(&mut port, slice(0, TOP), 36);
        write(&mut port, slice(0, DIV), 0x17);
        write(&mut port, slice(0, CC), 5 << 16 | 20);
        write(&mut port, slice(1, CC), 3);
        write(&mut port, slice(1, TOP), 6);
        write(&mut port, slice(1, CSR), PH_CORRECT);
        write(&mut port, EN, 3);
        let end = chip.now().units() + 50 * UNITS_PER_MICROSECOND;
        while chip.now().units() < end {
            chip.run_until(Instant::from_units((chip.now().units() + span).min(end)));
        }
        (edges(&mut chip), chip.now())
    };
    let whole = run(u64::MAX / 2);
    assert!(whole.0.len() > 500, "{}", whole.0.len());
    for span in [1, 137, 999] {
        assert!(run(span) == whole, "{span}");
    }
}
