//! What artefacts are made of in this repository, file by file.
//!
//! Promises to leave out nothing that could decide a byte; a file too many only makes a list say less than it could. Works
//! without Git, too: a release's archive and a Nix build have none.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::{hash, name, sorted};
use crate::run::Failure;

/// Files and folders at the repository's root. `xtask` has the flags of the build. `hil` makes no artefact, but its manifests
/// take part in which features guest-pack is built with.
const INPUTS: [&str; 8] =
    [".cargo/config.toml", "Cargo.lock", "Cargo.toml", "guests", "host", "rust-toolchain.toml", "wit", "xtask"];
const MANIFESTS_BELOW: &str = "hil";
/// What builds leave beside sources, as .gitignore has it; tests; and the fuzzer, whose workspace makes no artefact.
const NO_INPUTS: [&str; 6] = ["target", ".zig-cache", "zig-out", "bindings.rs", "tests", "fuzz"];
/// Settings of guests' own.
const HIDDEN_INPUTS: [&str; 1] = [".cargo"];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The commit, if this is a checkout.
    pub revision: Option<String>,
    /// Whether an input differs from the commit's.
    pub modified: bool,
    /// Of the lines `<sha256>  <path>` of all inputs in the order of their paths: what `sha256sum` prints, hashed again.
    pub sha256: String,
    /// Path → SHA-256.
    pub inputs: BTreeMap<String, String>,
}

impl Source {
    /// The inputs of the repository at `root`, as they are now.
    pub fn read(root: &Path) -> Result<Self, Failure> {
        let mut inputs = BTreeMap::new();
        // A Nix build of a part has only what that part is made of.
        for input in INPUTS.into_iter().filter(|input| root.join(input).exists()) {
            add(root, input, &mut inputs)?;
        }
        for room in sorted(&root.join(MANIFESTS_BELOW)).unwrap_or_default() {
            let manifest = room.join("Cargo.toml");
            if manifest.is_file() {
                add(root, &format!("{MANIFESTS_BELOW}/{}/Cargo.toml", name(&room)), &mut inputs)?;
            }
        }
        let lines: String = inputs.iter().map(|(path, sha256)| format!("{sha256}  {path}\n")).collect();
        let revision = git(root, &["rev-parse", "--verify", "HEAD"]);
        let modified = revision.is_some() && {
            let paths = INPUTS.into_iter().chain([MANIFESTS_BELOW]);
            let arguments: Vec<&str> = ["status", "--porcelain", "--"].into_iter().chain(paths).collect();
            // What of `hil` is no input does not count.
            git(root, &arguments).is_some_and(|changes| {
                changes.lines().any(|line| line.get(3..).is_some_and(|path| is_input(path.trim_matches('"'), &inputs)))
            })
        };
        Ok(Self {
            revision: revision.map(|line| line.trim().to_owned()),
            modified,
            sha256: hash(lines.as_bytes()),
            inputs,
        })
    }

    /// One of the inputs that are not as they were before.
    pub fn changed_since<'a>(&'a self, before: &'a Self) -> &'a str {
        let differs = |path: &&String| self.inputs.get(*path) != before.inputs.get(*path);
        self.inputs.keys().chain(before.inputs.keys()).find(differs).map_or("a source", String::as_str)
    }
}

/// A path of `git status`: one that was deleted, or a folder that is new, counts as well.
fn is_input(path: &str, inputs: &BTreeMap<String, String>) -> bool {
    if path.split('/').any(|part| NO_INPUTS.contains(&part)) {
        return false;
    }
    let in_hil = path.strip_prefix(MANIFESTS_BELOW).is_some_and(|rest| rest.starts_with('/'));
    !in_hil
        || path.ends_with("/Cargo.toml")
        || inputs.keys().any(|input| path.ends_with('/') && input.starts_with(path))
}

/// Adds the file `path`, or all files below it.
fn add(root: &Path, path: &str, inputs: &mut BTreeMap<String, String>) -> Result<(), Failure> {
    let here = root.join(path);
    if !here.is_dir() {
        let bytes = fs::read(&here).map_err(|source| Failure::File { path: here, source })?;
        inputs.insert(path.to_owned(), hash(&bytes));
        return Ok(());
    }
    let visible = sorted(&here)?.iter().map(|entry| name(entry)).collect::<Vec<_>>();
    let hidden = HIDDEN_INPUTS.iter().filter(|hidden| here.join(hidden).is_dir()).map(|hidden| (*hidden).to_owned());
    for entry in visible.into_iter().chain(hidden) {
        if !NO_INPUTS.contains(&entry.as_str()) {
            add(root, &format!("{path}/{entry}"), inputs)?;
        }
    }
    Ok(())
}

/// What git says about the repository at `root`; nothing if that is none, or a folder in another one.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    if !root.join(".git").exists() {
        return None;
    }
    // A checkout of another user, as in a container, is read all the same.
    let trusted = format!("safe.directory={}", root.display());
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["--no-optional-locks", "-c", &trusted])
        .args(arguments)
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
