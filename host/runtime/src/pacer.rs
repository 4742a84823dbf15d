//! When a delay ends: the rule that `wit/platform.wit` promises under `delay-ms`.

/// How long after the end of a delay the next one still counts from that end.
const GRACE_US: u64 = 1_000;

/// From a host function's return to the next one's call, a slow interpreter takes this long if the guest does nothing between.
const HOST_GAP_US: u64 = 10;

/// Deadlines of one guest's delays, in microseconds of the board's clock.
#[derive(Debug, Default)]
pub struct Pacer {
    end_us: Option<u64>,
}

impl Pacer {
    /// The guest's first call is at `start_us`: its first delay counts as if another had ended then.
    pub fn start(&mut self, start_us: u64) {
        self.end_us = Some(start_us);
    }

    /// The guest's second call came `gap_us` after the first one returned. After every later delay the first call comes so
    /// much later than after the start, where it came at once; so the start is moved, and all edges keep one distance.
    /// A longer gap than [`HOST_GAP_US`] is the guest's own work, and no measure. No effect after the first delay.
    pub fn first_gap(&mut self, start_us: u64, gap_us: u64) {
        if self.end_us == Some(start_us) && gap_us <= HOST_GAP_US {
            self.end_us = Some(start_us.saturating_sub(gap_us));
        }
    }

    /// A delay ends at `end_us` that the guest asked for by its end.
    pub fn ends(&mut self, end_us: u64) {
        self.end_us = Some(end_us);
    }

    /// The deadline of a delay of `ms` milliseconds that is asked for at `now_us`; never before `now_us`.
    pub fn deadline_us(&mut self, now_us: u64, ms: u32) -> u64 {
        let start_us = match self.end_us {
            // A guest cannot ask before its last delay ended, so the difference is the guest's own run time.
            Some(end_us) if ms > 0 && now_us.saturating_sub(end_us) <= GRACE_US => end_us,
            _ => now_us,
        };
        let deadline_us = start_us + u64::from(ms) * 1_000;
        self.end_us = Some(deadline_us);
        deadline_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_keeps_its_period_whatever_it_costs() {
        let mut pacer = Pacer::default();
        let mut now_us = 5_000;
        for round in 1..=10_000_u64 {
            let deadline_us = pacer.deadline_us(now_us, 500);
            assert_eq!(deadline_us, 5_000 + round * 500_000);
            now_us = deadline_us + (round * 7) % 1_001;
        }
    }

    #[test]
    fn a_longer_pause_counts_from_the_call() {
        let mut pacer = Pacer::default();
        assert_eq!(pacer.deadline_us(0, 10), 10_000);
        assert_eq!(pacer.deadline_us(11_001, 10), 21_001);
        assert_eq!(pacer.deadline_us(22_001, 10), 31_001);
    }

    #[test]
    fn zero_restarts_the_count() {
        let mut pacer = Pacer::default();
        assert_eq!(pacer.deadline_us(0, 10), 10_000);
        assert_eq!(pacer.deadline_us(10_400, 0), 10_400);
        assert_eq!(pacer.deadline_us(10_700, 10), 20_400);
    }

    #[test]
    fn the_shortest_delay_never_ends_in_the_past() {
        let mut pacer = Pacer::default();
        pacer.deadline_us(0, 1);
        assert_eq!(pacer.deadline_us(2_000, 1), 2_000);
    }

    #[test]
    fn the_longest_delay_does_not_overflow() {
        let mut pacer = Pacer::default();
        assert_eq!(pacer.deadline_us(1, u32::MAX), 1 + 4_294_967_295_000);
    }
}
