//! Exact clock arithmetic: frequencies and periods as fractions, so that a clock whose period is not a whole number of
//! time units (the ring oscillator, fractional dividers) drifts by nothing however long it runs.

use crate::time::UNITS_PER_SECOND;

/// A frequency of `hz / per` hertz, greater than zero, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    hz: u64,
    per: u64,
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Lowest terms; a fraction too fine for 64 bits loses its last bits, which no divider of the chip is able to reach
/// with any of its sources.
fn reduce(a: u128, b: u128) -> (u64, u64) {
    let g = gcd(a, b).max(1);
    let (mut a, mut b) = (a / g, b / g);
    while a > u128::from(u64::MAX) || b > u128::from(u64::MAX) {
        a >>= 1;
        b >>= 1;
    }
    ((a as u64).max(1), (b as u64).max(1))
}

impl Rate {
    pub(crate) const fn hz(hz: u64) -> Self {
        Self { hz, per: 1 }
    }

    /// This rate times `mul` over `div`; `None` if either is zero: the clock stands still.
    pub(crate) fn scaled(self, mul: u64, div: u64) -> Option<Self> {
        if mul == 0 || div == 0 {
            return None;
        }
        let (hz, per) = reduce(u128::from(self.hz) * u128::from(mul), u128::from(self.per) * u128::from(div));
        Some(Self { hz, per })
    }

    /// The period of `cycles` cycles of this rate.
    pub(crate) fn period(self, cycles: u64) -> Period {
        let (units, over) = reduce(
            u128::from(UNITS_PER_SECOND) * u128::from(self.per) * u128::from(cycles.max(1)),
            u128::from(self.hz),
        );
        Period { units, over }
    }

    /// In 1/32 kHz, rounded down: what the frequency counter shows.
    pub(crate) fn khz_32(self) -> u64 {
        let value = u128::from(self.hz) * 32 / (u128::from(self.per) * 1000);
        value.min(u128::from(u64::MAX)) as u64
    }
}

/// A time of `units / over` time units, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    units: u64,
    over: u64,
}

impl Period {
    /// Whole periods in `units`.
    fn count_in(self, units: u64) -> u64 {
        if self.over == 1 {
            units / self.units
        } else {
            (u128::from(units) * u128::from(self.over) / u128::from(self.units)) as u64
        }
    }

    /// How many cycles of `cycle` this is, to the nearest whole one.
    pub(crate) fn in_cycles_of(self, cycle: Period) -> u32 {
        let over = u128::from(self.over) * u128::from(cycle.units);
        let cycles = (u128::from(self.units) * u128::from(cycle.over) + over / 2) / over;
        cycles.min(u128::from(u32::MAX)) as u32
    }

    /// The time after which `count` periods are complete, rounded up to a whole unit.
    pub(crate) fn time_of(self, count: u64) -> u64 {
        let time = (u128::from(count) * u128::from(self.units)).div_ceil(u128::from(self.over));
        time.min(u128::from(u64::MAX)) as u64
    }
}

/// The stepping of a clock: how far time moves with each cycle. The fraction left over is carried on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cadence {
    whole: u64,
    part: u64,
    over: u64,
    carry: u64,
}

impl Cadence {
    pub(crate) fn new(period: Period) -> Self {
        Self { whole: period.units / period.over, part: period.units % period.over, over: period.over, carry: 0 }
    }

    pub(crate) fn period(&self) -> Period {
        let (units, over) =
            reduce(u128::from(self.whole) * u128::from(self.over) + u128::from(self.part), u128::from(self.over));
        Period { units, over }
    }

    /// The time one more cycle takes.
    #[inline(always)]
    pub(crate) fn step(&mut self) -> u64 {
        let mut units = self.whole;
        self.carry += self.part;
        if self.carry >= self.over {
            self.carry -= self.over;
            units += 1;
        }
        units
    }

    /// The time `cycles` more cycles take.
    pub(crate) fn steps(&mut self, cycles: u64) -> u64 {
        let parts = u128::from(self.carry) + u128::from(self.part) * u128::from(cycles);
        self.carry = (parts % u128::from(self.over)) as u64;
        self.whole.saturating_mul(cycles).saturating_add((parts / u128::from(self.over)) as u64)
    }

    /// The least number of cycles that takes at least `units`.
    pub(crate) fn cycles_for(&self, units: u64) -> u64 {
        let need = (u128::from(units) * u128::from(self.over)).saturating_sub(u128::from(self.carry));
        let cycle = u128::from(self.whole) * u128::from(self.over) + u128::from(self.part);
        need.div_ceil(cycle).min(u128::from(u64::MAX)) as u64
    }
}

/// Something that counts the cycles of a clock, evaluated when it is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counter {
    origin: u64,
    base: u64,
    period: Option<Period>,
}

impl Counter {
    pub(crate) const fn stopped(count: u64) -> Self {
        Self { origin: 0, base: count, period: None }
    }

    /// The count at time `now`.
    pub(crate) fn at(&self, now: u64) -> u64 {
        match self.period {
            Some(period) => self.base.wrapping_add(period.count_in(now.saturating_sub(self.origin))),
            None => self.base,
        }
    }

    /// When the count has gone `ahead` further than at `now`; `None` if it stands still.
    pub(crate) fn time_ahead(&self, now: u64, ahead: u64) -> Option<u64> {
        let done = self.at(now).wrapping_sub(self.base);
        let target = done.checked_add(ahead)?;
        self.period.map(|period| self.origin.saturating_add(period.time_of(target)))
    }

    /// From `now` on it counts periods of `period`, or stands still. The phase goes on only if the period stays.
    pub(crate) fn set_period(&mut self, now: u64, period: Option<Period>) {
        if period != self.period {
            *self = Self { origin: now, base: self.at(now), period };
        }
    }

    /// Sets the count; the next increment comes a full period later.
    pub(crate) fn set(&mut self, now: u64, count: u64) {
        self.origin = now;
        self.base = count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fractional_clock_does_not_drift() {
        let period = Rate::hz(11_000_000).period(1);
        let mut one_by_one = Cadence::new(period);
        let mut at_once = one_by_one;
        let sum: u64 = (0..11_000_000).map(|_| one_by_one.step()).sum();
        assert_eq!(sum, UNITS_PER_SECOND);
        assert_eq!(at_once.steps(11_000_000), UNITS_PER_SECOND);
        assert_eq!(at_once.cycles_for(UNITS_PER_SECOND), 11_000_000);
    }

    #[test]
    fn a_counter_knows_when_it_will_have_counted() {
        let mut counter = Counter::stopped(5);
        assert_eq!(counter.time_ahead(0, 1), None);
        counter.set_period(1000, Some(Rate::hz(7_000_000).period(7)));
        let due = counter.time_ahead(1000, 3).expect("it runs");
        assert_eq!(counter.at(due), 8);
        assert_eq!(counter.at(due - 1), 7);
        assert_eq!(due, 1000 + 36_000);
    }

    #[test]
    fn scaling_by_zero_stops_the_clock() {
        assert_eq!(Rate::hz(12_000_000).scaled(0, 1), None);
        assert_eq!(Rate::hz(12_000_000).scaled(125, 10), Some(Rate::hz(150_000_000)));
    }
}
