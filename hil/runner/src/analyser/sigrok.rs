//! [`Analyser`] by way of the stock `sigrok-cli`, run as a program of its own.
//!
//! sigrok-cli has no signal that says "armed". At log level 3 it reports the start of the session and every packet of
//! samples; the first packet is the proof that the analyser runs. Analysers with a memory of their own send nothing
//! before the end, and so does one whose board is halted: `arm_ms` after the start, the wait is over in any case.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use super::{Analyser, OnSamples};
use crate::{
    bench_file,
    error::Error,
    net,
    program::{self, Tail},
};

const PROGRAM: &str = "sigrok-cli";
/// What stands before a device's channels where `--scan` lists it.
const CHANNELS: &str = " channels: ";
/// For the program's answer to a question; firmware may have to be loaded into the analyser.
const ANSWER: Duration = Duration::from_secs(10);
/// From the program's start to the session's; likewise.
const START: Duration = Duration::from_secs(20);
/// Longer than this without samples, beyond the capture's own length, is a stuck analyser.
const STUCK: Duration = Duration::from_secs(30);

/// An analyser that sigrok-cli has a driver for.
#[derive(Debug)]
pub struct Sigrok {
    file: bench_file::Analyser,
    capture: Option<Running>,
    /// The analyser's channels, once they are known.
    order: Option<Vec<String>>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    log: Tail,
    events: Receiver<Event>,
    vcd: PathBuf,
    length: Duration,
    samples: u64,
    taken: u64,
}

#[derive(Debug)]
enum Event {
    Started,
    Samples(u64),
}

impl Sigrok {
    pub fn new(file: &bench_file::Analyser) -> Self {
        Self { file: file.clone(), capture: None, order: None }
    }

    /// `P8_45=GPIO25,…`: sigrok-cli then calls the channels as the test file does.
    ///
    /// libsigrok 0.5.2 writes the n-th *enabled* channel into a VCD file from bit n of the samples, which is another
    /// channel where one before it is left out. So every channel up to the last one in use is enabled.
    fn channels(&mut self) -> Result<String, Error> {
        let order = match self.order.take() {
            Some(order) => order,
            None => self.scan()?,
        };
        if let Some(unknown) = self.file.channels.keys().find(|channel| !order.contains(channel)) {
            return Err(Error::UnknownChannel { channel: unknown.clone(), known: order });
        }
        let last = order.iter().rposition(|channel| self.file.channels.contains_key(channel)).unwrap_or(0);
        let pairs: Vec<String> = order[..=last]
            .iter()
            .map(|channel| match self.file.channels.get(channel) {
                Some(label) => format!("{channel}={label}"),
                None => channel.clone(),
            })
            .collect();
        self.order = Some(order);
        Ok(pairs.join(","))
    }

    /// The analyser's channels, in its own order.
    fn scan(&self) -> Result<Vec<String>, Error> {
        let driver = &self.file.driver;
        let Some((stdout, stderr)) = ask(&["--driver", driver, "--scan"], |line| line.contains(CHANNELS))? else {
            return Err(Error::SilentAnalyser { driver: driver.clone(), patience: ANSWER });
        };
        scanned(&stdout).ok_or_else(|| self.no_analyser(stderr))
    }

    fn no_analyser(&self, stderr: String) -> Error {
        match reach(&self.file.driver) {
            Err(unreachable) => unreachable,
            Ok(()) => Error::NoAnalyser { driver: self.file.driver.clone(), stderr },
        }
    }

    /// Why the program ended.
    fn failure(&self, mut running: Running, what: &str) -> Error {
        let _ = running.child.kill();
        let _ = running.child.wait();
        let stderr = running.log.finish();
        if stderr.contains("No devices found") {
            return self.no_analyser(stderr);
        }
        Error::Sigrok { what: what.into(), stderr }
    }
}

