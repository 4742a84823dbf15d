//! The whole way, through the user's door: the `hil` command on the virtual bench, with the firmware and the guests
//! that `./x test` has just built. Nothing is simulated beyond the board: probe-rs and sigrok-cli are the stock ones.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

#[path = "common/bench.rs"]
mod bench;
#[path = "common/desktop.rs"]
mod desktop;
use bench::{built, hil, report, root, text};

/// Artefacts with the firmware that was built and `guests` of our choice.
fn artefacts_with(guests: &Path) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    symlink(built("firmware"), folder.path().join("firmware")).expect("a link");
    symlink(guests, folder.path().join("guests")).expect("a link");
    folder
}

/// The blinky test, for one guest, with another length of capture and other options of the bench.
fn blinky_test(folder: &Path, guest: &str, capture: &str) -> String {
    let path = folder.join("test.toml");
    let test = format!(
        "[[test]]\nguest = \"{guest}\"\npin = \"GPIO25\"\nperiod = \"1000ms\"\nduty = 0.5\ntolerance = \"100us\"\n\
         duty_tolerance = 0.001\ncapture = \"{capture}\"\n"
    );
    fs::write(&path, test).expect("a test file");
    path.display().to_string()
}

/// Runs a guest that misbehaves; the run has to end with a failed verdict, whose text is returned.
fn failed_verdict(fixture: &str) -> String {
    let artefacts = artefacts_with(&built("fixtures"));
    let out = artefacts.path().join("out");
    let test = blinky_test(artefacts.path(), fixture, "4s");
    let output = hil(artefacts.path(), &out, &["--tests", &test, "--guest", fixture]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert_eq!(report(&out)["passed"], false);
    text(&output)
}

/// Buttons are pressed by a probe that attaches while the board boots and looks at its timer now and then: that takes some
/// cycles of one run and not of the other. Bytes are echoed when they come, which is when the runner has seen that the guest
/// runs: which call the host is interrupted in, and so the longest one, is not the same each time.
fn forget_phase(report: &mut Value) {
    let guests = report["guests"].as_array_mut().expect("a list");
    for guest in guests.iter_mut().filter(|guest| guest["program"] == "echo") {
        guest["vitals"].as_object_mut().expect("an object").remove("guest0_call_cycles_max").expect("it is measured");
    }
    for guest in guests.iter_mut().filter(|guest| guest["program"] == "button") {
        let vitals = guest["vitals"].as_object_mut().expect("an object");
        vitals.retain(|name, _| !name.contains("_cycles") && !name.contains("_us_"));
        guest["verdicts"][0]["criteria"][1]["measured"].take();
    }
}

#[test]
fn every_program_works_in_every_language_and_two_runs_agree() {
    let artefacts = built("").canonicalize().expect("it is there");
    let out = TempDir::new().expect("a temporary folder");
    let runs = ["first", "second"].map(|run| {
        let out = out.path().join(run);
        let output = hil(&artefacts, &out, &[]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        assert!(fs::read_to_string(out.join("junit.xml")).expect("a JUnit file").contains("failures=\"0\""));
        let mut report = report(&out);
        report["generated"].take();
        forget_phase(&mut report);
        report
    });
    assert_eq!(runs[0], runs[1]);
    desktop::agrees_with(&out.path().join("first"));

    let guests = runs[0]["guests"].as_array().expect("a list");
    let name = |key: &str, guest: &Value| guest[key].as_str().expect("a name").to_string();
    let found: BTreeSet<_> = guests.iter().map(|guest| (name("program", guest), name("language", guest))).collect();
    for program in ["blinky", "button", "echo", "servo"] {
        for language in ["c", "rust", "zig"] {
            assert!(found.contains(&(program.into(), language.into())), "{program} in {language}: {found:?}");
        }
    }
    for guest in guests.iter().filter(|guest| guest["program"] == "blinky") {
        let measured = &guest["verdicts"][0]["measured"];
        let mean = measured["mean_period_ns"].as_f64().expect("a number");
        assert!((mean - 1e9).abs() <= 5_000.0, "{}: mean period {mean} ns", guest["name"]);
        let vitals = &guest["vitals"];
        for vital in ["heap_peak", "stack_peak", "guest0_boot_to_first_edge_cycles", "guest0_call_cycles_min"] {
            assert!(vitals[vital].as_u64().is_some_and(|value| value > 0), "{vital} of {}: {vitals}", guest["name"]);
        }
    }
}

#[test]
fn a_guest_that_computes_does_not_disturb_one_that_blinks() {
    let out = TempDir::new().expect("a temporary folder");
    let tests = root().join("hil/tests/beside/compute.toml").display().to_string();
    let output = hil(&built(""), out.path(), &["--tests", &tests]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(report(out.path())["guests"][0]["beside"], "compute-c");
}

#[test]
fn a_hundred_periods_do_not_drift() {
    let out = TempDir::new().expect("a temporary folder");
    // A slower analyser: a hundred seconds are a hundred million samples even so.
    let bench = out.path().join("bench.toml");
    let virtual_bench = fs::read_to_string(root().join("hil/benches/virtual.toml")).expect("the default bench");
    fs::write(&bench, virtual_bench.replace("samplerate_hz = 4_000_000", "samplerate_hz = 1_000_000")).expect("a file");
    let test = blinky_test(out.path(), "blinky-c", "101s");
    let bench = bench.display().to_string();
    let output = hil(&built(""), out.path(), &["--bench", &bench, "--tests", &test, "--guest", "blinky-c"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let measured = report(out.path())["guests"][0]["verdicts"][0]["measured"].clone();
    assert!(measured["periods"].as_u64().is_some_and(|periods| periods >= 100), "{measured}");
    // One sample, 1 µs, over 100 s is 0.01 ppm.
    let drift = measured["drift_ppm"].as_f64().expect("a number");
    assert!(drift.abs() <= 0.01, "{measured}");
}

#[test]
fn a_guest_with_another_period_fails_with_both_values() {
    let text = failed_verdict("blinky-400ms");
    let measured =
        ["mean period: measured 800.0", "mean period: measured 799.9"].iter().any(|part| text.contains(part));
    assert!(measured && text.contains("expected 1000.000000 ms"), "{text}");
}

#[test]
fn a_guest_on_the_wrong_pin_fails_and_is_told_which_moved() {
    let text = failed_verdict("wrong-pin");
    assert!(text.contains("GPIO17 toggled instead"), "{text}");
}

#[test]
fn a_guest_that_names_a_pin_that_does_not_exist_traps() {
    let text = failed_verdict("bad-pin");
    assert!(text.contains("slot 0: bad-pin: trapped: ") && text.contains("99"), "{text}");
}

#[test]
fn a_guest_that_traps_is_reported() {
    let text = failed_verdict("trap");
    assert!(text.contains("slot 0: trap: trapped: ") && text.contains("unreachable"), "{text}");
}

#[test]
fn a_guest_that_returns_is_reported() {
    let text = failed_verdict("returns");
    assert!(text.contains("slot 0: returns: returned"), "{text}");
}

#[test]
fn a_guest_made_by_another_wasmtime_is_refused() {
    let text = failed_verdict("foreign-engine");
    assert!(text.contains("slot 0: refused: image for another engine (wasmtime 47.0.0 "), "{text}");
    // Its image says it is for this one.
    let text = failed_verdict("foreign-cwasm");
    assert!(text.contains("slot 0: refused: not an image for this host ") && text.contains("version '47'"), "{text}");
}

#[test]
fn a_corrupt_image_is_refused() {
    let text = failed_verdict("corrupt");
    assert!(text.contains("slot 0: refused: ") && text.contains("SHA-256"), "{text}");
}

#[test]
fn a_guest_for_the_contracts_first_version_still_runs() {
    let artefacts = artefacts_with(&built("fixtures"));
    let test = blinky_test(artefacts.path(), "blinky-0.1", "4s");
    let output = hil(artefacts.path(), &artefacts.path().join("out"), &["--tests", &test, "--guest", "blinky-0.1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}
