//! What runs on the chip: built for its own target with core and alloc from source, then copied to the artefacts, the
//! firmware beside a manifest that says what it is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object, ObjectSection};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::artifacts::rust_src;
use crate::run::{Failure, Step, artefacts, root};
use crate::{keys, uf2};

const ELF: &str = "sandhill.elf";
const UF2: &str = "sandhill.uf2";
const MANIFEST: &str = "manifest.json";

/// A package that runs on the chip, the architecture it is for, and how it is optimised.
pub struct Bare {
    pub package: &'static str,
    target: &'static str,
    profile: &'static str,
}

const ARM: &str = "thumbv8m.main-none-eabihf";
const RISC_V: &str = "riscv32imac-unknown-none-elf";

pub const FIRMWARE: Bare = Bare { package: "sandhill-rp2350", target: ARM, profile: "firmware" };
/// The same runtime on the chip's RISC-V cores.
pub const HAZARD3: Bare = Bare { package: "sandhill-hazard3", target: RISC_V, profile: "firmware" };
/// The compute guest without Sandhill, and its programs.
pub const RIVALS: Bare = Bare { package: "sandhill-rivals", target: ARM, profile: "rivals" };
const RIVAL_PROGRAMS: [&str; 5] = ["native-o2", "native-o3", "wasmi", "verify-salty", "verify-dalek"];

pub fn build() -> Result<(), Failure> {
    build_by(Step::run).map(drop)
}

/// The same, by `run`; returns how many files it wrote, which are those that differ from what is there.
pub fn build_by(run: impl FnOnce(Step) -> Result<(), Failure>) -> Result<usize, Failure> {
    let keys = keys::trusted()?;
    run(FIRMWARE.build()?.env(keys::VARIABLE, &keys))?;
    let folder = artefacts().join("firmware");
    let time = |name: &str| fs::metadata(folder.join(name)).and_then(|file| file.modified()).ok();
    let before = [ELF, UF2, MANIFEST].map(time);
    keep_firmware(&keys, &FIRMWARE.built(FIRMWARE.package), &folder)?;
    Ok([ELF, UF2, MANIFEST].map(time).into_iter().zip(before).filter(|(now, before)| now != before).count())
}

/// Another build of the firmware, with `settings` of Cargo instead of those it is flashed with: its artefacts go to `folder`.
/// Returns the bytes of flash that it takes.
pub fn build_variant(target: &Path, settings: &[&str], folder: &Path) -> Result<u64, Failure> {
    let keys = keys::trusted()?;
    let step = FIRMWARE.build()?.env("CARGO_TARGET_DIR", target).env(keys::VARIABLE, &keys);
    settings.iter().fold(step, |step, setting| step.arg("--config").arg(setting)).run()?;
    let sections = keep_firmware(&keys, &target.join(FIRMWARE.target).join("firmware").join(FIRMWARE.package), folder)?;
    let bytes = |name: &str| sections.get(name).and_then(Value::as_u64).unwrap_or(0);
    Ok([".vector_table", ".start_block", ".text", ".rodata", ".data"].map(bytes).iter().sum())
}

/// Copies the firmware at `built` beside a manifest, which names whose guests it runs; returns its sections.
fn keep_firmware(keys: &str, built: &Path, folder: &Path) -> Result<Value, Failure> {
    fs::create_dir_all(folder).map_err(|source| Failure::File { path: folder.into(), source })?;
    let elf = read(built)?;
    write(&folder.join(ELF), &elf)?;
    let sections = sections(built, &elf)?;
    let uf2 = uf2::from_elf(&elf).map_err(|reason| Failure::Elf { path: built.into(), reason })?;
    write(&folder.join(UF2), &uf2)?;
    let artefact = |bytes: &[u8]| json!({ "bytes": bytes.len(), "sha256": format!("{:x}", Sha256::digest(bytes)) });
    let manifest = json!({
        "name": FIRMWARE.package,
        "tools": { "rustc": first_line(Command::new("rustc").arg("--version")) },
        "artefacts": { ELF: artefact(&elf), UF2: artefact(&uf2) },
        "sections": sections,
        "guest_keys": keys.split(',').map(str::trim).collect::<Vec<_>>(),
    });
    write(&folder.join(MANIFEST), format!("{manifest:#}\n").as_bytes())?;
    Ok(sections)
}

/// The third host.
pub fn build_hazard3() -> Result<(), Failure> {
    HAZARD3.build()?.env(keys::VARIABLE, keys::trusted()?).run()?;
    HAZARD3.keep(HAZARD3.package, "hazard3")
}

