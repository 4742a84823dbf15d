//! `artifacts.json`: every artefact with its hash, the tools that made it, and the sources that it was made of.
//!
//! Promises that what it lists was built from the sources it lists: what lies in the folder from a build of other sources
//! is left out, and a build that is killed, or whose sources change under it, leaves no list at all. The same sources,
//! tools and key give the same list, byte for byte: no time, path, user or machine is in it. Comparing two lists, and what
//! is published of one, it leaves to others.

mod compare;
mod sources;
mod tools;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::run::{Failure, artefacts, root};
pub use compare::{Verdict, compare as verdicts, print as compare};
pub use sources::Source;
pub use tools::rust_src;

/// The file's name in the folder of the artefacts.
pub const FILE: &str = "artifacts.json";
const SCHEMA: u32 = 1;
/// What a user takes away. Anything else in the folder is a room's own.
const KINDS: [&str; 5] = ["elf", "uf2", "wasm", "cwasm", "img"];
const MANIFEST: &str = "manifest.json";

/// The whole list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifacts {
    /// Of this format: 1.
    pub schema: u32,
    pub name: String,
    pub version: String,
    pub source: Source,
    /// Tool → its version and who made it, of all that an artefact names.
    pub tools: BTreeMap<String, String>,
    /// Path in the folder of the artefacts, with `/` → what is there.
    pub artefacts: BTreeMap<String, Artefact>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    pub bytes: u64,
    pub sha256: String,
    /// Those of [`Artifacts::tools`] that decide its bytes.
    pub tools: Vec<String>,
    /// Whether its bytes depend on the key that guests are signed with.
    pub keyed: bool,
}

/// Everything in `folder`, which the caller has built from the sources as they are now.
///
/// # Errors
/// [`Failure::File`]; [`Failure::Damaged`] where a manifest gives another hash; [`Failure::Start`] if a tool cannot be asked.
pub fn collect(folder: &Path) -> Result<Artifacts, Failure> {
    Artifacts::new(Source::read(root())?, Found::all(folder)?)
}

/// A list, or a folder of artefacts from elsewhere.
///
/// # Errors
/// Those of [`Artifacts::read`] and [`collect`].
pub fn given(path: &Path) -> Result<Artifacts, Failure> {
    if path.is_dir() { collect(path) } else { Artifacts::read(path) }
}

/// Builds, and then writes the list of what lies in the folders `groups` of the artefacts (all that is in them, so `build` has
/// to account for all of it), and of what an earlier list vouches for, if the sources and its tools are still the same.
pub fn recorded(groups: &[&str], build: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    let folder = artefacts();
    let file = folder.join(FILE);
    let before = Source::read(root())?;
    let known = Artifacts::read(&file).ok().filter(|known| known.source.sha256 == before.sha256);
    remove(&file)?;
    build()?;
    let now = Source::read(root())?;
    if now.sha256 != before.sha256 {
        let changed = now.changed_since(&before);
        println!("build: {FILE} is not written: {changed} changed during the build. Run `./x build` again");
        return Ok(());
    }
    let mut found = Vec::new();
    for group in groups {
        found.extend(Found::below(&folder, group)?);
    }
    found.retain(|found| groups_guest(&found.path).is_none_or(|guest| is_source(root(), guest)));
    let mut list = Artifacts::new(now, found)?;
    if let Some(known) = known {
        list.keep(known, groups, &folder)?;
    }
    list.write(&file)
}

/// `blinky-c` of `guests/blinky-c/guest.img`.
fn groups_guest(path: &str) -> Option<&str> {
    path.strip_prefix("guests/")?.split('/').next()
}

/// Whether the repository at `root` has a guest of that name. Others may be images of the user's own, or of a guest that is
/// no more.
fn is_source(root: &Path, guest: &str) -> bool {
    guest.rsplit_once('-').is_some_and(|(program, language)| root.join("guests").join(program).join(language).is_dir())
}

