//! `guest-pack image`: what it makes of a sound module, and what it refuses.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use support::{guest_pack, refuses, root, succeeds};
use tempfile::TempDir;

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
    succeeds(&mut image(&fixture("blinky-400ms.wat"), folder.path()));
    let image = fs::read(folder.path().join("guest/guest.img")).unwrap();
    let payload = fs::read(folder.path().join("guest/guest.cwasm")).unwrap();
    let u32_at = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap());
    assert_eq!(u32_at(0), 0x96f3_b83d, "magic");
    assert_eq!(u32_at(4), 0, "load address");
    assert_eq!(u32_at(8), 256, "header size; no protected TLVs");
    assert_eq!(u32_at(12), u32::try_from(payload.len()).unwrap());
    assert_eq!(u32_at(16), 0, "flags");
    assert_eq!(image[20..28], [0, 1, 0, 0, 0, 0, 0, 0], "version 0.1.0+0");
    assert!(image[28..256].iter().all(|&byte| byte == 0), "rest of the header");
    let end = 256 + payload.len();
    assert_eq!(image[256..end], payload);
    assert_eq!(image[end..end + 8], [0x07, 0x69, 40, 0, 0x10, 0, 32, 0], "TLV info and the hash's TLV");
    assert_eq!(image[end + 8..], Sha256::digest(&image[..end])[..]);
}

#[test]
fn the_payload_is_a_stripped_pulley_component() {
    let folder = TempDir::new().unwrap();
    let guest = pack(&module(""), &folder);
    let cwasm = fs::read(guest.join("guest.cwasm")).unwrap();
    let elf = object::read::elf::ElfFile64::<object::Endianness>::parse(&*cwasm).unwrap();
    use object::{Object, ObjectSection};
    let engine = elf.section_by_name(".wasmtime.engine").unwrap().data().unwrap();
    assert!(engine.windows(8).any(|text| text == b"pulley32"), "the target is written in the engine section");
    assert!(elf.section_by_name(".text").unwrap().size() > 0, "stripping leaves the code");
    assert!(elf.section_by_name(".symtab").is_none());
    assert!(elf.section_by_name(".strtab").is_none());
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
    let toggle = r#"(import "embedded:platform/gpio@0.2.0" "toggle" (func (param i32)))"#;
    let message = refused(module(toggle).as_bytes());
    assert!(message.contains("toggle of embedded:platform/gpio@0.2.0"), "{message}");
}

#[test]
fn another_signature_is_refused() {
    let wide = r#"(import "embedded:platform/gpio@0.2.0" "set-high" (func (param i64)))"#;
    let message = refused(module(wide).as_bytes());
    assert!(message.contains("does not fit the world") && message.contains("set-high"), "{message}");
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
    assert!(message.contains("no world thermostat; it has: blinky"), "{message}");
}

#[test]
fn a_name_that_is_no_folder_is_refused() {
    let mut command = guest_pack();
    command.args(["image", "--world", "blinky", "--name", "../guest", "--out", "unused"]).arg(fixture("trap.wat"));
    assert!(refuses(&mut command).contains("not a name for a folder"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    assert!(refuses(&mut image(Path::new("nowhere.wasm"), Path::new("unused"))).contains("cannot read nowhere.wasm"));
}

#[test]
fn too_much_memory_is_refused_unless_the_budget_allows_it() {
    let wat = module("(memory 2)");
    let message = refused(wat.as_bytes());
    assert!(message.contains("131072 bytes") && message.contains("4096"), "{message}");

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("input.wat");
    fs::write(&file, &wat).unwrap();
    succeeds(image(&file, folder.path()).args(["--memory-budget", "131072"]));
    assert_eq!(manifest(&folder.path().join("guest"))["memory_bytes"], 131_072);
}

#[test]
fn memory_that_may_grow_beyond_the_budget_is_refused() {
    let grow = |memory: &str| module(&format!("{memory} (func (drop (memory.grow (i32.const 1))))"));
    assert!(refused(grow("(memory 0 1)").as_bytes()).contains("may grow to 65536 bytes"));
    assert!(refused(grow("(memory 0)").as_bytes()).contains("may grow without limit"));
    assert_eq!(memory_of(&grow("(memory 1024 4096 (pagesize 1))")), 1024);
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
