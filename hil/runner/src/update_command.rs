//! `hil update`: its arguments, and what each verb prints. Exit codes as everywhere: 1 if the guest is not what runs in the
//! end, 2 if the board or the input could not be used.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use hil::{
    Error,
    bench_file::{BenchFile, Serial},
    progress::Progress,
    test_file::TestFile,
    update::{
        self, Board, Image, RAM, fresh,
        install::{self, Options},
    },
};

#[derive(Args)]
pub struct Update {
    /// Bench file, for its serial port; the built-in virtual bench without it.
    #[arg(long, global = true)]
    bench: Option<PathBuf>,
    /// The board's console instead of the bench's: `tcp:HOST:PORT`, or a device such as /dev/ttyACM0.
    #[arg(long, global = true)]
    port: Option<String>,
    /// Set board and line to this rate for the time of the command.
    #[arg(long, global = true, value_parser = clap::value_parser!(u32).range(300..=3_000_000))]
    baud: Option<u32>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Bring a guest into service: upload, test, reset, look whether it stays, confirm.
    Install(Install),
    /// Upload a guest to RAM, where it runs once, without a flash write; a reset forgets it.
    Run(Run),
    /// Show what is in the slots.
    List,
    /// Mark an image for a trial after the next reset.
    Test {
        /// The first digits of its hash.
        hash: String,
    },
    /// Keep the guest that is on trial, or start another one for good after the next reset.
    Confirm {
        /// The first digits of its hash; the guest that runs without it.
        hash: Option<String>,
    },
    /// Erase the slot that is not in use.
    Erase {
        /// Whose: guest 0 or 1.
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1))]
        image: u32,
    },
    /// Reset the board.
    Reset,
    /// Set the rate of the board's console, until a reset or 60 s without a request.
    Baud {
        #[arg(value_parser = clap::value_parser!(u32).range(300..=3_000_000))]
        rate: u32,
    },
    /// Show what the firmware knows about itself and its guests.
    Vitals,
    /// Have the board say something back, to see whether it is there.
    Echo {
        #[arg(default_value = "hello, sandhill")]
        text: String,
    },
}

#[derive(Args)]
struct Common {
    /// A guest.img, or the name of a guest in the artefacts.
    guest: String,
    /// What `./x build` or `guest-pack build` wrote; what it lacks is taken from the folder $SANDHILL_ARTEFACTS.
    #[arg(long, default_value = "target/artefacts")]
    artefacts: PathBuf,
    /// First flash firmware and this guest through the bench's probe, and watch its pin while the other one is uploaded.
    /// A bench that starts a board of its own does so anyhow.
    #[arg(long, conflicts_with = "port", value_name = "GUEST")]
    from: Option<String>,
    /// Test file, for what the new guest's pin has to do afterwards; the built-in tests are for all others.
    #[arg(long, conflicts_with = "port")]
    tests: Option<PathBuf>,
    /// Where captures go.
    #[arg(long, default_value = "target/hil")]
    out: PathBuf,
}

#[derive(Args)]
struct Install {
    #[command(flatten)]
    common: Common,
    /// Whose place it takes: guest 0 or 1.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1))]
    image: u32,
    /// Leave it on trial: the next reset brings back the guest before, unless somebody confirms it.
    #[arg(long)]
    no_confirm: bool,
    /// How long to watch it before it is confirmed, such as `2s`.
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
    trial: Duration,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    common: Common,
}

/// `say` prints to stdout.
pub fn update(args: &Update, say: &mut dyn FnMut(&str)) -> Result<bool, Error> {
    match &args.verb {
        Verb::Install(install) => {
            let Install { common, image, no_confirm, trial } = install;
            send(args, common, Options { image: *image, confirm: !no_confirm, trial: *trial }, say)
        }
        Verb::Run(Run { common }) => {
            send(args, common, Options { image: RAM, confirm: false, trial: Duration::ZERO }, say)
        }
        verb => {
            let bench = BenchFile::load(args.bench.as_deref())?;
            if args.port.is_none() && bench.service.is_some() {
                return Err(Error::NoBoardYet { bench: bench.name });
            }
            let mut board = Board::open(&serial(args, &bench)?)?;
            if let Verb::Baud { rate } = verb {
                board.set_baud(*rate)?;
                say(&format!("the board's console is at {rate} baud, until a reset or 60 s without a request"));
                return Ok(true);
            }
            at_rate(&mut board, args.baud, |board| ask(board, verb, say))
        }
    }
}

