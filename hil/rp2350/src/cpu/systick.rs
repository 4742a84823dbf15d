//! SysTick: a 24-bit down-counter on the core clock or on the chip's external reference.
//!
//! Counted lazily: the register values are as of `since`, and [`SysTick::advance`] brings them up to now.

/// CSR bits.
const ENABLE: u32 = 1;
const TICKINT: u32 = 1 << 1;
const CLKSOURCE: u32 = 1 << 2;
const COUNTFLAG: u32 = 1 << 16;
const MAX: u32 = 0xff_ffff;

#[derive(Clone, Debug)]
pub(super) struct SysTick {
    csr: u32,
    reload: u32,
    value: u32,
    /// Cycle at which `value` was right.
    since: u64,
    /// Core cycles per tick of the external reference.
    reference: Option<u32>,
    /// Cycle at which the counter reaches zero.
    due: u64,
}

impl Default for SysTick {
    fn default() -> Self {
        SysTick { csr: 0, reload: 0, value: 0, since: 0, reference: None, due: u64::MAX }
    }
}

impl SysTick {
    #[inline]
    pub(super) fn due(&self) -> u64 {
        self.due
    }

    /// Cycle at which the exception will be pended, if it ever is.
    pub(super) fn next_exception(&self) -> Option<u64> {
        (self.due != u64::MAX && self.csr & TICKINT != 0).then_some(self.due)
    }

    /// Cycles per count, or `None` while the counter stands.
    fn divisor(&self) -> Option<u64> {
        if self.csr & ENABLE == 0 {
            None
        } else if self.csr & CLKSOURCE != 0 {
            Some(1)
        } else {
            self.reference.map(u64::from)
        }
    }

    fn schedule(&mut self) {
        let counts = match (self.value, self.reload) {
            (0, 0) => None,
            (0, reload) => Some(u64::from(reload) + 1),
            (value, _) => Some(u64::from(value)),
        };
        self.due = match (self.divisor(), counts) {
            (Some(divisor), Some(counts)) => self.since + divisor * counts,
            _ => u64::MAX,
        };
    }

    /// Counts up to cycle `now`; returns whether the exception is to be pended.
    pub(super) fn advance(&mut self, now: u64) -> bool {
        let Some(divisor) = self.divisor() else {
            self.since = now;
            return false;
        };
        let mut ticks = now.saturating_sub(self.since) / divisor;
        self.since += ticks * divisor;
        let mut fired = false;
        while ticks > 0 {
            if self.value == 0 {
                if self.reload == 0 {
                    break;
                }
                self.value = self.reload;
                ticks -= 1;
                // Whole periods leave no other trace than the flag.
                let period = u64::from(self.reload) + 1;
                if ticks >= period {
                    fired = true;
                    ticks %= period;
                }
            } else if ticks >= u64::from(self.value) {
                ticks -= u64::from(self.value);
                self.value = 0;
                fired = true;
            } else {
                self.value -= ticks as u32;
                ticks = 0;
            }
        }
        if fired {
            self.csr |= COUNTFLAG;
        }
        self.schedule();
        fired && self.csr & TICKINT != 0
    }

    /// CSR, RVR, CVR, CALIB at offsets 0, 4, 8, 12; the counter is up to date. A read of CSR clears COUNTFLAG.
    pub(super) fn read(&mut self, offset: u32) -> u32 {
        match offset {
            0 => {
                let csr = self.csr;
                self.csr &= !COUNTFLAG;
                csr
            }
            4 => self.reload,
            8 => self.value,
            // RP2350: NOREF clear, SKEW and TENMS zero.
            _ => 0,
        }
    }

    pub(super) fn write(&mut self, offset: u32, value: u32) {
        match offset {
            0 => self.csr = self.csr & COUNTFLAG | value & (ENABLE | TICKINT | CLKSOURCE),
            4 => self.reload = value & MAX,
            8 => {
                self.value = 0;
                self.csr &= !COUNTFLAG;
            }
            _ => {}
        }
        self.schedule();
    }

    pub(super) fn set_reference(&mut self, cycles_per_tick: Option<u32>, now: u64) {
        self.reference = cycles_per_tick.filter(|&cycles| cycles != 0);
        self.since = now;
        self.schedule();
    }

    /// After a reset: the reference clock is the chip's, not the core's.
    pub(super) fn keep_reference(&mut self, old: &SysTick, now: u64) {
        self.set_reference(old.reference, now);
    }
}
