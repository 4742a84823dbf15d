//! Clocks, timers, UART and the second core, through registers and what comes out of the chip.

use crate::common::*;
use rp2350_model::{AccessSize, DapFault, Rp2350, What};

/// 115200 baud from 150 MHz: 81 + 24/64, sixteen times oversampled.
const BIT: u64 = 104_160;

#[test]
fn clk_sys_follows_the_registers() {
    let mut chip = ready(&image(&[0xe7fe], &[]));
    run_for_micros(&mut chip, 10);
    let before = (chip.now().units(), chip.instructions(0));
    run_for_micros(&mut chip, 1_000);
    let (time, instructions) = (chip.now().units() - before.0, chip.instructions(0) - before.1);
    assert_eq!(instructions, time / CYCLE);
    assert_eq!(time % CYCLE, 0);

    let mut port = chip.debug();
    // The frequency counter on clk_sys, then the same with a divider of 1.5.
    write(&mut port, 0x4001_00a0, 9);
    run_for_micros(&mut chip, 300);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, 0x4001_00a4) & 0x11, 0x11, "DONE and PASS");
    assert_eq!(read(&mut port, 0x4001_00a8), 150_000 << 5);
    write(&mut port, 0x4001_0040, 0x0001_8000);
    let before = (chip.now().units(), chip.instructions(0));
    run_for_micros(&mut chip, 1_000);
    let (time, instructions) = (chip.now().units() - before.0, chip.instructions(0) - before.1);
    assert!(instructions.abs_diff(time / 120) <= 1);
    assert_eq!(chip.take_diagnostics(), []);
}

#[test]
fn an_alarm_wakes_the_core_at_its_time() {
    let mut chip = ready(&toggler(0, TIMER0 + 0x3c, 1));
    let mut port = chip.debug();
    output(&mut port, 25);
    write(&mut port, 0xe000_e100, 1);
    write(&mut port, TIMER0 + 0x40, 1);
    let start = read(&mut port, TIMER0 + 0x28);
    let mut previous = None;
    // The alarms come a little before the end of each span.
    run_for_micros(&mut chip, 10);
    for n in 1..=4 {
        write(&mut chip.debug(), TIMER0 + 0x10, start + n * 250_000);
        run_for_micros(&mut chip, 250_000);
        let edge = edges_of(&mut chip, 25);
        assert_eq!(edge.len(), 1, "one toggle an alarm");
        assert_eq!(edge[0].1, n % 2 == 1);
        if let Some(previous) = previous.replace(edge[0].0) {
            assert_eq!(edge[0].0 - previous, 250_000 * UNITS_PER_MICROSECOND);
        }
    }
    let mut port = chip.debug();
    assert_eq!(read(&mut port, TIMER0 + 0x3c), 0, "the handler acknowledged");
    assert_eq!(read(&mut port, TIMER0 + 0x20), 0, "a fired alarm is not armed");
}

#[test]
fn a_timer_counts_latches_pauses_and_is_set() {
    let mut chip = ready(&image(&IDLE, &[]));
    let mut port = chip.debug();
    write(&mut port, TIMER0 + 4, 0xffff_fff0);
    write(&mut port, TIMER0, 7);
    run_for_micros(&mut chip, 20);
    let mut port = chip.debug();
    let low = read(&mut port, TIMER0 + 0xc);
    assert!((3..=5).contains(&low), "{low}");
    assert_eq!(read(&mut port, TIMER0 + 8), 8, "the high word belongs to the low one read before");
    write(&mut port, TIMER0 + 0x30, 1);
    let paused = read(&mut port, TIMER0 + 0x28);
    run_for_micros(&mut chip, 100);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, TIMER0 + 0x28), paused);
    // In reset it forgets, and answers nothing.
    write(&mut port, 0x4002_2000, 1 << 23);
    assert_eq!(read(&mut port, TIMER0 + 0x28), 0);
    assert_eq!(chip.take_diagnostics()[0].what, What::InReset);
}

