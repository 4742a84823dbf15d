//! Transfers that a UART asks for, and time.

use super::*;

/// What DMA is for here: core 0 waits for the flash for 45 ms, and not a byte is lost.
#[test]
fn bytes_that_arrive_during_an_erase_are_all_in_the_ring() {
    let mut chip = idle_board();
    chip.flash_mut()[0x10_0000] = 0;
    let data = counting(4_400);
    let mut port = chip.debug();
    start_fast_uart0(&mut port);
    let how = EN | INCR_WRITE | ring(13) | RING_WRITE | treq(UART0_RX);
    start(&mut port, 0, UART0, TO, ENDLESS, how);
    chip.uart_give(0, &data);
    erasing(&mut chip);
    let began = chip.now().units();
    assert_eq!(run_for_micros(&mut chip, 100_000), RunExit::Core0Halted);
    assert_eq!((chip.now().units() - began) / UNITS_PER_MICROSECOND, 45_000);
    assert_eq!(chip.flash()[0x10_0000], 0xff);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, channel(0) + 4), TO + 4_400);
    assert_eq!(ctrl(&mut port, 0), how | BUSY);
    assert_eq!(read(&mut port, channel(0) + 8), ENDLESS);
    assert_eq!(read(&mut port, UART0 + 0x3c) & 0x400, 0, "no overrun");
    assert_eq!(bytes(&mut chip, TO, data.len()), data);
    assert_eq!(chip.take_diagnostics(), []);
}

#[test]
fn a_ring_wraps_and_an_endless_channel_goes_on_until_it_is_aborted() {
    let mut chip = idle_board();
    let data = counting(1_000);
    let mut port = chip.debug();
    start_fast_uart0(&mut port);
    let how = EN | INCR_WRITE | ring(8) | RING_WRITE | treq(UART0_RX) | chain_to(3);
    start(&mut port, 3, UART0, TO, ENDLESS, how);
    chip.uart_give(0, &data);
    run_for_micros(&mut chip, 11_000);
    assert_eq!(read(&mut chip.debug(), channel(3) + 4), TO + 1_000 % 256);
    let last = data[744..].to_vec();
    let got = bytes(&mut chip, TO, 512);
    assert_eq!((&got[1_000 % 256..256], &got[..1_000 % 256]), (&last[..24], &last[24..]));
    assert_eq!(got[256..], [0; 256]);

    // Paused, it keeps what it is at; aborted, it is at rest.
    write(&mut chip.debug(), channel(3) + 0x10 + CLEAR, EN);
    chip.uart_give(0, b"x");
    run_for_micros(&mut chip, 100);
    let mut port = chip.debug();
    assert_eq!(ctrl(&mut port, 3), how & !EN | BUSY);
    assert_eq!(read(&mut port, UART0 + 0x18) & 0x10, 0, "the byte waits in the FIFO");
    write(&mut port, channel(3) + 0x10 + SET, EN);
    run_for_cycles(&mut chip, 2);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, channel(3) + 4), TO + 1_001 % 256);
    write(&mut port, CHAN_ABORT, 1 << 3);
    assert_eq!((read(&mut port, CHAN_ABORT), ctrl(&mut port, 3)), (0, how));
    chip.uart_give(0, b"y");
    run_for_micros(&mut chip, 100);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, channel(3) + 4), TO + 1_001 % 256);
    assert_eq!(read(&mut port, INTR), 0);
}

/// The UART's own switch, and its errors, hold requests back.
#[test]
fn a_uart_asks_only_if_it_is_told_to() {
    let mut chip = idle_board();
    let mut port = chip.debug();
    start_fast_uart0(&mut port);
    write(&mut port, UART0 + 0x48, 0);
    start(&mut port, 0, UART0, TO, ENDLESS, EN | INCR_WRITE | treq(UART0_RX));
    chip.uart_give(0, &[1; 33]);
    run_for_micros(&mut chip, 1_000);
    let mut port = chip.debug();
    assert_eq!(read(&mut port, channel(0) + 4), TO);
    // Enabled, and told to stop on an error: there was an overrun.
    write(&mut port, UART0 + 0x38, 0x400);
    write(&mut port, UART0 + 0x48, 5);
    run_for_cycles(&mut chip, 100);
    assert_eq!(read(&mut chip.debug(), channel(0) + 4), TO);
    write(&mut chip.debug(), UART0 + 0x44, 0x400);
    run_for_cycles(&mut chip, 100);
    assert_eq!(read(&mut chip.debug(), channel(0) + 4), TO + 32);
}

