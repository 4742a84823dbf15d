//! One version of each tool, wherever it is named: the flake, the set-up, manifests, lock files, sources and docs.
//!
//! A tool's version is decided in one place. Every other line that names the tool with a number behind it has to name
//! that version, or the start of it (`1.96` for `1.96.0`); each that does not is listed with file and line.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A tool, what it is called before its version, and where its version is decided.
struct Tool {
    /// In lower case. What stands between name and version is one of [`BETWEEN`].
    names: &'static [&'static str],
    decided_in: &'static str,
    /// What stands before the version there.
    after: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        names: &["rust", "rustc", "rust-version", "channel", "rustc-web", "cargo-web", "rust-web-src"],
        decided_in: "rust-toolchain.toml",
        after: "channel = \"",
    },
    Tool {
        names: &["zig", "ziglang", "zig_version", "minimum_zig_version"],
        decided_in: "ci/setup/guest-tools.sh",
        after: "zig_version=",
    },
    Tool { names: &["unicorn", "unicorn_version"], decided_in: "ci/setup/guest-tools.sh", after: "unicorn_version=" },
    Tool { names: &["wasi-sdk", "wasisdkversion"], decided_in: "ci/nix/toolchain.nix", after: "wasiSdkVersion = \"" },
    Tool {
        names: &["clang", "lld", "llvm", "clang_version"],
        decided_in: "ci/setup/packages-debian.txt",
        after: "clang-",
    },
    Tool { names: &["cargo-component"], decided_in: "ci/setup/cargo-tools.txt", after: "cargo-component " },
    Tool { names: &["cargo-deny"], decided_in: "ci/setup/cargo-tools.txt", after: "cargo-deny " },
    Tool { names: &["cargo-vet"], decided_in: "ci/setup/cargo-tools.txt", after: "cargo-vet " },
    Tool { names: &["deadnix"], decided_in: "ci/setup/cargo-tools.txt", after: "deadnix " },
    Tool { names: &["nixpkgs-fmt"], decided_in: "ci/setup/cargo-tools.txt", after: "nixpkgs-fmt " },
    Tool { names: &["mdbook"], decided_in: "ci/setup/cargo-tools.txt", after: "mdbook " },
    Tool { names: &["imgtool"], decided_in: "ci/setup/requirements.txt", after: "imgtool==" },
    Tool { names: &["smpmgr"], decided_in: "ci/setup/requirements.txt", after: "smpmgr==" },
    Tool { names: &["wasmtime"], decided_in: "Cargo.toml", after: "wasmtime = { version = \"=" },
    Tool {
        names: &["wit-bindgen-rt"],
        decided_in: "guests/blinky/rust/Cargo.lock",
        after: "name = \"wit-bindgen-rt\"\nversion = \"",
    },
    Tool { names: &["probe-rs"], decided_in: "Cargo.lock", after: "name = \"probe-rs\"\nversion = \"" },
    Tool { names: &["crane"], decided_in: "flake.nix", after: "# v" },
];

/// What may stand between a tool's name and its version, as in `zig_version=0.16.0`, `"zig", "0.16."`, `wasi-sdk-33`,
/// `wasmtime = { version = "=48.0.8"`.
const BETWEEN: &[&str] = &[
    " ",
    "-",
    "@",
    "=",
    "==",
    " = \"",
    "\", \"",
    " v",
    "@v",
    "` ",
    "=\"",
    " = { version = \"",
    " = { version = \"=",
    "\"\nversion = \"",
];

/// Other versions that are meant: the engine of images that are refused because of it.
const MEANT: &[(&str, &str)] = &[("wasmtime", "47.0.0")];

#[test]
fn every_file_names_the_same_version() {
    let files = files();
    let mut wrong = String::new();
    for tool in TOOLS {
        let (version, names) = (tool.decided(), tool.names);
        let mut named = 0;
        for (file, text) in &files {
            for (line, found) in mentions(text, names) {
                named += 1;
                let meant = MEANT.contains(&(names[0], &found));
                if !agrees(&found, &version) && !meant {
                    let place = format!("{}:{line}", file.display());
                    writeln!(wrong, "{place}: {} {found}, but {} has {version}", names[0], tool.decided_in).unwrap();
                }
            }
        }
        // Or else the patterns fit nothing, and so anything.
        if named == 0 {
            writeln!(wrong, "no file names a version of {}", names[0]).unwrap();
        }
    }
    assert!(wrong.is_empty(), "versions disagree:\n{wrong}");
}

#[test]
fn a_version_that_disagrees_is_found_with_its_line() {
    let text = "# Zig is here\nzig_version=0.15.1\nexactly \"0.16.0\" pkgs.zig_0_16;\n(zig, \"0.16.\")\nZig 0.16.\n";
    let found = mentions(text, &["zig", "zig_version"]);
    assert_eq!(
        found,
        [(2, "0.15.1".to_owned()), (3, "0.16".to_owned()), (3, "0.16.0".to_owned()), (5, "0.16".to_owned())]
    );
    assert!(agrees("0.16", "0.16.0") && agrees("0.16.0", "0.16.0") && agrees("33", "33.0"));
    assert!(!agrees("0.15.1", "0.16.0") && !agrees("0.1", "0.16.0") && !agrees("0.16.0.1", "0.16.0"));
}

