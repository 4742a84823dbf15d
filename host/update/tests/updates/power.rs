//! Power goes in every single flash operation of everything that can happen to a guest, in every way that an operation can
//! be cut short. After each the board boots what it ran before or what it was to run, and the update can be repeated.

use sandhill_update::{Error, Slot};

use crate::board::{Board, SLOT, image};
use crate::nor::{Kind, Torn};

const BYTES: usize = 5000;
/// Where the image does not matter.
const SMALL: usize = 1000;
/// The other guest's, which nothing here is about.
const BESIDE: u8 = 90;

/// A board whose guest 1 runs an image of an update.
fn board(journal: usize) -> Board {
    let mut board = Board::new(SLOT, journal);
    let beside = image(BESIDE, 2000);
    board.upload(1, &beside, 512).expect("uploaded");
    board.set(BESIDE, &beside, true).expect("confirmed");
    board.reset();
    assert_eq!(board.runs(1), Some(BESIDE));
    board
}

/// A board whose guest 0 runs an image of an update, and guest 1 none.
fn updated(journal: usize, id: u8) -> Board {
    let mut board = Board::new(SLOT, journal);
    replace(&mut board, id).expect("updated");
    assert_eq!(board.runs(0), Some(id));
    board
}

/// Upload, confirmed for good, reset.
fn replace(board: &mut Board, id: u8) -> Result<(), Error> {
    replace_by(board, id, BYTES)
}

fn replace_by(board: &mut Board, id: u8, bytes: usize) -> Result<(), Error> {
    let image = image(id, bytes);
    board.upload(0, &image, 700)?;
    board.set(id, &image, true)?;
    board.reset();
    Ok(())
}

/// Upload, test, reset, confirmed while it runs.
fn try_and_confirm(board: &mut Board, id: u8) -> Result<(), Error> {
    let image = image(id, BYTES);
    board.upload(0, &image, 700)?;
    board.set(id, &image, false)?;
    board.reset();
    board.confirm()
}

/// Upload, test, reset, reset.
fn try_and_reset(board: &mut Board, id: u8) -> Result<(), Error> {
    let image = image(id, BYTES);
    board.upload(0, &image, 700)?;
    board.set(id, &image, false)?;
    board.reset();
    board.reset();
    Ok(())
}

type Flow = fn(&mut Board) -> Result<(), Error>;

/// Cuts `flow` short everywhere. `first` is what may run at the first boot afterwards, `settled` what may after another,
/// when trials are over.
fn cut_everywhere(name: &str, start: &mut Board, flow: Flow, first: &[Option<u8>], settled: &[Option<u8>]) {
    let operations = operations_of(start, flow);
    let mut cuts = 0;
    for (operation, (kind, offset)) in operations.iter().enumerate() {
        for &torn in ways(*kind) {
            let at = format!("{name}: power goes in {kind:?} {operation} at 0x{offset:x}, {torn:?}");
            let mut board = start.copy();
            board.flash().cut_at(operation, torn);
            // Whatever it says: power is off.
            let _ = flow(&mut board);
            assert!(board.flash().is_off(), "{at}: not reached");
            board.power_cycle();
            check(&mut board, &at, start.runs(1), first, settled);
            cuts += 1;
        }
    }
    println!("{name}: {} operations, {cuts} cuts", operations.len());
    assert!(cuts > operations.len());
}

fn operations_of(start: &mut Board, flow: Flow) -> Vec<(Kind, usize)> {
    let mut board = start.copy();
    board.flash().operations.clear();
    flow(&mut board).expect("power is on");
    board.flash().operations.clone()
}

fn ways(kind: Kind) -> &'static [Torn] {
    if kind == Kind::Erase { &Torn::ERASE } else { &Torn::PROGRAM }
}

/// After power has come back.
fn check(board: &mut Board, at: &str, beside: Option<u8>, first: &[Option<u8>], settled: &[Option<u8>]) {
    assert!(first.contains(&board.runs(0)), "{at}: runs {:?}, {:?}", board.runs(0), board.boots);
    assert_eq!(board.runs(1), beside, "{at}: {:?}", board.boots);
    board.reset();
    assert!(settled.contains(&board.runs(0)), "{at}: settles on {:?}, {:?}", board.runs(0), board.boots);
    assert_eq!(board.runs(1), beside, "{at}: {:?}", board.boots);
    // It can be updated all the same, and its floor has risen then.
    try_and_confirm(board, 70).unwrap_or_else(|error| panic!("{at}: afterwards: {error}"));
    board.reset();
    assert_eq!(board.runs(0), Some(70), "{at}: {:?}", board.boots);
    assert_eq!(board.runs(1), beside, "{at}: {:?}", board.boots);
    let rolled_back = board.upload(0, &image(60, BYTES), 700);
    assert_eq!(rolled_back, Err(Error::RolledBack { counter: 6, floor: 7 }), "{at}");
}

#[test]
fn install() {
    let start = &mut Board::new(SLOT, 4);
    cut_everywhere(
        "install, test, confirm",
        start,
        |board| try_and_confirm(board, 20),
        &[None, Some(20)],
        &[None, Some(20)],
    );
    cut_everywhere("install for good", start, |board| replace(board, 20), &[None, Some(20)], &[None, Some(20)]);
}

