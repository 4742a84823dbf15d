//! The sequence: flash what differs, reset, capture, judge, read vitals; guest by guest.
//!
//! It knows instruments only as traits, and decides nothing about them. What goes wrong with the bench ends the run;
//! what goes wrong with a guest ends up in its verdicts, and the next guest follows.

use std::{
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{
    artefacts::{Artefacts, FirmwareManifest, Guest, GuestManifest},
    bench_file::{BenchFile, RUN, Reset},
    capture::{Capture, Channel},
    console::Port,
    error::Error,
    firmware::Firmware,
    flash,
    instruments::Instruments,
    judge::{Edge, Told, Verdict, Window, judge, nanos},
    probe::Probe,
    progress::Progress,
    stimuli,
    test_file::{Test, TestFile},
    vitals::{self, Vital},
};

/// How often a capture is tried that reset came too late for.
const TRIES: u32 = 3;

/// Long enough for the firmware to boot.
const BOOT: Duration = Duration::from_millis(100);
/// At most, for it to look at new guests and to write into its journal that they are there.
const TAKE_OVER: Duration = Duration::from_secs(5);
/// What the board said before a reset is on its way to the console no longer than this.
const ON_ITS_WAY: Duration = Duration::from_millis(50);

/// What to do; everything in it has been checked.
#[derive(Debug)]
pub struct Plan {
    pub bench: BenchFile,
    pub firmware: Firmware,
    pub firmware_manifest: FirmwareManifest,
    /// In order of guest.
    pub jobs: Vec<Job>,
    /// Guests that are not tested, and why.
    pub left_out: Vec<(String, String)>,
    /// Where captures go.
    pub out: PathBuf,
}

/// A capture: a guest, what is beside it, and the tests that look at them.
#[derive(Clone, Debug)]
pub struct Job {
    pub guest: Guest,
    /// What is in slot 1.
    pub beside: Option<Guest>,
    pub tests: Vec<Test>,
}

impl Job {
    /// What people read: the guest, and what is beside it.
    pub fn name(&self) -> String {
        name(&self.guest.manifest, self.beside.as_ref().map(|beside| beside.manifest.name.as_str()))
    }
}

fn name(manifest: &GuestManifest, beside: Option<&str>) -> String {
    beside.map_or_else(|| manifest.name.clone(), |beside| format!("{}+{beside}", manifest.name))
}

/// What a guest did.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct GuestRun {
    pub manifest: GuestManifest,
    /// The name of the guest in slot 1.
    pub beside: Option<String>,
    /// One a test.
    pub verdicts: Vec<Verdict>,
    /// What the board printed since reset.
    pub console: Vec<String>,
    /// Absent where the firmware has none.
    pub vitals: Vec<Vital>,
    /// Whether it is of an earlier run, of the same inputs.
    #[serde(skip)]
    pub stored: bool,
}

impl GuestRun {
    pub fn passed(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.passed)
    }

    /// What people read: the guest, and what was beside it.
    pub fn name(&self) -> String {
        name(&self.manifest, self.beside.as_deref())
    }
}

impl Plan {
    /// Matches tests with guests; `named` are the guests that the user asked for. Other guests may be without a test, or ask
    /// for what the bench does not have; they are left out.
    pub fn new(
        bench: BenchFile,
        artefacts: Artefacts,
        tests: &TestFile,
        named: &[String],
        out: PathBuf,
    ) -> Result<Self, Error> {
        let mut jobs: Vec<Job> = Vec::new();
        let mut without = Vec::new();
        let mut left_out = Vec::new();
        let mut unable = None;
        for guest in &artefacts.guests {
            let GuestManifest { name, program, .. } = &guest.manifest;
            let tests: Vec<&Test> = tests.tests.iter().filter(|test| test.is_for(name, program)).collect();
            if tests.is_empty() {
                without.push(name.clone());
                left_out.push((name.clone(), "no test is for it".into()));
                continue;
            }
            match tests.iter().try_for_each(|test| able(&bench, name, test)) {
                Ok(()) => jobs.extend(jobs_of(guest, &tests, &artefacts)?),
                Err(error) if named.contains(name) => return Err(error),
                Err(error) => {
                    left_out.push((name.clone(), error.to_string()));
                    unable.get_or_insert(error);
                }
            }
        }
        if without.iter().any(|name| named.contains(name)) || (jobs.is_empty() && unable.is_none()) {
            return Err(Error::NoTest { tests: tests.file.clone(), guests: without });
        }
        match unable {
            Some(error) if jobs.is_empty() => return Err(error),
            _ => {}
        }
        let Artefacts { firmware, firmware_manifest, .. } = artefacts;
        Ok(Self { bench, firmware, firmware_manifest, jobs, left_out, out })
    }

