//! PWM: twelve slices, each a 16-bit counter with two outputs (RP2350 datasheet §12.5), exact to the cycle of clk_sys.
//!
//! A slice moves from event to event: the cycles in which an output changes, or the count turns round. Between two of them it
//! costs nothing. Where the
//! datasheet is silent: a disabled slice takes CC and TOP at once, and its divider begins anew when it is enabled; an
//! integer divider of 0 divides by 256. Counting on the B pin (CSR.DIVMODE) is not modelled, and said so.

use super::Written;
use crate::rate::{Cadence, Cycles};

const SLICES: usize = 12;
/// Bytes of a slice's registers: CSR, DIV, CTR, CC, TOP.
const SLICE_BYTES: u32 = 0x14;
const ALL: u32 = (1 << SLICES) - 1;

const CSR_EN: u32 = 1;
const CSR_PH_CORRECT: u32 = 1 << 1;
/// A_INV and, above it, B_INV.
const CSR_INV_SHIFT: u32 = 2;
const CSR_DIVMODE: u32 = 3 << 4;
const CSR_PH_RET: u32 = 1 << 6;
const CSR_PH_ADV: u32 = 1 << 7;
const CSR_HELD: u32 = 0x3f;
const DIV_RESET: u32 = 0x10;

/// CC and TOP.
#[derive(Clone, Copy)]
struct Levels {
    compare: [u16; 2],
    top: u16,
}

#[derive(Clone)]
struct Slice {
    csr: u32,
    /// 8.4 fixed point.
    div: u32,
    /// As written, and as the counter has them since its last wrap.
    written: Levels,
    latched: Levels,
    count: u16,
    /// Phase-correct: on the way from TOP to 0.
    down: bool,
    /// When `count` became what it is, in sixteenths of a cycle.
    since: u64,
    /// Cycle of the next event.
    next: u64,
}

#[derive(Clone)]
pub(crate) struct Pwm {
    slices: [Slice; SLICES],
    cycles: Cycles,
    /// Time of the next event of any slice.
    next: u64,
    intr: u32,
    inte: [u32; 2],
    intf: [u32; 2],
}

impl Pwm {
    pub(crate) fn new() -> Self {
        Self {
            slices: std::array::from_fn(|_| Slice::new()),
            cycles: Cycles::default(),
            next: u64::MAX,
            intr: 0,
            inte: [0; 2],
            intf: [0; 2],
        }
    }

    pub(crate) fn reset(&mut self) {
        let cycles = self.cycles;
        *self = Self { cycles, ..Self::new() };
    }

    /// From `now` on the slices count cycles of this clk_sys.
    pub(crate) fn set_clk_sys(&mut self, now: u64, clk_sys: Option<Cadence>) {
        self.cycles.follow(now, clk_sys);
        self.schedule();
    }

    fn schedule(&mut self) {
        let next = self.slices.iter().map(|slice| slice.next).min().unwrap_or(u64::MAX);
        self.next = if next == u64::MAX { u64::MAX } else { self.cycles.time_of(next) };
    }

    /// When a slice next has an event.
    pub(crate) fn next_event(&self) -> u64 {
        self.next
    }

    /// Lets the events happen that are due at `now`; `changed` hears the outputs after each moment with one.
    pub(crate) fn service(&mut self, now: u64, mut changed: impl FnMut(u64, u32)) {
        while self.next <= now {
            let cycle = self.cycles.at(self.next);
            for (n, slice) in self.slices.iter_mut().enumerate() {
                if slice.next <= cycle && slice.event() {
                    self.intr |= 1 << n;
                }
            }
            changed(self.next, self.outputs());
            self.schedule();
        }
    }

    /// Two bits a slice: channel A, channel B.
    pub(crate) fn outputs(&self) -> u32 {
        self.slices.iter().rev().fold(0, |outputs, slice| outputs << 2 | slice.outputs())
    }

    /// One of the two interrupt lines.
    pub(crate) fn irq(&self, line: usize) -> bool {
        self.status(line) != 0
    }

    fn status(&self, line: usize) -> u32 {
        self.intr & self.inte[line] | self.intf[line]
    }

    pub(crate) fn read(&self, now: u64, offset: u32) -> Option<u32> {
        if let Some(slice) = self.slices.get((offset / SLICE_BYTES) as usize) {
            return Some(match offset % SLICE_BYTES {
                0x00 => slice.csr,
                0x04 => slice.div,
                0x08 => u32::from(slice.position(self.cycles.at(now)).0),
                0x0c => u32::from(slice.written.compare[1]) << 16 | u32::from(slice.written.compare[0]),
                _ => u32::from(slice.written.top),
            });
        }
        Some(match offset {
            0xf0 => self.slices.iter().rev().fold(0, |word, slice| word << 1 | slice.csr & CSR_EN),
            0xf4 => self.intr,
            0xf8 | 0x104 => self.inte[line_of(offset)],
            0xfc | 0x108 => self.intf[line_of(offset)],
            0x100 | 0x10c => self.status(line_of(offset)),
            _ => return None,
        })
    }

