//! Which crates are compiled for a build, from Cargo's own plan of it, and what is known of each.
//!
//! The plan is Cargo's unit graph, an unstable format (version 1, `-Z unstable-options --unit-graph`) of the toolchain that
//! rust-toolchain.toml pins. It knows what a lock file does not: which features and targets this build has, that core and
//! alloc are built for it, and which crates only run while it is built.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::run::{Failure, Step, root};

/// The crates of one build.
pub struct Graph {
    /// What is built.
    pub roots: BTreeSet<String>,
    /// By Cargo's name for the package in this checkout.
    pub crates: BTreeMap<String, Crate>,
}

#[derive(Debug)]
pub struct Crate {
    pub name: String,
    pub version: String,
    /// An SPDX expression.
    pub license: Option<String>,
    pub repository: Option<String>,
    pub origin: Origin,
    /// Whether code of it is linked, or else it only runs while the artefact is built.
    pub linked: bool,
    pub needs: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// crates.io, with the SHA-256 of the archive.
    Registry { checksum: Option<String> },
    /// The toolchain's own library, by its path there.
    RustSrc { path: String },
    /// This repository, by the path in it.
    Ours { path: String },
}

/// Cargo's unit graph, as far as it is read here.
#[derive(Deserialize)]
struct Plan {
    version: u32,
    units: Vec<Unit>,
    roots: Vec<usize>,
}

#[derive(Deserialize)]
struct Unit {
    pkg_id: String,
    target: Target,
    mode: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Dependency {
    index: usize,
}

/// `cargo metadata`, as far as it is read here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    source: Option<String>,
    manifest_path: PathBuf,
}

/// Cargo.lock, as far as it is read here.
#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

impl Graph {
    /// Asks `cargo`, a build command, what it would do; `folder` has the manifest and the lock file of its workspace.
    ///
    /// # Errors
    /// Those of the commands; [`Failure::Plan`] if what they print is not what is known here.
    pub fn plan(cargo: Step, folder: &Path, rust_src: &Path) -> Result<Self, Failure> {
        let unreadable =
            |what: &'static str| move |error: serde_json::Error| Failure::Plan { what, reason: error.to_string() };
        let plan = cargo.args(["-Z", "unstable-options", "--unit-graph"]).env("RUSTC_BOOTSTRAP", "1").output()?;
        let plan: Plan = serde_json::from_str(&plan).map_err(unreadable("cargo's unit graph"))?;
        if plan.version != 1 {
            return Err(Failure::Plan {
                what: "cargo's unit graph",
                reason: format!("its version is {}", plan.version),
            });
        }
        let manifest = folder.join("Cargo.toml");
        let metadata =
            Step::cargo().args(["metadata", "--quiet", "--format-version", "1", "--manifest-path"]).arg(manifest);
        let metadata: Metadata = serde_json::from_str(&metadata.output()?).map_err(unreadable("cargo metadata"))?;
        let packages: BTreeMap<_, _> = metadata.packages.iter().map(|package| (&*package.id, package)).collect();
        let checksums = checksums(&folder.join("Cargo.lock"))?;

        let linked = linked(&plan);
        let mut crates: BTreeMap<String, Crate> = BTreeMap::new();
        for (index, unit) in plan.units.iter().enumerate() {
            if !crates.contains_key(&unit.pkg_id) {
                let known = match packages.get(&*unit.pkg_id) {
                    Some(package) => known(package, &checksums),
                    None => library(&unit.pkg_id, rust_src)?,
                };
                crates.insert(unit.pkg_id.clone(), known);
            }
            let known = crates.get_mut(&unit.pkg_id).expect("it was inserted");
            known.linked |= linked.contains(&index);
            let needs = unit.dependencies.iter().map(|dependency| &plan.units[dependency.index].pkg_id);
            // A package needs its own build script.
            known.needs.extend(needs.filter(|id| **id != unit.pkg_id).cloned());
        }
        Ok(Self { roots: plan.roots.iter().map(|root| plan.units[*root].pkg_id.clone()).collect(), crates })
    }
}

/// The units whose code is in what is built: all that can be reached without going through something that runs at build time.
fn linked(plan: &Plan) -> BTreeSet<usize> {
    let runs_at_build_time = |unit: &Unit| {
        unit.mode == "run-custom-build"
            || unit.target.kind.iter().any(|kind| kind == "proc-macro" || kind == "custom-build")
    };
    let mut linked = BTreeSet::new();
    let mut ahead = plan.roots.clone();
    while let Some(index) = ahead.pop() {
        let unit = &plan.units[index];
        if !runs_at_build_time(unit) && linked.insert(index) {
            ahead.extend(unit.dependencies.iter().map(|dependency| dependency.index));
        }
    }
    linked
}

