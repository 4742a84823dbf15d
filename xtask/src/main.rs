//! What `./x` runs, but for `setup` and `help`, which need no tool. Each verb is a page, and calls the other rooms as a user would: through their command lines.
//!
//! Promises that a verb either does all it says or ends with a message and a non-zero exit code; leaves what the
//! commands do to the rooms, and where tools come from to `ci/setup`.

mod artifacts;
mod audit;
mod book;
mod build;
mod explain;
mod firmware;
mod footprint;
mod fuzz;
mod keys;
mod provenance;
mod reproduce;
mod run;
mod sbom;
mod test;
mod uf2;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use run::{Failure, Step};

/// Sandhill: WebAssembly components on an RP2350, proven on a bench.
#[derive(Parser)]
#[command(name = "./x")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build the tools, the firmware and every guest into target/artefacts; or the tools and only the guests named
    Build {
        /// For example blinky-c
        guests: Vec<String>,
        /// Print a line a step: up to date, or why it ran; then what all of them took
        #[arg(long, conflicts_with = "guests")]
        explain: bool,
    },
    /// Build the firmware alone, as `nix build .#firmware` does
    Firmware,
    /// Build what is flashed, and nothing but that: firmware, guests, fixtures, the third host, the rivals
    Artefacts,
    /// Build all, flash every guest on a bench, judge it and report; arguments go to `hil run`
    Hil {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build all, measure what the host costs and print it beside its targets; arguments go to `hil figures`
    Figures {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build all and print what a guest that computes costs here, as native code and in another interpreter; arguments
    /// go to `compare`
    Compare {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build all and put a board on the chip model through power cuts, a day of updates, and timed uploads; arguments go to
    /// `endurance` (cuts, soak, speed)
    Endurance {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build all and update a guest over the serial port; arguments go to `hil update`
    Update {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Fuzz every parser that meets bytes from outside, each for so many seconds
    Fuzz {
        #[arg(default_value_t = 60)]
        seconds: u32,
    },
    /// Build all, then the firmware once for every lever of its build, and print what each gives; takes an hour
    Footprint,
    /// Build all and run all tests; arguments go to `cargo test`
    Test {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build all artefacts twice, in circumstances as different as this machine allows, and compare them with each other
    /// and with the committed hashes
    Reproduce(reproduce::Options),
    /// Build all and write what each artefact is made of as CycloneDX: target/artefacts/sbom
    Sbom,
    /// Build all and write how it came to be as an in-toto statement with SLSA's predicate: target/artefacts/provenance.json
    Provenance,
    /// Compare two artifacts.json: the same sources, and the same bytes. A folder stands for what is in it, as if it had just
    /// been built of this checkout
    CompareArtifacts {
        left: PathBuf,
        right: PathBuf,
        /// Also what is the same only where the keys are
        #[arg(long)]
        keyed: bool,
        /// Other tools are no excuse
        #[arg(long)]
        strict: bool,
    },
    /// Check licences, sources, known vulnerabilities and reviews of all crates
    Audit {
        /// Fail where the database of vulnerabilities cannot be had
        #[arg(long)]
        advisories: bool,
    },
    /// Build the book into target/book and check its links; `test` runs its commands, `cli` writes the page about them
    Book(book::Book),
    /// Check formatting, clippy, the shell scripts and the flake
    Lint,
    /// Remove everything that was built (the tools in the cache folder stay)
    Clean,
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("./x: {failure}");
            failure.exit_code()
        }
    }
}

fn dispatch(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Build { explain: true, .. } => build::explained(),
        Verb::Build { guests, .. } if !guests.is_empty() => build::some(&guests),
        Verb::Build { .. } => build::all(),
        Verb::Firmware => artifacts::recorded(&["firmware"], firmware::build),
        Verb::Artefacts => build::artefacts_alone(),
        Verb::Hil { args } => {
            build::all()?;
            // `hil` has its own exit codes, which ./x hands on.
            Step::new(run::tool("hil")).arg("run").args(args).run()
        }
        Verb::Figures { args } => {
            build::all()?;
            build::rivals()?;
            // How fast native code is, which no bench needs to be asked for.
            let native = run::root().join("target/native.json");
            Step::new(run::tool("compare")).arg("--json").arg(&native).arg("native-o3").run()?;
            Step::new(run::tool("hil")).arg("figures").arg("--native").arg(&native).args(args).run()
        }
        Verb::Compare { args } => {
            build::all()?;
            build::rivals()?;
            Step::new(run::tool("compare")).args(args).run()
        }
        Verb::Endurance { args } => {
            build::all()?;
            build::fixtures()?;
            Step::new(run::tool("endurance")).args(args).run()
        }
        Verb::Update { args } => {
            build::all()?;
            Step::new(run::tool("hil")).arg("update").args(args).run()
        }
        Verb::Fuzz { seconds } => fuzz::run(seconds),
        Verb::Footprint => footprint::print(),
        Verb::Reproduce(options) => reproduce::run(&options),
        Verb::Test { args } => test::all(&args),
        Verb::Sbom => {
            build::all()?;
            sbom::write()
        }
        Verb::Provenance => {
            build::all()?;
            provenance::write()
        }
        Verb::CompareArtifacts { left, right, keyed, strict } => {
            let (left, right) = (artifacts::given(&left)?, artifacts::given(&right)?);
            if artifacts::compare(&left, &right, keyed, strict) { Ok(()) } else { Err(Failure::Differ) }
        }
        Verb::Audit { advisories } => audit::run(advisories),
        Verb::Book(book) => book::run(book),
        Verb::Lint => test::lint(),
        Verb::Clean => build::clean(),
    }
}
