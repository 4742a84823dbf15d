//! `guest-pack image`: what it makes of a sound module, and what it refuses.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::{development_key, guest_pack, refuses, root, succeeds};

fn fixture(name: &str) -> PathBuf {
    root().join("guests/fixtures").join(name)
}

/// A blinky whose `run` is empty, with more of the caller's own.
fn module(more: &str) -> String {
    format!(r#"(module {more} (func (export "run")))"#)
}

fn image(file: &Path, out: &Path) -> std::process::Command {
    let mut command = guest_pack();
    command.args(["image", "--world", "blinky", "--name", "guest", "--out"]).arg(out).arg(file);
    command
}

/// Packs the text, expecting success. The folder with the stages.
fn pack(wat: &str, folder: &TempDir) -> PathBuf {
    let file = folder.path().join("input.wat");
    fs::write(&file, wat).unwrap();
    succeeds(&mut image(&file, folder.path()));
    folder.path().join("guest")
}

/// Packs the bytes, expecting a refusal. The message.
fn refused(input: &[u8]) -> String {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("input.wasm");
    fs::write(&file, input).unwrap();
    let message = refuses(&mut image(&file, folder.path()));
    assert!(!folder.path().join("guest").exists(), "a refused guest leaves nothing behind");
    message
}

/// Packs the text under a policy with these lines, expecting success. The folder with the stages.
fn pack_with(policy: &str, wat: &str, folder: &TempDir) -> PathBuf {
    let (file, policy_file) = (folder.path().join("input.wat"), folder.path().join("policy.toml"));
    fs::write(&file, wat).unwrap();
    fs::write(&policy_file, policy).unwrap();
    succeeds(image(&file, folder.path()).arg("--policy").arg(policy_file));
    folder.path().join("guest")
}

fn manifest(guest: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(guest.join("manifest.json")).unwrap()).unwrap()
}

fn memory_of(wat: &str) -> u64 {
    let folder = TempDir::new().unwrap();
    manifest(&pack(wat, &folder))["memory_bytes"].as_u64().unwrap()
}

#[test]
fn the_manifest_tells_what_is_in_the_folder() {
    let folder = TempDir::new().unwrap();
    succeeds(&mut image(&fixture("blinky-400ms.wat"), folder.path()));
    let guest = folder.path().join("guest");
    let manifest = manifest(&guest);
    assert_eq!(manifest["world"], "embedded:platform/blinky@0.2.0");
    assert_eq!(manifest["language"], "wat");
    let artefacts = manifest["artefacts"].as_object().unwrap();
    assert_eq!(
        artefacts.keys().map(String::as_str).collect::<Vec<_>>(),
        ["component.wasm", "core.wasm", "guest.cwasm", "guest.img"]
    );
    for (file, told) in artefacts {
        let content = fs::read(guest.join(file)).unwrap();
        assert_eq!(told["bytes"], content.len(), "{file}");
        let sha256: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(told["sha256"], sha256, "{file}");
    }
}

