//! TIMER0 and TIMER1: a 64-bit microsecond counter with four alarms (RP2350 datasheet §12.8). It counts the tick generator's
//! ticks, so its phase is the generator's, whenever it was taken out of reset or set.

use crate::rate::{Clock, Counter};

const ALARMS: usize = 4;

#[derive(Clone)]
pub(crate) struct Timer {
    counter: Counter,
    /// The tick generator's, and clk_sys, which SOURCE may choose instead.
    tick: Option<Clock>,
    clk_sys: Option<Clock>,
    /// Latched by a read of TIMELR, and by a write of TIMELW.
    high_read: u32,
    low_write: u32,
    alarm: [u32; ALARMS],
    /// When each armed alarm fires; never while the counter stands still.
    armed: [bool; ALARMS],
    due: [Option<u64>; ALARMS],
    dbgpause: u32,
    pause: bool,
    locked: bool,
    source: u32,
    intr: u32,
    inte: u32,
    intf: u32,
}

impl Timer {
    pub(crate) fn new() -> Self {
        Self {
            counter: Counter::stopped(0),
            tick: None,
            clk_sys: None,
            high_read: 0,
            low_write: 0,
            alarm: [0; ALARMS],
            armed: [false; ALARMS],
            due: [None; ALARMS],
            dbgpause: 7,
            pause: false,
            locked: false,
            source: 0,
            intr: 0,
            inte: 0,
            intf: 0,
        }
    }

    /// The clocks it may count have changed.
    pub(crate) fn set_clocks(&mut self, now: u64, tick: Option<Clock>, clk_sys: Option<Clock>) {
        self.tick = tick;
        self.clk_sys = clk_sys;
        self.follow(now);
    }

    fn follow(&mut self, now: u64) {
        let clock = if self.source != 0 { self.clk_sys } else { self.tick };
        self.counter.set_clock(now, clock.filter(|_| !self.pause));
        for n in 0..ALARMS {
            self.schedule(now, n);
        }
    }

    /// An alarm fires while the counter's low word is equal to it: at once for the present value, and for a value that
    /// has just passed a whole turn later.
    fn schedule(&mut self, now: u64, n: usize) {
        let ahead = self.alarm[n].wrapping_sub(self.counter.at(now) as u32);
        self.due[n] = self.counter.time_ahead(now, u64::from(ahead)).filter(|_| self.armed[n]);
    }

    /// When the next alarm fires.
    pub(crate) fn next_event(&self) -> u64 {
        self.due.iter().flatten().copied().min().unwrap_or(u64::MAX)
    }

    /// Lets the alarms fire that are due at `now`.
    pub(crate) fn service(&mut self, now: u64) {
        for n in 0..ALARMS {
            if self.due[n].is_some_and(|due| due <= now) {
                self.due[n] = None;
                self.armed[n] = false;
                self.intr |= 1 << n;
            }
        }
    }

    /// The four interrupt lines.
    pub(crate) fn irq(&self) -> u32 {
        self.intr & self.inte | self.intf
    }

    pub(crate) fn read(&mut self, now: u64, offset: u32) -> Option<u32> {
        let count = self.counter.at(now);
        Some(match offset {
            0x08 => self.high_read,
            0x0c => {
                self.high_read = (count >> 32) as u32;
                count as u32
            }
            0x10 | 0x14 | 0x18 | 0x1c => self.alarm[(offset / 4 - 4) as usize],
            0x20 => (0..ALARMS).filter(|&n| self.armed[n]).map(|n| 1 << n).sum(),
            0x24 => (count >> 32) as u32,
            0x28 => count as u32,
            0x2c => self.dbgpause,
            0x30 => u32::from(self.pause),
            0x34 => u32::from(self.locked),
            0x38 => self.source,
            0x3c => self.intr,
            0x40 => self.inte,
            0x44 => self.intf,
            0x48 => self.irq(),
            // Write-only, and read as zero on the chip.
            0x00 | 0x04 => 0,
            _ => return None,
        })
    }

    pub(crate) fn write(&mut self, now: u64, offset: u32, value: u32) -> Option<()> {
        if self.locked && !matches!(offset, 0x20 | 0x3c..=0x48) {
            return Some(());
        }
        match offset {
            0x00 => {
                let count = u64::from(value) << 32 | u64::from(self.low_write);
                self.counter.set(now, count);
                self.follow(now);
            }
            0x04 => self.low_write = value,
            0x10 | 0x14 | 0x18 | 0x1c => {
                let n = (offset / 4 - 4) as usize;
                self.alarm[n] = value;
                self.armed[n] = true;
                self.schedule(now, n);
            }
            0x20 => {
                for n in (0..ALARMS).filter(|n| value >> n & 1 != 0) {
                    self.armed[n] = false;
                    self.due[n] = None;
                }
            }
            0x2c => self.dbgpause = value & 6 | 1,
            0x30 => {
                self.pause = value & 1 != 0;
                self.follow(now);
            }
            0x34 => self.locked |= value & 1 != 0,
            0x38 => {
                self.source = value & 1;
                self.follow(now);
            }
            0x3c => self.intr &= !value,
            0x40 => self.inte = value & 0xf,
            0x44 => self.intf = value & 0xf,
            0x08 | 0x0c | 0x24 | 0x28 | 0x48 => {}
            _ => return None,
        }
        Some(())
    }
}
