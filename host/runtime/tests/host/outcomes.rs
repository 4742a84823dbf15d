//! What becomes of a guest: it runs, ends, or is refused, and the reason is one clear line, the same in every way.

use crate::board::{Act, FakeBoard, POLICY, blinky, guest, vitals};
use crate::ways::{WAYS, Way};
use sandhill_runtime::{GuestState, Outcome, Place, Policy, Trap};

fn outcome_with(module: &str, policy: Policy) -> Outcome {
    let [native, pulley, component] = WAYS.map(|way| {
        let vitals = vitals();
        let (outcome, board) = way.run_with(module, policy, FakeBoard::new(policy), vitals);
        let trapped = matches!(outcome, Outcome::Trapped(_));
        assert_eq!(vitals.traps.get(), u32::from(trapped));
        if let Some(board) = board {
            // Once, and after everything else.
            let failed = board.acts.iter().position(|(_, act)| *act == Act::Failed);
            assert_eq!(failed, trapped.then(|| board.acts.len() - 1));
        }
        outcome
    });
    // The place is exact on Pulley; a compiler for a processor may merge a trap with the branch before it, and a
    // component has more than one module.
    assert_eq!(reason(&native), reason(&pulley));
    assert_eq!(reason(&native), reason(&component));
    pulley
}

fn outcome(module: &str) -> Outcome {
    outcome_with(module, POLICY)
}

fn reason(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Trapped(trap) => trap.reason.clone(),
        other => other.to_string(),
    }
}

pub fn trapped(body: &str) -> Trap {
    match outcome(&guest("", body)) {
        Outcome::Trapped(trap) => trap,
        other => panic!("{body}: {other:?}"),
    }
}

