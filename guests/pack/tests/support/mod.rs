//! Runs guest-pack as a user does, and gives tests folders that go away.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// guest-pack, ready for arguments.
pub fn guest_pack() -> Command {
    Command::new(env!("CARGO_BIN_EXE_guest-pack"))
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
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
