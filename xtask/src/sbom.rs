//! `./x sbom`: a CycloneDX bill of materials beside the artefacts, one for the firmware, for every guest, for our own tools,
//! and for what only tests run, where it was built: what is linked into each, and what was only used to make it.
//!
//! What is linked is not guessed from lock files: it is the graph of compilations that Cargo itself plans for that very
//! build ([`graph`]). Promises the same bytes for the same list of artefacts: no time is in it, and its serial number comes
//! of its content. Leaves what CycloneDX looks like to [`cyclonedx`].

mod cyclonedx;
mod graph;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::artifacts::{self, Artifacts, rust_src, write_whole};
use crate::firmware::{Bare, FIRMWARE, HAZARD3, RIVALS};
use crate::run::{Failure, Step, artefacts, root};
use cyclonedx::{Aggregate, Bom, Component, Dependency, Hash, License, Property, Reference, Scope};
use graph::{Crate, Graph, Origin};

/// The folder among the artefacts that bills are in.
pub const FOLDER: &str = "sbom";
/// The bill of what makes artefacts: ours, and those of others.
const TOOLS: &str = "tools";

/// Writes a bill for everything in the list of artefacts but fixtures, which are a text and nothing else, and says what is in
/// each.
///
/// # Errors
/// [`Failure::File`] before the first build; those of the commands that are asked.
pub fn write() -> Result<(), Failure> {
    let list = Artifacts::read(&artefacts().join(artifacts::FILE))?;
    let folder = artefacts().join(FOLDER);
    // A bill of something that is no more must not stay.
    if let Err(source) = fs::remove_dir_all(&folder)
        && source.kind() != std::io::ErrorKind::NotFound
    {
        return Err(Failure::File { path: folder, source });
    }
    keep(&folder, TOOLS, &tools(&list)?)?;
    let folders: BTreeSet<_> = list.artefacts.keys().filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
    for of in folders {
        match of.split_once('/') {
            None if of == "firmware" => keep(&folder, of, &chip(&list, of, &FIRMWARE)?)?,
            None if of == "hazard3" => keep(&folder, of, &chip(&list, of, &HAZARD3)?)?,
            None if of == "rivals" => keep(&folder, of, &chip(&list, of, &RIVALS)?)?,
            Some(("guests", guest)) => keep(&folder, guest, &self::guest(&list, of, guest)?)?,
            _ => {}
        }
    }
    Ok(())
}

fn keep(folder: &Path, name: &str, bill: &Bom) -> Result<(), Failure> {
    let file = format!("{name}.cdx.json");
    write_whole(&folder.join(&file), bill.to_json().as_bytes())?;
    println!("sbom: {file:<22} {}", bill.summary());
    Ok(())
}

/// What runs on the chip without a guest around it.
fn chip(list: &Artifacts, folder: &str, bare: &Bare) -> Result<Bom, Failure> {
    let graph = Graph::plan(bare.plan(), root(), &rust_src()?)?;
    Ok(bill(subject("firmware", bare.package, list, folder), list, Some(&graph), Aggregate::Complete))
}

fn guest(list: &Artifacts, folder: &str, name: &str) -> Result<Bom, Failure> {
    let subject = subject("application", name, list, folder);
    let (program, language) = name.rsplit_once('-').unwrap_or((name, ""));
    if language != "rust" {
        // Nothing but its own source, and what its compiler's library may bring. Imports can only be of the contract.
        return Ok(bill(subject, list, None, Aggregate::Unknown));
    }
    let source = root().join("guests").join(program).join(language);
    // What cargo-component asks Cargo for, as guest-pack calls it.
    let build = Step::cargo()
        .args(["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown", "--manifest-path"])
        .arg(source.join("Cargo.toml"))
        .env("CARGO_UNSTABLE_BUILD_STD", "core,alloc");
    let graph = Graph::plan(build, &source, &rust_src()?)?;
    Ok(bill(subject, list, Some(&graph), Aggregate::Complete))
}

/// The programs that make and try artefacts: `guest-pack`, `hil`, `virtual-bench` and the others.
fn tools(list: &Artifacts) -> Result<Bom, Failure> {
    let graph = Graph::plan(Step::cargo().args(["build", "--quiet"]), root(), &rust_src()?)?;
    Ok(bill(subject("application", "sandhill tools", list, TOOLS), list, Some(&graph), Aggregate::Unknown))
}

