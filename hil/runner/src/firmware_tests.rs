use super::*;

#[path = "../tests/common/elf.rs"]
mod elf;
use elf::Elf;

#[test]
fn segments_slot_and_vitals_are_found() {
    let firmware = Firmware::parse(&Elf::default().bytes()).unwrap();
    assert_eq!(firmware.slots, [0x1010_0000..0x1014_0000, 0x1014_0000..0x1018_0000]);
    let addresses: Vec<u64> = firmware.segments.iter().map(|segment| segment.address).collect();
    assert_eq!(addresses, [0x1000_0000, 0x1000_0100]);
    assert_eq!(firmware.segments[1].bytes, b"code");
    assert_eq!(firmware.flash_bytes(), 11);
    let vitals = firmware.vitals.unwrap();
    assert_eq!(vitals.address, 0x2000_0040);
    let peak = &vitals.fields[1];
    assert_eq!((peak.name.as_str(), peak.unit.as_str()), ("heap_peak", "bytes"));
    assert_eq!(peak.description, "most of the heap in use");
}

#[test]
fn firmware_without_symbols_is_refused_with_the_symbol() {
    let stripped = Elf { symbols: Vec::new(), ..Elf::default() };
    let message = Firmware::parse(&stripped.bytes()).unwrap_err();
    assert!(message.contains("no symbol `__guest_slot0_start`"), "{message}");
    let backwards = Elf { symbols: vec![("__guest_slot0_start", 2), ("__guest_slot0_end", 1)], ..Elf::default() };
    assert!(Firmware::parse(&backwards.bytes()).unwrap_err().contains("not below"));
}

#[test]
fn what_updates_use_is_found_where_there_is_any() {
    let old = Firmware::parse(&Elf::default().bytes()).unwrap();
    assert_eq!((old.spares, old.journal), (Vec::new(), None));
    let mut elf = Elf::default();
    elf.symbols.extend([
        ("__guest_spare0_start", 0x1018_0000),
        ("__guest_spare0_end", 0x101C_0000),
        ("__guest_spare1_start", 0x101C_0000),
        ("__guest_spare1_end", 0x1020_0000),
        ("__journal_start", 0x1020_0000),
        ("__journal_end", 0x1021_0000),
    ]);
    let new = Firmware::parse(&elf.bytes()).unwrap();
    assert_eq!(new.spares, [0x1018_0000..0x101C_0000, 0x101C_0000..0x1020_0000]);
    assert_eq!(new.journal, Some(0x1020_0000..0x1021_0000));
    elf.symbols.pop();
    assert!(Firmware::parse(&elf.bytes()).unwrap_err().contains("no symbol `__journal_end`"));
}

#[test]
fn firmware_without_vitals_is_fine_and_with_strange_ones_is_not() {
    let none = Elf { vitals: None, ..Elf::default() };
    assert_eq!(Firmware::parse(&none.bytes()).unwrap().vitals, None);
    let strange = Elf { vitals: Some("heap_peak bytes first\n"), ..Elf::default() };
    assert!(Firmware::parse(&strange.bytes()).unwrap_err().contains("magic"));
}

#[test]
fn firmware_without_anything_to_flash_is_refused() {
    let empty = Elf { segments: Vec::new(), ..Elf::default() };
    assert!(Firmware::parse(&empty.bytes()).unwrap_err().contains("no segment"));
}

#[test]
fn damaged_files_never_break_the_reader() {
    let whole = Elf::default().bytes();
    for length in 0..whole.len() {
        let _ = Firmware::parse(&whole[..length]);
    }
    let mut random = oorandom::Rand32::new(7);
    for _ in 0..20_000 {
        let mut damaged = whole.clone();
        for _ in 0..random.rand_range(1..6) {
            let at = random.rand_range(0..damaged.len() as u32) as usize;
            damaged[at] = random.rand_u32() as u8;
        }
        if let Ok(firmware) = Firmware::parse(&damaged) {
            assert!(!firmware.segments.is_empty() && !firmware.slots.iter().any(|slot| slot.is_empty()));
        }
    }
}
