//! The serial ports: UART0 on TCP and on the pseudo-terminal, UART1 on TCP.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rp2350_model::Rp2350;
use rustix::termios::{QueueSelector, tcflush};
use virtual_bench::{Bench, Config};

use crate::common::{CORE0, Debugger, PC, SRAM, bench, clock_from_crystal, connect, random, release};

/// RP2350 datasheet: register offsets.
const CLOCKS_CLK_PERI_CTRL: u32 = 0x4001_0048;
const CLK_PERI_ENABLE: u32 = 1 << 11;
const IO_BANK0_GPIO0_CTRL: u32 = 0x4002_8004;
const FUNCSEL_UART: u32 = 2;
const PADS_BANK0_GPIO0: u32 = 0x4003_8004;
/// Input enabled, 4 mA, not isolated, output not disabled.
const PAD_DEFAULTS: u32 = 0x56;
const UART_DR: u32 = 0x00;
const UART_FR: u32 = 0x18;
const FR_RXFE: u32 = 1 << 4;
const UART_IBRD: u32 = 0x24;
const UART_FBRD: u32 = 0x28;
const UART_LCR_H: u32 = 0x2c;
const LCR_H_8N1_FIFO: u32 = 0x70;
const UART_CR: u32 = 0x30;
const CR_RX_TX_ENABLE: u32 = 0x301;

/// 16 × 64 × the divider that makes 115200 baud of 12 MHz.
const BAUD_115200: u32 = 6 * 64 + 33;

#[derive(Clone, Copy)]
struct Uart {
    base: u32,
    reset: u32,
    tx_pin: u32,
}

const UART0: Uart = Uart { base: 0x4007_0000, reset: 1 << 26, tx_pin: 0 };
const UART1: Uart = Uart { base: 0x4007_8000, reset: 1 << 27, tx_pin: 4 };

/// A UART, its divider in 1/64, and 12 MHz; core 0 is halted in an endless loop.
fn set_up(debugger: &mut Debugger, uart: Uart, divider: u32) {
    clock_from_crystal(debugger);
    release(debugger, uart.reset);
    debugger.write(CORE0, CLOCKS_CLK_PERI_CTRL, &[CLK_PERI_ENABLE]);
    debugger.write(CORE0, PADS_BANK0_GPIO0 + 4 * uart.tx_pin, &[PAD_DEFAULTS, PAD_DEFAULTS]);
    for pin in [uart.tx_pin, uart.tx_pin + 1] {
        debugger.write(CORE0, IO_BANK0_GPIO0_CTRL + 8 * pin, &[FUNCSEL_UART]);
    }
    debugger.write(CORE0, uart.base + UART_IBRD, &[divider / 64]);
    debugger.write(CORE0, uart.base + UART_FBRD, &[divider % 64]);
    debugger.write(CORE0, uart.base + UART_LCR_H, &[LCR_H_8N1_FIFO]);
    debugger.write(CORE0, uart.base + UART_CR, &[CR_RX_TX_ENABLE]);
}

/// Says `words` and sees them arrive at the chip; whoever is heard is listening, so then the chip sends `answer`.
fn talk(debugger: &mut Debugger, uart: Uart, terminal: &mut (impl Read + Write), words: &[u8], answer: &[u8]) {
    terminal.write_all(words).expect("the bench reads");
    debugger.resume();
    for byte in words {
        assert_eq!(received(debugger, uart), *byte);
    }
    for byte in answer {
        debugger.write(CORE0, uart.base + UART_DR, &[u32::from(*byte)]);
    }
    let mut heard = vec![0; answer.len()];
    terminal.read_exact(&mut heard).expect("the chip talks");
    assert_eq!(heard, answer);
    debugger.halt();
}

/// The next byte in a UART's receiver.
fn received(debugger: &mut Debugger, uart: Uart) -> u8 {
    while debugger.read(CORE0, uart.base + UART_FR) & FR_RXFE != 0 {}
    // Bits 11 to 8 are errors.
    u8::try_from(debugger.read(CORE0, uart.base + UART_DR)).expect("no framing error")
}

#[test]
fn tcp_is_uart0() {
    let bench = bench();
    let mut debugger = Debugger::attach(&bench);
    set_up(&mut debugger, UART0, BAUD_115200);
    let mut serial = connect(bench.serial);
    talk(&mut debugger, UART0, &mut serial, b"\x00one\xff", b"first");
    drop(serial);
    let mut serial = connect(bench.serial);
    talk(&mut debugger, UART0, &mut serial, b"two", b"second\r\n");
}

#[test]
fn the_second_port_is_uart1() {
    let bench = bench();
    let mut debugger = Debugger::attach(&bench);
    set_up(&mut debugger, UART0, BAUD_115200);
    set_up(&mut debugger, UART1, BAUD_115200);
    let mut console = connect(bench.serial);
    let mut uart1 = connect(bench.uart1);
    talk(&mut debugger, UART1, &mut uart1, b"to one", b"from one");
    assert_ne!(debugger.read(CORE0, UART0.base + UART_FR) & FR_RXFE, 0, "nothing of it came to UART0");
    // Had the console heard any of it, it would hear it first.
    talk(&mut debugger, UART0, &mut console, b"to zero", b"from zero");
}

/// 9600 baud, slower than the usual 115200, and more than the bench gives to the chip at once.
#[test]
fn bytes_come_no_faster_than_the_chip_takes_them() {
    let bench = bench();
    let mut debugger = Debugger::attach(&bench);
    set_up(&mut debugger, UART1, 5_000);
    let mut uart1 = connect(bench.uart1);
    let message: Vec<u8> = (0..600_u32).map(|k| (k * 7 % 251) as u8).collect();
    talk(&mut debugger, UART1, &mut uart1, &message, b"all of it");
}

