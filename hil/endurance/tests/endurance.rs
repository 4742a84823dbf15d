//! What the field asks of a board, on the chip model with the firmware that is flashed; what it needs, `./x test` builds.
//! The whole day of updates is `./x endurance soak`; here is its first hour.

use std::path::Path;
use std::time::Duration;

use endurance::{Artefacts, Board, Flow, Outcome, count, cuts, lifetime_years, soak, speed, update};

fn artefacts() -> Artefacts {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/artefacts"));
    Artefacts::load(folder).unwrap_or_else(|error| panic!("{error}"))
}

/// How many cuts had which outcome, each having been judged.
fn cut(flow: Flow) -> [usize; 3] {
    let cuts = cuts(&artefacts(), flow).unwrap_or_else(|error| panic!("{}: {error}", flow.name()));
    let counts = count(&cuts);
    println!("{}: {} cut points: {counts:?}", flow.name(), cuts.len());
    [Outcome::None, Outcome::Old, Outcome::New].map(|outcome| counts.get(&outcome).copied().unwrap_or(0))
}

#[test]
fn power_goes_in_every_write_of_an_installation() {
    let [none, old, new] = cut(Flow::Install);
    assert!(none > 50 && old == 0 && new > 0, "{none}, {old}, {new}");
}

#[test]
fn power_goes_in_every_write_of_a_test() {
    let [none, old, new] = cut(Flow::Test);
    assert!(none == 0 && old > 50 && new > 0, "{none}, {old}, {new}");
}

#[test]
fn power_goes_in_every_write_of_a_confirmation() {
    let [none, old, new] = cut(Flow::Confirm);
    assert!(none == 0 && old > 0 && new > 0, "{none}, {old}, {new}");
}

/// Once it is not confirmed, the trial is over whenever power goes.
#[test]
fn power_goes_in_every_write_of_a_revert() {
    let [none, old, new] = cut(Flow::Revert);
    assert!(none == 0 && old > 0 && new == 0, "{none}, {old}, {new}");
}

#[test]
fn power_goes_in_every_write_of_a_trap_loop() {
    let [none, old, new] = cut(Flow::TrapLoop);
    assert!(none == 0 && old > 50 && new > 0, "{none}, {old}, {new}");
}

/// A trial that is not confirmed ends with whatever resets the board.
#[test]
fn any_reset_ends_a_trial() {
    /// WATCHDOG_CTRL with its TRIGGER bit, by the alias that sets bits (RP2350 datasheet, 12.9.7 and 2.1.3).
    const WATCHDOG_CTRL_SET: u32 = 0x400d_8000 + 0x2000;
    const TRIGGER: u32 = 1 << 31;
    /// Its name, and what is done to the board.
    type Reset = (&'static str, fn(&mut Board));
    let resets: [Reset; 3] = [
        ("RUN", |board| {
            board.chip.set_run(false);
            board.run(Duration::from_millis(1));
            board.chip.set_run(true);
        }),
        ("watchdog", |board| board.write(WATCHDOG_CTRL_SET, TRIGGER)),
        ("power", |board| board.chip.power_cycle()),
    ];
    let artefacts = artefacts();
    let image = |guest| artefacts.image(guest).unwrap_or_else(|error| panic!("{error}"));
    let (old, new) = (image("guests/blinky-c"), image("guests/blinky-zig"));
    for (what, reset) in resets {
        let shared = artefacts.board(Some(&old)).unwrap_or_else(|error| panic!("{error}"));
        let client = shared.client().unwrap_or_else(|error| panic!("{error}"));
        update(&shared, &client, &new, false).unwrap_or_else(|error| panic!("{what}: {error}"));
        let mut board = shared.board();
        assert!(board.console.iter().any(|line| line.contains("blinky-zig: running")), "{what}: {:?}", board.console);
        board.clear_console();
        reset(&mut board);
        let line =
            board.wait_for(&["slot 0: "], Duration::from_secs(1)).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(line.contains("blinky-c: running"), "{what}: {line}");
        let why = "update: guest 0: reverted to slot A: there was a reset before a confirmation";
        assert!(board.console.iter().any(|line| line == why), "{what}: {:?}", board.console);
        let bites = board.vital("watchdog_resets").unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(bites, u32::from(what == "watchdog"), "{what}");
    }
}

#[test]
fn updates_leave_no_more_than_they_have_to() {
    let soak = soak(&artefacts(), 42, Duration::from_secs(3600), &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
    soak.check().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((soak.updates, soak.image_sectors), (42, 1));
    // Each update but the first into slot B, which was blank, erased the one sector of its image.
    assert!((40..=42).contains(&soak.slots.erases), "{:?}", soak.slots);
    assert!(soak.slots.erases_most <= 21 && soak.journal.erases <= 5, "{soak:?}");
    let years = lifetime_years(soak.cycles_an_update(), 24.0);
    assert!((20.0..30.0).contains(&years), "{years}");
}

#[test]
fn an_image_is_verified_and_uploaded_in_time() {
    let speed = speed(&artefacts()).unwrap_or_else(|error| panic!("{error}"));
    speed.check().unwrap_or_else(|error| panic!("{error}"));
    for upload in &speed.uploads {
        assert!(upload.edge_off_us < 5.0, "a blinky is on schedule while {upload:?}");
        assert!(upload.longest_stop_us < 160_000, "{upload:?}");
    }
}
