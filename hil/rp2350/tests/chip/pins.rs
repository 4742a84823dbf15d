//! Pins: what acts on them, what the program sees of them, and the interrupts of their levels and edges.

use crate::common::*;
use rp2350_model::{Line, Rp2350, What};

#[test]
fn a_pin_is_resolved_from_all_that_acts_on_it() {
    let mut chip = ready(&image(&IDLE, &[]));
    let high = |chip: &mut Rp2350| chip.level(rp2350_model::Line::Pin(5));
    let seen = |chip: &mut Rp2350| read(&mut chip.debug(), SIO + 4) >> 5 & 1;
    // Pulled down at reset, and its input off.
    assert!(!high(&mut chip));
    chip.drive(5, Some(true));
    assert!(high(&mut chip));
    assert_eq!(seen(&mut chip), 0);
    write(&mut chip.debug(), pad_of(5), 0x5a);
    assert_eq!(seen(&mut chip), 1);
    // Inverted on the way in.
    write(&mut chip.debug(), ctrl_of(5), 1 << 16 | 31);
    assert_eq!(seen(&mut chip), 0);
    chip.drive(5, Some(false));
    assert!(!high(&mut chip));
    chip.drive(5, None);
    assert!(high(&mut chip), "the pull-up");
    // The chip's own driver wins; its output is inverted.
    let mut port = chip.debug();
    output(&mut port, 5);
    assert!(!high(&mut chip));
    write(&mut chip.debug(), ctrl_of(5), 1 << 12 | 5);
    assert!(high(&mut chip));
    // Isolated, it keeps what it had.
    write(&mut chip.debug(), pad_of(5), 0x156);
    write(&mut chip.debug(), ctrl_of(5), 5);
    assert!(high(&mut chip));
    write(&mut chip.debug(), pad_of(5), 0x56);
    assert!(!high(&mut chip));
    // Edges latch until they are cleared: GPIO 5's nibble in INTR0.
    write(&mut chip.debug(), 0x4002_8230, u32::MAX);
    write(&mut chip.debug(), SIO + 0x18, 1 << 5);
    assert_eq!(read(&mut chip.debug(), 0x4002_8230) >> 20 & 15, 0b1010);
    write(&mut chip.debug(), 0x4002_8230, 8 << 20);
    assert_eq!(read(&mut chip.debug(), 0x4002_8230) >> 20 & 15, 0b0010);
    // A function that the model does not have is reported, and drives nothing.
    write(&mut chip.debug(), ctrl_of(5), 6);
    assert!(!high(&mut chip));
    assert_eq!(chip.take_diagnostics()[0].what, What::PinFunction);
}

/// GPIO 15 as an input that is pulled up, and pulled down.
const PULLED_UP: u32 = 0x5a;
const PULLED_DOWN: u32 = 0x56;
const INTR1: u32 = 0x4002_8234;
const PROC0_INTE1: u32 = 0x4002_824c;
const PROC0_INTF1: u32 = 0x4002_8264;
const PROC0_INTS1: u32 = 0x4002_827c;
const PROC1_INTE1: u32 = 0x4002_8294;
const PROC1_INTS1: u32 = 0x4002_82c4;
/// GPIO 15's nibble.
const LEVEL_LOW: u32 = 1 << 28;
const LEVEL_HIGH: u32 = 1 << 29;
const EDGE_LOW: u32 = 1 << 30;
const EDGE_HIGH: u32 = 1 << 31;
/// IO_IRQ_BANK0.
const IRQ: u32 = 21;

fn core_1_pending(chip: &mut Rp2350) -> bool {
    let mut word = [0; 4];
    chip.debug().mem_read(AP1, CSW, 0xe000_e200, &mut word).expect("readable");
    u32::from_le_bytes(word) >> IRQ & 1 != 0
}

/// What a test bench does to press a button: the debugger changes the pull of the pad while the program runs.
#[test]
fn a_debugger_moves_an_undriven_pin_by_its_pulls() {
    // b .: the program runs, and looks at nothing.
    let mut chip = ready(&image(&[0xe7fe], &[]));
    write(&mut chip.debug(), pad_of(15), PULLED_UP);
    write(&mut chip.debug(), ctrl_of(15), 5);
    run_for_micros(&mut chip, 10);
    write(&mut chip.debug(), INTR1, u32::MAX);
    edges(&mut chip);
    let mut expected = Vec::new();
    for (pad, high) in [(PULLED_DOWN, false), (PULLED_UP, true), (PULLED_UP, true), (PULLED_DOWN, false)] {
        let instructions = chip.instructions(0);
        if chip.level(Line::Pin(15)) != high {
            expected.push((chip.now().units(), high));
        }
        write(&mut chip.debug(), pad_of(15), pad);
        assert_eq!(chip.level(Line::Pin(15)), high);
        let mut port = chip.debug();
        assert_eq!(read(&mut port, SIO + 4) >> 15 & 1 != 0, high, "GPIO_IN");
        assert_eq!(read(&mut port, ctrl_of(15) - 4) >> 17 & 1 != 0, high, "STATUS.INFROMPAD");
        assert_eq!(read(&mut port, INTR1) & LEVEL_HIGH != 0, high);
        run_for_micros(&mut chip, 100);
        assert!(chip.instructions(0) > instructions, "the program ran on");
    }
    assert_eq!(edges_of(&mut chip, 15), expected, "each change when it was made, and none else");
    assert_eq!(read(&mut chip.debug(), INTR1) & (EDGE_LOW | EDGE_HIGH), EDGE_LOW | EDGE_HIGH);
    // Somebody who drives the pin is stronger, and so is the chip itself.
    chip.drive(15, Some(true));
    write(&mut chip.debug(), pad_of(15), PULLED_DOWN);
    assert!(chip.level(Line::Pin(15)));
    chip.drive(15, None);
    write(&mut chip.debug(), SIO + 0x38, 1 << 15);
    write(&mut chip.debug(), pad_of(15), PULLED_UP);
    assert!(!chip.level(Line::Pin(15)));
    assert_eq!(chip.take_diagnostics(), []);
}

