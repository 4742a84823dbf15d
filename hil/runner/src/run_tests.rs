//! The whole sequence against instruments that are scripts: what a board would do is decided by the test.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use super::*;
use crate::{
    analyser::Analyser,
    artefacts::FirmwareManifest,
    console::Console,
    firmware::{Field, Segment, VITALS_MAGIC, VitalsLayout},
    probe::OnFlash,
    report::Report,
};

const SLOT0: u64 = 0x1010_0000;
const SLOT1: u64 = 0x1014_0000;
const TIMER: u64 = 0x400B_0028;
/// The pad of GPIO15, with its pull-up on, and other bits that nobody may touch.
const PAD: u64 = 0x4003_8004 + 4 * 15;
const PULL_UP: u32 = 0x5A;
const PULL_DOWN: u32 = 0x56;
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
    /// Microseconds; every look takes a millisecond.
    timer: u32,
    /// How long the last write of a press takes, once.
    stall: u32,
    /// What came in on UART1, and whether the board sends it back.
    uart1: Vec<u8>,
    echoes: bool,
}

#[derive(Clone, Default)]
struct Script(Arc<Mutex<Board>>);

impl Script {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap()
    }

    fn did(&self, what: impl Into<String>) {
        self.board().log.push(what.into());
    }
}

impl Probe for Script {
    fn describe(&mut self) -> Result<String, Error> {
        Ok("a script".into())
    }

    fn read(&mut self, address: u64, into: &mut [u8]) -> Result<(), Error> {
        let mut board = self.board();
        into.fill(0xFF);
        if address == TIMER {
            board.timer += 1_000;
            into.copy_from_slice(&board.timer.to_le_bytes());
        } else if address == VITALS {
            for (word, value) in into.chunks_exact_mut(4).zip(&board.vitals) {
                word.copy_from_slice(&value.to_le_bytes());
            }
        } else if let Some(bytes) = board.memory.get(&address) {
            let count = bytes.len().min(into.len());
            into[..count].copy_from_slice(&bytes[..count]);
        }
        Ok(())
    }

    fn write(&mut self, address: u64, word: u32) -> Result<(), Error> {
        let mut board = self.board();
        let at = board.timer / 1_000;
        board.log.push(format!("{at} ms: {address:#x} = {word:#x}"));
        board.memory.insert(address, word.to_le_bytes().to_vec());
        if at >= 1_500 {
            board.timer += std::mem::take(&mut board.stall);
        }
        Ok(())
    }

    fn flash(&mut self, what: &str, segments: &[Segment], progress: OnFlash<'_>) -> Result<(), Error> {
        self.did(format!("flash {what}"));
        assert!(segments.iter().all(|segment| !segment.bytes.is_empty()));
        if self.board().verify_fails {
            return Err(Error::Verify { what: what.into() });
        }
        progress("writing", 1, 1);
        let mut board = self.board();
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
        let text = self.board().vcd.clone();
        if text.is_empty() {
            return Err(Error::NoSigrok);
        }
        fs::write(vcd, text).map_err(Error::file(vcd))
    }

    fn ended(&mut self) -> bool {
        false
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
        self.board().console.clone()
    }
}

impl Port for Script {
    fn clear(&mut self) {
        self.board().uart1.clear();
    }

