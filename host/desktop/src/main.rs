//! `sandhill-desktop`: runs a guest component on this computer, compiled natively, with the firmware's linker and rules.
//!
//! It prints one line a pin edge, `<seconds> GPIO<n> high|low`. Time is virtual: a delay takes none, and the guest's own
//! instructions take none either. So the edges are those of a board that is infinitely fast.

mod simulated;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sandhill_runtime::{Host, Limits, Outcome, Vitals};

use crate::simulated::Simulated;

/// Runs a Sandhill guest on this computer and prints its pin edges.
///
/// Exit codes: 0 the guest returned or its time was over, 1 it trapped, 2 it could not be started.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The component, binary or text
    component: PathBuf,
    /// Let delays take as long as they say
    #[arg(long)]
    realtime: bool,
    /// End after this much of the guest's time, such as 10s or 500ms [default: never]
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    time: Option<Duration>,
}

/// A computer has room: these limits only catch what runs away.
const LIMITS: Limits = Limits { memory_bytes: 64 << 20, stack_bytes: 512 << 10 };

static VITALS: Vitals = Vitals::new();

/// Why there was nothing to run.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("no engine on this computer: {0}")]
    Engine(String),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(outcome) => {
            if !matches!(outcome, Outcome::Stopped) {
                eprintln!("guest: {outcome}");
            }
            match outcome {
                Outcome::Returned | Outcome::Stopped => ExitCode::SUCCESS,
                Outcome::Trapped(_) => ExitCode::from(1),
                Outcome::Refused(_) => ExitCode::from(2),
            }
        }
        Err(error) => {
            eprintln!("sandhill-desktop: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<Outcome, Error> {
    let path = &arguments.component;
    let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.clone(), source })?;
    let host = Host::new(LIMITS).map_err(|error| Error::Engine(format!("{error:#}")))?;
    let board = Simulated::new(std::io::stdout(), arguments.realtime, arguments.time);
    let started = host.compile(&bytes).and_then(|component| host.start(&component, board, &VITALS));
    Ok(match started {
        Ok(guest) => guest.run().0,
        Err(outcome) => outcome,
    })
}
