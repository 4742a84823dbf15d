//! Guests that misbehave on purpose, for the tests of others: `guests/fixtures/*.wat`, and two images that were spoilt
//! after they were made.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{Error, Guest, MEMORY_BUDGET, Package, Result, engine, image, read};

/// The one that guest-pack itself must refuse.
const REFUSED: &str = "foreign-import";
/// What the spoilt images were made of.
const SOUND: &str = "blinky-400ms";

/// What became of a fixture.
pub enum Fixture {
    Built(Package),
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
        fixtures.push(match (package(&name, &read(&file)?), name == REFUSED) {
            (Ok(package), false) => Fixture::Built(package),
            (Err(reason), true) => Fixture::Refused { name, reason },
            (Ok(_), true) => return Err(Error::FixtureAccepted { fixture: name }),
            (Err(error), false) => return Err(error.of(&name)),
        });
    }

    let sound = read(&folder.join(format!("{SOUND}.wat")))?;
    let mut foreign = package("foreign-engine", &sound)?;
    foreign.cwasm = engine::with_foreign_version(&foreign.cwasm)?;
    foreign.image = image::wrap(&foreign.cwasm);
    let mut corrupt = package("corrupt", &sound)?;
    corrupt.image = image::with_flipped_bit(&corrupt.image);
    fixtures.extend([Fixture::Built(foreign), Fixture::Built(corrupt)]);
    Ok(fixtures)
}

fn package(name: &str, wat: &[u8]) -> Result<Package> {
    let guest = Guest {
        name: name.to_owned(),
        program: name.to_owned(),
        language: "wat".into(),
        world: "blinky".into(),
        tools: BTreeMap::new(),
    };
    Package::new(guest, wat, MEMORY_BUDGET)
}
