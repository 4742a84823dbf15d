//! `guest-pack build`: this repository's own guests, through their own toolchains. Needs what
//! `./x setup` sets up.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::{copy_of_sources, development_key, guest_pack, refuses, root, succeeds};

const STAGES: [&str; 4] = ["core.wasm", "component.wasm", "guest.cwasm", "guest.img"];

/// Builds the guests in a folder of their own. Where their artefacts are.
fn build_at(folder: &Path, guests: &[&str]) -> PathBuf {
    copy_of_sources(folder);
    succeeds(guest_pack().arg("build").args(guests).arg("--root").arg(folder));
    folder.join("target/artefacts/guests")
}

fn same_in_two_folders(guests: &[&str]) {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let one = build_at(&one.path().join("here"), guests);
    let other = build_at(&other.path().join("in/a/folder with a longer name"), guests);
    for guest in guests {
        for stage in STAGES {
            let stage = Path::new(guest).join(stage);
            assert!(
                fs::read(one.join(&stage)).unwrap() == fs::read(other.join(&stage)).unwrap(),
                "{} differs",
                stage.display()
            );
        }
        let manifest: serde_json::Value =
            serde_json::from_slice(&fs::read(one.join(guest).join("manifest.json")).unwrap()).unwrap();
        assert!(manifest["memory_bytes"].as_u64().unwrap() <= 1056, "{manifest}");
        assert!(manifest["tools"].as_object().unwrap().len() > 2, "names the tools that made it: {manifest}");
    }
}

#[test]
fn c_and_zig_give_the_same_bytes_in_two_folders() {
    // Servo has static data, echo uses its stack through a pointer.
    same_in_two_folders(&["blinky-c", "blinky-zig", "echo-c", "servo-c", "servo-zig"]);
}

/// Apart from the others because it builds Rust's core library twice, which takes a minute.
#[test]
fn rust_gives_the_same_bytes_in_two_folders() {
    same_in_two_folders(&["servo-rust"]);
}

#[test]
fn an_unknown_guest_is_refused_with_those_there_are() {
    let message = refuses(guest_pack().args(["build", "blinky-cobol", "--root"]).arg(root()));
    assert!(message.contains("blinky-cobol; there are: blinky-c, blinky-rust, blinky-zig, "), "{message}");
}

#[test]
fn a_folder_that_cannot_be_built_is_not_skipped() {
    let folder = TempDir::new().unwrap();
    copy_of_sources(folder.path());
    fs::create_dir(folder.path().join("guests/servo/fortran")).unwrap();
    let message = refuses(guest_pack().args(["build", "--root"]).arg(folder.path()));
    assert!(message.contains("servo/fortran has no Cargo.toml, Makefile or build.zig"), "{message}");
}

#[test]
fn outside_a_repository_it_says_so() {
    let folder = TempDir::new().unwrap();
    assert!(refuses(guest_pack().arg("build").current_dir(folder.path())).contains("--root"));
}

#[test]
fn a_missing_tool_is_named() {
    let folder = TempDir::new().unwrap();
    copy_of_sources(folder.path());
    let build = |guest: &str| {
        let mut command = guest_pack();
        command.args(["build", guest, "--root"]).arg(folder.path());
        command
    };
    let message = refuses(build("blinky-c").env_remove("WASI_SDK_PATH"));
    assert!(message.contains("blinky-c needs wasi-sdk") && message.contains("./x setup"), "{message}");
    let message = refuses(build("blinky-c").env("WASI_SDK_PATH", "/nonexistent"));
    assert!(message.contains("blinky-c needs clang") && message.contains("WASI_SDK_PATH"), "{message}");
    let message = refuses(build("blinky-zig").env("ZIG", "/nonexistent/zig"));
    assert!(message.contains("blinky-zig needs zig") && message.contains("./x setup"), "{message}");
    let message = refuses(build("blinky-rust").env("PATH", "/nonexistent"));
    assert!(message.contains("blinky-rust needs cargo-component") && message.contains("./x setup"), "{message}");
}

#[test]
fn a_tool_of_another_version_is_named() {
    let folder = TempDir::new().unwrap();
    copy_of_sources(folder.path());
    let zig = folder.path().join("zig");
    fs::write(&zig, "#!/bin/sh\necho 0.15.2\n").unwrap();
    fs::set_permissions(&zig, fs::Permissions::from_mode(0o755)).unwrap();
    let message = refuses(guest_pack().args(["build", "blinky-zig", "--root"]).arg(folder.path()).env("ZIG", zig));
    assert!(message.contains("needs zig 0.16") && message.contains("0.15.2"), "{message}");
}

#[test]
fn a_guest_that_does_not_build_stops_it() {
    let folder = TempDir::new().unwrap();
    copy_of_sources(folder.path());
    fs::write(folder.path().join("guests/blinky/c/blinky.c"), "#error broken on purpose\n").unwrap();
    let message = refuses(guest_pack().args(["build", "blinky-c", "--root"]).arg(folder.path()));
    assert!(message.contains("broken on purpose") && message.contains("blinky-c does not build"), "{message}");
}