impl Analyser for Sigrok {
    fn describe(&mut self) -> Result<String, Error> {
        let (stdout, _) = ask(&["--version"], |line| line.starts_with(PROGRAM))?.unwrap_or_default();
        let line = stdout.lines().next().unwrap_or_default().to_string();
        match line.strip_prefix("sigrok-cli ").and_then(version) {
            Some(version) if version >= (0, 7) => Ok(line),
            _ => Err(Error::SigrokVersion { found: line }),
        }
    }

    fn start(&mut self, length: Duration, vcd: &Path) -> Result<(), Error> {
        let channels = self.channels()?;
        let samples =
            u64::try_from(length.as_nanos() * u128::from(self.file.samplerate_hz) / 1_000_000_000).unwrap_or(u64::MAX);
        // An earlier capture must not pass for this one; and sigrok-cli would not say clearly that it cannot write.
        std::fs::File::create(vcd).map_err(Error::file(vcd))?;
        let mut child = Command::new(PROGRAM)
            .args(["--loglevel", "3", "--driver", &self.file.driver])
            .args(["--config", &format!("samplerate={}", self.file.samplerate_hz)])
            .args(["--channels", &channels, "--samples", &samples.to_string()])
            .args(["--output-format", "vcd", "--output-file"])
            .arg(vcd)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(cannot_run)?;
        let (sender, events) = mpsc::channel();
        let stderr = child.stderr.take().expect("stderr is piped");
        let log = Tail::follow_each(stderr, move |line| match event(line) {
            Some(event) => {
                let _ = sender.send(event);
                false
            }
            None => !line.starts_with("cli: Received"),
        });
        let mut running = Running { child, log, events, vcd: vcd.into(), length, samples, taken: 0 };

        let mut deadline = Instant::now() + START;
        let mut started = false;
        loop {
            match running.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Started) => {
                    started = true;
                    deadline = Instant::now() + Duration::from_millis(self.file.arm_ms);
                }
                Ok(Event::Samples(count)) => {
                    running.taken += count;
                    break;
                }
                Err(RecvTimeoutError::Timeout) if started => break,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.failure(running, "it did not start a session"));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let good = running.child.wait().is_ok_and(|status| status.success());
                    return Err(if started && good {
                        Error::EmptyCapture
                    } else {
                        self.failure(running, "it ended at once")
                    });
                }
            }
        }
        self.capture = Some(running);
        Ok(())
    }

    fn ended(&mut self) -> bool {
        self.capture.as_mut().is_none_or(|running| !matches!(running.child.try_wait(), Ok(None)))
    }

    fn finish(&mut self, progress: OnSamples<'_>) -> Result<(), Error> {
        let Some(mut running) = self.capture.take() else {
            return Err(Error::EmptyCapture);
        };
        // A real analyser takes as long as the capture is, a virtual one may be slower or faster.
        let patience = running.length + STUCK;
        loop {
            progress(running.taken.min(running.samples), running.samples);
            match running.events.recv_timeout(patience) {
                Ok(Event::Samples(count)) => running.taken += count,
                Ok(Event::Started) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let what = format!("no samples for {} s", patience.as_secs());
                    return Err(self.failure(running, &what));
                }
            }
        }
        match running.child.wait() {
            Ok(status) if status.success() => {}
            Ok(status) => return Err(self.failure(running, &status.to_string())),
            Err(error) => return Err(self.failure(running, &error.to_string())),
        }
        let size = std::fs::metadata(&running.vcd).map(|data| data.len()).unwrap_or(0);
        if size == 0 || running.taken == 0 {
            return Err(Error::EmptyCapture);
        }
        Ok(())
    }
}