#[test]
fn a_timer_stands_still_in_reset_and_counts_in_the_ticks_phase() {
    let mut chip = ready(&image(&IDLE, &[]));
    // When TIMER0's count changes, in time units after power-on; it was released before the ticks began.
    let change = |chip: &mut Rp2350| {
        let before = read(&mut chip.debug(), TIMER0 + 0x28);
        while read(&mut chip.debug(), TIMER0 + 0x28) == before {
            chip.run_until(rp2350_model::Instant::from_units(chip.now().units() + CYCLE));
        }
        chip.now().units()
    };
    let phase = change(&mut chip) % UNITS_PER_MICROSECOND;
    // Whenever it is released or set, counts come with the ticks.
    for odd in [1, 37, 100, 149] {
        write(&mut chip.debug(), 0x4002_2000, 1 << 23);
        chip.run_until(rp2350_model::Instant::from_units(
            chip.now().units() + 1_000 * UNITS_PER_MICROSECOND + odd * CYCLE,
        ));
        write(&mut chip.debug(), 0x4002_3000, 1 << 23);
        assert_eq!(read(&mut chip.debug(), TIMER0 + 0x28), 0, "it began anew, and did not count while it was held");
        assert_eq!(change(&mut chip) % UNITS_PER_MICROSECOND, phase);
        chip.run_until(rp2350_model::Instant::from_units(chip.now().units() + odd * CYCLE));
        write(&mut chip.debug(), TIMER0 + 4, 77);
        write(&mut chip.debug(), TIMER0, 0);
        assert_eq!(change(&mut chip) % UNITS_PER_MICROSECOND, phase);
    }
}

#[test]
fn four_alarms_fire_each_at_its_time() {
    const ALARMS: u32 = TIMER0 + 0x10;
    const INTR: u32 = TIMER0 + 0x3c;
    let mut chip = ready(&image(&IDLE, &[]));
    let mut port = chip.debug();
    write(&mut port, TIMER0 + 0x40, 0xf);
    let start = read(&mut port, TIMER0 + 0x28);
    // Not in order, and two at once.
    for (n, after) in [300, 100, 200, 200].into_iter().enumerate() {
        write(&mut port, ALARMS + 4 * n as u32, start + after);
    }
    let mut fired = Vec::new();
    for micros in 0..400 {
        let mut port = chip.debug();
        assert_eq!(read(&mut port, TIMER0 + 0x28), start + micros);
        let intr = read(&mut port, INTR);
        assert_eq!(read(&mut port, TIMER0 + 0x20), !intr & 0xf, "those that have not fired are armed");
        assert_eq!(read(&mut port, 0xe000_e200) & 0xf, intr, "each has a line of its own");
        if fired.last().is_none_or(|&(_, last)| last != intr) {
            fired.push((micros, intr));
        }
        run_for_micros(&mut chip, 1);
    }
    assert_eq!(fired, [(0, 0), (100, 0b10), (200, 0b1110), (300, 0b1111)]);
    // Disarming one leaves the others.
    let mut port = chip.debug();
    write(&mut port, INTR, 0xf);
    for n in 0..4 {
        write(&mut port, ALARMS + 4 * n, start + 500);
    }
    write(&mut port, TIMER0 + 0x20, 0b0101);
    run_for_micros(&mut chip, 200);
    assert_eq!(read(&mut chip.debug(), INTR), 0b1010);
}

