//! `hil update` as a user meets it, against a board that a test plays: what is asked of the board, what the user reads, and
//! that every bad input ends in one clear message.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

#[path = "common/outcome.rs"]
mod outcome;
#[path = "common/smp_board.rs"]
mod smp_board;
use outcome::Outcome;
use smp_board::{Script, SmpBoard};

const OLD: u8 = 0x11;
const NEW: u8 = 0xAB;

/// The smallest image that a client can read, with a payload of a kilobyte.
fn image() -> Vec<u8> {
    let mut image = 0x96f3_b83d_u32.to_le_bytes().to_vec();
    image.extend([0, 0, 0, 0, 32, 0, 0, 0]);
    image.extend(1024_u32.to_le_bytes());
    image.resize(32 + 1024, 0);
    image.extend([0x07, 0x69, 40, 0, 0x10, 0, 32, 0]);
    image.extend([NEW; 32]);
    image
}

const WITHOUT_SERIAL: &str = r#"
name = "silent"
[probe]
selector = "1d50:6018"
chip = "RP235x"
protocol = "swd"
reset = "pin"
[analyser]
driver = "none"
samplerate_hz = 1_000_000
[analyser.channels]
D0 = "GPIO25"
"#;

struct Room {
    folder: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        let room = Self { folder: tempfile::tempdir().unwrap() };
        room.write("artefacts/guests/blinky-rust/guest.img", &image());
        room
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        fs::write(self.at(name), content).unwrap();
    }

    fn update(&self, port: Option<&str>, arguments: &[&str]) -> Outcome {
        let mut hil = Command::new(env!("CARGO_BIN_EXE_hil"));
        hil.current_dir(self.folder.path()).arg("update").args(arguments);
        if let Some(port) = port {
            hil.args(["--port", port]);
        }
        let output = hil.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        Outcome { code: output.status.code(), text: String::from_utf8_lossy(&text).into_owned() }
    }

    fn install(&self, board: &SmpBoard, arguments: &[&str]) -> Outcome {
        let all = [&["install", "blinky-rust", "--artefacts", "artefacts", "--trial", "500ms"], arguments].concat();
        self.update(Some(&board.port), &all)
    }
}

fn hash(byte: u8) -> String {
    format!("{byte:02x}").repeat(32)
}

#[test]
fn an_install_goes_all_the_way_and_a_second_one_has_nothing_to_do() {
    let (room, board) = (Room::new(), SmpBoard::start(Script::default()));
    room.install(&board, &["--baud", "1000000"]).is(
        0,
        &[
            "blinky-rust: uploaded, 1096 bytes",
            "of what a line of 1000000 baud can carry",
            "marked for its trial, board reset",
            "board: update: guest 0: heard",
            "blinky-rust: confirmed",
            "active, confirmed",
            &hash(NEW),
            &hash(OLD),
        ],
    );
    assert_eq!(board.state().baud, 1_000_000);
    board.state().log.clear();
    room.install(&board, &[]).is(0, &["runs already, and is confirmed"]);
    assert!(!board.state().log.iter().any(|line| line.starts_with("1/1")), "{:?}", board.state().log);
}

#[test]
fn without_confirmation_it_stays_on_trial_until_somebody_confirms() {
    let (room, board) = (Room::new(), SmpBoard::start(Script::default()));
    room.install(&board, &["--no-confirm"])
        .is(0, &["is on trial; confirm it with `hil update confirm`", "active, on trial"]);
    board.state().log.clear();
    // The next try only has to watch it.
    room.install(&board, &["--no-confirm"]).is(0, &["is on trial already"]);
    assert!(!board.state().log.iter().any(|line| line.starts_with("0/5")), "{:?}", board.state().log);
    room.update(Some(&board.port), &["confirm"]).is(0, &["active, confirmed"]);
}

#[test]
fn an_image_that_is_in_a_slot_already_is_not_sent_again() {
    let (room, board) = (Room::new(), SmpBoard::start(Script::default()));
    board.state().slots[1] = Some(vec![NEW; 32]);
    room.install(&board, &[]).is(0, &["blinky-rust: confirmed"]);
    assert!(!board.state().log.iter().any(|line| line.starts_with("1/1")), "{:?}", board.state().log);
}

#[test]
fn a_guest_that_fails_on_trial_is_exit_code_1() {
    let room = Room::new();
    for looks in [0, 2] {
        let board = SmpBoard::start(Script { fails_after: Some(looks), ..Script::default() });
        room.install(&board, &[]).is(1, &["FAILED: it does not run", &hash(OLD)]);
    }
}

#[test]
fn a_guest_that_traps_is_not_confirmed() {
    let room = Room::new();
    // The board gives it up in the end.
    let board = SmpBoard::start(Script { traps: 1, fails_after: Some(5), ..Script::default() });
    room.install(&board, &[]).is(1, &["FAILED: it does not run", &hash(OLD)]);
    let board = SmpBoard::start(Script { traps: 1, ..Script::default() });
    room.install(&board, &[]).is(1, &["FAILED: it trapped, so it is not confirmed", "active, on trial"]);
    let board = SmpBoard::start(Script { state: Some(5), ..Script::default() });
    room.update(Some(&board.port), &["run", "blinky-rust", "--artefacts", "artefacts"])
        .is(1, &["FAILED: it does not run", &hash(OLD)]);
}