    fn received(&mut self) -> Vec<u8> {
        self.board().uart1.clone()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.did(format!("send {}", bytes.escape_ascii()));
        let mut board = self.board();
        if board.echoes {
            board.uart1.extend(bytes);
        }
        Ok(())
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

fn artefacts(folder: &Path) -> Artefacts {
    let field = |name: &str| Field { name: name.into(), unit: "u".into(), description: "d".into() };
    Artefacts {
        folder: folder.into(),
        elsewhere: None,
        firmware: Firmware {
            segments: vec![Segment { address: 0x1000_0000, bytes: b"firmware".to_vec() }],
            slots: [SLOT0..SLOT1, SLOT1..SLOT1 + 0x4_0000],
            spares: Vec::new(),
            journal: None,
            vitals: Some(VitalsLayout {
                address: VITALS,
                fields: vec![field("magic"), field("heap_peak"), field("guest0_host_calls")],
            }),
        },
        firmware_manifest: FirmwareManifest { artefacts: BTreeMap::new(), sections: BTreeMap::new() },
        guests: vec![guest("c"), guest("rust")],
    }
}

fn plan(bench: BenchFile, out: &Path) -> Plan {
    Plan::new(bench, artefacts(out), &TestFile::load(None).unwrap(), &[], out.into()).unwrap()
}

/// A plan for tests of our own, for blinky-c, with a fixture `spin` to stand beside it.
fn plan_for(tests: &str, out: &Path) -> Plan {
    let fixture = out.join("fixtures/spin");
    fs::create_dir_all(&fixture).unwrap();
    fs::write(fixture.join("manifest.json"), r#"{"name":"spin","program":"spin","language":"wat"}"#).unwrap();
    fs::write(fixture.join("guest.img"), "spinning").unwrap();
    let tests = TestFile::parse(tests, "t.toml").unwrap();
    Plan::new(virtual_bench(), artefacts(out), &tests, &["blinky-c".into()], out.into()).unwrap()
}

fn virtual_bench() -> BenchFile {
    BenchFile::load(None).unwrap()
}

fn script(vcd: String) -> Script {
    let script = Script::default();
    *script.board() = Board {
        vcd,
        vitals: vec![VITALS_MAGIC, 21_000, 4711],
        console: vec![
            "sandhill 0.2.0".into(),
            "slot 0: blinky: running, 9 bytes; trapped: pin 99".into(),
            "bye".into(),
        ],
        memory: [(PAD, PULL_UP.to_le_bytes().to_vec())].into(),
        echoes: true,
        ..Board::default()
    };
    script
}

fn run(plan: &Plan, script: &Script) -> Result<Vec<GuestRun>, Error> {
    let [mut probe, mut analyser, mut console, mut uart1] = [(); 4].map(|()| script.clone());
    let mut on =
        Instruments { probe: &mut probe, analyser: &mut analyser, console: &mut console, uart1: Some(&mut uart1) };
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
    let mut expected = vec!["flash the firmware", "hold", "release", "flash blinky-c"];
    expected.extend(capture);
    expected.push("flash blinky-rust");
    expected.extend(capture);
    assert_eq!(board.board().log, expected);

    // The board now holds firmware and the last guest.
    board.board().log.clear();
    run(&plan, &board).unwrap();
    assert!(!board.board().log.contains(&"flash the firmware".into()));
    assert!(board.board().log.contains(&"flash blinky-c".into()));
}

#[test]
fn what_updates_left_is_erased_once_and_new_guests_boot_once_before_the_capture() {
    let out = tempfile::tempdir().unwrap();
    let mut plan = plan(virtual_bench(), out.path());
    plan.jobs.truncate(1);
    let (spare, journal) = (SLOT1 + 0x4_0000, SLOT1 + 0xC_0000);
    plan.firmware.spares = vec![spare..spare + 0x4_0000, spare + 0x4_0000..journal];
    plan.firmware.journal = Some(journal..journal + 0x1_0000);
    let board = script(vcd("GPIO25", 800, 1000));
    board.board().console = vec!["slot 0: blinky-c: running, 9 bytes".into(), "slot 1: empty".into()];
    board.board().memory.insert(spare, b"an image".to_vec());
    // Not in its first sector.
    board.board().memory.insert(journal + 0x1000, b"a journal".to_vec());
    run(&plan, &board).unwrap();
    let log = board.board().log.clone();
    let expected = [
        "flash the firmware",
        "flash slot B of guest 0, of an earlier update",
        "flash the journal of updates",
        "hold",
        "release",
        "flash blinky-c",
        "hold",
        "clear",
        "release",
        "hold",
        "capture 12000 ms",
    ];
    assert_eq!(log[..expected.len()], expected);
    assert_eq!(board.board().memory[&spare], vec![0xFF; 4096]);
    assert_eq!(board.board().memory[&journal], vec![0xFF; 0x1_0000]);

    board.board().log.clear();
    board.board().memory.remove(&(journal + 0x1000));
    run(&plan, &board).unwrap();
    assert_eq!(board.board().log[..4], ["hold", "release", "hold", "capture 12000 ms"]);
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
    assert_eq!(board.board().log[4..9], ["halt", "capture 12000 ms", "clear", "run", "captured"]);
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
    assert!(text.contains("`slot 0: blinky: running, 9 bytes; trapped: pin 99`"), "{text}");
}

#[test]
fn firmware_that_never_ran_is_noted() {
    let out = tempfile::tempdir().unwrap();
    let plan = plan(virtual_bench(), out.path());
    let board = script(vcd("GPIO24", 800, 1000));
    board.board().vitals[0] = 0;
    board.board().console.clear();
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
        board.board().verify_fails = verify_fails;
        let message = run(&plan(virtual_bench(), out.path()), &board).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_capture_that_was_too_short_is_tried_again_with_more_margin() {
    let out = tempfile::tempdir().unwrap();
    let board = script(vcd("GPIO25", 5_000, 1000));
    assert!(run(&plan(virtual_bench(), out.path()), &board).is_err());
    let log = &board.board().log;
    let captures: Vec<&String> = log.iter().filter(|line| line.starts_with("capture ")).collect();
    assert_eq!(captures, ["capture 12000 ms", "capture 22000 ms", "capture 32000 ms"]);
}

#[test]
fn the_board_is_let_go_when_the_analyser_fails() {
    let out = tempfile::tempdir().unwrap();
    let board = script(String::new());
    assert!(run(&plan(virtual_bench(), out.path()), &board).is_err());
    assert_eq!(board.board().log.last().unwrap(), "release");
}

#[test]
fn tests_must_fit_guests_and_bench() {
    let out = tempfile::tempdir().unwrap();
    let rebuild = |tests: &str, named: &[String]| {
        let tests = TestFile::parse(tests, "t.toml").unwrap();
        Plan::new(virtual_bench(), artefacts(out.path()), &tests, named, out.path().into())
            .map(|plan| (plan.jobs.len(), plan.left_out.into_iter().map(|(name, _)| name).collect::<Vec<_>>()))
    };
    let tests = crate::test_file::BUILT_IN[0].1;
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
        board.board().vitals[2] = host_calls;
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

const BESIDE: &str = r#"
[[test]]
program = "blinky"
beside = "fixtures/spin"
vitals = { heap_peak = 21000 }
capture = "10s"
[[test]]
program = "blinky"
console = ["sandhill 0.2.0"]
[[test]]
guest = "blinky-c"
beside = "fixtures/spin"
console = ["bye"]
"#;

#[test]
fn tests_with_the_same_guest_beside_share_a_capture_and_slot_1_is_blank_for_the_others() {
    let out = tempfile::tempdir().unwrap();
    let plan = plan_for(BESIDE, out.path());
    let board = script(vcd("GPIO25", 800, 1000));
    let runs = run(&plan, &board).unwrap();
    assert!(runs.iter().all(GuestRun::passed), "{runs:?}");
    let names: Vec<(String, usize)> = runs.iter().map(|run| (run.name(), run.verdicts.len())).collect();
    let expected = [("blinky-c+spin", 2), ("blinky-c", 1), ("blinky-rust+spin", 1), ("blinky-rust", 1)];
    assert_eq!(names, expected.map(|(name, count)| (name.to_string(), count)));
    let log = board.board().log.clone();
    let flashed: Vec<&str> = log.iter().filter_map(|line| line.strip_prefix("flash ")).collect();
    assert_eq!(flashed, ["the firmware", "blinky-c", "spin", "slot 1", "blinky-rust", "spin", "slot 1"]);
    assert_eq!(board.board().memory[&SLOT1], vec![0xFF; 4096]);
    assert!(out.path().join("blinky-c+spin.vcd").exists());

    // What is blank is not erased again.
    board.board().log.clear();
    let blinky = TestFile::parse(crate::test_file::BUILT_IN[0].1, "t.toml").unwrap();
    let alone = Plan::new(virtual_bench(), artefacts(out.path()), &blinky, &[], out.path().into()).unwrap();
    run(&alone, &board).unwrap();
    assert!(!board.board().log.iter().any(|line| line.contains("slot 1")), "{:?}", board.board().log);

    let missing = BESIDE.replace("fixtures/spin", "fixtures/none");
    let missing = TestFile::parse(&missing, "t.toml").unwrap();
    let error = Plan::new(virtual_bench(), artefacts(out.path()), &missing, &[], out.path().into()).unwrap_err();
    assert!(error.to_string().contains("fixtures/none/manifest.json is missing"), "{error}");
}

#[test]
fn buttons_are_pressed_when_the_boards_timer_says_so_and_pulls_are_put_back() {
    let out = tempfile::tempdir().unwrap();
    let tests = r#"
[[test]]
guest = "blinky-c"
press = { pin = "GPIO15", at = ["500ms", "1200ms"], for = "300ms" }
console = ["sandhill"]
"#;
    let writes = |script: &Script| {
        run(&plan_for(tests, out.path()), script).unwrap();
        let log = script.board().log.clone();
        log.into_iter().filter(|line| line.contains(" ms: ")).collect::<Vec<_>>()
    };
    let expected = |late: u32| {
        [(500, PULL_DOWN), (800, PULL_UP), (1200, PULL_DOWN), (1500, PULL_UP)]
            .map(|(at, pulls)| format!("{} ms: {PAD:#x} = {pulls:#x}", at + late))
    };
    let board = script(vcd("GPIO25", 800, 1000));
    assert_eq!(writes(&board), expected(0));
    // Where the first press comes late, the others keep their distance.
    let board = script(vcd("GPIO25", 800, 1000));
    board.board().timer = 699_000;
    assert_eq!(writes(&board), expected(200));
    // So late that the capture is over before the last one: again, with more margin.
    let board = script(vcd("GPIO25", 800, 1000));
    board.board().timer = 10_499_000;
    let error = run(&plan_for(tests, out.path()), &board).unwrap_err();
    assert!(error.to_string().contains("pressed 1"), "{error}");
    let log = board.board().log.clone();
    assert_eq!(log.iter().filter(|line| line.starts_with("capture ")).count(), 3, "{log:?}");
    // The same where only the last one is.
    let board = script(vcd("GPIO25", 800, 1000));
    board.board().stall = 10_000_000;
    let error = run(&plan_for(tests, out.path()), &board).unwrap_err();
    assert!(error.to_string().contains("pressed 1"), "{error}");
}

#[test]
fn bytes_are_sent_and_what_comes_back_is_judged() {
    let out = tempfile::tempdir().unwrap();
    let tests = "[[test]]\nguest = \"blinky-c\"\necho = { port = 1, send = \"hello\", within = \"10ms\" }\n";
    let plan = plan_for(tests, out.path());
    let board = script(vcd("GPIO25", 800, 1000));
    assert!(run(&plan, &board).unwrap()[0].passed());
    assert!(board.board().log.contains(&"send hello".to_string()));
    board.board().echoes = false;
    let runs = run(&plan, &board).unwrap();
    let text = summary("blinky-c", &runs[0].verdicts[0]);
    assert!(text.contains("UART1 echo FAILED") && text.contains("nothing came back"), "{text}");
}

#[test]
fn what_a_bench_cannot_do_is_left_out_and_said() {
    let out = tempfile::tempdir().unwrap();
    let tests = "[[test]]\nguest = \"blinky-c\"\necho = { port = 1, send = \"hello\", within = \"1s\" }\n\
                 [[test]]\nguest = \"blinky-rust\"\nvitals = { heap_peak = 1 }\n";
    let tests = TestFile::parse(tests, "t.toml").unwrap();
    let bench = BenchFile { uart1: None, ..virtual_bench() };
    let plan = |named: &[String]| Plan::new(bench.clone(), artefacts(out.path()), &tests, named, out.path().into());
    let (name, why) = plan(&[]).unwrap().left_out.remove(0);
    assert!(name == "blinky-c" && why.contains("needs the guests' serial port") && why.contains("no [uart1]"), "{why}");
    // Not if the user named it.
    assert!(plan(&["blinky-c".into()]).unwrap_err().to_string().contains("no [uart1]"));
}
