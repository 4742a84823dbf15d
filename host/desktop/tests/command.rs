//! The command as a user runs it: edges on stdout, one clear message on stderr, an exit code.

mod support;

use std::path::Path;
use std::process::Output;
use std::time::Instant;

use support::{Guest, POLICY, run};

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

#[test]
fn blinky_prints_its_edges_and_ends_in_time() {
    let output = Guest::packed("blinky", &POLICY).run(&["--for", "2s"]);
    assert_eq!(stderr(&output), "");
    assert_eq!(
        stdout(&output),
        "0.000000 GPIO25 high\n0.500000 GPIO25 low\n1.000000 GPIO25 high\n1.500000 GPIO25 low\n2.000000 GPIO25 high\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn virtual_time_is_quick() {
    let output = Guest::packed("blinky", &POLICY).run(&["--for", "1h"]);
    assert_eq!(stdout(&output).lines().count(), 7201);
    assert_eq!(stdout(&output).lines().last(), Some("3600.000000 GPIO25 high"));
}

#[test]
fn realtime_takes_its_time() {
    let started = Instant::now();
    let output = Guest::packed("trap", &POLICY).run(&["--realtime"]);
    assert!(started.elapsed().as_micros() >= 10_000);
    let low = stdout(&output).lines().nth(1).expect("two edges");
    let seconds = low.split(' ').next().and_then(|time| time.parse::<f64>().ok()).expect("a time");
    assert!(low.ends_with(" GPIO15 low") && seconds >= 0.01, "{low}");
}

#[test]
fn everything_of_the_contract_is_there() {
    let guest = Guest::packed("everything", &POLICY);
    let output = guest.run(&["--press", "14@30ms+12ms", "--press", "14@100ms+500us", "--uart1", "ok\\n\\x00"]);
    let expected = "\
        0.000000 GPIO16 high\n\
        0.001500 GPIO16 low\n\
        0.020000 GPIO16 high\n\
        0.021500 GPIO16 low\n\
        0.030000 GPIO25 high\n\
        0.040000 GPIO16 high\n\
        0.041500 GPIO16 low\n\
        0.042000 GPIO25 low\n\
        0.060000 GPIO16 high\n\
        0.061500 GPIO16 low\n\
        0.080000 GPIO16 high\n\
        0.081500 GPIO16 low\n\
        0.100000 GPIO16 high\n\
        0.100000 GPIO25 high\n\
        0.100500 GPIO25 low\n\
        0.101500 GPIO16 low\n\
        0.120000 GPIO16 high\n\
        0.121500 GPIO16 low\n\
        0.140000 GPIO16 high\n\
        0.141500 GPIO16 low\n\
        0.160000 GPIO16 high\n\
        0.161500 GPIO16 low\n\
        0.180000 GPIO16 high\n\
        0.181500 GPIO16 low\n\
        0.200000 GPIO16 high\n\
        0.200500 GPIO16 low\n\
        0.205503 UART1 \"ok\\n\\x00\"\n\
        0.206737 GPIO15 high\n";
    assert_eq!(stdout(&output), expected);
    assert_eq!(
        stderr(&output).split_once("; ").map(|(reason, _)| reason),
        Some("everything: trapped: gpio: GPIO 24 is not an output of everything's policy")
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_guest_that_never_waits_is_ended() {
    let output = Guest::packed("busy", &POLICY).run(&["--for", "1s"]);
    assert!(
        stderr(&output)
            .starts_with("busy: trapped: ran without a host call for longer than busy's policy allows, 10000 us"),
        "{}",
        stderr(&output)
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn time_passes_while_a_guest_computes() {
    let guest = Guest::packed("worker", &POLICY);
    let output = guest.run(&["--for", "100ms"]);
    assert_eq!((stderr(&output), output.status.code()), ("", Some(0)));
    // About a quarter of a millisecond a round, and the same in every run.
    let edges = stdout(&output).lines().count();
    assert!((300..600).contains(&edges), "{edges}");
    assert_eq!(output.stdout, guest.run(&["--for", "100ms"]).stdout);
}

#[test]
fn a_trap_brings_the_pins_to_their_safe_levels() {
    let output = Guest::packed("trap", &POLICY).run(&[]);
    // GPIO 15 is to be high when the guest fails.
    assert_eq!(stdout(&output), "0.000000 GPIO15 high\n0.010000 GPIO15 low\n0.010000 GPIO15 high\n");
    let reason = "trap: trapped: wasm trap: wasm `unreachable` instruction executed; function 3, offset 0x";
    assert!(stderr(&output).starts_with(reason), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn without_an_image_a_guest_may_only_wait() {
    let output = run(Path::new(support::GUESTS).join("blinky.wat").as_path(), &["--for", "2s"]);
    let reason = "blinky: trapped: gpio: GPIO 25 is not an output of blinky's policy";
    assert!(stderr(&output).starts_with(reason), "{}", stderr(&output));
    assert_eq!((stdout(&output), output.status.code()), ("", Some(1)));
}

#[test]
fn the_console_pins_are_the_hosts() {
    let output = Guest::packed("blinky", &[(0, 1 << 1)]).run(&["--for", "2s"]);
    assert!(stderr(&output).contains("GPIO 25 is not an output"), "{}", stderr(&output));
}

#[test]
fn a_guest_that_returns_is_exit_code_0() {
    let output = Guest::packed("return", &[]).run(&[]);
    assert_eq!(stderr(&output), "return: returned\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_foreign_import_is_exit_code_2() {
    let output = Guest::packed("foreign_import", &[]).run(&[]);
    assert!(stderr(&output).starts_with("foreign_import: refused: "), "{}", stderr(&output));
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
        assert!(stderr(&output).starts_with("core: refused: "), "{}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn what_cannot_be_read_is_exit_code_2() {
    let damaged = Guest::packed("blinky", &POLICY);
    let image = damaged.folder.path().join("guest.img");
    let mut bytes = std::fs::read(&image).expect("it was written");
    bytes[33] ^= 1;
    std::fs::write(&image, bytes).expect("a small file");
    let empty = tempfile::tempdir().expect("a temporary folder");
    let contradictory = Guest::packed("blinky", &[(0, 1), (2, 1)]);
    for (guest, told) in [
        (Path::new("no-such.wasm"), "cannot read no-such.wasm: "),
        (empty.path(), "component.wasm: "),
        (damaged.folder.path(), "guest.img: image damaged (SHA-256 differs)"),
        (contradictory.folder.path(), "guest.img: policy refused: GPIO 0 is in two of outputs, inputs and pwm"),
    ] {
        let output = run(guest, &[]);
        assert!(stderr(&output).starts_with("sandhill-desktop: "), "{}", stderr(&output));
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn a_reader_that_leaves_ends_the_run() {
    use std::io::Read;
    use std::process::Stdio;
    let guest = Guest::packed("blinky", &POLICY);
    let mut child = guest.command(&[]).stdout(Stdio::piped()).spawn().expect("the command starts");
    let mut first = [0; 20];
    child.stdout.take().expect("it is piped").read_exact(&mut first).expect("an edge");
    assert_eq!(&first, b"0.000000 GPIO25 high");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
