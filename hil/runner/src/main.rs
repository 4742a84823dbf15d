//! The `hil` command: its arguments and exit codes. 0: every guest passed; 1: a verdict failed; 2: bench or input unusable.

mod update_command;

use std::{
    fs::File,
    io::{self, BufReader, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use hil::{
    Error,
    artefacts::Artefacts,
    bench_file::{BenchFile, RUN},
    capture::Capture,
    check,
    figures::{self, Compute, Figures},
    instruments,
    judge::{Window, judge},
    progress::Progress,
    report::Report,
    run::{GuestRun, Job, Plan, summary},
    stored::Stored,
    table,
    test_file::{Test, TestFile},
};

/// Flashes guests onto a board, captures its pins and judges their timing.
#[derive(Parser)]
#[command(name = "hil", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Flash, reset, capture and judge guests, and compare them.
    Run(Run),
    /// Work with a bench.
    Bench {
        #[command(subcommand)]
        verb: BenchVerb,
    },
    /// Measure what the host costs, beside its targets; exit code 1 if one that must be met is missed.
    Figures(FiguresArgs),
    /// Bring guests to a board over its serial port, and ask it about them (SMP).
    Update(update_command::Update),
    /// Judge a capture that was taken earlier.
    Judge(Judge),
}

#[derive(Subcommand)]
enum BenchVerb {
    /// Try each instrument by itself and say what works. Resets the board, flashes nothing.
    Check {
        /// Bench file; the built-in virtual bench without it.
        #[arg(long)]
        bench: Option<PathBuf>,
        /// Where the trial capture goes.
        #[arg(long, default_value = "target/hil")]
        out: PathBuf,
    },
}

#[derive(Args)]
struct Run {
    /// Bench file; the built-in virtual bench without it.
    #[arg(long)]
    bench: Option<PathBuf>,
    /// Test file; the built-in tests without it.
    #[arg(long)]
    tests: Option<PathBuf>,
    /// What `./x build` or `guest-pack build` wrote; what it lacks is taken from the folder $SANDHILL_ARTEFACTS.
    #[arg(long, default_value = "target/artefacts")]
    artefacts: PathBuf,
    /// Only this guest; may be repeated.
    #[arg(long)]
    guest: Vec<String>,
    /// Where captures and reports go.
    #[arg(long, default_value = "target/hil")]
    out: PathBuf,
    /// Judge only guests of which something has changed that their verdict depends on (image, firmware, test, bench file,
    /// hil and the bench's own programs) since they passed into the same folder; take the verdicts of others from there. On
    /// a bench that does not do the same every time, as no real board does, all are judged
    #[arg(long)]
    changed: bool,
    /// Also print every vital of the firmware, and all sizes.
    #[arg(long)]
    vitals: bool,
}

#[derive(Args)]
struct FiguresArgs {
    /// Bench file; the built-in virtual bench without it.
    #[arg(long)]
    bench: Option<PathBuf>,
    /// What `./x build` or `guest-pack build` wrote; what it lacks is taken from the folder $SANDHILL_ARTEFACTS.
    #[arg(long, default_value = "target/artefacts")]
    artefacts: PathBuf,
    /// What `compare --json` wrote: how fast the guest that computes is as native code.
    #[arg(long)]
    native: Option<PathBuf>,
    /// Where captures and figures.json go.
    #[arg(long, default_value = "target/hil")]
    out: PathBuf,
    /// Print the table in Markdown.
    #[arg(long)]
    markdown: bool,
}

#[derive(Args)]
struct Judge {
    /// The capture. Its channels must be named as in the test file; from RUN's rising edge on, if it has a channel RUN.
    #[arg(long)]
    vcd: PathBuf,
    /// Test file; the built-in tests without it.
    #[arg(long)]
    tests: Option<PathBuf>,
    /// Only the tests of this program or guest. Without it all tests of the file; of the built-in tests, those of the guest
    /// that the capture is called after, as `hil run` does it.
    #[arg(long)]
    program: Option<String>,
}

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Run(args) => run(&args),
        Verb::Bench { verb: BenchVerb::Check { bench, out } } => bench_check(bench.as_deref(), &out),
        Verb::Figures(args) => measure(&args),
        Verb::Update(args) => update_command::update(&args, &mut say),
        Verb::Judge(args) => judge_file(&args),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // The exit code says it too, if nobody reads.
            let _ = writeln!(io::stderr(), "hil: {error}");
            ExitCode::from(2)
        }
    }
}

