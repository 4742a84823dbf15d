//! DMA: what moves over the bus by itself, when, and whom it tells.

mod transfers;
mod uart;

use crate::common::*;
use rp2350_model::{AccessSize, DapFault, DebugPort, Diagnostic, Instant, Rp2350, RunExit, What};

const DMA: u32 = 0x5000_0000;
const SET: u32 = 0x2000;
const CLEAR: u32 = 0x3000;
const DMA_RESET: u32 = 1 << 2;
const INTR: u32 = DMA + 0x400;
const MULTI_CHAN_TRIGGER: u32 = DMA + 0x450;
const CHAN_ABORT: u32 = DMA + 0x464;

const EN: u32 = 1;
const HIGH_PRIORITY: u32 = 1 << 1;
const HALF: u32 = 1 << 2;
const WORD: u32 = 2 << 2;
const INCR_READ: u32 = 1 << 4;
const INCR_READ_REV: u32 = 1 << 5;
const INCR_WRITE: u32 = 1 << 6;
const INCR_WRITE_REV: u32 = 1 << 7;
const RING_WRITE: u32 = 1 << 12;
const IRQ_QUIET: u32 = 1 << 23;
const BSWAP: u32 = 1 << 24;
const BUSY: u32 = 1 << 26;
const WRITE_ERROR: u32 = 1 << 29;
const READ_ERROR: u32 = 1 << 30;
const AHB_ERROR: u32 = 1 << 31;
const UART0_TX: u32 = 28;
const UART0_RX: u32 = 29;
const PERMANENT: u32 = 0x3f;

const TRIGGER_SELF: u32 = 1 << 28;
const ENDLESS: u32 = 0xf << 28;

const FROM: u32 = SRAM + 0x1_0000;
const TO: u32 = SRAM + 0x2_0000;

fn treq(signal: u32) -> u32 {
    signal << 17
}

fn chain_to(n: u32) -> u32 {
    n << 13
}

fn ring(bits: u32) -> u32 {
    bits << 8
}

fn channel(n: u32) -> u32 {
    DMA + 0x40 * n
}

fn ctrl(port: &mut DebugPort<'_>, n: u32) -> u32 {
    read(port, channel(n) + 0x10)
}

/// Sets up channel `n`, which begins at once if CTRL enables it.
fn start(port: &mut DebugPort<'_>, n: u32, from: u32, to: u32, count: u32, ctrl: u32) {
    write(port, channel(n), from);
    write(port, channel(n) + 4, to);
    write(port, channel(n) + 8, count);
    write(port, channel(n) + 0xc, ctrl);
}

/// A board that runs `image`, with DMA and UART0 released.
fn with_dma(image: &[u8]) -> Rp2350 {
    let mut chip = ready(image);
    let mut port = chip.debug();
    write(&mut port, RESETS_CLR, DMA_RESET);
    chip
}

fn idle_board() -> Rp2350 {
    with_dma(&image(&IDLE, &[]))
}

/// UART0 at 1 Mbaud from 150 MHz, with requests to DMA.
fn start_fast_uart0(port: &mut DebugPort<'_>) {
    start_uart0(port);
    write(port, UART0 + 0x24, 9);
    write(port, UART0 + 0x28, 24);
    write(port, UART0 + 0x2c, 0x70);
    write(port, UART0 + 0x48, 3);
}

fn run_for_cycles(chip: &mut Rp2350, cycles: u64) {
    let end = chip.now().units() + cycles * CYCLE;
    assert_eq!(chip.run_until(Instant::from_units(end)), RunExit::Deadline);
}

fn bytes(chip: &mut Rp2350, from: u32, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    chip.debug().mem_read(AP0, CSW, from, &mut bytes).expect("memory");
    bytes
}

fn put(chip: &mut Rp2350, at: u32, bytes: &[u8]) {
    chip.debug().mem_write(AP0, CSW, AccessSize::Word, at, bytes).expect("memory");
}

fn counting(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n * 7 + n / 256) as u8).collect()
}

/// Core 0 is about to erase the sector at 0x10_0000, and comes back to a breakpoint.
fn erasing(chip: &mut Rp2350) {
    halt_for_calls(chip);
    let erase = find(chip, b"RE");
    begin_call(chip, erase, &[0x10_0000, 0x1000, 0x1_0000, 0xd8]);
}

fn said(chip: &mut Rp2350) -> Vec<(Option<u8>, u32, What)> {
    let said: Vec<Diagnostic> = chip.take_diagnostics();
    said.iter().map(|said| (said.dma, said.address, said.what)).collect()
}
