//! The judge: what was captured and what the board told go in, figures and a verdict come out. Pure; it knows no file,
//! instrument or clock.
//!
//! Each kind of criterion has a module of its own, which says how it measures: [`wave`] a periodic pin, [`pulses`] pulses
//! of changing width, [`follows`] a pin that answers another one. Console, vitals and echo are compared here.

mod follows;
mod pulses;
mod wave;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use wave::Measured;

use crate::{
    capture::Capture,
    stimuli::Echoed,
    test_file::{Bound, Range, Test},
    vitals::{self, Vital},
};

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Since the first sample.
    pub at_ns: u64,
    /// The level after it.
    pub high: bool,
}

/// The part of a capture that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Reset, or the first sample.
    pub start_ns: u64,
    pub end_ns: u64,
    /// Whether `start_ns` is the moment of reset, so that the time to the first edge means something.
    pub starts_at_reset: bool,
    /// How far the clocks of board and analyser may be apart, in parts per million.
    pub clocks_ppm: u32,
}

impl Window {
    /// What two clocks may be apart at its end.
    fn clocks_ns(self) -> u64 {
        (self.end_ns - self.start_ns) / 1_000_000 * u64::from(self.clocks_ppm)
    }

    /// The edges in it.
    fn of(self, edges: &[Edge]) -> Vec<Edge> {
        edges.iter().copied().filter(|edge| (self.start_ns..=self.end_ns).contains(&edge.at_ns)).collect()
    }
}

/// What the board told by other ways than its pins.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub console: &'a [String],
    pub vitals: &'a [Vital],
    pub echoes: &'a [Echoed],
}

/// One thing that was asked, and the answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Criterion {
    pub name: String,
    pub measured: String,
    pub expected: String,
    pub passed: bool,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Verdict {
    /// The pins, or what else was looked at.
    pub title: String,
    pub passed: bool,
    pub criteria: Vec<Criterion>,
    /// Of a periodic pin; absent without a whole period.
    pub measured: Option<Measured>,
    /// From reset to the first edge; absent where reset is not in the capture.
    pub first_edge_ns: Option<u64>,
    /// What helps to find the reason of a failure: the board's last words, pins that moved instead.
    pub notes: Vec<String>,
}

impl Verdict {
    fn ask(&mut self, name: impl Into<String>, measured: String, expected: String, passed: bool) {
        self.criteria.push(Criterion { name: name.into(), measured, expected, passed });
    }
}

/// Judges everything that `test` asks for. Without `told` only what the capture decides.
pub fn judge(test: &Test, capture: &Capture, window: Window, told: Option<Told<'_>>) -> Verdict {
    let mut verdict = Verdict { title: test.title(), ..Verdict::default() };
    let edges = |pin: &str| capture.channel(pin).map_or_else(Vec::new, |channel| window.of(&channel.edges));
    if let Some(wave) = &test.wave {
        wave::judge(&edges(&wave.pin), window, test.capture, wave, &mut verdict);
    }
    if let Some(pulses) = &test.pulses {
        pulses::judge(&edges(&pulses.pin), window, pulses, &mut verdict);
    }
    if let Some(follows) = &test.follows {
        follows::judge(capture, window, follows, &mut verdict);
    }
    if let Some(told) = told {
        judge_told(test, told, &mut verdict);
    }
    verdict.passed = verdict.criteria.iter().all(|criterion| criterion.passed);
    verdict
}

fn judge_told(test: &Test, told: Told<'_>, verdict: &mut Verdict) {
    if let Some(echo) = &test.echo {
        let echoed = told.echoes.iter().find(|echoed| echoed.sent == echo.send.as_bytes());
        let received = echoed.map_or(&[][..], |echoed| &echoed.received);
        let measured = if received.is_empty() { "nothing came back".into() } else { quoted(received) };
        let expected = format!("{} within {}", quoted(echo.send.as_bytes()), humantime::format_duration(echo.within));
        verdict.ask(format!("echo on UART{}", echo.port), measured, expected, received == echo.send.as_bytes());
    }
    for begin in &test.console {
        let line = told.console.iter().find(|line| line.starts_with(begin.as_str()));
        let measured = line.map_or_else(|| "no such line".into(), |line| format!("`{line}`"));
        verdict.ask("console", measured, format!("a line that begins with `{begin}`"), line.is_some());
    }
    for (name, bound) in &test.vitals {
        let value = vitals::get(told.vitals, name);
        let measured = value.map_or_else(|| "the firmware has no such vital".into(), |value| value.to_string());
        let expected = match *bound {
            Bound::Exactly(value) => value.to_string(),
            Bound::Between(Range { min, max: u32::MAX }) => format!("at least {min}"),
            Bound::Between(Range { min: 0, max }) => format!("at most {max}"),
            Bound::Between(Range { min, max }) => format!("{min} to {max}"),
        };
        verdict.ask(name.as_str(), measured, expected, value.is_some_and(|value| bound.allows(value)));
    }
}

/// Bytes as a string literal.
fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

/// Test files are limited to a day, far below 2⁶⁴ ns.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// For people: milliseconds, down to a nanosecond.
pub fn milliseconds(ns: f64) -> String {
    format!("{:.6} ms", ns / 1e6)
}

/// For people: microseconds, down to a nanosecond.
pub fn microseconds(ns: f64) -> String {
    format!("{:.3} µs", ns / 1e3)
}

/// For people: parts per million, to a thousandth.
pub fn ppm(value: f64) -> String {
    // Adding zero turns -0 into 0.
    format!("{:.3} ppm", (value * 1e3).round() / 1e3 + 0.0)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
