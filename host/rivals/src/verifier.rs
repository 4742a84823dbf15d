//! Verifies the same guest image over and over, as the host does before it runs one: its SHA-256, then an Ed25519 signature
//! of that. Which library does it, `verify` of the program decides. Each time it holds, the pin is toggled.

use cortex_m_rt::entry;
use sandhill_rivals::Pins;
use sha2::{Digest, Sha256};

/// As long as a small guest's.
static IMAGE: [u8; 3000] = [0x5a; _];
/// Of a fixed key, and of [`IMAGE`] (build.rs).
const PUBLIC_KEY: [u8; 32] = include!(concat!(env!("OUT_DIR"), "/public_key.rs"));
const SIGNATURE: [u8; 64] = include!(concat!(env!("OUT_DIR"), "/signature.rs"));

/// `hil/compare` looks at this pin.
const PIN: u32 = 17;

#[entry]
fn main() -> ! {
    let mut pins = Pins::new();
    loop {
        // The compiler must not know what is verified.
        let digest = Sha256::digest(core::hint::black_box(&IMAGE));
        let (key, signature) = core::hint::black_box((&PUBLIC_KEY, &SIGNATURE));
        assert!(crate::verify(key, &digest, signature), "the signature holds");
        pins.toggle(PIN);
    }
}
