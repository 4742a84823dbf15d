//! Images that are wrong in one way each, made of a sound guest: what a host has to refuse. And two that differ only in
//! their security counter, neither of them wrong.

use sha2::{Digest, Sha256};

use crate::{Key, Package, Result, engine, image};

/// Spoils a sound package that the key signed.
type Spoil = fn(&mut Package, &Key) -> Result<()>;

/// By the fixture's name.
pub const ALL: [(&str, Spoil); 13] = [
    ("bad-policy", bad_policy),
    ("bad-signature", bad_signature),
    ("corrupt", corrupt),
    ("counter-0", |package, key| counter(package, key, 0)),
    ("counter-1", |package, key| counter(package, key, 1)),
    ("foreign-cwasm", foreign_cwasm),
    ("foreign-engine", foreign_engine),
    ("foreign-key", foreign_key),
    ("foreign-world", foreign_world),
    ("no-policy", no_policy),
    ("oversized", oversized),
    ("truncated", truncated),
    ("unsigned", unsigned),
];

/// Of the key that no host trusts.
const FOREIGN_SEED: [u8; 32] = [0x5a; 32];
/// What an image of the Wasmtime before this one would say.
const FOREIGN_WASMTIME: &str = "47.0.0";
/// More than a slot, and more than all of them together: 2 MiB.
const OVERSIZED: u32 = 0x20_0000;

/// Of another version.
fn bad_policy(package: &mut Package, key: &Key) -> Result<()> {
    if let Some(version) = package.label.policy.as_mut().and_then(|policy| policy.first_mut()) {
        *version += 1;
    }
    package.sign(key);
    Ok(())
}

fn no_policy(package: &mut Package, key: &Key) -> Result<()> {
    package.guest.policy = None;
    package.label.policy = None;
    package.sign(key);
    Ok(())
}

/// The right key's signature, of something else.
fn bad_signature(package: &mut Package, key: &Key) -> Result<()> {
    let hashed = package.label.onto(&package.cwasm);
    let hash: [u8; 32] = Sha256::digest(&hashed).into();
    let signature = key.sign(&Sha256::digest(b"something else"));
    let tlvs: [(u16, &[u8]); 3] =
        [(image::TLV_SHA256, &hash), (image::TLV_KEY_HASH, &key.public().hash()), (image::TLV_ED25519, &signature)];
    package.image = image::close(hashed, &tlvs);
    Ok(())
}

/// One bit in the middle of the payload.
fn corrupt(package: &mut Package, _: &Key) -> Result<()> {
    package.image[image::HEADER_SIZE + package.cwasm.len() / 2] ^= 0x10;
    Ok(())
}

fn counter(package: &mut Package, key: &Key, counter: u32) -> Result<()> {
    package.label.release.security_counter = counter;
    package.sign(key);
    Ok(())
}

/// The image says it is for the host's engine, and only Wasmtime's own check can tell that it is not.
fn foreign_cwasm(package: &mut Package, key: &Key) -> Result<()> {
    package.cwasm = engine::with_foreign_version(&package.cwasm)?;
    package.sign(key);
    Ok(())
}

fn foreign_engine(package: &mut Package, key: &Key) -> Result<()> {
    package.cwasm = engine::with_foreign_version(&package.cwasm)?;
    package.label.engine = engine::text_of(FOREIGN_WASMTIME, &package.cwasm)?;
    package.sign(key);
    Ok(())
}

fn foreign_key(package: &mut Package, _: &Key) -> Result<()> {
    package.sign(&Key::from_seed(FOREIGN_SEED));
    Ok(())
}

/// Needs a version of the contract that does not exist.
fn foreign_world(package: &mut Package, key: &Key) -> Result<()> {
    package.label.needs = "embedded:platform/board@9.9.0 gpio timing".into();
    package.sign(key);
    Ok(())
}

/// The header promises more payload than there is room for.
fn oversized(package: &mut Package, _: &Key) -> Result<()> {
    package.image[12..16].copy_from_slice(&OVERSIZED.to_le_bytes());
    Ok(())
}

fn truncated(package: &mut Package, _: &Key) -> Result<()> {
    package.image.truncate(package.image.len() / 2);
    Ok(())
}

/// A hash, but no signature.
fn unsigned(package: &mut Package, _: &Key) -> Result<()> {
    let hashed = package.label.onto(&package.cwasm);
    let hash = Sha256::digest(&hashed);
    package.image = image::close(hashed, &[(image::TLV_SHA256, &hash)]);
    package.public_key = None;
    Ok(())
}
