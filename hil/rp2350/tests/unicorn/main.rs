//! The core against an independent one: random instructions of every encoding class, run both by the chip model and by
//! Unicorn's Cortex-M33, must leave the same registers, flags, floating-point state and memory.
//!
//! `UNICORN_LIBRARY` names libunicorn.so.2 (`./x setup` fetches it and sets this); `UNICORN_INSTRUCTIONS` is how many
//! instructions to run, `UNICORN_SEED` what to begin with. The seed is always printed: it repeats a run exactly. Where
//! Unicorn is known to be wrong or is silent, `expected` says so, case by case. Exceptions, interrupts, the debug
//! registers and the MPU are not compared here: Unicorn has none of them.

mod class;
mod classes;
mod engine;
mod expected;
mod generate;
mod model;
mod state;

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;

use engine::Engine;
use generate::{Case, Generator, SLOT, SLOTS, Shape};
use model::Model;
use state::{CODE_BYTES, DATA_BYTES, POINTER_BYTES, State};

const DEFAULT_INSTRUCTIONS: u64 = 300_000;
const DEFAULT_SEED: u64 = 2350;
/// Failing cases that are printed in full, in all and of one class.
const SHOWN: u64 = 40;
const SHOWN_OF_CLASS: u64 = 2;

fn number(name: &str, default: u64) -> u64 {
    match env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => default,
    }
}

/// What was seen of one class.
#[derive(Clone, Default)]
struct Tally {
    single: u64,
    sequence: u64,
    it_block: u64,
    trapped: u64,
    expected: u64,
    different: u64,
}

#[test]
fn agrees_with_unicorn() {
    let Some(library) = env::var_os("UNICORN_LIBRARY").map(PathBuf::from) else {
        panic!("UNICORN_LIBRARY is not set. Run `./x setup`, which fetches Unicorn, and test through `./x test`.");
    };
    let instructions = number("UNICORN_INSTRUCTIONS", DEFAULT_INSTRUCTIONS);
    let seed = number("UNICORN_SEED", DEFAULT_SEED);
    println!("UNICORN_SEED={seed} UNICORN_INSTRUCTIONS={instructions}");

    let mut generator = Generator::new(classes::all(), seed);
    let random = |rng: &mut fastrand::Rng, bytes, value: fn(&mut fastrand::Rng) -> u32| -> Vec<u8> {
        (0..bytes / 4).flat_map(|_| value(rng).to_le_bytes()).collect()
    };
    let rng = generator.rng();
    let mut code = random(rng, CODE_BYTES, |rng| rng.u32(..));
    let data = random(rng, DATA_BYTES, |rng| if rng.bool() { state::integer(rng) } else { state::float(rng) });
    let pointers = random(rng, POINTER_BYTES, state::code_address);

    let mut engine = Engine::new(&library, &code, &data, &pointers);
    let mut model = Model::new(&code, &data, &pointers);
    let mut tally = vec![Tally::default(); generator.classes().len()];
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    let mut done = 0;
    let mut shown = 0;
    while done < instructions {
        let cases: Vec<Case> = (0..SLOTS).map(|slot| generator.case(slot)).collect();
        for (slot, case) in cases.iter().enumerate() {
            let start = CODE_BYTES as usize / 4 + slot * SLOT as usize;
            for (place, halfword) in code[start..start + SLOT as usize].chunks_exact_mut(2).zip(&case.code) {
                place.copy_from_slice(&halfword.to_le_bytes());
            }
        }
        engine.set_code(&code);
        model.set_code(&code);

        for case in &cases {
            done += u64::from(case.instructions);
            let ours = model.run(&case.state, case.instructions, case.special);
            let theirs = engine.run(&case.state, case.instructions - case.uncounted, case.special);
            let tally = &mut tally[case.class];
            match case.shape {
                Shape::Single => tally.single += 1,
                Shape::Sequence => tally.sequence += 1,
                Shape::ItBlock => tally.it_block += 1,
            }
            if ours.trapped || theirs.trapped || case.special {
                model.restore();
                engine.restore();
            }
            let same = if ours.trapped || theirs.trapped {
                tally.trapped += u64::from(ours.trapped && theirs.trapped);
                ours.trapped == theirs.trapped
            } else {
                ours == theirs
            };
            // What a trapped sequence wrote before the trap must agree as well.
            let memory = first_difference(model.data(), engine.data());
            if same && memory.is_none() {
                continue;
            }
            engine.set_data(model.data());
            let class = &generator.classes()[case.class];
            if let Some(why) = expected::reason(class.name, case, &ours, &theirs, memory.is_some()) {
                tally.expected += 1;
                *reasons.entry(why).or_default() += 1;
                continue;
            }
            tally.different += 1;
            if tally.different <= SHOWN_OF_CLASS && shown < SHOWN {
                shown += 1;
                report(class.name, case, &ours, &theirs, memory);
            }
        }
    }

    println!("{done} instructions");
    println!(
        "{:<26} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9}",
        "class", "single", "sequence", "IT", "trapped", "expected", "different"
    );
    for (class, t) in generator.classes().iter().zip(&tally) {
        println!(
            "{:<26} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9}",
            class.name, t.single, t.sequence, t.it_block, t.trapped, t.expected, t.different
        );
    }
    for (why, count) in reasons {
        println!("expected, {count} times: {why}");
    }
    let different: u64 = tally.iter().map(|t| t.different).sum();
    assert_eq!(different, 0, "cases differ from Unicorn; repeat with UNICORN_SEED={seed}");
}

/// Offset of the first byte that differs.
fn first_difference(ours: &[u8], theirs: &[u8]) -> Option<usize> {
    if ours == theirs { None } else { ours.iter().zip(theirs).position(|(a, b)| a != b) }
}

fn report(class: &str, case: &Case, ours: &State, theirs: &State, memory: Option<usize>) {
    let code: String = case.code.iter().map(|halfword| format!("{halfword:04x} ")).collect();
    println!("{class}: {code}(ours, then Unicorn's):{}", ours.differences(theirs));
    if let Some(offset) = memory {
        println!("    memory at {:08x}", state::DATA as usize + offset);
    }
    println!("    before\n{}", case.state.dump());
    println!("    ours\n{}", ours.dump());
    println!("    Unicorn's\n{}", theirs.dump());
}