fn known(package: &Package, checksums: &BTreeMap<(String, String), String>) -> Crate {
    let origin = if package.source.is_some() {
        Origin::Registry { checksum: checksums.get(&(package.name.clone(), package.version.clone())).cloned() }
    } else {
        let folder = package.manifest_path.parent().unwrap_or(root());
        Origin::Ours { path: folder.strip_prefix(root()).unwrap_or(folder).to_string_lossy().into_owned() }
    };
    Crate {
        name: package.name.clone(),
        version: package.version.clone(),
        license: package.license.as_deref().map(expression),
        repository: package.repository.clone(),
        origin,
        linked: false,
        needs: BTreeSet::new(),
    }
}

/// A crate of the toolchain's library: Cargo names it by its folder.
fn library(id: &str, rust_src: &Path) -> Result<Crate, Failure> {
    #[derive(Deserialize)]
    struct Manifest {
        package: Fields,
    }
    #[derive(Deserialize)]
    struct Fields {
        name: String,
        version: String,
        license: Option<String>,
        repository: Option<String>,
    }
    let strange = |reason: String| Failure::Plan { what: "a package of rust-src", reason };
    let folder = id.strip_prefix("path+file://").and_then(|rest| rest.split('#').next()).map(PathBuf::from);
    let folder = folder.ok_or_else(|| strange(format!("{id} is neither in the workspace nor in rust-src")))?;
    // Debian has a link on the way, which Cargo followed, or not.
    let inside = [rust_src.to_owned(), rust_src.canonicalize().unwrap_or_default()];
    let path = inside.iter().find_map(|root| folder.strip_prefix(root).ok());
    let path = path.ok_or_else(|| strange(format!("{id} is not in {}", rust_src.display())))?;
    let file = folder.join("Cargo.toml");
    let text = fs::read_to_string(&file).map_err(|source| Failure::File { path: file.clone(), source })?;
    let package = toml::from_str::<Manifest>(&text).map_err(|error| strange(error.to_string()))?.package;
    Ok(Crate {
        name: package.name,
        version: package.version,
        license: package.license.as_deref().map(expression),
        repository: package.repository,
        origin: Origin::RustSrc { path: path.to_string_lossy().into_owned() },
        linked: false,
        needs: BTreeSet::new(),
    })
}

fn checksums(lock: &Path) -> Result<BTreeMap<(String, String), String>, Failure> {
    let text = fs::read_to_string(lock).map_err(|source| Failure::File { path: lock.into(), source })?;
    let parsed: Lock =
        toml::from_str(&text).map_err(|error| Failure::Plan { what: "Cargo.lock", reason: error.to_string() })?;
    let packages = parsed.package.into_iter();
    Ok(packages.filter_map(|package| Some(((package.name, package.version), package.checksum?))).collect())
}

/// Cargo's older way to write alternatives, as SPDX has it.
fn expression(license: &str) -> String {
    license.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(id: &str, kind: &str, mode: &str, dependencies: &[usize]) -> Unit {
        let dependencies = dependencies.iter().map(|index| Dependency { index: *index }).collect();
        Unit { pkg_id: id.into(), target: Target { kind: vec![kind.into()] }, mode: mode.into(), dependencies }
    }

    #[test]
    fn what_runs_at_build_time_is_not_linked_nor_what_only_that_needs() {
        let plan = Plan {
            version: 1,
            roots: vec![0],
            units: vec![
                unit("firmware", "bin", "build", &[1, 2, 3]),
                unit("library", "lib", "build", &[6]),
                unit("macro", "proc-macro", "build", &[5, 6]),
                unit("firmware", "custom-build", "run-custom-build", &[4]),
                unit("firmware", "custom-build", "build", &[5]),
                unit("syn", "lib", "build", &[]),
                unit("both", "lib", "build", &[]),
            ],
        };
        assert_eq!(linked(&plan), BTreeSet::from([0, 1, 6]));
    }

    #[test]
    fn licences_are_spdx_expressions() {
        assert_eq!(expression("MIT/Apache-2.0"), "MIT OR Apache-2.0");
        assert_eq!(expression("MIT OR Apache-2.0"), "MIT OR Apache-2.0");
    }
}
