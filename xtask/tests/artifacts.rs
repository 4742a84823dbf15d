//! `target/artefacts/artifacts.json` as `./x build` left it: it lists everything, with the right hashes, and names no machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository")
}

fn folder() -> PathBuf {
    root().join("target/artefacts")
}

fn text() -> String {
    fs::read_to_string(folder().join("artifacts.json")).expect("artifacts.json: run `./x build` first")
}

fn list() -> Value {
    serde_json::from_str(&text()).expect("JSON")
}

#[test]
fn every_hash_and_size_is_that_of_the_file() {
    let list = list();
    let artefacts = list["artefacts"].as_object().expect("an object");
    // Hashed by another program than the one that wrote the list.
    let lines: String = artefacts
        .iter()
        .map(|(path, artefact)| format!("{}  {path}\n", artefact["sha256"].as_str().unwrap()))
        .collect();
    let sums = folder().join(format!(".sums.{}", std::process::id()));
    fs::write(&sums, lines).unwrap();
    let check =
        Command::new("sha256sum").args(["--check", "--quiet", "--strict"]).arg(&sums).current_dir(folder()).output();
    fs::remove_file(&sums).unwrap();
    let check = check.expect("sha256sum");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    for (path, artefact) in artefacts {
        assert_eq!(fs::metadata(folder().join(path)).unwrap().len(), artefact["bytes"].as_u64().unwrap(), "{path}");
    }
}

#[test]
fn every_guest_and_the_firmware_are_listed() {
    let list = list();
    let artefacts: BTreeSet<_> = list["artefacts"].as_object().unwrap().keys().cloned().collect();
    let mut expected = BTreeSet::from(["firmware/sandhill.elf", "firmware/manifest.json"].map(str::to_owned));
    for program in subfolders(&root().join("guests")) {
        for language in subfolders(&root().join("guests").join(&program)) {
            if root().join("guests").join(&program).join("policy.toml").is_file() && program != "fixtures" {
                for file in ["core.wasm", "component.wasm", "guest.cwasm", "guest.img", "manifest.json"] {
                    expected.insert(format!("guests/{program}-{language}/{file}"));
                }
            }
        }
    }
    assert!(expected.len() > 50, "{expected:?}");
    assert_eq!(expected.difference(&artefacts).collect::<Vec<_>>(), Vec::<&String>::new(), "not in the list");
}

fn subfolders(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).filter(|name| name != "target").collect()
}

#[test]
fn what_depends_on_the_key_says_so() {
    for (path, artefact) in list()["artefacts"].as_object().unwrap() {
        let free = path.ends_with("wasm") || path.starts_with("rivals/");
        assert_eq!(artefact["keyed"], !free, "{path}");
    }
}

#[test]
fn every_artefact_names_tools_that_have_a_version() {
    let list = list();
    let mut named = BTreeSet::new();
    for (path, artefact) in list["artefacts"].as_object().unwrap() {
        let tools = artefact["tools"].as_array().unwrap();
        assert!(!tools.is_empty(), "{path}");
        for tool in tools {
            let tool = tool.as_str().unwrap();
            let version =
                list["tools"][tool].as_str().unwrap_or_else(|| panic!("{path} is made by {tool}, without version"));
            assert!(version.contains(|c: char| c.is_ascii_digit()), "{tool}: {version}");
            named.insert(tool.to_owned());
        }
    }
    assert_eq!(named, list["tools"].as_object().unwrap().keys().cloned().collect(), "tools that made nothing");
    for (path, tools) in [
        ("guests/blinky-c/component.wasm", "clang wasm-ld wit-component"),
        ("guests/blinky-zig/guest.cwasm", "wasmtime wit-component zig"),
        ("firmware/sandhill.elf", "cargo rust-lld rust-src rustc"),
    ] {
        let named: Vec<_> =
            list["artefacts"][path]["tools"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(named.join(" "), tools, "{path}");
    }
}

#[test]
fn no_machine_and_no_time_is_in_it() {
    let text = text();
    let home = std::env::home_dir().unwrap();
    for path in [root(), &home, &std::env::temp_dir()] {
        // A path of one component would be found in names.
        assert!(
            path.components().count() < 3 || !text.contains(&*path.to_string_lossy()),
            "{} is in it",
            path.display()
        );
    }
    assert!(!text.contains("\"/"), "an absolute path is in it");
    let host = Command::new("uname").arg("-n").output().unwrap();
    let host = String::from_utf8_lossy(&host.stdout).trim().to_owned();
    assert!(host.len() < 4 || !text.contains(&host), "{host} is in it");
}
