//! `manifest.json`: what an artefact is, what made it, and how large each stage came out.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{Policy, hex};

/// Versions of the crates that decide the bytes; a test compares them with `Cargo.lock`.
pub const WASMTIME: &str = "48.0.8";
pub const WIT_COMPONENT: &str = "0.254.2";

#[derive(Serialize)]
pub struct Manifest {
    pub name: String,
    pub program: String,
    /// `rust`, `c`, `zig`; `wat` or `wasm` where only a module was given.
    pub language: String,
    pub world: String,
    /// The release's, `0.2.0+0`, and its counter.
    pub version: String,
    pub security_counter: u32,
    /// Whose signature the image has, as `SANDHILL_GUEST_KEYS` names it; none in an image that is not signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Tool → version.
    pub tools: BTreeMap<String, String>,
    /// Linear memory.
    pub memory_bytes: u64,
    /// With every key; none for an image without a policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// File name → size and hash.
    pub artefacts: BTreeMap<String, Artefact>,
}

#[derive(Serialize)]
pub struct Artefact {
    pub bytes: usize,
    pub sha256: String,
}

impl Artefact {
    pub fn of(content: &[u8]) -> Self {
        Self { bytes: content.len(), sha256: hex(&Sha256::digest(content)) }
    }
}

impl Manifest {
    /// Indented, with a final newline, keys in a fixed order.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("a manifest holds only strings and numbers");
        json.push('\n');
        json
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_those_of_the_lock_file() {
        let lock = include_str!("../../../Cargo.lock");
        for (name, version) in [("wasmtime", super::WASMTIME), ("wit-component", super::WIT_COMPONENT)] {
            let entry = format!("name = \"{name}\"\nversion = \"{version}\"");
            assert!(lock.contains(&entry), "{name} is no longer {version}: change the constant");
        }
    }
}
