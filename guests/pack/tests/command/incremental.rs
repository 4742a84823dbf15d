//! `guest-pack build` runs what has to run, and nothing else: seen in what `--explain` says and in the files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::support::{copy_of_sources, guest_pack, refuses, succeeds};

/// In C, because Zig and Cargo take long in a folder that is new to them.
const GUESTS: [&str; 3] = ["blinky-c", "echo-c", "servo-c"];
/// clang and make are asked for their versions.
const NOTHING: &str = "0 of 6 steps run, 2 processes started, 0 files written";

/// A repository with three guests that are built.
struct Room {
    folder: TempDir,
}

impl Room {
    fn built() -> Self {
        let room = Self { folder: TempDir::new().unwrap() };
        copy_of_sources(room.folder.path());
        let built = room.explain(&[]);
        assert!(built.contains(&("blinky-c".into(), "compile".into(), "built: not built before".into())), "{built:?}");
        assert_eq!(room.changes(), [""; 0], "at once again there is nothing to do");
        room
    }

    fn at(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn artefact(&self, file: &str) -> PathBuf {
        self.at("target/artefacts/guests").join(file)
    }

    fn build(&self) -> Command {
        let mut command = guest_pack();
        command.arg("build").args(GUESTS).arg("--root").arg(self.folder.path());
        command
    }

    /// Guest, step and verdict of each line.
    fn explain(&self, arguments: &[&str]) -> Vec<(String, String, String)> {
        let told = succeeds(self.build().arg("--explain").args(arguments));
        let line = |line: &str| {
            let (guest, rest) = line.split_once(' ')?;
            let (step, verdict) = rest.trim_start().split_once(' ')?;
            GUESTS.contains(&guest).then(|| (guest.into(), step.into(), verdict.trim().into()))
        };
        let lines: Vec<_> = told.lines().filter_map(line).collect();
        assert_eq!(lines.len(), 2 * GUESTS.len(), "a line a step: {told}");
        let run = lines.iter().filter(|(_, _, verdict)| verdict != "up to date").count();
        let last = told.lines().last().unwrap();
        assert!(last.starts_with(&format!("{run} of 6 steps run, ")), "{told}");
        assert!(run > 0 || last == NOTHING, "{told}");
        lines
    }

    /// Builds; what ran, and why.
    fn changes(&self) -> Vec<String> {
        self.changes_with(&[])
    }

    fn changes_with(&self, arguments: &[&str]) -> Vec<String> {
        let ran = self.explain(arguments).into_iter().filter(|(_, _, verdict)| verdict != "up to date");
        ran.map(|(guest, step, verdict)| format!("{guest} {step} {verdict}")).collect()
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.at(file)).unwrap();
        assert!(text.contains(from), "{from} is not in {file}");
        fs::write(self.at(file), text.replace(from, to)).unwrap();
    }

    /// Every file of the artefacts and when it was written.
    fn times(&self) -> Vec<(PathBuf, SystemTime)> {
        let mut times = Vec::new();
        for guest in GUESTS {
            for entry in fs::read_dir(self.artefact(guest)).unwrap() {
                let path = entry.unwrap().path();
                times.push((path.clone(), path.metadata().unwrap().modified().unwrap()));
            }
        }
        times.sort();
        times
    }

    /// The artefacts, by folder and file, that a build wrote.
    fn written(&self, before: &[(PathBuf, SystemTime)]) -> Vec<String> {
        let new = self.times().into_iter().filter(|file| !before.contains(file));
        new.map(|(path, _)| path.strip_prefix(self.artefact("")).unwrap().display().to_string()).collect()
    }
}

