//! How often a guest may call its host: at most so many calls in any one second.
//!
//! A guest that keeps its limit is never trapped. One that exceeds it by more than an eighth always is. The clock is read
//! only at every eighth part of the limit, because most calls cost less than reading it.

/// Checkpoints in the longest span that is looked at.
const DEPTH: u32 = 8;
const SECOND_US: u64 = 1_000_000;

/// Counts the calls of one guest.
pub(crate) struct Rate {
    /// Calls from one checkpoint to the next.
    step: u32,
    /// Calls until the next checkpoint.
    left: u32,
    /// Checkpoints in a span of at least the limit: as many as `times` keeps.
    depth: usize,
    /// When the last checkpoints were, the oldest at `oldest`. Those not reached yet are nothing.
    times: [Option<u64>; DEPTH as usize],
    oldest: usize,
}

impl Rate {
    pub(crate) fn new(calls_per_second: u32) -> Self {
        // From one checkpoint to the `depth`-th after it there are at least `calls_per_second` calls, and the one at its start.
        let depth = calls_per_second.min(DEPTH);
        let step = calls_per_second.div_ceil(depth.max(1));
        Self { step, left: 1, depth: depth as usize, times: [None; DEPTH as usize], oldest: 0 }
    }

    /// Books a call. True: it is at a checkpoint, to be told to [`Self::checkpoint`].
    pub(crate) fn count(&mut self) -> bool {
        self.left -= 1;
        self.left == 0
    }

    /// A checkpoint, at `now_us`. False: there were more calls than the limit in less than a second.
    pub(crate) fn checkpoint(&mut self, now_us: u64) -> bool {
        self.left = self.step.max(1);
        if self.depth == 0 {
            return false;
        }
        let then = self.times[self.oldest].replace(now_us);
        self.oldest = (self.oldest + 1) % self.depth;
        then.is_none_or(|then_us| now_us.saturating_sub(then_us) >= SECOND_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls that get through before the limit ends them, of `calls`, each `period_us` after the one before.
    fn served(limit: u32, calls: u32, period_us: u64) -> u32 {
        let mut rate = Rate::new(limit);
        (0..calls).find(|call| rate.count() && !rate.checkpoint(u64::from(*call) * period_us)).unwrap_or(calls)
    }

    #[test]
    fn who_keeps_the_limit_is_left_alone() {
        for limit in [1, 2, 7, 8, 9, 10, 1000, 9999, 10_000] {
            assert_eq!(
                served(limit, 3 * limit + 20, 1_000_000_u64.div_ceil(u64::from(limit))),
                3 * limit + 20,
                "{limit}"
            );
        }
    }

    #[test]
    fn a_burst_of_the_whole_limit_is_within_it() {
        for limit in [1, 5, 8, 100, 10_000] {
            assert_eq!(served(limit, limit, 0), limit);
        }
    }

    #[test]
    fn who_exceeds_it_by_more_than_an_eighth_is_stopped() {
        for limit in [1, 2, 7, 8, 9, 1000, 10_000] {
            let served = served(limit, 10 * limit + 100, 0);
            assert!(served >= limit && served <= limit + limit / 8 + 8, "{limit}: {served}");
        }
        assert_eq!(served(0, 1, 0), 0);
    }
}
