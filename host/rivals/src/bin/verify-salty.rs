//! Signatures verified with `salty`.

#![no_std]
#![no_main]

#[path = "../verifier.rs"]
mod verifier;

fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let key = salty::PublicKey::try_from(key).expect("a point of the curve");
    key.verify(message, &salty::Signature::from(signature)).is_ok()
}
