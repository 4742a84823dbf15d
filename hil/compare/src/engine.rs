//! The engines that are compared, as files of the artefact folder.

use std::path::{Path, PathBuf};

use crate::Error;

/// A program in flash and what it runs.
#[derive(Clone, Debug)]
pub struct Engine {
    pub name: &'static str,
    /// ELF file.
    pub program: PathBuf,
    /// None: the program is the guest.
    pub slot: Option<Slot>,
}

/// What is in guest slot 0.
#[derive(Clone, Debug)]
pub enum Slot {
    /// A guest image, as it is.
    Image(PathBuf),
    /// A core module: its length as a little-endian word, then its bytes (`host/rivals/src/bin/wasmi.rs`).
    Module(PathBuf),
}

/// Name, program and what it runs of `guest`. The first is what the others are compared with.
pub const ENGINES: &[&str] = &["native-o3", "native-o2", "wasmi", "sandhill"];

/// Programs that verify a guest image over and over, each with another library: an iteration is one verification.
pub const VERIFIERS: &[&str] = &["verify-salty", "verify-dalek"];

impl Engine {
    /// An engine of [`ENGINES`] that runs `guest`, such as `compute-c`, or a program of [`VERIFIERS`]. The native ones are the
    /// compute guest, whatever is asked for.
    #[must_use]
    pub fn new(name: &'static str, guest: &str, artefacts: &Path) -> Self {
        let guest = artefacts.join("guests").join(guest);
        let rival = artefacts.join("rivals").join(name).with_extension("elf");
        let (program, slot) = match name {
            "sandhill" => (artefacts.join("firmware/sandhill.elf"), Some(Slot::Image(guest.join("guest.img")))),
            "wasmi" => (rival, Some(Slot::Module(guest.join("core.wasm")))),
            _ => (rival, None),
        };
        Self { name, program, slot }
    }
}

impl Slot {
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Slot::Image(path) | Slot::Module(path) => path,
        }
    }

    /// The slot's bytes.
    pub(crate) fn content(&self) -> Result<Vec<u8>, Error> {
        let bytes = read(self.path())?;
        Ok(match self {
            Slot::Image(_) => bytes,
            // A file that is longer than a word can say does not fit into any slot.
            Slot::Module(_) => [&(bytes.len() as u32).to_le_bytes()[..], &bytes].concat(),
        })
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}
