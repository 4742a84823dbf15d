//! UART0 and UART1: the PL011 (RP2350 datasheet §12.1), with real bit times on its pins.
//!
//! Transmitted bits leave as level changes, each at its exact time. Received bytes come from outside as whole bytes, one
//! frame time after the other. Whoever is outside is wired to one pair of pins ([`Wires`]). DMA is asked for single bytes,
//! never for bursts. Modem control and IrDA are not modelled.

use std::collections::VecDeque;

use crate::rate::{Cadence, Period, Rate};

const DEPTH: usize = 32;
const FEN: u32 = 1 << 4;
const UARTEN: u32 = 1;
const LOOPBACK: u32 = 1 << 7;
const TXE: u32 = 1 << 8;
const RXE: u32 = 1 << 9;
const RX_IRQ: u32 = 1 << 4;
const TX_IRQ: u32 = 1 << 5;
const TIMEOUT_IRQ: u32 = 1 << 6;
const OVERRUN_IRQ: u32 = 1 << 10;
const OVERRUN_DATA: u32 = 1 << 11;
/// Framing, parity, break and overrun: UARTEINTR.
const ERROR_IRQS: u32 = 0xf << 7;
const RXDMAE: u32 = 1;
const TXDMAE: u32 = 2;
const DMAONERR: u32 = 4;
/// The receive timeout comes after 32 bit times without a byte (PL011 TRM §2.4.3).
const TIMEOUT_BITS: u64 = 32;

/// A frame on its way: start bit, data, parity, stop bits.
#[derive(Clone)]
struct Frame {
    byte: u8,
    bits: u32,
    left: u32,
    cadence: Cadence,
    next: u64,
}

#[derive(Clone, Default)]
struct Registers {
    ilpr: u32,
    ibrd: u32,
    fbrd: u32,
    lcr: u32,
    cr: u32,
    ifls: u32,
    imsc: u32,
    ris: u32,
    rsr: u32,
    dmacr: u32,
}

#[derive(Clone)]
pub(crate) struct Uart {
    regs: Registers,
    clk_peri: Option<Rate>,
    tx_fifo: VecDeque<u8>,
    tx: Option<Frame>,
    tx_level: bool,
    rx_fifo: VecDeque<u16>,
    rx: Option<Frame>,
    rx_timeout: Option<u64>,
    overrun: bool,
    /// Bytes that have left completely, and were heard.
    sent: Vec<u8>,
    /// The byte before was heard, and one since the last look was not.
    heard: bool,
    unheard: bool,
    /// Bytes on their way from outside.
    given: VecDeque<u8>,
}

/// Which of a UART's lines reach the pins that something outside is wired to.
#[derive(Clone, Copy)]
pub(crate) struct Wires {
    pub(crate) tx: bool,
    pub(crate) rx: bool,
}

/// A change of the transmit line.
#[derive(Clone)]
pub(crate) struct TxEdge {
    pub(crate) at: u64,
    pub(crate) high: bool,
}

impl Uart {
    pub(crate) fn new() -> Self {
        Self {
            regs: Registers { cr: 0x300, ifls: 0x12, ..Registers::default() },
            clk_peri: None,
            tx_fifo: VecDeque::with_capacity(DEPTH),
            tx: None,
            tx_level: true,
            rx_fifo: VecDeque::with_capacity(DEPTH),
            rx: None,
            rx_timeout: None,
            overrun: false,
            sent: Vec::new(),
            heard: true,
            unheard: false,
            given: VecDeque::new(),
        }
    }

    /// Reset: what is outside the chip stays.
    pub(crate) fn reset(&mut self) {
        let old = std::mem::replace(self, Self::new());
        self.clk_peri = old.clk_peri;
        self.sent = old.sent;
        self.given = old.given;
    }

    pub(crate) fn set_clk_peri(&mut self, rate: Option<Rate>) {
        self.clk_peri = rate;
    }

    pub(crate) fn take_sent(&mut self, into: &mut Vec<u8>) {
        into.append(&mut self.sent);
    }

    pub(crate) fn give(&mut self, now: u64, bytes: &[u8]) {
        self.given.extend(bytes);
        self.start_receiving(now);
    }

    /// How many bytes from outside are not on the wire yet.
    pub(crate) fn waiting(&self) -> usize {
        self.given.len()
    }

    /// The level of the transmit line, high when idle.
    pub(crate) fn tx_level(&self) -> bool {
        self.tx_level && self.regs.lcr & 1 == 0
    }

    /// The time of one bit: 16 (IBRD + FBRD / 64) periods of clk_peri.
    fn bit(&self) -> Option<Period> {
        let divider = u64::from(self.regs.ibrd) * 64 + u64::from(self.regs.fbrd);
        if self.regs.ibrd == 0 {
            return None;
        }
        Some(self.clk_peri?.scaled(4, 1)?.period(divider))
    }

