//! What becomes of a guest, natively and on Pulley: it runs, ends, or is refused, and the reason is one clear line.

use crate::board::{BLINKY, FOREIGN_IMPORT, FakeBoard, LIMITS, RETURN, TRAP, guest, vitals};
use sandhill_runtime::{GuestState, Host, Outcome, Vitals};

/// Runs a component's text on a board, natively or on the interpreter.
fn run_on(host: &Host, text: &str, board: FakeBoard, vitals: &'static Vitals) -> (Outcome, Option<FakeBoard>) {
    let started = host.compile(text.as_bytes()).and_then(|component| host.start(&component, board, vitals));
    match started {
        Ok(guest) => {
            let (outcome, board) = guest.run();
            (outcome, Some(board))
        }
        Err(outcome) => (outcome, None),
    }
}

fn hosts() -> [Host; 2] {
    [
        Host::new(LIMITS).expect("this machine has a compiler"),
        Host::for_target(LIMITS, "pulley64").expect("Pulley runs everywhere"),
    ]
}

/// The outcome on both engines, which has to be the same.
fn outcome(text: &str) -> Outcome {
    let [native, pulley] = hosts().map(|host| run_on(&host, text, FakeBoard::new(), vitals()).0);
    assert_eq!(native, pulley);
    native
}

fn trapped(text: &str) -> String {
    match outcome(text) {
        Outcome::Trapped(reason) => reason,
        other => panic!("{other:?}"),
    }
}

