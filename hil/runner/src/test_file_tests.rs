//! What a test file may say, and how it is told what it may not.

use super::*;

const BLINKY: &str = BUILT_IN[0].1;
const ALL: &str = r#"
[[test]]
program = "button"
beside = "fixtures/spin"
capture = "2s"
press = { pin = "GPIO15", at = ["500ms", "1200ms"], for = "300ms" }
follows = { input = "GPIO15", output = "GPIO25", inverted = true, within = "200us", edges = 4 }
[[test]]
guest = "echo-c"
echo = { port = 1, send = "hello", within = "2s" }
console = ["slot 0: "]
vitals = { guest0_traps = 0, heap_peak = { max = 9000 }, guest0_host_calls = { min = 1 } }
[[test]]
program = "servo"
pin = "GPIO16"
pulses = { period = "20ms", widths = ["1ms", "1500us"], tolerance = "5us" }
"#;

#[test]
fn the_built_in_tests_are_valid() {
    let file = TestFile::load(None).unwrap();
    let wave = file.tests[0].wave.as_ref().unwrap();
    assert_eq!((wave.period, wave.duty), (Duration::from_secs(1), 0.5));
    assert_eq!(wave.tolerance.unwrap().period, Duration::from_micros(100));
    assert_eq!(wave.schedule_max, Some(Duration::from_micros(2)));
    assert!(file.tests[0].is_for("blinky-zig", "blinky"));
    assert!(!file.tests[0].is_for("clock-zig", "clock"));
    for program in ["blinky", "button", "echo", "servo"] {
        assert!(file.tests.iter().any(|test| test.subject() == program), "{program}");
    }
}

#[test]
fn every_key_is_understood() {
    let tests = TestFile::parse(ALL, "t.toml").unwrap().tests;
    let [button, echo, servo] = &tests[..] else { panic!("{tests:?}") };
    assert_eq!(button.beside.as_deref(), Some("fixtures/spin"));
    let press = button.press.as_ref().unwrap();
    assert_eq!((press.gpio(), press.length), (Some(15), Duration::from_millis(300)));
    assert_eq!(press.at, [500, 1200].map(Duration::from_millis));
    assert_eq!(button.channels(), ["GPIO15", "GPIO25"]);
    assert_eq!(button.title(), "GPIO25 after GPIO15");
    assert_eq!(echo.capture, CAPTURE);
    assert_eq!(echo.title(), "UART1 echo");
    assert!(echo.vitals["guest0_traps"].allows(0) && !echo.vitals["guest0_traps"].allows(1));
    assert!(echo.vitals["heap_peak"].allows(9000) && !echo.vitals["heap_peak"].allows(9001));
    assert!(!echo.vitals["guest0_host_calls"].allows(0) && echo.vitals["guest0_host_calls"].allows(u32::MAX));
    assert_eq!(servo.pulses.as_ref().unwrap().widths, [1000, 1500].map(Duration::from_micros));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (from, to, expected) in [
        ("1000ms", "1000", "is no time like"),
        ("1000ms", "0ms", "`period` must be more than 0"),
        ("duty = 0.5", "duty = 1.5", "`duty` must be between 0 and 1"),
        ("duty = 0.5", "", "`period` needs `duty`"),
        ("period =", "# period =", "`pin` asks for nothing"),
        ("pin = \"GPIO25\"\nperiod =", "# period =", "`duty` needs `period`"),
        ("duty_tolerance =", "# ", "`tolerance` and `duty_tolerance` go together"),
        ("\"10s\"", "\"2s\"", "at least three periods"),
        ("program =", "guest = \"x\"\nprogram =", "either `program` or `guest`"),
        ("pin =", "pinn =", "unknown field `pinn`, expected one of"),
        ("pin =", "drift_max_ppm = -1.0\npin =", "must not be negative"),
        ("pin =", "beside = \"../../etc\"\npin =", "must be a folder below the artefacts"),
        ("pin =", "beside = \"fixtures/..\"\npin =", "must be a folder below the artefacts"),
    ] {
        refused(BLINKY, from, to, expected);
    }
    for (from, to, expected) in [
        ("\"GPIO15\", at", "\"GPIO48\", at", "`press.pin` = \"GPIO48\" is no pin"),
        ("\"GPIO15\", at", "\"button\", at", "is no pin like \"GPIO15\""),
        ("\"1200ms\"", "\"700ms\"", "begins before the one before it has ended"),
        ("\"1200ms\"", "\"1900ms\"", "`capture` ends before the last press"),
        ("[\"500ms\", \"1200ms\"]", "[]", "`press.at` must not be empty"),
        ("\"500ms\"", "500", "invalid type: integer `500`"),
        ("edges = 4", "edges = 0", "`follows.edges` must be more than 0"),
        ("within = \"200us\"", "wihtin = \"200us\"", "unknown field `wihtin`"),
        ("port = 1", "port = 2", "`echo.port` is 2"),
        ("\"hello\"", "\"\"", "`echo.send` must not be empty"),
        ("\"slot 0: \"", "\"\"", "would begin every line"),
        ("= 0,", "= \"none\",", "a whole number, or { min"),
        ("max = 9000", "min = 9001, max = 9000", "`vitals.heap_peak` can never be met"),
        ("pin = \"GPIO16\"", "", "`pulses` needs `pin`"),
        ("\"1500us\"]", "\"1008us\"]", "closer than twice"),
        ("\"1500us\"]", "\"20ms\"]", "less than `pulses.period`"),
        ("[\"1ms\", \"1500us\"]", "[]", "`pulses.widths` is empty"),
        ("\"servo\"", "\"servo\"\ncapture = \"50ms\"", "each of the widths 3 times"),
        ("pulses =", "# ", "`pin` asks for nothing"),
        (
            "echo = { port = 1, send = \"hello\", within = \"2s\" }\nconsole = [\"slot 0: \"]\nvitals",
            "# ",
            "asks for nothing",
        ),
    ] {
        refused(ALL, from, to, expected);
    }
    assert!(TestFile::parse("test = []", "t.toml").unwrap_err().to_string().contains("no [[test]]"));
}

#[track_caller]
fn refused(text: &str, from: &str, to: &str, expected: &str) {
    let changed = text.replacen(from, to, 1);
    assert_ne!(changed, text, "{from:?} is not in the file");
    let message = TestFile::parse(&changed, "t.toml").unwrap_err().to_string();
    assert!(message.contains(expected) && message.contains("t.toml"), "{from:?}: {message}");
}

#[test]
fn random_damage_never_breaks_the_reader() {
    let mut random = oorandom::Rand32::new(11);
    for _ in 0..3_000 {
        let mut bytes = ALL.as_bytes().to_vec();
        for _ in 0..random.rand_range(1..5) {
            let at = random.rand_range(0..bytes.len() as u32) as usize;
            bytes[at] = b"0123456789\"[]{}=,.us\n-"[random.rand_range(0..22) as usize];
        }
        if let Ok(file) = TestFile::parse(&String::from_utf8_lossy(&bytes), "t.toml") {
            assert!(file.tests.iter().all(|test| !test.title().is_empty()));
        }
    }
}
