//! Guests that misbehave on purpose, for the tests of others: `guests/fixtures/*.wat`, those that [`crate::edges`] makes
//! from the contract, and images that were spoilt after they were made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Error, Guest, Package, Policy, PolicyFile, Result, edges, engine, image, read};

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
pub fn build(root: &Path) -> Result<Vec<Fixture>> {
    let folder = Folder(root.join("guests/fixtures"));
    let mut fixtures = Vec::new();
    for file in folder.texts()? {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        fixtures.push(match (folder.package(&name, &read(&file)?), name == REFUSED) {
            (Ok(package), false) => Fixture::Built(Box::new(package)),
            (Err(reason), true) => Fixture::Refused { name, reason },
            (Ok(_), true) => return Err(Error::FixtureAccepted { fixture: name }),
            (Err(error), false) => return Err(error.of(&name)),
        });
    }
    for (name, text) in edges::generate()? {
        let package = folder.package(&name, text.as_bytes()).map_err(|error| error.of(&name))?;
        fixtures.push(Fixture::Built(Box::new(package)));
    }
    for package in folder.spoilt()? {
        fixtures.push(Fixture::Built(Box::new(package)));
    }
    Ok(fixtures)
}

/// `guests/fixtures`.
struct Folder(PathBuf);

impl Folder {
    /// The modules in it, by name.
    fn texts(&self) -> Result<Vec<PathBuf>> {
        let unreadable = |source| Error::Read { path: self.0.clone(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.0).map_err(unreadable)? {
            files.push(entry.map_err(unreadable)?.path());
        }
        files.retain(|file| file.extension().is_some_and(|extension| extension == "wat"));
        files.sort();
        Ok(files)
    }

    /// Under `<name>.policy.toml`, or else the policy that fixtures share.
    fn package(&self, name: &str, wat: &[u8]) -> Result<Package> {
        let own = self.0.join(format!("{name}.policy.toml"));
        let file = PolicyFile::read(&if own.is_file() { own } else { self.0.join("policy.toml") })?;
        let guest = Guest {
            name: name.to_owned(),
            program: name.to_owned(),
            language: "wat".into(),
            world: file.world.unwrap_or_else(|| name.to_owned()),
            policy: Some(file.policy),
            tools: BTreeMap::new(),
        };
        Package::new(guest, wat)
    }

    /// Sound guests in images that are not.
    fn spoilt(&self) -> Result<[Package; 4]> {
        let sound = read(&self.0.join(format!("{SOUND}.wat")))?;
        let package = |name| self.package(name, &sound);
        let policy = |package: &Package| package.guest.policy.as_ref().map(Policy::to_tlv).transpose();

        let mut foreign = package("foreign-engine")?;
        foreign.cwasm = engine::with_foreign_version(&foreign.cwasm)?;
        foreign.image = image::wrap(&foreign.cwasm, &foreign.guest.name, policy(&foreign)?.as_deref());

        let mut corrupt = package("corrupt")?;
        corrupt.image = image::with_flipped_bit(&corrupt.image);

        let mut no_policy = package("no-policy")?;
        no_policy.guest.policy = None;
        no_policy.image = image::wrap(&no_policy.cwasm, &no_policy.guest.name, None);

        let mut bad_policy = package("bad-policy")?;
        let mut newer = policy(&bad_policy)?.unwrap_or_default();
        if let Some(version) = newer.first_mut() {
            *version += 1;
        }
        bad_policy.image = image::wrap(&bad_policy.cwasm, &bad_policy.guest.name, Some(&newer));
        Ok([foreign, corrupt, no_policy, bad_policy])
    }
}
