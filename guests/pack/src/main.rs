//! The command line of guest-pack. Results go to stdout, one line a guest that was packed, or with `--explain` one a step;
//! progress and errors to stderr. Exit code 0:
//! all was built, or the image is sound; 1: something was not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use guest_pack::build::{Builder, Taken, default_out};
use guest_pack::fixtures::Fixture;
use guest_pack::{
    Error, Guest, Image, Key, Package, PolicyFile, PublicKey, Release, Result, Version, new, read, source,
};

/// Makes flash images of WebAssembly guests.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build the guests in guests/<program>/<language> and pack each into OUT/<program>-<language>/, where something that
    /// they are made of has changed
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
        /// Print a line a step instead: up to date, or why it ran; then what all of them took
        #[arg(long)]
        explain: bool,
        #[command(flatten)]
        key: SigningKey,
    },
    /// Begin a guest of your own, in a folder that `guest-pack build` builds as it builds the repository's guests
    New {
        /// The program: letters, digits, and - between them
        name: String,
        #[arg(long, value_enum)]
        language: new::Language,
        /// Where; one that has guests already gets another one
        #[arg(long, default_value = ".")]
        root: PathBuf,
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
        /// X.Y.Z or X.Y.Z+BUILD; for people, who read it in lists of images
        #[arg(long, default_value_t)]
        version: Version,
        /// A host that has confirmed an image takes none with a lower one in its place
        #[arg(long, default_value_t)]
        security_counter: u32,
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        key: SigningKey,
    },
    /// Sign an image again, with another key, version or security counter; what is not named stays as it is
    Sign {
        /// guest.img, or what imgtool made
        image: PathBuf,
        /// X.Y.Z or X.Y.Z+BUILD
        #[arg(long)]
        version: Option<Version>,
        #[arg(long)]
        security_counter: Option<u32>,
        /// Where to write the signed image
        #[arg(short, long)]
        out: PathBuf,
        #[command(flatten)]
        key: SigningKey,
    },
    /// Print what an image is and whether it is sound: whole, signed with the key, its parts in agreement
    Verify {
        image: PathBuf,
        /// PEM of a public or a private key, one or more; default: the key to sign with
        #[arg(long = "key")]
        keys: Vec<PathBuf>,
    },
    /// Make and show keys
    #[command(subcommand)]
    Key(KeyVerb),
}

#[derive(Args)]
struct SigningKey {
    /// PEM of the Ed25519 key to sign with; default: $SANDHILL_GUEST_KEY, or else the development key, which is made
    /// when it is needed first
    #[arg(long)]
    key: Option<PathBuf>,
}

impl SigningKey {
    fn read(&self) -> Result<Key> {
        guest_pack::to_sign_with(self.key.as_deref())
    }
}

