//! The chip behind the ports: memory, halt and resume, captures of a hand-made program, and the phase after a reset.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use rp2350_model::Rp2350;
use virtual_bench::{Bench, Config};

use crate::common::{
    Analyser, CLEAR_BITS, CORE0, DHCSR, Debugger, PC, RESETS_GPIO, RESETS_RESET, S_HALT, SRAM, bench,
    clock_from_crystal, runs,
};

/// RP2350 datasheet: register offsets.
const IO_BANK0_GPIO25_CTRL: u32 = 0x4002_8000 + 8 * 25 + 4;
const FUNCSEL_SIO: u32 = 5;
const PADS_BANK0_GPIO25: u32 = 0x4003_8004 + 4 * 25;
/// Input enabled, 4 mA, not isolated, output not disabled.
const PAD_DEFAULTS: u32 = 0x56;
const SIO_GPIO_OE_SET: u32 = 0xd000_0038;
const SIO_GPIO_OUT_XOR: u32 = 0xd000_0028;

/// Toggles the pins in r1 through the register in r0, every 4 + 2 × r3 instructions.
const TOGGLE: [u32; 3] = [
    // str r1, [r0]; mov r2, r3
    0x461a_6001,
    // 1: subs r2, #1; bne 1b
    0xd1fd_3a01,
    // nop; b 0b
    0xe7f9_bf00,
];

/// GPIO 25 as an output, clk_sys at 12 MHz, and [`TOGGLE`] in SRAM with 1200 cycles a half period; core 0 is halted at its
/// first instruction.
fn toggling(debugger: &mut Debugger) {
    clock_from_crystal(debugger);
    debugger.write(CORE0, PADS_BANK0_GPIO25, &[PAD_DEFAULTS]);
    debugger.write(CORE0, IO_BANK0_GPIO25_CTRL, &[FUNCSEL_SIO]);
    debugger.write(CORE0, SIO_GPIO_OE_SET, &[1 << 25]);
    debugger.write(CORE0, SRAM, &TOGGLE);
    debugger.set_core_register(PC, SRAM);
    debugger.set_core_register(0, SIO_GPIO_OUT_XOR);
    debugger.set_core_register(1, 1 << 25);
    debugger.set_core_register(3, 598);
}

#[test]
fn memory_is_read_as_it_was_written() {
    let bench = bench();
    let mut debugger = Debugger::attach(&bench);
    debugger.halt();
    let words: Vec<u32> = (0..100_u32).map(|k| k.wrapping_mul(0x0101_3579)).collect();
    debugger.write(CORE0, SRAM + 0x100, &words);
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    assert_eq!(debugger.read_bytes(CORE0, SRAM + 0x100, 400), bytes);
    assert_eq!(debugger.read_bytes(CORE0, SRAM + 0x103, 7), bytes[3..10]);
    // A byte and a halfword in the middle.
    assert_eq!(debugger.ask("!A6M0000000000000020002300004000000000002000010500000001ee#"), "&K0#");
    assert_eq!(debugger.ask("!A6M0000000000000020002300004101000000002000010600000002beef#"), "&K0#");
    assert_eq!(debugger.read_bytes(CORE0, SRAM + 0x104, 4), [bytes[4], 0xee, 0xbe, 0xef]);
}

#[test]
fn a_bad_address_is_an_error_once() {
    let bench = bench();
    let mut debugger = Debugger::attach(&bench);
    debugger.halt();
    let csw = 0x2300_0052;
    assert_eq!(debugger.ask(format!("!A6m00{CORE0:016x}{csw:08x}000000003000000000000004#")), "&E403#");
    debugger.write(CORE0, SRAM, &[7]);
    assert_eq!(debugger.read(CORE0, SRAM), 7);
    assert_eq!(debugger.ask("!A6a0000000000000070001dfc#"), "&E403#", "no access port there");
    assert_eq!(debugger.read(CORE0, SRAM), 7);
}

#[test]
fn halted_means_that_time_stands_still() {
    let bench = bench();
    let mut debugger = Debugger::attach(&bench);
    toggling(&mut debugger);
    let pc = debugger.core_register(PC);
    let mut analyser = Analyser::connect(&bench);
    analyser.start(1_000_000);
    // What the debugger asks is answered while the capture waits.
    assert_eq!(debugger.core_register(PC), pc);
    assert_ne!(debugger.read(CORE0, DHCSR) & S_HALT, 0);
    analyser.0.set_read_timeout(Some(Duration::from_millis(50))).expect("a valid time-out");
    let waited = analyser.0.read(&mut [0]);
    assert_eq!(waited.expect_err("no samples").kind(), ErrorKind::WouldBlock);
    analyser.0.set_read_timeout(Some(Duration::from_secs(20))).expect("a valid time-out");
    debugger.resume();
    let edges = runs(&analyser.samples(1_000), 0).len();
    assert!((9..=11).contains(&edges), "half periods of 100 us in a millisecond: {edges}");
}