/// Field by field after MCUboot's image format, read independently of the code that writes it.
#[test]
fn the_image_is_mcuboots() {
    let folder = TempDir::new().unwrap();
    let guest = pack_with("failures = 7", &fs::read_to_string(fixture("blinky-400ms.wat")).unwrap(), &folder);
    let image = fs::read(guest.join("guest.img")).unwrap();
    let payload = fs::read(guest.join("guest.cwasm")).unwrap();
    let u16_at = |at: usize| u16::from_le_bytes(image[at..at + 2].try_into().unwrap());
    let u32_at = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap());
    assert_eq!(u32_at(0), 0x96f3_b83d, "magic");
    assert_eq!(u32_at(4), 0, "load address");
    assert_eq!(u16_at(8), 256, "header size");
    let protected = usize::from(u16_at(10));
    let padded = payload.len().next_multiple_of(4);
    assert_eq!(u32_at(12), u32::try_from(padded).unwrap());
    assert_eq!(u32_at(16), 0, "flags");
    assert_eq!(image[20..28], [0, 2, 0, 0, 0, 0, 0, 0], "version 0.2.0+0");
    assert!(image[28..256].iter().all(|&byte| byte == 0), "rest of the header");
    assert_eq!(image[256..256 + payload.len()], payload);
    assert!(image[256 + payload.len()..256 + padded].iter().all(|&byte| byte == 0), "padding");

    let area = 256 + padded;
    let (engine, needs) = (engine_of(&payload), "embedded:platform/blinky@0.2.0 gpio timing");
    let mut expected = vec![0x08, 0x69, image[10], image[11]];
    expected.extend([0x50, 0, 4, 0, 0, 0, 0, 0]);
    expected.extend([0xa0, 0, 72, 0, 1, 0, 72, 0]);
    expected.extend(&image[area + 20..area + 20 + 64]);
    expected.extend([7, 0, 0, 0]);
    expected.extend(b"\xa1\x00\x05\x00guest\xa2\x00");
    expected.extend([u8::try_from(engine.len()).unwrap(), 0]);
    expected.extend(engine.as_bytes());
    expected.extend([0xa3, 0, u8::try_from(needs.len()).unwrap(), 0]);
    expected.extend(needs.as_bytes());
    assert_eq!(image[area..area + protected], expected, "counter, policy whose last word is 7, name, engine, needs");

    let end = area + protected;
    let hash = Sha256::digest(&image[..end]);
    let (public_key, key_hash) = public_key(&development_key());
    let tlvs = &image[end..];
    assert_eq!(tlvs.len(), 4 + 4 + 32 + 4 + 32 + 4 + 64);
    assert_eq!(tlvs[..8], [0x07, 0x69, 144, 0, 0x10, 0, 32, 0], "TLV info and the hash's TLV");
    assert_eq!(tlvs[8..40], hash[..]);
    assert_eq!(tlvs[40..44], [0x01, 0, 32, 0], "the key hash's");
    assert_eq!(tlvs[44..76], key_hash);
    assert_eq!(tlvs[76..80], [0x24, 0, 64, 0], "the signature's");
    let signature = ed25519_dalek::Signature::from_slice(&tlvs[80..]).unwrap();
    public_key.verify_strict(&hash, &signature).unwrap();
}

