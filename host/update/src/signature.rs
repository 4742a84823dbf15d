//! Ed25519 (RFC 8032) as images use it: the signature is one of the 32 bytes of the image's SHA-256, and the key is
//! named by the SHA-256 of its SubjectPublicKeyInfo (RFC 8410), as imgtool does.

use sha2::{Digest, Sha256};

/// DER of a SubjectPublicKeyInfo for Ed25519, up to the key (RFC 8410, 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The order of the group, 2^252 + 27742317777372353535851937790883648493 (RFC 8032, 5.1), little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// What images call `key`: the SHA-256 of its 44 bytes of SubjectPublicKeyInfo.
#[must_use]
pub fn key_hash(key: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(SPKI_PREFIX).chain_update(key).finalize().into()
}

/// Whether `signature` is one of `message` by the owner of `key`.
pub(crate) fn is_valid(key: &[u8; 32], message: &[u8; 32], signature: &[u8; 64]) -> bool {
    let (_, s) = signature.split_at(32);
    // RFC 8032, 5.1.7: with S beyond the order the same signature could be written in a second way. Salty does not look.
    if !s.iter().rev().lt(ORDER.iter().rev()) {
        return false;
    }
    let Ok(key) = salty::PublicKey::try_from(key) else {
        return false;
    };
    key.verify(message, &salty::Signature::from(signature)).is_ok()
}