#[test]
fn a_changed_c_guest_is_all_that_is_built() {
    let room = Room::built();
    let before = room.times();
    room.edit("guests/blinky/c/blinky.c", "500", "400");
    let changes = room.changes();
    assert_eq!(
        changes,
        ["blinky-c compile built: guests/blinky/c/blinky.c changed", "blinky-c pack built: the module changed",]
    );
    let written = room.written(&before);
    assert!(written.iter().all(|file| file.starts_with("blinky-c/")) && written.len() == 5, "{written:?}");

    // A comment changes no byte of the module, so there is nothing to pack.
    room.edit("guests/blinky/c/blinky.c", "400", "400 /* again */");
    assert_eq!(room.changes(), ["blinky-c compile built: guests/blinky/c/blinky.c changed"]);
    // New, renamed and lost files count, too.
    fs::write(room.at("guests/servo/c/more.h"), "").unwrap();
    assert_eq!(room.changes(), ["servo-c compile built: guests/servo/c/more.h is new"]);
    fs::remove_file(room.at("guests/servo/c/more.h")).unwrap();
    assert_eq!(room.changes(), ["servo-c compile built: guests/servo/c/more.h is gone"]);
    // What a program's guests share is theirs alone, and another language's guest is none of them.
    fs::write(room.at("guests/blinky/common.h"), "").unwrap();
    fs::write(room.at("guests/echo/zig/src/more.zig"), "").unwrap();
    assert_eq!(room.changes(), ["blinky-c compile built: guests/blinky/common.h is new"]);
}

#[test]
fn content_decides_and_not_time() {
    let room = Room::built();
    let source = room.at("guests/blinky/c/blinky.c");
    let text = fs::read(&source).unwrap();
    let image = fs::read(room.artefact("blinky-c/guest.img")).unwrap();
    fs::write(&source, &text).unwrap();
    assert_eq!(room.changes(), [""; 0], "it was touched");
    room.edit("guests/blinky/c/blinky.c", "500", "400");
    room.changes();
    assert_ne!(fs::read(room.artefact("blinky-c/guest.img")).unwrap(), image);
    // The old file comes back, older than what was built of the new one.
    fs::write(&source, &text).unwrap();
    let file = fs::File::options().write(true).open(&source).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(86_400)).unwrap();
    assert_eq!(room.changes().len(), 2);
    assert_eq!(fs::read(room.artefact("blinky-c/guest.img")).unwrap(), image);
}

#[test]
fn the_contract_is_part_of_every_guest_and_a_platform_of_its_language() {
    let room = Room::built();
    room.edit("wit/platform.wit", "package ", "// Changed.\npackage ");
    let changes = room.changes();
    let of_contract = |guest| format!("{guest} compile built: wit/platform.wit changed");
    assert_eq!(changes, GUESTS.map(of_contract));
    let header = room.at("guests/platform/c/platform.h");
    fs::write(&header, [fs::read(&header).unwrap(), b"\n".to_vec()].concat()).unwrap();
    let changes = room.changes();
    let of_header = |guest| format!("{guest} compile built: guests/platform/c/platform.h changed");
    assert_eq!(changes, GUESTS.map(of_header));
    fs::write(room.at("guests/platform/zig/platform.zig"), "").unwrap();
    assert_eq!(room.changes(), [""; 0], "another language's");
}