#[test]
fn one_look_at_dhcsr_waits_for_a_breakpoint() {
    let bench = bench();
    let mut debugger = Debugger::attach(&bench);
    clock_from_crystal(&mut debugger);
    // 0: subs r3, #1; bne 0b; bkpt
    debugger.write(CORE0, SRAM, &[0xd1fd_3b01, 0xbe00_be00]);
    let mut looks = |milliseconds: u32| {
        debugger.set_core_register(PC, SRAM);
        debugger.set_core_register(3, milliseconds * 6_000);
        debugger.resume();
        let mut looks = 1;
        while debugger.read(CORE0, DHCSR) & S_HALT == 0 {
            looks += 1;
        }
        assert_eq!(debugger.core_register(PC), SRAM + 4, "PC stays on the breakpoint");
        looks
    };
    assert_eq!(looks(18), 1);
    assert!(looks(200) > 1, "a look lasts 20 ms of virtual time at most");
}

#[test]
fn a_capture_counts_every_cycle() {
    let bench = bench();
    let mut debugger = Debugger::attach(&bench);
    toggling(&mut debugger);
    let mut analyser = Analyser::connect(&bench);
    analyser.start(4_000_000);
    debugger.resume();
    let samples = analyser.samples(4_000_000);
    let halves = runs(&samples, 0);
    let inner = &halves[1..halves.len() - 1];
    assert!(inner.len() >= 9_990, "{} half periods in a second", inner.len());
    assert!(inner.iter().all(|(_, count)| *count == 400), "1200 cycles of 12 MHz are 400 samples of 4 MHz");
    // The capture goes on while the debugger halts and resumes: not one sample shows it.
    for _ in 0..3 {
        debugger.halt();
        debugger.resume();
    }
    let more = runs(&analyser.samples(2_000_000), 0);
    assert!(more[1..more.len() - 1].iter().all(|(_, count)| *count == 400));
}

#[test]
fn the_phase_after_a_reset_repeats() {
    let capture = || {
        let bench = programmed();
        let mut debugger = Debugger::connect(&bench);
        assert_eq!(debugger.ask("!GZ1#"), "&K0#");
        let mut analyser = Analyser::connect(&bench);
        analyser.start(10_000_000);
        analyser.samples(10_000);
        assert_eq!(debugger.ask("!GZ0#"), "&K0#");
        let mut before = 0;
        loop {
            let millisecond = analyser.samples(10_000);
            match runs(&millisecond, 1)[..] {
                [(true, _)] => {
                    let mut samples = millisecond;
                    samples.extend(analyser.samples(90_000));
                    return samples;
                }
                _ => before += 1,
            }
            assert!(before < 100_000, "RUN never rose");
        }
    };
    let samples = capture();
    assert!(runs(&samples, 0).len() > 10, "the program in flash toggles the LED");
    assert!(samples == capture(), "from the same millisecond on, everything is the same");
}

/// A board with a program in flash: it does by itself what [`toggling`] does through the debugger, at the speed the boot
/// ROM leaves.
fn programmed() -> Bench {
    let mut chip = Rp2350::new();
    let flash = chip.flash_mut();
    let mut at = 0;
    let mut put = |words: &[u32]| {
        for word in words {
            flash[at..at + 4].copy_from_slice(&word.to_le_bytes());
            at += 4;
        }
    };
    // Vector table: stack pointer and reset handler, after the smallest block that makes an image bootable.
    put(&[0x2008_2000, 0x1000_0025]);
    put(&[0xffff_ded3, 0x1021_0142, 0x0000_01ff, 0, 0xab12_3579]);
    put(&[0, 0]);
    // 0x1000_0024: adr r7, 0x1000_0040; movs r4, #4; 1: ldm r7!, {r0, r1}; str r1, [r0]; subs r4, #1; bne 1b
    put(&[0x2404_a706, 0x6001_cf03, 0xd1fb_3c01]);
    // ldm r7!, {r0, r1, r3}; then as TOGGLE; nop
    put(&[0x6001_cf0b, 0x3a01_461a, 0xbf00_d1fd, 0xbf00_e7f9]);
    // 0x1000_0040: the addresses and what is written there.
    put(&[RESETS_RESET + CLEAR_BITS, RESETS_GPIO]);
    put(&[PADS_BANK0_GPIO25, PAD_DEFAULTS]);
    put(&[IO_BANK0_GPIO25_CTRL, FUNCSEL_SIO]);
    put(&[SIO_GPIO_OE_SET, 1 << 25]);
    put(&[SIO_GPIO_OUT_XOR, 1 << 25, 598]);
    Bench::start(chip, &Config::default()).expect("four free ports")
}
