//! What `./x provenance` left in `target/artefacts`: in-toto's statement with SLSA's predicate, in the shape that their
//! specifications ask for, on exactly the artefacts that are there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn artefacts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target/artefacts")
}

fn read(name: &str) -> String {
    fs::read_to_string(artefacts().join(name)).unwrap_or_else(|_| panic!("{name}: run `./x provenance` first"))
}

fn statement() -> Value {
    serde_json::from_str(&read("provenance.json")).expect("JSON")
}

/// SLSA and in-toto name things by absolute URIs.
fn is_uri(value: &Value) -> bool {
    value.as_str().and_then(|text| text.split_once(':')).is_some_and(|(scheme, rest)| {
        !rest.is_empty() && scheme.starts_with(|c: char| c.is_ascii_lowercase()) && !rest.contains(char::is_whitespace)
    })
}

fn is_digest(value: &Value) -> bool {
    value.as_object().is_some_and(|digests| {
        !digests.is_empty()
            && digests.iter().all(|(algorithm, digest)| {
                let digits = digest.as_str().unwrap_or_default();
                let length = match algorithm.as_str() {
                    "sha256" => 64,
                    "gitCommit" => 40,
                    _ => return false,
                };
                digits.len() == length && digits.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
            })
    })
}

#[test]
fn it_is_a_statement_of_in_toto_s() {
    let statement = statement();
    let keys: Vec<_> = statement.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["_type", "predicate", "predicateType", "subject"]);
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    for subject in statement["subject"].as_array().unwrap() {
        assert!(subject["name"].is_string() && is_digest(&subject["digest"]), "{subject}");
    }
}

#[test]
fn its_predicate_has_what_slsa_requires() {
    let statement = statement();
    let (definition, run) = (&statement["predicate"]["buildDefinition"], &statement["predicate"]["runDetails"]);
    assert!(is_uri(&definition["buildType"]));
    assert!(definition["externalParameters"].is_object() && definition["internalParameters"].is_object());
    assert!(is_uri(&run["builder"]["id"]));
    let dependencies = definition["resolvedDependencies"].as_array().unwrap();
    for dependency in dependencies {
        assert!(is_uri(&dependency["uri"]), "{dependency}");
        assert!(dependency.get("digest").is_none_or(is_digest), "{dependency}");
    }
    for name in
        ["Cargo.lock", "rust-toolchain.toml", "flake.lock", "ci/setup/packages-debian.txt", "rustc", "clang", "zig"]
    {
        assert!(dependencies.iter().any(|dependency| dependency["name"] == name), "{name} is not named");
    }
}

#[test]
fn its_subjects_are_the_artefacts() {
    let subjects: BTreeMap<_, _> = statement()["subject"]
        .as_array()
        .unwrap()
        .iter()
        .map(|subject| (subject["name"].as_str().unwrap().to_owned(), subject["digest"]["sha256"].clone()))
        .collect();
    let list: Value = serde_json::from_str(&read("artifacts.json")).unwrap();
    let artefacts = list["artefacts"].as_object().unwrap();
    let listed: BTreeMap<_, _> =
        artefacts.iter().map(|(path, artefact)| (path.clone(), artefact["sha256"].clone())).collect();
    assert_eq!(subjects, listed);
}

#[test]
fn sha256sum_takes_the_hashes() {
    let check = ["--check", "--strict", "--quiet", "SHA256SUMS"];
    let output = Command::new("sha256sum").args(check).current_dir(artefacts()).output().expect("sha256sum");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(read("SHA256SUMS").lines().count(), statement()["subject"].as_array().unwrap().len());
}