/// All input is read before anything is started.
fn run(args: &Run) -> Result<bool, Error> {
    let bench = BenchFile::load(args.bench.as_deref())?;
    let tests = TestFile::load(args.tests.as_deref())?;
    let artefacts = Artefacts::load(&args.artefacts, &args.guest)?;
    let mut plan = Plan::new(bench.with_free_ports()?, artefacts, &tests, &args.guest, args.out.clone())?;

    plan.prepare_out()?;
    let progress = Progress::new();
    plan.tell_left_out(&progress);
    let order: Vec<String> = plan.jobs.iter().map(Job::name).collect();
    let mut stored = Stored::load(&bench, &args.artefacts, &args.out)?;
    let mut runs = match &stored {
        Some(stored) if args.changed => take_stored(&mut plan, stored, &progress),
        None if args.changed => {
            progress.line(&format!("bench {} does not do the same every time: every guest is judged", bench.name));
            Vec::new()
        }
        _ => Vec::new(),
    };
    if !plan.jobs.is_empty() {
        let judged = instruments::with(&plan.bench, &progress, |on| plan.run(on, &progress))?;
        if let Some(stored) = &mut stored {
            plan.jobs.iter().zip(&judged).for_each(|(job, run)| stored.put(job, run));
            stored.write()?;
        }
        runs.extend(judged);
        runs.sort_by_key(|run| order.iter().position(|name| *name == run.name()));
    }

    let report = Report::new(&plan, &runs);
    report.write(&plan.out)?;
    if args.vitals {
        say(&table::vitals(&plan, &runs));
    }
    say(&table::comparison(&runs));
    say(&format!("captures and reports are in {}", plan.out.display()));
    Ok(report.passed)
}

/// The verdicts that still hold; their jobs are taken out of the plan.
fn take_stored(plan: &mut Plan, stored: &Stored, progress: &Progress) -> Vec<GuestRun> {
    let mut runs = Vec::new();
    plan.jobs.retain(|job| match stored.take(job) {
        Ok(run) => {
            progress
                .line(&format!("{}: passed in an earlier run; nothing its verdict depends on has changed", job.name()));
            runs.push(run);
            false
        }
        Err(reason) => {
            progress.line(&format!("{}: to be judged: {reason}", job.name()));
            true
        }
    });
    progress.line(&format!("{} of {} guests are judged", plan.jobs.len(), plan.jobs.len() + runs.len()));
    runs
}

/// The blinkies, and the guest that computes if there is one.
fn measure(args: &FiguresArgs) -> Result<bool, Error> {
    let bench = BenchFile::load(args.bench.as_deref())?;
    let mut artefacts = Artefacts::load(&args.artefacts, &[])?;
    artefacts.guests.retain(|guest| ["blinky", "compute"].contains(&guest.manifest.program.as_str()));
    let native = args.native.as_deref().map(figures::native).transpose()?;
    let plan = Plan::new(bench.with_free_ports()?, artefacts, &figures::tests(), &[], args.out.clone())?;
    plan.prepare_out()?;
    let progress = Progress::new();
    plan.tell_left_out(&progress);
    let runs = instruments::with(&plan.bench, &progress, |on| plan.run(on, &progress))?;

    let (blinkies, computing): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| run.manifest.program == "blinky");
    let mut slowest: Option<f64> = None;
    for run in &computing {
        let edges = plan.capture_of(&run.name())?.channel(figures::SPEED_PIN).map(|channel| channel.edges.clone());
        let iteration = figures::iteration(&edges.unwrap_or_default());
        slowest = match (slowest, iteration) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
    }
    let figures = Figures::new(&figures::Input {
        runs: &blinkies,
        flash_bytes: plan.firmware.flash_bytes(),
        sample_ns: 1e9 / plan.bench.analyser.samplerate_hz as f64,
        compute: slowest.map(|guest| Compute { guest, native }),
    });
    figures.write(&plan.out)?;
    say(&if args.markdown { figures.markdown() } else { figures.table() });
    Ok(figures.passed)
}

