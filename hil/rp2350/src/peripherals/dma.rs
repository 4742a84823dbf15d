//! DMA: sixteen channels that move data over the bus by themselves (RP2350 datasheet §12.6).
//!
//! Here are the registers, who is to transfer next, and what a transfer leaves behind; the transfer itself is `soc`'s. One
//! transfer takes one cycle of clk_sys, read and write together, and the datasheet's rounds say whose: each channel of high
//! priority once, then one of low priority. A request is a level that is looked at in each cycle. Choices where the datasheet is
//! silent: a sequence of no transfers takes a cycle and completes; an error ends the sequence without a chain; an abort leaves
//! addresses and count. Sniffer, pacing timers, the MPU and access control are not modelled, nor are requests of other
//! peripherals than the UARTs.

use super::Written;
use crate::bus::Size;

pub(crate) const CHANNELS: usize = 16;
/// Request signals (datasheet §12.6.4.1) of UART0 TX, and after it UART0 RX, UART1 TX, UART1 RX; and the one that is always
/// there.
pub(crate) const DREQ_UART0_TX: u32 = 28;
const DREQ_UARTS: std::ops::Range<u32> = 28..32;
const TREQ_PERMANENT: u32 = 0x3f;

const EN: u32 = 1;
const HIGH_PRIORITY: u32 = 1 << 1;
const INCR_READ_SHIFT: u32 = 4;
const INCR_WRITE_SHIFT: u32 = 6;
const RING_SEL: u32 = 1 << 12;
const IRQ_QUIET: u32 = 1 << 23;
const BSWAP: u32 = 1 << 24;
const SNIFF_EN: u32 = 1 << 25;
const BUSY: u32 = 1 << 26;
const WRITE_ERROR: u32 = 1 << 29;
const READ_ERROR: u32 = 1 << 30;
const AHB_ERROR: u32 = 1 << 31;
/// What of CTRL keeps what is written.
const CTRL_HELD: u32 = SNIFF_EN * 2 - 1;

/// The upper four bits of TRANS_COUNT.
const MODE: u32 = 0xf << 28;
const MODE_NORMAL: u32 = 0;
const MODE_TRIGGER_SELF: u32 = 1 << 28;
const MODE_ENDLESS: u32 = MODE;

#[derive(Clone, Copy)]
enum Register {
    Read,
    Write,
    Count,
    Ctrl,
}

/// The four views of a channel; a write to the last register of each triggers it.
const VIEWS: [Register; 16] = {
    use Register::*;
    [Read, Write, Count, Ctrl, Ctrl, Read, Write, Count, Ctrl, Count, Read, Write, Ctrl, Write, Count, Read]
};

#[derive(Clone, Copy, Default)]
struct Channel {
    read: u32,
    write: u32,
    /// What is left, with the mode it began with; and what the next sequence begins with.
    count: u32,
    reload: u32,
    /// CTRL with its error flags, without what is derived from the rest.
    ctrl: u32,
    busy: bool,
    /// The core that wrote a register of it last.
    owner: u8,
}

/// What a channel is to do in a cycle.
#[derive(Clone, Copy)]
pub(crate) struct Transfer {
    pub(crate) read: u32,
    pub(crate) write: u32,
    pub(crate) size: Size,
    /// The bytes change their order.
    pub(crate) swap: bool,
}

/// How it went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    ReadError,
    WriteError,
}

#[derive(Clone)]
pub(crate) struct Dma {
    channels: [Channel; CHANNELS],
    /// Those that are busy, a bit each.
    busy: u16,
    /// Those of high priority that had their turn in this round; the one of low priority that had the last.
    served: u16,
    last_low: usize,
    intr: u32,
    inte: [u32; 4],
    intf: [u32; 4],
}

impl Channel {
    fn size(&self) -> Size {
        match self.ctrl >> 2 & 3 {
            0 => Size::Byte,
            1 => Size::Half,
            _ => Size::Word,
        }
    }

    fn request(&self) -> u32 {
        self.ctrl >> 17 & 0x3f
    }

    /// CTRL asks for something that the model does not do.
    fn beyond_the_model(&self) -> bool {
        let request = self.request();
        let paced = DREQ_UARTS.contains(&request) || request == TREQ_PERMANENT;
        self.ctrl & SNIFF_EN != 0 || self.ctrl >> 2 & 3 == 3 || !paced
    }

