//! The judge: edges in, figures and a verdict out. Pure; it knows no file, instrument or clock.
//!
//! A period runs from one rising edge to the next. With rising edges at `t₀ … tₙ` and the expected period `P`:
//!
//! - mean period: `(tₙ − t₀) / n`
//! - worst deviation: the largest `|(tᵢ₊₁ − tᵢ) − P|`
//! - jitter: the standard deviation of the `n` periods
//! - duty: time spent high between `t₀` and `tₙ`, divided by `tₙ − t₀`
//! - drift: the least-squares slope of the lateness `tᵢ − t₀ − i·P` over the ideal schedule `i·P`, in parts per
//!   million. Unlike the mean period it uses every edge, so one late edge at an end hardly moves it.

use std::time::Duration;

use serde::Serialize;

use crate::test_file::Test;

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
}

/// What the edges amount to. Times are nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Whole periods in the window.
    pub periods: u64,
    pub mean_period_ns: f64,
    pub worst_deviation_ns: u64,
    pub jitter_ns: f64,
    pub duty: f64,
    pub drift_ppm: f64,
}

/// One thing that was asked, and the answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Criterion {
    pub name: &'static str,
    pub measured: String,
    pub expected: String,
    pub passed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    pub pin: String,
    pub passed: bool,
    pub criteria: Vec<Criterion>,
    /// Absent without a whole period.
    pub measured: Option<Measured>,
    /// From reset to the first edge; absent where reset is not in the capture.
    pub first_edge_ns: Option<u64>,
    /// What helps to find the reason of a failure: the board's last words, pins that moved instead.
    pub notes: Vec<String>,
}

/// Judges the edges of `test.pin`, which are in order of time.
pub fn judge(edges: &[Edge], window: Window, test: &Test) -> Verdict {
    let edges: Vec<Edge> =
        edges.iter().copied().filter(|edge| (window.start_ns..=window.end_ns).contains(&edge.at_ns)).collect();
    let period_ns = nanos(test.period);
    let tolerance_ns = nanos(test.tolerance);
    let measured = measure(&edges, period_ns);
    let first_edge_ns = edges.first().filter(|_| window.starts_at_reset).map(|edge| edge.at_ns - window.start_ns);

    let mut criteria = Vec::new();
    let mut ask = |name, measured: String, expected: String, passed| {
        criteria.push(Criterion { name, measured, expected, passed });
    };

    // One period less than fits, as the board has to boot first.
    let periods_min = (nanos(test.capture) / period_ns).saturating_sub(1).max(1);
    let periods = measured.map_or(0, |measured| measured.periods);
    let seen = match (&measured, edges.last()) {
        (None, None) => "no edge at all".to_string(),
        (None, Some(last)) => {
            let plural = if edges.len() == 1 { "" } else { "s" };
            format!("{} edge{plural}, then {}", edges.len(), if last.high { "high" } else { "low" })
        }
        (Some(_), _) => periods.to_string(),
    };
    ask("whole periods", seen, format!("at least {periods_min}"), periods >= periods_min);

    if let Some(measured) = &measured {
        ask(
            "mean period",
            milliseconds(measured.mean_period_ns),
            format!("{} ± {}", milliseconds(period_ns as f64), microseconds(tolerance_ns as f64)),
            (measured.mean_period_ns - period_ns as f64).abs() <= tolerance_ns as f64,
        );
        ask(
            "worst deviation of a period",
            microseconds(measured.worst_deviation_ns as f64),
            format!("at most {}", microseconds(tolerance_ns as f64)),
            measured.worst_deviation_ns <= tolerance_ns,
        );
        ask(
            "duty",
            format!("{:.6}", measured.duty),
            format!("{} ± {}", test.duty, test.duty_tolerance),
            (measured.duty - test.duty).abs() <= test.duty_tolerance,
        );
        if let Some(limit) = test.jitter_max.map(nanos) {
            ask(
                "jitter",
                microseconds(measured.jitter_ns),
                format!("at most {}", microseconds(limit as f64)),
                measured.jitter_ns <= limit as f64,
            );
        }
        if let Some(limit) = test.drift_max_ppm {
            ask("drift", ppm(measured.drift_ppm), format!("at most {limit} ppm"), measured.drift_ppm.abs() <= limit);
        }
    }
    if let Some(last) = edges.last() {
        // A guest that stops after some good periods has stopped at one level.
        let share = if last.high { test.duty } else { 1.0 - test.duty };
        let limit_ns = (share + test.duty_tolerance) * period_ns as f64 + tolerance_ns as f64;
        let silence_ns = (window.end_ns - last.at_ns) as f64;
        let level = if last.high { "high" } else { "low" };
        ask(
            "still alive at the end",
            format!("{level} for the last {}", milliseconds(silence_ns)),
            format!("{level} for at most {}", milliseconds(limit_ns)),
            silence_ns <= limit_ns,
        );
    }
    if let (Some(limit), true) = (test.first_edge_max, window.starts_at_reset) {
        ask(
            "reset to first edge",
            first_edge_ns.map_or("no edge".into(), |ns| milliseconds(ns as f64)),
            format!("at most {}", milliseconds(nanos(limit) as f64)),
            first_edge_ns.is_some_and(|ns| ns <= nanos(limit)),
        );
    }

    Verdict {
        pin: test.pin.clone(),
        passed: criteria.iter().all(|criterion| criterion.passed),
        criteria,
        measured,
        first_edge_ns,
        notes: Vec::new(),
    }
}

fn measure(edges: &[Edge], period_ns: u64) -> Option<Measured> {
    let rises: Vec<u64> = edges.iter().filter(|edge| edge.high).map(|edge| edge.at_ns).collect();
    let (first, last) = (*rises.first()?, *rises.last()?);
    let count = rises.len() - 1;
    if count == 0 || last == first {
        return None;
    }
    let n = count as f64;
    let mean_period_ns = (last - first) as f64 / n;
    let periods = || rises.windows(2).map(|pair| pair[1] - pair[0]);
    let worst_deviation_ns = periods().map(|period| period.abs_diff(period_ns)).max()?;
    let variance = periods().map(|period| (period as f64 - mean_period_ns).powi(2)).sum::<f64>() / n;
    let high_ns: u64 = edges
        .windows(2)
        .filter(|pair| pair[0].high && !pair[1].high && (first..last).contains(&pair[0].at_ns))
        .map(|pair| pair[1].at_ns.min(last) - pair[0].at_ns)
        .sum();

    // The lateness is kept in integers until it is small, so that nothing is lost to rounding.
    let late_ns = |index: usize| {
        let ideal = i128::from(first) + index as i128 * i128::from(period_ns);
        (i128::from(rises[index]) - ideal) as f64
    };
    let mid = n / 2.0;
    let mean_late = (0..=count).map(late_ns).sum::<f64>() / (n + 1.0);
    let covariance: f64 = (0..=count).map(|i| (i as f64 - mid) * (late_ns(i) - mean_late)).sum();
    let spread: f64 = (0..=count).map(|i| (i as f64 - mid).powi(2)).sum();
    let drift_ppm = covariance / spread / period_ns as f64 * 1e6;

    Some(Measured {
        periods: count as u64,
        mean_period_ns,
        worst_deviation_ns,
        jitter_ns: variance.sqrt(),
        duty: high_ns as f64 / (last - first) as f64,
        drift_ppm,
    })
}

/// Test files are limited to a day, far below 2⁶⁴ ns.
fn nanos(duration: Duration) -> u64 {
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
#[path = "judge_tests.rs"]
mod tests;