    fn frame(&self, byte: u8, now: u64) -> Option<Frame> {
        let data_bits = 5 + (self.regs.lcr >> 5 & 3);
        let byte = byte & (0xff >> (8 - data_bits)) as u8;
        let mut bits = u32::from(byte) << 1;
        let mut count = 1 + data_bits;
        if self.regs.lcr & 2 != 0 {
            let even = self.regs.lcr & 4 != 0;
            let stick = self.regs.lcr & 0x80 != 0;
            let odd_ones = byte.count_ones() % 2 == 1;
            let parity = if stick { !even } else { odd_ones == even };
            bits |= u32::from(parity) << count;
            count += 1;
        }
        let stop_bits = if self.regs.lcr & 8 != 0 { 2 } else { 1 };
        bits |= ((1 << stop_bits) - 1) << count;
        count += stop_bits;
        Some(Frame { byte, bits, left: count, cadence: Cadence::new(self.bit()?), next: now })
    }

    fn depth(&self) -> usize {
        if self.regs.lcr & FEN != 0 { DEPTH } else { 1 }
    }

    fn start_sending(&mut self, now: u64) {
        if self.tx.is_some() || self.regs.cr & (UARTEN | TXE) != UARTEN | TXE {
            return;
        }
        if let Some(&byte) = self.tx_fifo.front()
            && let Some(frame) = self.frame(byte, now)
        {
            self.tx_fifo.pop_front();
            self.tx = Some(frame);
            // The interrupt comes when the level falls to the threshold, not because it is below.
            if self.tx_fifo.len() == self.threshold(self.regs.ifls, 0) {
                self.regs.ris |= TX_IRQ;
            }
        }
    }

    fn start_receiving(&mut self, now: u64) {
        if self.rx.is_some() || self.regs.cr & (UARTEN | RXE) != UARTEN | RXE {
            return;
        }
        if let Some(&byte) = self.given.front()
            && let Some(mut frame) = self.frame(byte, now)
        {
            self.given.pop_front();
            frame.next = now + frame.cadence.steps(u64::from(frame.left));
            self.rx = Some(frame);
        }
    }

    pub(crate) fn next_event(&self) -> u64 {
        let tx = self.tx.as_ref().map_or(u64::MAX, |frame| frame.next);
        let rx = self.rx.as_ref().map_or(u64::MAX, |frame| frame.next);
        tx.min(rx).min(self.rx_timeout.unwrap_or(u64::MAX))
    }

    /// Whether nobody hears it any more, since the last call.
    pub(crate) fn take_unheard(&mut self) -> bool {
        std::mem::take(&mut self.unheard)
    }

    /// Moves bits until `now`; `edges` gets the changes of the transmit line.
    pub(crate) fn service(&mut self, now: u64, wires: Wires, edges: &mut Vec<TxEdge>) {
        while let Some(frame) = &mut self.tx {
            if frame.next > now {
                break;
            }
            let at = frame.next;
            if frame.left == 0 {
                if wires.tx {
                    self.sent.push(frame.byte);
                }
                self.unheard |= self.heard && !wires.tx;
                self.heard = wires.tx;
                if self.regs.cr & LOOPBACK != 0 {
                    let byte = frame.byte;
                    self.receive(at, byte);
                }
                self.tx = None;
                self.start_sending(at);
                continue;
            }
            let high = frame.bits & 1 != 0;
            frame.bits >>= 1;
            frame.left -= 1;
            frame.next += frame.cadence.step();
            if high != self.tx_level {
                self.tx_level = high;
                edges.push(TxEdge { at, high });
            }
        }
        while let Some(frame) = &self.rx
            && frame.next <= now
        {
            let (at, byte) = (frame.next, frame.byte);
            self.rx = None;
            if wires.rx {
                self.receive(at, byte);
            }
            self.start_receiving(at);
        }
        if self.rx_timeout.is_some_and(|at| at <= now) {
            self.rx_timeout = None;
            self.regs.ris |= TIMEOUT_IRQ;
        }
    }

    fn receive(&mut self, at: u64, byte: u8) {
        if self.rx_fifo.len() >= self.depth() {
            self.overrun = true;
            self.regs.rsr |= 8;
            self.regs.ris |= OVERRUN_IRQ;
            return;
        }
        let flags = if std::mem::take(&mut self.overrun) { OVERRUN_DATA as u16 } else { 0 };
        self.rx_fifo.push_back(u16::from(byte) | flags);
        self.update_rx_irq();
        self.rx_timeout = self.bit().map(|bit| at + bit.time_of(TIMEOUT_BITS));
    }