/// `hw_clear_bits` of the C SDK writes the clear alias of whatever register it is given.
#[test]
fn the_clear_alias_clears_what_writing_one_clears() {
    const INTR: u32 = TIMER0 + 0x3c;
    const CLEAR: u32 = 0x3000;
    let mut chip = ready(&image(&IDLE, &[]));
    let all_four = |chip: &mut Rp2350| {
        let mut port = chip.debug();
        let now = read(&mut port, TIMER0 + 0x28);
        for n in 0..4 {
            write(&mut port, TIMER0 + 0x10 + 4 * n, now + 5);
        }
        run_for_micros(chip, 10);
        assert_eq!(read(&mut chip.debug(), INTR), 0xf);
    };
    all_four(&mut chip);
    let mut port = chip.debug();
    write(&mut port, INTR + CLEAR, 0b0010);
    assert_eq!(read(&mut port, INTR), 0b1101);
    write(&mut port, INTR, 0b0001);
    assert_eq!(read(&mut port, INTR), 0b1100);
    // The set alias reads, and writes all that is set.
    write(&mut port, INTR + 0x2000, 0b0001);
    assert_eq!(read(&mut port, INTR), 0);
    // The other way round for what is plainly writable.
    write(&mut port, TIMER0 + 0x40 + 0x2000, 0b1111);
    write(&mut port, TIMER0 + 0x40 + CLEAR, 0b0010);
    write(&mut port, TIMER0 + 0x40 + 0x1000, 0b0110);
    assert_eq!(read(&mut port, TIMER0 + 0x40), 0b1011);
    // A UART's interrupts.
    start_uart0(&mut port);
    chip.uart_give(0, &[0x55; 33]);
    run_for_micros(&mut chip, 3_500);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, UART0 + 0x3c) & 0x450, 0x450);
    write(&mut port, UART0 + 0x44 + CLEAR, 0x400);
    assert_eq!(read(&mut port, UART0 + 0x3c) & 0x450, 0x050);
    // A pin's edges: GPIO 5's nibble.
    write(&mut port, pad_of(5), 0x5a);
    write(&mut port, pad_of(5), 0x56);
    assert_eq!(read(&mut port, 0x4002_8230) >> 20 & 0xc, 0xc);
    write(&mut port, 0x4002_8230 + CLEAR, 4 << 20);
    assert_eq!(read(&mut port, 0x4002_8230) >> 20 & 0xc, 8);
    assert_eq!(chip.take_diagnostics(), []);
}

#[test]
fn a_uart_sends_bits_at_their_times() {
    let mut chip = ready(&image(&IDLE, &[]));
    let mut port = chip.debug();
    start_uart0(&mut port);
    assert!(chip.level(rp2350_model::Line::Pin(0)), "an idle line is high");
    edges(&mut chip);
    let start = chip.now().units();
    write(&mut chip.debug(), UART0, u32::from(b'U'));
    write(&mut chip.debug(), UART0, 0xff);
    assert_eq!(read(&mut chip.debug(), UART0 + 0x18) & 0x88, 0x08, "busy, one byte waits");
    run_for_micros(&mut chip, 86);
    let mut sent = Vec::new();
    chip.uart_take(0, &mut sent);
    assert_eq!(sent, [], "not before its stop bit ended");
    run_for_micros(&mut chip, 200);
    chip.uart_take(0, &mut sent);
    assert_eq!(sent, [b'U', 0xff]);
    let mut expected: Vec<_> = (0..10).map(|bit| (start + bit * BIT, bit % 2 == 1)).collect();
    expected.extend([(start + 10 * BIT, false), (start + 11 * BIT, true)]);
    assert_eq!(edges_of(&mut chip, 0), expected);
    assert_eq!(read(&mut chip.debug(), UART0 + 0x18) & 0x88, 0x80);
}