    pub(crate) fn write(&mut self, now: u64, offset: u32, value: u32) -> Option<Written> {
        let cycle = self.cycles.at(now);
        let mut written = Written::AsSet;
        if let Some(slice) = self.slices.get_mut((offset / SLICE_BYTES) as usize) {
            if slice.write(cycle, offset % SLICE_BYTES, value) {
                self.intr |= 1 << (offset / SLICE_BYTES);
            }
            if offset.is_multiple_of(SLICE_BYTES) && value & CSR_DIVMODE != 0 {
                written = Written::NotModelled;
            }
        } else {
            match offset {
                0xf0 => {
                    for (n, slice) in self.slices.iter_mut().enumerate() {
                        let csr = slice.csr & !CSR_EN | value >> n & CSR_EN;
                        slice.write(cycle, 0, csr);
                    }
                }
                0xf4 => self.intr &= !value,
                0xf8 | 0x104 => self.inte[line_of(offset)] = value & ALL,
                0xfc | 0x108 => self.intf[line_of(offset)] = value & ALL,
                0x100 | 0x10c => {}
                _ => return None,
            }
        }
        self.schedule();
        Some(written)
    }
}

/// Which interrupt line a register from IRQ0_INTE to IRQ1_INTS is for.
fn line_of(offset: u32) -> usize {
    usize::from(offset >= 0x104)
}

impl Slice {
    fn new() -> Self {
        let levels = Levels { compare: [0; 2], top: u16::MAX };
        Self {
            csr: 0,
            div: DIV_RESET,
            written: levels,
            latched: levels,
            count: 0,
            down: false,
            since: 0,
            next: u64::MAX,
        }
    }

    fn runs(&self) -> bool {
        self.csr & (CSR_EN | CSR_DIVMODE) == CSR_EN
    }

    /// Sixteenths of a cycle from count to count.
    fn step(&self) -> u64 {
        let whole = if self.div >> 4 == 0 { 256 } else { self.div >> 4 };
        u64::from(whole << 4 | self.div & 15)
    }

    fn outputs(&self) -> u32 {
        let high = |channel: usize| {
            let inverted = self.csr >> CSR_INV_SHIFT >> channel & 1 != 0;
            u32::from((self.count < self.latched.compare[channel]) != inverted) << channel
        };
        high(0) | high(1)
    }

    /// How many counts it is to the turn: to the next 0 on the way up, or to the first of the two at TOP; on the way down to
    /// the second 0. A count beyond TOP runs on to the end of its 16 bits.
    fn counts_to_turn(&self) -> u64 {
        let end = if self.count <= self.latched.top { self.latched.top } else { u16::MAX };
        u64::from(if self.down { self.count } else { end - self.count }) + 1
    }

    /// How many counts it is to the next event.
    fn counts_to_event(&self) -> u64 {
        let mut counts = self.counts_to_turn();
        for compare in self.latched.compare {
            let to = if self.down {
                // High again as soon as the count is below.
                compare.checked_sub(1).and_then(|below| self.count.checked_sub(below))
            } else {
                compare.checked_sub(self.count)
            };
            if let Some(to @ 1..) = to {
                counts = counts.min(u64::from(to));
            }
        }
        counts
    }

    /// Moves by `counts`, which is no further than to the next event; returns whether the count wrapped.
    fn advance(&mut self, counts: u64) -> bool {
        let turns = counts >= self.counts_to_turn();
        let up_to_top = self.csr & CSR_PH_CORRECT != 0 && !self.down && self.count <= self.latched.top;
        if !turns {
            // Less than 65536 away.
            let counts = counts as u16;
            self.count = if self.down { self.count - counts } else { self.count + counts };
            return false;
        }
        self.down = up_to_top;
        if up_to_top {
            self.count = self.latched.top;
            return false;
        }
        self.count = 0;
        self.latched = self.written;
        true
    }

    /// Does what is due at `next`; returns whether the count wrapped.
    fn event(&mut self) -> bool {
        let counts = self.counts_to_event();
        self.since += counts * self.step();
        let wrapped = self.advance(counts);
        self.schedule();
        wrapped
    }

    fn schedule(&mut self) {
        self.next = if self.runs() { (self.since + self.counts_to_event() * self.step()) >> 4 } else { u64::MAX };
    }

    /// How many counts have passed since the last event, by the beginning of `cycle`.
    fn counts_until(&self, cycle: u64) -> u64 {
        if self.runs() { ((cycle << 4 | 15).saturating_sub(self.since)) / self.step() } else { 0 }
    }

    /// Count and direction at the beginning of `cycle`, with no event between.
    fn position(&self, cycle: u64) -> (u16, bool) {
        let counts = self.counts_until(cycle) as u16;
        (if self.down { self.count.wrapping_sub(counts) } else { self.count.wrapping_add(counts) }, self.down)
    }

    /// Brings count and time up to `cycle`, so that what decides over the next event may change.
    fn settle(&mut self, cycle: u64) {
        let counts = self.counts_until(cycle);
        (self.count, self.down) = self.position(cycle);
        self.since += counts * self.step();
    }

