//! `./x provenance`: how the artefacts came to be, as an in-toto statement with SLSA's provenance predicate, and their hashes
//! as `sha256sum` reads them.
//!
//! Promises to claim no more than it knows: where a known CI runs it, the statement names workflow and run; elsewhere it says
//! that this is a machine's own word. Nobody has signed it: a release's workflow has GitHub sign a statement about the same
//! hashes.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Map, Value, json};

use crate::artifacts::{self, Artifacts, hash, write_whole};
use crate::run::{Failure, artefacts, root};

pub const FILE: &str = "provenance.json";
pub const SUMS: &str = "SHA256SUMS";
/// What `buildDefinition` means, see docs/src/howto/provenance.md.
const BUILD_TYPE: &str = "urn:sandhill:build:v1";
const LOCAL_BUILDER: &str = "urn:sandhill:builder:local";
/// What pins tools and crates, beside the sources themselves.
const PINS: [&str; 2] = ["flake.lock", "ci/setup"];

/// Writes both beside the artefacts.
///
/// # Errors
/// [`Failure::File`] before the first build.
pub fn write() -> Result<(), Failure> {
    let folder = artefacts();
    let list = Artifacts::read(&folder.join(artifacts::FILE))?;
    let sums: String = list.artefacts.iter().map(|(path, artefact)| format!("{}  {path}\n", artefact.sha256)).collect();
    write_whole(&folder.join(SUMS), sums.as_bytes())?;
    let statement = statement(&list, &pins()?, &|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    write_whole(&folder.join(FILE), format!("{statement:#}\n").as_bytes())?;
    let builder = statement["predicate"]["runDetails"]["builder"]["id"].as_str().unwrap_or_default();
    println!("provenance: {} artefacts, built by {builder}", list.artefacts.len());
    Ok(())
}

/// Path → SHA-256 of the files that pin tools.
fn pins() -> Result<BTreeMap<String, String>, Failure> {
    let mut files = Vec::new();
    for pin in PINS {
        let path = root().join(pin);
        if path.is_dir() {
            let listing = fs::read_dir(&path).map_err(|source| Failure::File { path, source })?;
            files.extend(listing.flatten().map(|entry| format!("{pin}/{}", entry.file_name().to_string_lossy())));
        } else if path.is_file() {
            files.push(pin.to_owned());
        }
    }
    let read = |file: String| {
        let path = root().join(&file);
        let bytes = fs::read(&path).map_err(|source| Failure::File { path, source })?;
        Ok((file, hash(&bytes)))
    };
    files.into_iter().map(read).collect()
}

/// The statement on `list`; `environment` has GitHub's variables, if GitHub runs this.
fn statement(list: &Artifacts, pins: &BTreeMap<String, String>, environment: &dyn Fn(&str) -> Option<String>) -> Value {
    let subject =
        list.artefacts.iter().map(|(path, artefact)| json!({"name": path, "digest": {"sha256": artefact.sha256}}));
    let run = Run::of(environment);
    // Pins, sources and tools; each has a digest, or, where it is a program of this machine, what it says of itself.
    let mut dependencies = Vec::new();
    if let Some(revision) = &list.source.revision {
        let repository =
            run.as_ref().map_or_else(|| "urn:sandhill:source".to_owned(), |run| format!("git+{}", run.repository));
        dependencies.push(json!({
            "uri": repository,
            "digest": { "gitCommit": revision },
            "annotations": { "modified": list.source.modified },
        }));
    }
    dependencies.push(json!({
        "name": "sources, see artifacts.json",
        "uri": "urn:sandhill:inputs",
        "digest": { "sha256": list.source.sha256 },
    }));
    let locks =
        list.source.inputs.iter().filter(|(path, _)| path.ends_with("Cargo.lock") || *path == "rust-toolchain.toml");
    for (path, sha256) in locks.chain(pins) {
        dependencies
            .push(json!({ "name": path, "uri": format!("urn:sandhill:file:{path}"), "digest": { "sha256": sha256 } }));
    }
    for (tool, version) in &list.tools {
        let name = tool.replace(' ', "-");
        dependencies.push(json!({
            "name": tool,
            "uri": format!("urn:sandhill:tool:{name}"),
            "annotations": { "version": version },
        }));
    }
    let mut external = json!({ "command": "./x build", "source": { "sha256": list.source.sha256 } });
    if let Some(run) = &run {
        external["workflow"] = json!({ "ref": run.reference, "repository": run.repository, "path": run.workflow });
    }
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject.collect::<Vec<_>>(),
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": external,
                "internalParameters": run.as_ref().map_or_else(
                    || json!({ "note": "built outside of CI: this is the word of the machine that built it, signed by nobody" }),
                    |run| json!({ "github": run.internal }),
                ),
                "resolvedDependencies": dependencies,
            },
            "runDetails": match run {
                None => json!({ "builder": { "id": LOCAL_BUILDER } }),
                Some(run) => json!({ "builder": { "id": run.builder }, "metadata": { "invocationId": run.invocation } }),
            },
        },
    })
}

