//! Verdicts of earlier runs, for `hil run --changed`: a guest is judged again only if something that its verdict depends
//! on has changed.
//!
//! Only on a bench whose file says that it is `repeatable` is a verdict decided by what is known here; on a real board it
//! never is. Only verdicts that passed are kept, each with hashes of all that it depends on and of its capture, so one
//! that was overwritten or lost is judged again. They are written whole, after a run: one that is killed adds nothing.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    artefacts,
    bench_file::BenchFile,
    error::Error,
    run::{GuestRun, Job},
    service,
};

/// The file in the folder of captures and reports.
const FILE: &str = "verdicts.json";

/// What is known of earlier runs into the same folder.
pub struct Stored {
    out: PathBuf,
    /// What every verdict depends on, by what people call it.
    common: BTreeMap<String, String>,
    known: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    /// What is depended on → hash.
    inputs: BTreeMap<String, String>,
    /// SHA-256 of the capture.
    capture: String,
    run: GuestRun,
}

impl Stored {
    /// `None` on a bench that does not do the same every time. `bench` is as in its file, without ports.
    pub fn load(bench: &BenchFile, artefacts: &Path, out: &Path) -> Result<Option<Self>, Error> {
        if !bench.repeatable {
            return Ok(None);
        }
        let mut common = BTreeMap::from([
            ("the bench file".to_owned(), hash(format!("{bench:?}").as_bytes())),
            ("sigrok-cli".to_owned(), hash(&sigrok())),
        ]);
        common.insert("the firmware".to_owned(), file_hash(&artefacts::firmware(artefacts))?);
        let itself = std::env::current_exe().map_err(Error::file(Path::new("hil")))?;
        common.insert("hil".to_owned(), file_hash(&itself)?);
        if let Some(program) = bench.service.as_ref().and_then(|service| service.command.first()) {
            // One that is not there ends the run with a better message.
            if let Some(path) = service::find(program) {
                common.insert(program.clone(), file_hash(&path)?);
            }
        }
        // What nobody can read is not known.
        let known = fs::read(out.join(FILE)).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Ok(Some(Self { out: out.into(), common, known: known.unwrap_or_default() }))
    }

    /// The verdicts of a job, if nothing they depend on has changed; or else what has.
    pub fn take(&self, job: &Job) -> Result<GuestRun, String> {
        let Some(entry) = self.known.get(&job.name()) else {
            return Err("it has not passed before".into());
        };
        let inputs = self.inputs(job);
        let changed = |name: &&String| entry.inputs.get(*name) != inputs.get(*name);
        if let Some(name) = inputs.keys().chain(entry.inputs.keys()).find(changed) {
            return Err(format!("{name} changed"));
        }
        if file_hash(&self.capture(job)).ok().as_ref() != Some(&entry.capture) {
            return Err("its capture is no longer there".into());
        }
        Ok(GuestRun { stored: true, ..entry.run.clone() })
    }

    /// Keeps what a job came to, if it passed.
    pub fn put(&mut self, job: &Job, run: &GuestRun) {
        self.known.remove(&job.name());
        if let (true, Ok(capture)) = (run.passed(), file_hash(&self.capture(job))) {
            let entry = Entry { inputs: self.inputs(job), capture, run: run.clone() };
            self.known.insert(job.name(), entry);
        }
    }

    /// Writes it, for the next run.
    pub fn write(&self) -> Result<(), Error> {
        let mut text = serde_json::to_vec_pretty(&self.known)
            .map_err(|error| Error::Report { message: format!("{FILE}: {error}") })?;
        text.push(b'\n');
        let path = self.out.join(FILE);
        let partial = self.out.join(format!("{FILE}.{}.partial", std::process::id()));
        fs::write(&partial, text).map_err(Error::file(&partial))?;
        fs::rename(&partial, &path).map_err(Error::file(&path))
    }

    fn capture(&self, job: &Job) -> PathBuf {
        self.out.join(format!("{}.vcd", job.name()))
    }

    fn inputs(&self, job: &Job) -> BTreeMap<String, String> {
        let mut inputs = self.common.clone();
        inputs.insert("its image".into(), hash(&job.guest.image));
        // The report shows it.
        inputs.insert("its manifest".into(), hash(format!("{:?}", job.guest.manifest).as_bytes()));
        if let Some(beside) = &job.beside {
            inputs.insert("the image beside it".into(), hash(&beside.image));
        }
        inputs.insert("its test".into(), hash(format!("{:?}", job.tests).as_bytes()));
        inputs
    }
}

/// What it says of itself and of its libraries; nothing, if it is not there: then the run ends with a better message.
fn sigrok() -> Vec<u8> {
    let command = Command::new("sigrok-cli").arg("--version").stdin(Stdio::null()).output();
    command.map(|output| output.stdout).unwrap_or_default()
}

fn file_hash(path: &Path) -> Result<String, Error> {
    Ok(hash(&fs::read(path).map_err(Error::file(path))?))
}

fn hash(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}
