//! WATCHDOG: a countdown that resets the chip, and eight words that survive it (RP2350 datasheet §12.9).

use crate::rate::{Clock, Counter};

const ENABLE: u32 = 1 << 30;
const TRIGGER: u32 = 1 << 31;
const PAUSE_BITS: u32 = 7 << 24;
const LOAD_MASK: u32 = 0x00ff_ffff;
const REASON_TIMER: u32 = 1;
const REASON_FORCE: u32 = 2;

#[derive(Clone)]
pub(crate) struct Watchdog {
    ticks: Counter,
    enabled: bool,
    pause: u32,
    load: u32,
    loaded_at: u64,
    due: Option<u64>,
    pub(crate) reason: u32,
    pub(crate) scratch: [u32; 8],
    fired: bool,
}

impl Watchdog {
    pub(crate) fn new() -> Self {
        Self {
            ticks: Counter::stopped(0),
            enabled: false,
            pause: PAUSE_BITS,
            load: 0,
            loaded_at: 0,
            due: None,
            reason: 0,
            scratch: [0; 8],
            fired: false,
        }
    }

    /// A watchdog reset: reason and scratch words stay, the countdown stops.
    pub(crate) fn soft_reset(&mut self) {
        let old = std::mem::replace(self, Self::new());
        self.ticks = old.ticks;
        self.reason = old.reason;
        self.scratch = old.scratch;
    }

    pub(crate) fn set_clock(&mut self, now: u64, tick: Option<Clock>) {
        self.ticks.set_clock(now, tick);
        self.schedule(now);
    }

    fn elapsed(&self, now: u64) -> u64 {
        self.ticks.at(now).wrapping_sub(self.loaded_at)
    }

    fn schedule(&mut self, now: u64) {
        let left = u64::from(self.load).saturating_sub(self.elapsed(now));
        self.due = self.ticks.time_ahead(now, left.max(1)).filter(|_| self.enabled);
    }

    pub(crate) fn next_event(&self) -> u64 {
        if self.fired { 0 } else { self.due.unwrap_or(u64::MAX) }
    }

    /// `true` once when it bites.
    pub(crate) fn service(&mut self, now: u64) -> bool {
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            self.reason = REASON_TIMER;
            self.fired = true;
        }
        std::mem::take(&mut self.fired)
    }

    pub(crate) fn read(&self, now: u64, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 => {
                let left = u64::from(self.load).saturating_sub(self.elapsed(now));
                let left = if self.enabled { left as u32 } else { self.load };
                left | self.pause | if self.enabled { ENABLE } else { 0 }
            }
            // Write-only.
            0x04 => 0,
            0x08 => self.reason,
            0x0c..=0x28 => self.scratch[(offset / 4 - 3) as usize],
            _ => return None,
        })
    }

    pub(crate) fn write(&mut self, now: u64, offset: u32, value: u32) -> Option<()> {
        match offset {
            0x00 => {
                self.pause = value & PAUSE_BITS;
                let enable = value & ENABLE != 0;
                if enable && !self.enabled {
                    self.loaded_at = self.ticks.at(now);
                } else if self.enabled && !enable {
                    self.load = u64::from(self.load).saturating_sub(self.elapsed(now)) as u32;
                }
                self.enabled = enable;
                self.schedule(now);
                if value & TRIGGER != 0 {
                    self.reason = REASON_FORCE;
                    self.fired = true;
                }
            }
            0x04 => {
                self.load = value & LOAD_MASK;
                self.loaded_at = self.ticks.at(now);
                self.schedule(now);
            }
            0x08 => {}
            0x0c..=0x28 => self.scratch[(offset / 4 - 3) as usize] = value,
            _ => return None,
        }
        Some(())
    }
}
