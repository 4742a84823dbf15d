//! Images compiled ahead of time, run where they lie: what this host takes and what it refuses.

use std::ptr::NonNull;

use crate::board::{BLINKY, FakeBoard, LIMITS, vitals};
use sandhill_runtime::{GuestState, Host, Outcome, WASMTIME_VERSION};

fn pulley() -> Host {
    Host::for_target(LIMITS, "pulley64").expect("Pulley runs everywhere")
}

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

fn load(image: &[u8]) -> Outcome {
    let vitals = vitals();
    let host = pulley();
    // SAFETY: `place` keeps the bytes for ever. They come from Wasmtime, but for what its own checks look at first.
    let component = match unsafe { host.load_in_place(place(image), vitals) } {
        Ok(component) => component,
        Err(outcome) => {
            assert_eq!(vitals.guest_state.get(), GuestState::Refused as u32);
            return outcome;
        }
    };
    let board = FakeBoard { stop_at_us: 10_000_000, ..FakeBoard::new() };
    match host.start(&component, board, vitals) {
        Ok(guest) => {
            let (outcome, board) = guest.run();
            assert_eq!(board.edges.len(), 21);
            outcome
        }
        Err(outcome) => outcome,
    }
}

fn refused(image: &[u8]) -> String {
    match load(image) {
        Outcome::Refused(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_image_runs_in_place() {
    let image = pulley().precompile(BLINKY.as_bytes()).expect("blinky compiles");
    assert_eq!(load(&image), Outcome::Stopped);
}

#[test]
fn an_image_of_another_wasmtime_is_refused_with_both_versions() {
    let mut image = pulley().precompile(BLINKY.as_bytes()).expect("blinky compiles");
    // The engine section starts with its format's version, 0, and the length and text of Wasmtime's major version.
    let at = image.windows(4).position(|bytes| bytes == b"\0\x0248").expect("the image names its Wasmtime");
    image[at + 3] = b'7';
    let reason = refused(&image);
    assert!(reason.contains("incompatible version '47'") && reason.contains(WASMTIME_VERSION), "{reason}");
}

#[test]
fn an_image_for_another_processor_is_refused() {
    let other = Host::for_target(LIMITS, "pulley32").expect("Cranelift compiles for Pulley anywhere");
    let image = other.precompile(BLINKY.as_bytes()).expect("blinky compiles");
    let reason = refused(&image);
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
        .consume_fuel(true);
    let engine = wasmtime::Engine::new(&config).expect("a valid configuration");
    let image = engine.precompile_component(BLINKY.as_bytes()).expect("blinky compiles");
    let reason = refused(&image);
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
