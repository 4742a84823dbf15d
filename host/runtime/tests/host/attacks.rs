//! What a guest may try: each ends in a trap, a refusal or the answer no, and the board is asked for nothing that the policy
//! does not allow (`FakeBoard` asserts it).

use crate::board::{Act, FakeBoard, IMPORTS, POLICY, guest, vitals};
use crate::ways::{WAYS, Way};
use sandhill_runtime::{Outcome, Policy};

fn trapped(way: Way, module: &str) -> String {
    match way.run(module, FakeBoard::new(POLICY)).0 {
        Outcome::Trapped(trap) => trap.reason,
        other => panic!("{way:?}: {other:?}"),
    }
}

#[test]
fn endless_recursion_traps() {
    for way in WAYS {
        let reason = trapped(way, &guest("(func $deep (call $deep))", "(call $deep)"));
        assert_eq!(reason, "wasm trap: call stack exhausted");
    }
}

#[test]
fn an_endless_loop_ends_where_operations_are_counted() {
    let reason = trapped(Way::Component, &guest("", "(loop $for_ever (br $for_ever))"));
    assert_eq!(reason, "ran without a host call for longer than tester's policy allows, 10000 us");
    // The count begins anew with every host call: twice a hundred thousand operations are not too many.
    let busy = "(local.set $n (i32.const 25000))
        (loop $busy (br_if $busy (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))";
    let module = guest(
        "",
        &format!("(local $n i32) {busy} (call $toggle (i32.const 25)) {busy} (call $toggle (i32.const 25)) {busy}"),
    );
    assert_eq!(Way::Component.run(&module, FakeBoard::new(POLICY)).0, Outcome::Returned);
}

#[test]
fn an_access_outside_memory_traps() {
    for body in [
        "(drop (i32.load (i32.const 1021)))",
        "(i32.store8 (i32.const -1) (i32.const 0))",
        "(i64.store offset=4294967295 (i32.const -1) (i64.const 0))",
        "(memory.fill (i32.const 1000) (i32.const 0) (i32.const 25))",
        "(memory.copy (i32.const 0) (i32.const 1) (i32.const 1024))",
    ] {
        for way in WAYS {
            assert_eq!(trapped(way, &guest("", body)), "wasm trap: out of bounds memory access", "{body}");
        }
    }
}

#[test]
fn a_call_through_a_bad_table_entry_traps() {
    let fields = "(table 2 funcref) (elem (i32.const 0) $typed) (func $typed (param i64))";
    for (entry, reason) in [
        (0, "wasm trap: indirect call type mismatch"),
        (1, "wasm trap: uninitialized element"),
        (2, "wasm trap: undefined element: out of bounds table access"),
        (-1, "wasm trap: undefined element: out of bounds table access"),
    ] {
        for way in WAYS {
            assert_eq!(trapped(way, &guest(fields, &format!("(call_indirect (i32.const {entry}))"))), reason);
        }
    }
}

#[test]
fn arithmetic_traps_are_named() {
    for (body, reason) in [
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", "wasm trap: integer divide by zero"),
        ("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", "wasm trap: integer overflow"),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", "wasm trap: invalid conversion to integer"),
    ] {
        for way in WAYS {
            assert_eq!(trapped(way, &guest("", body)), reason);
        }
    }
}

#[test]
fn memory_grows_to_the_limit_and_no_further() {
    let module = guest(
        "(memory (export \"memory\") 1000 (pagesize 1))",
        "(if (i32.ne (memory.grow (i32.const 3096)) (i32.const 1000)) (then unreachable))
         (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
         (if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then unreachable))",
    );
    for way in WAYS {
        let vitals = vitals();
        assert_eq!(way.run_with(&module, POLICY, FakeBoard::new(POLICY), vitals).0, Outcome::Returned);
        assert_eq!(vitals.memory.get(), 4096);
    }
}

#[test]
fn growth_beyond_the_guests_own_maximum_costs_nothing() {
    let module = guest(
        "(memory (export \"memory\") 1000 2000 (pagesize 1))",
        "(if (i32.ne (memory.grow (i32.const 3000)) (i32.const -1)) (then unreachable))
         (if (i32.ne (memory.grow (i32.const 1000)) (i32.const 1000)) (then unreachable))",
    );
    for way in WAYS {
        let vitals = vitals();
        assert_eq!(way.run_with(&module, POLICY, FakeBoard::new(POLICY), vitals).0, Outcome::Returned);
        assert_eq!(vitals.memory.get(), 2000);
    }
}

#[test]
fn tables_grow_to_the_limit_and_no_further() {
    let module = guest(
        "(table $a 4 funcref) (table $b 20 funcref)",
        "(if (i32.ne (table.grow $a (ref.null func) (i32.const 40)) (i32.const 4)) (then unreachable))
         (if (i32.ne (table.grow $b (ref.null func) (i32.const 1)) (i32.const -1)) (then unreachable))",
    );
    for way in WAYS {
        assert_eq!(way.run(&module, FakeBoard::new(POLICY)).0, Outcome::Returned, "{way:?}");
    }
}

#[test]
fn more_tables_than_a_toolchain_makes_are_refused() {
    let module = guest("(table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref)", "");
    for way in [Way::Native, Way::Pulley] {
        let (outcome, _) = way.run_with(&module, POLICY, FakeBoard::new(POLICY), vitals());
        assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    }
}

#[test]
fn bytes_outside_memory_are_never_touched() {
    // Pointer and length; the memory has 1024 bytes.
    for (pointer, bytes) in [(1024, 1), (1023, 2), (0, 1025), (-1, 1), (-1, -1), (1, -1), (i32::MIN, i32::MIN), (-4, 4)]
    {
        let body = format!("(call $write (i32.const 1) (i32.const {pointer}) (i32.const {bytes}))");
        for way in WAYS {
            let (outcome, board) = way.run(&guest("", &body), FakeBoard::new(POLICY));
            assert!(matches!(outcome, Outcome::Trapped(_)), "{body}: {outcome:?}");
            assert_eq!(board.acts, [(0, Act::Failed)], "{body}");
        }
    }
    for pointer in [1023, 1024, -1, -2, i32::MIN] {
        let body = format!("(call $read (i32.const 1) (i32.const 100) (i32.const {pointer}))");
        for way in [Way::Native, Way::Pulley] {
            // Before it waits: the byte stays for whoever asks properly.
            let board = FakeBoard { bytes: vec![(0, b'x')], ..FakeBoard::new(POLICY) };
            let (outcome, board) = way.run(&guest("", &body), board);
            let Outcome::Trapped(trap) = outcome else { panic!("{body}: {outcome:?}") };
            assert_eq!(trap.reason, format!("uart: 2 bytes at {} are not in the memory of tester", pointer as u32));
            assert_eq!((board.now_us, board.bytes.len()), (0, 1));
        }
    }
}

#[test]
fn an_edge_that_does_not_exist_traps() {
    for edge in [2, 3, 255, 256, -1, i32::MIN] {
        let body = format!("(drop (call $wait (i32.const 14) (i32.const {edge}) (i32.const 1)))");
        for way in WAYS {
            let (outcome, board) = way.run(&guest("", &body), FakeBoard::new(POLICY));
            assert!(matches!(outcome, Outcome::Trapped(_)), "{body}: {outcome:?}");
            assert_eq!(board.now_us, 0);
        }
    }
}

/// Edge values into every import, in all combinations: whatever comes of it, the host is alive, and the board was asked for
/// nothing forbidden. Under policies that allow something, nothing and everything.
#[test]
fn edge_values_into_every_import_do_no_harm() {
    const WORDS: [u32; 6] = [0, 1, 14, 25, 0x8000_0000, 0xffff_ffff];
    let everything = Policy {
        outputs: 0x00ff_00ff,
        safe_high: 0,
        inputs: 0xff00_0000,
        pull_up: 0,
        pwm: 0x0000_ff00,
        uarts: u32::MAX,
        pwm_min_period_us: 0,
        wait_ms: u32::MAX,
        ..POLICY
    };
    let data: String = WORDS.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("\\{byte:02x}")).collect();
    for (name, _, function, ty) in IMPORTS {
        let parameters = ty.split("(result").next().expect("the part before").matches("i32").count();
        let (parameters, load) =
            if ty.contains("(param i64)") { (1, "i64.load32_s") } else { (parameters, "i32.load") };
        // The clock's first value says which combination this run is: its digits choose the words.
        let mut call = format!("(call {name}");
        for digit in 0..parameters {
            let divisor = WORDS.len().pow(digit as u32);
            call += &format!(
                " ({load} (i32.shl (i32.rem_u (i32.div_u (local.get $n) (i32.const {divisor})) (i32.const {})) (i32.const 2)))",
                WORDS.len()
            );
        }
        call += ")";
        if ty.contains("(result") {
            call = format!("(drop {call})");
        }
        let body = format!("(local $n i32) (local.set $n (i32.wrap_i64 (call $now))) {call}");
        let module = guest(&format!("(data (i32.const 0) \"{data}\")"), &body);
        for way in [Way::Pulley, Way::Component] {
            let program = way.compile(&module).expect("a sound module");
            for policy in [POLICY, Policy::NONE, everything] {
                for combination in 0..WORDS.len().pow(parameters as u32) {
                    let board = FakeBoard { now_us: combination as u64, ..FakeBoard::new(policy) };
                    let started = way.host().start(&program, "tester", policy, board, vitals());
                    let mut guest = started.unwrap_or_else(|outcome| panic!("{outcome:?}"));
                    let outcome = guest.run();
                    let failed = guest.into_board().acts.iter().any(|(_, act)| *act == Act::Failed);
                    match outcome {
                        Outcome::Returned => assert!(!failed, "{function}, {combination}"),
                        Outcome::Trapped(_) => assert!(failed, "{function}, {combination}"),
                        other => panic!("{function}, {combination}: {other:?}"),
                    }
                }
            }
        }
    }
}