#[test]
fn a_uart_sends_what_dma_gives_it_and_the_end_interrupts() {
    for line in 0..4 {
        let status = DMA + 0x40c + 0x10 * line;
        let mut chip = with_dma(&toggler(10 + line as usize, status, 1 << 9));
        let text = b"Sent by DMA, byte after byte, more than the FIFO holds.";
        put(&mut chip, FROM, text);
        let mut port = chip.debug();
        output(&mut port, 25);
        start_fast_uart0(&mut port);
        write(&mut port, 0xe000_e100, 1 << (10 + line));
        write(&mut port, DMA + 0x404 + 0x10 * line, 1 << 9);
        let how = EN | INCR_READ | treq(UART0_TX) | chain_to(9);
        start(&mut port, 9, FROM, UART0, text.len() as u32, how);
        let began = chip.now().units();
        run_for_micros(&mut chip, 1_000);
        let mut sent = Vec::new();
        chip.uart_take(0, &mut sent);
        assert_eq!(sent, text);
        let toggled = edges_of(&mut chip, 25);
        assert_eq!(toggled.len(), 1, "once: {toggled:?}");
        // The last byte enters the FIFO when 22 have left it: 10 bits each, at 1 Mbaud nearly.
        let micros = (toggled[0].0 - began) / UNITS_PER_MICROSECOND;
        assert!((215..235).contains(&micros), "{micros}");
        assert_eq!(read(&mut chip.debug(), INTR), 0, "acknowledged");
    }
}

/// How time is cut changes nothing, and a channel that waits costs nothing.
#[test]
fn a_run_with_dma_is_the_same_however_it_is_cut() {
    let run = |slices: &[u64]| {
        let mut chip = with_dma(&toggler(10, DMA + 0x40c, 0xffff));
        put(&mut chip, FROM, &counting(1_024));
        let mut port = chip.debug();
        output(&mut port, 25);
        start_fast_uart0(&mut port);
        write(&mut port, 0xe000_e100, 1 << 10);
        write(&mut port, DMA + 0x404, 0xffff);
        let copy = EN | INCR_READ | INCR_WRITE | ring(6) | treq(PERMANENT);
        start(&mut port, 0, FROM, TO, TRIGGER_SELF | 777, copy | chain_to(0));
        start(&mut port, 1, UART0, TO + 0x1000, TRIGGER_SELF | 5, EN | INCR_WRITE | treq(UART0_RX) | chain_to(1));
        start(&mut port, 2, FROM, UART0, TRIGGER_SELF | 9, EN | INCR_READ | ring(4) | treq(UART0_TX) | chain_to(2));
        chip.uart_give(0, &counting(60));
        let end = chip.now().units() + 1_000 * UNITS_PER_MICROSECOND;
        for slice in slices.iter().cycle() {
            let next = (chip.now().units() + slice).min(end);
            chip.run_until(Instant::from_units(next));
            if chip.now().units() >= end {
                break;
            }
        }
        (edges(&mut chip), chip.now(), chip.instructions(0), bytes(&mut chip, TO, 0x1040))
    };
    let whole = run(&[u64::MAX / 2]);
    assert!(whole.0.len() > 100);
    assert_eq!(run(&[1, 7, 80, 81, 11_999, 100_003]), whole);
    assert_eq!(run(&[12_345]), whole);
}

#[test]
fn a_channel_that_waits_costs_nothing() {
    let mut chip = idle_board();
    let mut port = chip.debug();
    start_fast_uart0(&mut port);
    start(&mut port, 0, UART0, TO, ENDLESS, EN | INCR_WRITE | treq(UART0_RX));
    let before = chip.instructions(0);
    run_for_micros(&mut chip, 3_600_000_000);
    assert!(chip.instructions(0) - before < 100);
    chip.uart_give(0, b"!");
    run_for_micros(&mut chip, 100);
    assert_eq!(bytes(&mut chip, TO, 2), b"!\0");
}

/// Whatever is written to the registers, time goes on.
#[test]
fn random_settings_do_not_upset_the_chip() {
    let mut random = fastrand::Rng::with_seed(0xd3a);
    let mut chip = idle_board();
    start_fast_uart0(&mut chip.debug());
    for _ in 0..300 {
        let mut port = chip.debug();
        for _ in 0..random.usize(1..40) {
            let offset = if random.bool() { random.u32(0..0x440) } else { random.u32(0..0x1000) } & !3;
            let base = [SRAM, SRAM, FLASH, DMA, UART0, 0x4002_0000, 0][random.usize(0..7)];
            let value = match random.u32(0..3) {
                0 => base + random.u32(0..0x1000),
                1 => random.u32(0..64) << 28 | random.u32(0..9),
                _ => random.u32(..) | EN | treq(PERMANENT),
            };
            write(&mut port, DMA + offset + 0x1000 * random.u32(0..4), value);
        }
        let end = chip.now().units() + 500 * CYCLE;
        assert_eq!(chip.run_until(Instant::from_units(end)), RunExit::Deadline);
        chip.uart_give(0, b"?");
        chip.take_diagnostics();
        let mut word = [0; 4];
        let answer = chip.debug().mem_read(AP0, CSW, DMA + 0x468, &mut word);
        assert!(matches!(answer, Ok(()) | Err(DapFault::PoweredDown)), "{answer:?}");
    }
}