fn refused(module: &str) -> String {
    match outcome(module) {
        Outcome::Refused(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_guest_that_returns_has_ended() {
    for way in WAYS {
        let vitals = vitals();
        let (outcome, _) = way.run_with(&guest("", ""), POLICY, FakeBoard::new(POLICY), vitals);
        assert_eq!((outcome.to_string().as_str(), vitals.state.get()), ("returned", GuestState::Returned as u32));
    }
}

#[test]
fn a_trap_names_its_place() {
    let module = guest(
        "(func $deeper (drop (i32.load (i32.const -1))))",
        "(call $high (i32.const 15)) (call $delay (i32.const 10)) (call $low (i32.const 15)) (call $deeper)",
    );
    let Outcome::Trapped(trap) = outcome(&module) else { panic!("it traps") };
    let Place { function, offset } = trap.place.expect("it was in a function");
    // Three imports, then `$deeper`.
    assert_eq!(function, 3);
    const I32_LOAD: u8 = 0x28;
    assert_eq!(wat::parse_str(&module).expect("the test's own module")[offset as usize], I32_LOAD);
    assert_eq!(
        Outcome::Trapped(trap).to_string(),
        format!("trapped: wasm trap: out of bounds memory access; function 3, offset 0x{offset:x}")
    );
}

#[test]
fn a_trap_of_a_host_call_names_the_call() {
    let module = guest("", "(call $high (i32.const 24))");
    let Outcome::Trapped(Trap { reason, place }) = outcome(&module) else { panic!("it traps") };
    assert_eq!(reason, "gpio: GPIO 24 is not an output of tester's policy");
    let Place { function, offset } = place.expect("it was in run");
    assert_eq!(function, 1);
    // `call 0`.
    assert_eq!(wat::parse_str(&module).expect("the test's own module")[offset as usize..][..2], [0x10, 0x00]);
}

#[test]
fn what_the_policy_does_not_name_traps_by_name() {
    for (body, reason) in [
        ("(call $low (i32.const 4294967295))", "gpio: GPIO 4294967295 is not an output of tester's policy"),
        ("(call $toggle (i32.const 14))", "gpio: GPIO 14 is not an output of tester's policy"),
        ("(drop (call $is_high (i32.const 16)))", "gpio: GPIO 16 is neither an input nor an output of tester's policy"),
        ("(drop (call $pressed (i32.const 15)))", "button: GPIO 15 is not an input of tester's policy"),
        (
            "(drop (call $wait (i32.const 46) (i32.const 0) (i32.const 1)))",
            "button: GPIO 46 is not an input of tester's policy",
        ),
        ("(call $write (i32.const 0) (i32.const 0) (i32.const 1))", "uart: port 0 is not in tester's policy"),
        ("(call $read (i32.const 33) (i32.const 0) (i32.const 8))", "uart: port 33 is not in tester's policy"),
        (
            "(call $pwm (i32.const 25) (i32.const 2000) (i32.const 1))",
            "pwm: GPIO 25 is not a pwm pin of tester's policy",
        ),
        ("(call $stop (i32.const 48))", "pwm: GPIO 48 is not a pwm pin of tester's policy"),
    ] {
        assert_eq!(trapped(body).reason, reason);
    }
}

#[test]
fn what_is_too_long_short_or_often_traps() {
    for (body, reason) in [
        ("(call $delay (i32.const 60001))", "timing: a wait above the longest of tester's policy, 60000 ms"),
        ("(call $until (i64.const 60000001))", "timing: a wait above the longest of tester's policy, 60000 ms"),
        ("(call $until (i64.const -1))", "timing: a wait above the longest of tester's policy, 60000 ms"),
        (
            "(drop (call $wait (i32.const 14) (i32.const 0) (i32.const -1)))",
            "button: a wait above the longest of tester's policy, 60000 ms",
        ),
        (
            "(call $read (i32.const 1) (i32.const 60001) (i32.const 8))",
            "uart: a wait above the longest of tester's policy, 60000 ms",
        ),
        (
            "(call $pwm (i32.const 16) (i32.const 999) (i32.const 1))",
            "pwm: GPIO 16: 999 us is below the shortest period of tester's policy, 1000 us",
        ),
        (
            "(call $pwm (i32.const 16) (i32.const 65536) (i32.const 1))",
            "pwm: GPIO 16: 65536 us asked by tester is above the longest period, 65535 us",
        ),
        (
            "(loop $storm (call $toggle (i32.const 25)) (br $storm))",
            "more host calls in a second than tester's policy allows, 10000",
        ),
    ] {
        assert_eq!(trapped(body).reason, reason);
    }
}

#[test]
fn a_guest_without_output_traps_when_its_policy_says_so() {
    let policy = Policy { progress_ms: 2000, ..POLICY };
    for (body, after_us) in [
        // Outputs keep it alive, and only they.
        (
            "(call $high (i32.const 25)) (call $delay (i32.const 1999)) (call $pwm (i32.const 16) (i32.const 2000) (i32.const 1))
             (call $delay (i32.const 1999)) (call $write (i32.const 1) (i32.const 0) (i32.const 0))
             (loop $idle (drop (call $pressed (i32.const 14))) (call $delay (i32.const 100)) (br $idle))",
            5_998_000,
        ),
        // A wait is cut short.
        ("(call $delay (i32.const 60000))", 2_000_000),
        ("(call $until (i64.const 60000000))", 2_000_000),
        ("(drop (call $wait (i32.const 14) (i32.const 0) (i32.const 60000)))", 2_000_000),
        ("(call $read (i32.const 1) (i32.const 60000) (i32.const 0))", 2_000_000),
    ] {
        for way in WAYS {
            let (outcome, board) = way.run(&guest("", body), FakeBoard::new(policy));
            assert_eq!(reason(&outcome), "no output for longer than tester's policy allows, 2000 ms", "{body}");
            assert_eq!(board.acts.last(), Some(&(after_us, Act::Failed)), "{body}");
        }
    }
    // An event just before the end counts, although it brings no output.
    let waits =
        guest("", "(drop (call $wait (i32.const 14) (i32.const 0) (i32.const 60000))) (call $high (i32.const 25))");
    for way in WAYS {
        let board = FakeBoard { edges: vec![(1_999_999, false)], ..FakeBoard::new(policy) };
        assert_eq!(way.run(&waits, board).0, Outcome::Returned);
    }
}

#[test]
fn a_trapping_start_function_is_a_trap_of_the_start() {
    // Not as a component: the encoding would call it within an instance of its own all the same, but nothing makes such guests.
    for way in [Way::Native, Way::Pulley] {
        let vitals = vitals();
        for (start, reason) in [
            ("unreachable", "wasm trap: wasm `unreachable` instruction executed"),
            ("(call $high (i32.const 30))", "gpio: GPIO 30 is not an output of tester's policy"),
        ] {
            let module = guest(&format!("(func $start {start}) (start $start)"), "");
            let (outcome, board) = way.run_with(&module, POLICY, FakeBoard::new(POLICY), vitals);
            let Outcome::Trapped(trap) = outcome else { panic!("{outcome:?}") };
            assert_eq!(trap.reason, reason);
            assert!(board.is_none());
            assert_eq!(vitals.state.get(), GuestState::Trapped as u32);
        }
        assert_eq!(vitals.traps.get(), 2);
    }
}

#[test]
fn the_boards_end_is_no_trap() {
    for way in WAYS {
        let board = FakeBoard { stop_at_us: 700_000, ..FakeBoard::new(POLICY) };
        let (outcome, board) = way.run(&blinky(), board);
        assert_eq!(outcome, Outcome::Stopped);
        assert_eq!(board.acts.len(), 2);
    }
}

#[test]
fn an_unknown_import_is_refused_by_name() {
    for (import, named) in [
        ("(import \"wasi:cli/environment@0.2.0\" \"initial-cwd\" (func (result i32)))", "wasi:cli/environment@0.2.0"),
        ("(import \"embedded:platform/gpio@0.3.0\" \"set-high\" (func (param i32)))", "gpio@0.3.0"),
        (
            "(import \"embedded:platform/gpio@0.1.0\" \"toggle\" (func (param i32)))",
            "toggle of embedded:platform/gpio@0.1.0",
        ),
        ("(import \"embedded:platform/gpio@0.2.0\" \"set_high\" (func (param i32)))", "set_high"),
        ("(import \"embedded:platform/gpio@0.2.0\" \"set-high\" (func (param i64)))", "set-high"),
        ("(import \"embedded:platform/gpio@0.2.0\" \"set-high\" (func (param i32 i32)))", "set-high"),
        ("(import \"embedded:platform/gpio@0.2.0\" \"is-high\" (func (param i32)))", "is-high"),
        ("(import \"embedded:platform/gpio@0.2.0\" \"set-high\" (global i32))", "set-high"),
        ("(import \"\" \"\" (memory 0))", "unknown import"),
    ] {
        for way in [Way::Native, Way::Pulley] {
            let module = format!("(module {import} (func (export \"run\")))");
            let vitals = vitals();
            let (outcome, _) = way.run_with(&module, POLICY, FakeBoard::new(POLICY), vitals);
            let Outcome::Refused(reason) = outcome else { panic!("{outcome:?}") };
            assert!(reason.contains(named), "{reason}");
            assert_eq!(vitals.state.get(), GuestState::Refused as u32);
        }
    }
}

#[test]
fn a_guest_without_run_is_refused() {
    for module in ["(module)", "(module (func (export \"run\") (param i32)))", "(module (memory (export \"run\") 0))"] {
        for way in [Way::Native, Way::Pulley] {
            let (outcome, _) = way.run_with(module, POLICY, FakeBoard::new(POLICY), vitals());
            let Outcome::Refused(reason) = outcome else { panic!("{outcome:?}") };
            assert!(reason.contains("run"), "{reason}");
        }
    }
    let outcome = Way::Component.host().compile_component(b"(component)").and_then(|program| {
        Way::Component.host().start(&program, "tester", POLICY, FakeBoard::new(POLICY), vitals()).map(|_| ())
    });
    assert!(matches!(&outcome, Err(Outcome::Refused(reason)) if reason.contains("run")), "{outcome:?}");
}

#[test]
fn more_than_the_policy_gives_is_refused() {
    let reason = refused(&guest("(memory (export \"memory\") 4097 (pagesize 1))", ""));
    assert_eq!(reason, "tester needs 4097 bytes of memory, its policy gives 4096: build it with less");
    let reason = refused(&guest("(table 65 funcref)", ""));
    assert_eq!(reason, "tester needs tables of 65 elements, its policy gives 64: build it with less");
    let reason = refused(&guest("(table 40 funcref) (table 40 funcref)", ""));
    assert_eq!(reason, "tester needs tables of 80 elements, its policy gives 64: build it with less");
}