/// The board's port: the user's, or the bench's.
fn serial(args: &Update, bench: &BenchFile) -> Result<Serial, Error> {
    match (&args.port, &bench.serial) {
        (Some(port), known) => {
            let baud = known.as_ref().map_or_else(Serial::default_baud, |serial| serial.baud);
            Ok(Serial { port: port.clone(), baud })
        }
        (None, Some(serial)) => Ok(serial.clone()),
        (None, None) => Err(Error::NoSerial { bench: bench.name.clone() }),
    }
}

fn at_rate<T>(
    board: &mut Board,
    baud: Option<u32>,
    work: impl FnOnce(&mut Board) -> Result<T, Error>,
) -> Result<T, Error> {
    if let Some(baud) = baud {
        board.set_baud(baud)?;
    }
    let outcome = work(board);
    match outcome {
        // Nobody would hear it.
        Err(Error::SilentBoard { .. } | Error::SerialLine { .. }) => outcome,
        _ => {
            let back = board.set_baud_back();
            outcome.and_then(|outcome| back.map(|()| outcome))
        }
    }
}

fn send(args: &Update, common: &Common, options: Options, say: &mut dyn FnMut(&str)) -> Result<bool, Error> {
    let bench = BenchFile::load(args.bench.as_deref())?;
    let image = Image::load(&common.guest, &common.artefacts)?;
    let progress = Progress::new();
    if args.port.is_none() && (bench.service.is_some() || common.from.is_some()) {
        let bench = bench.with_free_ports()?;
        let mut tests = TestFile::load(None)?;
        if let Some(file) = &common.tests {
            // The first one that fits is taken.
            tests.tests.splice(0..0, TestFile::load(Some(file))?.tests);
        }
        let plan = fresh::Plan::new(bench, &common.artefacts, &image, common.from.as_deref(), tests, &common.out)?;
        return plan.install(&image, options, args.baud, &progress, say);
    }
    let mut board = Board::open(&serial(args, &bench)?)?;
    let outcome = at_rate(&mut board, args.baud, |board| {
        if options.image == RAM {
            install::run(board, &image, &progress)
        } else {
            install::install(board, &image, options, &progress)
        }
    })?;
    say(&install::ending(&board, &image, outcome)?);
    Ok(outcome.good())
}

/// The verbs that ask a board one thing.
fn ask(board: &mut Board, verb: &Verb, say: &mut dyn FnMut(&str)) -> Result<bool, Error> {
    match verb {
        Verb::Test { hash } => {
            let hash = update::by_hash(&board.images()?, hash)?;
            let doing = "marking the image for its trial";
            say(&update::images(&board.ask(doing, |client| client.image_set_state(Some(&hash), false))?));
            say("its trial begins with the next reset: `hil update reset`");
        }
        Verb::Confirm { hash } => {
            let hash = hash.as_ref().map(|digits| update::by_hash(&board.images()?, digits)).transpose()?;
            let images = board.ask("confirming", |client| client.image_set_state(hash.as_deref(), true))?;
            say(&update::images(&images));
        }
        Verb::Erase { image } => {
            let slot = if *image == 0 { None } else { Some(3) };
            board.ask("erasing", |client| client.image_erase(slot))?;
            say(&install::state(board)?);
        }
        Verb::Reset => {
            board.reset()?;
            board.wait("waiting for the board to start again", |_| Ok(Some(())))?;
            say(&install::state(board)?);
        }
        Verb::Vitals => say(&update::statistics(&board.statistics()?)),
        Verb::Echo { text } => say(&board.ask("talking to the board", |client| client.os_echo(text))?),
        Verb::List | Verb::Install(_) | Verb::Run(_) | Verb::Baud { .. } => say(&install::state(board)?),
    }
    Ok(true)
}
