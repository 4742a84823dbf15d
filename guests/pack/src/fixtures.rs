//! Guests that misbehave on purpose, for the tests of others: `guests/fixtures/*.wat`, those that [`crate::edges`] makes
//! from the contract, a large one, and images that [`crate::spoilt`] spoils after they were made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Error, Guest, Key, Package, PolicyFile, Release, Result, edges, large, read, spoilt};

/// The one that guest-pack itself must refuse.
const REFUSED: &str = "foreign-import";
/// What the spoilt images were made of.
const SOUND: &str = "blinky-400ms";

/// What became of a fixture.
pub enum Fixture {
    Built(Box<Package>),
    /// As it must be.
    Refused {
        name: String,
        reason: Error,
    },
}

/// Takes every fixture through all stages. The packages are not written yet.
///
/// # Errors
/// A fixture that should build and does not, or [`Error::FixtureAccepted`].
pub fn build(root: &Path, key: &Key) -> Result<Vec<Fixture>> {
    let folder = Folder { path: root.join("guests/fixtures"), key };
    let mut fixtures = Vec::new();
    for file in folder.texts()? {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        fixtures.push(match (folder.package(&name, &name, &read(&file)?), name == REFUSED) {
            (Ok(package), false) => Fixture::Built(Box::new(package)),
            (Err(reason), true) => Fixture::Refused { name, reason },
            (Ok(_), true) => return Err(Error::FixtureAccepted { fixture: name }),
            (Err(error), false) => return Err(error.of(&name)),
        });
    }
    let mut generated = edges::generate()?;
    generated.push((large::NAME.to_owned(), large::text()));
    for (name, text) in generated {
        let package = folder.package(&name, &name, text.as_bytes()).map_err(|error| error.of(&name))?;
        fixtures.push(Fixture::Built(Box::new(package)));
    }
    let sound = read(&folder.path.join(format!("{SOUND}.wat")))?;
    for (name, spoil) in spoilt::ALL {
        let mut package = folder.package(name, SOUND, &sound)?;
        spoil(&mut package, key)?;
        fixtures.push(Fixture::Built(Box::new(package)));
    }
    Ok(fixtures)
}

/// `guests/fixtures`.
struct Folder<'a> {
    path: PathBuf,
    /// To sign with.
    key: &'a Key,
}

impl Folder<'_> {
    /// The modules in it, by name.
    fn texts(&self) -> Result<Vec<PathBuf>> {
        let unreadable = |source| Error::Read { path: self.path.clone(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(unreadable)? {
            files.push(entry.map_err(unreadable)?.path());
        }
        files.retain(|file| file.extension().is_some_and(|extension| extension == "wat"));
        files.sort();
        Ok(files)
    }

    /// Under `<policy>.policy.toml`, or else the policy that fixtures share.
    fn package(&self, name: &str, policy: &str, wat: &[u8]) -> Result<Package> {
        let own = self.path.join(format!("{policy}.policy.toml"));
        let file = PolicyFile::read(&if own.is_file() { own } else { self.path.join("policy.toml") })?;
        let guest = Guest {
            name: name.to_owned(),
            program: name.to_owned(),
            language: "wat".into(),
            world: file.world.unwrap_or_else(|| name.to_owned()),
            policy: Some(file.policy),
            tools: BTreeMap::new(),
        };
        Package::new(guest, Release::default(), self.key, wat)
    }
}
