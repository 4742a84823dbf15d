//! Pulse generators as the contract describes them: pins 2n and 2n+1 share one, and so their period; what is set takes effect
//! with the next period, the first for a pin at once.

use std::collections::VecDeque;

/// Two pins each.
const GENERATORS: usize = 16;

/// The generators of a board. Those without pulses do not run.
#[derive(Default)]
pub struct Pulses {
    generators: [Option<Generator>; GENERATORS],
}

struct Generator {
    /// When the running period ends.
    period_end_us: u64,
    period_us: u64,
    /// Of the even and of the odd pin.
    pulse_us: [Option<u64>; 2],
    /// What is left of the running period, in order of time: when, which of the two pins, and its level.
    levels: VecDeque<(u64, usize, bool)>,
}

impl Generator {
    /// Adds the part of a period from `from_us` on, in which a pin of the period that began at `began_us` has a level.
    fn plan(&mut self, began_us: u64, from_us: u64, index: usize) {
        let Some(pulse_us) = self.pulse_us[index] else { return };
        let end_us = began_us + pulse_us;
        self.levels.push_back((from_us, index, end_us > from_us));
        if end_us > from_us && end_us < self.period_end_us {
            self.levels.push_back((end_us, index, false));
        }
        self.levels.make_contiguous().sort_by_key(|(at_us, _, _)| *at_us);
    }

    fn next_period(&mut self) {
        let began_us = self.period_end_us;
        self.period_end_us += self.period_us;
        for index in 0..2 {
            self.plan(began_us, began_us, index);
        }
    }
}

impl Pulses {
    /// Sets the pulses of a pin.
    pub fn set(&mut self, now_us: u64, pin: u32, period_us: u32, pulse_us: u32) {
        let index = pin as usize % 2;
        let generator = self.generators[pin as usize / 2].get_or_insert_with(|| Generator {
            period_end_us: now_us + u64::from(period_us),
            period_us: u64::from(period_us),
            pulse_us: [None; 2],
            levels: VecDeque::new(),
        });
        let began_us = generator.period_end_us - generator.period_us;
        let first = generator.pulse_us[index].replace(u64::from(pulse_us)).is_none();
        if first {
            generator.plan(began_us, now_us, index);
        }
        generator.period_us = u64::from(period_us);
    }

    /// Ends the pulses of a pin.
    pub fn stop(&mut self, pin: u32) {
        let slot = &mut self.generators[pin as usize / 2];
        if let Some(generator) = slot {
            let index = pin as usize % 2;
            generator.pulse_us[index] = None;
            generator.levels.retain(|(_, of, _)| *of != index);
            if generator.pulse_us == [None; 2] {
                *slot = None;
            }
        }
    }

    /// The next time at which a pin gets a level, up to `until_us`: time, pin, level. In order of time.
    pub fn next(&mut self, until_us: u64) -> Option<(u64, u32, bool)> {
        loop {
            let running = self.generators.iter().enumerate().filter_map(|(number, generator)| {
                let generator = generator.as_ref()?;
                let at_us = generator.levels.front().map_or(generator.period_end_us, |(at_us, _, _)| *at_us);
                (at_us <= until_us).then_some((at_us, number))
            });
            let (_, number) = running.min()?;
            let generator = self.generators[number].as_mut()?;
            match generator.levels.pop_front() {
                Some((at_us, index, high)) => return Some((at_us, (number * 2 + index) as u32, high)),
                None => generator.next_period(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(pulses: &mut Pulses, until_us: u64) -> Vec<(u64, u32, bool)> {
        std::iter::from_fn(|| pulses.next(until_us)).collect()
    }

    #[test]
    fn a_new_pulse_waits_for_the_next_period_and_the_first_does_not() {
        let mut pulses = Pulses::default();
        pulses.set(50, 16, 20_000, 1500);
        assert_eq!(until(&mut pulses, 1000), [(50, 16, true)]);
        pulses.set(1000, 16, 20_000, 2000);
        assert_eq!(until(&mut pulses, 22_049), [(1550, 16, false), (20_050, 16, true)]);
        assert_eq!(until(&mut pulses, 22_050), [(22_050, 16, false)]);
    }

    #[test]
    fn nothing_and_everything_are_steady() {
        let mut pulses = Pulses::default();
        pulses.set(0, 2, 100, 0);
        pulses.set(0, 4, 100, u32::MAX);
        let levels = until(&mut pulses, 1000);
        assert!(levels.iter().all(|(_, pin, high)| *high == (*pin == 4)));
    }

    #[test]
    fn two_pins_share_a_period() {
        let mut pulses = Pulses::default();
        pulses.set(0, 16, 100, 10);
        pulses.set(30, 17, 200, 50);
        // The odd pin joins the running period, whose pulse would be over after 50.
        assert_eq!(until(&mut pulses, 99), [(0, 16, true), (10, 16, false), (30, 17, true), (50, 17, false)]);
        assert_eq!(until(&mut pulses, 299), [(100, 16, true), (100, 17, true), (110, 16, false), (150, 17, false)]);
        pulses.stop(16);
        assert_eq!(until(&mut pulses, 399), [(300, 17, true), (350, 17, false)]);
        pulses.stop(17);
        assert_eq!(until(&mut pulses, u64::MAX), []);
    }
}
