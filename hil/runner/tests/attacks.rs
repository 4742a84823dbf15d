//! Every way to attack that a guest has, from slot 1, while blinky blinks in slot 0: each ends in a trap or a refusal that
//! says why, with the attacker's pin at its safe level, the host alive, and blinky's edges where they belong.
//!
//! The tables say what has to happen. `hil` judges console, vitals and blinky's pin; the attacker's pin is read from the
//! captures here. A host that is alive goes on to tell of restarts and of the end after the last failure.

use std::{fmt::Write, fs, fs::File, io::BufReader, path::Path};

use hil::capture::{Capture, Channel};
use tempfile::TempDir;

#[path = "common/bench.rs"]
mod bench;
use bench::{built, hil, report, text};

/// What attackers drive.
const PIN: &str = "GPIO17";
/// From the trap to safe pins, at most.
const SAFE_US: u64 = 100;
/// Of every edge of blinky, from its schedule.
const SCHEDULE: &str = "5us";

/// What the host has to do with a fixture.
enum End {
    /// Each time: it traps for this reason, with its pin high for at most so long; it is stopped after three times.
    Traps { reason: String, high_us: u64 },
    /// It does not even start, for this reason.
    Refused(&'static str),
    /// It goes on, or has returned: nothing is wrong with it.
    Lives { state: u32 },
}

/// Has its pin high only as long as two calls and a trap take.
fn traps_at_once(reason: impl Into<String>) -> End {
    End::Traps { reason: reason.into(), high_us: 200 }
}

fn attacks() -> Vec<(&'static str, End)> {
    // run-us of the fixtures' policy is a guest's own time; the host and the other guest take theirs meanwhile.
    let ran_long = || End::Traps { reason: "ran without a host call for longer".into(), high_us: 10_000 + 500 };
    let unreachable = "wasm trap: wasm `unreachable` instruction executed";
    vec![
        ("spin", ran_long()),
        ("spin-after-edge", ran_long()),
        // The time of the calls that it has in a second.
        ("storm", End::Traps { reason: "more host calls in a second".into(), high_us: 200_000 }),
        ("hung", End::Traps { reason: "no output for longer".into(), high_us: 500_000 + SAFE_US }),
        ("recurse", End::Traps { reason: "wasm trap: call stack exhausted".into(), high_us: 1_000 }),
        ("grow-memory", traps_at_once(unreachable)),
        ("grow-table", traps_at_once(unreachable)),
        ("out-of-bounds", traps_at_once("wasm trap: out of bounds memory access")),
        ("unreachable", traps_at_once(unreachable)),
        ("trap", traps_at_once(unreachable)),
        ("huge-delay", traps_at_once("timing: a wait above the longest")),
        ("huge-delay-until", traps_at_once("timing: a wait above the longest")),
        ("foreign-pin", traps_at_once("gpio: GPIO 18 is not an output")),
        ("bad-pin", traps_at_once("gpio: GPIO 99 is not an output")),
        ("no-policy", traps_at_once("gpio: GPIO 25 is not an output")),
        ("bad-policy", End::Refused("policy of version 2")),
        ("corrupt", End::Refused("image damaged (SHA-256 differs)")),
        ("foreign-engine", End::Refused("image for another engine (wasmtime 47.0.0 ")),
        ("foreign-cwasm", End::Refused("not an image for this host (wasmtime ")),
        ("foreign-world", End::Refused("image needs embedded:platform/board@9.9.0: ")),
        ("unsigned", End::Refused("image not signed: ")),
        ("foreign-key", End::Refused("image signed with unknown key ")),
        ("bad-signature", End::Refused("image has a wrong signature: ")),
        // The slot goes on where the file ends.
        ("truncated", End::Refused("image damaged (TLV magic): ")),
        ("oversized", End::Refused("image truncated: ")),
        ("blinky-400ms", End::Refused("GPIO 25 is used by slot 0")),
        ("returns-at-once", End::Lives { state: 2 }),
        ("slow-storm", End::Lives { state: 1 }),
    ]
}

/// What a call with 0, 2³¹ or 2³²−1 for one parameter has to end in; the name says which call, parameter and value.
fn edge(fixture: &str) -> End {
    let (call, value) = fixture.trim_start_matches("edge-").rsplit_once('-').expect("a call and a value");
    let zero = value == "0";
    let reason = match call {
        "set-pulse-us" => return End::Lives { state: 1 },
        "delay-ms" | "delay-until" | "wait-edge" | "wait-timeout-ms" | "read-timeout-ms" | "read-result-ptr"
        | "write-bytes-ptr" | "write-bytes-len"
            if zero =>
        {
            return End::Lives { state: 1 };
        }
        "delay-ms" | "delay-until" => "timing: a wait above the longest".to_string(),
        "set-high" | "set-low" | "toggle" => format!("gpio: GPIO {value} is not an output"),
        "is-high" => format!("gpio: GPIO {value} is neither an input nor an output"),
        "is-pressed" | "wait-pin" => format!("button: GPIO {value} is not an input"),
        "wait-edge" => format!("button: edge {value} "),
        "wait-timeout-ms" => "button: a wait above the longest".into(),
        "set-pin" | "stop" => format!("pwm: GPIO {value} is not a pwm pin"),
        "set-period-us" => format!("pwm: GPIO 16: {value} us "),
        "read-port" | "write-port" => format!("uart: port {value} is not"),
        "read-timeout-ms" => "uart: a wait above the longest".into(),
        "read-result-ptr" | "write-bytes-ptr" => {
            format!("uart: {} bytes at {value} ", if call.starts_with('r') { 2 } else { 4 })
        }
        "write-bytes-len" => format!("uart: {value} bytes at 16 "),
        other => panic!("{other}: the contract has a parameter that this table does not know yet"),
    };
    traps_at_once(reason)
}

/// The tests of one fixture beside blinky, in the language of test files.
fn test(fixture: &str, end: &End) -> String {
    let mut lines = vec!["slot 0: blinky-c: running, ".to_string()];
    let mut vitals = "guest0_state = 1, guest0_traps = 0, guest0_restarts = 0, watchdog_resets = 0".to_string();
    match end {
        End::Traps { reason, .. } => {
            lines.push(format!("slot 1: {fixture}: running, "));
            lines.push(format!("slot 1: {fixture}: trapped: {reason}"));
            lines.push(format!("slot 1: {fixture}: restart 2 of 2 in "));
            lines.push(format!("slot 1: {fixture}: stopped after 3 failures, its pins are safe"));
            vitals += &format!(
                ", guest1_state = 5, guest1_traps = 3, guest1_restarts = 2, guest1_safe_us_max = {{ max = {SAFE_US} }}"
            );
        }
        End::Refused(reason) => {
            lines.push(format!("slot 1: refused: {reason}"));
            vitals += ", guest1_state = 4, guest1_traps = 0, guest1_host_calls = 0";
        }
        End::Lives { state } => {
            lines.push(format!("slot 1: {fixture}: running, "));
            vitals += &format!(", guest1_state = {state}, guest1_traps = 0");
        }
    }
    format!(
        "[[test]]\nguest = \"blinky-c\"\nbeside = \"fixtures/{fixture}\"\npin = \"GPIO25\"\nperiod = \"1000ms\"\nduty = 0.5\n\
         schedule_max = \"{SCHEDULE}\"\ncapture = \"3s\"\nconsole = {lines:?}\nvitals = {{ {vitals} }}\n"
    )
}

/// Runs all of them on one bench, and looks at the attackers' pin.
fn attack(table: &[(String, End)]) {
    let out = TempDir::new().expect("a temporary folder");
    let tests = out.path().join("attacks.toml");
    fs::write(&tests, table.iter().map(|(name, end)| test(name, end)).collect::<String>()).expect("a test file");
    let tests = tests.display().to_string();
    let output = hil(&built(""), out.path(), &["--tests", &tests, "--guest", "blinky-c"]);
    let mut wrong = String::new();
    for (name, end) in table {
        if let Err(what) = pin_is_right(out.path(), name, end) {
            let _ = writeln!(wrong, "{name}: {what}");
        }
    }
    assert!(output.status.code() == Some(0) && wrong.is_empty(), "{wrong}{}", text(&output));
    assert_eq!(report(out.path())["guests"].as_array().map(Vec::len), Some(table.len()));
}

fn pin_is_right(out: &Path, fixture: &str, end: &End) -> Result<(), String> {
    let file = File::open(out.join(format!("blinky-c+{fixture}.vcd"))).map_err(|error| error.to_string())?;
    let capture = Capture::read(BufReader::new(file))?;
    let pin = capture.channel(PIN).ok_or("the bench does not look at the attacker's pin")?;
    match end {
        End::Traps { high_us, .. } => {
            if level(pin) {
                return Err(format!("{PIN} is high in the end"));
            }
            let longest = highs(pin).max().unwrap_or(0) / 1000;
            (longest <= *high_us)
                .then_some(())
                .ok_or(format!("{PIN} was high for {longest} µs, at most {high_us} expected"))
        }
        End::Refused(_) => pin.edges.is_empty().then_some(()).ok_or(format!("{PIN} moved")),
        End::Lives { .. } => Ok(()),
    }
}

fn level(channel: &Channel) -> bool {
    channel.edges.last().map_or(channel.initial, |edge| edge.high)
}

/// How long each high lasted, in nanoseconds.
fn highs(channel: &Channel) -> impl Iterator<Item = u64> {
    channel.edges.windows(2).filter(|pair| pair[0].high).map(|pair| pair[1].at_ns - pair[0].at_ns)
}

#[test]
fn every_attack_ends_in_a_trap_or_a_refusal_and_the_other_guest_notices_nothing() {
    let table: Vec<(String, End)> = attacks().into_iter().map(|(name, end)| (name.to_string(), end)).collect();
    attack(&table);
}

#[test]
fn every_parameter_of_every_call_has_its_edge_values_tried() {
    let mut fixtures: Vec<String> = fs::read_dir(built("fixtures"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("edge-"))
        .collect();
    fixtures.sort();
    // Three values for each of what the contract has today.
    assert!(fixtures.len() >= 60, "{fixtures:?}");
    let table: Vec<(String, End)> = fixtures.into_iter().map(|name| (name.clone(), edge(&name))).collect();
    attack(&table);
}
