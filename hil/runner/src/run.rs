//! The sequence: flash what differs, reset, capture, judge, read vitals; guest by guest.
//!
//! It knows instruments only as traits, and decides nothing about them. What goes wrong with the bench ends the run;
//! what goes wrong with a guest ends up in its verdicts, and the next guest follows.

use std::{
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    analyser::Analyser,
    artefacts::{Artefacts, Guest, GuestManifest},
    bench_file::{BenchFile, RUN, Reset},
    capture::{Capture, Channel},
    console::Console,
    error::Error,
    firmware::Segment,
    judge::{Edge, Verdict, Window, judge},
    probe::Probe,
    progress::Progress,
    test_file::{Test, TestFile},
    vitals::{self, Vital},
};

/// How often a capture is tried that reset came too late for.
const TRIES: u32 = 3;

/// What to do; everything in it has been checked.
#[derive(Debug)]
pub struct Plan {
    pub bench: BenchFile,
    pub artefacts: Artefacts,
    /// For each guest of the artefacts.
    pub tests: Vec<Vec<Test>>,
    /// Guests that no test is for.
    pub left_out: Vec<String>,
    /// Where captures go.
    pub out: PathBuf,
}

/// The three instruments of a bench.
pub struct Instruments<'a> {
    pub probe: &'a mut dyn Probe,
    pub analyser: &'a mut dyn Analyser,
    pub console: &'a mut dyn Console,
}

/// What a guest did.
#[derive(Clone, Debug)]
pub struct GuestRun {
    pub manifest: GuestManifest,
    /// One a test.
    pub verdicts: Vec<Verdict>,
    /// What the board printed since reset.
    pub console: Vec<String>,
    /// Absent where the firmware has none.
    pub vitals: Vec<Vital>,
}

impl GuestRun {
    pub fn passed(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.passed)
    }
}

impl Plan {
    /// Matches tests with guests; `named` are the guests that the user asked for. Other guests may be without a test, and
    /// are left out.
    pub fn new(
        bench: BenchFile,
        mut artefacts: Artefacts,
        tests: &TestFile,
        named: &[String],
        out: PathBuf,
    ) -> Result<Self, Error> {
        let tests_of = |guest: &Guest| -> Vec<Test> {
            let manifest = &guest.manifest;
            tests.tests.iter().filter(|test| test.is_for(&manifest.name, &manifest.program)).cloned().collect()
        };
        let (guests, without): (Vec<Guest>, Vec<Guest>) =
            artefacts.guests.into_iter().partition(|guest| !tests_of(guest).is_empty());
        artefacts.guests = guests;
        let left_out: Vec<String> = without.into_iter().map(|guest| guest.manifest.name).collect();
        if artefacts.guests.is_empty() || left_out.iter().any(|name| named.contains(name)) {
            return Err(Error::NoTest { tests: tests.file.clone(), guests: left_out });
        }
        let tests: Vec<Vec<Test>> = artefacts.guests.iter().map(tests_of).collect();
        for (guest, tests) in artefacts.guests.iter().zip(&tests) {
            if let Some(test) = tests.iter().find(|test| !bench.has_channel(&test.pin)) {
                return Err(Error::PinNotOnBench {
                    guest: guest.manifest.name.clone(),
                    pin: test.pin.clone(),
                    bench: bench.name.clone(),
                    channels: bench.labels(),
                });
            }
        }
        Ok(Self { bench, artefacts, tests, left_out, out })
    }

    /// Runs every guest.
    pub fn run(&self, on: &mut Instruments<'_>, progress: &Progress) -> Result<Vec<GuestRun>, Error> {
        fs::create_dir_all(&self.out).map_err(Error::file(&self.out))?;
        for name in &self.left_out {
            progress.line(&format!("{name}: left out, as no test is for it"));
        }
        let firmware = &self.artefacts.firmware;
        flash_if_different(on.probe, "the firmware", &firmware.segments, progress)?;
        let mut runs = Vec::new();
        for (guest, tests) in self.artefacts.guests.iter().zip(&self.tests) {
            let run = self.run_guest(guest, tests, on, progress)?;
            for verdict in &run.verdicts {
                progress.line(&summary(&guest.manifest.name, verdict));
            }
            runs.push(run);
        }
        Ok(runs)
    }