#[test]
fn an_upload_that_was_cut_off_goes_on_where_it_ended() {
    let room = Room::new();
    let board = SmpBoard::start(Script { hangs_up_at: Some(600), ..Script::default() });
    room.install(&board, &[]).is(2, &["uploading: the line to the board", "check the cable"]);
    board.state().log.clear();
    room.install(&board, &[]).is(0, &["blinky-rust: confirmed"]);
    let log = board.state().log.clone();
    let uploads: Vec<&String> = log.iter().filter(|line| line.starts_with("1/1")).collect();
    assert_eq!(uploads[0], "1/1 at 0");
    let next: u64 = uploads[1].rsplit(' ').next().unwrap().parse().unwrap();
    assert!(next >= 600, "{uploads:?}");
}

#[test]
fn what_the_board_refuses_is_said_with_its_reason_and_the_step() {
    let room = Room::new();
    for (group, command, doing) in [
        (1, 1, "uploading: the board refuses: not signed by a key of this board (MGMT_ERR_EACCESSDENIED)"),
        (1, 0, "marking the image for its trial: the board refuses: not signed"),
        (0, 5, "resetting the board: the board refuses: not signed"),
        (3, 0, "setting the rate of the line: the board refuses: not signed"),
    ] {
        let refuse = Some((group, command, 11, "not signed by a key of this board"));
        let board = SmpBoard::start(Script { refuse, ..Script::default() });
        room.install(&board, if group == 3 { &["--baud", "9600"] } else { &[] }).is(2, &[doing, "`hil update list`"]);
    }
}

#[test]
fn every_verb_does_what_it_says() {
    let (room, board) = (Room::new(), SmpBoard::start(Script::default()));
    let update = |arguments: &[&str]| room.update(Some(&board.port), arguments);
    update(&["list"]).is(0, &["active, confirmed", "1.2.3", &hash(OLD)]);
    update(&["echo", "are you there"]).is(0, &["are you there"]);
    update(&["vitals"]).is(0, &["guest0", "guest1", "traps", "state"]);
    update(&["run", "blinky-rust", "--artefacts", "artefacts"]).is(0, &["blinky-rust: uploaded", &hash(OLD)]);
    board.state().slots[1] = Some(vec![NEW; 32]);
    update(&["test", "abab"]).is(0, &["pending", "`hil update reset`"]);
    update(&["reset"]).is(0, &["active, on trial"]);
    update(&["confirm", &hash(NEW)]).is(0, &["active, confirmed"]);
    update(&["erase"]).is(0, &[&hash(NEW)]);
    assert_eq!(board.state().slots[0], None);
    update(&["baud", "1000000"]).is(0, &["at 1000000 baud", "60 s without a request"]);
    assert_eq!(board.state().baud, 1_000_000);
    update(&["list", "--baud", "230400"]).is(0, &[&hash(NEW)]);
    assert_eq!(board.state().baud, 115_200, "set back");
    update(&["test", "cafe"]).is(2, &["no image's hash begins with \"cafe\"", &hash(NEW)]);
    update(&["test", ""]).is(2, &["no image's hash begins"]);
}

#[test]
fn files_that_are_no_images_are_refused_before_the_board_is_asked() {
    let (room, board) = (Room::new(), SmpBoard::start(Script::default()));
    let install = |guest: &str| room.update(Some(&board.port), &["install", guest, "--artefacts", "artefacts"]);
    install("missing.img").is(2, &["missing.img", "check the path"]);
    install("blinky-cobol").is(2, &["no guest `blinky-cobol`", "blinky-rust"]);
    room.write("text.img", b"GIF89a, and so on");
    install("text.img").is(2, &["text.img: this is no guest image", "`./x build`"]);
    room.write("empty.img", b"");
    install("empty.img").is(2, &["empty.img: the image ends too early"]);
    room.write("short.img", &image()[..500]);
    install("short.img").is(2, &["short.img: the image ends too early"]);
    let mut unsigned = image();
    let tlv = unsigned.len() - 36;
    unsigned[tlv] = 0x77;
    room.write("unsigned.img", &unsigned);
    install("unsigned.img").is(2, &["unsigned.img: the image has no hash"]);
    room.update(Some(&board.port), &["install", "blinky-rust"])
        .is(2, &["no artefacts in target/artefacts", "./x build"]);
    assert!(board.state().log.is_empty(), "{:?}", board.state().log);
}

#[test]
fn ports_that_are_not_there_dead_or_silent_say_what_to_check() {
    let room = Room::new();
    room.update(None, &["list"]).is(2, &["bench `virtual` starts a board of its own", "--port"]);
    room.write("bench.toml", WITHOUT_SERIAL.as_bytes());
    room.update(None, &["list", "--bench", "bench.toml"]).is(2, &["bench `silent` has no [serial]", "--port"]);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    room.update(Some(&format!("tcp:{address}")), &["list"]).is(2, &[&format!("nobody answers at {address}")]);
    room.update(Some("/dev/no-such-port"), &["list"]).is(2, &["/dev/no-such-port", "group dialout"]);

    let board = SmpBoard::start(Script { silent: true, ..Script::default() });
    let since = Instant::now();
    room.update(Some(&board.port), &["list"]).is(
        2,
        &["looking for the board: nobody answers", &board.port, "UART0 at 115200 baud", "no other program", "60 s"],
    );
    assert!(since.elapsed() < Duration::from_secs(10));
    room.update(Some(&board.port), &["install", "x", "--from", "y"]).is(2, &["--from", "--port"]);
}