impl Artifacts {
    /// Reads a list.
    ///
    /// # Errors
    /// [`Failure::File`], [`Failure::List`].
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let bytes = fs::read(file).map_err(|source| Failure::File { path: file.into(), source })?;
        let not_one = |reason: String| Failure::List { path: file.into(), reason };
        let list: Self = serde_json::from_slice(&bytes).map_err(|error| not_one(error.to_string()))?;
        if list.schema != SCHEMA {
            return Err(not_one(format!("its schema is {}, this program knows {SCHEMA}", list.schema)));
        }
        Ok(list)
    }

    /// Writes it whole or not at all, indented, with a final newline.
    ///
    /// # Errors
    /// [`Failure::File`].
    pub fn write(&self, file: &Path) -> Result<(), Failure> {
        let json = serde_json::to_string_pretty(self).expect("a list holds only strings and numbers");
        write_whole(file, format!("{json}\n").as_bytes())
    }

    fn new(source: Source, found: Vec<Found>) -> Result<Self, Failure> {
        let artefacts: BTreeMap<_, _> = found.into_iter().map(|found| (found.path, found.artefact)).collect();
        let mut list = Self {
            schema: SCHEMA,
            name: "sandhill".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            source,
            tools: BTreeMap::new(),
            artefacts,
        };
        for tool in list.artefacts.values().flat_map(|artefact| &artefact.tools) {
            if !list.tools.contains_key(tool) {
                list.tools.insert(tool.clone(), tools::version(tool)?);
            }
        }
        Ok(list)
    }

    /// Takes over what `known` has outside of `groups`, if it is still there and would be made by the same tools again.
    fn keep(&mut self, known: Self, groups: &[&str], folder: &Path) -> Result<(), Failure> {
        for (path, artefact) in known.artefacts {
            let rebuilt = groups.iter().any(|group| path.split('/').next() == Some(*group));
            if rebuilt || self.artefacts.contains_key(&path) {
                continue;
            }
            if fs::read(folder.join(&path)).ok().is_none_or(|bytes| hash(&bytes) != artefact.sha256) {
                continue;
            }
            let mut same = true;
            for tool in &artefact.tools {
                let now = tools::version(tool)?;
                same &= known.tools.get(tool) == Some(&now);
            }
            if same {
                self.tools.extend(artefact.tools.iter().map(|tool| (tool.clone(), known.tools[tool].clone())));
                self.artefacts.insert(path, artefact);
            }
        }
        Ok(())
    }
}

/// An artefact in its folder.
struct Found {
    path: String,
    artefact: Artefact,
}

impl Found {
    /// Of all groups.
    fn all(folder: &Path) -> Result<Vec<Self>, Failure> {
        let mut all = Vec::new();
        for group in sorted(folder)?.into_iter().filter(|path| path.is_dir()) {
            all.extend(Self::below(folder, &name(&group))?);
        }
        Ok(all)
    }

    /// Those in `folder/path` and below, which lie in `folder`.
    fn below(folder: &Path, path: &str) -> Result<Vec<Self>, Failure> {
        let here = folder.join(path);
        let manifest = fs::read(here.join(MANIFEST)).ok().and_then(|json| serde_json::from_slice::<Value>(&json).ok());
        let mut all = Vec::new();
        for entry in sorted(&here)? {
            let inside = format!("{path}/{}", name(&entry));
            if entry.is_dir() {
                all.extend(Self::below(folder, &inside)?);
                continue;
            }
            let kind = entry.extension().unwrap_or_default().to_string_lossy();
            if !KINDS.contains(&&*kind) && name(&entry) != MANIFEST {
                continue;
            }
            let bytes = fs::read(&entry).map_err(|source| Failure::File { path: entry.clone(), source })?;
            let sha256 = hash(&bytes);
            let promised = manifest.as_ref().and_then(|m| m["artefacts"][name(&entry)]["sha256"].as_str());
            if promised.is_some_and(|promised| promised != sha256) {
                return Err(Failure::Damaged { path: entry });
            }
            let language = manifest.as_ref().and_then(|manifest| manifest["language"].as_str()).unwrap_or_default();
            let tools = tools::of(path, &name(&entry), language).iter().map(|tool| (*tool).to_owned()).collect();
            let artefact = Artefact { bytes: bytes.len() as u64, sha256, tools, keyed: is_keyed(path, &name(&entry)) };
            all.push(Self { path: inside, artefact });
        }
        Ok(all)
    }
}

/// Firmware holds the public keys of whose guests it runs; an image is signed, and its manifest says by whom.
fn is_keyed(folder: &str, file: &str) -> bool {
    !folder.starts_with("rivals") && !["wasm", "cwasm"].iter().any(|kind| file.ends_with(&format!(".{kind}")))
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |source| Failure::File { path: folder.into(), source };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.retain(|path| !name(path).starts_with('.'));
    entries.sort();
    Ok(entries)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// SHA-256 in hexadecimal digits.
pub fn hash(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Writes beside the place and renames, so that a killed run leaves nothing that counts as written.
pub fn write_whole(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failure = |path: &Path, source| Failure::File { path: path.into(), source };
    let folder = file.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).map_err(|source| failure(folder, source))?;
    let partial = folder.join(format!(".{}.{}", name(file), std::process::id()));
    fs::write(&partial, bytes).map_err(|source| failure(&partial, source))?;
    fs::rename(&partial, file).map_err(|source| failure(file, source))
}

fn remove(file: &Path) -> Result<(), Failure> {
    match fs::remove_file(file) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::File { path: file.into(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
