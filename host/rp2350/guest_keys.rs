//! For the build scripts of firmware: the public keys of whoever may sign guests, from `SANDHILL_GUEST_KEYS`, which `./x` sets.
//! Without it no guest is accepted.

use std::fmt::Write;
use std::path::Path;

/// Bytes of an Ed25519 public key.
const KEY_BYTES: usize = 32;
/// One that signs, one that it takes over from or hands over to.
const KEYS_MOST: usize = 2;

/// Writes `keys.rs` into `out`: an array expression of the keys, each 64 hexadecimal digits in the variable, separated by commas.
pub fn write(out: &Path) {
    println!("cargo:rerun-if-env-changed=SANDHILL_GUEST_KEYS");
    let named = std::env::var("SANDHILL_GUEST_KEYS").unwrap_or_default();
    if named.is_empty() {
        println!("cargo:warning=SANDHILL_GUEST_KEYS is not set: this firmware will accept no guest; build it with ./x");
    }
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
