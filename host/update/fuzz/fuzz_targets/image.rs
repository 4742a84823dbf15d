//! A slot with any bytes in it: what is read of an image lies in the image, and what is taken is what was signed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sandhill_update::{Image, Trust};
use sha2::{Digest, Sha256};

/// The public key of the seeds' signatures; its private one is 32 times 1.
const KEY: [u8; 32] = [
    138, 136, 227, 221, 116, 9, 241, 149, 253, 82, 219, 45, 60, 186, 93, 114, 202, 103, 9, 191, 29, 148, 18, 27, 243,
    116, 136, 1, 180, 15, 111, 92,
];
const TRUST: Trust<'_> = Trust {
    keys: &[KEY],
    engine: "wasmtime 48.0.8 pulley32 3f9a01c2",
    packages: &["embedded:platform@0.2.0"],
    interfaces: &["gpio", "timing"],
};
/// Info, SHA-256, key hash and signature, in whatever order.
const SEAL_BYTES: usize = 144;

fuzz_target!(|slot: &[u8]| {
    let _ = Image::check_header(slot, slot.len());
    let parsed = Image::parse(slot);
    if let Ok(image) = parsed {
        assert!(image.bytes() <= slot.len() && image.payload().len() + 256 < image.bytes());
        assert!(slot.as_ptr_range().contains(&image.payload().as_ptr()) || image.payload().is_empty());
        assert!((1..=31).contains(&image.name().len()) && image.name().bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(image.engine().is_ascii() && image.needs().is_ascii());
    }
    match Image::verify(slot, &TRUST, 1) {
        Ok(image) => {
            assert_eq!(parsed, Ok(image));
            assert_eq!(Sha256::digest(&slot[..image.bytes() - SEAL_BYTES]).as_slice(), image.hash());
            assert!(image.security_counter() >= 1);
        }
        Err(error) => assert!(error.to_string().is_ascii()),
    }
});