    /// Where an address goes with a transfer. `shift` is that of its INCR bits.
    fn advanced(&self, address: u32, shift: u32) -> u32 {
        let step = self.size().bytes();
        let next = match self.ctrl >> shift & 3 {
            0 => address,
            1 => address.wrapping_add(step),
            2 => address.wrapping_add(2 * step),
            _ => address.wrapping_sub(step),
        };
        let ring = self.ctrl >> 8 & 0xf;
        let wraps = ring != 0 && (self.ctrl & RING_SEL != 0) == (shift == INCR_WRITE_SHIFT);
        let inside = if wraps { (1 << ring) - 1 } else { u32::MAX };
        address & !inside | next & inside
    }
}

impl Dma {
    pub(crate) fn new() -> Self {
        Self {
            channels: [Channel::default(); CHANNELS],
            busy: 0,
            served: 0,
            last_low: CHANNELS - 1,
            intr: 0,
            inte: [0; 4],
            intf: [0; 4],
        }
    }

    /// No channel has anything to do.
    pub(crate) fn idle(&self) -> bool {
        self.busy == 0
    }

    /// The channels that can transfer while these request signals are there.
    pub(crate) fn ready(&self, requests: u64) -> u16 {
        let requests = requests | 1 << TREQ_PERMANENT;
        let can = |n: &usize| {
            let channel = &self.channels[*n];
            channel.busy && channel.ctrl & EN != 0 && requests >> channel.request() & 1 != 0
        };
        (0..CHANNELS).filter(can).fold(0, |mask, n| mask | 1 << n)
    }

    /// Whose turn it is of those that are ready.
    pub(crate) fn pick(&mut self, ready: u16) -> Option<usize> {
        let high = (0..CHANNELS).filter(|&n| self.channels[n].ctrl & HIGH_PRIORITY != 0);
        let (high, low) = high.fold((0, ready), |(high, low), n| (high | ready & 1 << n, low & !(1 << n)));
        let waiting = high & !self.served;
        if waiting == 0 {
            self.served = 0;
            if low != 0 {
                let turn = (1..=CHANNELS).map(|n| (self.last_low + n) % CHANNELS).find(|n| low >> n & 1 != 0)?;
                self.last_low = turn;
                return Some(turn);
            }
        }
        let high = if waiting != 0 { waiting } else { high };
        let turn = (high != 0).then(|| high.trailing_zeros() as usize)?;
        self.served |= 1 << turn;
        Some(turn)
    }

    /// What channel `n` is to do; `None` if its sequence has no transfers.
    pub(crate) fn transfer(&self, n: usize) -> Option<Transfer> {
        let channel = &self.channels[n];
        let any = channel.count & !MODE != 0 || channel.count & MODE == MODE_ENDLESS;
        any.then(|| Transfer {
            read: channel.read,
            write: channel.write,
            size: channel.size(),
            swap: channel.ctrl & BSWAP != 0,
        })
    }

    /// Channel `n` has transferred, or had nothing to transfer.
    pub(crate) fn transferred(&mut self, n: usize, outcome: Outcome) {
        let channel = &mut self.channels[n];
        if outcome != Outcome::Done {
            channel.ctrl |= if outcome == Outcome::ReadError { READ_ERROR } else { WRITE_ERROR };
            self.stop(n);
            self.intr |= 1 << n;
            return;
        }
        // The transfer itself may have ended the sequence, by a write to CHAN_ABORT.
        if !channel.busy || channel.count & MODE == MODE_ENDLESS {
            return;
        }
        if channel.count & !MODE > 1 {
            channel.count -= 1;
            return;
        }
        channel.count &= MODE;
        let (ctrl, again) = (channel.ctrl, channel.count == MODE_TRIGGER_SELF);
        self.stop(n);
        if ctrl & IRQ_QUIET == 0 {
            self.intr |= 1 << n;
        }
        if again {
            self.trigger(n);
        }
        let next = (ctrl >> 13 & 0xf) as usize;
        if next != n {
            self.trigger(next);
        }
    }

    /// The addresses of channel `n` move on, the read address before the write is made.
    pub(crate) fn advance_read(&mut self, n: usize) {
        let channel = &mut self.channels[n];
        channel.read = channel.advanced(channel.read, INCR_READ_SHIFT);
    }

    pub(crate) fn advance_write(&mut self, n: usize) {
        let channel = &mut self.channels[n];
        channel.write = channel.advanced(channel.write, INCR_WRITE_SHIFT);
    }

