//! Transfers as fast as they go: what they move, in which order, and how they end.

use super::*;

#[test]
fn memory_is_copied_a_transfer_a_cycle() {
    let mut chip = idle_board();
    let data = counting(400);
    put(&mut chip, FROM, &data);
    let copy = EN | WORD | INCR_READ | INCR_WRITE | treq(PERMANENT);
    let mut port = chip.debug();
    start(&mut port, 0, FROM, TO, 100, copy);
    assert_eq!(ctrl(&mut port, 0), copy | BUSY);
    let begun = read(&mut port, channel(0) + 8);
    assert!(begun >= 99, "no time has passed: {begun}");
    run_for_cycles(&mut chip, 60);
    let mut port = chip.debug();
    let left = begun - 60;
    assert_eq!(read(&mut port, channel(0) + 8), left);
    assert_eq!(read(&mut port, channel(0)), FROM + 4 * (100 - left));
    assert_eq!(read(&mut port, channel(0) + 4), TO + 4 * (100 - left));
    assert_eq!(read(&mut port, INTR), 0);
    run_for_cycles(&mut chip, u64::from(left));
    let mut port = chip.debug();
    assert_eq!((ctrl(&mut port, 0), read(&mut port, channel(0) + 8)), (copy, 0));
    assert_eq!(read(&mut port, DMA + 0x804), 100, "the next sequence is as long");
    assert_eq!(read(&mut port, INTR), 1);
    assert_eq!(bytes(&mut chip, TO, 401), [&data[..], &[0]].concat());
    assert_eq!(chip.take_diagnostics(), []);
}

#[test]
fn addresses_and_bytes_go_as_ctrl_says() {
    let mut chip = idle_board();
    let data: Vec<u8> = (1..=16).collect();
    let mut copied = |from: u32, to: u32, count: u32, how: u32| {
        put(&mut chip, FROM, &data);
        put(&mut chip, TO, &[0; 16]);
        start(&mut chip.debug(), 5, FROM + from, TO + to, count, EN | how | treq(PERMANENT) | chain_to(5));
        run_for_cycles(&mut chip, 40);
        bytes(&mut chip, TO, 8)
    };
    let both = INCR_READ | INCR_WRITE;
    assert_eq!(copied(1, 2, 3, both), [0, 0, 2, 3, 4, 0, 0, 0]);
    assert_eq!(copied(0, 0, 3, HALF | both | BSWAP), [2, 1, 4, 3, 6, 5, 0, 0]);
    assert_eq!(copied(4, 0, 2, WORD | both | BSWAP), [8, 7, 6, 5, 12, 11, 10, 9]);
    assert_eq!(copied(0, 0, 2, both | BSWAP), [1, 2, 0, 0, 0, 0, 0, 0], "bytes stay as they are");
    assert_eq!(copied(3, 0, 4, INCR_WRITE), [4, 4, 4, 4, 0, 0, 0, 0]);
    assert_eq!(copied(0, 1, 4, INCR_READ), [0, 4, 0, 0, 0, 0, 0, 0]);
    assert_eq!(copied(3, 0, 4, both | INCR_READ_REV), [4, 3, 2, 1, 0, 0, 0, 0]);
    assert_eq!(copied(0, 3, 4, both | INCR_WRITE_REV), [4, 3, 2, 1, 0, 0, 0, 0]);
    assert_eq!(copied(0, 0, 3, INCR_READ_REV | INCR_WRITE_REV), [1, 0, 3, 0, 5, 0, 0, 0], "by two");
    assert_eq!(copied(2, 0, 6, both | ring(2)), [3, 4, 1, 2, 3, 4, 0, 0]);
    assert_eq!(copied(0, 2, 6, both | ring(2) | RING_WRITE), [3, 4, 5, 6, 0, 0, 0, 0]);
    assert_eq!(chip.take_diagnostics(), []);
}

