//! The whole sequence against instruments that are scripts: what a board would do is decided by the test.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::*;
use crate::{
    artefacts::FirmwareManifest,
    firmware::{Field, Firmware, VITALS_MAGIC, VitalsLayout},
    probe::OnFlash,
    report::Report,
};

const SLOT: u64 = 0x1010_0000;
const VITALS: u64 = 0x2000_0000;

/// What the three instruments share: the board's memory, and the order of what was done to it.
#[derive(Default)]
struct Board {
    memory: BTreeMap<u64, Vec<u8>>,
    log: Vec<String>,
    verify_fails: bool,
    vcd: String,
    console: Vec<String>,
    vitals: Vec<u32>,
}

#[derive(Clone, Default)]
struct Script(Rc<RefCell<Board>>);

impl Script {
    fn did(&self, what: impl Into<String>) {
        self.0.borrow_mut().log.push(what.into());
    }
}

impl Probe for Script {
    fn describe(&mut self) -> Result<String, Error> {
        Ok("a script".into())
    }

    fn read(&mut self, address: u64, into: &mut [u8]) -> Result<(), Error> {
        let board = self.0.borrow();
        if address == VITALS {
            for (word, value) in into.chunks_exact_mut(4).zip(&board.vitals) {
                word.copy_from_slice(&value.to_le_bytes());
            }
        } else if let Some(bytes) = board.memory.get(&address) {
            let count = bytes.len().min(into.len());
            into[..count].copy_from_slice(&bytes[..count]);
        }
        Ok(())
    }

    fn flash(&mut self, what: &str, segments: &[Segment], progress: OnFlash<'_>) -> Result<(), Error> {
        self.did(format!("flash {what}"));
        if self.0.borrow().verify_fails {
            return Err(Error::Verify { what: what.into() });
        }
        progress("writing", 1, 1);
        let mut board = self.0.borrow_mut();
        board.memory.extend(segments.iter().map(|segment| (segment.address, segment.bytes.clone())));
        Ok(())
    }

    fn hold_reset(&mut self) -> Result<(), Error> {
        self.did("hold");
        Ok(())
    }

    fn release_reset(&mut self) -> Result<(), Error> {
        self.did("release");
        Ok(())
    }

    fn reset_and_halt(&mut self) -> Result<(), Error> {
        self.did("halt");
        Ok(())
    }

    fn run(&mut self) -> Result<(), Error> {
        self.did("run");
        Ok(())
    }
}

impl Analyser for Script {
    fn describe(&mut self) -> Result<String, Error> {
        Ok("a script".into())
    }

    fn start(&mut self, length: Duration, vcd: &Path) -> Result<(), Error> {
        self.did(format!("capture {} ms", length.as_millis()));
        let text = self.0.borrow().vcd.clone();
        if text.is_empty() {
            return Err(Error::NoSigrok);
        }
        fs::write(vcd, text).map_err(Error::file(vcd))
    }

    fn finish(&mut self, progress: crate::analyser::OnSamples<'_>) -> Result<(), Error> {
        progress(1, 1);
        self.did("captured");
        Ok(())
    }
}

impl Console for Script {
    fn clear(&mut self) {
        self.did("clear");
    }

    fn lines(&mut self) -> Vec<String> {
        self.0.borrow().console.clone()
    }
}

/// A capture of 14 s in milliseconds: RUN rises at `reset_ms`, `pin` has `period_ms`.
fn vcd(pin: &str, reset_ms: u64, period_ms: u64) -> String {
    let mut text = String::from("$timescale 1 ms $end\n");
    for (id, name) in [("!", "GPIO25"), ("\"", "RUN"), ("#", "GPIO24")] {
        text += &format!("$var wire 1 {id} {name} $end\n");
    }
    text += "$enddefinitions $end\n#0 0! 0\" 0#\n";
    let id = if pin == "GPIO25" { '!' } else { '#' };
    if reset_ms > 0 {
        text += &format!("#{reset_ms} 1\"\n");
    }
    for (count, at) in (reset_ms + 3..14_000).step_by((period_ms / 2) as usize).enumerate() {
        text += &format!("#{at} {}{id}\n", (count + 1) % 2);
    }
    text + "#14000\n"
}