    /// Writes a register; returns whether the count wrapped by it.
    fn write(&mut self, cycle: u64, register: u32, value: u32) -> bool {
        self.settle(cycle);
        let mut wrapped = false;
        match register {
            0x00 => {
                let ran = self.runs();
                self.csr = value & CSR_HELD;
                if self.runs() && !ran {
                    self.since = cycle << 4;
                }
                if value & CSR_PH_CORRECT == 0 {
                    self.down = false;
                }
                if self.runs() && value & CSR_PH_ADV != 0 {
                    wrapped = self.advance(1);
                }
                if value & CSR_PH_RET != 0 {
                    self.since += self.step();
                }
            }
            0x04 => {
                self.div = value & 0xfff;
                // A shorter step than has passed already ends with this cycle.
                self.since = self.since.max(((cycle + 1) << 4).saturating_sub(self.step()));
            }
            0x08 => self.count = value as u16,
            0x0c => self.written.compare = [value as u16, (value >> 16) as u16],
            _ => self.written.top = value as u16,
        }
        if self.csr & CSR_EN == 0 {
            self.latched = self.written;
        }
        self.schedule();
        wrapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate::Rate;

    /// A slice as the datasheet draws it, cycle by cycle: an accumulator that enables a counter, a comparator for each
    /// output, and registers that are taken over when the counter wraps.
    #[derive(Default)]
    struct Drawn {
        csr: u32,
        div: u32,
        passed: u32,
        count: u16,
        down: bool,
        written: ([u16; 2], u16),
        latched: ([u16; 2], u16),
        wraps: u32,
    }

    impl Drawn {
        fn cycle(&mut self) {
            if self.csr & CSR_EN == 0 {
                return;
            }
            let step = if self.div >> 4 == 0 { self.div | 0x1000 } else { self.div };
            self.passed += 16;
            if self.passed < step {
                return;
            }
            self.passed -= step;
            let top = self.latched.1;
            let wraps = match (self.csr & CSR_PH_CORRECT != 0, self.down) {
                (_, true) if self.count == 0 => true,
                (_, true) => {
                    self.count -= 1;
                    false
                }
                (true, false) if self.count == top => {
                    self.down = true;
                    false
                }
                _ if self.count == top || self.count == u16::MAX => true,
                _ => {
                    self.count += 1;
                    false
                }
            };
            if wraps {
                self.count = 0;
                self.down = false;
                self.latched = self.written;
                self.wraps += 1;
            }
        }

        fn outputs(&self) -> u32 {
            let high = |n: usize| u32::from((self.count < self.latched.0[n]) != (self.csr >> (2 + n) & 1 != 0)) << n;
            high(0) | high(1)
        }
    }

    #[test]
    fn events_are_what_counting_every_cycle_gives() {
        let mut random = fastrand::Rng::with_seed(0x5eed);
        for round in 0..200 {
            let mut pwm = Pwm::new();
            let mut cadence = Cadence::new(Rate::hz(150_000_000).period(1));
            pwm.set_clk_sys(0, Some(cadence));
            let mut drawn = Drawn { div: DIV_RESET, latched: ([0; 2], u16::MAX), ..Drawn::default() };
            drawn.written = drawn.latched;
            let (mut now, mut wraps) = (0, 0);
            for cycle in 0..3_000 {
                if cycle == 0 || random.u32(..100) == 0 {
                    let small = random.u32(1..40);
                    match random.u32(..6) {
                        // The divider only while it is off: how far it had come is not the datasheet's to say.
                        0 if drawn.csr & CSR_EN == 0 => {
                            drawn.div = random.u32(..0x40) + 0x10;
                            pwm.write(now, 0x04, drawn.div);
                        }
                        1 => {
                            drawn.written.1 = small as u16;
                            pwm.write(now, 0x10, small);
                        }
                        2 | 3 => {
                            drawn.written.0 = [small as u16, random.u16(..40)];
                            pwm.write(now, 0x0c, u32::from(drawn.written.0[1]) << 16 | small);
                        }
                        4 => {
                            drawn.count = small as u16;
                            pwm.write(now, 0x08, small);
                        }
                        _ => {
                            let csr = random.u32(..16);
                            if drawn.csr & CSR_EN == 0 {
                                // A count comes in the cycle in which its time is up, not after it.
                                drawn.passed = 15;
                            }
                            drawn.csr = csr;
                            drawn.down &= csr & CSR_PH_CORRECT != 0;
                            pwm.write(now, 0x00, csr);
                        }
                    }
                    if drawn.csr & CSR_EN == 0 {
                        drawn.latched = drawn.written;
                    }
                }
                assert_eq!(pwm.outputs(), drawn.outputs(), "round {round}, cycle {cycle}");
                assert_eq!(pwm.read(now, 0x08), Some(u32::from(drawn.count)), "round {round}, cycle {cycle}");
                assert_eq!(wraps, drawn.wraps, "round {round}, cycle {cycle}");
                drawn.cycle();
                now += cadence.step();
                pwm.service(now, |_, _| {});
                wraps += pwm.read(now, 0xf4).unwrap();
                pwm.write(now, 0xf4, 1);
            }
        }
    }
}