#[test]
fn a_damaged_output_is_made_again() {
    let room = Room::built();
    for (file, damage, expected) in [
        ("guest.img", Some(&b"damaged"[..]), "guest.img is not what was written"),
        ("component.wasm", None, "component.wasm is missing"),
        ("manifest.json", Some(b"{}"), "manifest.json is not what was written"),
    ] {
        let path = room.artefact("servo-c").join(file);
        let content = fs::read(&path).unwrap();
        match damage {
            Some(damage) => fs::write(&path, damage).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        assert_eq!(room.changes(), [format!("servo-c pack built: {expected}")]);
        assert!(fs::read(&path).unwrap() == content, "{file}");
    }
    fs::write(room.at("target/guests/servo-c/servo.wasm"), "damaged").unwrap();
    assert_eq!(room.changes(), ["servo-c compile built: servo.wasm is not what was written"]);
    // A record that nobody can read is none.
    fs::write(room.at("target/guests/servo-c/record.json"), "{").unwrap();
    let changes = room.changes();
    assert_eq!(changes, ["compile", "pack"].map(|step| format!("servo-c {step} built: not built before")));
}

#[test]
fn another_key_or_policy_compiles_nothing() {
    let room = Room::built();
    let key = room.at("other.pem");
    succeeds(guest_pack().args(["key", "generate"]).arg(&key));
    let before = room.times();
    let changes = room.changes_with(&["--key", key.to_str().unwrap()]);
    assert_eq!(changes, GUESTS.map(|guest| format!("{guest} pack built: the signing key changed")));
    let written = room.written(&before);
    assert_eq!(written.len(), 6, "image and manifest of each guest: {written:?}");
    assert!(!written.iter().any(|file| file.ends_with("wasm")), "{written:?}");
    succeeds(guest_pack().arg("verify").arg(room.artefact("servo-c/guest.img")).arg("--key").arg(&key));
    assert_eq!(room.changes().len(), 3, "and back");

    room.edit("guests/servo/policy.toml", "\n", "\n# A comment.\n");
    assert_eq!(room.changes(), ["servo-c pack built: guests/servo/policy.toml changed"]);
}

#[test]
fn what_did_not_build_counts_for_nothing() {
    let room = Room::built();
    let file = "guests/blinky/c/blinky.c";
    let text = fs::read(room.at(file)).unwrap();
    let image = fs::read(room.artefact("blinky-c/guest.img")).unwrap();
    fs::write(room.at(file), "#error broken on purpose\n").unwrap();
    let message = refuses(&mut room.build());
    assert!(message.contains("building blinky-c: guests/blinky/c/blinky.c changed"), "{message}");
    refuses(&mut room.build());
    fs::write(room.at(file), text).unwrap();
    assert_eq!(room.changes(), ["blinky-c compile built: blinky.wasm is missing"]);
    assert!(fs::read(room.artefact("blinky-c/guest.img")).unwrap() == image);
}

#[test]
fn other_outputs_are_looked_at_for_themselves() {
    let room = Room::built();
    let other = room.at("elsewhere");
    let changes = room.changes_with(&["--out", other.to_str().unwrap()]);
    assert_eq!(changes.len(), 3, "each is packed: {changes:?}");
    let image = |folder: &Path| fs::read(folder.join("servo-c/guest.img")).unwrap();
    assert!(image(&other) == image(&room.artefact("")));
    assert_eq!(room.changes(), [""; 0], "and here there is still nothing to do");
}

#[test]
fn fixtures_are_packed_once() {
    let room = Room { folder: TempDir::new().unwrap() };
    copy_of_sources(room.folder.path());
    let explain =
        || succeeds(guest_pack().args(["build", "--fixtures", "--explain", "--root"]).arg(room.folder.path()));
    assert!(explain().starts_with("fixtures         pack     built: not built before\n1 of 1 steps run"));
    assert!(explain().starts_with("fixtures         pack     up to date\n0 of 1 steps run"));
    let spoilt = room.at("target/artefacts/fixtures/corrupt/guest.img");
    fs::write(&spoilt, "damaged").unwrap();
    assert!(explain().contains("built: corrupt/guest.img is not what was written"));
    assert_ne!(fs::read(&spoilt).unwrap(), b"damaged");
    let mine = room.at("target/artefacts/fixtures/mine");
    fs::create_dir(&mine).unwrap();
    fs::remove_file(room.at("guests/fixtures/trap.wat")).unwrap();
    assert!(explain().contains("built: guests/fixtures/trap.wat is gone"));
    assert!(!room.at("target/artefacts/fixtures/trap").exists(), "it is no fixture any more");
    assert!(mine.exists(), "what was not made here stays");
}