fn bench_check(bench: Option<&Path>, out: &Path) -> Result<bool, Error> {
    let bench = BenchFile::load(bench)?;
    say(&format!("bench: {}", bench.name));
    if check::bench(&bench, out, &mut say)? { Ok(true) } else { Err(Error::BenchCheck) }
}

fn judge_file(args: &Judge) -> Result<bool, Error> {
    let tests = TestFile::load(args.tests.as_deref())?;
    let file = File::open(&args.vcd).map_err(Error::file(&args.vcd))?;
    let refuse = |message| Error::Capture { path: args.vcd.clone(), message };
    let capture = Capture::read(BufReader::new(file)).map_err(refuse)?;
    if capture.end_ns == 0 {
        return Err(Error::EmptyCapture);
    }
    let reset = capture.first_rise(RUN);
    let start_ns = reset.unwrap_or(0);
    let chosen = chosen(&tests, args)?;
    let mut passed = true;
    for test in chosen {
        if let Some(pin) = test.channels().into_iter().find(|pin| capture.channel(pin).is_none()) {
            let names: Vec<&str> = capture.channels.iter().map(|channel| channel.name.as_str()).collect();
            return Err(refuse(format!("it has no channel {pin}; it has: {}", names.join(", "))));
        }
        // What a run would have looked at; recordings may be longer.
        let asked_ns = u64::try_from(test.capture.as_nanos()).unwrap_or(u64::MAX);
        let end_ns = capture.end_ns.min(start_ns.saturating_add(asked_ns));
        let window = Window { start_ns, end_ns, starts_at_reset: reset.is_some(), clocks_ppm: 0 };
        let verdict = judge(test, &capture, window, None);
        passed &= verdict.passed;
        say(&summary(test.subject(), &verdict));
        if let Some(measured) = verdict.measured {
            say(&table::figures(&measured, verdict.first_edge_ns));
        }
    }
    Ok(passed)
}

/// The tests that a capture decides: of the program that the user named, or else the file's name, as `hil run` gives it.
fn chosen<'a>(tests: &'a TestFile, args: &Judge) -> Result<Vec<&'a Test>, Error> {
    let stem = args.vcd.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (guest, beside) = match (&args.program, &args.tests) {
        (Some(program), _) => (Some(program.as_str()), None),
        (None, Some(_)) => (None, None),
        (None, None) => match stem.split_once('+') {
            Some((guest, beside)) => (Some(guest), Some(beside)),
            None => (Some(stem.as_str()), None),
        },
    };
    let fits = |test: &&Test| {
        let of_guest = |guest| test.is_for(guest, guest.rsplit_once('-').map_or(guest, |(program, _)| program));
        let name = test.beside.as_deref().and_then(|folder| folder.rsplit('/').next());
        !test.channels().is_empty() && guest.is_none_or(of_guest) && (beside.is_none() || beside == name)
    };
    let chosen: Vec<&Test> = tests.tests.iter().filter(fits).collect();
    if chosen.is_empty() {
        let subject = guest.unwrap_or("a capture");
        return Err(Error::NothingToJudge { tests: tests.file.clone(), subject: subject.into() });
    }
    Ok(chosen)
}

/// To stdout. A reader that has seen enough (`hil run | head`) is no failure.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}
