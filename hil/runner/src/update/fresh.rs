//! An update with the whole bench at hand: firmware and a first guest go in through the probe, and the analyser watches
//! that guest's pin while the new one arrives over the serial port, then the new one's.
//!
//! For benches whose board begins empty, and for whoever wants to see what an update does to a guest that runs.

use std::{
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Board, Image, ImageNumber, RAM,
    install::{self, Options, Stage},
};
use crate::{
    analyser::{Analyser, Sigrok},
    artefacts::{Artefacts, Guest},
    bench_file::{BenchFile, Reset},
    capture::Capture,
    error::Error,
    firmware::Firmware,
    flash, instruments,
    judge::{Verdict, Window, judge},
    probe::{Patient, Probe, ProbeRs},
    progress::Progress,
    run::summary,
    table,
    test_file::{Test, TestFile},
};

/// How many bytes on the line a byte of an image is, at most: base64, what frames it, and the answers.
const ON_LINE: f64 = 1.5;
/// Captured besides the time that the upload takes on the line: some periods of a guest, before and after it.
const AROUND: Duration = Duration::from_secs(3);
/// For the guest that was installed.
const AFTERWARDS: Duration = Duration::from_secs(5);
/// What most benches can see, for images of programs that there is no other guest of.
const FIRST_PROGRAM: &str = "blinky";

/// What to do; everything in it has been checked.
pub struct Plan {
    bench: BenchFile,
    firmware: Firmware,
    /// What runs first.
    from: Guest,
    /// The program of the new guest, as far as its name says so.
    program: String,
    tests: TestFile,
    out: PathBuf,
}

/// A guest's pin during something.
struct Watched {
    verdict: Verdict,
    /// Whether the capture covers all of it.
    whole: bool,
}

impl Plan {
    /// `from` is the guest to begin with; another one of the same program without it. `bench` has no placeholders left.
    pub fn new(
        bench: BenchFile,
        artefacts: &Path,
        image: &Image,
        from: Option<&str>,
        tests: TestFile,
        out: &Path,
    ) -> Result<Self, Error> {
        let named: Vec<String> = from.iter().map(|name| name.to_string()).collect();
        let Artefacts { firmware, mut guests, .. } = Artefacts::load(artefacts, &named)?;
        let own = guests.iter().find(|guest| guest.manifest.name == image.name);
        let program = own.map_or_else(
            || image.name.rsplit_once('-').map_or(image.name.as_str(), |(program, _)| program).to_string(),
            |guest| guest.manifest.program.clone(),
        );
        let other = |wanted: &str| {
            guests.iter().position(|guest| guest.manifest.program == wanted && guest.manifest.name != image.name)
        };
        let position = if from.is_some() { Some(0) } else { other(&program).or_else(|| other(FIRST_PROGRAM)) };
        let position = position.ok_or_else(|| Error::NoneToBeginWith { program: program.clone() })?;
        let from = guests.swap_remove(position);
        Ok(Self { bench, firmware, from, program, tests, out: out.into() })
    }

    /// Installs `image`, or runs it from RAM if that is its number; true if it is what runs in the end, and no pin was
    /// disturbed.
    pub fn install(
        &self,
        image: &Image,
        options: Options,
        baud: Option<u32>,
        progress: &Progress,
        say: &mut dyn FnMut(&str),
    ) -> Result<bool, Error> {
        let serial = self.bench.serial.as_ref().ok_or_else(|| Error::NoSerial { bench: self.bench.name.clone() })?;
        fs::create_dir_all(&self.out).map_err(Error::file(&self.out))?;
        let mut analyser = Sigrok::new(&self.bench.analyser);
        progress.line(&format!("analyser: {}", analyser.describe()?));
        let mut probe = Patient::new(ProbeRs::new(&self.bench.probe)?, &self.bench.probe.selector);
        instruments::with_service(&self.bench, progress, || {
            progress.line(&format!("probe: {}", probe.describe()?));
            self.flash(&mut probe, options.image, progress)?;
            let mut board = Board::open_starting(serial)?;
            install::tell(&board, progress);
            if let Some(baud) = baud {
                board.set_baud(baud)?;
            }
            self.send(&mut board, image, options, &mut analyser, progress, say)
        })
    }

