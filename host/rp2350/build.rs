//! Hands the linker its scripts, and the firmware the public keys of whoever may sign guests.
//!
//! The scripts are link arguments of this binary alone, not of a rustflags entry, so that flags from the environment neither
//! double nor drop them.

use std::path::PathBuf;

mod guest_keys;

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
    guest_keys::write(&out);
}
