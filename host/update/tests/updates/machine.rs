//! What a user asks of updates and what comes of it, with power on.

use sandhill_update::smp::{Images, Rc, Refusal};
use sandhill_update::{Error, Note, Slot, Why, key_hash};
use sha2::{Digest, Sha256};

use crate::board::{Board, SLOT, image};
use crate::nor::SECTOR;
use crate::support::{draft, key, sealed};

const BYTES: usize = 9000;

/// What SMP's list says: guest, slot, then its flags.
fn list(board: &Board) -> Vec<String> {
    let mut entries = Vec::new();
    board.list(&mut |entry| {
        let flags = [
            (entry.bootable, "bootable"),
            (entry.pending, "pending"),
            (entry.confirmed, "confirmed"),
            (entry.active, "active"),
            (entry.permanent, "permanent"),
        ];
        let flags: Vec<_> = flags.into_iter().filter(|flag| flag.0).map(|flag| flag.1).collect();
        entries.push(format!("{}/{} {}: {}", entry.guest, entry.slot, entry.version, flags.join(" ")));
    });
    entries
}

fn confirmed(id: u8) -> Board {
    let mut board = Board::new(SLOT, 4);
    board.upload(0, &image(id, BYTES), 512).expect("uploaded");
    board.set(id, &image(id, BYTES), true).expect("confirmed");
    board.reset();
    assert_eq!(board.runs(0), Some(id));
    board
}

#[test]
fn an_upload_is_tried_and_confirmed() {
    let mut board = Board::new(SLOT, 4);
    assert_eq!(board.boots[0].refused, Some(Error::Empty));
    assert_eq!(list(&board), [""; 0]);
    assert_eq!(board.upload(0, &image(20, BYTES), 100), Ok(Slot::A));
    assert_eq!(list(&board), ["0/0 0.2.0: bootable"]);
    board.reset();
    assert_eq!((board.runs(0), board.boots[0].refused), (None, Some(Error::Untested)));

    board.set(20, &image(20, BYTES), false).expect("it is there");
    assert_eq!(list(&board), ["0/0 0.2.0: bootable pending"]);
    board.reset();
    assert_eq!((board.runs(0), board.boots[0].trial), (Some(20), true));
    assert_eq!(board.boots[0].note, Some(Note::OnTrial(Slot::A)));
    assert_eq!(list(&board), ["0/0 0.2.0: bootable active"]);
    assert_eq!(board.upload(0, &image(30, BYTES), 100), Err(Error::NoFreeSlot));
    board.confirm().expect("on trial");
    assert_eq!(list(&board), ["0/0 0.2.0: bootable confirmed active"]);
    board.reset();
    assert_eq!((board.runs(0), board.boots[0].trial, board.boots[0].note), (Some(20), false, None));

    assert_eq!(board.upload(0, &image(30, BYTES), 8192), Ok(Slot::B));
    board.set(30, &image(30, BYTES), true).expect("it is there");
    assert_eq!(list(&board), ["0/0 0.2.0: bootable confirmed active", "0/1 0.2.0: bootable pending permanent"]);
    board.reset();
    assert_eq!((board.runs(0), board.boots[0].note), (Some(30), Some(Note::Confirmed(Slot::B))));
    assert_eq!(list(&board), ["0/0 0.2.0: ", "0/1 0.2.0: bootable confirmed active"], "the old one is too old now");
}

#[test]
fn without_a_confirmation_it_goes_back() {
    let mut board = confirmed(20);
    board.upload(0, &image(30, BYTES), 512).expect("uploaded");
    board.set(30, &image(30, BYTES), false).expect("pending");
    board.reset();
    assert_eq!(board.runs(0), Some(30));
    board.reset();
    assert_eq!(board.runs(0), Some(20));
    let note = board.boots[0].note.expect("something happened");
    assert_eq!(note, Note::Reverted(Some(Slot::A), Why::Unconfirmed));
    assert_eq!(note.to_string(), "reverted to slot A: there was a reset before a confirmation");
    board.reset();
    assert_eq!((board.runs(0), board.boots[0].note), (Some(20), None));
    // The floor has not risen: what was tried once may be tried again, and so may one in between.
    assert_eq!(board.upload(0, &image(25, BYTES), 512), Ok(Slot::B));
}

