//! A virtual bench that stays, with the firmware and a first guest in its flash, its serial port as a pseudo-terminal, too:
//! what a client of any make is connected to. What the board prints can be heard meanwhile, and its pins be watched.

use std::{
    fs,
    fs::File,
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use hil::{
    analyser::{Analyser, Sigrok},
    bench_file::BenchFile,
    capture::Capture,
    firmware::Firmware,
    judge::{Verdict, Window, judge},
    test_file::TestFile,
};
use tempfile::TempDir;

/// A folder that the build made, or what to do about it.
pub fn built(folder: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/artefacts").join(folder);
    assert!(path.is_dir(), "{folder} is not built: run `./x test`, which builds it first");
    path.canonicalize().expect("it is a folder")
}

/// Where the chip sees its flash.
const FLASH: u64 = 0x1000_0000;
/// What the board prints is there by then, or will never be.
const HEARD: Duration = Duration::from_secs(10);
const LONGEST_CAPTURE: Duration = Duration::from_secs(400);

/// A board that runs.
pub struct Live {
    bench: Child,
    /// The serial port; the bench's other end of it only listens, and hears the same.
    pub pty: String,
    analyser: String,
    heard: Arc<Mutex<Vec<u8>>>,
    folder: TempDir,
}

impl Live {
    /// With the firmware, and this image in slot A of guest 0.
    pub fn start(artefacts: &Path, guest: &[u8]) -> Self {
        let firmware = Firmware::load(&artefacts.join("firmware/sandhill.elf")).expect("the firmware is built");
        let slot = firmware.slots[0].start;
        let mut flash = Vec::new();
        let segments = firmware.segments.iter().map(|segment| (segment.address, segment.bytes.as_slice()));
        for (address, bytes) in segments.chain([(slot, guest)]) {
            let at = (address - FLASH) as usize;
            flash.resize(flash.len().max(at + bytes.len()), 0xFF);
            flash[at..at + bytes.len()].copy_from_slice(bytes);
        }
        let folder = TempDir::new().expect("a temporary folder");
        let file = folder.path().join("flash.bin");
        fs::write(&file, flash).expect("a file");
        let program: PathBuf = Path::new(env!("CARGO_BIN_EXE_hil")).with_file_name("virtual-bench");
        let mut bench = Command::new(program)
            .args(["--until-eof", "--serial-pty", "--flash"])
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the virtual bench is built");
        let mut ready = String::new();
        BufReader::new(bench.stdout.take().expect("piped")).read_line(&mut ready).expect("a line");
        let value = |name: &str| {
            let word = ready.split_whitespace().find_map(|word| word.strip_prefix(name));
            word.unwrap_or_else(|| panic!("no {name} in {ready}")).to_string()
        };
        let heard = listen(&value("serial="));
        let (pty, analyser) = (value("pty="), value("analyser="));
        Self { bench, pty, analyser, heard, folder }
    }

    /// The lines that were printed since the board's start.
    fn heard(&self) -> Vec<String> {
        let heard = self.heard.lock().expect("the listener does not panic");
        String::from_utf8_lossy(&heard).lines().map(|line| line.trim_end().to_string()).collect()
    }

    /// Waits until the board has printed this line.
    #[track_caller]
    pub fn says(&self, line: &str) {
        let since = Instant::now();
        while !self.heard().iter().any(|heard| heard == line) {
            // Frames begin with a control character, or are base64.
            let lines: Vec<String> = self.heard().into_iter().filter(|line| line.contains(' ')).collect();
            assert!(since.elapsed() < HEARD, "{line:?} is not in:\n{}", lines.join("\n"));
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Captures for `length` of the board's time while `work` is done, and judges the LED by the test that every blinky has to
    /// pass. Time on the board is faster than the clock meanwhile, and a busy machine slower: work that was not done by the
    /// end of the capture is done again in a longer one.
    pub fn watch_led(&self, mut length: Duration, mut work: impl FnMut()) -> Verdict {
        let vcd = self.folder.path().join("led.vcd");
        let mut analyser = Sigrok::new(&self.bench_file().analyser);
        loop {
            analyser.start(length, &vcd).expect("the analyser starts");
            work();
            let whole = !analyser.ended();
            analyser.finish(&mut |_, _| ()).expect("a capture");
            if whole {
                break;
            }
            length *= 2;
            assert!(length <= LONGEST_CAPTURE, "the work takes longer than {length:?} of the board's time");
        }
        let capture = Capture::read(BufReader::new(File::open(vcd).expect("a capture"))).expect("a capture");
        let mut test = TestFile::load(None).expect("built in").tests.remove(0);
        assert!(test.wave.as_ref().is_some_and(|wave| wave.pin == "GPIO25"), "the first test is not blinky's");
        test.capture = length;
        let window = Window { start_ns: 0, end_ns: capture.end_ns, starts_at_reset: false, clocks_ppm: 0 };
        judge(&test, &capture, window, None)
    }

    fn bench_file(&self) -> BenchFile {
        let (host, port) = self.analyser.rsplit_once(':').expect("an address");
        let text = format!(
            "name = \"live\"\n[probe]\nselector = \"1d50:6018\"\nchip = \"RP235x\"\nprotocol = \"swd\"\nreset = \"pin\"\n\
             [analyser]\ndriver = \"beaglelogic:conn=tcp/{host}/{port}:logic_channels=8\"\nsamplerate_hz = 4_000_000\n\
             arm_ms = 10_000\n[analyser.channels]\nP8_45 = \"GPIO25\"\n"
        );
        BenchFile::parse(&text, "live").expect("a bench file")
    }
}

/// Hears the line until the bench ends.
fn listen(serial: &str) -> Arc<Mutex<Vec<u8>>> {
    let mut line = TcpStream::connect(serial).expect("the bench listens");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let into = heard.clone();
    thread::spawn(move || {
        let mut piece = [0; 1024];
        while let Ok(count @ 1..) = line.read(&mut piece) {
            into.lock().expect("nobody panics with it").extend(&piece[..count]);
        }
    });
    heard
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.bench.stdin.take());
        let _ = self.bench.wait();
    }
}
