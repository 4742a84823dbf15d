//! The compute guest in each engine, on the chip model: right results, and nobody far off where it was.
//!
//! A guest's edge stands for one iteration with the right CRC. What the tests need, `./x test` builds.

use std::path::Path;

use compare::{Cost, ENGINES, Engine, Error, Slot, VERIFIERS, measure};

const PIN: u8 = 17;

fn artefacts() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/artefacts"))
}

fn cost(name: &'static str, iterations: usize) -> Cost {
    measure(&Engine::new(name, "compute-c", artefacts()), PIN, iterations).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_engine_computes_the_same() {
    let native = cost("native-o3", 20);
    assert!((200_000.0..450_000.0).contains(&native.instructions), "{native:?}");
    for &name in &ENGINES[1..] {
        let cost = cost(name, 3);
        let ratio = cost.instructions / native.instructions;
        let expected = if name.starts_with("native") { 0.8..1.5 } else { 10.0..40.0 };
        assert!(expected.contains(&ratio), "{name}: {ratio:.1} times native, {cost:?}");
    }
}

/// Both verify: a pin that moves stands for a signature that holds. The host's library is the one that takes less flash.
#[test]
fn signatures_are_verified_by_both_libraries() {
    let [salty, dalek] = [0, 1].map(|n| cost(VERIFIERS[n], 2));
    for cost in [&salty, &dalek] {
        assert!((1_000_000.0..6_000_000.0).contains(&cost.instructions), "{cost:?}");
    }
    assert!(salty.flash_bytes < dalek.flash_bytes && salty.ram.stack < dalek.ram.stack, "{salty:?}, {dalek:?}");
}

#[test]
fn an_iteration_is_the_same_every_time() {
    assert_eq!(cost("native-o2", 4), cost("native-o2", 4));
    let (few, many) = (cost("native-o2", 1).instructions, cost("native-o2", 30).instructions);
    assert!((few / many - 1.0).abs() < 0.001, "{few} and {many}");
}

/// The known result is one of the module's constants. With another one, no iteration is right.
#[test]
fn a_wrong_result_shows() {
    let engine = Engine::new("wasmi", "compute-c", artefacts());
    let Some(Slot::Module(path)) = &engine.slot else { panic!("wasmi runs a module") };
    let mut module = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let header = include_str!("../../../guests/compute/c/mix.h");
    let (_, rest) = header.split_once("MIX_RESULT = 0x").expect("mix.h has the result");
    let result = u32::from_str_radix(&rest[..4], 16).expect("four digits");
    // i32.const with the result, in LEB128 of three bytes.
    let constant = [0x41, result as u8 | 0x80, (result >> 7) as u8 | 0x80, (result >> 14) as u8];
    let places: Vec<_> = (0..module.len()).filter(|&at| module[at..].starts_with(&constant)).collect();
    assert_ne!(places.len(), 0, "the module compares with the result");
    for at in places {
        module[at + 1] ^= 1;
    }
    let spoilt = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spoilt.wasm");
    std::fs::write(&spoilt, module).expect("the folder for tests is writable");
    let engine = Engine { slot: Some(Slot::Module(spoilt)), ..engine };
    match measure(&engine, PIN, 1) {
        Err(Error::Silent { edges: 0, .. }) => {}
        other => panic!("{other:?}"),
    }
}
