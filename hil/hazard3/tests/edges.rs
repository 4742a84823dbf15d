//! The same image on the RISC-V host as on the Arm one, and the same edges as on the desktop. What the tests need,
//! `./x test` builds; without `UNICORN_LIBRARY` (set by `./x`) they fail.

use std::path::{Path, PathBuf};
use std::process::Command;

use hazard3_model::{Machine, Until};
use object::read::elf::{ElfFile32, ProgramHeader};
use object::{Endianness, Object, ObjectSection};

fn target(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")).join(path)
}

fn read(path: &str) -> Vec<u8> {
    let path = target(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}. Run `./x test`", path.display()))
}

fn firmware() -> Vec<u8> {
    read("artefacts/hazard3/sandhill-hazard3.elf")
}

fn machine(slot0: &[u8]) -> Machine {
    machine_with(&firmware(), slot0)
}

fn machine_with(firmware: &[u8], slot0: &[u8]) -> Machine {
    let unicorn = std::env::var_os("UNICORN_LIBRARY").expect("UNICORN_LIBRARY names Unicorn: `./x` sets it");
    Machine::new(Path::new(&unicorn), firmware, slot0).unwrap_or_else(|error| panic!("{error}"))
}

/// `state` of guest 0: running, trapped, refused (`GuestState` of host/runtime).
const RUNNING: u32 = 1;
const TRAPPED: u32 = 3;
const REFUSED: u32 = 4;

/// An edge of the desktop, `0.500001 GPIO25 low`, and this crate's are compared as microseconds since the first edge, pin
/// and level: how long a guest's instructions take, and so when the first edge comes, is each host's own affair.
fn desktop(guest: &str, time: &str) -> Vec<(u64, u8, bool)> {
    let output = Command::new(target("debug/sandhill-desktop"))
        .arg(target(&format!("artefacts/guests/{guest}/component.wasm")))
        .args(["--for", time])
        .output()
        .expect("`./x test` builds it");
    let text = String::from_utf8(output.stdout).expect("ASCII");
    let edges = text.lines().map(|line| {
        let edge = || {
            let [time, pin, level] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
            let (seconds, micros) = time.split_once('.')?;
            let at_us = seconds.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?;
            Some((at_us, pin.strip_prefix("GPIO")?.parse().ok()?, level == "high"))
        };
        edge().unwrap_or_else(|| panic!("{guest}: {line}"))
    });
    since_the_first(edges.collect())
}

fn since_the_first(edges: Vec<(u64, u8, bool)>) -> Vec<(u64, u8, bool)> {
    let first_us = edges.first().map_or(0, |edge| edge.0);
    edges.into_iter().map(|(at_us, pin, high)| (at_us - first_us, pin, high)).collect()
}

#[test]
fn edges_are_those_of_the_desktop() {
    for guest in ["blinky-c", "blinky-rust", "blinky-zig"] {
        let mut machine = machine(&read(&format!("artefacts/guests/{guest}/guest.img")));
        // Well after the last edge, so that both see it.
        let edges = machine.run(Until::Time(10_200_000)).unwrap_or_else(|error| panic!("{guest}: {error}"));
        let edges = since_the_first(edges.iter().map(|edge| (edge.at_us, edge.pin, edge.high)).collect());
        assert_eq!(edges, desktop(guest, "10200ms"), "{guest}");
        assert_eq!(edges.len(), 21, "{guest}");
        assert_eq!(machine.vital("guest0_state"), Ok(RUNNING));
    }
}

/// Or a run would never end.
#[test]
fn a_firmware_that_never_sleeps_is_given_up() {
    const JUMP_TO_ITSELF: u32 = 0x6f;
    const ENTRY: u32 = 0x1000_0000;
    let mut firmware = firmware();
    let elf = ElfFile32::<Endianness>::parse(&*firmware).expect("an ELF file");
    let mut headers = elf.elf_program_headers().iter();
    let first = headers.find(|header| header.p_paddr(elf.endian()) == ENTRY).expect("code where the boot ROM enters");
    let at = first.p_offset(elf.endian()) as usize;
    firmware[at..at + 4].copy_from_slice(&JUMP_TO_ITSELF.to_le_bytes());
    let end = machine_with(&firmware, &[]).run(Until::Idle).map(<[_]>::len);
    assert_eq!(end, Err(format!("awake for 100000000 basic blocks, now at 0x{ENTRY:08x}")));
}

/// Each edge stands for an iteration of the mix with the right result.
#[test]
fn a_guest_that_computes_is_right() {
    let mut machine = machine(&read("artefacts/guests/compute-c/guest.img"));
    let edges = machine.run(Until::Edges(3)).unwrap_or_else(|error| panic!("{error}"));
    let levels: Vec<_> = edges.iter().map(|edge| (edge.pin, edge.high)).collect();
    assert_eq!(levels, [(17, true), (17, false), (17, true)]);
}

#[test]
fn a_bad_guest_ends_and_the_host_sleeps() {
    for (fixture, state) in [("trap", TRAPPED), ("foreign-engine", REFUSED), ("corrupt", REFUSED)] {
        let mut machine = machine(&read(&format!("artefacts/fixtures/{fixture}/guest.img")));
        machine.run(Until::Idle).unwrap_or_else(|error| panic!("{fixture}: {error}"));
        assert_eq!(machine.vital("guest0_state"), Ok(state), "{fixture}");
    }
    let mut machine = machine(&[]);
    assert_eq!(machine.run(Until::Idle), Ok(&[][..]), "an empty slot");
}

/// Loaded sections by where they are: what the firmware takes of the chip.
#[test]
fn it_is_small() {
    let elf = firmware();
    let file = object::File::parse(&*elf).expect("an ELF file");
    let (mut flash, mut ram) = (0, 0);
    // What has no address is for tools only.
    for section in file.sections().filter(|section| section.address() != 0) {
        let in_ram = section.address() >= 0x2000_0000;
        let loaded = section.file_range().is_some();
        flash += if loaded { section.size() } else { 0 };
        ram += if in_ram { section.size() } else { 0 };
    }
    println!("flash {flash}, RAM {ram} bytes");
    assert!((50_000..400_000).contains(&flash), "flash: {flash} bytes");
    assert!((1_000..64 * 1024).contains(&ram), "RAM with heap, without stack: {ram} bytes");
}