#[test]
fn fixtures_are_what_they_claim() {
    let out = TempDir::new().unwrap();
    let told = succeeds(guest_pack().args(["build", "--fixtures", "--root"]).arg(root()).arg("--out").arg(out.path()));
    let refused = told.lines().find(|line| line.starts_with("foreign-import ")).unwrap();
    assert!(refused.contains("refused, as it must be: it imports proc_exit"), "{refused}");
    assert!(!out.path().join("foreign-import").exists());

    let file = |fixture: &str, file: &str| fs::read(out.path().join(fixture).join(file)).unwrap();
    let told = |fixture: &str| {
        let image = out.path().join(fixture).join("guest.img");
        let output = guest_pack().arg("verify").arg(image).arg("--key").arg(development_key()).output().unwrap();
        assert_eq!(output.status.success(), output.stdout.ends_with(b"sound\n"), "{fixture}");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    for (fixture, reason) in [
        ("bad-policy", "policy is not of version 1"),
        ("bad-signature", "signature is not that key's"),
        ("corrupt", "SHA-256 differs"),
        ("counter-0", "counter     0\n"),
        ("counter-1", "counter     1\n"),
        ("foreign-cwasm", "payload is for another engine"),
        ("foreign-engine", "engine      wasmtime 47.0.0 pulley32 "),
        ("foreign-key", "signed with another key"),
        ("foreign-world", "needs       embedded:platform/board@9.9.0 gpio timing\n"),
        ("large", "name        large\n"),
        ("no-policy", "policy      none"),
        ("oversized", "payload is beyond the file's end"),
        ("truncated", "payload is beyond the file's end"),
        ("unsigned", "it is not signed"),
    ] {
        let told = told(fixture);
        assert!(told.contains(reason), "{fixture}: {told}");
        let sound =
            ["counter-0", "counter-1", "foreign-engine", "foreign-world", "large", "no-policy"].contains(&fixture);
        assert_eq!(told.ends_with("sound\n"), sound, "{fixture}: {told}");
    }
    for runs in ["counter-0", "counter-1", "large"] {
        assert!(told(runs).contains("policy      outputs 25, "), "{runs} may blink");
    }
    let large = file("large", "guest.img");
    assert!((100_000..104_858).contains(&large.len()), "{}", large.len());
    let blank = |page: &&[u8]| page.iter().all(|byte| *byte == page[0]);
    assert_eq!(large.chunks(256).skip(1).filter(blank).count(), 0, "every page of it is worth writing");

    let (sound, foreign) = (file("blinky-400ms", "guest.cwasm"), file("foreign-engine", "guest.cwasm"));
    assert_eq!(file("foreign-cwasm", "guest.cwasm"), foreign);
    let engine = |cwasm: &[u8]| {
        use object::{Object, ObjectSection};
        let elf = object::read::elf::ElfFile64::<object::Endianness>::parse(cwasm).unwrap();
        elf.section_by_name(".wasmtime.engine").unwrap().data().unwrap()[..4].to_vec()
    };
    assert_eq!(engine(&sound), b"\x00\x0248");
    assert_eq!(engine(&foreign), b"\x00\x0247");
    assert_eq!(sound.iter().zip(&foreign).filter(|(a, b)| a != b).count(), 1, "one digit is all that differs");
    assert_eq!(file("foreign-engine", "guest.img")[256..][..foreign.len()], foreign, "and its image is whole");

    // All are the same guest. Its name is in its image, so payloads are compared.
    let payload = |fixture: &str| file(fixture, "guest.img")[256..][..sound.len()].to_vec();
    let bits: u32 = sound.iter().zip(payload("corrupt")).map(|(a, b)| (a ^ b).count_ones()).sum();
    assert_eq!(bits, 1, "one bit is all that differs");
    assert_eq!(payload("no-policy"), sound);
    assert_eq!(payload("bad-policy"), sound);
    let version = |fixture: &str| {
        let image = file(fixture, "guest.img");
        let area = 256 + sound.len().next_multiple_of(4);
        // Behind the security counter.
        (image[area + 12..area + 16] == [0xa0, 0, 72, 0]).then(|| image[area + 16])
    };
    assert_eq!([version("blinky-400ms"), version("bad-policy"), version("no-policy")], [Some(1), Some(2), None]);
    let manifest: serde_json::Value = serde_json::from_slice(&file("blinky-0.1", "manifest.json")).unwrap();
    assert_eq!(manifest["world"], "embedded:platform/blinky@0.1.0");
    let manifest: serde_json::Value = serde_json::from_slice(&file("hung", "manifest.json")).unwrap();
    assert_eq!(manifest["policy"]["progress-ms"], 500, "its own policy");
}

/// Counted in the text of the contract, without the parser that the generator uses.
#[test]
fn every_parameter_of_the_contract_has_its_edges() {
    let out = TempDir::new().unwrap();
    succeeds(guest_pack().args(["build", "--fixtures", "--root"]).arg(root()).arg("--out").arg(out.path()));
    let mut names: Vec<String> = fs::read_dir(out.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("edge-"))
        .collect();
    names.sort();

    let contract = fs::read_to_string(root().join("wit/platform.wit")).unwrap();
    let mut expected = Vec::new();
    for line in contract.lines().filter(|line| line.contains(": func(") && !line.contains("export")) {
        let (function, rest) = line.trim().split_once(": func(").unwrap();
        let (parameters, result) = rest.split_once(')').unwrap();
        let mut flat: Vec<String> = Vec::new();
        for parameter in parameters.split(", ").filter(|parameter| !parameter.is_empty()) {
            let (name, ty) = parameter.split_once(": ").unwrap();
            if ty == "list<u8>" {
                flat.extend([format!("{name}-ptr"), format!("{name}-len")]);
            } else {
                flat.push(name.into());
            }
        }
        if result.contains("option<") {
            flat.push("result-ptr".into());
        }
        for parameter in &flat {
            for value in ["0", "2147483648", "4294967295"] {
                expected.push(match flat.len() {
                    1 => format!("edge-{function}-{value}"),
                    _ => format!("edge-{function}-{parameter}-{value}"),
                });
            }
        }
    }
    expected.sort();
    assert!(expected.len() > 40);
    assert_eq!(names, expected);
}
