//! Runs guest-pack as a user does, who has not made a key yet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// guest-pack, ready for arguments. The development key is one that all tests share.
pub fn guest_pack() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guest-pack"));
    command.env("XDG_CONFIG_HOME", config()).env_remove("SANDHILL_GUEST_KEY");
    command
}

fn config() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("config")
}

/// The development key of [`guest_pack`], which has signed something before.
pub fn development_key() -> PathBuf {
    config().join("sandhill/guest-key.pem")
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Sources and contract of this repository, without what was built.
pub fn copy_of_sources(folder: &Path) {
    for part in ["wit", "guests"] {
        copy(&root().join(part), &folder.join(part));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let name = from.file_name().unwrap().to_owned();
        if from.is_file() {
            fs::copy(&from, to.join(name)).unwrap();
        } else if ![".zig-cache", "zig-out", "target"].contains(&name.to_str().unwrap()) {
            copy(&from, &to.join(name));
        }
    }
}

/// Runs it and expects success; what it printed on stdout.
pub fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "failed: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs it and expects a refusal by a message of its own; what it printed on stderr.
pub fn refuses(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.lines().any(|line| line.starts_with("guest-pack: ")), "{message}");
    assert!(!message.contains("panicked"), "{message}");
    message
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
