//! Compiles the compute guest's C for the chip itself, once per optimisation level, signs what the verifiers verify, and hands
//! the linker its scripts.
//!
//! This is the one place outside `guests/` that knows a guest's source: the native program is the guest.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

const GUEST: &str = "../../guests/compute/c";
const PLATFORM: &str = "../../guests/platform/c";
const FIRMWARE: &str = "../rp2350";

/// `-mcpu` and float ABI are those of rustc's target; the language and the warnings are those of guests/platform/c/guest.mk.
const FLAGS: &[&str] = &[
    "--target=thumbv8m.main-none-eabihf",
    "-mcpu=cortex-m33",
    "-std=c23",
    "-ffreestanding",
    "-ffunction-sections",
    "-Wall",
    "-Wextra",
    "-Werror",
];

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    // One memory map: what is compared lies where the firmware lies, and the module where a guest lies.
    std::fs::copy(Path::new(FIRMWARE).join("memory.x"), out.join("memory.x")).expect("OUT_DIR is writable");
    println!("cargo:rerun-if-changed={FIRMWARE}/memory.x");
    println!("cargo:rerun-if-changed={GUEST}");
    println!("cargo:rerun-if-changed={PLATFORM}");
    println!("cargo:rerun-if-env-changed=CLANG_FOR_CHIP");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    sign(&out);
    println!("cargo:rustc-link-search={}", out.display());
    for argument in ["-Tlink.x", "--nmagic"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    // Not wasi-sdk's: that one compiles for WebAssembly alone.
    let clang = env::var_os("CLANG_FOR_CHIP").unwrap_or("clang-22".into());
    for (program, level) in [("native-o2", "-O2"), ("native-o3", "-O3")] {
        for unit in ["compute", "mix"] {
            let object = out.join(format!("{unit}{level}.o"));
            let status = Command::new(&clang)
                .args(FLAGS)
                .arg(level)
                .args(["-I", PLATFORM, "-c"])
                .arg(Path::new(GUEST).join(unit).with_extension("c"))
                .arg("-o")
                .arg(&object)
                .status();
            match status {
                Ok(status) if status.success() => {}
                Ok(_) => panic!("{} could not compile {unit}.c for the chip", clang.display()),
                Err(error) => panic!(
                    "cannot run {}: {error}. Install clang 22, or set CLANG_FOR_CHIP to a clang that compiles for Arm",
                    clang.display()
                ),
            }
            println!("cargo:rustc-link-arg-bin={program}={}", object.display());
        }
    }
}

/// Key and signature for `src/verifier.rs`, whose image this is.
fn sign(out: &Path) {
    const IMAGE: [u8; 3000] = [0x5a; _];
    let key = SigningKey::from_bytes(&[7; 32]);
    let signature = key.sign(&Sha256::digest(IMAGE));
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(out.join(name), format!("{bytes:?}")).expect("OUT_DIR is writable");
    };
    write("public_key.rs", key.verifying_key().as_bytes());
    write("signature.rs", &signature.to_bytes());
}
