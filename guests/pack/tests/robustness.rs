//! Whatever bytes come in, guest-pack answers and does not panic. Fixed seed: a failure repeats.

use std::collections::BTreeMap;

use guest_pack::{Guest, Package};

/// Enough that every section of the module is hit many times over.
const MUTATIONS: usize = 1000;
const SEED: u64 = 0x5eed_6e57;

/// Marsaglia's xorshift64: all the randomness a mutation needs.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

fn pack(input: &[u8]) -> guest_pack::Result<Package> {
    let guest = Guest {
        name: "mutant".into(),
        program: "mutant".into(),
        language: "wasm".into(),
        world: "blinky".into(),
        tools: BTreeMap::new(),
        policy: None,
    };
    Package::new(guest, input)
}

#[test]
fn mutated_guests_are_packed_or_refused() {
    let module = r#"(module
        (import "embedded:platform/gpio@0.2.0" "set-high" (func $set-high (param i32)))
        (import "embedded:platform/timing@0.2.0" "delay-ms" (func $delay-ms (param i32)))
        (memory 1 1) (global (export "__heap_base") i32 (i32.const 1040)) (data (i32.const 16) "data")
        (func (export "run") (call $set-high (i32.load (i32.const 16))) (call $delay-ms (i32.const 500))))"#;
    let module = wat::parse_str(module).unwrap();
    assert!(pack(&module).is_ok(), "the module is sound before it is mutated");

    let mut random = Random(SEED);
    let (mut packed, mut refused) = (0, 0);
    for _ in 0..MUTATIONS {
        let mut mutant = module.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(mutant.len());
            match random.below(3) {
                0 => mutant[at] ^= 1 << random.below(8),
                1 => mutant.truncate(at.max(1)),
                _ => mutant.insert(at, u8::try_from(random.below(256)).unwrap()),
            }
        }
        match pack(&mutant) {
            Ok(_) => packed += 1,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
    }
    assert!(packed > 0 && refused > 0, "mutations reach both ends: {packed} packed, {refused} refused");
}
