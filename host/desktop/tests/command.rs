//! The command as a user runs it: edges on stdout, one clear message on stderr, an exit code.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn guest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/tests/guests").join(name)
}

fn run(component: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sandhill-desktop"))
        .arg(component)
        .args(arguments)
        .output()
        .expect("the command starts")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

#[test]
fn blinky_prints_its_edges_and_ends_in_time() {
    let output = run(&guest("blinky.wat"), &["--for", "2s"]);
    assert_eq!(
        stdout(&output),
        "0.000000 GPIO25 high\n0.500000 GPIO25 low\n1.000000 GPIO25 high\n1.500000 GPIO25 low\n2.000000 GPIO25 high\n"
    );
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn virtual_time_is_quick() {
    let output = run(&guest("blinky.wat"), &["--for", "1h"]);
    assert_eq!(stdout(&output).lines().count(), 7201);
    assert_eq!(stdout(&output).lines().last(), Some("3600.000000 GPIO25 high"));
}

#[test]
fn realtime_takes_its_time() {
    let started = std::time::Instant::now();
    let output = run(&guest("trap.wat"), &["--realtime"]);
    assert!(started.elapsed().as_micros() >= 10_000);
    let low = stdout(&output).lines().nth(1).expect("two edges");
    let seconds = low.split(' ').next().and_then(|time| time.parse::<f64>().ok()).expect("a time");
    assert!(low.ends_with(" GPIO15 low") && seconds >= 0.01, "{low}");
}

#[test]
fn a_trap_is_exit_code_1() {
    let output = run(&guest("trap.wat"), &[]);
    assert_eq!(stdout(&output), "0.000000 GPIO15 high\n0.010000 GPIO15 low\n");
    assert_eq!(stderr(&output), "guest: trapped: wasm trap: wasm `unreachable` instruction executed\n");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_guest_that_returns_is_exit_code_0() {
    let output = run(&guest("return.wat"), &[]);
    assert_eq!(stderr(&output), "guest: returned\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_foreign_import_is_exit_code_2() {
    let output = run(&guest("foreign_import.wat"), &[]);
    assert!(stderr(&output).starts_with("guest: refused: "), "{}", stderr(&output));
    assert!(stderr(&output).contains("wasi:cli/environment@0.2.0"));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_file_that_is_no_component_is_exit_code_2() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("core.wasm");
    for bytes in [b"\0asm\x01\0\0\0".as_slice(), b"".as_slice(), &[0xff; 64], b"(component (oops))"] {
        std::fs::write(&path, bytes).expect("a small file");
        let output = run(&path, &["--for", "1s"]);
        assert!(stderr(&output).starts_with("guest: refused: "), "{}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn a_missing_file_is_exit_code_2() {
    let output = run(Path::new("no-such.wasm"), &[]);
    assert!(stderr(&output).starts_with("sandhill-desktop: cannot read no-such.wasm: "), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(2));
}