#[test]
fn each_view_triggers_by_its_last_register() {
    let mut chip = idle_board();
    put(&mut chip, FROM, b"abcd");
    let how = EN | INCR_READ | INCR_WRITE | treq(PERMANENT) | chain_to(2);
    for (offsets, values) in [
        ([0x00, 0x04, 0x08, 0x0c], [FROM, TO, 2, how]),
        ([0x10, 0x14, 0x18, 0x1c], [how, FROM, TO, 2]),
        ([0x20, 0x24, 0x28, 0x2c], [how, 2, FROM, TO]),
        ([0x30, 0x34, 0x38, 0x3c], [how, TO, 2, FROM]),
    ] {
        put(&mut chip, TO, &[0; 4]);
        let mut port = chip.debug();
        for (n, (offset, value)) in offsets.into_iter().zip(values).enumerate() {
            assert_eq!(ctrl(&mut port, 2) & BUSY, 0, "{offset:#x} {n}");
            write(&mut port, channel(2) + offset, value);
        }
        assert_eq!(ctrl(&mut port, 2) & BUSY, BUSY);
        run_for_cycles(&mut chip, 4);
        assert_eq!(bytes(&mut chip, TO, 4), b"ab\0\0");
        // The written counts stay for what triggers it next; the addresses have moved on.
        write(&mut chip.debug(), MULTI_CHAN_TRIGGER, 1 << 2);
        run_for_cycles(&mut chip, 4);
        assert_eq!(bytes(&mut chip, TO, 4), b"abcd");
        let mut port = chip.debug();
        write(&mut port, channel(2) + 0x10, how & !EN);
        write(&mut port, MULTI_CHAN_TRIGGER, 1 << 2);
        assert_eq!(ctrl(&mut port, 2) & BUSY, 0, "it is not enabled");
        write(&mut port, INTR + CLEAR, 1 << 2);
        assert_eq!(read(&mut port, INTR), 0);
    }
}

#[test]
fn an_interrupt_can_be_forced_and_is_masked() {
    let mut chip = with_dma(&toggler(11, DMA + 0x418, 0));
    let mut port = chip.debug();
    output(&mut port, 25);
    write(&mut port, 0xe000_e100, 1 << 11);
    write(&mut port, DMA + 0x418, 0x8000);
    assert_eq!((read(&mut port, DMA + 0x41c), read(&mut port, DMA + 0x40c)), (0x8000, 0));
    run_for_micros(&mut chip, 1);
    assert_eq!(edges_of(&mut chip, 25).len(), 1);
    assert_eq!(read(&mut chip.debug(), DMA + 0x41c), 0);
}

#[test]
fn a_channel_chains_to_the_next_or_to_itself() {
    let mut chip = idle_board();
    put(&mut chip, FROM, b"abcdefgh");
    let how = EN | INCR_READ | INCR_WRITE | treq(PERMANENT);
    let mut port = chip.debug();
    // Channel 1 is set up and waits for its trigger.
    for (offset, value) in [(0x10, how | chain_to(1)), (0x14, FROM + 4), (0x18, TO + 4), (0x8, 4)] {
        write(&mut port, channel(1) + offset, value);
    }
    start(&mut port, 0, FROM, TO, 4, how | chain_to(1));
    run_for_cycles(&mut chip, 9);
    assert_eq!(bytes(&mut chip, TO, 8), b"abcdefgh");
    assert_eq!(read(&mut chip.debug(), INTR), 3);

    // A sequence that starts itself: an interrupt each time, without an end.
    let mut port = chip.debug();
    write(&mut port, INTR, 3);
    start(&mut port, 7, FROM, TO, TRIGGER_SELF | 10, how | ring(3) | chain_to(7));
    for _ in 0..3 {
        run_for_cycles(&mut chip, 10);
        let mut port = chip.debug();
        assert_eq!((read(&mut port, INTR), ctrl(&mut port, 7) & BUSY), (1 << 7, BUSY));
        write(&mut port, INTR, 1 << 7);
        assert_eq!(read(&mut port, INTR), 0);
    }
}

