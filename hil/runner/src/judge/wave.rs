//! A periodic pin, from one rising edge to the next. With rising edges at `t₀ … tₙ` and the expected period `P`:
//!
//! - mean period: `(tₙ − t₀) / n`
//! - worst deviation: the largest `|(tᵢ₊₁ − tᵢ) − P|`
//! - jitter: the standard deviation of the `n` periods
//! - duty: time spent high between `t₀` and `tₙ`, divided by `tₙ − t₀`
//! - drift: the least-squares slope of the lateness `tᵢ − t₀ − i·P` over the ideal schedule `i·P`, in parts per
//!   million. Unlike the mean period it uses every edge, so one late edge at an end hardly moves it.
//! - schedule: the largest distance of any edge, rising or falling, from the ideal schedule through the first edge

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Edge, Verdict, Window, microseconds, milliseconds, nanos, ppm};
use crate::test_file::Wave;

/// What the edges amount to. Times are nanoseconds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Measured {
    /// Whole periods in the window.
    pub periods: u64,
    pub mean_period_ns: f64,
    pub worst_deviation_ns: u64,
    pub jitter_ns: f64,
    pub duty: f64,
    pub drift_ppm: f64,
    /// The largest distance of an edge from the ideal schedule through the first one.
    pub schedule_ns: u64,
}

/// Judges the edges of the pin in the window, which are in order of time. `asked` is how long was to be captured.
pub fn judge(edges: &[Edge], window: Window, asked: Duration, wave: &Wave, verdict: &mut Verdict) {
    let period_ns = nanos(wave.period);
    let measured = measure(edges, period_ns, wave.duty);
    let first_edge_ns = edges.first().filter(|_| window.starts_at_reset).map(|edge| edge.at_ns - window.start_ns);
    let at_most = |ns: u64| format!("at most {}", microseconds(ns as f64));

    // One period less than fits, as the board has to boot first.
    let periods_min = (nanos(asked) / period_ns).saturating_sub(1).max(1);
    let periods = measured.map_or(0, |measured| measured.periods);
    let seen = match (&measured, edges.last()) {
        (None, None) => "no edge at all".to_string(),
        (None, Some(last)) => {
            let plural = if edges.len() == 1 { "" } else { "s" };
            format!("{} edge{plural}, then {}", edges.len(), if last.high { "high" } else { "low" })
        }
        (Some(_), _) => periods.to_string(),
    };
    verdict.ask("whole periods", seen, format!("at least {periods_min}"), periods >= periods_min);

    if let Some(measured) = &measured {
        if let Some(tolerance) = wave.tolerance {
            let tolerance_ns = nanos(tolerance.period);
            verdict.ask(
                "mean period",
                milliseconds(measured.mean_period_ns),
                format!("{} ± {}", milliseconds(period_ns as f64), microseconds(tolerance_ns as f64)),
                (measured.mean_period_ns - period_ns as f64).abs() <= tolerance_ns as f64,
            );
            verdict.ask(
                "worst deviation of a period",
                microseconds(measured.worst_deviation_ns as f64),
                at_most(tolerance_ns),
                measured.worst_deviation_ns <= tolerance_ns,
            );
            verdict.ask(
                "duty",
                format!("{:.6}", measured.duty),
                format!("{} ± {}", wave.duty, tolerance.duty),
                (measured.duty - wave.duty).abs() <= tolerance.duty,
            );
        }
        if let Some(limit) = wave.jitter_max.map(nanos) {
            let passed = measured.jitter_ns <= limit as f64;
            verdict.ask("jitter", microseconds(measured.jitter_ns), at_most(limit), passed);
        }
        if let Some(limit) = wave.drift_max_ppm {
            let passed = measured.drift_ppm.abs() <= limit;
            verdict.ask("drift", ppm(measured.drift_ppm), format!("at most {limit} ppm"), passed);
        }
        if let Some(limit) = wave.schedule_max.map(nanos) {
            // The schedule is the board's, and it is the analyser's clock that it is held against.
            let limit = limit + window.clocks_ns();
            let passed = measured.schedule_ns <= limit;
            verdict.ask("off schedule", microseconds(measured.schedule_ns as f64), at_most(limit), passed);
        }
    }
    if let Some(last) = edges.last() {
        // A guest that stops after some good periods has stopped at one level.
        let share = if last.high { wave.duty } else { 1.0 - wave.duty };
        let (late_ns, duty) = match wave.tolerance {
            Some(tolerance) => (nanos(tolerance.period), tolerance.duty),
            // What else is asked says more; here it is only whether the pin still moves.
            None => (period_ns / 100, 0.0),
        };
        let limit_ns = (share + duty) * period_ns as f64 + late_ns as f64;
        let silence_ns = (window.end_ns - last.at_ns) as f64;
        let level = if last.high { "high" } else { "low" };
        verdict.ask(
            "still alive at the end",
            format!("{level} for the last {}", milliseconds(silence_ns)),
            format!("{level} for at most {}", milliseconds(limit_ns)),
            silence_ns <= limit_ns,
        );
    }
    if let (Some(limit), true) = (wave.first_edge_max, window.starts_at_reset) {
        verdict.ask(
            "reset to first edge",
            first_edge_ns.map_or("no edge".into(), |ns| milliseconds(ns as f64)),
            format!("at most {}", milliseconds(nanos(limit) as f64)),
            first_edge_ns.is_some_and(|ns| ns <= nanos(limit)),
        );
    }
    verdict.measured = measured;
    verdict.first_edge_ns = first_edge_ns;
}

/// The largest distance of an edge from the schedule that the first one begins. `None` without an edge.
fn off_schedule(edges: &[Edge], period_ns: u64, duty: f64) -> Option<u64> {
    let first = edges.first()?;
    let share = if first.high { duty } else { 1.0 - duty };
    let half_ns = (share * period_ns as f64).round() as u64;
    let ideal = |index: u64| {
        let half_ns = if index.is_multiple_of(2) { 0 } else { half_ns };
        first.at_ns.saturating_add((index / 2).saturating_mul(period_ns)).saturating_add(half_ns)
    };
    edges.iter().zip(0..).map(|(edge, index)| edge.at_ns.abs_diff(ideal(index))).max()
}

fn measure(edges: &[Edge], period_ns: u64, duty: f64) -> Option<Measured> {
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
        schedule_ns: off_schedule(edges, period_ns, duty)?,
    })
}

#[cfg(test)]
#[path = "wave_tests.rs"]
mod tests;