/// However short the runs: edges come in order, and none of them later than the run in whose time it happened.
#[test]
fn every_edge_is_there_when_its_time_is_over() {
    // str r1, [r0]; str r3, [r2]; b .
    let mut chip = ready(&image(&[0xe7fe, 0x6001, 0x6013, 0xe7fe], &[]));
    let mut port = chip.debug();
    output(&mut port, 25);
    write(&mut port, pad_of(0), 0x56);
    write(&mut port, ctrl_of(0), 2);
    write(&mut port, UART0 + 0x24, 81);
    // Bits of 1302.25 cycles: they change between two cycles.
    write(&mut port, UART0 + 0x28, 25);
    write(&mut port, UART0 + 0x2c, 0x70);
    write(&mut port, UART0 + 0x30, 0x301);
    halt(&mut port);
    for (reg, value) in [(0, UART0), (1, u32::from(b'U')), (2, SIO + 0x28), (3, 1 << 25), (15, CODE + 2)] {
        set_reg(&mut port, reg, value);
    }
    resume(&mut port);
    edges(&mut chip);
    let start = chip.now().units();
    let mut all = Vec::new();
    while chip.now().units() < start + 11 * BIT {
        let before = chip.now();
        chip.run_until(rp2350_model::Instant::from_units(before.units() + CYCLE / 2));
        let new = edges(&mut chip);
        assert!(new.iter().all(|edge| (before..=chip.now()).contains(&edge.at)), "{before:?} {new:?}");
        all.extend(new);
    }
    let lines: Vec<_> = all[..2].iter().map(|edge| (edge.at.units() - start, edge.line)).collect();
    assert_eq!(lines, [(0, rp2350_model::Line::Pin(0)), (CYCLE, rp2350_model::Line::Pin(25))]);
    assert_eq!(all.len(), 11, "ten bits that alternate, and the pin");
    assert!(all.is_sorted_by_key(|edge| edge.at));
}

#[test]
fn a_uart_asks_for_more_when_its_fifo_falls_to_the_level() {
    const TXRIS: u32 = 0x20;
    let mut chip = ready(&image(&IDLE, &[]));
    let mut port = chip.debug();
    write(&mut port, UART0 + 0x24, 81);
    write(&mut port, UART0 + 0x28, 24);
    // FIFOs, transmit level 1/8: 4 of 32.
    write(&mut port, UART0 + 0x2c, 0x70);
    write(&mut port, UART0 + 0x34, 0x10);
    write(&mut port, UART0 + 0x30, 0x301);
    write(&mut port, UART0, 0);
    run_for_micros(&mut chip, 200);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, UART0 + 0x3c) & TXRIS, 0, "it never was above the level");
    // One byte is in the shift register, five wait.
    for _ in 0..6 {
        write(&mut port, UART0, 0);
    }
    run_for_micros(&mut chip, 80);
    assert_eq!(read(&mut chip.debug(), UART0 + 0x3c) & TXRIS, 0);
    run_for_micros(&mut chip, 10);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, UART0 + 0x3c) & TXRIS, TXRIS);
    write(&mut port, UART0 + 0x44, TXRIS);
    assert_eq!(read(&mut port, UART0 + 0x3c) & TXRIS, 0);
}

#[test]
fn a_uart_receives_bytes_one_frame_after_the_other() {
    let mut chip = ready(&image(&IDLE, &[]));
    let mut port = chip.debug();
    start_uart0(&mut port);
    chip.uart_give(0, b"hi");
    run_for_micros(&mut chip, 86);
    assert_eq!(read(&mut chip.debug(), UART0 + 0x18) & 0x10, 0x10, "RXFE");
    run_for_micros(&mut chip, 87);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, UART0), u32::from(b'h'));
    assert_eq!(read(&mut port, UART0 + 0x18) & 0x10, 0x10, "the second is still on its way");
    run_for_micros(&mut chip, 2);
    assert_eq!(read(&mut chip.debug(), UART0), u32::from(b'i'));
    // One byte more than fits is lost, and said so.
    chip.uart_give(0, &[0x55; 33]);
    run_for_micros(&mut chip, 3_500);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, UART0 + 0x3c) & 0x450, 0x450, "overrun, timeout and level");
    assert_eq!(read(&mut port, UART0 + 0x18) & 0x40, 0x40, "RXFF");
}