/// Control blocks: channel 0 writes them to channel 1's registers, the last write of each starts it, and it comes back.
#[test]
fn a_channel_is_fed_with_control_blocks_until_a_null_trigger() {
    let mut chip = idle_board();
    put(&mut chip, FROM, b"gathered");
    let blocks: [u32; 6] = [3, FROM + 5, 5, FROM, 0, 0];
    let list: Vec<u8> = blocks.iter().flat_map(|word| word.to_le_bytes()).collect();
    put(&mut chip, FROM + 0x100, &list);
    let mut port = chip.debug();
    let quiet = EN | INCR_READ | INCR_WRITE | treq(PERMANENT) | chain_to(0) | IRQ_QUIET;
    write(&mut port, channel(1) + 0x30, quiet);
    write(&mut port, channel(1) + 0x34, TO);
    // Two words a block, to TRANS_COUNT and READ_ADDR_TRIG, over and over.
    let feed = EN | WORD | INCR_READ | INCR_WRITE | ring(3) | RING_WRITE | treq(PERMANENT) | chain_to(0) | IRQ_QUIET;
    start(&mut port, 0, FROM + 0x100, channel(1) + 0x38, 2, feed);
    run_for_cycles(&mut chip, 30);
    assert_eq!(bytes(&mut chip, TO, 9), b"redgathe\0");
    let mut port = chip.debug();
    assert_eq!(read(&mut port, INTR), 1 << 1, "only the end of the chain is heard");
    assert_eq!((ctrl(&mut port, 0) & BUSY, ctrl(&mut port, 1) & BUSY), (0, 0));
}

#[test]
fn high_priority_goes_first_and_leaves_a_turn_to_the_others() {
    let mut chip = idle_board();
    let mut port = chip.debug();
    let how = |n: u32| INCR_WRITE | treq(PERMANENT) | chain_to(n);
    for (n, priority) in [(0, 0), (1, HIGH_PRIORITY), (2, HIGH_PRIORITY), (3, 0)] {
        start(&mut port, n, FROM, TO + 0x1000 * n, 1_000, how(n) | priority | EN);
        write(&mut port, CHAN_ABORT, 0xf);
        write(&mut port, channel(n) + 4, TO + 0x1000 * n);
    }
    write(&mut port, MULTI_CHAN_TRIGGER, 0xf);
    run_for_cycles(&mut chip, 600);
    let mut port = chip.debug();
    let mut done = [0; 4];
    for n in 0..4 {
        done[n as usize] = read(&mut port, channel(n) + 4) - TO - 0x1000 * n;
    }
    assert!(done.iter().sum::<u32>() >= 600, "{done:?}");
    for (n, expected) in [100, 200, 200, 100].into_iter().enumerate() {
        assert!(done[n].abs_diff(expected) <= 1, "{done:?}");
    }
}

#[test]
fn a_read_of_flash_during_an_erase_is_a_bus_error() {
    let mut chip = idle_board();
    erasing(&mut chip);
    run_for_micros(&mut chip, 100);
    let mut port = chip.debug();
    let how = EN | WORD | INCR_READ | INCR_WRITE | treq(PERMANENT) | chain_to(1);
    start(&mut port, 1, FLASH + 0x200, TO, 8, how);
    run_for_cycles(&mut chip, 10);
    let mut port = chip.debug();
    assert_eq!(ctrl(&mut port, 1), how | READ_ERROR | AHB_ERROR);
    assert_eq!((read(&mut port, channel(1)), read(&mut port, channel(1) + 8)), (FLASH + 0x200, 8));
    assert_eq!(read(&mut port, INTR), 2, "an error is heard");
    assert_eq!(said(&mut chip), [(Some(1), FLASH + 0x200, What::FlashBusy)]);
    // Afterwards it can.
    assert_eq!(run_for_micros(&mut chip, 100_000), RunExit::Core0Halted);
    let mut port = chip.debug();
    write(&mut port, channel(1) + 0xc, how | READ_ERROR);
    assert_eq!(ctrl(&mut port, 1), how | BUSY);
    set_reg(&mut port, 15, SRAM + 0x100);
    write(&mut port, SRAM + 0x100, 0xe7fe_e7fe);
    resume(&mut port);
    run_for_cycles(&mut chip, 10);
    let copied = bytes(&mut chip, TO, 32);
    assert_eq!(copied, chip.flash()[0x200..0x220]);
}