    /// The core that wrote a register of channel `n` last.
    pub(crate) fn owner(&self, n: u8) -> u8 {
        self.channels.get(usize::from(n)).map_or(0, |channel| channel.owner)
    }

    /// Starts channel `n`, if it is enabled and at rest.
    fn trigger(&mut self, n: usize) {
        let channel = &mut self.channels[n];
        if channel.ctrl & EN != 0 && !channel.busy {
            channel.count = channel.reload;
            channel.busy = true;
            self.busy |= 1 << n;
        }
    }

    fn stop(&mut self, n: usize) {
        self.channels[n].busy = false;
        self.busy &= !(1 << n);
    }

    fn status(&self, line: usize) -> u32 {
        self.intr & self.inte[line] | self.intf[line]
    }

    /// One of the four interrupt lines.
    pub(crate) fn irq(&self, line: usize) -> bool {
        self.status(line) != 0
    }

    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        let line = (offset >> 4 & 3) as usize;
        Some(match offset {
            0x000..0x400 => {
                let channel = &self.channels[(offset >> 6) as usize];
                match VIEWS[(offset >> 2 & 0xf) as usize] {
                    Register::Read => channel.read,
                    Register::Write => channel.write,
                    Register::Count => channel.count,
                    Register::Ctrl => {
                        let error = channel.ctrl & (READ_ERROR | WRITE_ERROR) != 0;
                        channel.ctrl | if channel.busy { BUSY } else { 0 } | if error { AHB_ERROR } else { 0 }
                    }
                }
            }
            0x400..0x440 => match offset & 0xc {
                0x0 => self.intr,
                0x4 => self.inte[line],
                0x8 => self.intf[line],
                _ => self.status(line),
            },
            // MULTI_CHAN_TRIGGER, FIFO_LEVELS, CHAN_ABORT: nothing is ever on its way.
            0x450 | 0x460 | 0x464 => 0,
            0x468 => CHANNELS as u32,
            // CHx_DBG_TCR.
            0x800..0xc00 if offset & 0x3c == 4 => self.channels[(offset >> 6 & 0xf) as usize].reload,
            _ => return None,
        })
    }

    /// `core` writes a register.
    pub(crate) fn write(&mut self, core: u8, offset: u32, value: u32) -> Option<Written> {
        let (line, mask) = ((offset >> 4 & 3) as usize, value & 0xffff);
        match offset {
            0x000..0x400 => return Some(self.write_channel(core, offset, value)),
            0x400..0x440 => match offset & 0xc {
                0x4 => self.inte[line] = mask,
                0x8 => self.intf[line] = mask,
                // INTR and INTS.
                _ => self.intr &= !mask,
            },
            0x450 => (0..CHANNELS).filter(|n| mask >> n & 1 != 0).for_each(|n| self.trigger(n)),
            0x464 => (0..CHANNELS).filter(|n| mask >> n & 1 != 0).for_each(|n| self.stop(n)),
            0x460 | 0x468 => {}
            0x800..0xc00 if offset & 0x3c == 4 => {}
            _ => return None,
        }
        Some(Written::AsSet)
    }

    fn write_channel(&mut self, core: u8, offset: u32, value: u32) -> Written {
        let (n, index) = ((offset >> 6) as usize, (offset >> 2 & 0xf) as usize);
        let mut written = Written::AsSet;
        let channel = &mut self.channels[n];
        channel.owner = core;
        match VIEWS[index] {
            Register::Read => channel.read = value,
            Register::Write => channel.write = value,
            Register::Count => {
                channel.reload = value;
                if !matches!(value & MODE, MODE_NORMAL | MODE_TRIGGER_SELF | MODE_ENDLESS) {
                    written = Written::NotModelled;
                }
            }
            Register::Ctrl => {
                let errors = channel.ctrl & !value & (READ_ERROR | WRITE_ERROR);
                channel.ctrl = value & CTRL_HELD | errors;
                if value & EN != 0 && channel.beyond_the_model() {
                    written = Written::NotModelled;
                }
            }
        }
        if index % 4 == 3 {
            if value != 0 {
                self.trigger(n);
            } else if channel.ctrl & IRQ_QUIET != 0 {
                // A null trigger ends a chain of quiet sequences.
                self.intr |= 1 << n;
            }
        }
        written
    }
}
