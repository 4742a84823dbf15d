//! Guests that misbehave on purpose, for the tests of others: `guests/fixtures/*.wat`, and two images that were spoilt
//! after they were made.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{Error, Guest, Package, Policy, PolicyFile, Result, engine, image, read};

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
    let folder = root.join("guests/fixtures");
    let unreadable = |source| Error::Read { path: folder.clone(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
        files.push(entry.map_err(unreadable)?.path());
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wat"));
    files.sort();

    let mut fixtures = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        fixtures.push(match (package(&folder, &name, &read(&file)?), name == REFUSED) {
            (Ok(package), false) => Fixture::Built(Box::new(package)),
            (Err(reason), true) => Fixture::Refused { name, reason },
            (Ok(_), true) => return Err(Error::FixtureAccepted { fixture: name }),
            (Err(error), false) => return Err(error.of(&name)),
        });
    }

    let sound = read(&folder.join(format!("{SOUND}.wat")))?;
    let mut foreign = package(&folder, "foreign-engine", &sound)?;
    foreign.cwasm = engine::with_foreign_version(&foreign.cwasm)?;
    let policy = foreign.guest.policy.as_ref().map(Policy::to_tlv).transpose()?;
    foreign.image = image::wrap(&foreign.cwasm, &foreign.guest.name, policy.as_deref());
    let mut corrupt = package(&folder, "corrupt", &sound)?;
    corrupt.image = image::with_flipped_bit(&corrupt.image);
    fixtures.extend([Fixture::Built(Box::new(foreign)), Fixture::Built(Box::new(corrupt))]);
    Ok(fixtures)
}

/// With `<name>.policy.toml`, or else the policy that fixtures share.
fn package(folder: &Path, name: &str, wat: &[u8]) -> Result<Package> {
    let own = folder.join(format!("{name}.policy.toml"));
    let file = PolicyFile::read(&if own.is_file() { own } else { folder.join("policy.toml") })?;
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
