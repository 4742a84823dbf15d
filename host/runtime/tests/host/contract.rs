//! What the functions of the contract do, the same whichever way a guest runs.

use crate::board::{Act, FakeBoard, POLICY, blinky, guest, vitals};
use crate::ways::WAYS;
use sandhill_runtime::{Outcome, Policy};

/// Runs a guest that ends by itself in every way: the same acts, at the same times.
fn acts(module: &str, board: impl Fn() -> FakeBoard) -> Vec<(u64, Act)> {
    let [native, pulley, component] = WAYS.map(|way| {
        let (outcome, board) = way.run(module, board());
        assert_eq!(outcome, Outcome::Returned, "{way:?}");
        board.acts
    });
    assert_eq!(native, pulley);
    assert_eq!(native, component);
    native
}

fn plain() -> FakeBoard {
    FakeBoard::new(POLICY)
}

#[test]
fn pins_follow_the_calls() {
    let module = guest(
        "",
        "(call $high (i32.const 25)) (call $low (i32.const 25)) (call $toggle (i32.const 15)) (call $toggle (i32.const 15))",
    );
    let set = [Act::Set(25, true), Act::Set(25, false), Act::Toggle(15), Act::Toggle(15)];
    assert_eq!(acts(&module, plain), set.map(|act| (0, act)));
}

#[test]
fn a_level_reaches_the_guest() {
    // The pin shows what was read: an input, inverted by the button, and an output.
    let module = guest(
        "",
        "(if (call $is_high (i32.const 14)) (then (call $high (i32.const 25))))
         (if (call $pressed (i32.const 14)) (then (call $high (i32.const 15))))
         (if (call $is_high (i32.const 25)) (then (call $low (i32.const 25))))",
    );
    assert_eq!(acts(&module, plain), [(0, Act::Set(25, true)), (0, Act::Set(25, false))]);
    assert_eq!(acts(&module, || FakeBoard { input: false, ..plain() }), [(0, Act::Set(15, true))]);
}

#[test]
fn a_wait_ends_with_its_edge_or_its_time() {
    let module = guest(
        "",
        "(if (call $wait (i32.const 14) (i32.const 0) (i32.const 100)) (then (call $high (i32.const 25))))
         (if (call $wait (i32.const 14) (i32.const 1) (i32.const 100)) (then (call $low (i32.const 25))))
         (if (call $wait (i32.const 14) (i32.const 0) (i32.const 100)) (then unreachable))
         (call $toggle (i32.const 15))",
    );
    // Pressed is falling, because a button pulls its pin down.
    let board = || FakeBoard { edges: vec![(30_000, false), (70_000, true)], ..plain() };
    assert_eq!(
        acts(&module, board),
        [(30_000, Act::Set(25, true)), (70_000, Act::Set(25, false)), (170_000, Act::Toggle(15))]
    );
}

#[test]
fn bytes_go_both_ways() {
    // Reads until nothing comes for 10 ms, then writes what it has; an option is tag and value.
    let module = guest(
        "",
        "(local $end i32)
         (local.set $end (i32.const 100))
         (block $done (loop $more
            (call $read (i32.const 1) (i32.const 10) (local.get $end))
            (br_if $done (i32.eqz (i32.load8_u (local.get $end))))
            (i32.store8 (local.get $end) (i32.load8_u offset=1 (local.get $end)))
            (local.set $end (i32.add (local.get $end) (i32.const 1)))
            (br $more)))
         (call $write (i32.const 1) (i32.const 100) (i32.sub (local.get $end) (i32.const 100)))
         (call $write (i32.const 1) (i32.const 1024) (i32.const 0))",
    );
    let board = || FakeBoard { bytes: vec![(0, b'o'), (5_000, b'k'), (14_000, 0), (90_000, b'!')], ..plain() };
    assert_eq!(acts(&module, board), [(24_000, Act::Write(1, vec![b'o', b'k', 0])), (24_000, Act::Write(1, vec![]))]);
}

#[test]
fn pulses_are_passed_on() {
    let module = guest(
        "",
        "(call $pwm (i32.const 16) (i32.const 20000) (i32.const 1500))
         (call $pwm (i32.const 31) (i32.const 1000) (i32.const 4294967295))
         (call $pwm (i32.const 16) (i32.const 65535) (i32.const 0))
         (call $stop (i32.const 16))",
    );
    let set = [Act::Pwm(16, 20_000, 1500), Act::Pwm(31, 1000, u32::MAX), Act::Pwm(16, 65_535, 0), Act::PwmStop(16)];
    assert_eq!(acts(&module, plain), set.map(|act| (0, act)));
}

