//! Whatever bytes come in, guest-pack answers and does not panic. Fixed seed: a failure repeats.

use std::collections::BTreeMap;

use guest_pack::{Guest, Image, Key, Package, Release};
use sha2::{Digest, Sha256};

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
    Package::new(guest, Release::default(), &Key::from_seed([1; 32]), input)
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

/// What a signature is on may still be anything: its key's owner signed it.
#[test]
fn mutated_images_are_described_and_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    let module = r#"(module (import "embedded:platform/gpio@0.2.0" "set-high" (func $set-high (param i32)))
        (func (export "run") (call $set-high (i32.const 25))))"#;
    pack(module.as_bytes()).unwrap().write(folder.path()).unwrap();
    let image = std::fs::read(folder.path().join("mutant/guest.img")).unwrap();
    let key = Key::from_seed([1; 32]);
    assert_eq!(Image::parse(&image).unwrap().check(&[key.public()]), Ok(()), "the image is sound before it is mutated");
    // TLV info, hash, key hash and signature.
    let hashed = image.len() - 144;
    let sealed = |hashed: &[u8]| {
        let hash: [u8; 32] = Sha256::digest(hashed).into();
        let tlvs = [&b"\x07\x69\x90\x00\x10\x00\x20\x00"[..], &hash, b"\x01\x00\x20\x00", &key.public().hash()];
        [hashed, &tlvs.concat(), b"\x24\x00\x40\x00", &key.sign(&hash)].concat()
    };
    assert!(sealed(&image[..hashed]) == image, "sealed as guest-pack does it");

    let mut random = Random(SEED);
    let (mut parsed, mut sound, mut refused) = (0, 0, 0);
    for round in 0..MUTATIONS {
        let mut mutant = image.clone();
        // Where sizes, TLVs and the tables of the ELF file are, not in its code alone.
        let at = match random.below(4) {
            0 => random.below(32),
            1 => 256 + random.below(64),
            2 => hashed - random.below(200),
            _ => random.below(image.len()),
        };
        match random.below(3) {
            0 => mutant.truncate(at),
            1 => mutant[at] ^= 1 << random.below(8),
            _ => mutant[at] = u8::try_from(random.below(256)).unwrap(),
        }
        if round % 2 == 0 && mutant.len() == image.len() {
            mutant = sealed(&mutant[..hashed]);
        }
        let Ok(read) = Image::parse(&mutant) else {
            refused += 1;
            continue;
        };
        parsed += 1;
        assert!(!read.describe().is_empty());
        match read.check(&[key.public()]) {
            Ok(()) => sound += 1,
            Err(reason) => assert!(!reason.is_empty()),
        }
        if let Ok(again) = read.sign(&key, None, Some(1)) {
            assert_eq!(Image::parse(&again).unwrap().security_counter(), Some(1));
        }
    }
    assert!(parsed > sound && sound > 0 && refused > 0, "{parsed} parsed, {sound} sound, {refused} refused");
}