fn guest(language: &str) -> Guest {
    let manifest = format!(r#"{{"name":"blinky-{language}","program":"blinky","language":"{language}"}}"#);
    Guest { manifest: serde_json::from_str(&manifest).unwrap(), image: format!("image of {language}").into_bytes() }
}

fn plan(bench: BenchFile, out: &Path) -> Plan {
    let field = |name: &str| Field { name: name.into(), unit: "u".into(), description: "d".into() };
    let artefacts = Artefacts {
        firmware: Firmware {
            segments: vec![Segment { address: 0x1000_0000, bytes: b"firmware".to_vec() }],
            slot: SLOT..SLOT + 0x4_0000,
            vitals: Some(VitalsLayout {
                address: VITALS,
                fields: vec![field("magic"), field("heap_peak"), field("host_calls")],
            }),
        },
        firmware_manifest: FirmwareManifest { artefacts: BTreeMap::new(), sections: BTreeMap::new() },
        guests: vec![guest("c"), guest("rust")],
    };
    Plan::new(bench, artefacts, &TestFile::load(None).unwrap(), &[], out.into()).unwrap()
}

fn virtual_bench() -> BenchFile {
    BenchFile::load(None).unwrap()
}

fn script(vcd: String) -> Script {
    let script = Script::default();
    *script.0.borrow_mut() = Board {
        vcd,
        vitals: vec![VITALS_MAGIC, 21_000, 4711],
        console: vec!["sandhill 0.1.0".into(), "guest: trapped: pin 99".into(), "bye".into()],
        ..Board::default()
    };
    script
}

fn run(plan: &Plan, script: &Script) -> Result<Vec<GuestRun>, Error> {
    let (mut probe, mut analyser, mut console) = (script.clone(), script.clone(), script.clone());
    let mut on = Instruments { probe: &mut probe, analyser: &mut analyser, console: &mut console };
    plan.run(&mut on, &Progress::quiet())
}

#[test]
fn firmware_is_flashed_once_and_guests_in_turn() {
    let out = tempfile::tempdir().unwrap();
    let plan = plan(virtual_bench(), out.path());
    let board = script(vcd("GPIO25", 800, 1000));
    let runs = run(&plan, &board).unwrap();
    assert!(runs.iter().all(GuestRun::passed), "{runs:?}");
    assert_eq!(runs[0].verdicts[0].first_edge_ns, Some(3_000_000));
    let capture = ["hold", "capture 12000 ms", "clear", "release", "captured"];
    let mut expected = vec!["flash the firmware", "flash blinky-c"];
    expected.extend(capture);
    expected.push("flash blinky-rust");
    expected.extend(capture);
    assert_eq!(board.0.borrow().log, expected);

    // The board now holds firmware and the last guest.
    board.0.borrow_mut().log.clear();
    run(&plan, &board).unwrap();
    assert!(!board.0.borrow().log.contains(&"flash the firmware".into()));
    assert!(board.0.borrow().log.contains(&"flash blinky-c".into()));
}

#[test]
fn debug_reset_keeps_the_chip_halted_until_the_analyser_is_armed() {
    let out = tempfile::tempdir().unwrap();
    let mut bench = virtual_bench();
    bench.probe.reset = Reset::Debug;
    let plan = plan(bench, out.path());
    // RUN does not move in a reset through the debug port.
    let board = script(vcd("GPIO25", 0, 1000));
    let runs = run(&plan, &board).unwrap();
    assert!(runs[0].passed(), "{runs:?}");
    assert_eq!(runs[0].verdicts[0].first_edge_ns, None);
    assert_eq!(board.0.borrow().log[2..7], ["halt", "capture 12000 ms", "clear", "run", "captured"]);
}

#[test]
fn a_wrong_pin_fails_and_the_notes_say_which() {
    let out = tempfile::tempdir().unwrap();
    let plan = plan(virtual_bench(), out.path());
    let runs = run(&plan, &script(vcd("GPIO24", 800, 1000))).unwrap();
    let verdict = &runs[0].verdicts[0];
    assert!(!verdict.passed);
    let text = summary("blinky-c", verdict);
    assert!(text.contains("no edge at all, expected at least 9"), "{text}");
    assert!(text.contains("GPIO24 toggled instead: 20 edges"), "{text}");
    assert!(text.contains("`guest: trapped: pin 99`"), "{text}");
}

#[test]
fn firmware_that_never_ran_is_noted() {
    let out = tempfile::tempdir().unwrap();
    let plan = plan(virtual_bench(), out.path());
    let board = script(vcd("GPIO24", 800, 1000));
    board.0.borrow_mut().vitals[0] = 0;
    board.0.borrow_mut().console.clear();
    let runs = run(&plan, &board).unwrap();
    let notes = runs[0].verdicts[0].notes.join("\n");
    assert!(notes.contains("console is silent") && notes.contains("the firmware did not start"), "{notes}");
    assert!(runs[0].vitals.is_empty());
}

#[test]
fn bench_failures_end_the_run_with_what_to_check() {
    let short = vcd("GPIO25", 5_000, 1000);
    let empty = vcd("GPIO25", 0, 1000).split_once("#0").unwrap().0.to_string();
    let cases: [(String, bool, &str); 5] = [
        (vcd("GPIO25", 0, 1000), false, "RUN did not rise"),
        (short, false, "ends 1000 ms too early, because RUN rose only 5000 ms"),
        (empty, false, "the capture is empty"),
        ("$garbage".into(), false, "no VCD file"),
        (vcd("GPIO25", 800, 1000), true, "flashing the firmware: what was read back differs"),
    ];
    for (vcd, verify_fails, expected) in cases {
        let out = tempfile::tempdir().unwrap();
        let board = script(vcd);
        board.0.borrow_mut().verify_fails = verify_fails;
        let message = run(&plan(virtual_bench(), out.path()), &board).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_capture_that_was_too_short_is_tried_again_with_more_margin() {
    let out = tempfile::tempdir().unwrap();
    let board = script(vcd("GPIO25", 5_000, 1000));
    assert!(run(&plan(virtual_bench(), out.path()), &board).is_err());
    let log = &board.0.borrow().log;
    let captures: Vec<&String> = log.iter().filter(|line| line.starts_with("capture ")).collect();
    assert_eq!(captures, ["capture 12000 ms", "capture 22000 ms", "capture 32000 ms"]);
}

#[test]
fn the_board_is_let_go_when_the_analyser_fails() {
    let out = tempfile::tempdir().unwrap();
    let board = script(String::new());
    assert!(run(&plan(virtual_bench(), out.path()), &board).is_err());
    assert_eq!(board.0.borrow().log.last().unwrap(), "release");
}

#[test]
fn tests_must_fit_guests_and_bench() {
    let out = tempfile::tempdir().unwrap();
    let rebuild = |tests: &str, named: &[String]| {
        let plan = plan(virtual_bench(), out.path());
        let tests = TestFile::parse(tests, "t.toml").unwrap();
        Plan::new(plan.bench, plan.artefacts, &tests, named, out.path().into())
            .map(|plan| (plan.tests.len(), plan.left_out))
    };
    let tests = crate::test_file::DEFAULT;
    let message = rebuild(&tests.replace("\"blinky\"", "\"clock\""), &[]).unwrap_err().to_string();
    assert!(message.contains("blinky-c, blinky-rust"), "{message}");
    let message = rebuild(&tests.replace("GPIO25", "GPIO2"), &[]).unwrap_err().to_string();
    assert!(message.contains("GPIO2,") && message.contains("GPIO24"), "{message}");
    let only_rust = tests.replace("program = \"blinky\"", "guest = \"blinky-rust\"");
    assert_eq!(rebuild(&only_rust, &[]).unwrap(), (1, vec!["blinky-c".to_string()]));
    // A guest that the user named is never left out silently.
    let message = rebuild(&only_rust, &["blinky-c".into()]).unwrap_err().to_string();
    assert!(message.contains("no test in t.toml is for blinky-c"), "{message}");
}

#[test]
fn two_reports_are_the_same_but_for_the_date() {
    let out = tempfile::tempdir().unwrap();
    let plan = plan(virtual_bench(), out.path());
    let board = script(vcd("GPIO25", 800, 1000));
    let report = |host_calls| {
        board.0.borrow_mut().vitals[2] = host_calls;
        Report::new(&plan, &run(&plan, &board).unwrap()).write(out.path()).unwrap();
        let text = fs::read_to_string(out.path().join("report.json")).unwrap();
        let undated: Vec<String> =
            text.lines().filter(|line| !line.contains("\"generated\"")).map(Into::into).collect();
        assert_eq!(undated.len() + 1, text.lines().count());
        undated.join("\n")
    };
    let (first, second) = (report(20), report(22));
    assert_eq!(first, second);
    assert!(first.contains("\"heap_peak\": 21000") && !first.contains("host_calls"), "{first}");
    assert!(!first.contains(&*out.path().to_string_lossy()));
    let junit = fs::read_to_string(out.path().join("junit.xml")).unwrap();
    assert!(junit.contains("tests=\"2\"") && junit.contains("failures=\"0\""), "{junit}");
}
