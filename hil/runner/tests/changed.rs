//! `hil run --changed` on the virtual bench: what has passed is not judged again, until something changes that its verdict
//! depends on.

use std::{
    fs,
    path::Path,
    process::Output,
    time::{Duration, SystemTime},
};

use serde_json::Value;
use tempfile::TempDir;

#[path = "common/bench.rs"]
mod bench;
use bench::{built, hil, report, text};

/// Artefacts of which a test may change some, and where reports go.
struct Room(TempDir);

impl Room {
    fn new() -> Self {
        let room = Self(TempDir::new().expect("a temporary folder"));
        copy(&built("firmware"), &room.0.path().join("artefacts/firmware"));
        for guest in ["blinky-c", "blinky-zig"] {
            copy(&built("guests").join(guest), &room.0.path().join("artefacts/guests").join(guest));
        }
        room.test("3100ms");
        room
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// A blinky test that captures for so long.
    fn test(&self, capture: &str) {
        let test = format!(
            "[[test]]\nprogram = \"blinky\"\npin = \"GPIO25\"\nperiod = \"1000ms\"\nduty = 0.5\ntolerance = \"100us\"\n\
             duty_tolerance = 0.001\ncapture = \"{capture}\"\n"
        );
        fs::write(self.at("test.toml"), test).expect("a test file");
    }

    fn run(&self, args: &[&str]) -> Output {
        let test = self.at("test.toml").display().to_string();
        hil(&self.at("artefacts"), &self.at("out"), &[&["--tests", &test], args].concat())
    }

    /// What was said of each guest, if the run ended as it should.
    #[track_caller]
    fn changed(&self, passed: bool, expected: &[&str]) {
        let output = self.run(&["--changed"]);
        let told = text(&output);
        assert_eq!(output.status.code(), Some(i32::from(!passed)), "{told}");
        for part in expected {
            assert!(told.contains(part), "{part:?} is not in:\n{told}");
        }
        // Every guest is in the report, whether it was judged or not.
        let report = report(&self.at("out"));
        let guests = report["guests"].as_array().expect("a list");
        assert_eq!(guests.iter().map(|guest| &guest["name"]).collect::<Vec<_>>(), ["blinky-c", "blinky-zig"]);
        for guest in guests {
            let name = guest["name"].as_str().expect("a name");
            let taken = told.contains(&format!("{name}: passed in an earlier run"));
            assert_eq!(guest["stored"] == Value::Bool(true), taken, "{guest}");
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

const BOTH_TAKEN: &[&str] = &[
    "blinky-c: passed in an earlier run; nothing its verdict depends on has changed",
    "blinky-zig: passed in an earlier run",
    "0 of 2 guests are judged",
];

#[test]
fn only_what_has_changed_is_judged_again() {
    let room = Room::new();
    let out = room.run(&[]);
    assert!(out.status.success() && !text(&out).contains("earlier run"), "{}", text(&out));
    let first = report(&room.at("out"));
    room.changed(true, BOTH_TAKEN);
    let mut again = report(&room.at("out"));
    for guest in again["guests"].as_array_mut().expect("a list") {
        guest.as_object_mut().expect("an object").remove("stored");
    }
    again["generated"] = first["generated"].clone();
    assert_eq!(again, first, "the figures are those of the run that judged");

    // Without the option all are judged.
    let file = fs::File::options().write(true).open(room.at("out/blinky-c.vcd")).expect("a capture");
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    file.set_modified(yesterday).expect("a time");
    assert!(room.run(&[]).status.success());
    assert!(room.at("out/blinky-c.vcd").metadata().unwrap().modified().unwrap() > yesterday, "it was captured again");

    fs::remove_file(room.at("out/blinky-zig.vcd")).expect("a capture");
    room.changed(true, &["1 of 2 guests are judged", "blinky-zig: to be judged: its capture is no longer there"]);

    // Another guest's image, which does something else.
    let image = room.at("artefacts/guests/blinky-c/guest.img");
    let sound = fs::read(&image).expect("an image");
    fs::copy(built("guests").join("servo-c/guest.img"), &image).expect("a copy");
    room.changed(false, &["1 of 2 guests are judged", "blinky-c: to be judged: its image changed", "FAILED"]);
    // What failed is judged again, whatever has changed.
    room.changed(false, &["blinky-c: to be judged: it has not passed before", "FAILED"]);
    fs::write(&image, sound).expect("an image");
    room.changed(true, &["1 of 2 guests are judged"]);
    room.changed(true, BOTH_TAKEN);

    room.test("3200ms");
    room.changed(true, &["2 of 2 guests are judged", "blinky-zig: to be judged: its test changed"]);
    let elf = room.at("artefacts/firmware/sandhill.elf");
    let firmware = fs::read(&elf).expect("firmware");
    fs::write(&elf, [&firmware[..], b"\0"].concat()).expect("firmware");
    room.changed(true, &["2 of 2 guests are judged", "blinky-c: to be judged: the firmware changed"]);
}