/// A loop that sends back what its UART receives; its rate is 12 MHz / 16 × 64 / `divider`.
fn echo(bench: &Bench, divider: u32) {
    /// ldr r1,[r0,#0x18]; lsls r1,#27 (RXFE is the sign now); bmi back; ldr r1,[r0]; str r1,[r0]; b to the start
    const PROGRAM: [u32; 3] = [0x06c9_6981, 0x6801_d4fc, 0xe7f9_6001];
    let mut debugger = Debugger::attach(bench);
    set_up(&mut debugger, UART0, divider);
    debugger.write(CORE0, SRAM, &PROGRAM);
    debugger.set_core_register(0, UART0.base);
    debugger.set_core_register(PC, SRAM);
    debugger.resume();
}

#[test]
fn the_pseudo_terminal_is_uart0() {
    let config = Config { serial_pty: true, ..Config::default() };
    let bench = Bench::start(Rp2350::new(), &config).expect("four free ports and a pseudo-terminal");
    let path = bench.pty.clone().expect("asked for");
    let mut debugger = Debugger::attach(&bench);
    set_up(&mut debugger, UART0, BAUD_115200);
    for text in ["first\r\n", "second\n"] {
        let mut terminal = OpenOptions::new().read(true).write(true).open(&path).expect("a terminal");
        talk(&mut debugger, UART0, &mut terminal, b"\x03\x04raw\r\n", text.as_bytes());
    }
}

#[test]
fn a_client_that_leaves_while_time_stands_still_makes_room() {
    let bench = bench();
    let mut debugger = Debugger::attach(&bench);
    set_up(&mut debugger, UART0, BAUD_115200);
    let mut serial = connect(bench.serial);
    serial.write_all(b"early").expect("the bench reads");
    drop(serial);
    let mut serial = connect(bench.serial);
    debugger.resume();
    for byte in b"early" {
        assert_eq!(received(&mut debugger, UART0), *byte);
    }
    talk(&mut debugger, UART0, &mut serial, b"?", b"!");
}

/// 115 200 baud, and the fastest that 12 MHz give.
const RATES: [u32; 2] = [BAUD_115200, 64];

fn with_pty() -> (Bench, PathBuf) {
    let config = Config { serial_pty: true, ..Config::default() };
    let bench = Bench::start(Rp2350::new(), &config).expect("four free ports and a pseudo-terminal");
    let path = bench.pty.clone().expect("asked for");
    (bench, path)
}

fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).expect("a terminal")
}

/// More than a buffer on the way holds, with every byte in it.
fn message(seed: u32) -> Vec<u8> {
    let mut random = random(seed);
    (0..3_000).map(|_| random() as u8).collect()
}

/// All of `message` at once, and all of it back.
fn echoes(terminal: &mut (impl Read + Write), message: &[u8]) {
    terminal.write_all(message).expect("the bench reads");
    let mut heard = vec![0; message.len()];
    terminal.read_exact(&mut heard).expect("the chip answers");
    assert!(heard == message, "other bytes came back");
}

#[test]
fn three_kilobytes_at_once_arrive_whole_and_no_faster_than_the_line() {
    for divider in RATES {
        let line = Duration::from_nanos(3_000 * 10 * 16 * 1_000 / 64 * u64::from(divider) / 12);
        // Each has a board of its own, as all who listen hear the same.
        for pty in [false, true] {
            let (bench, path) = with_pty();
            echo(&bench, divider);
            for client in 1..=2 {
                let since = Instant::now();
                match pty {
                    true => echoes(&mut open(&path), &message(client)),
                    false => echoes(&mut connect(bench.serial), &message(client)),
                }
                assert!(since.elapsed() >= line, "{:?} for {line:?} on the line", since.elapsed());
            }
        }
    }
}

#[test]
fn a_client_of_the_terminal_that_never_read_leaves_nothing_behind() {
    let (bench, path) = with_pty();
    echo(&bench, 64);
    let mut deaf = open(&path);
    // More than a pseudo-terminal holds, one way and the other.
    for seed in 1..60 {
        deaf.write_all(&message(seed)).expect("the bench reads");
    }
    drop(deaf);
    // What was on the line is heard by nobody. A second is a second of the board's or more.
    std::thread::sleep(Duration::from_secs(1));
    let mut terminal = open(&path);
    tcflush(&terminal, QueueSelector::IFlush).expect("a terminal");
    echoes(&mut terminal, &message(99));
}

#[test]
fn two_clients_at_once_hear_everything_and_disturb_nobody() {
    let (bench, path) = with_pty();
    echo(&bench, 64);
    let (mut tcp, mut terminal) = (connect(bench.serial), open(&path));
    echoes(&mut tcp, b"from one");
    let mut heard = [0; 8];
    terminal.read_exact(&mut heard).expect("it hears the same");
    assert_eq!(&heard, b"from one");
    // A second one at the same port waits, and is served once the first has left.
    let mut second = connect(bench.serial);
    second.write_all(b"second").expect("it is connected");
    echoes(&mut terminal, b"meanwhile");
    let mut heard = [0; 9];
    tcp.read_exact(&mut heard).expect("it hears the same");
    drop(tcp);
    let mut heard = [0; 6];
    second.read_exact(&mut heard).expect("it is served");
    assert_eq!(&heard, b"second");
}