    /// A FIFO level in the steps of UARTIFLS; without FIFOs the level is one byte.
    fn threshold(&self, select: u32, without_fifo: usize) -> usize {
        if self.regs.lcr & FEN == 0 {
            return without_fifo;
        }
        match select & 7 {
            0 => DEPTH / 8,
            1 => DEPTH / 4,
            2 => DEPTH / 2,
            3 => DEPTH * 3 / 4,
            _ => DEPTH * 7 / 8,
        }
    }

    fn update_rx_irq(&mut self) {
        if self.rx_fifo.len() >= self.threshold(self.regs.ifls >> 3, 1) {
            self.regs.ris |= RX_IRQ;
        } else {
            self.regs.ris &= !RX_IRQ;
        }
        if self.rx_fifo.is_empty() {
            self.regs.ris &= !TIMEOUT_IRQ;
            self.rx_timeout = None;
        }
    }

    pub(crate) fn irq(&self) -> bool {
        self.regs.ris & self.regs.imsc != 0
    }

    /// Requests to DMA: bit 0 while a byte to send has room, bit 1 while a received one is there.
    pub(crate) fn dma_requests(&self) -> u64 {
        let on = |bit: u32| self.regs.dmacr & bit != 0;
        let held_back = on(DMAONERR) && self.regs.ris & self.regs.imsc & ERROR_IRQS != 0;
        let transmit = on(TXDMAE) && self.tx_fifo.len() < self.depth();
        let receive = on(RXDMAE) && !held_back && !self.rx_fifo.is_empty();
        u64::from(transmit) | u64::from(receive) << 1
    }

    fn flags(&self) -> u32 {
        let (rx, tx, depth) = (self.rx_fifo.len(), self.tx_fifo.len(), self.depth());
        u32::from(tx == 0) << 7
            | u32::from(rx >= depth) << 6
            | u32::from(tx >= depth) << 5
            | u32::from(rx == 0) << 4
            | u32::from(self.tx.is_some() || tx != 0) << 3
    }

    pub(crate) fn read(&mut self, offset: u32) -> Option<u32> {
        let regs = &self.regs;
        Some(match offset {
            0x00 => {
                let data = self.rx_fifo.pop_front().unwrap_or(0);
                self.regs.rsr = u32::from(data) >> 8;
                self.update_rx_irq();
                u32::from(data)
            }
            0x04 => regs.rsr,
            0x18 => self.flags(),
            0x20 => regs.ilpr,
            0x24 => regs.ibrd,
            0x28 => regs.fbrd,
            0x2c => regs.lcr,
            0x30 => regs.cr,
            0x34 => regs.ifls,
            0x38 => regs.imsc,
            0x3c => regs.ris,
            0x40 => regs.ris & regs.imsc,
            // Write-only.
            0x44 => 0,
            0x48 => regs.dmacr,
            // Peripheral and cell identification (PL011 TRM §3.3.15).
            0xfe0 => 0x11,
            0xfe4 => 0x10,
            0xfe8 => 0x34,
            0xfec => 0x00,
            0xff0 => 0x0d,
            0xff4 => 0xf0,
            0xff8 => 0x05,
            0xffc => 0xb1,
            _ => return None,
        })
    }

    /// What a read of `offset` gives, without its effects.
    pub(crate) fn peek(&mut self, offset: u32) -> Option<u32> {
        if offset == 0 { Some(0) } else { self.read(offset) }
    }

    pub(crate) fn write(&mut self, now: u64, offset: u32, value: u32) -> Option<()> {
        match offset {
            0x00 => {
                if self.tx_fifo.len() < self.depth() {
                    self.tx_fifo.push_back(value as u8);
                    if self.tx_fifo.len() > self.threshold(self.regs.ifls, 0) {
                        self.regs.ris &= !TX_IRQ;
                    }
                }
            }
            0x04 => self.regs.rsr = 0,
            0x20 => self.regs.ilpr = value & 0xff,
            0x24 => self.regs.ibrd = value & 0xffff,
            0x28 => self.regs.fbrd = value & 0x3f,
            0x2c => {
                // Turning the FIFOs off empties them.
                if self.regs.lcr & FEN != 0 && value & FEN == 0 {
                    self.rx_fifo.clear();
                    self.tx_fifo.clear();
                }
                self.regs.lcr = value & 0xff;
            }
            0x30 => self.regs.cr = value & 0xff87,
            0x34 => self.regs.ifls = value & 0x3f,
            0x38 => self.regs.imsc = value & 0x7ff,
            0x44 => self.regs.ris &= !value,
            0x48 => self.regs.dmacr = value & 7,
            0x18 | 0x3c | 0x40 | 0xfe0..=0xffc => {}
            _ => return None,
        }
        self.start_sending(now);
        self.start_receiving(now);
        Some(())
    }
}
