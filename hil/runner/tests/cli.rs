//! The command as a user meets it, without a board: every bad input ends in one clear message and exit code 2, and
//! recorded captures are judged. Programs that the runner starts are small shell scripts here.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

#[path = "common/elf.rs"]
mod elf;
#[path = "common/outcome.rs"]
mod outcome;
use elf::Elf;
use outcome::Outcome;

/// A folder with a bench file, artefacts, and a folder for scripts that is all there is in PATH besides the system.
struct Room {
    folder: tempfile::TempDir,
    path: String,
}

const BENCH: &str = r#"
name = "test"
[probe]
selector = "1d50:6018:127.0.0.1:1"
chip = "RP235x"
protocol = "swd"
reset = "debug"
[analyser]
driver = "none"
samplerate_hz = 1_000_000
arm_ms = 50
[analyser.channels]
D0 = "GPIO25"
"#;

/// How a script for sigrok-cli answers what comes before a capture.
const SIGROK: &str = "[ $1 = --version ] && echo 'sigrok-cli 0.7.2' && exit\n\
                      [ $3 = --scan ] && echo 'x - Analyser with 2 channels: D0 D1' && exit";

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        let system = std::env::var("PATH").unwrap();
        let path = format!("{}:{system}", folder.path().join("bin").display());
        let room = Self { folder, path };
        room.write("bench.toml", BENCH);
        room.script("sigrok-cli", "echo 'sigrok-cli 0.7.2'");
        room
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn script(&self, name: &str, body: &str) {
        let name = format!("bin/{name}");
        self.write(&name, format!("#!/bin/sh\n{body}\n"));
        fs::set_permissions(self.at(&name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn artefacts(&self, elf: &Elf) {
        self.write("artefacts/firmware/sandhill.elf", elf.bytes());
        self.write("artefacts/firmware/manifest.json", "{}");
        for language in ["c", "zig"] {
            let name = format!("blinky-{language}");
            let manifest = format!(r#"{{"name":"{name}","program":"blinky","language":"{language}"}}"#);
            self.write(&format!("artefacts/guests/{name}/manifest.json"), manifest);
            self.write(&format!("artefacts/guests/{name}/guest.img"), "an image");
        }
    }

    fn service(&self, command: &str) {
        let service = format!("[service]\ncommand = {command}\nready = \"ready \"\ntimeout_ms = 300\n");
        self.write("bench.toml", format!("{BENCH}{service}"));
    }

    fn hil(&self, arguments: &[&str]) -> Outcome {
        let output = Command::new(env!("CARGO_BIN_EXE_hil"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("PATH", &self.path)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        Outcome { code: output.status.code(), text: String::from_utf8_lossy(&text).into_owned() }
    }

    fn run(&self) -> Outcome {
        self.hil(&["run", "--bench", "bench.toml", "--artefacts", "artefacts"])
    }

    fn check(&self) -> Outcome {
        self.hil(&["bench", "check", "--bench", "bench.toml"])
    }
}

#[test]
fn missing_artefacts_name_the_command_that_builds_them() {
    let room = Room::new();
    room.run().is(2, &["artefacts", "firmware/sandhill.elf is missing", "`./x build`"]);
    room.artefacts(&Elf::default());
    fs::remove_file(room.at("artefacts/guests/blinky-c/guest.img")).unwrap();
    room.run().is(2, &["guests/blinky-c/guest.img is missing", "`./x build`"]);
    room.write("artefacts/guests/blinky-c/manifest.json", "{}");
    room.run().is(2, &["blinky-c/manifest.json", "missing field `name`"]);
}

#[test]
fn an_unknown_guest_is_answered_with_those_there_are() {
    let room = Room::new();
    room.artefacts(&Elf::default());
    room.hil(&["run", "--artefacts", "artefacts", "--guest", "blinky-cobol"])
        .is(2, &["no guest `blinky-cobol`", "blinky-c, blinky-zig"]);
}

#[test]
fn firmware_without_symbols_is_refused() {
    let room = Room::new();
    room.artefacts(&Elf { symbols: Vec::new(), ..Elf::default() });
    room.run().is(2, &["sandhill.elf", "no symbol `__guest_slot0_start`"]);
}

#[test]
fn an_image_larger_than_the_slot_is_refused() {
    let room = Room::new();
    let mut elf = Elf::default();
    elf.symbols[1].1 = elf.symbols[0].1 + 4;
    room.artefacts(&elf);
    room.run().is(2, &["blinky-c", "8 bytes", "only 4"]);
}

#[test]
fn unknown_keys_are_answered_with_the_known_ones() {
    let room = Room::new();
    room.artefacts(&Elf::default());
    room.write("bench.toml", BENCH.replace("driver", "drivr"));
    room.run().is(2, &["bench.toml", "unknown field `drivr`", "`driver`", "`samplerate_hz`"]);
    room.check().is(2, &["unknown field `drivr`"]);
    room.hil(&["run", "--bench", "no-such.toml"]).is(2, &["no-such.toml", "check the path"]);
}

#[test]
fn a_pin_the_bench_does_not_have_is_named() {
    let room = Room::new();
    room.artefacts(&Elf::default());
    room.write("bench.toml", BENCH.replace("GPIO25", "GPIO7"));
    room.run().is(2, &["blinky-c looks at GPIO25", "bench `test`", "channels: GPIO7"]);
}

#[test]
fn missing_sigrok_cli_says_how_to_install_it() {
    let mut room = Room::new();
    room.artefacts(&Elf::default());
    fs::remove_file(room.at("bin/sigrok-cli")).unwrap();
    room.path = room.at("bin").display().to_string();
    room.run().is(2, &["`sigrok-cli` is not in PATH", "apt install sigrok-cli"]);
    room.script("sigrok-cli", "echo 'sigrok-cli 0.5.0'");
    room.run().is(2, &["0.5.0", "0.7 or newer"]);
}

#[test]
fn a_port_nobody_listens_on_is_named() {
    let room = Room::new();
    room.artefacts(&Elf::default());
    room.run().is(2, &["nobody answers at 127.0.0.1:1, where the debug probe should be"]);
}

#[test]
fn an_instrument_that_never_answers_is_given_up() {
    let room = Room::new();
    // Connections are accepted by the system, and nobody reads from them.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    room.write("bench.toml", BENCH.replace("127.0.0.1:1", &address));
    room.script("sigrok-cli", "[ $1 = --version ] && echo 'sigrok-cli 0.7.2' && exit\nexec sleep 600");
    room.check().is(
        2,
        &[
            &format!("probe: FAILED: debug probe 1d50:6018:{address}: it has not answered for 10 s"),
            "analyser: FAILED: the analyser with driver string `none` has not answered for 10 s",
        ],
    );
}

#[test]
fn a_capture_that_cannot_be_written_is_named() {
    let room = Room::new();
    room.script("sigrok-cli", SIGROK);
    fs::create_dir_all(room.at("target/hil/check.vcd")).unwrap();
    room.check().is(2, &["analyser: FAILED: target/hil/check.vcd", "check the path and its permissions"]);
}

#[test]
fn a_reader_of_stderr_that_leaves_is_no_failure() {
    let room = Room::new();
    room.artefacts(&Elf::default());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut hil = Command::new(env!("CARGO_BIN_EXE_hil"));
    hil.args(["run", "--bench", "bench.toml", "--artefacts", "artefacts"]).env("PATH", &room.path);
    let status = hil.current_dir(room.folder.path()).stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(2), "nobody listens at the probe's port");
}

#[test]
fn a_board_that_may_do_something_else_is_judged_every_time() {
    let room = Room::new();
    room.artefacts(&Elf::default());
    room.hil(&["run", "--changed", "--bench", "bench.toml", "--artefacts", "artefacts"])
        .is(2, &["bench test does not do the same every time: every guest is judged", "nobody answers at 127.0.0.1:1"]);
}

#[test]
fn a_service_that_is_not_there_dies_or_never_gets_ready() {
    let room = Room::new();
    room.artefacts(&Elf::default());
    room.service(r#"["no-such-program"]"#);
    room.run().is(2, &["`no-such-program` is neither beside `hil` nor in PATH"]);
    room.service(r#"["sh", "-c", "echo no licence >&2; exit 3"]"#);
    room.run().is(2, &["service `sh` ended", "exit status: 3", "no licence"]);
    room.service(r#"["sh", "-c", "echo almost; cat"]"#);
    room.run().is(2, &["no line that starts with \"ready \" within 300 ms"]);
}

#[test]
fn a_service_is_told_its_ports_and_stops_with_the_runner() {
    let room = Room::new();
    room.artefacts(&Elf::default());
    // `cat` ends when its stdin closes; what follows shows that it was not killed.
    room.service(r#"["sh", "-c", "echo $0 > ports; echo ready now; cat; echo stopped > stopped", "{debug}"]"#);
    let bench = fs::read_to_string(room.at("bench.toml")).unwrap().replace("127.0.0.1:1\"", "{debug}\"");
    room.write("bench.toml", bench);
    let outcome = room.run();
    let port = fs::read_to_string(room.at("ports")).unwrap();
    outcome.is(2, &[&format!("nobody answers at {}", port.trim())]);
    assert!(room.at("stopped").exists());
}

#[test]
fn bench_check_tries_every_instrument() {
    let room = Room::new();
    let vcd = "$timescale 1 us $end $var wire 1 ! GPIO25 $end $enddefinitions $end\\n#0 0!\\n#7 1!\\n#500000\\n";
    // The last argument is where the capture goes.
    let sigrok = format!(
        "{SIGROK}\n\
         echo 'sr: session: Starting.' >&2; echo 'cli: Received SR_DF_LOGIC (8 bytes, unitsize = 1).' >&2\n\
         for last; do :; done; printf '{vcd}' > $last"
    );
    room.script("sigrok-cli", &sigrok);
    let expected = ["probe: FAILED: nobody answers", "analyser: works, 500 ms captured; GPIO25 low, 1 edges"];
    room.check().is(2, &expected);
    // One instrument that fails does not make another one look broken.
    room.write("bench.toml", BENCH.replace("reset = \"debug\"", "reset = \"pin\""));
    room.check().is(2, &expected);
}

#[test]
fn an_analyser_that_delivers_nothing_is_reported() {
    let room = Room::new();
    for (script, expected) in [
        ("echo 'No devices found.' >&2; exit 1", "found no analyser with driver string `none`"),
        ("echo \"unknown channel 'D0'.\" >&2; exit 1", "it said: unknown channel 'D0'."),
        ("echo 'sr: session: Starting.' >&2", "the capture is empty"),
    ] {
        room.script("sigrok-cli", &format!("{SIGROK}\n{script}"));
        room.check().is(2, &["analyser: FAILED", expected]);
    }
    // A scan that finds nothing.
    room.script("sigrok-cli", "[ $1 = --version ] && echo 'sigrok-cli 0.7.2' || echo 'Driver none not found.' >&2");
    room.check().is(2, &["found no analyser with driver string `none`", "Driver none not found."]);
    room.script("sigrok-cli", &SIGROK.replace("D0", "P8_45"));
    room.check().is(2, &["the analyser has no channel D0; it has: P8_45, D1"]);
}

/// A capture of ten seconds as sigrok-cli writes it, with RUN rising after 20 ms.
fn vcd(pin: &str, half_period_ns: u64) -> String {
    let mut text = format!(
        "$date Sun Nov 22 19:00:00 2026 $end\n$version libsigrok 0.5.2 $end\n$comment\n  Acquisition with 2/8 channels at \
         4 MHz\n$end\n$timescale 1 ns $end\n$scope module libsigrok $end\n$var wire 1 ! {pin} $end\n$var wire 1 \" RUN $end\n\
         $upscope $end\n$enddefinitions $end\n#0 0! 0\"\n#20000000 1\"\n"
    );
    for i in 0.. {
        let at = 20_500_000 + i * half_period_ns;
        if at > 10_020_000_000 {
            break;
        }
        text += &format!("#{at} {}!\n", (i + 1) % 2);
    }
    text + "#10020000000\n"
}

#[test]
fn recorded_captures_are_judged() {
    let room = Room::new();
    let judge = |vcd: &Path| room.hil(&["judge", "--vcd", &vcd.display().to_string(), "--program", "blinky"]);
    // From a run of `hil`: RUN rises at 16 ms, and 14 s were captured for a test of 10 s.
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/blinky-c.vcd");
    judge(&recorded).is(
        1,
        &[
            "off schedule: measured 13.000 µs",
            "mean period 1000.001444 ms",
            "over 9 periods",
            "reset to first edge 67.434000 ms",
        ],
    );
    room.write("good.vcd", vcd("GPIO25", 500_000_000));
    judge(&room.at("good.vcd"))
        .is(0, &["GPIO25 passed", "mean period 1000.000000 ms", "0.000 ppm", "reset to first edge 0.500000 ms"]);
    room.write("fast.vcd", vcd("GPIO25", 400_000_000));
    judge(&room.at("fast.vcd"))
        .is(1, &["GPIO25 FAILED", "mean period: measured 800.000000 ms, expected 1000.000000 ms ± 100.000 µs"]);
    room.write("other.vcd", vcd("GPIO24", 500_000_000));
    judge(&room.at("other.vcd")).is(2, &["no channel GPIO25", "GPIO24, RUN"]);
    room.write("no.vcd", "GIF89a");
    judge(&room.at("no.vcd")).is(2, &["no VCD file"]);
    judge(&room.at("missing.vcd")).is(2, &["missing.vcd", "check the path"]);
}

#[test]
fn a_strange_test_file_is_refused() {
    let room = Room::new();
    room.artefacts(&Elf::default());
    room.write("tests.toml", "[[test]]\nprogram = \"blinky\"\npins = 25\n");
    room.hil(&["run", "--artefacts", "artefacts", "--tests", "tests.toml"])
        .is(2, &["tests.toml", "unknown field `pins`", "`pin`"]);
}