impl Drop for Sigrok {
    /// A capture that nobody waits for any more must not keep the analyser busy.
    fn drop(&mut self) {
        if let Some(running) = &mut self.capture {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

/// What sigrok-cli answers: the lines to `keep` of stdout, and stderr; `None` if it does not end.
fn ask(arguments: &[&str], keep: fn(&str) -> bool) -> Result<Option<(String, String)>, Error> {
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot_run)?;
    let mut stdout = Tail::follow_each(child.stdout.take().expect("stdout is piped"), keep);
    let mut stderr = Tail::follow(child.stderr.take().expect("stderr is piped"));
    let ended = program::wait(&mut child, ANSWER).map_err(cannot_run)?;
    if ended.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    Ok(ended.map(|_| (stdout.finish(), stderr.finish())))
}

fn cannot_run(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::NoSigrok,
        _ => Error::Sigrok { what: error.to_string(), stderr: String::new() },
    }
}

/// The channels of the first device in what `sigrok-cli --scan` prints:
/// "demo - Demo device with 4 channels: D0 D1 D2 D3".
fn scanned(text: &str) -> Option<Vec<String>> {
    let (_, channels) = text.lines().find_map(|line| line.split_once(CHANNELS))?;
    Some(channels.split_whitespace().map(str::to_string).collect())
}

/// What a line of sigrok-cli's log means.
fn event(line: &str) -> Option<Event> {
    if line.starts_with("sr: session: Starting") {
        return Some(Event::Started);
    }
    // "cli: Received SR_DF_LOGIC (4096 bytes, unitsize = 1)."
    let (bytes, rest) = line.strip_prefix("cli: Received SR_DF_LOGIC (")?.split_once(" bytes, unitsize = ")?;
    let unit: u64 = rest.trim_end_matches(").").parse().ok().filter(|unit| *unit > 0)?;
    let bytes: u64 = bytes.parse().ok()?;
    (bytes > 0).then_some(Event::Samples(bytes / unit))
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// For analysers behind TCP (`conn=tcp/HOST/PORT` or `tcp-raw/…`): whether anybody listens there.
fn reach(driver: &str) -> Result<(), Error> {
    let Some((_, rest)) = driver.split_once("conn=tcp") else {
        return Ok(());
    };
    let mut parts = rest.split(':').next().unwrap_or_default().split('/').skip(1);
    let (Some(host), Some(port)) = (parts.next(), parts.next()) else {
        return Ok(());
    };
    net::connect("the analyser", &format!("{host}:{port}")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_are_understood() {
        assert!(matches!(event("sr: session: Starting."), Some(Event::Started)));
        assert!(matches!(event("cli: Received SR_DF_LOGIC (3616 bytes, unitsize = 2)."), Some(Event::Samples(1808))));
        assert!(event("cli: Received SR_DF_LOGIC (0 bytes, unitsize = 1).").is_none());
        assert!(event("cli: Received SR_DF_LOGIC (5 bytes, unitsize = 0).").is_none());
        assert!(event("sr: session: Stopped.").is_none());
    }

    #[test]
    fn channels_up_to_the_last_one_in_use_are_enabled_in_the_analysers_order() {
        let mut file = bench_file::BenchFile::load(None).unwrap().analyser;
        file.channels = [("D3", "GPIO25"), ("D0", "RUN")].map(|(channel, label)| (channel.into(), label.into())).into();
        let order = scanned("The following devices were found:\nx - X with 5 channels: D0 D1 D2 D3 D4\n");
        let mut sigrok = Sigrok::new(&file);
        sigrok.order = order;
        assert_eq!(sigrok.channels().unwrap(), "D0=RUN,D1,D2,D3=GPIO25");

        sigrok.file.channels.insert("D7".into(), "GPIO24".into());
        let message = sigrok.channels().unwrap_err().to_string();
        assert!(message.contains("no channel D7") && message.contains("D0, D1, D2, D3, D4"), "{message}");
        assert_eq!(scanned("nothing"), None);
    }

    #[test]
    fn versions_are_understood() {
        assert_eq!(version("0.7.2"), Some((0, 7)));
        assert_eq!(version("0.8.0-git-f7f3bb4"), Some((0, 8)));
        assert_eq!(version("new"), None);
    }
}