/// What `compare` runs beside the firmware.
pub fn build_rivals() -> Result<(), Failure> {
    RIVALS.compile()?;
    RIVAL_PROGRAMS.into_iter().try_for_each(|program| RIVALS.keep(program, "rivals"))
}

/// Clippy, which the workspace's own run cannot do: these compile for the chip only.
pub fn lint() -> Result<(), Failure> {
    // With the keys of the build, or else it would be done again after every lint. Before the first there are none.
    let keys = keys::trusted().unwrap_or_default();
    [FIRMWARE, HAZARD3, RIVALS].into_iter().try_for_each(|bare| {
        let clippy = bare.cargo(Step::new("cargo-clippy").args(["clippy", "--locked"])).env(keys::VARIABLE, &keys);
        clippy.args(["--", "-D", "warnings"]).run()
    })
}

impl Bare {
    fn compile(&self) -> Result<(), Failure> {
        self.build()?.run()
    }

    /// Its build, the same bytes in every folder.
    fn build(&self) -> Result<Step, Failure> {
        let remaps = format!("target.{}.rustflags = {}", self.target, json!(remaps()?));
        Ok(self.cargo(Step::cargo().arg("build")).arg("--config").arg(remaps))
    }

    /// Its build, for what is to be compiled only.
    pub fn plan(&self) -> Step {
        self.cargo(Step::cargo().arg("build"))
    }

    /// Where the compiler leaves a program.
    fn built(&self, program: &str) -> PathBuf {
        root().join("target").join(self.target).join(self.profile).join(program)
    }

    /// Copies a program into a folder of the artefacts.
    fn keep(&self, program: &str, folder: &str) -> Result<(), Failure> {
        let folder = artefacts().join(folder);
        fs::create_dir_all(&folder).map_err(|source| Failure::File { path: folder.clone(), source })?;
        write(&folder.join(program).with_extension("elf"), &read(&self.built(program))?)
    }

    /// The package, its target and its profile.
    fn cargo(&self, cargo: Step) -> Step {
        cargo
            .args(["--quiet", "--package", self.package, "--profile", self.profile, "--target", self.target])
            // Neither Debian nor every rustup mirror has the target's core and alloc, so they are built here from
            // rust-src; that also makes them part of what the firmware's hash vouches for.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_UNSTABLE_BUILD_STD", "core,alloc")
            // They would replace the flags of .cargo/config.toml.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
    }
}

/// Folders of this machine that would otherwise stand in panic messages and debug information.
fn remaps() -> Result<Vec<String>, Failure> {
    let rust_src = rust_src()?;
    // Debian has a link there, and the compiler's own crates name what it leads to.
    let linked = rust_src.canonicalize().unwrap_or_else(|_| rust_src.clone());
    let mut folders = BTreeMap::from([(root().to_owned(), "/sandhill"), (rust_src, "/rust"), (linked, "/rust")]);
    folders.extend(registries()?.into_iter().map(|folder| (folder, "/cargo")));
    Ok(folders.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect())
}

/// The folders that crates lie in: Cargo's own have the registry's name in theirs, which a mirror or a vendored copy has not.
fn registries() -> Result<BTreeSet<PathBuf>, Failure> {
    let metadata = Step::cargo().args(["metadata", "--format-version", "1"]).output()?;
    let metadata: Value = serde_json::from_str(&metadata)
        .map_err(|error| Failure::Plan { what: "cargo metadata", reason: error.to_string() })?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let from_registry = packages.filter(|package| package["source"].is_string());
    Ok(from_registry
        .filter_map(|package| Some(Path::new(package["manifest_path"].as_str()?).parent()?.parent()?.to_owned()))
        .collect())
}

/// Bytes of every section that takes space on the chip.
fn sections(path: &Path, elf: &[u8]) -> Result<Value, Failure> {
    let file =
        object::File::parse(elf).map_err(|error| Failure::Elf { path: path.into(), reason: error.to_string() })?;
    let mut sizes = Map::new();
    for section in file.sections().filter(|section| section.address() != 0 && section.size() != 0) {
        let name = section.name().map_err(|error| Failure::Elf { path: path.into(), reason: error.to_string() })?;
        sizes.insert(name.to_owned(), section.size().into());
    }
    Ok(sizes.into())
}

fn first_line(command: &mut Command) -> String {
    command
        .output()
        .ok()
        .and_then(|output| Some(String::from_utf8(output.stdout).ok()?.lines().next()?.to_owned()))
        .unwrap_or_default()
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|source| Failure::File { path: path.into(), source })
}

/// A file that is the same already is not touched.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).map_err(|source| Failure::File { path: path.into(), source })
}
