//! The artefact folder: firmware and guests as `./x build` left them. All that the runner knows of the build. A folder of
//! somebody's own guests has no firmware: what it lacks is looked for in [`ELSEWHERE`].
//!
//! Only the guest image and the firmware are read as a whole; everything else is sizes out of manifests.

use std::{
    collections::BTreeMap,
    env, fs,
    ops::Range,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{error::Error, firmware::Firmware};

/// The variable that names another artefact folder; `./x env` sets it to the checkout's.
pub const ELSEWHERE: &str = "SANDHILL_ARTEFACTS";

const ELF: &str = "firmware/sandhill.elf";

/// Name, size and hash of a file.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Artefact {
    pub bytes: u64,
    pub sha256: String,
}

/// What a guest's `manifest.json` says, as far as the runner uses it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct GuestManifest {
    pub name: String,
    pub program: String,
    pub language: String,
    #[serde(default)]
    pub tools: BTreeMap<String, String>,
    /// Size of the linear memory.
    #[serde(default)]
    pub memory_bytes: u64,
    #[serde(default)]
    pub artefacts: BTreeMap<String, Artefact>,
}

/// What the firmware's `manifest.json` says, as far as the runner uses it.
#[derive(Clone, Debug, Deserialize)]
pub struct FirmwareManifest {
    #[serde(default)]
    pub artefacts: BTreeMap<String, Artefact>,
    /// Bytes of each ELF section.
    #[serde(default)]
    pub sections: BTreeMap<String, u64>,
}

#[derive(Clone, Debug)]
pub struct Guest {
    pub manifest: GuestManifest,
    /// What goes into a guest slot.
    pub image: Vec<u8>,
}

#[derive(Debug)]
pub struct Artefacts {
    pub folder: PathBuf,
    /// Where to look for what the folder lacks.
    pub elsewhere: Option<PathBuf>,
    pub firmware: Firmware,
    pub firmware_manifest: FirmwareManifest,
    /// In order of name.
    pub guests: Vec<Guest>,
}

impl Artefacts {
    /// Reads the folder; `only` narrows the guests down, an empty list takes all.
    pub fn load(folder: &Path, only: &[String]) -> Result<Self, Error> {
        Self::load_from(folder, env::var_os(ELSEWHERE).map(PathBuf::from), only)
    }

    fn load_from(folder: &Path, elsewhere: Option<PathBuf>, only: &[String]) -> Result<Self, Error> {
        let has = |relative: &str| the_one_with(relative, folder, elsewhere.as_deref());
        let with_firmware = has(ELF);
        let elf = find(with_firmware, ELF)?;
        let firmware_manifest = manifest(&find(with_firmware, "firmware/manifest.json")?)?;
        let firmware = Firmware::load(&elf)?;

        let guests_folder = find(folder, "guests")?;
        let mut names = Vec::new();
        for entry in fs::read_dir(&guests_folder).map_err(Error::file(&guests_folder))? {
            let entry = entry.map_err(Error::file(&guests_folder))?;
            if entry.path().is_dir() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        if names.is_empty() {
            return Err(Error::NoArtefacts { folder: folder.into(), missing: "guests/*".into() });
        }
        for name in only.iter().filter(|name| !names.contains(name)) {
            if has(&format!("guests/{name}")) == folder {
                return Err(Error::UnknownGuest { name: name.clone(), known: names });
            }
        }
        if !only.is_empty() {
            names = only.to_vec();
            names.sort();
            names.dedup();
        }

        let mut guests = Vec::new();
        for name in names {
            let relative = format!("guests/{name}");
            guests.push(guest(has(&relative), &relative, &firmware.slots[0])?);
        }
        Ok(Self { folder: folder.into(), elsewhere, firmware, firmware_manifest, guests })
    }

    /// The guest in a folder below the artefacts, such as `fixtures/trap`, for slot 1.
    pub fn beside(&self, relative: &str) -> Result<Guest, Error> {
        let folder = the_one_with(relative, &self.folder, self.elsewhere.as_deref());
        guest(folder, relative, &self.firmware.slots[1])
    }
}

/// Where the firmware is that guests of `folder` run on.
pub fn firmware(folder: &Path) -> PathBuf {
    let elsewhere = env::var_os(ELSEWHERE).map(PathBuf::from);
    the_one_with(ELF, folder, elsewhere.as_deref()).join(ELF)
}

/// `folder`, unless only `elsewhere` has it.
fn the_one_with<'a>(relative: &str, folder: &'a Path, elsewhere: Option<&'a Path>) -> &'a Path {
    match elsewhere {
        Some(elsewhere) if !folder.join(relative).exists() && elsewhere.join(relative).exists() => elsewhere,
        _ => folder,
    }
}

fn guest(folder: &Path, relative: &str, slot: &Range<u64>) -> Result<Guest, Error> {
    let path = find(folder, &format!("{relative}/manifest.json"))?;
    let manifest: GuestManifest = manifest(&path)?;
    if Path::new(relative).file_name() != Some(manifest.name.as_ref()) {
        let message = format!("it is the manifest of {:?}, not of the guest in whose folder it lies", manifest.name);
        return Err(Error::Manifest { path, message });
    }
    let image_path = find(folder, &format!("{relative}/guest.img"))?;
    let image = fs::read(&image_path).map_err(Error::file(&image_path))?;
    let slot = slot.end - slot.start;
    if image.len() as u64 > slot {
        return Err(Error::ImageTooLarge { guest: manifest.name, bytes: image.len() as u64, slot });
    }
    Ok(Guest { manifest, image })
}

fn find(folder: &Path, relative: &str) -> Result<PathBuf, Error> {
    let path = folder.join(relative);
    if path.exists() { Ok(path) } else { Err(Error::NoArtefacts { folder: folder.into(), missing: relative.into() }) }
}

fn manifest<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(path).map_err(Error::file(path))?;
    serde_json::from_str(&text).map_err(|error| Error::Manifest { path: path.into(), message: error.to_string() })
}