#[test]
fn an_edge_interrupts_once_and_is_latched_until_it_is_cleared() {
    let mut chip = ready(&toggler(IRQ as usize, INTR1, EDGE_LOW));
    let mut port = chip.debug();
    output(&mut port, 25);
    write(&mut port, pad_of(15), PULLED_UP);
    write(&mut port, INTR1, u32::MAX);
    write(&mut port, PROC0_INTE1, EDGE_LOW);
    write(&mut port, 0xe000_e100, 1 << IRQ);
    run_for_micros(&mut chip, 10);
    edges(&mut chip);
    let mut toggles = Vec::new();
    for pad in [PULLED_DOWN, PULLED_UP, PULLED_DOWN] {
        let at = chip.now().units();
        write(&mut chip.debug(), pad_of(15), pad);
        run_for_micros(&mut chip, 10);
        let toggled = edges_of(&mut chip, 25);
        assert!(toggled.iter().all(|toggle| toggle.0 - at < 20 * CYCLE), "it woke the core at once");
        toggles.push(toggled.len());
    }
    assert_eq!(toggles, [1, 0, 1], "falling edges only");
    let mut port = chip.debug();
    assert_eq!(read(&mut port, INTR1) & (EDGE_LOW | EDGE_HIGH), EDGE_HIGH, "the handler cleared its own");
    // Latched while nobody cares, and there for who asks later.
    write(&mut port, PROC0_INTE1, EDGE_HIGH);
    run_for_micros(&mut chip, 1);
    assert!(edges_of(&mut chip, 25).len() > 1, "the handler does not clear this one, so it comes again and again");
}

#[test]
fn each_core_has_its_own_enables() {
    let mut chip = ready(&image(&IDLE, &[]));
    let mut port = chip.debug();
    write(&mut port, pad_of(15), PULLED_UP);
    write(&mut port, INTR1, u32::MAX);
    write(&mut port, PROC1_INTE1, EDGE_LOW | LEVEL_LOW);
    assert_eq!(read(&mut port, PROC1_INTS1), 0);
    write(&mut port, pad_of(15), PULLED_DOWN);
    assert_eq!((read(&mut port, PROC0_INTS1), read(&mut port, PROC1_INTS1)), (0, EDGE_LOW | LEVEL_LOW));
    assert_eq!(read(&mut port, 0xe000_e200) >> IRQ & 1, 0);
    assert!(core_1_pending(&mut chip));
    // The edge goes when it is cleared, the level when the pin does.
    let mut port = chip.debug();
    write(&mut port, INTR1, EDGE_LOW | LEVEL_LOW);
    assert_eq!(read(&mut port, PROC1_INTS1), LEVEL_LOW);
    write(&mut port, pad_of(15), PULLED_UP);
    assert_eq!(read(&mut port, PROC1_INTS1), 0);
    // Forced, whatever the pin does.
    write(&mut port, PROC0_INTF1, EDGE_HIGH);
    assert_eq!(read(&mut port, PROC0_INTS1), EDGE_HIGH);
    assert_eq!(read(&mut port, 0xe000_e200) >> IRQ & 1, 1);
    write(&mut port, PROC0_INTF1, 0);
    // Pending stays, as on any Cortex-M, until it is taken or cleared.
    write(&mut port, 0xe000_e280, 1 << IRQ);
    assert_eq!(read(&mut port, 0xe000_e200) >> IRQ & 1, 0);
    assert_eq!(chip.take_diagnostics(), []);
}

/// What is inverted, forced or hidden on the way in is so for interrupts, too.
#[test]
fn interrupts_see_the_pin_as_the_program_does() {
    let mut chip = ready(&image(&IDLE, &[]));
    let mut port = chip.debug();
    write(&mut port, pad_of(15), PULLED_UP);
    write(&mut port, INTR1, u32::MAX);
    // INOVER: inverted.
    write(&mut port, ctrl_of(15), 1 << 16 | 31);
    assert_eq!(read(&mut port, INTR1) & 0xf << 28, LEVEL_LOW | EDGE_LOW);
    write(&mut port, INTR1, u32::MAX);
    write(&mut port, ctrl_of(15), 31);
    assert_eq!(read(&mut port, INTR1) & 0xf << 28, LEVEL_HIGH | EDGE_HIGH);
    write(&mut port, INTR1, u32::MAX);
    // The input disabled.
    write(&mut port, pad_of(15), PULLED_UP & !0x40);
    assert_eq!(read(&mut port, INTR1) & 0xf << 28, LEVEL_LOW | EDGE_LOW);
}