/// Version and settings, as the payload has them.
fn engine_of(payload: &[u8]) -> String {
    use object::{Object, ObjectSection};
    let elf = object::read::elf::ElfFile64::<object::Endianness>::parse(payload).unwrap();
    let section = elf.section_by_name(".wasmtime.engine").unwrap();
    let hash: String = Sha256::digest(section.data().unwrap())[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("wasmtime 48.0.8 pulley32 {hash}")
}

/// The key in a PEM file, and the hash of its SubjectPublicKeyInfo (RFC 8410: a fixed head, then its 32 bytes).
fn public_key(private: &Path) -> (ed25519_dalek::VerifyingKey, [u8; 32]) {
    use ed25519_dalek::pkcs8::DecodePrivateKey;
    let pem = fs::read_to_string(private).unwrap();
    let key = ed25519_dalek::SigningKey::from_pkcs8_pem(&pem).unwrap().verifying_key();
    let head = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    (key, Sha256::digest([&head[..], key.as_bytes()].concat()).into())
}

#[test]
fn an_image_without_a_policy_says_so() {
    let folder = TempDir::new().unwrap();
    let guest = pack(&module(""), &folder);
    let image = fs::read(guest.join("guest.img")).unwrap();
    let area = 256 + fs::read(guest.join("guest.cwasm")).unwrap().len();
    let start = b"\x50\x00\x04\x00\x00\x00\x00\x00\xa1\x00\x05\x00guest";
    assert_eq!(image[area + 4..][..start.len()], start[..], "the name follows the counter");
    assert!(manifest(&guest).get("policy").is_none());
}

/// Of interfaces those that it calls, whatever its world offers.
#[test]
fn an_image_says_what_it_needs() {
    let folder = TempDir::new().unwrap();
    let needs = |wat: &str| {
        let image = fs::read(pack(wat, &folder).join("guest.img")).unwrap();
        // The last of the protected TLVs, before 144 bytes of others.
        let text = String::from_utf8_lossy(&image[..image.len() - 144]).into_owned();
        text.rsplit_once("embedded:platform/").unwrap().1.to_owned()
    };
    assert_eq!(needs(&module("")), "blinky@0.2.0");
    let timing = r#"(import "embedded:platform/timing@0.2.0" "now-us" (func (result i64)))"#;
    assert_eq!(needs(&module(timing)), "blinky@0.2.0 timing");
    let gpio = r#"(import "embedded:platform/gpio@0.2.0" "toggle" (func (param i32)))"#;
    assert_eq!(needs(&module(&format!("{timing} {gpio} {gpio}"))), "blinky@0.2.0 gpio timing", "sorted, each once");
}

#[test]
fn the_manifest_shows_the_policy_with_every_key() {
    let folder = TempDir::new().unwrap();
    let policy = "outputs = { 25 = \"low\" }\ninputs = { 15 = \"pull-up\" }\nuarts = [1]\nwait-ms = 5";
    let shown = manifest(&pack_with(policy, &module(""), &folder))["policy"].clone();
    assert_eq!(shown["outputs"], serde_json::json!({"25": "low"}));
    assert_eq!(shown["inputs"], serde_json::json!({"15": "pull-up"}));
    assert_eq!((&shown["uarts"], &shown["uart-baud"]), (&serde_json::json!([1]), &serde_json::json!(115_200)));
    assert_eq!((&shown["wait-ms"], &shown["cpu-permille"]), (&serde_json::json!(5), &serde_json::json!(1_000)));
}

#[test]
fn a_policy_that_is_wrong_is_refused_by_file_and_key() {
    let folder = TempDir::new().unwrap();
    let policy = folder.path().join("policy.toml");
    fs::write(&policy, "output = { 25 = \"low\" }").unwrap();
    let message = refuses(image(&fixture("trap.wat"), folder.path()).arg("--policy").arg(&policy));
    assert!(message.contains("policy.toml") && message.contains("output"), "{message}");
}

#[test]
fn a_policy_names_the_world() {
    let folder = TempDir::new().unwrap();
    let (file, policy) = (folder.path().join("input.wat"), folder.path().join("policy.toml"));
    fs::write(&file, module("")).unwrap();
    fs::write(&policy, "world = \"blinky@0.1.0\"").unwrap();
    let pack = |more: &[&str]| {
        let mut command = guest_pack();
        command.args(["image", "--name", "servo", "--out"]).arg(folder.path()).arg(&file).args(more);
        succeeds(&mut command);
        manifest(&folder.path().join("servo"))["world"].as_str().unwrap().to_owned()
    };
    assert_eq!(pack(&["--policy", policy.to_str().unwrap()]), "embedded:platform/blinky@0.1.0");
    assert_eq!(pack(&["--world", "echo"]), "embedded:platform/echo@0.2.0");
    assert_eq!(pack(&[]), "embedded:platform/servo@0.2.0", "the world of that name");
}

/// A host that shuts a guest out of its code with the MPU shuts it out of nothing else.
#[test]
fn code_has_granules_of_its_own() {
    use object::{Object, ObjectSection};
    let nops: String = std::iter::repeat_n("(drop (i32.const 1))", 3).collect();
    for calls in 0..20 {
        let folder = TempDir::new().unwrap();
        // Code of many lengths: 20 of them in steps that are no multiple of a granule.
        let body = r#"(call $set-high (i32.const 7))"#.repeat(calls);
        let guest = pack(
            &format!(
                r#"(module (import "embedded:platform/gpio@0.2.0" "set-high" (func $set-high (param i32)))
                   (func (export "run") {nops} {body}))"#
            ),
            &folder,
        );
        let cwasm = fs::read(guest.join("guest.cwasm")).unwrap();
        let elf = object::read::elf::ElfFile64::<object::Endianness>::parse(&*cwasm).unwrap();
        let range = |section: &object::read::elf::ElfSection64<'_, '_, object::Endianness>| section.file_range();
        let code = elf.section_by_name(".text").unwrap();
        let (start, size) = range(&code).unwrap();
        assert_eq!(start % 32, 0, "{calls} calls");
        let end = (start + size).next_multiple_of(32);
        for section in elf.sections().filter(|section| section.index() != code.index()) {
            let (other, length) = range(&section).unwrap();
            assert!(other + length <= start || other >= end, "{calls} calls: {} is in it", section.name().unwrap());
        }
        let headers = u64::from_le_bytes(cwasm[0x28..0x30].try_into().unwrap());
        assert!(headers >= end, "{calls} calls: section headers are in it");
    }
}

