//! The bills of materials that `./x sbom` left in `target/artefacts/sbom`: CycloneDX's own library takes them, and they say
//! what is known otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cyclonedx_bom::prelude::*;
use serde_json::Value;

fn artefacts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target/artefacts")
}

/// Name → bill.
fn bills() -> BTreeMap<String, Value> {
    let listing = fs::read_dir(artefacts().join("sbom")).expect("target/artefacts/sbom: run `./x sbom` first");
    let files = listing.map(|entry| entry.unwrap().path());
    files
        .map(|file| {
            let name =
                file.file_name().unwrap().to_str().unwrap().strip_suffix(".cdx.json").expect("a bill").to_owned();
            (name, serde_json::from_slice(&fs::read(&file).unwrap()).expect("JSON"))
        })
        .collect()
}

fn list() -> Value {
    let file = artefacts().join("artifacts.json");
    serde_json::from_slice(&fs::read(file).expect("artifacts.json: run `./x build` first")).expect("JSON")
}

fn components(bill: &Value) -> impl Iterator<Item = &Value> {
    bill["components"].as_array().unwrap().iter()
}

/// Names of what is in the artefact, or of what was only used.
fn names<'a>(bill: &'a Value, scope: &str) -> BTreeSet<&'a str> {
    components(bill).filter(|one| one["scope"] == scope).map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn cyclonedx_itself_takes_every_bill() {
    let bills = bills();
    assert!(bills.len() > 10);
    for (name, bill) in &bills {
        let bom =
            Bom::parse_from_json_v1_5(bill.to_string().as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let result = bom.validate();
        assert!(result.passed(), "{name}: {result:?}");
        // What no schema can say: everything that is referred to is there, once.
        let subject = &bill["metadata"]["component"];
        let mut known: Vec<_> = components(bill).map(|one| one["bom-ref"].as_str().unwrap()).collect();
        known.push(subject["bom-ref"].as_str().unwrap());
        let set: BTreeSet<_> = known.iter().copied().collect();
        assert_eq!(set.len(), known.len(), "{name}: a reference is there twice");
        let mut described = BTreeSet::new();
        for dependency in bill["dependencies"].as_array().unwrap() {
            described.insert(dependency["ref"].as_str().unwrap());
            for needed in dependency["dependsOn"].as_array().unwrap() {
                assert!(set.contains(needed.as_str().unwrap()), "{name}: {needed}");
            }
        }
        assert!(described.is_subset(&set), "{name}");
    }
    let numbers: BTreeSet<_> = bills.values().map(|bill| bill["serialNumber"].as_str().unwrap()).collect();
    assert_eq!(numbers.len(), bills.len(), "two bills have one serial number");
}

#[test]
fn every_artefact_but_a_fixture_is_in_a_bill_with_its_hash() {
    let mut billed = BTreeMap::new();
    for bill in bills().values() {
        for file in bill["metadata"]["component"]["components"].as_array().into_iter().flatten() {
            billed.insert(file["name"].as_str().unwrap().to_owned(), file["hashes"][0]["content"].clone());
        }
    }
    let list = list();
    let artefacts = list["artefacts"].as_object().unwrap();
    let expected: BTreeMap<_, _> = artefacts
        .iter()
        .filter(|(path, _)| !path.starts_with("fixtures/"))
        .map(|(path, artefact)| (path.clone(), artefact["sha256"].clone()))
        .collect();
    assert_eq!(billed, expected);
}

#[test]
fn the_firmware_has_its_engine_and_not_what_only_built_it() {
    let bills = bills();
    let firmware = &bills["firmware"];
    let (linked, used) = (names(firmware, "required"), names(firmware, "excluded"));
    for part in
        ["wasmtime", "pulley-interpreter", "rp235x-hal", "salty", "sandhill-runtime", "core", "compiler_builtins"]
    {
        assert!(linked.contains(part), "{part} is in the firmware");
    }
    for tool in ["syn", "lalrpop", "rustc", "rust-lld", "wasmtime-internal-versioned-export-macros"] {
        assert!(used.contains(tool) && !linked.contains(tool), "{tool} only builds it");
    }
    // The compiler is in guest-pack, which the chip has not.
    assert!(!linked.contains("cranelift-codegen"));
    assert!(names(&bills["tools"], "required").contains("cranelift-codegen"));
}

#[test]
fn a_guest_has_what_its_language_brings() {
    let bills = bills();
    assert!(names(&bills["blinky-rust"], "required").is_superset(&BTreeSet::from([
        "blinky",
        "wit-bindgen-rt",
        "core",
        "alloc"
    ])));
    for (guest, tools) in [
        ("blinky-c", BTreeSet::from(["clang", "wasm-ld", "wasmtime", "wit-component"])),
        ("blinky-zig", BTreeSet::from(["zig", "wasmtime", "wit-component"])),
    ] {
        assert_eq!(
            (names(&bills[guest], "required"), names(&bills[guest], "excluded")),
            (BTreeSet::new(), tools),
            "{guest}"
        );
    }
}

#[test]
fn every_crate_has_a_licence_and_those_of_others_the_hash_of_the_lock_file() {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("Cargo.lock")).unwrap();
    for (name, bill) in bills() {
        for one in components(&bill).filter(|one| one["type"] == "library") {
            let reference = one["bom-ref"].as_str().unwrap();
            assert!(one["licenses"][0]["expression"].is_string(), "{name}: {reference} has no licence");
            if reference.starts_with("pkg:cargo/") {
                assert_eq!(one["purl"], one["bom-ref"]);
                let hash =
                    one["hashes"][0]["content"].as_str().unwrap_or_else(|| panic!("{name}: {reference} has no hash"));
                // Guests have lock files of their own.
                assert!(lock.contains(hash) || name.ends_with("-rust"), "{name}: {reference}");
            }
        }
    }
}

#[test]
fn no_machine_and_no_time_is_in_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_str().unwrap();
    for (name, bill) in bills() {
        let text = bill.to_string();
        assert!(!text.contains("file://") && !text.contains("\"/") && !text.contains("timestamp"), "{name}");
        assert!(root.len() < 8 || !text.contains(root), "{name}");
    }
}
