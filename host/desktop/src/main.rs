//! `sandhill-desktop`: runs a guest component on this computer, with the firmware's policy, limits and rules.
//!
//! It prints a line a pin edge, `<seconds> GPIO<n> high|low`, and one a write to a serial port, `<seconds> UART<n> "<text>"`. Time
//! is virtual: a wait takes none of this computer's, and the guest's own work is counted in operations, twenty a microsecond. So
//! the edges are those of a board that is quicker than any, the same in every run. Run time is bounded by the same count.

mod guest_files;
mod pulses;
mod simulated;
mod stimuli;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sandhill_runtime::{GuestVitals, Host, Outcome, Policy};

use crate::guest_files::GuestFiles;
use crate::simulated::Simulated;
use crate::stimuli::{Press, unescape};

/// Runs a Sandhill guest on this computer and prints its pin edges.
///
/// Exit codes: 0 the guest returned or its time was over, 1 it trapped, 2 it could not be started.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// A guest's folder, or its component, binary or text. What it may use is in the image beside it, guest.img; without
    /// one it may only wait
    guest: PathBuf,
    /// Let delays take as long as they say
    #[arg(long)]
    realtime: bool,
    /// End after this much of the guest's time, such as 10s or 500ms [default: never]
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    time: Option<Duration>,
    /// Press the button at a pin, such as 15@500ms+300ms: after 500 ms, for 300 ms. Any number of times
    #[arg(long, value_name = "PIN@TIME+TIME", value_parser = Press::parse)]
    press: Vec<Press>,
    /// Send these bytes to serial port 1; \r, \n and \x41 are escapes
    #[arg(long, value_name = "TEXT", default_value = "")]
    uart1: String,
}

/// What this host has, as on a Pico 2: GPIO 0 and 1 are the console. The other numbers are the guest's own affair.
const HOST: Policy = Policy {
    outputs: PINS,
    safe_high: 0,
    inputs: PINS,
    pull_up: 0,
    pull_down: 0,
    pwm: PINS,
    uarts: 1 << 1,
    uart_baud: u32::MAX,
    pwm_min_period_us: 1,
    memory_bytes: u32::MAX,
    table_elements: u32::MAX,
    run_us: u32::MAX,
    wait_ms: u32::MAX,
    calls_per_second: u32::MAX,
    cpu_permille: 1000,
    progress_ms: 0,
    failures: u32::MAX,
};
/// GPIO 2 to 29.
const PINS: u32 = 0x3fff_fffc;

/// A native call stack: the guest's own, compiled for this computer, is larger than Pulley's.
const STACK_BYTES: usize = 512 << 10;

static VITALS: GuestVitals = GuestVitals::new();

/// Why there was nothing to run.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Guest(#[from] guest_files::Error),
    #[error("--uart1: {0}")]
    Stimulus(String),
    #[error("no engine on this computer: {0}")]
    Engine(String),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok((name, outcome)) => {
            if !matches!(outcome, Outcome::Stopped) {
                eprintln!("{name}: {outcome}");
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

fn run(arguments: &Arguments) -> Result<(String, Outcome), Error> {
    let GuestFiles { name, component, policy } = GuestFiles::read(&arguments.guest)?;
    let received = unescape(&arguments.uart1).map_err(Error::Stimulus)?;
    let policy = policy.narrow(&HOST);
    let host = Host::for_components(STACK_BYTES).map_err(|error| Error::Engine(format!("{error:#}")))?;
    let output = std::io::stdout();
    let presses = arguments.press.clone();
    let board = Simulated::new(output, policy, arguments.realtime, arguments.time, presses, &received);
    let started =
        host.compile_component(&component).and_then(|program| host.start(&program, &name, policy, board, &VITALS));
    let outcome = match started {
        Ok(mut guest) => guest.run(),
        Err(outcome) => outcome,
    };
    Ok((name, outcome))
}
