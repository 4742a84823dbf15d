//! Images compiled ahead of time, run where they lie: what this host takes and what it refuses.

use std::ptr::NonNull;

use crate::board::{Act, FakeBoard, POLICY, blinky, guest, vitals};
use crate::ways::{STACK_BYTES, Way};
use sandhill_runtime::{Host, Outcome, Program, WASMTIME_VERSION};

/// Puts an image where it can stay: on a page of its own, for ever.
fn place(image: &[u8]) -> NonNull<[u8]> {
    let layout = std::alloc::Layout::from_size_align(image.len(), 4096).expect("a small image");
    // SAFETY: the layout is not empty, the block is written whole before anyone reads it, and it is never freed.
    let block = unsafe {
        let block = std::alloc::alloc(layout);
        std::ptr::copy_nonoverlapping(image.as_ptr(), block, image.len());
        std::slice::from_raw_parts_mut(block, image.len())
    };
    NonNull::from(block)
}

fn load(image: &[u8]) -> Result<Program, Outcome> {
    // SAFETY: `place` keeps the bytes for ever. They come from Wasmtime, but for what its own checks look at first.
    unsafe { Way::Pulley.host().load_in_place(place(image)) }
}

fn image(module: &str) -> Vec<u8> {
    Way::Pulley.host().precompile(module.as_bytes()).expect("a sound module")
}

fn refused(image: &[u8]) -> String {
    match load(image) {
        Err(Outcome::Refused(reason)) => reason,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it is taken"),
    }
}

#[test]
fn an_image_runs_in_place_more_than_once() {
    let program = load(&image(&blinky())).expect("its own image");
    for _ in 0..3 {
        let board = FakeBoard { stop_at_us: 10_000_000, ..FakeBoard::new(POLICY) };
        let mut guest = Way::Pulley.host().start(&program, "tester", POLICY, board, vitals()).expect("it starts");
        assert_eq!(guest.run(), Outcome::Stopped);
        assert_eq!(guest.into_board().acts.len(), 21);
    }
}

/// What a supervisor does with a guest that it ended from outside.
#[test]
fn an_address_is_located_as_a_trap_is() {
    let module =
        guest("(func $deeper unreachable) (func $other (call $high (i32.const 25)))", "(call $other) (call $deeper)");
    let program = load(&image(&module)).expect("its own image");
    let board = FakeBoard::new(POLICY);
    let mut guest = Way::Pulley.host().start(&program, "tester", POLICY, board, vitals()).expect("it starts");
    let Outcome::Trapped(trap) = guest.run() else { panic!("it traps") };
    let place = trap.place.expect("it was in a function");
    assert_eq!(place.function, 1);
    assert!(matches!(guest.into_board().acts[..], [(0, Act::Set(25, true)), (0, Act::Failed)]));

    let text = program.text();
    let places: Vec<_> = text.clone().filter_map(|pc| program.locate(pc)).collect();
    assert!(places.contains(&place), "{places:?}");
    // Every function of the module, and none that it does not have; the import is none of its own.
    let mut functions: Vec<_> = places.iter().map(|place| place.function).collect();
    functions.dedup();
    functions.sort_unstable();
    assert_eq!(functions, [1, 2, 3]);
    let binary = wat::parse_str(&module).expect("the test's own module");
    assert!(places.iter().all(|place| (place.offset as usize) < binary.len()));
    for outside in [0, text.start - 1, text.end, text.end + 1, usize::MAX] {
        assert_eq!(program.locate(outside), None);
    }
}

#[test]
fn an_image_of_another_wasmtime_is_refused_with_both_versions() {
    let mut image = image(&blinky());
    // The engine section starts with its format's version, 0, and the length and text of Wasmtime's major version.
    let at = image.windows(4).position(|bytes| bytes == b"\0\x0248").expect("the image names its Wasmtime");
    image[at + 3] = b'7';
    let reason = refused(&image);
    assert!(reason.contains("incompatible version '47'") && reason.contains(WASMTIME_VERSION), "{reason}");
}

#[test]
fn an_image_for_another_processor_is_refused() {
    let other = Host::for_target(STACK_BYTES, "pulley32").expect("Cranelift compiles for Pulley anywhere");
    let reason = refused(&other.precompile(blinky().as_bytes()).expect("blinky compiles"));
    assert!(reason.contains("architecture 'pulley32'"), "{reason}");
}

#[test]
fn an_image_with_other_settings_is_refused_with_the_setting() {
    let mut config = wasmtime::Config::new();
    config
        .target("pulley64")
        .expect("Pulley is a target")
        .memory_reservation(0)
        .memory_guard_size(0)
        .memory_init_cow(false)
        .wasm_custom_page_sizes(true)
        .consume_fuel(true);
    let engine = wasmtime::Engine::new(&config).expect("a valid configuration");
    let reason = refused(&engine.precompile_module(blinky().as_bytes()).expect("blinky compiles"));
    assert!(reason.contains("fuel"), "{reason}");
}

#[test]
fn something_else_is_refused() {
    for bytes in [b"\0asm\x0d\0\x01\0".as_slice(), b"\x7fELF".as_slice(), &[0xff; 300], &[0; 300]] {
        let reason = refused(bytes);
        assert!(reason.starts_with("not an image for this host"), "{reason}");
        assert!(reason.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{reason}");
    }
}

/// The version is written down once more because Wasmtime does not export it.
#[test]
fn the_version_is_the_one_in_the_workspace() {
    let manifest = include_str!("../../../../Cargo.toml");
    assert!(manifest.contains(&format!("wasmtime = {{ version = \"={WASMTIME_VERSION}\"")));
}