/// What a bill is about, with the files in `folder` of the artefacts.
fn subject(kind: &'static str, name: &str, list: &Artifacts, folder: &str) -> Component {
    let inside = |path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let files = list.artefacts.iter().filter(|(path, _)| inside(path)).map(|(path, artefact)| Component {
        kind: "file",
        reference: format!("file:{path}"),
        name: path.clone(),
        hashes: vec![Hash::sha256(&artefact.sha256)],
        properties: vec![property("sandhill:keyed", &artefact.keyed.to_string())],
        ..Component::default()
    });
    Component {
        kind,
        reference: folder.into(),
        name: name.into(),
        version: Some(list.version.clone()),
        licenses: vec![License { expression: "MIT OR Apache-2.0".into() }],
        components: files.collect(),
        ..Component::default()
    }
}

/// Crates of `graph`, and the tools that the list names for the subject's files.
fn bill(subject: Component, list: &Artifacts, graph: Option<&Graph>, aggregate: Aggregate) -> Bom {
    let rustc = list.tools.get("rustc").map(String::as_str).unwrap_or_default();
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    let mut direct = BTreeSet::new();
    if let Some(graph) = graph {
        direct.extend(graph.roots.iter().map(|id| reference(&graph.crates[id], rustc)));
        for one in graph.crates.values() {
            components.push(component(one, rustc));
            let needs: BTreeSet<_> = one.needs.iter().map(|id| reference(&graph.crates[id], rustc)).collect();
            dependencies.push(Dependency { reference: reference(one, rustc), depends_on: needs.into_iter().collect() });
        }
    }
    let files = subject.components.iter().filter_map(|file| list.artefacts.get(&file.name));
    let mut made_by: BTreeSet<_> = files.flat_map(|artefact| &artefact.tools).collect();
    if subject.reference == TOOLS {
        made_by.extend(list.tools.keys());
    }
    for tool in made_by {
        let reference = format!("tool:{}", tool.replace(' ', "-"));
        components.push(Component {
            kind: "application",
            name: tool.clone(),
            version: list.tools.get(tool).cloned(),
            scope: Some(Scope::Excluded),
            reference: reference.clone(),
            ..Component::default()
        });
        direct.insert(reference);
    }
    dependencies.push(Dependency { reference: subject.reference.clone(), depends_on: direct.into_iter().collect() });
    components.sort_by(|left, right| left.reference.cmp(&right.reference));
    dependencies.sort_by(|left, right| left.reference.cmp(&right.reference));
    let mut properties = vec![property("sandhill:source:sha256", &list.source.sha256)];
    if let Some(revision) = &list.source.revision {
        properties.push(property("sandhill:source:revision", revision));
        properties.push(property("sandhill:source:modified", &list.source.modified.to_string()));
    }
    Bom::new(subject, properties, components, dependencies, aggregate)
}

fn component(one: &Crate, rustc: &str) -> Component {
    let hashes = match &one.origin {
        Origin::Registry { checksum: Some(checksum) } => vec![Hash::sha256(checksum)],
        _ => Vec::new(),
    };
    // Only what is published has a name that others know it by.
    let purl = (!matches!(one.origin, Origin::Ours { .. })).then(|| reference(one, rustc));
    let version = match &one.origin {
        // The library's crates have no version of their own.
        Origin::RustSrc { .. } => release(rustc).to_owned(),
        _ => one.version.clone(),
    };
    let repository = one.repository.iter().filter(|url| url.starts_with("https://"));
    Component {
        kind: "library",
        reference: reference(one, rustc),
        name: one.name.clone(),
        version: Some(version),
        scope: Some(if one.linked { Scope::Required } else { Scope::Excluded }),
        hashes,
        licenses: one.license.iter().map(|expression| License { expression: expression.clone() }).collect(),
        purl,
        external_references: repository.map(|url| Reference { kind: "vcs", url: url.clone() }).collect(),
        ..Component::default()
    }
}

/// Its package URL where it has one.
fn reference(one: &Crate, rustc: &str) -> String {
    match &one.origin {
        Origin::Registry { .. } => format!("pkg:cargo/{}@{}", one.name, one.version),
        Origin::RustSrc { path } => format!("pkg:github/rust-lang/rust@{}#{path}", release(rustc)),
        Origin::Ours { path } => format!("sandhill/{path}"),
    }
}

/// `1.96.0` of `rustc 1.96.0 (…`.
fn release(rustc: &str) -> &str {
    rustc.split_whitespace().nth(1).unwrap_or("unknown")
}

fn property(name: &str, value: &str) -> Property {
    Property { name: name.into(), value: value.into() }
}
