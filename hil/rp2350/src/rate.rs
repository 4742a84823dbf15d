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

/// A clock that has run evenly since a moment: its n-th edge comes n periods after `origin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    pub(crate) origin: u64,
    pub(crate) period: Period,
}

impl Clock {
    /// A clock of `period`: the one from before if it had the same, else one that starts at `now`.
    pub(crate) fn follow(before: Option<Self>, now: u64, period: Option<Period>) -> Option<Self> {
        let period = period?;
        Some(before.filter(|clock| clock.period == period).unwrap_or(Self { origin: now, period }))
    }

    /// Edges until `now`.
    pub(crate) fn count(self, now: u64) -> u64 {
        self.period.count_in(now.saturating_sub(self.origin))
    }

    fn time_of(self, count: u64) -> u64 {
        self.origin.saturating_add(self.period.time_of(count))
    }
}

/// Something that counts the edges of a clock, evaluated when it is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counter {
    /// The count when the clock had no edge yet.
    base: u64,
    clock: Option<Clock>,
}

impl Counter {
    pub(crate) const fn stopped(count: u64) -> Self {
        Self { base: count, clock: None }
    }

    /// The count at time `now`.
    pub(crate) fn at(&self, now: u64) -> u64 {
        self.base.wrapping_add(self.clock.map_or(0, |clock| clock.count(now)))
    }

    /// When the count has gone `ahead` further than at `now`; `None` if it stands still.
    pub(crate) fn time_ahead(&self, now: u64, ahead: u64) -> Option<u64> {
        let clock = self.clock?;
        Some(clock.time_of(clock.count(now).checked_add(ahead)?))
    }

    /// From `now` on it counts the edges of `clock`, or stands still.
    pub(crate) fn set_clock(&mut self, now: u64, clock: Option<Clock>) {
        if clock != self.clock {
            let count = self.at(now);
            self.clock = clock;
            self.set(now, count);
        }
    }

    /// Sets the count; the next increment comes with the clock's next edge.
    pub(crate) fn set(&mut self, now: u64, count: u64) {
        self.base = count.wrapping_sub(self.clock.map_or(0, |clock| clock.count(now)));
    }
}

/// The cycles of a clock by their numbers, at the very times at which the cores step through them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cycles {
    cadence: Option<Cadence>,
    time: u64,
    number: u64,
}

impl Cycles {
    /// From `now`, which is the beginning of a cycle, the clock goes as `cadence` says, or stands still.
    pub(crate) fn follow(&mut self, now: u64, cadence: Option<Cadence>) {
        *self = Self { cadence, time: now, number: self.at(now) };
    }

    /// The number of the cycle that begins at `now`.
    pub(crate) fn at(&self, now: u64) -> u64 {
        let units = now.saturating_sub(self.time);
        self.number + self.cadence.map_or(0, |cadence| cadence.cycles_for(units))
    }

    /// When cycle `number` begins; never while the clock stands still.
    pub(crate) fn time_of(&self, number: u64) -> u64 {
        self.cadence
            .map_or(u64::MAX, |mut cadence| self.time.saturating_add(cadence.steps(number.saturating_sub(self.number))))
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
        counter.set_clock(1000, Clock::follow(None, 1000, Some(Rate::hz(7_000_000).period(7))));
        let due = counter.time_ahead(1000, 3).expect("it runs");
        assert_eq!(counter.at(due), 8);
        assert_eq!(counter.at(due - 1), 7);
        assert_eq!(due, 1000 + 36_000);
    }

    #[test]
    fn a_counter_has_the_phase_of_its_clock() {
        let clock = Clock::follow(None, 500, Some(Rate::hz(12_000_000).period(1)));
        let mut counter = Counter::stopped(7);
        counter.set_clock(2_400, clock);
        assert_eq!((counter.at(2_499), counter.at(2_500)), (7, 8));
        counter.set(3_000, 20);
        assert_eq!((counter.at(3_499), counter.at(3_500)), (20, 21));
        counter.set_clock(4_000, None);
        assert_eq!((counter.at(9_000), counter.time_ahead(9_000, 1)), (21, None));
    }

    #[test]
    fn cycles_are_where_the_cores_step() {
        let mut cadence = Cadence::new(Rate::hz(11_000_000).period(1));
        let mut cycles = Cycles::default();
        assert_eq!((cycles.at(5), cycles.time_of(1)), (0, u64::MAX));
        cycles.follow(5, Some(cadence));
        let mut now = 5;
        for number in 0..1_000 {
            assert_eq!((cycles.at(now), cycles.time_of(number)), (number, now));
            now += cadence.step();
            if number == 500 {
                // Looked at in the middle, nothing changes.
                cycles.follow(now, Some(cadence));
            }
        }
    }

    #[test]
    fn scaling_by_zero_stops_the_clock() {
        assert_eq!(Rate::hz(12_000_000).scaled(0, 1), None);
        assert_eq!(Rate::hz(12_000_000).scaled(125, 10), Some(Rate::hz(150_000_000)));
    }
}