    /// The folder for captures and reports; made before anything is done to the board.
    pub fn prepare_out(&self) -> Result<(), Error> {
        fs::create_dir_all(&self.out).map_err(Error::file(&self.out))?;
        // A folder that exists may still be somebody else's.
        let probe = self.out.join(".writable");
        fs::write(&probe, "").and_then(|()| fs::remove_file(&probe)).map_err(Error::file(&self.out))
    }

    /// Says which guests are not tested, and why.
    pub fn tell_left_out(&self, progress: &Progress) {
        for (name, why) in &self.left_out {
            progress.line(&format!("{name}: left out: {why}"));
        }
    }

    /// Runs every guest.
    pub fn run(&self, on: &mut Instruments<'_>, progress: &Progress) -> Result<Vec<GuestRun>, Error> {
        self.prepare_out()?;
        flash::if_different(on.probe, "the firmware", &self.firmware.segments, progress)?;
        flash::forget_updates(on.probe, &self.firmware, progress)?;
        self.boot_once(on)?;
        let mut runs = Vec::new();
        for job in &self.jobs {
            let run = self.run_job(job, on, progress)?;
            for verdict in &run.verdicts {
                progress.line(&summary(&run.name(), verdict));
            }
            runs.push(run);
        }
        Ok(runs)
    }

    /// What outlives a reset is made by the first boot, which so takes a little longer than the others. Whether there was
    /// one is up to what flashing did to the board, so there always is one that nobody looks at.
    fn boot_once(&self, on: &mut Instruments<'_>) -> Result<(), Error> {
        reset(on.probe, self.bench.probe.reset)?;
        thread::sleep(BOOT);
        Ok(())
    }

