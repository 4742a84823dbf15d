//! The command line of guest-pack. Results go to stdout, one line a guest; progress and errors to stderr. Exit code 0:
//! all was built; 1: something was not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use guest_pack::fixtures::{self, Fixture};
use guest_pack::{Error, Guest, MEMORY_BUDGET, Package, Result, read, source};

/// Makes flash images of WebAssembly guests.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build the guests in guests/<program>/<language> and pack each into OUT/<program>-<language>/
    Build {
        /// For example blinky-rust; all if none is named
        names: Vec<String>,
        /// Instead, pack guests/fixtures, the guests that misbehave on purpose, into OUT/<fixture>/
        #[arg(long, conflicts_with_all = ["names", "memory_budget"])]
        fixtures: bool,
        /// Default: target/artefacts/guests in the repository, or target/artefacts/fixtures
        #[arg(long)]
        out: Option<PathBuf>,
        /// The repository; default: the one around the current folder
        #[arg(long)]
        root: Option<PathBuf>,
        /// Bytes of linear memory that a guest may have
        #[arg(long, default_value_t = MEMORY_BUDGET)]
        memory_budget: u64,
    },
    /// Pack a core module or a component of your own into OUT/NAME/
    Image {
        /// .wasm or .wat
        file: PathBuf,
        /// A world of embedded:platform
        #[arg(long)]
        world: String,
        /// What to call it
        #[arg(long)]
        name: String,
        #[arg(long)]
        out: PathBuf,
        /// Bytes of linear memory that it may have
        #[arg(long, default_value_t = MEMORY_BUDGET)]
        memory_budget: u64,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Build { fixtures: true, out, root, .. } => pack_fixtures(out, root),
        Verb::Build { names, out, root, memory_budget, .. } => build(&names, out, root, memory_budget),
        Verb::Image { file, world, name, out, memory_budget } => image(&file, world, &name, &out, memory_budget),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guest-pack: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build(names: &[String], out: Option<PathBuf>, root: Option<PathBuf>, memory_budget: u64) -> Result<()> {
    let root = repository(root)?;
    let out = out.unwrap_or_else(|| root.join("target/artefacts/guests"));
    for source in source::select(&root, names)? {
        eprintln!("guest-pack: building {}", source.name);
        let (guest, module) = source.build(&root)?;
        let package = Package::new(guest, &module, memory_budget).map_err(|error| error.of(&source.name))?;
        package.write(&out)?;
        println!("{}", package.summary());
    }
    Ok(())
}

fn image(file: &Path, world: String, name: &str, out: &Path, memory_budget: u64) -> Result<()> {
    let guest = Guest {
        name: name.to_owned(),
        program: name.to_owned(),
        language: file.extension().unwrap_or("wasm".as_ref()).to_string_lossy().into_owned(),
        world,
        tools: BTreeMap::new(),
    };
    let package =
        Package::new(guest, &read(file)?, memory_budget).map_err(|error| error.of(&file.display().to_string()))?;
    package.write(out)?;
    println!("{}", package.summary());
    Ok(())
}

fn pack_fixtures(out: Option<PathBuf>, root: Option<PathBuf>) -> Result<()> {
    let root = repository(root)?;
    let out = out.unwrap_or_else(|| root.join("target/artefacts/fixtures"));
    for fixture in fixtures::build(&root)? {
        match fixture {
            Fixture::Built(package) => {
                package.write(&out)?;
                println!("{}", package.summary());
            }
            Fixture::Refused { name, reason } => println!("{name:<16} refused, as it must be: {reason}"),
        }
    }
    Ok(())
}

/// Absolute, because each guest is built in its own folder.
fn repository(root: Option<PathBuf>) -> Result<PathBuf> {
    let start = root.unwrap_or_else(|| ".".into());
    let start = start.canonicalize().map_err(|source| Error::Read { path: start, source })?;
    source::find_root(&start)
}