#[test]
fn an_image_that_fails_on_trial_is_left_at_once() {
    let mut board = confirmed(20);
    assert_eq!(board.trial_failed(0), None, "a confirmed image is kept, whatever it does");
    board.upload(0, &image(30, BYTES), 512).expect("uploaded");
    board.set(30, &image(30, BYTES), false).expect("pending");
    board.reset();
    let boot = board.trial_failed(0).expect("it was on trial");
    assert_eq!((boot.run, boot.note), (Some(Slot::A), Some(Note::Reverted(Some(Slot::A), Why::Failed))));
    assert_eq!(board.runs(0), Some(20));
    board.reset();
    assert_eq!((board.runs(0), board.boots[0].note), (Some(20), None));
}

#[test]
fn guests_are_updated_by_themselves() {
    let mut board = confirmed(20);
    let other = image(30, 2000);
    assert_eq!(board.upload(1, &other, 512), Ok(Slot::A));
    board.set(30, &other, false).expect("pending");
    board.reset();
    assert_eq!((board.runs(0), board.runs(1)), (Some(20), Some(30)));
    let mut changed = Vec::new();
    board.set_state(None, true, &mut |guest, slot| changed.push((guest, slot))).expect("confirmed");
    assert_eq!(changed, [(0, 0), (1, 0)]);
    board.reset();
    assert_eq!((board.runs(0), board.runs(1)), (Some(20), Some(30)));
    // Guest 1's counter is not guest 0's business.
    assert_eq!(board.upload(0, &image(21, BYTES), 512), Ok(Slot::B));
}

/// The same image in both guests: what can be changed is meant, and of these what is on trial.
#[test]
fn a_hash_that_is_in_two_places() {
    let mut board = confirmed(20);
    let same = image(20, BYTES);
    board.upload(1, &same, 512).expect("uploaded");
    board.set(20, &same, false).expect("pending");
    board.reset();
    assert!(board.on_trial(1) && !board.on_trial(0));
    board.set(20, &same, true).expect("confirmed");
    board.reset();
    assert_eq!((board.runs(0), board.runs(1), board.boots[1].note), (Some(20), Some(20), None));
}

#[test]
fn what_a_probe_flashes_takes_over() {
    let mut board = confirmed(20);
    board.upload(0, &image(30, BYTES), 512).expect("uploaded");
    board.set(30, &image(30, BYTES), true).expect("confirmed");
    board.reset();
    board.flash_directly(0, Slot::A, &image(31, BYTES));
    board.reset();
    assert_eq!((board.runs(0), board.boots[0].note), (Some(31), Some(Note::TookOver(Slot::A))));
    board.reset();
    assert_eq!((board.runs(0), board.boots[0].note), (Some(31), None), "once");
    // A pending trial of the other slot ends with it.
    board.set(30, &image(30, BYTES), false).expect("pending");
    board.flash_directly(0, Slot::A, &image(32, BYTES));
    board.reset();
    assert_eq!(board.runs(0), Some(32));
    board.reset();
    assert_eq!(board.runs(0), Some(32));
    // Neither a lower counter nor a stranger's key.
    board.flash_directly(0, Slot::B, &image(20, BYTES));
    board.reset();
    assert_eq!((board.runs(0), board.boots[0].refused), (Some(32), Some(Error::RolledBack { counter: 2, floor: 3 })));
    board.flash_directly(0, Slot::B, &sealed(draft(b"guest", 9).hashed(), &key(3)));
    board.reset();
    assert_eq!(board.runs(0), Some(32));
    assert!(matches!(board.boots[0].refused, Some(Error::UnknownKey { .. })), "{:?}", board.boots[0]);
}

