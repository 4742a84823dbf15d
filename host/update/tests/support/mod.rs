//! Images as `guests/pack` writes them, and what a host of the tests believes.

use ed25519_dalek::{Signer, SigningKey};
use sandhill_update::{Trust, key_hash};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

pub const HEADER_BYTES: usize = 256;
pub const ENGINE: &str = "wasmtime 48.0.8 pulley32 3f9a01c2";
pub const POLICY: &[u8] = b"what it may use";
/// The key whose private half is `byte`, over and over.
pub fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

/// A host that believes keys 1 and 2.
pub fn trust() -> Trust<'static> {
    static KEYS: LazyLock<[[u8; 32]; 2]> = LazyLock::new(|| [1, 2].map(|byte| key(byte).verifying_key().to_bytes()));
    Trust {
        keys: &*KEYS,
        engine: ENGINE,
        packages: &["embedded:platform@0.1.0", "embedded:platform@0.2.0"],
        interfaces: &["gpio", "timing"],
    }
}

/// An image to be made.
pub struct Draft<'a> {
    pub payload: &'a [u8],
    pub version: [u8; 8],
    pub protected: Vec<(u16, Vec<u8>)>,
}

/// A guest's image with this payload and security counter.
pub fn draft(payload: &[u8], counter: u32) -> Draft<'_> {
    Draft {
        payload,
        version: [0, 2, 0, 0, 0, 0, 0, 0],
        protected: vec![
            (0x50, counter.to_le_bytes().to_vec()),
            (0xa0, POLICY.to_vec()),
            (0xa1, b"guest".to_vec()),
            (0xa2, ENGINE.into()),
            (0xa3, b"embedded:platform/blinky@0.2.0 gpio timing".to_vec()),
        ],
    }
}

impl Draft<'_> {
    /// What the hash is made of.
    pub fn hashed(&self) -> Vec<u8> {
        let tlvs = list(&self.protected);
        let protected_bytes = (tlvs.len() + 4) as u16;
        let mut image = Vec::new();
        image.extend(0x96f3_b83d_u32.to_le_bytes());
        image.extend(0_u32.to_le_bytes());
        image.extend((HEADER_BYTES as u16).to_le_bytes());
        image.extend(protected_bytes.to_le_bytes());
        image.extend((self.payload.len() as u32).to_le_bytes());
        image.extend(0_u32.to_le_bytes());
        image.extend(self.version);
        image.resize(HEADER_BYTES, 0);
        image.extend(self.payload);
        image.extend(0x6908_u16.to_le_bytes());
        image.extend(protected_bytes.to_le_bytes());
        image.extend(tlvs);
        image
    }

    /// Signed with key 1.
    pub fn signed(&self) -> Vec<u8> {
        sealed(self.hashed(), &key(1))
    }
}

/// With hash, key hash and signature of what is there.
pub fn sealed(hashed: Vec<u8>, key: &SigningKey) -> Vec<u8> {
    let hash = Sha256::digest(&hashed);
    let seal = [
        (0x10, hash.to_vec()),
        (0x01, key_hash(&key.verifying_key().to_bytes()).to_vec()),
        (0x24, key.sign(&hash).to_vec()),
    ];
    with_list(hashed, &seal)
}

/// With these TLVs behind.
pub fn with_list(mut hashed: Vec<u8>, tlvs: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let list = list(tlvs);
    hashed.extend(0x6907_u16.to_le_bytes());
    hashed.extend((list.len() as u16 + 4).to_le_bytes());
    hashed.extend(list);
    hashed
}

fn list(tlvs: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut list = Vec::new();
    for (kind, value) in tlvs {
        list.extend(kind.to_le_bytes());
        list.extend((value.len() as u16).to_le_bytes());
        list.extend(value);
    }
    list
}
