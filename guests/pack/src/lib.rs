//! Source → core module → component, checked against its world → its program module as Pulley `.cwasm` → flash image.
//!
//! The one place that knows the compile settings. It promises that the same input gives the same bytes, in any folder,
//! that what it writes imports nothing but its world and starts within the memory of its policy, and that the component
//! and the flash image are the same program. Building sources it leaves to each language's own tools.

pub mod build;
mod component;
mod edges;
mod engine;
mod error;
pub mod fixtures;
mod image;
mod key;
mod large;
mod manifest;
mod memory;
pub mod new;
mod policy;
mod program;
mod read;
mod record;
pub mod source;
mod spoilt;
mod tools;
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub use error::{Error, Result};
use image::Label;
pub use image::{Release, Version};
pub use key::{Key, PublicKey, path as key_path, to_sign_with};
use manifest::{Artefact, Manifest};
pub use policy::{Policy, PolicyFile};
pub use read::Image;
use world::World;

/// A name goes into the image and on the host's console.
const NAME_MAX: usize = 31;

/// What a guest is called and what it is made of.
pub struct Guest {
    /// Names the folder: `blinky-rust`.
    pub name: String,
    pub program: String,
    pub language: String,
    /// The world's short name: `blinky`, or with a version: `blinky@0.1.0`.
    pub world: String,
    /// What it may use. Without one it may do next to nothing.
    pub policy: Option<Policy>,
    /// Tool → version, of those that made the input.
    pub tools: BTreeMap<String, String>,
}

/// All stages of a guest, in memory.
pub struct Package {
    guest: Guest,
    world: String,
    memory_bytes: u64,
    label: Label,
    /// Whose signature the image has.
    public_key: Option<PublicKey>,
    core: Vec<u8>,
    component: Vec<u8>,
    cwasm: Vec<u8>,
    image: Vec<u8>,
}

impl Package {
    /// Takes a core module or a component, binary or text, through all stages, and signs the image with `key`.
    ///
    /// # Errors
    /// [`Error::BadName`], [`Error::UnknownWorld`], [`Error::BadPolicy`], and those of [`Error`] that say what about the
    /// input a guest may not be.
    pub fn new(guest: Guest, release: Release, key: &Key, input: &[u8]) -> Result<Self> {
        let name = &guest.name;
        let inside = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
        // Neither `..` nor a hidden folder.
        let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !starts || name.len() > NAME_MAX || !name.chars().all(inside) {
            return Err(Error::BadName { name: name.clone() });
        }
        let world = World::find(&guest.world)?;
        let limits = guest.policy.clone().unwrap_or_default();
        let made = component::componentise(input, &world, &limits)?;
        let cwasm = engine::precompile(&made.core)?;
        let needs: Vec<_> = [world.name.clone()].into_iter().chain(made.interfaces).collect();
        let label = Label {
            release,
            policy: guest.policy.as_ref().map(Policy::to_tlv).transpose()?,
            name: name.clone(),
            engine: engine::text(&cwasm)?,
            needs: needs.join(" "),
        };
        let mut package = Self {
            guest,
            world: world.name,
            memory_bytes: made.memory_bytes,
            label,
            public_key: None,
            core: made.core,
            component: made.component,
            cwasm,
            image: Vec::new(),
        };
        package.sign(key);
        Ok(package)
    }

    /// Makes the image of what the package holds.
    fn sign(&mut self, key: &Key) {
        self.image = image::sign(self.label.onto(&self.cwasm), key);
        self.public_key = Some(key.public());
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.guest.name
    }

    /// The stages, then their manifest, each with the name of its file.
    fn files(&self) -> [(&'static str, Vec<u8>); 5] {
        let stages = [
            ("core.wasm", &self.core),
            ("component.wasm", &self.component),
            ("guest.cwasm", &self.cwasm),
            ("guest.img", &self.image),
        ];
        let mut tools = self.guest.tools.clone();
        tools.insert("wasmtime".into(), manifest::WASMTIME.into());
        tools.insert("wit-component".into(), manifest::WIT_COMPONENT.into());
        let manifest = Manifest {
            name: self.guest.name.clone(),
            program: self.guest.program.clone(),
            language: self.guest.language.clone(),
            world: self.world.clone(),
            version: self.label.release.version.to_string(),
            security_counter: self.label.release.security_counter,
            public_key: self.public_key.as_ref().map(PublicKey::to_hex),
            tools,
            memory_bytes: self.memory_bytes,
            policy: self.guest.policy.clone(),
            artefacts: stages.iter().map(|(file, content)| ((*file).to_owned(), Artefact::of(content))).collect(),
        };
        let [core, component, cwasm, image] = stages.map(|(file, content)| (file, content.clone()));
        [core, component, cwasm, image, ("manifest.json", manifest.to_json().into_bytes())]
    }

    /// Writes the stages and their manifest to `folder/<name>/`, those that are not there yet. Returns how many files it
    /// wrote.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write(&self, folder: &Path) -> Result<usize> {
        let folder = folder.join(&self.guest.name);
        fs::create_dir_all(&folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
        let files = self.files().map(|(file, content)| (folder.join(file), content));
        // Where there is a manifest, the rest is whole: it goes before anything else changes, and comes back after it.
        let (_, stages) = files.split_last().expect("there are five");
        let is_there = |(path, content): &(_, Vec<u8>)| fs::read::<&PathBuf>(path).is_ok_and(|there| there == *content);
        if !stages.iter().all(is_there) {
            let _ = fs::remove_file(folder.join("manifest.json"));
        }
        let mut written = 0;
        for (path, content) in files.iter().filter(|file| !is_there(file)) {
            write(path, content)?;
            written += 1;
        }
        Ok(written)
    }

    /// One line for a person: the name and how large each stage came out.
    pub fn summary(&self) -> String {
        format!(
            "{:<31} core {:>6}  component {:>6}  cwasm {:>6}  image {:>6}  memory {:>5}",
            self.guest.name,
            self.core.len(),
            self.component.len(),
            self.cwasm.len(),
            self.image.len(),
            self.memory_bytes,
        )
    }
}

/// Writes a file whole.
///
/// # Errors
/// [`Error::Write`].
pub fn write(path: &Path, content: &[u8]) -> Result<()> {
    fs::write(path, content).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Reads a file whole.
///
/// # Errors
/// [`Error::Read`].
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
