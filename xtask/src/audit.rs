//! `./x audit`: whether what the lock files name may be used. cargo-deny judges licences, bans, sources and known
//! vulnerabilities by deny.toml; cargo-vet says whether every crate was reviewed or is consciously exempted from it, by
//! `supply-chain/`.
//!
//! Promises to look at every workspace of the repository, and to say so where vulnerabilities could not be looked up
//! because their database cannot be had; that is an error only for who asks for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Failure, Step, cargo_tool, root};

const STORE: &str = "supply-chain";

/// `insist`: without the database of vulnerabilities this fails.
pub fn run(insist: bool) -> Result<(), Failure> {
    let deny = cargo_tool("cargo-deny")?;
    let vet = cargo_tool("cargo-vet")?;
    let advisories = have_advisories(&deny);
    if insist && !advisories {
        return Err(Failure::Advisories);
    }
    for folder in workspaces()? {
        let shown = folder.strip_prefix(root()).unwrap_or(&folder).display().to_string();
        let shown = if shown.is_empty() { "the workspace" } else { &shown };
        println!("audit: {shown}");
        let manifest = folder.join("Cargo.toml");
        let check = Step::new(&deny).args(["--locked", "--log-level", "error", "--manifest-path"]).arg(&manifest);
        let check = check.arg("--config").arg(root().join("deny.toml")).arg("check");
        // What the whole workspace does not need, deny.toml should not allow. Smaller ones need less of it.
        let check = if folder == root() { check.args(["-D", "license-not-encountered"]) } else { check };
        let check = check.args(["bans", "licenses", "sources"]);
        if advisories { check.arg("advisories") } else { check }.run()?;
        let review = Step::new(&vet).args(["vet", "--locked", "--frozen", "--manifest-path"]).arg(&manifest);
        // It asks the Cargo that calls it, and here none does.
        review.arg("--store-path").arg(root().join(STORE)).env("CARGO", "cargo").run()?;
    }
    if !advisories {
        println!("audit: the database of vulnerabilities cannot be had here: advisories were not checked");
    }
    Ok(())
}

/// Brings the database up to date, if it can be reached.
fn have_advisories(deny: &Path) -> bool {
    let fetch = Command::new(deny).args(["fetch", "db"]).current_dir(root()).output();
    fetch.is_ok_and(|output| output.status.success())
}

/// Every folder of the repository with a lock file of its own.
fn workspaces() -> Result<Vec<PathBuf>, Failure> {
    let guests = root().join("guests");
    let listing = std::fs::read_dir(&guests).map_err(|source| Failure::File { path: guests, source })?;
    let mut folders: Vec<_> = listing.flatten().map(|entry| entry.path().join("rust")).collect();
    folders.extend([root().to_owned(), root().join("host/update/fuzz")]);
    folders.retain(|folder| folder.join("Cargo.lock").is_file());
    folders.sort();
    Ok(folders)
}
