//! The serial port: UART0 on TCP and on the pseudo-terminal.

use std::fs::OpenOptions;
use std::io::{Read, Write};

use rp2350_model::Rp2350;
use virtual_bench::{Bench, Config};

use crate::common::{CORE0, Debugger, bench, clock_from_crystal, connect, release};

/// RP2350 datasheet: register offsets.
const RESETS_UART0: u32 = 1 << 26;
const CLOCKS_CLK_PERI_CTRL: u32 = 0x4001_0048;
const CLK_PERI_ENABLE: u32 = 1 << 11;
const IO_BANK0_GPIO0_CTRL: u32 = 0x4002_8004;
const IO_BANK0_GPIO1_CTRL: u32 = 0x4002_800c;
const FUNCSEL_UART: u32 = 2;
const PADS_BANK0_GPIO0: u32 = 0x4003_8004;
/// Input enabled, 4 mA, not isolated, output not disabled.
const PAD_DEFAULTS: u32 = 0x56;
const UART0_DR: u32 = 0x4007_0000;
const UART0_FR: u32 = 0x4007_0018;
const FR_RXFE: u32 = 1 << 4;
const UART0_IBRD: u32 = 0x4007_0024;
const UART0_FBRD: u32 = 0x4007_0028;
const UART0_LCR_H: u32 = 0x4007_002c;
const LCR_H_8N1_FIFO: u32 = 0x70;
const UART0_CR: u32 = 0x4007_0030;
const CR_RX_TX_ENABLE: u32 = 0x301;

/// UART0 at 115200 baud from 12 MHz; core 0 is halted in an endless loop.
fn uart(debugger: &mut Debugger) {
    clock_from_crystal(debugger);
    release(debugger, RESETS_UART0);
    debugger.write(CORE0, CLOCKS_CLK_PERI_CTRL, &[CLK_PERI_ENABLE]);
    debugger.write(CORE0, PADS_BANK0_GPIO0, &[PAD_DEFAULTS, PAD_DEFAULTS]);
    debugger.write(CORE0, IO_BANK0_GPIO0_CTRL, &[FUNCSEL_UART]);
    debugger.write(CORE0, IO_BANK0_GPIO1_CTRL, &[FUNCSEL_UART]);
    debugger.write(CORE0, UART0_IBRD, &[6]);
    debugger.write(CORE0, UART0_FBRD, &[33]);
    debugger.write(CORE0, UART0_LCR_H, &[LCR_H_8N1_FIFO]);
    debugger.write(CORE0, UART0_CR, &[CR_RX_TX_ENABLE]);
}

/// Says `words` and sees them arrive at the chip; whoever is heard is listening, so then the chip sends `answer`.
fn talk(debugger: &mut Debugger, terminal: &mut (impl Read + Write), words: &[u8], answer: &[u8]) {
    terminal.write_all(words).expect("the bench reads");
    debugger.resume();
    for byte in words {
        assert_eq!(received(debugger), *byte);
    }
    for byte in answer {
        debugger.write(CORE0, UART0_DR, &[u32::from(*byte)]);
    }
    let mut heard = vec![0; answer.len()];
    terminal.read_exact(&mut heard).expect("the chip talks");
    assert_eq!(heard, answer);
    debugger.halt();
}

/// The next byte in UART0's receiver.
fn received(debugger: &mut Debugger) -> u8 {
    while debugger.read(CORE0, UART0_FR) & FR_RXFE != 0 {}
    // Bits 11 to 8 are errors.
    u8::try_from(debugger.read(CORE0, UART0_DR)).expect("no framing error")
}

#[test]
fn tcp_is_uart0() {
    let bench = bench();
    let mut debugger = Debugger::attach(&bench);
    uart(&mut debugger);
    let mut serial = connect(bench.serial);
    talk(&mut debugger, &mut serial, b"\x00one\xff", b"first");
    drop(serial);
    let mut serial = connect(bench.serial);
    talk(&mut debugger, &mut serial, b"two", b"second\r\n");
}

#[test]
fn the_pseudo_terminal_is_uart0() {
    let config = Config { serial_pty: true, ..Config::default() };
    let bench = Bench::start(Rp2350::new(), &config).expect("three free ports and a pseudo-terminal");
    let path = bench.pty.clone().expect("asked for");
    let mut debugger = Debugger::attach(&bench);
    uart(&mut debugger);
    for text in ["first\r\n", "second\n"] {
        let mut terminal = OpenOptions::new().read(true).write(true).open(&path).expect("a terminal");
        talk(&mut debugger, &mut terminal, b"\x03\x04raw\r\n", text.as_bytes());
    }
}

#[test]
fn a_client_that_leaves_while_time_stands_still_makes_room() {
    let bench = bench();
    let mut debugger = Debugger::attach(&bench);
    uart(&mut debugger);
    let mut serial = connect(bench.serial);
    serial.write_all(b"early").expect("the bench reads");
    drop(serial);
    let mut serial = connect(bench.serial);
    debugger.resume();
    for byte in b"early" {
        assert_eq!(received(&mut debugger), *byte);
    }
    talk(&mut debugger, &mut serial, b"?", b"!");
}