    /// The same for guests: the first boot with one that came through the probe writes it into the journal. Over when the
    /// board has said something of both slots.
    fn take_over(&self, on: &mut Instruments<'_>) -> Result<(), Error> {
        let how = self.bench.probe.reset;
        hold(on.probe, how)?;
        // Lines of a boot before must not be taken for this one's.
        thread::sleep(ON_ITS_WAY);
        on.console.clear();
        release(on.probe, how)?;
        let since = Instant::now();
        while since.elapsed() < TAKE_OVER {
            let lines = on.console.lines();
            if ["slot 0: ", "slot 1: "].iter().all(|slot| lines.iter().any(|line| line.starts_with(slot))) {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn run_job(&self, job: &Job, on: &mut Instruments<'_>, progress: &Progress) -> Result<GuestRun, Error> {
        let put = |on: &mut Instruments<'_>, guest: &Guest, slot| {
            let image = flash::in_slot(&self.firmware, guest, slot);
            flash::if_different(on.probe, &guest.manifest.name, &[image], progress)
        };
        let changed = put(on, &job.guest, 0)?
            | match &job.beside {
                Some(beside) => put(on, beside, 1)?,
                None => flash::blank(on.probe, "slot 1", self.firmware.slots[1].start, progress)?,
            };
        if changed && self.firmware.journal.is_some() {
            self.take_over(on)?;
        }

        let name = job.name();
        let (capture, done) = self.capture(&name, &job.tests, on, progress)?;
        let vitals = match &self.firmware.vitals {
            Some(layout) => vitals::read(on.probe, layout)?,
            None => Some(Vec::new()),
        };
        let started = vitals.is_some();
        let vitals = vitals.unwrap_or_default();
        let console = on.console.lines();

        let mut verdicts = Vec::new();
        for test in &job.tests {
            let window = self.window(&capture, test, done.late)?;
            let told = Told { console: &console, vitals: &vitals, echoes: &done.echoes };
            let mut verdict = judge(test, &capture, window, Some(told));
            if !verdict.passed {
                verdict.notes = notes(&capture, window, test, &console);
                verdict.notes.extend(done.notes.iter().cloned());
                if !started {
                    verdict.notes.push("the board's RAM holds no vitals: the firmware did not start".into());
                }
            }
            verdicts.push(verdict);
        }
        let beside = job.beside.as_ref().map(|beside| beside.manifest.name.clone());
        Ok(GuestRun { manifest: job.guest.manifest.clone(), beside, verdicts, console, vitals, stored: false })
    }

    fn vcd(&self, name: &str) -> PathBuf {
        self.out.join(format!("{name}.vcd"))
    }

    /// What was captured last in a run of this name.
    pub fn capture_of(&self, name: &str) -> Result<Capture, Error> {
        let path = self.vcd(name);
        let file = File::open(&path).map_err(Error::file(&path))?;
        Capture::read(BufReader::new(file)).map_err(|message| Error::Capture { path, message })
    }

    /// Resets and captures for as long as the longest test asks. How soon a board is reset after the capture has begun
    /// is up to the machine; where it was too late, the margin was too small, and the second try has a larger one.
    fn capture(
        &self,
        name: &str,
        tests: &[Test],
        on: &mut Instruments<'_>,
        progress: &Progress,
    ) -> Result<(Capture, stimuli::Done), Error> {
        let vcd = self.vcd(name);
        let length = tests.iter().map(|test| test.capture).max().unwrap_or_default();
        let mut margin = Duration::from_millis(self.bench.analyser.margin_ms);
        let mut tries = 1;
        loop {
            progress.line(&format!("{name}: reset, capturing {} s", length.as_secs_f64()));
            self.reset_and_start(length + margin, &vcd, on)?;
            let uart1: Option<&mut dyn Port> = match &mut on.uart1 {
                Some(port) => Some(&mut **port),
                None => None,
            };
            let done = stimuli::run(tests, on.probe, on.console, uart1)?;
            on.analyser.finish(&mut |done, total| progress.at(&format!("{name}: capturing"), done, total))?;
            progress.clear();
            let mut capture = self.capture_of(name)?;
            if capture.end_ns == 0 {
                return Err(Error::EmptyCapture);
            }
            // What is clipped to nothing picks up noise.
            capture.channels.retain(|channel| self.bench.has_channel(&channel.name));
            match tests.iter().try_for_each(|test| self.window(&capture, test, done.late).map(drop)) {
                Err(Error::ShortCapture { run_ms, .. }) if tries < TRIES => {
                    progress
                        .line(&format!("{name}: RUN rose only {run_ms} ms after the start, again with more margin"));
                    margin += Duration::from_millis(2 * run_ms);
                    tries += 1;
                }
                Err(Error::LatePress { late_ms }) if tries < TRIES => {
                    progress.line(&format!("{name}: buttons were pressed {late_ms} ms late, again with more margin"));
                    margin += Duration::from_millis(2 * late_ms);
                    tries += 1;
                }
                checked => return checked.map(|()| (capture, done)),
            }
        }
    }

    /// The capture runs when this returns, and so does the board.
    fn reset_and_start(&self, length: Duration, vcd: &Path, on: &mut Instruments<'_>) -> Result<(), Error> {
        let how = self.bench.probe.reset;
        hold(on.probe, how)?;
        let started = on.analyser.start(length, vcd);
        on.console.clear();
        // The board is let go even if there is no capture.
        let released = release(on.probe, how);
        started.and(released)
    }

    /// From reset on, for as long as the test asks; from the first sample to the last where reset is not visible.
    /// Longer where buttons were pressed late, so that all is in it that follows from them.
    fn window(&self, capture: &Capture, test: &Test, late: Duration) -> Result<Window, Error> {
        let late = if test.press.is_some() { late } else { Duration::ZERO };
        let clocks_ppm = self.bench.analyser.clocks_ppm;
        match capture.first_rise(RUN) {
            Some(start_ns) => {
                let end_ns = start_ns.saturating_add(nanos(test.capture));
                let (asked_ns, end_ns) = (end_ns, end_ns.saturating_add(nanos(late)));
                if capture.end_ns >= asked_ns && capture.end_ns < end_ns {
                    return Err(Error::LatePress { late_ms: nanos(late).div_ceil(1_000_000) });
                }
                if capture.end_ns < end_ns {
                    return Err(Error::ShortCapture {
                        missing_ms: (end_ns - capture.end_ns).div_ceil(1_000_000),
                        run_ms: start_ns / 1_000_000,
                    });
                }
                Ok(Window { start_ns, end_ns, starts_at_reset: true, clocks_ppm })
            }
            None if self.bench.probe.reset == Reset::Pin && self.bench.has_channel(RUN) => Err(Error::NoReset),
            None => Ok(Window { start_ns: 0, end_ns: capture.end_ns, starts_at_reset: false, clocks_ppm }),
        }
    }
}

/// What of a test the bench cannot do.
fn able(bench: &BenchFile, guest: &str, test: &Test) -> Result<(), Error> {
    if let Some(pin) = test.channels().into_iter().find(|pin| !bench.has_channel(pin)) {
        return Err(Error::PinNotOnBench {
            guest: guest.into(),
            pin: pin.into(),
            bench: bench.name.clone(),
            channels: bench.labels(),
        });
    }
    let needs = |what, section| Error::NotOnBench { guest: guest.into(), what, section, bench: bench.name.clone() };
    if test.echo.is_some() && bench.uart1.is_none() {
        return Err(needs("the guests' serial port", "uart1"));
    }
    if !test.console.is_empty() && bench.serial.is_none() {
        return Err(needs("the board's console", "serial"));
    }
    Ok(())
}

/// Resets the board and lets it run.
fn reset(probe: &mut dyn Probe, how: Reset) -> Result<(), Error> {
    hold(probe, how)?;
    release(probe, how)
}

/// Stops the board at the beginning of a boot.
fn hold(probe: &mut dyn Probe, how: Reset) -> Result<(), Error> {
    match how {
        Reset::Pin => probe.hold_reset(),
        Reset::Debug => probe.reset_and_halt(),
    }
}

/// Lets it boot.
fn release(probe: &mut dyn Probe, how: Reset) -> Result<(), Error> {
    match how {
        Reset::Pin => probe.release_reset(),
        Reset::Debug => probe.run(),
    }
}

/// One for each guest that stands beside this one, in the order of the tests.
fn jobs_of(guest: &Guest, tests: &[&Test], artefacts: &Artefacts) -> Result<Vec<Job>, Error> {
    let mut jobs: Vec<(Option<&str>, Job)> = Vec::new();
    for test in tests {
        let beside = test.beside.as_deref();
        let job = match jobs.iter_mut().find(|(known, _)| *known == beside) {
            Some((_, job)) => job,
            None => {
                let image = beside.map(|folder| artefacts.beside(folder)).transpose()?;
                jobs.push((beside, Job { guest: guest.clone(), beside: image, tests: Vec::new() }));
                &mut jobs.last_mut().expect("just added").1
            }
        };
        job.tests.push((*test).clone());
    }
    Ok(jobs.into_iter().map(|(_, job)| job).collect())
}

/// What may explain a failed verdict.
fn notes(capture: &Capture, window: Window, test: &Test, console: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    let of_guest = |line: &&String| line.starts_with("slot 0:") && !line.contains("before this reset");
    let last = console.iter().rev().find(|line| of_guest(line) || line.starts_with("host:"));
    // What comes after a trap tells what follows from it, not why.
    let why =
        console.iter().rev().filter(of_guest).find(|line| line.contains("trapped: ") || line.contains("refused: "));
    match (last, console.last()) {
        (Some(line), _) => {
            notes.extend(why.filter(|why| *why != line).map(|why| format!("the board's console said `{why}`")));
            notes.push(format!("the board's console says `{line}`"));
        }
        (None, Some(line)) => {
            notes.push(format!("the board's console says nothing of a guest; its last line is `{line}`"))
        }
        (None, None) => notes.push("the board's console is silent".into()),
    }
    let moves = |channel: &Channel| {
        let in_window = |edge: &&Edge| (window.start_ns..=window.end_ns).contains(&edge.at_ns);
        channel.edges.iter().filter(in_window).count()
    };
    let looked_at = test.channels();
    if looked_at.is_empty() {
        return notes;
    }
    let stuck = looked_at.iter().all(|pin| capture.channel(pin).is_none_or(|channel| moves(channel) == 0));
    let others = |channel: &&Channel| !looked_at.contains(&channel.name.as_str()) && channel.name != RUN;
    for channel in capture.channels.iter().filter(others) {
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
        return format!("{subject}: {} passed", verdict.title);
    }
    let mut text = format!("{subject}: {} FAILED", verdict.title);
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