/// The board of before: images that a probe has put there, and no journal.
#[test]
fn a_board_without_a_journal() {
    let mut board = Board::new(SLOT, 4);
    board.flash_directly(0, Slot::B, &image(20, BYTES));
    board.flash_directly(1, Slot::A, &image(21, BYTES));
    board.reset();
    assert_eq!((board.runs(0), board.runs(1)), (Some(20), Some(21)));
    board.flash_directly(0, Slot::A, &image(22, BYTES));
    board.flash_directly(0, Slot::B, &image(23, BYTES));
    for _ in 0..3 {
        board.reset();
        assert_eq!(board.runs(0), Some(22), "of two the one in A, and the other one never");
    }
    // An active image that was erased is not replaced by an older one.
    board.flash_directly(0, Slot::A, &[]);
    board.reset();
    assert_eq!((board.runs(0), board.boots[0].refused), (None, Some(Error::Empty)));
}

#[test]
fn a_journal_of_something_else_is_reported_and_begun_anew() {
    let mut board = confirmed(20);
    let journal = 4 * SLOT;
    for fill in [0x00, 0x5a] {
        board.flash().bytes[journal..].fill(fill);
        board.reset();
        assert_eq!(board.boots[0].journal, Some(Error::JournalUnreadable));
        assert_eq!((board.runs(0), board.boots[0].note), (Some(20), Some(Note::TookOver(Slot::A))));
        board.reset();
        assert_eq!((board.runs(0), board.boots[0].journal, board.boots[0].note), (Some(20), None, None), "{fill:x}");
    }
}

#[test]
fn what_is_no_update_is_refused_and_leaves_no_image() {
    let mut board = confirmed(20);
    let good = image(30, BYTES);
    let begin = |board: &mut Board, image: &[u8]| board.begin(0, image.len() as u32, &image[..32], false);
    let mut large = good.to_vec();
    large.resize(SLOT + 1, 0);
    assert_eq!(begin(&mut board, &large), Err(Error::TooLarge { needed: SLOT + 1, available: SLOT }));
    assert_eq!(begin(&mut board, &good[..BYTES]), Err(Error::Truncated { needed: good.len() - 140, available: BYTES }));
    assert!(matches!(begin(&mut board, &good[1..]), Err(Error::NotAnImage { .. })));
    assert_eq!(begin(&mut board, &[0xff; 4000]), Err(Error::Empty));
    assert_eq!(board.begin(0, 5000, &good[..31], false), Err(Error::Truncated { needed: 32, available: 31 }));
    let not_above = board.begin(0, good.len() as u32, &good[..32], true).expect_err("the same version");
    assert_eq!(not_above.to_string(), "not an upgrade: version 0.2.0 is not above 0.2.0, the one that is active");
    assert_eq!(Images::begin(&mut *board, 2, 5000, &good[..32], false), Err(Error::NoSuchGuest));
    assert_eq!(
        board.flash().operations.len(),
        {
            board.reset();
            board.flash().operations.len()
        },
        "nothing was written"
    );

    let stranger = sealed(draft(&[1; 5000], 9).hashed(), &key(3));
    let hash = key_hash(&key(3).verifying_key().to_bytes());
    assert_eq!(board.upload(0, &stranger, 512), Err(Error::UnknownKey { key: [hash[0], hash[1], hash[2], hash[3]] }));
    assert_eq!(board.upload(0, &image(10, BYTES), 512), Err(Error::RolledBack { counter: 1, floor: 2 }));
    let mut padded = good.to_vec();
    padded.resize(good.len() + 100, 0xff);
    let differs = Error::LengthDiffers { needed: good.len(), length: padded.len() };
    assert_eq!(board.upload(0, &padded, 512), Err(differs));
    let mut random = fastrand::Rng::with_seed(4);
    for _ in 0..30 {
        let mut damaged = good.to_vec();
        let bit = random.usize(32 * 8..good.len() * 8);
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = board.upload(0, &damaged, 1000).expect_err("damaged");
        assert!(matches!(error.rc(), Rc::Corrupt | Rc::Denied | Rc::Invalid), "bit {bit}: {error}");
        assert_eq!(list(&board), ["0/0 0.2.0: bootable confirmed active"], "bit {bit}");
    }
    board.begin(0, good.len() as u32, &good, false).expect("begun");
    board.data(0, &good).expect("arrived");
    assert_eq!(board.finish(Some(&[0; 32])), Err(Error::ShaDiffers));
    assert_eq!(board.finish(None), Err(Error::NoUpload));
    assert_eq!(list(&board), ["0/0 0.2.0: bootable confirmed active"]);
    board.reset();
    assert_eq!(board.runs(0), Some(20));
    assert_eq!(board.set(30, &good, false), Err(Error::NotFound));
}