    fn run_guest(
        &self,
        guest: &Guest,
        tests: &[Test],
        on: &mut Instruments<'_>,
        progress: &Progress,
    ) -> Result<GuestRun, Error> {
        let name = &guest.manifest.name;
        let firmware = &self.artefacts.firmware;
        let image = [Segment { address: firmware.slot.start, bytes: guest.image.clone() }];
        flash_if_different(on.probe, name, &image, progress)?;

        let capture = self.capture(name, tests, on, progress)?;
        let vitals = match &firmware.vitals {
            Some(layout) => vitals::read(on.probe, layout)?,
            None => Some(Vec::new()),
        };
        let console = on.console.lines();

        let mut verdicts = Vec::new();
        for test in tests {
            let window = self.window(&capture, test)?;
            let edges = capture.channel(&test.pin).map_or(&[][..], |channel| &channel.edges);
            let mut verdict = judge(edges, window, test);
            if !verdict.passed {
                verdict.notes = notes(&capture, window, test, &console);
                if vitals.is_none() {
                    verdict.notes.push("the board's RAM holds no vitals: the firmware did not start".into());
                }
            }
            verdicts.push(verdict);
        }
        Ok(GuestRun { manifest: guest.manifest.clone(), verdicts, console, vitals: vitals.unwrap_or_default() })
    }

    /// Resets and captures for as long as the longest test asks. How soon a board is reset after the capture has begun
    /// is up to the machine; where it was too late, the margin was too small, and the second try has a larger one.
    fn capture(
        &self,
        name: &str,
        tests: &[Test],
        on: &mut Instruments<'_>,
        progress: &Progress,
    ) -> Result<Capture, Error> {
        let vcd = self.out.join(format!("{name}.vcd"));
        let length = tests.iter().map(|test| test.capture).max().unwrap_or_default();
        let mut margin = Duration::from_millis(self.bench.analyser.margin_ms);
        let mut tries = 1;
        loop {
            progress.line(&format!("{name}: reset, capturing {} s", length.as_secs_f64()));
            self.reset_and_capture(length + margin, &vcd, name, on, progress)?;
            let file = File::open(&vcd).map_err(Error::file(&vcd))?;
            let mut capture =
                Capture::read(BufReader::new(file)).map_err(|message| Error::Capture { path: vcd.clone(), message })?;
            if capture.end_ns == 0 {
                return Err(Error::EmptyCapture);
            }
            // What is clipped to nothing picks up noise.
            capture.channels.retain(|channel| self.bench.has_channel(&channel.name));
            match tests.iter().try_for_each(|test| self.window(&capture, test).map(drop)) {
                Err(Error::ShortCapture { run_ms, .. }) if tries < TRIES => {
                    progress
                        .line(&format!("{name}: RUN rose only {run_ms} ms after the start, again with more margin"));
                    margin += Duration::from_millis(2 * run_ms);
                    tries += 1;
                }
                checked => return checked.map(|()| capture),
            }
        }
    }

    fn reset_and_capture(
        &self,
        length: Duration,
        vcd: &Path,
        name: &str,
        on: &mut Instruments<'_>,
        progress: &Progress,
    ) -> Result<(), Error> {
        match self.bench.probe.reset {
            Reset::Pin => {
                on.probe.hold_reset()?;
                let started = on.analyser.start(length, vcd);
                on.console.clear();
                // The board is let go even if there is no capture.
                let released = on.probe.release_reset();
                started.and(released)?;
            }
            Reset::Debug => {
                on.probe.reset_and_halt()?;
                let started = on.analyser.start(length, vcd);
                on.console.clear();
                let released = on.probe.run();
                started.and(released)?;
            }
        }
        on.analyser.finish(&mut |done, total| progress.at(&format!("{name}: capturing"), done, total))?;
        progress.clear();
        Ok(())
    }

