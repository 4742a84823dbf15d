//! Hands the firmware the public keys of whoever may sign guests, and the linker its scripts: where sections go on this architecture, and the memory map, which is the Arm firmware's.

use std::path::PathBuf;

#[path = "../rp2350/guest_keys.rs"]
mod guest_keys;

fn main() {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    for (from, to) in [("link.x", "link.x"), ("../rp2350/memory.x", "memory.x")] {
        std::fs::copy(from, out.join(to)).expect("OUT_DIR is writable");
        println!("cargo:rerun-if-changed={from}");
    }
    guest_keys::write(&out);
    println!("cargo:rerun-if-changed=../rp2350/guest_keys.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo:rustc-link-search={}", out.display());
        for argument in ["-Tlink.x", "--nmagic"] {
            println!("cargo:rustc-link-arg-bins={argument}");
        }
    }
}