#[test]
fn chunks_are_of_any_size_and_in_order() {
    let mut random = fastrand::Rng::with_seed(0xC4);
    let good = image(30, BYTES);
    let sha: [u8; 32] = Sha256::digest(&good).into();
    for _ in 0..40 {
        let mut board = Board::new(SLOT, 4);
        board.begin(0, good.len() as u32, &good[..32], false).expect("begun");
        let mut at = 0;
        while at < good.len() {
            let longest = [2, 300, 5000][random.usize(..3)];
            let end = good.len().min(at + random.usize(1..longest));
            for wrong in [at + 1, at.wrapping_sub(1)] {
                let expected = Error::OutOfOrder { expected: at as u32 };
                assert_eq!(board.data(wrong as u32, &good[at..end]), Err(expected));
            }
            assert_eq!(
                board.data(at as u32, &vec![0; good.len() - at + 1]),
                Err(Error::OutOfOrder { expected: at as u32 })
            );
            board.data(at as u32, &good[at..end]).expect("in order");
            at = end;
        }
        assert_eq!(board.finish(Some(&sha)), Ok((0, Slot::A)));
        assert_eq!(board.flash().bytes[..good.len()], good[..]);
    }
}

#[test]
fn an_upload_that_is_there_already_needs_no_write() {
    let mut board = confirmed(20);
    let good = image(30, BYTES);
    let sha: [u8; 32] = Sha256::digest(&good).into();
    let length = good.len() as u32;
    let there = |board: &Board, guest, length, sha: &[u8; 32]| Images::already_there(&**board, guest, length, sha);
    assert!(!there(&board, 0, length, &sha));
    board.upload(0, &good, 512).expect("uploaded");
    assert!(there(&board, 0, length, &sha));
    assert!(!there(&board, 1, length, &sha) && !there(&board, 2, length, &sha));
    assert!(!there(&board, 0, length - 1, &sha));
    assert!(!there(&board, 0, length, &[0; 32]));
}

#[test]
fn a_new_upload_ends_the_one_before() {
    let mut board = confirmed(20);
    let good = image(30, BYTES);
    board.begin(0, good.len() as u32, &good[..32], false).expect("begun");
    board.data(0, &good[..6000]).expect("arrived");
    assert_eq!(board.upload(0, &image(31, 1000), 512), Ok(Slot::B));
    assert_eq!(board.data(6000, &good[6000..]), Err(Error::NoUpload));
    board.begin(0, good.len() as u32, &good[..32], false).expect("begun");
    board.data(0, &good[..6000]).expect("arrived");
    Images::erase(&mut *board, 0).expect("free");
    assert_eq!(board.data(6000, &good[6000..]), Err(Error::NoUpload));
    assert!(board.flash().bytes[2 * SLOT..3 * SLOT].iter().all(|&byte| byte == 0xff));
}