/// A run of GitHub's.
struct Run {
    repository: String,
    reference: String,
    workflow: String,
    builder: String,
    invocation: String,
    internal: Map<String, Value>,
}

impl Run {
    /// None where GitHub does not run this, or does not say all that is to be said.
    fn of(environment: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        if environment("GITHUB_ACTIONS")? != "true" {
            return None;
        }
        let github = |name: &str| environment(&format!("GITHUB_{name}"));
        let server = github("SERVER_URL")?;
        let repository = format!("{server}/{}", github("REPOSITORY")?);
        // owner/repository/.github/workflows/release.yml@refs/tags/v1
        let workflow = github("WORKFLOW_REF")?;
        let path = workflow.split('@').next()?.splitn(3, '/').nth(2)?.to_owned();
        let (run, attempt) = (github("RUN_ID")?, github("RUN_ATTEMPT")?);
        let internal = [
            ("event_name", "EVENT_NAME"),
            ("repository_id", "REPOSITORY_ID"),
            ("repository_owner_id", "REPOSITORY_OWNER_ID"),
        ];
        let internal =
            internal.into_iter().filter_map(|(key, name)| Some((key.to_owned(), Value::from(github(name)?))));
        Some(Self {
            reference: github("REF")?,
            workflow: path,
            builder: format!("{server}/{workflow}"),
            invocation: format!("{repository}/actions/runs/{run}/attempts/{attempt}"),
            internal: internal.collect(),
            repository,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> Artifacts {
        serde_json::from_value(json!({
            "schema": 1, "name": "sandhill", "version": "0.2.0",
            "source": { "revision": "c0ffee", "modified": false, "sha256": "50", "inputs": { "Cargo.lock": "10", "host/main.rs": "11" } },
            "tools": { "zig": "zig 0.16.0" },
            "artefacts": { "guests/blinky-zig/core.wasm": { "bytes": 1, "sha256": "ab", "tools": ["zig"], "keyed": false } },
        }))
        .expect("a list")
    }

    fn github(name: &str) -> Option<String> {
        let value = match name.strip_prefix("GITHUB_")? {
            "ACTIONS" => "true",
            "SERVER_URL" => "https://github.com",
            "REPOSITORY" => "owner/sandhill",
            "WORKFLOW_REF" => "owner/sandhill/.github/workflows/release.yml@refs/tags/v0.2.0",
            "REF" => "refs/tags/v0.2.0",
            "RUN_ID" => "7",
            "RUN_ATTEMPT" => "2",
            "EVENT_NAME" => "push",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn a_machine_of_ones_own_says_so() {
        let statement = statement(&list(), &BTreeMap::new(), &|_| None);
        assert_eq!(statement["predicate"]["runDetails"], json!({ "builder": { "id": LOCAL_BUILDER } }));
        let definition = &statement["predicate"]["buildDefinition"];
        assert!(definition["internalParameters"]["note"].as_str().expect("a note").contains("signed by nobody"));
        assert!(definition["externalParameters"].get("workflow").is_none());
    }

    #[test]
    fn github_s_run_is_named() {
        let statement = statement(&list(), &BTreeMap::from([("flake.lock".into(), "12".into())]), &github);
        let run = &statement["predicate"]["runDetails"];
        assert_eq!(
            run["builder"]["id"],
            "https://github.com/owner/sandhill/.github/workflows/release.yml@refs/tags/v0.2.0"
        );
        assert_eq!(run["metadata"]["invocationId"], "https://github.com/owner/sandhill/actions/runs/7/attempts/2");
        let definition = &statement["predicate"]["buildDefinition"];
        assert_eq!(definition["externalParameters"]["workflow"]["path"], ".github/workflows/release.yml");
        let dependencies = definition["resolvedDependencies"].as_array().expect("an array");
        assert_eq!(dependencies[0]["uri"], "git+https://github.com/owner/sandhill");
        assert_eq!(dependencies[0]["digest"]["gitCommit"], "c0ffee");
        let names: Vec<_> = dependencies.iter().filter_map(|dependency| dependency["name"].as_str()).collect();
        assert_eq!(names, ["sources, see artifacts.json", "Cargo.lock", "flake.lock", "zig"]);
    }

    #[test]
    fn a_run_that_does_not_say_all_is_not_taken_for_github_s() {
        let some = |name: &str| github(name).filter(|_| name != "GITHUB_RUN_ID");
        assert!(Run::of(&some).is_none());
        assert!(Run::of(&|name| if name == "GITHUB_ACTIONS" { Some("false".into()) } else { github(name) }).is_none());
    }
}
