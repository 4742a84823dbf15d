//! Source → image for this repository's own guests and fixtures, where something they are made of has changed.
//!
//! A guest takes two steps. `compile` makes the module of its sources, by its language's own tools; `pack` makes
//! component, `.cwasm` and signed image of the module. So another policy or key packs again and compiles nothing.
//! What has changed is for [`crate::record`] to find out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::fixtures::{self, Fixture};
use crate::record::{self, Inputs, Record, Step, sha256};
use crate::source::Source;
use crate::tools::Tools;
use crate::{Error, Guest, Key, Package, PolicyFile, Release, Result, read};

/// Builds into `out`, and keeps account of what it did.
pub struct Builder<'a> {
    pub root: &'a Path,
    pub out: &'a Path,
    pub key: &'a Key,
    /// This program, which decides every byte of an image.
    itself: String,
    tools: Tools,
    /// Steps that there are.
    pub steps: usize,
    /// Those of them that ran.
    pub run: usize,
    /// Files that were written among the artefacts.
    pub written: usize,
}

/// A step, and why it ran; `None`: it was up to date.
pub struct Taken {
    pub of: String,
    pub step: &'static str,
    pub reason: Option<String>,
}

impl<'a> Builder<'a> {
    /// # Errors
    /// [`Error::Read`]: this program cannot be read.
    pub fn new(root: &'a Path, out: &'a Path, key: &'a Key) -> Result<Self> {
        let path = std::env::current_exe().map_err(|source| Error::Read { path: "guest-pack".into(), source })?;
        let itself = sha256(&read(&path)?);
        Ok(Self { root, out, key, itself, tools: Tools::default(), steps: 0, run: 0, written: 0 })
    }

    /// How many processes were started.
    pub fn started(&self) -> usize {
        self.tools.started
    }

    /// Builds a guest. Tells every step once it is decided, before it runs; returns the package if one was made.
    ///
    /// # Errors
    /// Those of [`Source::build`] and [`Package::new`].
    pub fn guest(&mut self, source: &Source, tell: &mut dyn FnMut(Taken)) -> Result<Option<Package>> {
        let path = source.build_folder(self.root).join("record.json");
        let mut record = Record::load(&path);
        let mut told = |builder: &mut Self, step, reason: &Option<String>| {
            builder.steps += 1;
            builder.run += usize::from(reason.is_some());
            tell(Taken { of: source.name.clone(), step, reason: reason.clone() });
            reason.is_some()
        };

        let plan = source.plan(self.root, &mut self.tools)?;
        let output = plan.output.clone();
        let module_name = output.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let inputs = source.inputs(self.root, &plan)?;
        let reason = record::reason(record.compile.as_ref(), &inputs, |_| output.clone());
        if told(self, "compile", &reason) {
            let tools = plan.tools.clone();
            source.build(self.root, plan, &mut self.tools)?;
            let outputs = BTreeMap::from([(module_name, sha256(&read(&output)?))]);
            record.compile = Some(Step { inputs, outputs });
            record.tools = tools;
            // At once: it need not run again where packing fails.
            record.store(&path)?;
        }

        let module = read(&output)?;
        let mut inputs = self.common();
        inputs.insert("the module".into(), sha256(&module));
        let policy = source.policy();
        if policy.is_file() {
            record::add_file(&mut inputs, self.root, &policy)?;
        }
        // They stand in the manifest.
        let tools = serde_json::to_vec(&record.tools).expect("a record holds only strings");
        inputs.insert("the tools' versions".into(), sha256(&tools));
        let folder = self.out.join(&source.name);
        let reason = record::reason(record.pack.as_ref(), &inputs, |file| folder.join(file));
        if !told(self, "pack", &reason) {
            return Ok(None);
        }
        let policy = policy.is_file().then(|| PolicyFile::read(&policy)).transpose()?;
        let (world, policy) = policy.map_or((None, None), |file| (file.world, Some(file.policy)));
        let guest = Guest {
            name: source.name.clone(),
            program: source.program.clone(),
            language: source.language.clone(),
            world: world.unwrap_or_else(|| source.program.clone()),
            policy,
            tools: record.tools.clone(),
        };
        let package =
            Package::new(guest, Release::default(), self.key, &module).map_err(|error| error.of(&source.name))?;
        self.written += package.write(self.out)?;
        record.pack = Some(Step { inputs, outputs: hashes(&package) });
        record.store(&path)?;
        Ok(Some(package))
    }

    /// Packs the fixtures, all of them or none. Tells whether before it does.
    ///
    /// # Errors
    /// Those of [`fixtures::build`].
    pub fn fixtures(&mut self, tell: &mut dyn FnMut(Taken)) -> Result<Vec<Fixture>> {
        let folder = self.root.join("target/guests");
        std::fs::create_dir_all(&folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
        let path = folder.join("fixtures.json");
        let mut record = Record::load(&path);
        let mut inputs = self.common();
        record::add_folder(&mut inputs, self.root, &self.root.join("guests/fixtures"), &|_| false)?;
        let reason = record::reason(record.pack.as_ref(), &inputs, |file| self.out.join(file));
        self.steps += 1;
        tell(Taken { of: "fixtures".into(), step: "pack", reason: reason.clone() });
        if reason.is_none() {
            return Ok(Vec::new());
        }
        self.run += 1;
        let fixtures = fixtures::build(self.root, self.key)?;
        let mut outputs = BTreeMap::new();
        for fixture in &fixtures {
            if let Fixture::Built(package) = fixture {
                self.written += package.write(self.out)?;
                let of = |(file, hash)| (format!("{}/{file}", package.name()), hash);
                outputs.extend(hashes(package).into_iter().map(of));
            }
        }
        // One that is no more must not be taken for one of these.
        for file in
            record.pack.iter().flat_map(|known| known.outputs.keys()).filter(|file| !outputs.contains_key(*file))
        {
            let file = self.out.join(file);
            let _ = std::fs::remove_file(&file);
            // With its last file.
            let _ = file.parent().map(std::fs::remove_dir);
        }
        record.pack = Some(Step { inputs, outputs });
        record.store(&path)?;
        Ok(fixtures)
    }

    /// What every image depends on.
    fn common(&self) -> Inputs {
        let key = self.key.public().to_hex();
        BTreeMap::from([("the signing key".into(), key), ("guest-pack".into(), self.itself.clone())])
    }
}

fn hashes(package: &Package) -> BTreeMap<String, String> {
    package.files().into_iter().map(|(file, content)| (file.to_owned(), sha256(&content))).collect()
}

/// Where what is built for `root` goes unless told otherwise.
pub fn default_out(root: &Path, fixtures: bool) -> PathBuf {
    root.join("target/artefacts").join(if fixtures { "fixtures" } else { "guests" })
}
