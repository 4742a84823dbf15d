//! A guest of somebody's own: a folder laid out as this repository is, with the contract, what its language needs, and
//! one small program that blinks; `build` needs to know nothing else.
//!
//! What every guest of a language shares is this repository's own, byte for byte. Nothing that is there is overwritten:
//! the contract and the shared files stay as they are, and a program that is there already is refused.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{Error, Result, write};

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Language {
    C,
    Rust,
    Zig,
}

/// The guest's name, `<program>-<language>`, has at most 31.
const NAME_MAX: usize = 26;

type Files = &'static [(&'static str, &'static str)];

/// What every guest shares.
const SHARED: Files = &[
    ("wit/platform.wit", include_str!("../../../wit/platform.wit")),
    (".gitignore", include_str!("../templates/gitignore")),
];
const SHARED_C: Files = &[
    ("guests/platform/c/guest.mk", include_str!("../../platform/c/guest.mk")),
    ("guests/platform/c/platform.h", include_str!("../../platform/c/platform.h")),
];
const SHARED_RUST: Files = &[("guests/platform/rust/no_std.rs", include_str!("../../platform/rust/no_std.rs"))];
const SHARED_ZIG: Files = &[
    ("guests/platform/zig/build.zig", include_str!("../../platform/zig/build.zig")),
    ("guests/platform/zig/build.zig.zon", include_str!("../../platform/zig/build.zig.zon")),
    ("guests/platform/zig/platform.zig", include_str!("../../platform/zig/platform.zig")),
];

/// What a program has in every language.
const PROGRAM: Files = &[
    ("guests/{name}/policy.toml", include_str!("../templates/policy.toml")),
    ("tests/{name}.toml", include_str!("../templates/test.toml")),
];
const C: Files = &[
    ("guests/{name}/c/Makefile", include_str!("../templates/c/Makefile")),
    ("guests/{name}/c/{name}.c", include_str!("../templates/c/guest.c")),
];
const RUST: Files = &[
    ("guests/{name}/rust/Cargo.toml", include_str!("../templates/rust/Cargo.toml.txt")),
    ("guests/{name}/rust/.cargo/config.toml", include_str!("../../blinky/rust/.cargo/config.toml")),
    ("guests/{name}/rust/src/lib.rs", include_str!("../templates/rust/lib.rs")),
];
const ZIG: Files = &[
    ("guests/{name}/zig/build.zig", include_str!("../templates/zig/build.zig")),
    ("guests/{name}/zig/build.zig.zon", include_str!("../templates/zig/build.zig.zon")),
    ("guests/{name}/zig/src/main.zig", include_str!("../templates/zig/main.zig")),
];
/// Blinky's, as both need the same crates.
const LOCK: &str = include_str!("../../blinky/rust/Cargo.lock");

/// Writes the program `name` into `root`. Returns what it wrote, in order.
///
/// # Errors
/// [`Error::BadProgram`], [`Error::ProgramExists`], [`Error::Write`].
pub fn create(root: &Path, name: &str, language: Language) -> Result<Vec<PathBuf>> {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    // Folders below guests/ that are no programs.
    let taken = ["fixtures", "pack", "platform"].contains(&name);
    if !starts || taken || name.ends_with('-') || name.len() > NAME_MAX || !name.chars().all(inside) {
        return Err(Error::BadProgram { name: name.to_owned() });
    }
    let (folder, shared, program) = match language {
        Language::C => ("c", SHARED_C, C),
        Language::Rust => ("rust", SHARED_RUST, RUST),
        Language::Zig => ("zig", SHARED_ZIG, ZIG),
    };
    let folder = root.join("guests").join(name).join(folder);
    if folder.exists() {
        return Err(Error::ProgramExists { path: folder });
    }

    let zig_name = name.replace('-', "_");
    let fingerprint = format!("{:#x}", fingerprint(&zig_name));
    let fill = |text: &str| {
        text.replace("{name}", name).replace("{zig-name}", &zig_name).replace("{fingerprint}", &fingerprint)
    };
    let mut files: Vec<(String, String)> = Vec::new();
    for (path, text) in [SHARED, shared].concat() {
        files.push((path.to_owned(), text.to_owned()));
    }
    for (path, text) in [PROGRAM, program].concat() {
        files.push((fill(path), fill(text)));
    }
    if matches!(language, Language::Rust) {
        let lock = LOCK.replace("name = \"blinky\"", &format!("name = \"{name}\""));
        files.push((format!("guests/{name}/rust/Cargo.lock"), in_order(&lock)));
    }

    let mut written = Vec::new();
    for (path, text) in files {
        let file = root.join(&path);
        if file.exists() {
            continue;
        }
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        }
        write(&file, text.as_bytes())?;
        written.push(PathBuf::from(path));
    }
    Ok(written)
}

/// Cargo keeps the packages of a lock file in the order of their names.
fn in_order(lock: &str) -> String {
    let mut parts: Vec<&str> = lock.trim_end().split("\n[[package]]\n").map(str::trim_end).collect();
    parts[1..].sort();
    parts.join("\n\n[[package]]\n") + "\n"
}

/// Zig's: the CRC-32 of the package's name, and a number that no other package of the name should have. It may be
/// neither 0 nor 2^32-1.
fn fingerprint(name: &str) -> u64 {
    let hash = Sha256::digest(name);
    let id = u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]).clamp(1, u32::MAX - 1);
    u64::from(crc32fast::hash(name.as_bytes())) << 32 | u64::from(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_not_build_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "Night", "1st", "a_b", "a-", "platform", "../x", "abcdefghijklmnopqrstuvwxyz-"] {
            assert!(matches!(create(folder.path(), name, Language::C), Err(Error::BadProgram { .. })), "{name}");
        }
        assert!(folder.path().read_dir().unwrap().next().is_none());
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path(), "night-light", Language::C).unwrap();
        let policy = folder.path().join("guests/night-light/policy.toml");
        fs::write(&policy, "mine").unwrap();
        assert!(matches!(create(folder.path(), "night-light", Language::C), Err(Error::ProgramExists { .. })));
        let written = create(folder.path(), "night-light", Language::Zig).unwrap();
        assert!(!written.iter().any(|file| file.ends_with("policy.toml")));
        assert_eq!(fs::read_to_string(policy).unwrap(), "mine");
    }

    #[test]
    fn the_fingerprint_is_as_zig_wants_it() {
        // guests/blinky/zig/build.zig.zon, which Zig made.
        assert_eq!(fingerprint("blinky") >> 32, 0x38b_b0e9);
    }
}
