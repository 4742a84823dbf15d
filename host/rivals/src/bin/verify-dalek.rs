//! Signatures verified with `ed25519-dalek`.

#![no_std]
#![no_main]

use ed25519_dalek::{Signature, Verifier, VerifyingKey};

#[path = "../verifier.rs"]
mod verifier;

fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let key = VerifyingKey::from_bytes(key).expect("a point of the curve");
    key.verify(message, &Signature::from_bytes(signature)).is_ok()
}