/// Whoever forgets the pins is not heard, and hears nothing, as on the board.
#[test]
fn a_uart_without_its_pins_talks_to_nobody() {
    let mut chip = ready(&image(&IDLE, &[]));
    start_uart0(&mut chip.debug());
    write(&mut chip.debug(), ctrl_of(0), 31);
    write(&mut chip.debug(), pad_of(1), 0x16);
    write(&mut chip.debug(), UART0, u32::from(b'x'));
    chip.uart_give(0, b"y");
    run_for_micros(&mut chip, 200);
    let mut sent = Vec::new();
    chip.uart_take(0, &mut sent);
    assert_eq!(sent, []);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, UART0 + 0x18) & 0x98, 0x90, "nothing received, all sent");
    assert_eq!(chip.take_diagnostics()[0].what, What::Unheard);
    write(&mut chip.debug(), ctrl_of(0), 2);
    write(&mut chip.debug(), UART0, u32::from(b'z'));
    run_for_micros(&mut chip, 200);
    chip.uart_take(0, &mut sent);
    assert_eq!(sent, b"z");
    assert_eq!(chip.take_diagnostics(), []);
}

#[test]
fn core_1_is_launched_through_the_fifo() {
    // Core 0 signals events for ever; core 1 is to count in r0.
    let mut chip = board(&image(&[0xbf40, 0xe7fd, 0x3001, 0xe7fd], &[]));
    run_for_micros(&mut chip, 3_000);
    assert!(chip.instructions(1) > 0, "it waits in the boot ROM");
    attach(&mut chip);
    for word in [0, 0, 1, FLASH, SRAM + 0x1000, CODE + 5] {
        write(&mut chip.debug(), SIO + 0x54, word);
        run_for_micros(&mut chip, 10);
        let mut port = chip.debug();
        assert_eq!(read(&mut port, SIO + 0x50) & 1, 1, "an answer waits");
        assert_eq!(read(&mut port, SIO + 0x58), word);
    }
    let before = chip.instructions(1);
    run_for_micros(&mut chip, 1_000);
    assert_eq!(chip.instructions(1) - before, 11_000);
    let mut cpuid = [0; 4];
    chip.debug().mem_read(AP1, CSW, SIO, &mut cpuid).expect("readable");
    assert_eq!(cpuid, [1, 0, 0, 0]);
}

#[test]
fn the_gpio_coprocessor_reaches_the_pins() {
    let mut code = vec![
        0xe7fe, // b .: until the debugger moves on
        0x4905, // ldr r1, [pc, #20] CPACR
        0x2203, // movs r2, #3
        0x600a, // str r2, [r1]
        0x4804, // ldr r0, [pc, #16] 1 << 25
        0xee40, 0x0014, // mcr p0, #2, r0, c0, c4: enable the output
        0xee40, 0x0010, // mcr p0, #2, r0, c0, c0: set
        0xee20, 0x0010, // mcr p0, #1, r0, c0, c0: toggle
        0xe7fe, // b .
    ];
    code.extend(literal(0xe000_ed88));
    code.extend(literal(1 << 25));
    let mut chip = board(&image(&code, &[]));
    run_for_micros(&mut chip, 3_000);
    start_clocks(&mut chip);
    let mut port = chip.debug();
    write(&mut port, pad_of(25), 0x56);
    write(&mut port, ctrl_of(25), 5);
    halt(&mut port);
    set_reg(&mut port, 15, CODE + 2);
    resume(&mut port);
    edges(&mut chip);
    run_for_micros(&mut chip, 1);
    let edges = edges_of(&mut chip, 25);
    assert_eq!(edges.iter().map(|edge| edge.1).collect::<Vec<_>>(), [true, false]);
    assert_eq!(edges[1].0 - edges[0].0, CYCLE);
    assert_eq!(chip.take_diagnostics(), []);
}