    /// From reset on, for as long as the test asks; from the first sample to the last where reset is not visible.
    fn window(&self, capture: &Capture, test: &Test) -> Result<Window, Error> {
        match capture.first_rise(RUN) {
            Some(start_ns) => {
                let end_ns = start_ns.saturating_add(u64::try_from(test.capture.as_nanos()).unwrap_or(u64::MAX));
                if capture.end_ns < end_ns {
                    return Err(Error::ShortCapture {
                        missing_ms: (end_ns - capture.end_ns).div_ceil(1_000_000),
                        run_ms: start_ns / 1_000_000,
                    });
                }
                Ok(Window { start_ns, end_ns, starts_at_reset: true })
            }
            None if self.bench.probe.reset == Reset::Pin && self.bench.has_channel(RUN) => Err(Error::NoReset),
            None => Ok(Window { start_ns: 0, end_ns: capture.end_ns, starts_at_reset: false }),
        }
    }
}

/// Flashes unless the same bytes are there already.
fn flash_if_different(
    probe: &mut dyn Probe,
    what: &str,
    segments: &[Segment],
    progress: &Progress,
) -> Result<(), Error> {
    let bytes: usize = segments.iter().map(|segment| segment.bytes.len()).sum();
    let mut same = true;
    for segment in segments {
        let mut found = vec![0; segment.bytes.len()];
        probe.read(segment.address, &mut found)?;
        same &= found == segment.bytes;
    }
    if same {
        progress.line(&format!("{what}: already there ({bytes} bytes)"));
        return Ok(());
    }
    probe.flash(what, segments, &mut |step, done, total| progress.at(&format!("{what}: {step}"), done, total))?;
    progress.clear();
    progress.line(&format!("{what}: flashed and verified ({bytes} bytes)"));
    Ok(())
}

/// What may explain a failed verdict.
fn notes(capture: &Capture, window: Window, test: &Test, console: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    let last = console.iter().rev().find(|line| line.starts_with("guest:") || line.starts_with("host:"));
    match (last, console.last()) {
        (Some(line), _) => notes.push(format!("the board's console says `{line}`")),
        (None, Some(line)) => {
            notes.push(format!("the board's console says nothing of a guest; its last line is `{line}`"))
        }
        (None, None) => notes.push("the board's console is silent".into()),
    }
    let moves = |channel: &Channel| {
        let in_window = |edge: &&Edge| (window.start_ns..=window.end_ns).contains(&edge.at_ns);
        channel.edges.iter().filter(in_window).count()
    };
    let stuck = capture.channel(&test.pin).is_none_or(|channel| moves(channel) == 0);
    for channel in capture.channels.iter().filter(|channel| channel.name != test.pin && channel.name != RUN) {
        let count = moves(channel);
        if count > 0 {
            let how = if stuck { "instead" } else { "too" };
            notes.push(format!("{} toggled {how}: {count} edges", channel.name));
        }
    }
    notes
}

/// A verdict in one line, or, if it failed, with a line for each reason.
pub fn summary(subject: &str, verdict: &Verdict) -> String {
    if verdict.passed {
        return format!("{subject}: {} passed", verdict.pin);
    }
    let mut text = format!("{subject}: {} FAILED", verdict.pin);
    for criterion in verdict.criteria.iter().filter(|criterion| !criterion.passed) {
        text += &format!("\n    {}: measured {}, expected {}", criterion.name, criterion.measured, criterion.expected);
    }
    for note in &verdict.notes {
        text += &format!("\n    {note}");
    }
    text
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