#[test]
fn states_that_cannot_be_are_refused() {
    let mut board = confirmed(20);
    assert_eq!(board.set_state(None, false, &mut |_, _| {}), Err(Error::NotFound));
    assert_eq!(board.set_state(Some(&[0; 32]), true, &mut |_, _| {}), Err(Error::NotFound));
    assert_eq!(board.set_state(Some(&[0; 3]), true, &mut |_, _| {}), Err(Error::NotFound));
    board.set(20, &image(20, BYTES), false).expect("it runs already");
    board.set(20, &image(20, BYTES), true).expect("it is confirmed already");
    board.upload(0, &image(30, BYTES), 512).expect("uploaded");
    board.set(30, &image(30, BYTES), false).expect("pending");
    board.set(30, &image(30, BYTES), false).expect("pending already");
    assert_eq!(Images::erase(&mut *board, 0), Err(Error::NoFreeSlot));
    assert_eq!(board.set(20, &image(20, BYTES), false), Err(Error::OnTrial));
    board.set(30, &image(30, BYTES), true).expect("for good, rather");
    board.reset();
    assert_eq!((board.runs(0), board.boots[0].trial), (Some(30), false));
    let mut empty = Board::new(SLOT, 4);
    assert_eq!(empty.confirm(), Err(Error::NothingRuns));
}

/// A pending image that has rotted meanwhile.
#[test]
fn a_pending_image_that_is_damaged_is_not_run() {
    for for_good in [false, true] {
        let mut board = confirmed(20);
        board.upload(0, &image(30, BYTES), 512).expect("uploaded");
        board.set(30, &image(30, BYTES), for_good).expect("pending");
        board.flash().bytes[2 * SLOT + SECTOR] ^= 1;
        board.reset();
        assert_eq!((board.runs(0), board.boots[0].refused), (Some(20), Some(Error::HashMismatch)));
        assert_eq!(board.boots[0].note, Some(Note::Reverted(Some(Slot::A), Why::Refused)));
        board.reset();
        assert_eq!((board.runs(0), board.boots[0].note), (Some(20), None));
    }
}

#[test]
fn an_image_in_ram_is_verified_like_one_in_flash() {
    let board = confirmed(20);
    let good = image(30, BYTES);
    let sha: [u8; 32] = Sha256::digest(&good).into();
    assert_eq!(board.verify_in_ram(&good, Some(&sha)), Ok("guest"));
    assert_eq!(board.verify_in_ram(&good, None), Ok("guest"));
    assert_eq!(board.verify_in_ram(&good, Some(&[0; 32])), Err(Error::ShaDiffers));
    assert_eq!(board.verify_in_ram(&image(10, BYTES), None), Err(Error::RolledBack { counter: 1, floor: 2 }));
    let mut long = good.to_vec();
    long.push(0);
    assert!(matches!(board.verify_in_ram(&long, None), Err(Error::LengthDiffers { .. })));
    long[300] ^= 1;
    assert_eq!(board.verify_in_ram(&long, None), Err(Error::HashMismatch));
}

/// Any sequence of requests and resets: what runs is always an image that was uploaded, and a confirmed one is never lost.
#[test]
fn random_requests_leave_a_guest_that_runs() {
    let mut random = fastrand::Rng::with_seed(0x5EED);
    let mut board = confirmed(20);
    for step in 0..600 {
        let id = random.u8(20..24);
        let image = image(id, 1000);
        match random.u8(..7) {
            0 | 1 => drop(board.upload(0, &image, random.usize(32..600))),
            2 => drop(board.set(id, &image, random.bool())),
            3 => drop(board.confirm()),
            4 => drop(Images::erase(&mut *board, 0)),
            5 => drop(board.trial_failed(0)),
            _ => board.reset(),
        }
        let runs = board.runs(0).expect("something always runs");
        assert!((20..24).contains(&runs), "step {step}: {runs}");
    }
}