#[derive(Subcommand)]
enum KeyVerb {
    /// Make a new private key in FILE, which must not be there yet
    Generate { file: PathBuf },
    /// Print where a key is, its public key as the firmware's build takes it, and its hash as images name it
    Show {
        /// PEM of a public or a private key; default: the key to sign with
        file: Option<PathBuf>,
    },
    /// Print the public key in PEM
    Public {
        /// PEM of a public or a private key; default: the key to sign with
        file: Option<PathBuf>,
        /// As 64 hexadecimal digits, for SANDHILL_GUEST_KEYS
        #[arg(long)]
        hex: bool,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Build { names, fixtures, out, root, explain, key } => {
            let names = (!fixtures).then_some(&names[..]);
            build(names, out, root, explain, &key)
        }
        Verb::New { name, language, root } => new::create(&root, &name, language).map(|files| {
            for file in files {
                println!("{}", file.display());
            }
        }),
        Verb::Image { file, name, policy, world, version, security_counter, out, key } => {
            image(&file, name, policy, world, Release { version, security_counter }, &out, &key)
        }
        Verb::Sign { image, version, security_counter, out, key } => {
            sign(&image, version, security_counter, &out, &key)
        }
        Verb::Verify { image, keys } => verify(&image, &keys),
        Verb::Key(KeyVerb::Generate { file }) => Key::generate(&file).map(|key| show(&file, &key.public())),
        Verb::Key(KeyVerb::Show { file }) => public(file).map(|(file, key)| show(&file, &key)),
        Verb::Key(KeyVerb::Public { file, hex: true }) => public(file).map(|(_, key)| println!("{}", key.to_hex())),
        Verb::Key(KeyVerb::Public { file, hex: false }) => public(file).map(|(_, key)| print!("{}", key.to_pem())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guest-pack: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The guests that are named; the fixtures instead of guests for `None`.
fn build(
    names: Option<&[String]>,
    out: Option<PathBuf>,
    root: Option<PathBuf>,
    explain: bool,
    key: &SigningKey,
) -> Result<()> {
    let root = repository(root)?;
    let key = key.read()?;
    let out = out.unwrap_or_else(|| default_out(&root, names.is_none()));
    let mut builder = Builder::new(&root, &out, &key)?;
    let mut tell = |taken: Taken| {
        if explain {
            let what = taken.reason.map_or_else(|| "up to date".to_owned(), |reason| format!("built: {reason}"));
            println!("{:<16} {:<8} {what}", taken.of, taken.step);
        } else if let (Some(reason), "compile") = (taken.reason, taken.step) {
            eprintln!("guest-pack: building {}: {reason}", taken.of);
        }
    };
    let results = |line: String| {
        if !explain {
            println!("{line}");
        }
    };
    match names {
        Some(names) => {
            for source in source::select(&root, names)? {
                if let Some(package) = builder.guest(&source, &mut tell)? {
                    results(package.summary());
                }
            }
        }
        None => {
            for fixture in builder.fixtures(&mut tell)? {
                results(match fixture {
                    Fixture::Built(package) => package.summary(),
                    Fixture::Refused { name, reason } => format!("{name:<31} refused, as it must be: {reason}"),
                });
            }
        }
    }
    let (run, steps) = (builder.run, builder.steps);
    if explain {
        println!(
            "{run} of {steps} steps run, {} processes started, {} files written",
            builder.started(),
            builder.written
        );
    } else if run < steps {
        eprintln!("guest-pack: {} of {steps} steps are up to date", steps - run);
    }
    Ok(())
}

fn image(
    file: &Path,
    name: String,
    policy: Option<PathBuf>,
    world: Option<String>,
    release: Release,
    out: &Path,
    key: &SigningKey,
) -> Result<()> {
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
    let package = Package::new(guest, release, &key.read()?, &read(file)?).map_err(|error| of(error, file))?;
    package.write(out)?;
    println!("{}", package.summary());
    Ok(())
}

fn sign(file: &Path, version: Option<Version>, counter: Option<u32>, out: &Path, key: &SigningKey) -> Result<()> {
    let key = key.read()?;
    let bytes = read(file)?;
    let signed = Image::parse(&bytes).and_then(|image| image.sign(&key, version, counter));
    let signed = signed.map_err(|error| of(error, file))?;
    guest_pack::write(out, &signed)?;
    print!("{}", Image::parse(&signed)?.describe());
    Ok(())
}

fn verify(file: &Path, keys: &[PathBuf]) -> Result<()> {
    let bytes = read(file)?;
    let image = Image::parse(&bytes).map_err(|error| of(error, file))?;
    print!("{}", image.describe());
    let keys: Vec<PublicKey> = match keys {
        [] => vec![PublicKey::read(&guest_pack::key_path(None)?)?],
        keys => keys.iter().map(|key| PublicKey::read(key)).collect::<Result<_>>()?,
    };
    image.check(&keys).map_err(|reason| of(Error::Unsound { reason }, file))?;
    println!("sound");
    Ok(())
}

fn of(error: Error, file: &Path) -> Error {
    error.of(&file.display().to_string())
}

/// A public key and where it was read.
fn public(file: Option<PathBuf>) -> Result<(PathBuf, PublicKey)> {
    if let Some(file) = file {
        let key = PublicKey::read(&file)?;
        return Ok((file, key));
    }
    let key = guest_pack::to_sign_with(None)?;
    Ok((guest_pack::key_path(None)?, key.public()))
}

fn show(file: &Path, key: &PublicKey) {
    println!("file        {}", file.display());
    println!("public key  {}", key.to_hex());
    println!("key hash    {}", key.hash_hex());
}

/// Absolute, because each guest is built in its own folder.
fn repository(root: Option<PathBuf>) -> Result<PathBuf> {
    let start = root.unwrap_or_else(|| ".".into());
    let start = start.canonicalize().map_err(|source| Error::Read { path: start, source })?;
    source::find_root(&start)
}
