//! What updates cost the flash, and what a boot costs in reads of the journal.

use sandhill_update::smp::Images;

use crate::board::{Board, SLOT, image};
use crate::nor::{Kind, SECTOR};

/// Erases of each sector by one update after the other, by the same size: slots in turn, and the journal.
#[test]
fn an_update_costs_its_own_sectors_and_a_share_of_the_journal() {
    const UPDATES: usize = 96;
    const BYTES: usize = 9000;
    let sectors = image(20, BYTES).len().div_ceil(SECTOR);
    for journal in [2, 4, 16] {
        let mut board = Board::new(SLOT, journal);
        for update in 0..UPDATES {
            let id = 20 + (update % 2) as u8;
            let image = image(id, BYTES);
            board.upload(0, &image, 512).expect("uploaded");
            board.set(id, &image, false).expect("pending");
            board.reset();
            board.confirm().expect("on trial");
            assert_eq!(board.runs(0), Some(id));
        }
        let erases = board.flash().erases.clone();
        let slots: u32 = erases[..4 * SLOT / SECTOR].iter().sum();
        let in_journal: u32 = erases[4 * SLOT / SECTOR..].iter().sum();
        // The first image in either slot found it blank.
        assert_eq!(slots as usize, (UPDATES - 2) * sectors);
        assert!(erases.iter().all(|&erases| erases <= UPDATES as u32 / 2));
        assert!(in_journal as usize * 10 <= UPDATES, "{in_journal} erases of the journal");
        println!(
            "journal of {journal} sectors: {UPDATES} updates erased {slots} sectors of slots, {in_journal} of the journal"
        );
    }
}

#[test]
fn what_is_there_already_costs_nothing() {
    let mut board = Board::new(SLOT, 4);
    board.upload(0, &image(20, 9000), 512).expect("uploaded");
    let count =
        |board: &mut Board, kind| board.flash().operations.iter().filter(|operation| operation.0 == kind).count();
    assert_eq!(count(&mut board, Kind::Erase), 0, "the slot was blank");
    // Payload pages 1 and 2 are blank.
    let pages = image(20, 9000).len().div_ceil(256) - 2;
    let programs = board.flash().programs[..SLOT / SECTOR].iter().sum::<u32>();
    assert_eq!(programs as usize, pages);
    Images::erase(&mut *board, 0).expect("erased");
    let erased = count(&mut board, Kind::Erase);
    assert_eq!(erased, 3);
    Images::erase(&mut *board, 0).expect("erased");
    assert_eq!(count(&mut board, Kind::Erase), erased, "the slot is blank");
}

/// A block of 64 KiB goes at once where it is all the image's; the flash's model checks the borders.
#[test]
fn large_images_are_erased_by_blocks() {
    let mut board = Board::new(3 * 65_536, 4);
    for id in [20, 30] {
        for bytes in [150_000, 65_000] {
            board.upload(0, &image(id, bytes), 2000).expect("uploaded");
        }
    }
    let erases = board.flash().erases.clone();
    let first: Vec<u32> = (0..37).map(|sector| erases[sector]).collect();
    assert!(first[..16].iter().all(|&erases| erases == 3), "{first:?}");
    assert!(first[16..].iter().all(|&erases| erases <= 2), "{first:?}");
}

/// A boot writes nothing, unless something changed.
#[test]
fn a_boot_only_reads() {
    let mut board = Board::new(SLOT, 4);
    board.upload(0, &image(20, 9000), 512).expect("uploaded");
    board.set(20, &image(20, 9000), true).expect("confirmed");
    board.reset();
    let operations = board.flash().operations.len();
    board.reset();
    board.reset();
    assert_eq!(board.flash().operations.len(), operations);
}
