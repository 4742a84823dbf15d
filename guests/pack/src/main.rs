//! The command line of guest-pack. Results go to stdout, one line a guest; progress and errors to stderr. Exit code 0:
//! all was built; 1: something was not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use guest_pack::fixtures::{self, Fixture};
use guest_pack::{Error, Guest, Package, PolicyFile, Result, read, source};

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
        #[arg(long, conflicts_with = "names")]
        fixtures: bool,
        /// Default: target/artefacts/guests in the repository, or target/artefacts/fixtures
        #[arg(long)]
        out: Option<PathBuf>,
        /// The repository; default: the one around the current folder
        #[arg(long)]
        root: Option<PathBuf>,
    },
    /// Pack a core module or a component of your own into OUT/NAME/
    Image {
        /// .wasm or .wat
        file: PathBuf,
        /// What to call it
        #[arg(long)]
        name: String,
        /// What it may use: a policy.toml as those in guests/. Without one it may wait, and nothing else
        #[arg(long)]
        policy: Option<PathBuf>,
        /// A world of embedded:platform; default: the policy's, or else the one called NAME
        #[arg(long)]
        world: Option<String>,
        #[arg(long)]
        out: PathBuf,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Build { fixtures: true, out, root, .. } => pack_fixtures(out, root),
        Verb::Build { names, out, root, .. } => build(&names, out, root),
        Verb::Image { file, name, policy, world, out } => image(&file, name, policy, world, &out),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guest-pack: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build(names: &[String], out: Option<PathBuf>, root: Option<PathBuf>) -> Result<()> {
    let root = repository(root)?;
    let out = out.unwrap_or_else(|| root.join("target/artefacts/guests"));
    for source in source::select(&root, names)? {
        eprintln!("guest-pack: building {}", source.name);
        let (guest, module) = source.build(&root)?;
        let package = Package::new(guest, &module).map_err(|error| error.of(&source.name))?;
        package.write(&out)?;
        println!("{}", package.summary());
    }
    Ok(())
}

fn image(file: &Path, name: String, policy: Option<PathBuf>, world: Option<String>, out: &Path) -> Result<()> {
    let policy = policy.as_deref().map(PolicyFile::read).transpose()?;
    let (policys_world, policy) = policy.map_or((None, None), |file| (file.world, Some(file.policy)));
    let guest = Guest {
        world: world.or(policys_world).unwrap_or_else(|| name.clone()),
        program: name.clone(),
        name,
        language: file.extension().unwrap_or("wasm".as_ref()).to_string_lossy().into_owned(),
        tools: BTreeMap::new(),
        policy,
    };
    let package = Package::new(guest, &read(file)?).map_err(|error| error.of(&file.display().to_string()))?;
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
            Fixture::Refused { name, reason } => println!("{name:<31} refused, as it must be: {reason}"),
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
