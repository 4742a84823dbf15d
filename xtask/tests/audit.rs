//! `supply-chain/` covers exactly the crates of others that the lock files name: what `cargo vet` checks, without having it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::Value;

type Crates = BTreeSet<(String, String)>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository")
}

fn parse(path: &Path) -> toml::Table {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn lock_files() -> Vec<PathBuf> {
    let guests =
        fs::read_dir(root().join("guests")).unwrap().map(|entry| entry.unwrap().path().join("rust/Cargo.lock"));
    let mut files: Vec<_> = guests.filter(|file| file.is_file()).collect();
    assert!(!files.is_empty(), "no guest in Rust has a lock file");
    files.extend([root().join("Cargo.lock"), root().join("host/update/fuzz/Cargo.lock")]);
    files
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn locked() -> Crates {
    let mut crates = BTreeSet::new();
    for file in lock_files() {
        for package in parse(&file)["package"].as_array().unwrap() {
            if package.get("source").is_some() {
                crates.insert((text(package, "name").unwrap(), text(package, "version").unwrap()));
            }
        }
    }
    crates
}

/// Names and versions in a table `kind` of a file of cargo-vet's.
fn vetted(file: &str, kind: &str) -> Crates {
    let file = parse(&root().join("supply-chain").join(file));
    let Some(table) = file.get(kind).and_then(Value::as_table) else { return BTreeSet::new() };
    let mut crates = BTreeSet::new();
    for (name, entries) in table {
        for entry in entries.as_array().unwrap() {
            // A review of a difference ends at the version behind the arrow.
            let delta = text(entry, "delta").and_then(|delta| Some(delta.split("->").nth(1)?.trim().to_owned()));
            crates.extend(text(entry, "version").or(delta).map(|version| (name.clone(), version)));
        }
    }
    crates
}

#[test]
fn every_crate_is_reviewed_or_exempted() {
    let known: Crates = vetted("config.toml", "exemptions").union(&vetted("audits.toml", "audits")).cloned().collect();
    let missing: Vec<_> = locked().difference(&known).cloned().collect();
    let entries: String = missing
        .iter()
        .map(|(name, version)| {
            format!("\n[[exemptions.{name}]]\nversion = \"{version}\"\ncriteria = \"safe-to-deploy\"\n")
        })
        .collect();
    assert!(
        missing.is_empty(),
        "not in supply-chain/. Review them, or add to supply-chain/config.toml in the order of names:\n{entries}"
    );
}

#[test]
fn no_exemption_is_left_of_a_crate_that_is_no_more() {
    let left: Vec<_> = vetted("config.toml", "exemptions").difference(&locked()).cloned().collect();
    assert!(left.is_empty(), "in no lock file any more; delete them from supply-chain/config.toml: {left:?}");
}

#[test]
fn crates_come_from_crates_io_with_a_hash() {
    for file in lock_files() {
        for package in parse(&file)["package"].as_array().unwrap() {
            if let Some(source) = text(package, "source") {
                assert_eq!(source, "registry+https://github.com/rust-lang/crates.io-index", "{}", file.display());
                assert!(text(package, "checksum").is_some_and(|checksum| checksum.len() == 64), "{package}");
            }
        }
    }
}
