//! Edges in, samples out: what a logic analyser clipped to the board's lines would have stored.
//!
//! Promises that sample `k` shows the lines at exactly `t0 + k / samplerate`, in whole numbers, so that nothing drifts
//! however long a capture is; and that lines which do not change cost next to nothing. It leaves the wire format of
//! the stream's ends to the analyser's protocol.

use std::collections::VecDeque;

use rp2350_model::time::UNITS_PER_SECOND;
use rp2350_model::{Edge, Instant, Line};

/// Bytes of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleUnit {
    /// Channels 0 to 7.
    Bits8,
    /// All channels, little-endian.
    Bits16,
}

/// A running capture.
#[derive(Debug)]
pub struct Capture {
    channels: Vec<Line>,
    samplerate_hz: u64,
    unit: SampleUnit,
    t0: Instant,
    /// The next sample's number.
    next: u64,
    /// The channels' levels at the next sample, but for the edges still queued.
    levels: u16,
    edges: VecDeque<Edge>,
}

impl Capture {
    /// A capture whose sample 0 is taken at `t0`. `level` gives the lines' levels now, before any edge it will be given.
    pub fn new(
        channels: &[Line],
        samplerate_hz: u32,
        unit: SampleUnit,
        t0: Instant,
        level: impl Fn(Line) -> bool,
    ) -> Self {
        let levels = channels.iter().enumerate().fold(0, |bits, (k, line)| bits | u16::from(level(*line)) << k);
        Self {
            channels: channels.to_vec(),
            samplerate_hz: u64::from(samplerate_hz),
            unit,
            t0,
            next: 0,
            levels,
            edges: VecDeque::new(),
        }
    }

    /// Takes edges, in order of time.
    pub fn push(&mut self, edges: &[Edge]) {
        let seen = |edge: &&Edge| self.channels.contains(&edge.line);
        self.edges.extend(edges.iter().filter(seen));
    }

    /// How many samples were taken before `now` and not fetched yet.
    pub fn waiting(&self, now: Instant) -> u64 {
        self.first_sample_at(now).saturating_sub(self.next)
    }

    /// Appends the next samples taken before `now`, at most `max`.
    pub fn take(&mut self, now: Instant, max: usize, into: &mut Vec<u8>) {
        let end = self.first_sample_at(now).min(self.next + max as u64);
        while self.next < end {
            while let Some(edge) = self.edges.front() {
                if self.first_sample_at(edge.at) > self.next {
                    break;
                }
                self.apply(*edge);
                self.edges.pop_front();
            }
            let until = match self.edges.front() {
                Some(edge) => end.min(self.first_sample_at(edge.at)),
                None => end,
            };
            self.fill((until - self.next) as usize, into);
            self.next = until;
        }
    }

    /// The number of the first sample at or after `at`.
    fn first_sample_at(&self, at: Instant) -> u64 {
        let since = at.units().saturating_sub(self.t0.units());
        let samples = (u128::from(since) * u128::from(self.samplerate_hz)).div_ceil(u128::from(UNITS_PER_SECOND));
        // Fits: at most 48 years of time at 100 MHz.
        samples as u64
    }

    fn apply(&mut self, edge: Edge) {
        for (k, line) in self.channels.iter().enumerate() {
            if *line == edge.line {
                self.levels = self.levels & !(1 << k) | u16::from(edge.high) << k;
            }
        }
    }

    fn fill(&self, samples: usize, into: &mut Vec<u8>) {
        let [low, high] = self.levels.to_le_bytes();
        match self.unit {
            SampleUnit::Bits8 => into.resize(into.len() + samples, low),
            SampleUnit::Bits16 => {
                into.reserve(2 * samples);
                for _ in 0..samples {
                    into.extend_from_slice(&[low, high]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
