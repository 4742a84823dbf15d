//! Hands the linker its scripts, and the firmware the public keys of whoever may sign guests.
//!
//! The scripts are link arguments of this binary alone, not of a rustflags entry, so that flags from the environment neither
//! double nor drop them. The keys come from `SANDHILL_GUEST_KEYS`, which `./x` sets; without it no guest is accepted.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Bytes of an Ed25519 public key.
const KEY_BYTES: usize = 32;
/// One that signs, one that it takes over from or hands over to.
const KEYS_MOST: usize = 2;

fn main() {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    std::fs::copy("memory.x", out.join("memory.x")).expect("OUT_DIR is writable");
    println!("cargo:rerun-if-changed=memory.x");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo:rustc-link-search={}", out.display());
        for argument in ["-Tlink.x", "-Tdefmt.x", "--nmagic"] {
            println!("cargo:rustc-link-arg-bins={argument}");
        }
    }
    println!("cargo:rerun-if-env-changed=SANDHILL_GUEST_KEYS");
    let named = std::env::var("SANDHILL_GUEST_KEYS").unwrap_or_default();
    if named.is_empty() {
        println!("cargo:warning=SANDHILL_GUEST_KEYS is not set: this firmware will accept no guest; build it with ./x");
    }
    write_keys(&out, &named);
}

/// `keys.rs`: an array expression of the keys in `named`, 64 hexadecimal digits each, separated by commas.
fn write_keys(out: &Path, named: &str) {
    let names: Vec<&str> = named.split(',').filter(|name| !name.is_empty()).collect();
    assert!(names.len() <= KEYS_MOST, "SANDHILL_GUEST_KEYS names {} keys: {KEYS_MOST} at most", names.len());
    let mut text = String::from("[");
    for name in names {
        let key = key(name.trim()).unwrap_or_else(|| {
            panic!("SANDHILL_GUEST_KEYS: {name:?} is not 64 hexadecimal digits; `guest-pack key show` prints them")
        });
        write!(text, "{key:?},").expect("a String takes everything");
    }
    text.push(']');
    std::fs::write(out.join("keys.rs"), text).expect("OUT_DIR is writable");
}

fn key(digits: &str) -> Option<[u8; KEY_BYTES]> {
    if digits.len() != 2 * KEY_BYTES || !digits.is_ascii() {
        return None;
    }
    let mut key = [0; KEY_BYTES];
    for (n, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(key)
}