#[test]
fn delays_and_clock_agree() {
    let module = guest(
        "(global $t (mut i64) (i64.const 0))",
        "(global.set $t (i64.add (call $now) (i64.const 2500)))
         (call $until (global.get $t))
         (call $toggle (i32.const 25))
         ;; In the past: at once.
         (call $until (i64.const 0))
         (call $toggle (i32.const 25))
         (if (i64.ne (call $now) (i64.const 2500)) (then unreachable))
         (call $until (i64.const 60002500))",
    );
    assert_eq!(acts(&module, plain), [(2_500, Act::Toggle(25)), (2_500, Act::Toggle(25))]);
    // The end of `delay-until` is the end of a delay: what the pin costs afterwards does not lengthen the next one.
    let module = guest(
        "",
        "(call $until (i64.const 2500)) (call $toggle (i32.const 25)) (call $delay (i32.const 1)) (call $toggle (i32.const 25))",
    );
    assert_eq!(
        acts(&module, || FakeBoard { call_us: 300, ..plain() }),
        [(2_500, Act::Toggle(25)), (3_500, Act::Toggle(25))]
    );
}

#[test]
fn blinky_keeps_the_ideal_schedule_from_its_first_edge() {
    for way in WAYS {
        // A pin takes 300 us, the guest 3 us from call to call, and a sleep ends 7 us late. The board sleeps for 20 us
        // before the guest's first call.
        let board = FakeBoard { call_us: 300, gap_us: 3, late_us: 7, begin_us: 20, stop_at_us: 100_000_000, ..plain() };
        let vitals = vitals();
        let (outcome, board) = way.run_with(&blinky(), POLICY, board, vitals);
        assert_eq!(outcome, Outcome::Stopped);
        let acts = board.expect("it starts").acts;
        assert!(acts.len() >= 199);
        for (index, act) in acts.iter().enumerate() {
            assert_eq!(*act, (27 + 500_000 * index as u64, Act::Set(25, index % 2 == 0)));
        }
        assert_eq!(vitals.delay_late_us_max.get(), 7);
        assert_eq!(vitals.host_calls.get() as usize, acts.len() * 2 - 1);
        assert_eq!(vitals.call_cycles_max.get(), 300);
    }
}

#[test]
fn a_guest_that_computes_before_its_first_delay_counts_from_its_first_call() {
    let board = FakeBoard { gap_us: 400, begin_us: 20, stop_at_us: 2_000_000, ..plain() };
    let acts = WAYS[1].run(&blinky(), board).1.acts;
    assert_eq!(acts[0].0, 20);
    assert_eq!(acts[1].0, 500_420);
    assert_eq!(acts[2].0, 1_000_420);
}

#[test]
fn the_first_edge_is_a_change_of_level() {
    for (body, edges) in [
        ("(call $low (i32.const 15))", 0),
        ("(call $low (i32.const 15)) (call $high (i32.const 15)) (call $high (i32.const 25))", 1),
        ("(call $toggle (i32.const 15)) (call $toggle (i32.const 15))", 1),
        ("(call $pwm (i32.const 16) (i32.const 2000) (i32.const 0))", 0),
        ("(call $pwm (i32.const 16) (i32.const 2000) (i32.const 1)) (call $high (i32.const 25))", 1),
    ] {
        for way in WAYS {
            assert_eq!(way.run(&guest("", body), plain()).1.first_edges, edges, "{body}");
        }
    }
}

#[test]
fn a_guest_of_the_first_contract_runs() {
    let module = blinky().replace("@0.2.0", "@0.1.0");
    for way in WAYS {
        let (outcome, board) = way.run(&module, FakeBoard { stop_at_us: 1_700_000, ..plain() });
        assert_eq!(outcome, Outcome::Stopped);
        assert_eq!(board.acts.len(), 4);
    }
}

#[test]
fn a_guest_without_a_policy_may_wait() {
    let module = guest("", "(call $delay (i32.const 60000)) (drop (call $now))");
    for way in WAYS {
        assert_eq!(way.run(&module, FakeBoard::new(Policy::NONE)).0, Outcome::Returned);
    }
}
