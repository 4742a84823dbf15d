//! Source → core module → component → Pulley `.cwasm` → flash image.
//!
//! The one place that knows the compile settings. It promises that the same input gives the same bytes, in any folder,
//! and that what it writes imports nothing but its world and keeps within its memory budget. Building sources it leaves
//! to each language's own tools; signatures come with signed updates.

mod component;
mod engine;
mod error;
pub mod fixtures;
mod image;
mod manifest;
mod memory;
pub mod source;
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

pub use error::{Error, Result};
use manifest::{Artefact, Manifest};
use world::World;

/// Linear memory that a guest may have unless the caller says otherwise, in bytes.
pub const MEMORY_BUDGET: u64 = 4096;

/// What a guest is called and what it is made of.
pub struct Guest {
    /// Names the folder: `blinky-rust`.
    pub name: String,
    pub program: String,
    pub language: String,
    /// The world's short name: `blinky`.
    pub world: String,
    /// Tool → version, of those that made the input.
    pub tools: BTreeMap<String, String>,
}

/// All stages of a guest, in memory.
pub struct Package {
    guest: Guest,
    world: String,
    memory_bytes: u64,
    core: Vec<u8>,
    component: Vec<u8>,
    cwasm: Vec<u8>,
    image: Vec<u8>,
}

impl Package {
    /// Takes a core module or a component, binary or text, through all stages.
    ///
    /// # Errors
    /// Those of [`Error`] that say what about the input a guest may not be.
    pub fn new(guest: Guest, input: &[u8], memory_budget: u64) -> Result<Self> {
        let world = World::find(&guest.world)?;
        let made = component::componentise(input, &world, memory_budget)?;
        let cwasm = engine::precompile(&made.component)?;
        let image = image::wrap(&cwasm);
        Ok(Self {
            guest,
            world: world.name,
            memory_bytes: made.memory_bytes,
            core: made.core,
            component: made.component,
            cwasm,
            image,
        })
    }

    /// Writes the stages and their manifest to `folder/<name>/`.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::BadName`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        let name = &self.guest.name;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            return Err(Error::BadName { name: name.clone() });
        }
        let folder = folder.join(name);
        fs::create_dir_all(&folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
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
            name: name.clone(),
            program: self.guest.program.clone(),
            language: self.guest.language.clone(),
            world: self.world.clone(),
            tools,
            memory_bytes: self.memory_bytes,
            artefacts: stages.iter().map(|(file, content)| ((*file).to_owned(), Artefact::of(content))).collect(),
        };
        for (file, content) in stages {
            write(&folder.join(file), content)?;
        }
        // Last: where there is a manifest, the rest is whole.
        write(&folder.join("manifest.json"), manifest.to_json().as_bytes())
    }

    /// One line for a person: the name and how large each stage came out.
    pub fn summary(&self) -> String {
        format!(
            "{:<16} core {:>6}  component {:>6}  cwasm {:>6}  image {:>6}  memory {:>5}",
            self.guest.name,
            self.core.len(),
            self.component.len(),
            self.cwasm.len(),
            self.image.len(),
            self.memory_bytes,
        )
    }
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    fs::write(path, content).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Reads a file whole.
///
/// # Errors
/// [`Error::Read`].
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}
