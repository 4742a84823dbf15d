//! What was made of what: why a step of the build has to run, or that it need not.
//!
//! A step is decided by the content of all its inputs, never by times: a file that was touched is the same file, one that
//! came back from yesterday is not. It is up to date if its inputs are those of the record and what it left is still
//! there, byte for byte. A record is written in one go after the step's outputs are in place, so a killed run leaves
//! none that promises too much.
//!
//! Records lie in `target/guests`, beside what the languages' own tools build, and never among the artefacts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Result, hex, read};

/// What an input is called in front of people → a hash of its content.
pub type Inputs = BTreeMap<String, String>;

/// A step that was taken.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Step {
    pub inputs: Inputs,
    /// What it left, by name → SHA-256.
    pub outputs: BTreeMap<String, String>,
}

/// All steps of a guest, and what the first of them told the next.
#[derive(Default, Serialize, Deserialize)]
pub struct Record {
    /// Source → module.
    pub compile: Option<Step>,
    /// Tool → version, of those that made the module.
    #[serde(default)]
    pub tools: BTreeMap<String, String>,
    /// Module → image.
    pub pack: Option<Step>,
}

impl Record {
    /// What is written there; nothing, if it cannot be read: then all is made anew.
    pub fn load(path: &Path) -> Self {
        fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// # Errors
    /// [`Error::Write`].
    pub fn store(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(self).expect("a record holds only strings");
        text.push(b'\n');
        // Runs beside this one each write a file of their own.
        let partial = path.with_extension(format!("{}.partial", process::id()));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Write { path, source }
        };
        fs::write(&partial, text).map_err(failed(&partial))?;
        fs::rename(&partial, path).map_err(failed(path))
    }
}

/// Why a step has to run; `None`: it is up to date. `at` tells where an output lies.
pub fn reason(known: Option<&Step>, inputs: &Inputs, at: impl Fn(&str) -> PathBuf) -> Option<String> {
    let Some(known) = known else {
        return Some("not built before".into());
    };
    let mut changes = Vec::new();
    for (name, hash) in inputs {
        match known.inputs.get(name) {
            Some(known) if known == hash => {}
            Some(_) => changes.push(format!("{name} changed")),
            None => changes.push(format!("{name} is new")),
        }
    }
    changes
        .extend(known.inputs.keys().filter(|name| !inputs.contains_key(*name)).map(|name| format!("{name} is gone")));
    if changes.is_empty() {
        for (name, hash) in &known.outputs {
            match fs::read(at(name)) {
                Ok(content) if &sha256(&content) == hash => {}
                Ok(_) => changes.push(format!("{name} is not what was written")),
                Err(_) => changes.push(format!("{name} is missing")),
            }
        }
    }
    let more = changes.len().saturating_sub(1);
    let first = changes.into_iter().next()?;
    Some(if more == 0 { first } else { format!("{first}, and {more} more") })
}

/// Adds every file below `folder` but those that `skip` names, called by their path below `root`.
///
/// # Errors
/// [`Error::Read`].
pub fn add_folder(inputs: &mut Inputs, root: &Path, folder: &Path, skip: &dyn Fn(&Path) -> bool) -> Result<()> {
    let unreadable = |source| Error::Read { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if skip(&path) {
            continue;
        }
        if path.is_dir() {
            add_folder(inputs, root, &path, skip)?;
        } else {
            add_file(inputs, root, &path)?;
        }
    }
    Ok(())
}

/// Adds a file.
///
/// # Errors
/// [`Error::Read`].
pub fn add_file(inputs: &mut Inputs, root: &Path, path: &Path) -> Result<()> {
    let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
    inputs.insert(name, sha256(&read(path)?));
    Ok(())
}

pub fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}
