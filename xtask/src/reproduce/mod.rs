//! `./x reproduce`: builds every artefact twice, in circumstances as different as this machine allows, and compares.
//!
//! Promises that the two builds share nothing but the sources, the tools and the downloaded crates; that every artefact is
//! compared byte by byte with the other build's, searched for traces of the machine, and held against the committed
//! list; and that all of it is printed. Signs with ci/reproduce/key.pem, which is public.

mod difference;
mod site;
mod trace;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::Args;

use crate::artifacts::{self, Artifacts, Verdict};
use crate::keys;
use crate::run::{Failure, artefacts, root};
use site::Site;

/// Below the repository's root.
pub const COMMITTED: &str = "ci/reproduce/artifacts.json";
pub const KEY: &str = "ci/reproduce/key.pem";

#[derive(Args)]
pub struct Options {
    /// Write what came out to ci/reproduce/artifacts.json instead of comparing with it
    #[arg(long)]
    update: bool,
    /// Leave both builds where they are
    #[arg(long)]
    keep: bool,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    let sites = [Site::here()?, Site::elsewhere()?];
    site::print(&sites);
    let outcome = compare(&sites, options.update);
    if options.keep {
        for site in &sites {
            println!("reproduce: kept {}", site.checkout.display());
        }
        return outcome;
    }
    sites.iter().try_for_each(Site::remove).and(outcome)
}

/// Holds what `./x build` and its like made in this checkout against the committed hashes; what depends on the key only if
/// it is that of the committed list.
pub fn held() -> Result<(), Failure> {
    let built = Artifacts::read(&artefacts().join(artifacts::FILE))?;
    let same_key = keys::trusted()? == keys::public(&root().join(KEY))?;
    let faults = held_against(&built, &Artifacts::read(&root().join(COMMITTED))?, same_key);
    if faults.is_empty() { Ok(()) } else { Err(Failure::NotReproduced { faults }) }
}

fn compare(sites: &[Site; 2], update: bool) -> Result<(), Failure> {
    let [first, second] = site::build(sites)?;
    let list = |folder: &Path| Artifacts::read(&folder.join(artifacts::FILE));
    let (one, other) = (list(&first)?, list(&second)?);
    let mut faults = Vec::new();
    let names: BTreeSet<&String> = one.artefacts.keys().chain(other.artefacts.keys()).collect();
    println!("\n{:>9}  {:64}  artefact", "bytes", "SHA-256");
    for name in names {
        match (one.artefacts.get(name), other.artefacts.get(name)) {
            (Some(a), Some(b)) if a.sha256 == b.sha256 => println!("{:>9}  {}  {name}", a.bytes, a.sha256),
            (Some(a), Some(b)) => {
                println!("{:>9}  {}  {name}\n{:>9}  {}  {name}, elsewhere", a.bytes, a.sha256, b.bytes, b.sha256);
                faults.push(format!("{name} differs: {}", difference::show(&first.join(name), &second.join(name))?));
            }
            _ => faults.push(format!("{name} came out of one build only")),
        }
    }
    let traces = traces(sites, [&first, &second], &one)?;
    println!("\nreproduce: {} artefacts, built twice: {}", one.artefacts.len(), all_or(&faults, "the same bytes"));
    println!("reproduce: paths, names and build ids of this machine in them: {}", all_or(&traces, "none"));
    faults.extend(traces);
    if update {
        // What differs is nobody's.
        if faults.is_empty() {
            let mut list = one;
            // The one that it will be committed in.
            (list.source.revision, list.source.modified) = (None, false);
            list.write(&root().join(COMMITTED))?;
            println!("reproduce: wrote {COMMITTED}");
        }
    } else {
        faults.extend(held_against(&one, &Artifacts::read(&root().join(COMMITTED))?, true));
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::NotReproduced { faults }) }
}

fn all_or(faults: &[String], none: &str) -> String {
    if faults.is_empty() { none.to_owned() } else { format!("{} faults, listed below", faults.len()) }
}

/// What either machine left in any artefact, and in the list of them.
fn traces(sites: &[Site; 2], folders: [&Path; 2], artifacts: &Artifacts) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for (site, folder) in sites.iter().zip(folders) {
        let needles = trace::needles(&site.traces()?);
        for name in artifacts.artefacts.keys().map(String::as_str).chain([artifacts::FILE]) {
            let path = folder.join(name);
            let content = fs::read(&path).map_err(|source| Failure::File { path, source })?;
            found.extend(trace::find(&content, &needles).into_iter().map(|trace| format!("{name}: {trace}")));
        }
    }
    Ok(found)
}

/// What is not as the committed list says, and has no other tool to explain it; prints the rest. Without `keyed` leaves out
/// what depends on the key.
fn held_against(built: &Artifacts, committed: &Artifacts, keyed: bool) -> Vec<String> {
    let verdicts = artifacts::verdicts(built, committed, keyed);
    let same = verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Same).count();
    println!("reproduce: {same} of {} artefacts have the hash that is committed in {COMMITTED}", verdicts.len());
    let mut faults = Vec::new();
    for (path, verdict) in verdicts {
        match verdict {
            Verdict::Same => {}
            // Debian keeps one version of a package: who builds this later has a newer one, and has done nothing wrong.
            Verdict::OtherTools(tools) => {
                println!("  not comparable: {path} was made by another version of {}", tools.join(", "));
            }
            Verdict::Differs => faults.push(format!("{path} has not the committed hash")),
            Verdict::OnlyLeft => faults.push(format!("{path} is not in the committed list")),
            Verdict::OnlyRight => faults.push(format!("{path} is in the committed list, but was not built")),
        }
    }
    if !faults.is_empty() {
        let changed = built.source.changed_since(&committed.source);
        faults.push(format!(
            "the committed list is of sources in which {changed} was another: if that is meant, `./x reproduce --update`"
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::artifacts::{Artefact, Source};

    const NAME: &str = "guests/a/component.wasm";

    /// One component with this hash, made by this version of a tool.
    fn list(clang: &str, sha256: &str) -> Artifacts {
        let artefact = Artefact { bytes: 1, sha256: sha256.into(), tools: vec!["clang".into()], keyed: false };
        Artifacts {
            schema: 1,
            name: "sandhill".into(),
            version: "1".into(),
            source: Source { revision: None, modified: false, sha256: String::new(), inputs: BTreeMap::new() },
            tools: BTreeMap::from([("clang".into(), clang.into())]),
            artefacts: BTreeMap::from([(NAME.into(), artefact)]),
        }
    }

    #[test]
    fn another_hash_is_a_fault_unless_a_tool_is_another_version() {
        assert!(held_against(&list("22.1", "x"), &list("22.1", "x"), true).is_empty());
        assert!(held_against(&list("22.2", "x"), &list("22.1", "x"), true).is_empty());
        assert!(held_against(&list("22.2", "y"), &list("22.1", "x"), true).is_empty(), "not comparable is no fault");
        let faults = held_against(&list("22.1", "y"), &list("22.1", "x"), true);
        assert_eq!(faults[0], format!("{NAME} has not the committed hash"));
    }
}