/// The crates that core and alloc are built with in Nix are those that the compiler's own sources name. Where the compiler
/// is another one, as it is once Debian has moved on, there is nothing to compare with.
#[test]
fn the_standard_librarys_crates_are_those_of_rust_src() {
    let rust = TOOLS[0].decided();
    let asked = |arguments: &[&str]| {
        let output =
            Command::new("rustc").args(arguments).output().expect("rustc runs, or this would not have been built");
        String::from_utf8(output.stdout).unwrap()
    };
    if !asked(&["--version"]).starts_with(&format!("rustc {rust} ")) {
        println!("not Rust {rust}: ci/nix/std.lock was not compared");
        return;
    }
    let lock = Path::new(asked(&["--print", "sysroot"]).trim()).join("lib/rustlib/src/rust/library/Cargo.lock");
    let theirs =
        fs::read_to_string(&lock).unwrap_or_else(|error| panic!("{}: {error}; install rust-src", lock.display()));
    let ours = fs::read_to_string(root().join("ci/nix/std.lock")).unwrap();
    let (theirs, ours) = (crates(&theirs), crates(&ours));
    assert!(theirs.len() > 10, "{} was not understood", lock.display());
    assert_eq!(ours, theirs, "ci/nix/std.lock is not that of {}; its head says how to make it", lock.display());
}

/// Name, version and checksum of the packages in a lock file that come from a registry, in their order.
fn crates(lock: &str) -> Vec<Vec<&str>> {
    lock.split("[[package]]")
        .filter(|package| package.contains("\nchecksum = \""))
        .map(|package| {
            package
                .lines()
                .filter(|line| ["name = ", "version = ", "checksum = "].iter().any(|key| line.starts_with(key)))
                .collect()
        })
        .collect()
}

impl Tool {
    fn decided(&self) -> String {
        let text = fs::read_to_string(root().join(self.decided_in)).unwrap();
        text.find(self.after)
            .map(|at| version_at(&text[at + self.after.len()..]))
            .filter(|version| !version.is_empty())
            .unwrap_or_else(|| panic!("{} does not say `{}…` any more", self.decided_in, self.after))
    }
}

/// A version and the start of one agree.
fn agrees(found: &str, version: &str) -> bool {
    version.strip_prefix(found).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Every version that `text` names of a tool: line, counted from 1, and version.
fn mentions(text: &str, names: &[&str]) -> Vec<(usize, String)> {
    let lower = text.to_lowercase();
    let mut found = Vec::new();
    for name in names {
        for (at, _) in lower.match_indices(name) {
            // A part of another name is none.
            if lower[..at].ends_with(|before: char| before.is_alphanumeric() || "-_/".contains(before)) {
                // nixpkgs calls it zig_0_16, and what is wanted of it stands before.
                continue;
            }
            let behind = &lower[at + name.len()..];
            let version = BETWEEN
                .iter()
                .filter_map(|between| behind.strip_prefix(between))
                .map(version_at)
                .find(|v| !v.is_empty());
            // `pkgs.zig_0_16`
            let attribute = behind.strip_prefix('_').map(|rest| version_at(&rest.replace('_', ".")));
            let version = version.or(attribute).filter(|version| !version.is_empty());
            found.extend(version.map(|version| (line(&lower, at), version)));
        }
        // `exactly "0.16.0" pkgs.zig_0_16`
        for (at, _) in lower.match_indices("exactly \"") {
            let rest = &lower[at + "exactly \"".len()..];
            let version = version_at(rest);
            let package = rest.trim_start_matches(&*version).trim_start_matches("\" pkgs.");
            let called = package.split(|c: char| !(c.is_alphanumeric() || c == '-')).next().unwrap_or_default();
            if called == *name {
                found.push((line(&lower, at), version));
            }
        }
    }
    found.sort();
    found
}

fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The digits and dots that `text` starts with, without dots at their end. A single digit counts something, and what goes
/// on with letters is no version.
fn version_at(text: &str) -> String {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    if text[end..].starts_with(|c: char| c.is_alphabetic()) {
        return String::new();
    }
    let version = text[..end].trim_end_matches('.');
    if version.len() > 1 { version.to_owned() } else { String::new() }
}

/// What may name a version: text that people write, and the lock files.
fn files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    collect(root(), &mut files);
    files.sort();
    files
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    const TEXT: &[&str] = &["md", "nix", "toml", "txt", "sh", "lock", "zon", "yml", "yaml", "rs"];
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let below = path.strip_prefix(root()).unwrap();
        if path.is_dir() {
            // What was built, what git keeps, and sources of others' versions on purpose.
            if !["target", ".git", "zig-out", ".zig-cache", "stub"].iter().any(|skipped| name == *skipped) {
                collect(&path, files);
            }
        } else if (path.extension().is_some_and(|e| TEXT.iter().any(|t| e == *t)) || below == Path::new("x"))
            && below != Path::new(file!())
        {
            files.push((below.to_owned(), fs::read_to_string(&path).unwrap_or_default()));
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