    fn flash(&self, probe: &mut dyn Probe, number: ImageNumber, progress: &Progress) -> Result<(), Error> {
        let slot = if number == 1 { 1 } else { 0 };
        flash::if_different(probe, "the firmware", &self.firmware.segments, progress)?;
        flash::forget_updates(probe, &self.firmware, progress)?;
        let image = flash::in_slot(&self.firmware, &self.from, slot);
        flash::if_different(probe, &self.from.manifest.name, &[image], progress)?;
        flash::blank(probe, &format!("slot {}", 1 - slot), self.firmware.slots[1 - slot].start, progress)?;
        match self.bench.probe.reset {
            Reset::Pin => probe.hold_reset().and_then(|()| probe.release_reset()),
            Reset::Debug => probe.reset_and_halt().and_then(|()| probe.run()),
        }
    }

    fn send(
        &self,
        board: &mut Board,
        image: &Image,
        options: Options,
        analyser: &mut Sigrok,
        progress: &Progress,
        say: &mut dyn FnMut(&str),
    ) -> Result<bool, Error> {
        let (first, new) = (&self.from.manifest, &image.name);
        let stage = Stage::of(image, options.image, &board.images()?);
        let mut passed = true;
        if stage == Stage::Missing {
            let on_line = image.bytes.len() as f64 * ON_LINE * 10.0 / f64::from(board.baud());
            let length = Duration::from_secs_f64(on_line * 1.5) + AROUND;
            let upload = || install::upload(board, image, options.image, progress);
            // What is sent to RAM writes no flash, and takes the first guest's place while one would still look.
            let test = self.test(&first.name, &first.program).filter(|_| options.image != RAM);
            if let Some(watched) = self.watch(analyser, &first.name, test, length, progress, upload)? {
                passed &= watched.verdict.passed;
                let subject = match watched.whole {
                    true => format!("{} while {new} was uploaded", first.name),
                    false => format!("{} during the first {length:?} of the upload of {new}", first.name),
                };
                say(&report(&subject, &watched.verdict));
            }
            progress.line(&format!("{new}: uploaded, {} bytes at {} baud", image.bytes.len(), board.baud()));
        }
        let outcome = if options.image == RAM {
            install::started(board, progress)?
        } else {
            install::activate(board, image, options, progress)?
        };
        if outcome.good() {
            let test = self.test(new, &self.program);
            if let Some(watched) = self.watch(analyser, new, test, AFTERWARDS, progress, || Ok(()))? {
                passed &= watched.verdict.passed;
                say(&report(&format!("{new} afterwards"), &watched.verdict));
            }
        }
        board.set_baud_back()?;
        say(&install::ending(board, image, outcome)?);
        Ok(passed && outcome.good())
    }

    /// What says how a guest's pin has to move, if this bench can see it.
    fn test(&self, guest: &str, program: &str) -> Option<&Test> {
        let visible = |test: &&Test| {
            let alone = test.beside.is_none() && test.press.is_none();
            let pin = test.wave.as_ref().is_some_and(|wave| self.bench.has_channel(&wave.pin));
            alone && pin && test.is_for(guest, program)
        };
        self.tests.tests.iter().find(visible)
    }

    /// Captures for `length` while `work` is done, and judges the pin of `test`. Without a test only does the work.
    fn watch(
        &self,
        analyser: &mut Sigrok,
        guest: &str,
        test: Option<&Test>,
        length: Duration,
        progress: &Progress,
        work: impl FnOnce() -> Result<(), Error>,
    ) -> Result<Option<Watched>, Error> {
        let Some(test) = test else {
            return work().map(|()| None);
        };
        let vcd = self.out.join(format!("update-{guest}.vcd"));
        progress.line(&format!("{guest}: capturing {:.1} s", length.as_secs_f64()));
        analyser.start(length, &vcd)?;
        work()?;
        let whole = !analyser.ended();
        analyser.finish(&mut |done, total| progress.at(&format!("{guest}: capturing"), done, total))?;
        progress.clear();
        let file = File::open(&vcd).map_err(Error::file(&vcd))?;
        let capture = Capture::read(BufReader::new(file)).map_err(|message| Error::Capture { path: vcd, message })?;
        if capture.end_ns == 0 {
            return Err(Error::EmptyCapture);
        }
        let clocks_ppm = self.bench.analyser.clocks_ppm;
        let window = Window { start_ns: 0, end_ns: capture.end_ns, starts_at_reset: false, clocks_ppm };
        let test = Test { capture: length, ..test.clone() };
        Ok(Some(Watched { verdict: judge(&test, &capture, window, None), whole }))
    }
}

fn report(subject: &str, verdict: &Verdict) -> String {
    let mut text = summary(subject, verdict);
    if let Some(measured) = &verdict.measured {
        text += &format!("\n{}", table::figures(measured, None));
    }
    text
}
