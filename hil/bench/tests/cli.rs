//! The program: the line it prints, how it ends, and what it says to bad arguments.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

fn start(arguments: &[&str]) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_virtual-bench"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut ready = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut ready).expect("a line");
    (child, ready)
}

fn fails(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_virtual-bench"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).expect("text")
}

fn end(mut child: Child) -> ExitStatus {
    drop(child.stdin.take());
    child.wait().expect("it was started")
}

/// A file that is gone when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, bytes).expect("a scratch file");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a path in UTF-8")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is in the target directory: nothing is lost if it stays.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn it_says_where_it_listens_and_ends_with_its_input() {
    let (child, ready) = start(&["--until-eof", "--serial-pty"]);
    let fields: Vec<_> = ready.split_whitespace().collect();
    assert_eq!(fields[0], "ready");
    for (field, name) in fields[1..].iter().zip(["debug=", "analyser=", "serial=", "uart1="]) {
        let address = field.strip_prefix(name).expect("in this order");
        drop(TcpStream::connect(address).expect("it listens"));
    }
    let pty = fields[5].strip_prefix("pty=").expect("asked for");
    assert!(PathBuf::from(pty).exists());
    assert!(end(child).success());
}

#[test]
fn a_channel_shows_what_it_is_clipped_to() {
    let (child, ready) = start(&["--until-eof", "--channels", "3,run"]);
    let address = ready.split("analyser=").nth(1).and_then(|rest| rest.split(' ').next()).expect("an address");
    let mut analyser = TcpStream::connect(address).expect("it listens");
    analyser.write_all(b"get\n").expect("it reads");
    let mut samples = [0; 3];
    analyser.read_exact(&mut samples).expect("samples");
    assert_eq!(samples, [2, 2, 2]);
    drop(analyser);
    assert!(end(child).success());
}

#[test]
fn a_taken_port_is_named() {
    let (child, ready) = start(&["--until-eof"]);
    let debug = ready.split("debug=").nth(1).and_then(|rest| rest.split(' ').next()).expect("an address");
    let message = fails(&["--debug", debug]);
    assert!(message.contains(debug) && message.contains("debug port"), "{message}");
    assert!(end(child).success());
}

#[test]
fn bad_arguments_are_explained() {
    assert!(fails(&["--channels", "25,led"]).contains("\"led\" is neither"));
    assert!(fails(&["--debug", "nowhere"]).contains("--debug"));
    assert!(fails(&["--flash", "no-such-file"]).contains("cannot program the flash from no-such-file"));
}

#[test]
fn a_flash_file_must_fit() {
    let fits = Scratch::new("fits.bin", &[0xa5; 4096]);
    let (child, _) = start(&["--until-eof", "--flash", fits.path()]);
    assert!(end(child).success());
    let too_long = Scratch::new("too-long.bin", &vec![0; (4 << 20) + 1]);
    assert!(fails(&["--flash", too_long.path()]).contains("do not fit"));
    let cut = Scratch::new("cut.elf", b"\x7fELF\x01\x01\x01");
    assert!(fails(&["--flash", cut.path()]).contains("cannot program"));
}
