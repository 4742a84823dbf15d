//! Everything that makes a bench or its input unusable: exit code 2.
//!
//! Each message says what was found and what to check. A guest that misbehaves is no error; it gets a failed
//! [`Verdict`](crate::judge::Verdict).

use std::{io, path::PathBuf, time::Duration};

/// What stops a run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {source}: check the path and its permissions", path.display())]
    File { path: PathBuf, source: io::Error },

    #[error("bench file {file}: {message}")]
    BenchFile { file: String, message: String },

    #[error("test file {file}: {message}")]
    TestFile { file: String, message: String },

    #[error("no artefacts in {}: {missing} is missing; build them with `./x build` (fixtures: `./x test`), or name their folder with --artefacts; `eval \"$(./x env)\"` lets guests elsewhere use the firmware of a checkout", folder.display())]
    NoArtefacts { folder: PathBuf, missing: String },

    #[error("{}: {message}; build it again with `./x build`", path.display())]
    Manifest { path: PathBuf, message: String },

    #[error("there is no guest `{name}` in the artefacts; there are: {}", known.join(", "))]
    UnknownGuest { name: String, known: Vec<String> },

    #[error("no test in {tests} is for {}; check `program` and `guest` in the test file", guests.join(", "))]
    NoTest { tests: String, guests: Vec<String> },

    #[error(
        "no test in {tests} that a capture decides is for {subject}; name a program or a guest with --program, or tests of your own with --tests"
    )]
    NothingToJudge { tests: String, subject: String },

    #[error("the test of {guest} looks at {pin}, which no analyser channel of bench `{bench}` is clipped to; channels: {}", channels.join(", "))]
    PinNotOnBench { guest: String, pin: String, bench: String, channels: Vec<String> },

    #[error("the test of {guest} needs {what}, but the file of bench `{bench}` has no [{section}]")]
    NotOnBench { guest: String, what: &'static str, section: &'static str, bench: String },

    #[error("firmware {}: {message}", path.display())]
    Firmware { path: PathBuf, message: String },

    #[error(
        "guest {guest}: its image has {bytes} bytes, the slot in flash only {slot}; make the guest smaller or the slot larger in the firmware's linker script"
    )]
    ImageTooLarge { guest: String, bytes: u64, slot: u64 },

    #[error(
        "service `{program}` is neither beside `hil` nor in PATH: build it with `./x build`, or correct `service.command` in the bench file"
    )]
    ServiceNotFound { program: String },

    #[error("service `{program}` cannot be started: {source}")]
    ServiceStart { program: String, source: io::Error },

    #[error("service `{program}` ended ({status}), though the bench needs it to run{}", output(.stderr))]
    ServiceDied { program: String, status: String, stderr: String },

    #[error("service `{program}` printed no line that starts with {ready:?} within {} ms: check `service.ready` and `service.timeout_ms` in the bench file{}", timeout.as_millis(), output(.stderr))]
    ServiceNotReady { program: String, ready: String, timeout: Duration, stderr: String },

    #[error(
        "nobody answers at {address}, where {what} should be ({source}): check that it runs and that the bench file names the right port"
    )]
    Unreachable { what: &'static str, address: String, source: io::Error },

    #[error("no free port on 127.0.0.1 for the bench's service ({0}): check that the loopback interface is up")]
    NoFreePort(io::Error),

    #[error(
        "debug probe {selector}: {message}: check that it is plugged in, that no other program uses it, and `probe.selector` in the bench file"
    )]
    ProbeOpen { selector: String, message: String },

    #[error(
        "debug probe {selector}: it has not answered for {} s: check its power and cable, that nothing else uses it, and `probe.selector` in the bench file", patience.as_secs()
    )]
    SilentProbe { selector: String, patience: Duration },

    #[error(
        "chip {chip} does not answer through the probe: {message}: check power, SWDIO, SWCLK and ground, and `probe.chip` in the bench file"
    )]
    Attach { chip: String, message: String },

    #[error("debug access failed while {doing}: {message}: check the wires and the board's power")]
    Debug { doing: &'static str, message: String },

    #[error(
        "the probe cannot drive nRST ({message}): wire its reset to RUN, or set `reset = \"debug\"` in the bench file"
    )]
    ResetPin { message: String },

    #[error(
        "flashing {what} failed: {message}: check the board's power and that the chip is an RP2350 with enough flash"
    )]
    Flash { what: String, message: String },

    #[error(
        "flashing {what}: what was read back differs from what was written: the flash may be worn, write-protected or badly powered"
    )]
    Verify { what: String },

    #[error("`sigrok-cli` is not in PATH: install it (Debian: `apt install sigrok-cli`)")]
    NoSigrok,

    #[error("`sigrok-cli --version` says {found:?}; version 0.7 or newer is needed")]
    SigrokVersion { found: String },

    #[error("sigrok-cli found no analyser with driver string `{driver}`: check `analyser.driver`, the cable, and that no other program uses it{}", output(.stderr))]
    NoAnalyser { driver: String, stderr: String },

    #[error(
        "the analyser with driver string `{driver}` has not answered for {} s: check `analyser.driver`, that it is what the driver expects, and that no other program uses it", patience.as_secs()
    )]
    SilentAnalyser { driver: String, patience: Duration },

    #[error("the analyser has no channel {channel}; it has: {}; correct `analyser.channels` in the bench file", known.join(", "))]
    UnknownChannel { channel: String, known: Vec<String> },

    #[error("sigrok-cli did not do the capture ({what}): check `analyser.samplerate_hz` and `analyser.channels` in the bench file{}", output(.stderr))]
    Sigrok { what: String, stderr: String },

    #[error("capture {}: {message}", path.display())]
    Capture { path: PathBuf, message: String },

    #[error(
        "the capture is empty: the analyser delivered no samples: check its power and clock, and that the board is running"
    )]
    EmptyCapture,

    #[error(
        "RUN did not rise in the capture, though nRST was released: check the wire from the probe's reset to RUN and the analyser's clip on RUN"
    )]
    NoReset,

    #[error(
        "the capture ends {missing_ms} ms too early, because RUN rose only {run_ms} ms after its start: raise `analyser.margin_ms` in the bench file"
    )]
    ShortCapture { missing_ms: u64, run_ms: u64 },

    #[error(
        "a button was pressed {late_ms} ms late, and the capture ends before what follows: raise `analyser.margin_ms` in the bench file, or see what else keeps this machine busy"
    )]
    LatePress { late_ms: u64 },

    #[error(
        "serial port {port}: {source}: check `serial.port` in the bench file, the cable, and that you may open it (group dialout)"
    )]
    Serial { port: String, source: io::Error },

    #[error("{}: {message}: name a guest.img that `./x build` or `imgtool sign` has made", path.display())]
    NoImage { path: PathBuf, message: String },

    #[error("bench `{bench}` has no [serial]: name the board's serial port with --port")]
    NoSerial { bench: String },

    #[error(
        "bench `{bench}` starts a board of its own, which has no guest yet: `install` and `run` bring one; for anything else name the port of a board that runs with --port"
    )]
    NoBoardYet { bench: String },

    #[error("there is no other guest of the program `{program}` to begin with: name one with --from")]
    NoneToBeginWith { program: String },

    #[error("{} begins with {digits:?}; there are: {}", if *many { "the hash of several images" } else { "no image's hash" }, known.join(", "))]
    UnknownHash { digits: String, many: bool, known: Vec<String> },

    #[error("{doing}: the board refuses: {message}; `hil update list` shows what is in its slots")]
    UpdateRefused { doing: &'static str, message: String },

    #[error(
        "{doing}: nobody answers at {port}: check that it is the board's UART0 at {baud} baud, that its firmware takes updates (`hil run` flashes it), and that no other program has the port open; a board that was left at another rate is back at its own after 60 s, or a reset"
    )]
    SilentBoard { doing: &'static str, port: String, baud: u32 },

    #[error(
        "{doing}: the line to the board at {port} is bad: {message}: check the cable, that no other program has the port open, and try a lower --baud"
    )]
    SerialLine { doing: &'static str, port: String, message: String },

    #[error("the bench is not ready: see above what to check")]
    BenchCheck,

    #[error("{}: {message}; write it again with `compare --json`", path.display())]
    Native { path: PathBuf, message: String },

    #[error("the report cannot be written: {message}")]
    Report { message: String },
}

impl Error {
    /// For `map_err` around file system calls.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}

/// An error and all its causes on one line; probe-rs keeps the helpful part in the causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

fn output(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!("; it said: {}", text.replace('\n', " | ")) }
}
