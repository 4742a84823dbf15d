//! A pin that answers another one: after each edge of the input the output has to reach the level that belongs to it in
//! time, and to stay there until the input's next edge.
//!
//! An edge of the input that finds the output at its level already needs no answer, such as the one of a pull-up that is
//! switched on at boot; it does not count as answered. Nor does one that is followed by the next before its time is over.

use super::{Edge, Verdict, Window, microseconds, nanos};
use crate::{
    capture::{Capture, Channel},
    test_file::Follows,
};

/// Judges the two channels within the window.
pub fn judge(capture: &Capture, window: Window, follows: &Follows, verdict: &mut Verdict) {
    let within_ns = nanos(follows.within);
    let edges = |pin: &str| capture.channel(pin).map_or_else(Vec::new, |channel| window.of(&channel.edges));
    let (input, output) = (edges(&follows.input), edges(&follows.output));
    let mut answered = 0;
    let mut worst_ns = 0;
    let mut missed = 0;
    let mut stray = 0;
    for (index, edge) in input.iter().enumerate() {
        let wanted = edge.high != follows.inverted;
        let until_ns = input.get(index + 1).map_or(window.end_ns, |next| next.at_ns);
        if until_ns - edge.at_ns < within_ns {
            continue;
        }
        let before = level(capture.channel(&follows.output), edge.at_ns);
        let between: Vec<&Edge> =
            output.iter().filter(|answer| answer.at_ns > edge.at_ns && answer.at_ns <= until_ns).collect();
        // An output that is right needs no edge; one that is wrong needs one, the first.
        let needed = usize::from(before != wanted);
        match between.first() {
            Some(answer) if needed == 1 && answer.at_ns - edge.at_ns <= within_ns => {
                answered += 1;
                worst_ns = worst_ns.max(answer.at_ns - edge.at_ns);
            }
            _ => missed += needed,
        }
        stray += between.len().saturating_sub(needed);
    }
    let (enough, in_time) = (answered >= follows.edges, answered > 0 && missed == 0);
    let expected = format!("at least {}", follows.edges);
    verdict.ask(format!("answered edges of {}", follows.input), answered.to_string(), expected, enough);
    let measured = match (answered, missed) {
        (0, _) => "no answer at all".into(),
        (_, 0) => microseconds(worst_ns as f64),
        _ => format!("{missed} edges not answered in time"),
    };
    let expected = format!("at most {}", microseconds(within_ns as f64));
    verdict.ask(format!("slowest answer of {}", follows.output), measured, expected, in_time);
    let name = format!("other edges of {} after the first of {}", follows.output, follows.input);
    verdict.ask(name, stray.to_string(), "0".into(), stray == 0);
}

/// The channel's level at a moment; an edge at that very moment has happened.
fn level(channel: Option<&Channel>, at_ns: u64) -> bool {
    let Some(channel) = channel else {
        return false;
    };
    let count = channel.edges.partition_point(|edge| edge.at_ns <= at_ns);
    count.checked_sub(1).map_or(channel.initial, |last| channel.edges[last].high)
}
