//! Samples against a plain reading of what they are: the level at t0 + k / samplerate.

use super::*;

const LED: Line = Line::Pin(25);

fn edge(units: u64, line: Line, high: bool) -> Edge {
    Edge { at: Instant::from_units(units), line, high }
}

fn take(capture: &mut Capture, now_ns: u64) -> Vec<u8> {
    let mut samples = Vec::new();
    capture.take(Instant::from_nanos(now_ns), usize::MAX >> 1, &mut samples);
    samples
}

#[test]
fn a_millisecond_at_4_mhz_is_4000_samples() {
    let t0 = Instant::from_nanos(3_000_000);
    let mut capture = Capture::new(&[LED, Line::Run], 4_000_000, SampleUnit::Bits8, t0, |line| line == Line::Run);
    // 250 ns apart: samples 4, 5 and 6 are at 1000, 1250 and 1500 ns.
    capture.push(&[
        edge(t0.units() + 12 * 1001, LED, true),
        edge(t0.units() + 12 * 1500, LED, false),
        edge(t0.units() + 12 * 1500, Line::Pin(7), true),
    ]);
    let samples = take(&mut capture, 4_000_000);
    assert_eq!(samples.len(), 4000);
    assert_eq!(samples[..8], [2, 2, 2, 2, 2, 3, 2, 2]);
    assert!(take(&mut capture, 4_000_000).is_empty());
    assert_eq!(take(&mut capture, 5_000_000).len(), 4000);
}

#[test]
fn sixteen_bits_are_little_endian() {
    let mut channels = vec![Line::Pin(0); 14];
    channels[13] = LED;
    let mut capture = Capture::new(&channels, 1_000_000, SampleUnit::Bits16, Instant::ZERO, |line| line == LED);
    assert_eq!(take(&mut capture, 3_000), [0, 0x20, 0, 0x20, 0, 0x20]);
}

#[test]
fn the_present_is_not_sampled_before_it_is_past() {
    let mut capture = Capture::new(&[LED], 1_000_000, SampleUnit::Bits8, Instant::ZERO, |_| false);
    assert_eq!(take(&mut capture, 1_000), [0]);
    capture.push(&[edge(12_000, LED, true)]);
    assert_eq!(take(&mut capture, 2_000), [1], "an edge at the sample's very time is seen");
}

#[test]
fn nothing_drifts_at_a_rate_that_divides_nothing() {
    // 3.333333 MHz does not divide 12 GHz.
    let rate = 3_333_333;
    let mut capture = Capture::new(&[LED], rate, SampleUnit::Bits8, Instant::ZERO, |_| false);
    let hours = 3600 * UNITS_PER_SECOND;
    let first = capture.first_sample_at(Instant::from_units(100 * hours));
    assert_eq!(first, 100 * 3600 * u64::from(rate));
    capture.next = first - 2;
    capture.push(&[edge(100 * hours, LED, true)]);
    assert_eq!(take(&mut capture, 100 * 3600 * 1_000_000_000 + 1), [0, 0, 1]);
}

#[test]
fn any_edges_in_any_pieces_match_the_definition() {
    let mut random = crate::tests::random(0x5eed_0003);
    for _ in 0..50 {
        let rate = 10 + random() % 100_000_000;
        let t0 = u64::from(random());
        let mut at = t0;
        let mut level = false;
        let edges: Vec<Edge> = (0..100)
            .map(|_| {
                at += u64::from(random() % 100_000);
                level = !level;
                edge(at, LED, level)
            })
            .collect();
        let end = at + 1000;
        let channels = [Line::Pin(3), LED];
        let mut capture = Capture::new(&channels, rate, SampleUnit::Bits8, Instant::from_units(t0), |_| false);
        capture.push(&edges);
        let mut samples = Vec::new();
        let mut now = t0;
        while now < end {
            now = end.min(now + u64::from(random() % 50_000));
            capture.take(Instant::from_units(now), usize::MAX >> 1, &mut samples);
        }
        let expected: Vec<u8> = (0..)
            .map(|k: u64| (k, u128::from(k) * u128::from(UNITS_PER_SECOND)))
            // t0 + k / rate < end, and edges at or before it, in whole numbers.
            .take_while(|(_, k)| *k < u128::from(end - t0) * u128::from(rate))
            .map(|(_, k)| {
                let past = |edge: &&Edge| u128::from(edge.at.units() - t0) * u128::from(rate) <= k;
                let last = edges.iter().rev().find(past);
                u8::from(last.is_some_and(|edge| edge.high)) << 1
            })
            .collect();
        assert_eq!(samples, expected, "at {rate} Hz");
    }
}