#[test]
fn the_payload_is_a_stripped_pulley_module() {
    let folder = TempDir::new().unwrap();
    let guest = pack(&module(""), &folder);
    let cwasm = fs::read(guest.join("guest.cwasm")).unwrap();
    let elf = object::read::elf::ElfFile64::<object::Endianness>::parse(&*cwasm).unwrap();
    use object::{Object, ObjectSection};
    let engine = elf.section_by_name(".wasmtime.engine").unwrap().data().unwrap();
    assert!(engine.windows(8).any(|text| text == b"pulley32"), "the target is written in the engine section");
    assert!(elf.section_by_name(".text").unwrap().size() > 0, "stripping leaves the code");
    assert!(elf.section_by_name(".wasmtime.addrmap").unwrap().size() > 0, "a trap can be told with its place");
    assert!(elf.section_by_name(".symtab").is_none());
    assert!(elf.section_by_name(".strtab").is_none());
    let component = wasmtime::Engine::detect_precompiled(&cwasm);
    assert!(matches!(component, Some(wasmtime::Precompiled::Module)), "{component:?}");
}

/// Offsets that a host reports are offsets in this file.
#[test]
fn the_core_module_is_the_one_in_the_component() {
    let folder = TempDir::new().unwrap();
    let guest = pack(&module(r#"(memory 16 16 (pagesize 1)) (func (export "cabi_realloc"))"#), &folder);
    let (core, component) =
        (fs::read(guest.join("core.wasm")).unwrap(), fs::read(guest.join("component.wasm")).unwrap());
    assert!(component.windows(core.len()).any(|part| part == core));
    assert!(!core.windows(7).any(|text| text == b"realloc"), "an export that nobody uses is gone");
}

#[test]
fn a_component_is_taken_as_it_is() {
    let folder = TempDir::new().unwrap();
    let first = pack(&fs::read_to_string(fixture("blinky-400ms.wat")).unwrap(), &folder);
    let again = TempDir::new().unwrap();
    succeeds(&mut image(&first.join("component.wasm"), again.path()));
    for file in ["component.wasm", "guest.cwasm", "guest.img"] {
        assert_eq!(
            fs::read(first.join(file)).unwrap(),
            fs::read(again.path().join("guest").join(file)).unwrap(),
            "{file}"
        );
    }
}

#[test]
fn custom_sections_do_not_reach_the_component() {
    let folder = TempDir::new().unwrap();
    let guest = pack(&module(r#"(@custom "producers-note" "who made this, and when")"#), &folder);
    let component = fs::read(guest.join("component.wasm")).unwrap();
    assert!(!component.windows(8).any(|text| text == b"who made"));
}

#[test]
fn a_foreign_import_is_refused_by_name() {
    let message = refuses(&mut image(&fixture("foreign-import.wat"), Path::new("unused")));
    assert!(message.contains("proc_exit of wasi_snapshot_preview1"), "{message}");
    assert!(
        message.contains("embedded:platform/gpio@0.2.0 (is-high, set-high, set-low, toggle)"),
        "says what there is instead: {message}"
    );
}

#[test]
fn a_foreign_import_of_a_component_is_refused_by_name() {
    let component = r#"(component (import "wasi:cli/exit@0.2.0" (instance)))"#;
    let message = refused(component.as_bytes());
    assert!(message.contains("wasi:cli/exit@0.2.0"), "{message}");
}

#[test]
fn a_function_that_the_interface_lacks_is_refused() {
    let blink = r#"(import "embedded:platform/gpio@0.2.0" "blink" (func (param i32)))"#;
    let message = refused(module(blink).as_bytes());
    assert!(message.contains("blink of embedded:platform/gpio@0.2.0"), "{message}");
}

#[test]
fn another_version_of_the_interface_is_refused() {
    let old = r#"(import "embedded:platform/gpio@0.1.0" "set-high" (func (param i32)))"#;
    assert!(refused(module(old).as_bytes()).contains("set-high of embedded:platform/gpio@0.1.0"));
}

#[test]
fn another_signature_is_refused_with_both() {
    let wide = r#"(import "embedded:platform/gpio@0.2.0" "set-high" (func (param i64)))"#;
    let message = refused(module(wide).as_bytes());
    assert!(message.contains("does not fit the world") && message.contains("set-high"), "{message}");
    assert!(message.contains("as (func (param i64)), but it is (func (param i32))"), "{message}");
    let table = r#"(import "embedded:platform/gpio@0.2.0" "set-high" (table 1 funcref))"#;
    assert!(refused(module(table).as_bytes()).contains("as something else"));
    let run = r#"(module (func (export "run") (result i32) (i32.const 0)))"#;
    assert!(refused(run.as_bytes()).contains("exports run as (func (result i32)), but it is (func)"));
}

#[test]
fn what_cannot_be_lowered_is_refused_by_what_it_is() {
    for (more, told) in [
        ("(func $first) (start $first)", "start section"),
        (r#"(func (export "_initialize"))"#, "_initialize"),
        ("(memory 1) (memory 1)", "2 memories"),
    ] {
        let message = refused(module(more).as_bytes());
        assert!(message.contains("cannot be lowered") && message.contains(told), "{message}");
    }
}

/// One that would write its result where there is nothing.
#[test]
fn a_call_through_memory_needs_one() {
    let pack = |memory: &str| {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("input.wat");
        let read = r#"(import "embedded:platform/uart@0.2.0" "read" (func (param i32 i32 i32)))"#;
        fs::write(&file, module(&format!("{read} {memory}"))).unwrap();
        let mut command = guest_pack();
        command.args(["image", "--world", "echo", "--name", "guest", "--out"]).arg(folder.path()).arg(&file);
        command.output().unwrap()
    };
    for memory in ["", "(memory 1)"] {
        let output = pack(memory);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && message.contains("exports no memory"), "{memory}: {message}");
    }
    assert!(pack(r#"(memory (export "memory") 16 16 (pagesize 1))"#).status.success());
}

/// On a component host this one drives its pin low where the module in it asks for high.
#[test]
fn a_component_that_is_wired_in_its_own_way_is_refused() {
    let wired = |first: &str, second: &str| {
        format!(
            r#"(component
                (import "embedded:platform/gpio@0.2.0" (instance $gpio
                  (export "set-high" (func (param "pin" u32)))
                  (export "set-low" (func (param "pin" u32)))))
                (core module $program
                  (import "embedded:platform/gpio@0.2.0" "set-high" (func (param i32)))
                  (import "embedded:platform/gpio@0.2.0" "set-low" (func (param i32)))
                  (func (export "run") (call 0 (i32.const 25))))
                (core func $high (canon lower (func $gpio "set-high")))
                (core func $low (canon lower (func $gpio "set-low")))
                (core instance $host (export "set-high" (func {first})) (export "set-low" (func {second})))
                (core instance $made (instantiate $program
                  (with "embedded:platform/gpio@0.2.0" (instance $host))))
                (func (export "run") (canon lift (core func $made "run"))))"#
        )
    };
    let message = refused(wired("$low", "$high").as_bytes());
    assert!(message.contains("cannot be lowered") && message.contains("more than a wrapping"), "{message}");
    let message = refused(br#"(component (core module $m (func (export "run")))
        (component $inner) (core instance $i (instantiate $m)) (func (export "run") (canon lift (core func $i "run"))))"#);
    assert!(message.contains("more than a wrapping"), "{message}");
}

#[test]
fn a_module_without_run_is_refused() {
    let message = refused(br#"(module (func (export "main")))"#);
    assert!(message.contains("does not fit the world") && message.contains("run"), "{message}");
}

#[test]
fn a_component_without_run_is_refused() {
    let message = refused(b"(component (core module))");
    assert!(message.contains("does not fit the world") && message.contains("run"), "{message}");
}

#[test]
fn an_unknown_world_is_refused_with_those_there_are() {
    let mut command = guest_pack();
    command.args(["image", "--world", "thermostat", "--name", "guest", "--out", "unused"]).arg(fixture("trap.wat"));
    let message = refuses(&mut command);
    assert!(message.contains("no world thermostat; it has: blinky@0.2.0"), "{message}");
}

#[test]
fn a_name_that_is_no_folder_is_refused() {
    let mut command = guest_pack();
    command.args(["image", "--world", "blinky", "--name", "../guest", "--out", "unused"]).arg(fixture("trap.wat"));
    assert!(refuses(&mut command).contains("not a name for a guest"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    assert!(refuses(&mut image(Path::new("nowhere.wasm"), Path::new("unused"))).contains("cannot read nowhere.wasm"));
}

#[test]
fn too_much_memory_is_refused_unless_the_policy_allows_it() {
    let wat = module("(memory 2)");
    let message = refused(wat.as_bytes());
    assert!(message.contains("131072 bytes") && message.contains("4096"), "{message}");
    let folder = TempDir::new().unwrap();
    assert_eq!(manifest(&pack_with("memory-bytes = 131072", &wat, &folder))["memory_bytes"], 131_072);
}

#[test]
fn too_many_table_elements_are_refused_unless_the_policy_allows_them() {
    let wat = module("(table 60 funcref) (table 5 funcref)");
    let message = refused(wat.as_bytes());
    assert!(message.contains("65 elements") && message.contains("64"), "{message}");
    pack_with("table-elements = 65", &wat, &TempDir::new().unwrap());
}

/// How far it may grow is for the host to say when it does: every guest with a heap would like to.
#[test]
fn memory_may_be_made_to_grow() {
    let grow = |memory: &str| module(&format!("{memory} (func (drop (memory.grow (i32.const 1))))"));
    assert_eq!(memory_of(&grow("(memory 1024 (pagesize 1))")), 1024);
    assert!(refused(grow("(memory 1 1)").as_bytes()).contains("65536 bytes"), "and is not cut to what is used");
}

/// What cargo-component leaves: one page of 64 KiB, of which the linker says how much is used.
#[test]
fn a_large_page_is_cut_to_what_is_used() {
    let heap_base = r#"(memory 1) (global (export "__heap_base") i32 (i32.const 1040))"#;
    assert_eq!(memory_of(&module(heap_base)), 1040);
}

/// A heap of the guest's own may stand where the linker's data ends, up to the size that it asks for.
#[test]
fn a_memory_whose_size_is_asked_for_is_not_cut() {
    let heap = r#"(memory 1) (global (export "__heap_base") i32 (i32.const 1040)) (func (drop (memory.size)))"#;
    assert!(refused(module(heap).as_bytes()).contains("65536 bytes"));
}

#[test]
fn garbage_is_refused() {
    for garbage in [&b""[..], b"(module", b"\0asm\x01\0\0\0\xff\xff\xff\xff", b"\x7fELF\x02\x01\x01", &[0xa5; 4096]] {
        assert!(refused(garbage).contains("neither a WebAssembly module nor a component"), "{garbage:02x?}");
    }
}