/// What is not there, not DMA's, or not aligned ends a sequence, and is said; so is what the model does not do.
#[test]
fn errors_end_a_sequence() {
    let mut chip = idle_board();
    let how = EN | WORD | INCR_READ | INCR_WRITE | treq(PERMANENT) | chain_to(0);
    for (from, to, error, expected) in [
        (0x3000_0000, TO, READ_ERROR, (0x3000_0000, What::UnmodelledRead)),
        (FROM, FLASH, WRITE_ERROR, (FLASH, What::FlashWrite)),
        (SIO, TO, READ_ERROR, (SIO, What::UnmodelledRead)),
        (FROM, SIO + 0x10, WRITE_ERROR, (SIO + 0x10, What::UnmodelledWrite)),
        (FROM + 2, TO, READ_ERROR, (FROM + 2, What::Setting)),
        (FROM, TO + 1, WRITE_ERROR, (TO + 1, What::Setting)),
    ] {
        let mut port = chip.debug();
        start(&mut port, 0, from, to, 4, how | READ_ERROR | WRITE_ERROR);
        run_for_cycles(&mut chip, 4);
        let mut port = chip.debug();
        assert_eq!((ctrl(&mut port, 0), read(&mut port, INTR)), (how | error | AHB_ERROR, 1), "{expected:?}");
        assert_eq!(said(&mut chip), [(Some(0), expected.0, expected.1)]);
    }
    let mut port = chip.debug();
    write(&mut port, channel(4) + 0x10, EN | treq(24));
    write(&mut port, channel(4) + 0x10, EN | treq(PERMANENT) | 1 << 25);
    write(&mut port, channel(4) + 0x8, 2 << 28);
    write(&mut port, DMA + 0x440, 1);
    let expected = [
        (None, channel(4) + 0x10, What::Setting),
        (None, channel(4) + 0x8, What::Setting),
        (None, DMA + 0x440, What::ReservedWrite),
    ];
    assert_eq!(said(&mut chip), expected);
}

#[test]
fn reset_holds_it_and_stops_everything() {
    let mut chip = idle_board();
    let mut port = chip.debug();
    assert_eq!(read(&mut port, DMA + 0x468), 16);
    start(&mut port, 0, FROM, TO, ENDLESS, EN | INCR_WRITE | treq(PERMANENT));
    write(&mut port, 0x4002_2000, DMA_RESET);
    assert_eq!(read(&mut port, DMA + 0x468), 0);
    assert_eq!(chip.take_diagnostics()[0].what, What::InReset);
    put(&mut chip, TO, &[7; 8]);
    run_for_cycles(&mut chip, 100);
    assert_eq!(bytes(&mut chip, TO, 8), [7; 8]);
    let mut port = chip.debug();
    write(&mut port, RESETS_CLR, DMA_RESET);
    for offset in (0..0x440).step_by(4) {
        assert_eq!(read(&mut port, DMA + offset), 0, "{offset:#x}");
    }
}

/// A reservation of a core is lost where DMA writes.
#[test]
fn a_write_by_dma_ends_a_reservation() {
    // ldrex r1, [r0]; nop × 8; strex r2, r1, [r0]; b .
    let mut code = vec![0xe850, 0x1f00];
    code.extend([0xbf00; 8]);
    code.extend([0xe840, 0x1200, 0xe7fe]);
    for (to, status) in [(TO, 1), (TO + 0x100, 0)] {
        let mut chip = with_dma(&image(&IDLE, &[]));
        let program: Vec<u8> = code.iter().flat_map(|half: &u16| half.to_le_bytes()).collect();
        put(&mut chip, SRAM + 0x200, &program);
        let mut port = chip.debug();
        halt(&mut port);
        for (reg, value) in [(0, TO), (2, 7), (15, SRAM + 0x200)] {
            set_reg(&mut port, reg, value);
        }
        // One transfer a cycle: the first before the reservation, the last before the store.
        start(&mut port, 0, FROM, to, 8, EN | treq(PERMANENT));
        resume(&mut port);
        run_for_micros(&mut chip, 1);
        let mut port = chip.debug();
        halt(&mut port);
        assert_eq!(get_reg(&mut port, 2), status);
    }
}