fn refused(text: &str) -> String {
    match outcome(text) {
        Outcome::Refused(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn blinky_keeps_its_period_whatever_a_call_costs() {
    for host in hosts() {
        let board = FakeBoard { call_us: 300, late_us: 7, stop_at_us: 100_000_000, ..FakeBoard::new() };
        let vitals = vitals();
        let (outcome, board) = run_on(&host, BLINKY, board, vitals);
        assert_eq!(outcome, Outcome::Stopped);
        let edges = board.expect("it started").edges;
        assert!(edges.len() >= 199);
        // The first delay counts from its call, 300 us after the first edge; each later one from the one before.
        assert_eq!(edges[0], (0, 25, true));
        for (index, edge) in edges.iter().enumerate().skip(1) {
            assert_eq!(*edge, (300 + 500_000 * index as u64 + 7, 25, index % 2 == 0));
        }
        assert_eq!(vitals.delay_late_us_max.get(), 7);
        assert_eq!(vitals.host_calls.get() as usize, edges.len() * 2 - 1);
    }
}

#[test]
fn a_host_call_is_booked_without_its_sleep() {
    let board = FakeBoard { call_us: 300, stop_at_us: 5_000_000, ..FakeBoard::new() };
    let vitals = vitals();
    run_on(&hosts()[1], BLINKY, board, vitals);
    // The fake board's calls cost 300 cycles for a pin and none for a delay.
    assert_eq!(vitals.call_cycles_max.get(), 300);
    assert!(vitals.boot_to_first_edge_cycles.get() > 0);
}

#[test]
fn the_first_edge_is_a_change_of_level() {
    let vitals = vitals();
    let text = guest("", "(call $low (i32.const 4)) (call $delay (i32.const 20)) (call $high (i32.const 4))");
    let (outcome, _) = run_on(&hosts()[1], &text, FakeBoard::new(), vitals);
    assert_eq!(outcome, Outcome::Returned);
    assert_eq!(vitals.boot_to_first_edge_cycles.get(), 20_000);
}

#[test]
fn a_guest_that_returns_has_ended() {
    let vitals = vitals();
    assert_eq!(run_on(&hosts()[0], RETURN, FakeBoard::new(), vitals).0, Outcome::Returned);
    assert_eq!(vitals.guest_state.get(), GuestState::Returned as u32);
    assert_eq!(vitals.traps.get(), 0);
    assert_eq!(outcome(RETURN).to_string(), "returned");
}

#[test]
fn a_trap_is_named_and_pins_stay() {
    let vitals = vitals();
    let (outcome, board) = run_on(&hosts()[1], TRAP, FakeBoard::new(), vitals);
    assert_eq!(outcome.to_string(), "trapped: wasm trap: wasm `unreachable` instruction executed");
    assert_eq!(board.expect("it started").edges, [(0, 15, true), (10_000, 15, false)]);
    assert_eq!(vitals.guest_state.get(), GuestState::Trapped as u32);
    assert_eq!(vitals.traps.get(), 1);
    assert_eq!(trapped(TRAP), "wasm trap: wasm `unreachable` instruction executed");
}

#[test]
fn a_bad_pin_traps_with_its_number() {
    assert_eq!(
        trapped(&guest("", "(call $high (i32.const 30))")),
        "GPIO 30 does not exist: this board has GPIO 0 to 29"
    );
    assert_eq!(
        trapped(&guest("", "(call $low (i32.const 0xffffffff))")),
        "GPIO 4294967295 does not exist: this board has GPIO 0 to 29"
    );
    assert_eq!(
        trapped(&guest("", "(call $high (i32.const 1))")),
        "GPIO 1 belongs to the host (console): choose another pin"
    );
}

#[test]
fn endless_recursion_traps() {
    let reason = trapped(&guest("(func $deep (call $deep))", "(call $deep)"));
    assert!(reason.contains("call stack exhausted"), "{reason}");
}

#[test]
fn an_access_outside_memory_traps() {
    let reason = trapped(&guest("(memory 1024 1024 (pagesize 1))", "(drop (i32.load (i32.const 1021)))"));
    assert!(reason.contains("out of bounds memory access"), "{reason}");
}

#[test]
fn too_much_memory_is_refused() {
    let reason = refused(&guest("(memory 1)", ""));
    assert!(reason.contains("the guest needs 65536 bytes of memory, this host gives 4096"), "{reason}");
}

#[test]
fn two_memories_share_one_limit() {
    // Two modules, because one module may have one memory.
    let text = RETURN.replace(
        "(core instance $guest",
        "(core module $more (memory 3000 (pagesize 1))) (core instance (instantiate $more)) \
         (core instance (instantiate $more)) (core instance $guest",
    );
    let reason = refused(&text);
    assert!(reason.contains("the guest needs 6000 bytes of memory"), "{reason}");
}

#[test]
fn memory_grows_to_the_limit_and_no_further() {
    let vitals = vitals();
    let text = guest(
        "(memory 1000 (pagesize 1))",
        "(if (i32.ne (memory.grow (i32.const 3096)) (i32.const 1000)) (then unreachable))
         (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))",
    );
    assert_eq!(run_on(&hosts()[1], &text, FakeBoard::new(), vitals).0, Outcome::Returned);
    assert_eq!(vitals.guest_memory.get(), 4096);
}

#[test]
fn growth_beyond_the_guests_own_maximum_costs_nothing() {
    let vitals = vitals();
    let text = guest(
        "(memory 1000 2000 (pagesize 1))",
        "(if (i32.ne (memory.grow (i32.const 3000)) (i32.const -1)) (then unreachable))
         (if (i32.ne (memory.grow (i32.const 1000)) (i32.const 1000)) (then unreachable))",
    );
    assert_eq!(run_on(&hosts()[1], &text, FakeBoard::new(), vitals).0, Outcome::Returned);
    assert_eq!(vitals.guest_memory.get(), 2000);
}

#[test]
fn a_trapping_start_function_is_a_trap() {
    let reason = trapped(&guest("(func $start unreachable) (start $start)", ""));
    assert!(reason.contains("unreachable"), "{reason}");
}

#[test]
fn a_start_function_that_names_a_bad_pin_is_a_trap() {
    let reason = trapped(&guest("(func $start (call $high (i32.const 30))) (start $start)", ""));
    assert_eq!(reason, "GPIO 30 does not exist: this board has GPIO 0 to 29");
}

#[test]
fn an_unknown_import_is_refused_by_name() {
    let reason = refused(FOREIGN_IMPORT);
    assert!(reason.contains("wasi:cli/environment@0.2.0"), "{reason}");
}

#[test]
fn a_component_without_run_is_refused() {
    let vitals = vitals();
    let (outcome, _) = run_on(&hosts()[0], "(component)", FakeBoard::new(), vitals);
    let Outcome::Refused(reason) = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("run"), "{reason}");
    assert_eq!(vitals.guest_state.get(), GuestState::Refused as u32);
}