#[test]
fn spinlocks_and_doorbells_belong_to_both_cores() {
    let mut chip = board(&image(&IDLE, &[]));
    run_for_micros(&mut chip, 3_000);
    attach(&mut chip);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, SIO + 0x17c), 1 << 31);
    assert_eq!(read(&mut port, SIO + 0x17c), 0, "it is taken");
    assert_eq!(read(&mut port, SIO + 0x5c), 1 << 31);
    write(&mut port, SIO + 0x17c, 0);
    assert_eq!(read(&mut port, SIO + 0x17c), 1 << 31);
    write(&mut port, SIO + 0x180, 5);
    let mut bells = [0; 4];
    port.mem_read(AP1, CSW, SIO + 0x188, &mut bells).expect("readable");
    assert_eq!(bells, [5, 0, 0, 0]);
    assert_eq!(read(&mut port, SIO + 0x188), 0);
}

#[test]
fn what_is_not_there_is_said_and_never_read_as_zero() {
    let mut chip = board(&image(&IDLE, &[]));
    run_for_micros(&mut chip, 3_000);
    attach(&mut chip);
    let mut word = [0; 4];
    for (addr, what) in [
        (0x5020_0000, What::UnmodelledRead),
        (0x4009_0000, What::UnmodelledRead),
        (0x2008_2000, What::UnmodelledRead),
        (0x1040_0000, What::UnmodelledRead),
        (0x0000_8000, What::UnmodelledRead),
    ] {
        let mut port = chip.debug();
        assert_eq!(port.mem_read(AP0, CSW, addr, &mut word), Err(DapFault::Fault), "{addr:#x}");
        port.dp_write(0, 4).expect("ABORT");
        let said = chip.take_diagnostics();
        assert_eq!((said[0].what, said[0].address, said[0].count), (what, addr, 1));
    }
    let mut port = chip.debug();
    assert_eq!(port.mem_write(AP0, CSW, AccessSize::Word, FLASH, &[0; 4]), Err(DapFault::Fault));
    port.dp_write(0, 4).expect("ABORT");
    assert_eq!(read(&mut port, SIO + 0x80), 0);
    write(&mut port, RESETS_CLR, 1 << 6);
    write(&mut port, 0x4002_8180, 1);
    let said: Vec<_> = chip.take_diagnostics().into_iter().map(|said| said.what).collect();
    assert_eq!(said, [What::FlashWrite, What::ReservedRead, What::ReservedWrite]);
}

#[test]
fn flash_is_seen_through_its_aliases() {
    let mut chip = board(&image(&IDLE, &[]));
    run_for_micros(&mut chip, 3_000);
    attach(&mut chip);
    let mut port = chip.debug();
    for base in [0x1000_0000, 0x1400_0000, 0x1c00_0000] {
        assert_eq!(read(&mut port, base), SRAM + 0x8_0000);
    }
}

/// However a span of time is cut, the same happens in it at the same time.
#[test]
fn a_run_is_the_same_however_it_is_cut() {
    let run = |slices: &[u64]| {
        let mut chip = ready(&toggler(0, TIMER0 + 0x3c, 1));
        let mut port = chip.debug();
        output(&mut port, 25);
        write(&mut port, 0xe000_e100, 1);
        write(&mut port, TIMER0 + 0x40, 1);
        let start = read(&mut port, TIMER0 + 0x28);
        write(&mut port, TIMER0 + 0x10, start + 1_234);
        let end = chip.now().units() + 3_000 * UNITS_PER_MICROSECOND;
        for slice in slices.iter().cycle() {
            let next = (chip.now().units() + slice).min(end);
            chip.run_until(rp2350_model::Instant::from_units(next));
            if chip.now().units() >= end {
                break;
            }
        }
        (edges(&mut chip), chip.now(), chip.instructions(0), chip.instructions(1))
    };
    let whole = run(&[u64::MAX / 2]);
    assert!(!whole.0.is_empty());
    assert_eq!(run(&[1, 7, 80, 81, 11_999, 100_003]), whole);
    assert_eq!(run(&[12_345]), whole);
}