#[test]
fn update() {
    let start = &mut updated(4, 20);
    let either = &[Some(20), Some(30)];
    cut_everywhere("update, test, confirm", start, |board| try_and_confirm(board, 30), either, either);
    let start = &mut board(4);
    replace(start, 20).expect("updated");
    cut_everywhere("update for good, with a guest beside", start, |board| replace(board, 30), either, either);
}

#[test]
fn revert() {
    let start = &mut updated(4, 20);
    let either = &[Some(20), Some(30)];
    cut_everywhere("update, test, revert", start, |board| try_and_reset(board, 30), either, &[Some(20)]);
    let fails = |board: &mut Board| {
        let image = image(30, BYTES);
        board.upload(0, &image, 700)?;
        board.set(30, &image, false)?;
        board.reset();
        // Without power there was no trial.
        let ended = board.trial_failed(0);
        assert!(ended.is_some() || board.flash().is_off());
        Ok(())
    };
    cut_everywhere("update, test, the image fails", start, fails, either, &[Some(20)]);
}

#[test]
fn over_an_older_image() {
    let start = &mut updated(4, 20);
    replace(start, 30).expect("updated");
    let either = &[Some(30), Some(40)];
    cut_everywhere("update over an older image", start, |board| try_and_confirm(board, 40), either, either);
    cut_everywhere(
        "erase",
        start,
        |board| sandhill_update::smp::Images::erase(&mut **board, 0),
        &[Some(30)],
        &[Some(30)],
    );
    let spoilt: Flow = |board| {
        let mut image = image(40, BYTES).to_vec();
        image[4500] ^= 1;
        let refused = board.upload(0, &image, 700);
        assert!(refused == Err(Error::HashMismatch) || board.flash().is_off(), "{refused:?}");
        Ok(())
    };
    cut_everywhere("upload of a damaged image", start, spoilt, &[Some(30)], &[Some(30)]);
}

/// An image that came through a probe becomes the active one.
#[test]
fn taken_over() {
    let start = &mut updated(4, 20);
    let place = |board: &mut Board| {
        board.flash_directly(0, Slot::A, &image(50, BYTES));
        board.reset();
        Ok(())
    };
    cut_everywhere("an image through a probe", start, place, &[Some(50)], &[Some(50)]);
}

/// The journal's sectors take turns. The history before makes stale records say that the other slot is active.
#[test]
fn journal_takes_the_next_sector() {
    for sectors in [2, 3, 4] {
        for (mut start, name) in turns(sectors, 2) {
            let old = start.runs(0);
            cut_everywhere(&name, &mut start, trial, &[old, Some(40)], &[old]);
        }
    }
}

/// Power comes back and goes again, at some operation of what the board does then: the same trial, at the least.
#[test]
fn power_goes_twice() {
    let mut random = fastrand::Rng::with_seed(0x2C07);
    let (mut cuts, mut second) = (0, 0);
    for (mut start, name) in [turns(2, 1), turns(3, 1)].into_iter().flatten() {
        let old = start.runs(0);
        let operations = operations_of(&mut start, trial);
        for (operation, (kind, _)) in operations.iter().enumerate() {
            for &torn in ways(*kind) {
                let mut board = start.copy();
                board.flash().cut_at(operation, torn);
                let _ = trial(&mut board);
                board.flash().power_on();
                let again = random.usize(..operations.len());
                let torn_again = [ways(Kind::Erase), ways(Kind::Program)].concat()[random.usize(..17)];
                board.flash().cut_at(again, torn_again);
                board.reset();
                let _ = trial(&mut board);
                second += usize::from(board.flash().is_off());
                board.power_cycle();
                let at = format!("{name}: power goes in {operation}, {torn:?}, then in {again}, {torn_again:?}");
                check(&mut board, &at, start.runs(1), &[old, Some(40)], &[old]);
                cuts += 1;
            }
        }
    }
    println!("power goes twice: {second} of {cuts} a second time");
    assert!(second * 2 > cuts);
}

/// Boards on which the next [`trial`] erases a sector of the journal.
fn turns(sectors: usize, count: usize) -> Vec<(Board, String)> {
    let mut board = board(sectors);
    let mut turns = Vec::new();
    for round in 0..100 {
        replace_by(&mut board, [20, 21][round % 2], SMALL).expect("updated");
        let is_turn = |&(kind, at): &(Kind, usize)| kind == Kind::Erase && at >= 4 * SLOT;
        if turns.len() < count && operations_of(&mut board, trial).iter().any(is_turn) {
            turns.push((board.copy(), format!("journal of {sectors} sectors, update {round}, which erases one")));
        }
    }
    assert_eq!(turns.len(), count);
    turns
}

/// Upload of a small image, test, reset, reset.
fn trial(board: &mut Board) -> Result<(), Error> {
    let image = image(40, SMALL);
    board.upload(0, &image, 700)?;
    board.set(40, &image, false)?;
    board.reset();
    board.reset();
    Ok(())
}
