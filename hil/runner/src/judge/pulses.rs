//! Pulses that take each of some widths in turn, as a servo is moved: a pulse runs from a rising edge to the next falling
//! one, its period from its rising edge to the next.
//!
//! Pulses of the same width form a run. Every run but the first and the last, which the capture may have cut, has to be
//! long enough, and the runs have to come in the order of the test file, over and over, wherever they begin.

use super::{Edge, Verdict, Window, microseconds, nanos};
use crate::test_file::Pulses;

/// Judges the edges of the pin in the window, which are in order of time and alternate.
pub fn judge(edges: &[Edge], window: Window, pulses: &Pulses, verdict: &mut Verdict) {
    let period_ns = nanos(pulses.period);
    let tolerance_ns = nanos(pulses.tolerance);
    let at_most = format!("at most {}", microseconds(tolerance_ns as f64));

    // The first edge may be a fall: of a pulse that began before the window.
    let start = usize::from(edges.first().is_some_and(|edge| !edge.high));
    let seen: Vec<(u64, u64)> = edges[start..]
        .chunks_exact(2)
        .filter(|pair| pair[0].high && !pair[1].high)
        .map(|pair| (pair[0].at_ns, pair[1].at_ns - pair[0].at_ns))
        .collect();

    let wanted = Pulses::RUN * pulses.widths.len();
    verdict.ask("pulses", seen.len().to_string(), format!("at least {wanted}"), seen.len() >= wanted);
    let Some((last_ns, _)) = seen.last() else {
        return;
    };
    let worst_period = seen.windows(2).map(|pair| (pair[1].0 - pair[0].0).abs_diff(period_ns)).max().unwrap_or(0);
    let passed = worst_period <= tolerance_ns;
    verdict.ask("worst deviation of a period", microseconds(worst_period as f64), at_most.clone(), passed);

    // The nearest width of each pulse, and how far it is.
    let nearest: Vec<(u64, u64)> = seen
        .iter()
        .filter_map(|(_, width)| pulses.widths.iter().map(|ideal| (width.abs_diff(nanos(*ideal)), nanos(*ideal))).min())
        .collect();
    let worst_width = nearest.iter().map(|(off, _)| *off).max().unwrap_or(0);
    let passed = worst_width <= tolerance_ns;
    verdict.ask("worst deviation of a width", microseconds(worst_width as f64), at_most, passed);

    let widths: Vec<u64> = nearest.iter().map(|(_, ideal)| *ideal).collect();
    let (measured, passed) = match order(&widths, pulses) {
        Ok(()) => ("each in its turn".into(), true),
        Err(message) => (message, false),
    };
    let order: Vec<String> = pulses.widths.iter().map(|width| format!("{} µs", width.as_micros())).collect();
    let expected = format!("{}, each at least {} times in a row", order.join(", "), Pulses::RUN);
    verdict.ask("order of the widths", measured, expected, passed);

    let silence_ns = window.end_ns - last_ns;
    verdict.ask(
        "still alive at the end",
        format!("last pulse {} before the end", microseconds(silence_ns as f64)),
        format!("at most {}", microseconds((2 * period_ns) as f64)),
        silence_ns <= 2 * period_ns,
    );
}

/// Whether the widths come in runs that are long enough, and in the order asked for. The message says what comes instead.
fn order(widths: &[u64], pulses: &Pulses) -> Result<(), String> {
    let ideal: Vec<u64> = pulses.widths.iter().copied().map(nanos).collect();
    let runs: Vec<&[u64]> = widths.chunk_by(|a, b| a == b).collect();
    // A width may stand in the list more than once: every place that fits so far is kept.
    let mut places: Vec<usize> = (0..ideal.len()).filter(|place| ideal[*place] == widths[0]).collect();
    let mut seen = vec![false; ideal.len()];
    for (index, run) in runs.iter().enumerate() {
        if index > 0 {
            places = places.iter().map(|place| (place + 1) % ideal.len()).collect();
            places.retain(|place| ideal[*place] == run[0]);
        }
        if places.is_empty() {
            return Err(format!("{} µs after {} µs", run[0] / 1000, runs[index - 1][0] / 1000));
        }
        let cut = index == 0 || index + 1 == runs.len();
        if run.len() < Pulses::RUN && !cut {
            return Err(format!("{} µs only {} times in a row", run[0] / 1000, run.len()));
        }
        places.iter().for_each(|place| seen[*place] |= run.len() >= Pulses::RUN);
    }
    match seen.iter().position(|seen| !seen) {
        Some(place) => Err(format!("{} µs never {} times in a row", ideal[place] / 1000, Pulses::RUN)),
        None => Ok(()),
    }
}
