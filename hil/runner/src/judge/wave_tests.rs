//! Hand-made edge lists, each with one thing wrong, and random ones whose figures are known by construction.

use crate::{
    capture::{Capture, Channel},
    judge::{Edge, Measured, Verdict, Window},
    test_file::{Test, TestFile, Wave},
};
use std::time::Duration;

const MS: u64 = 1_000_000;
const RESET: u64 = 37 * MS;

/// Without a bound on the schedule, which would find most faults before the criteria that are tried here.
fn blinky() -> Test {
    let mut test = TestFile::load(None).unwrap().tests.remove(0);
    wave(&mut test).schedule_max = None;
    test
}

fn wave(test: &mut Test) -> &mut Wave {
    test.wave.as_mut().unwrap()
}

fn judge(edges: &[Edge], window: Window, test: &Test) -> Verdict {
    let channels = vec![Channel { name: "GPIO25".into(), initial: false, edges: edges.to_vec() }];
    super::super::judge(test, &Capture { channels, end_ns: window.end_ns }, window, None)
}

fn window() -> Window {
    Window { start_ns: RESET, end_ns: RESET + 10_000 * MS, starts_at_reset: true, clocks_ppm: 0 }
}

/// Edges from rising times and how long each high lasts, up to the end of the window.
fn edges(rises: impl IntoIterator<Item = u64>, high_ns: u64) -> Vec<Edge> {
    rises
        .into_iter()
        .flat_map(|at_ns| [Edge { at_ns, high: true }, Edge { at_ns: at_ns + high_ns, high: false }])
        .take_while(|edge| edge.at_ns <= window().end_ns)
        .collect()
}

fn every(period_ns: u64) -> impl Iterator<Item = u64> {
    (0..).map(move |i| RESET + 2 * MS + i * period_ns)
}

fn failed(verdict: &Verdict) -> Vec<&str> {
    assert_eq!(verdict.passed, verdict.criteria.iter().all(|criterion| criterion.passed));
    verdict.criteria.iter().filter(|criterion| !criterion.passed).map(|criterion| criterion.name.as_str()).collect()
}

#[test]
fn a_good_blinky_passes_with_exact_figures() {
    let verdict = judge(&edges(every(1000 * MS), 500 * MS), window(), &blinky());
    assert!(failed(&verdict).is_empty(), "{verdict:?}");
    assert_eq!(verdict.first_edge_ns, Some(2 * MS));
    let exact = Measured {
        periods: 9,
        mean_period_ns: 1e9,
        worst_deviation_ns: 0,
        jitter_ns: 0.0,
        duty: 0.5,
        drift_ppm: 0.0,
        schedule_ns: 0,
    };
    assert_eq!(verdict.measured, Some(exact));
}

#[test]
fn four_hundred_milliseconds_fail_with_both_values() {
    let verdict = judge(&edges(every(800 * MS), 400 * MS), window(), &blinky());
    assert_eq!(failed(&verdict), ["mean period", "worst deviation of a period"]);
    let mean = &verdict.criteria[1];
    assert_eq!(mean.measured, "800.000000 ms");
    assert_eq!(mean.expected, "1000.000000 ms ± 100.000 µs");
}

#[test]
fn drift_is_found_where_every_period_is_within_tolerance() {
    // 50 µs late in every period: 50 ppm.
    let mut test = blinky();
    let list = edges(every(1000 * MS + 50_000), 500 * MS);
    let verdict = judge(&list, window(), &test);
    assert!(verdict.passed);
    let measured = verdict.measured.unwrap();
    assert!((measured.drift_ppm - 50.0).abs() < 1e-9, "{measured:?}");
    assert_eq!(measured.jitter_ns, 0.0);

    wave(&mut test).drift_max_ppm = Some(40.0);
    assert_eq!(failed(&judge(&list, window(), &test)), ["drift"]);
}

#[test]
fn jitter_is_found_where_the_mean_is_right() {
    let late = |i: u64| if i % 2 == 1 { 60_000 } else { 0 };
    let rises = (0..).map(|i| RESET + MS + i * 1000 * MS + late(i));
    let list = edges(rises, 500 * MS);
    let mut test = blinky();
    assert!(judge(&list, window(), &test).passed);
    wave(&mut test).jitter_max = Some(Duration::from_micros(50));
    let verdict = judge(&list, window(), &test);
    assert_eq!(failed(&verdict), ["jitter"]);
    let measured = verdict.measured.unwrap();
    assert_eq!(measured.worst_deviation_ns, 60_000);
    assert!((59_000.0..60_001.0).contains(&measured.jitter_ns), "{measured:?}");
}

#[test]
fn one_late_period_fails() {
    let rises = (0..).map(|i| RESET + MS + i * 1000 * MS + if i == 4 { 150_000 } else { 0 });
    let verdict = judge(&edges(rises, 500 * MS), window(), &blinky());
    assert_eq!(failed(&verdict), ["worst deviation of a period"]);
}

#[test]
fn a_wrong_duty_fails() {
    let verdict = judge(&edges(every(1000 * MS), 510 * MS), window(), &blinky());
    assert_eq!(failed(&verdict), ["duty"]);
    assert_eq!(verdict.criteria[3].measured, "0.510000");
}

#[test]
fn a_missing_pulse_fails() {
    let rises = every(1000 * MS).enumerate().filter(|(i, _)| *i != 3).map(|(_, at)| at);
    let verdict = judge(&edges(rises, 500 * MS), window(), &blinky());
    assert_eq!(failed(&verdict), ["whole periods", "mean period", "worst deviation of a period", "duty"]);
}

#[test]
fn a_guest_that_stops_fails() {
    let verdict = judge(&edges(every(1000 * MS).take(9), 500 * MS), window(), &blinky());
    assert_eq!(failed(&verdict), ["whole periods", "still alive at the end"]);
}

#[test]
fn a_stuck_pin_fails() {
    let none = judge(&[], window(), &blinky());
    assert_eq!(failed(&none), ["whole periods"]);
    assert_eq!(none.criteria[0].measured, "no edge at all");
    assert_eq!((none.measured, none.first_edge_ns), (None, None));

    let once = judge(&[Edge { at_ns: RESET + MS, high: true }], window(), &blinky());
    assert_eq!(failed(&once), ["whole periods", "still alive at the end"]);
    assert_eq!(once.criteria[0].measured, "1 edge, then high");
}

#[test]
fn one_edge_off_the_schedule_fails_whichever_it_is() {
    let mut test = blinky();
    wave(&mut test).schedule_max = Some(Duration::from_micros(2));
    wave(&mut test).tolerance = None;
    let good = edges(every(1000 * MS), 500 * MS);
    assert!(judge(&good, window(), &test).passed);
    for index in 1..good.len() {
        for off in [-2_001, -2_000, 2_000, 2_001] {
            let mut list = good.clone();
            list[index].at_ns = list[index].at_ns.saturating_add_signed(off);
            let verdict = judge(&list, window(), &test);
            let expected: &[&str] = if off.abs() > 2_000 { &["off schedule"] } else { &[] };
            assert_eq!(failed(&verdict), expected, "edge {index}");
            assert_eq!(verdict.measured.unwrap().schedule_ns, off.unsigned_abs());
        }
    }
    // Clocks of 30 ppm may be 300 µs apart after ten seconds, on top of what the test allows.
    let drifting: Vec<Edge> =
        good.iter().map(|edge| Edge { at_ns: edge.at_ns + (edge.at_ns - good[0].at_ns) / 40_000, ..*edge }).collect();
    let verdict = |clocks_ppm| judge(&drifting, Window { clocks_ppm, ..window() }, &test);
    assert_eq!(failed(&verdict(0)), ["off schedule"]);
    assert!(failed(&verdict(30)).is_empty());
    assert_eq!(failed(&verdict(20)), ["off schedule"]);
    // A schedule that begins with a falling edge is as good as another.
    let fall = &good[1..];
    assert!(judge(fall, Window { start_ns: good[1].at_ns, ..window() }, &test).criteria[1].passed);
    // Drift adds up.
    let verdict = judge(&edges(every(1000 * MS + 300), 500 * MS), window(), &test);
    assert_eq!(verdict.measured.unwrap().schedule_ns, 9 * 300);
    assert_eq!(failed(&verdict), ["off schedule"]);
}

#[test]
fn without_tolerances_the_pin_still_has_to_move() {
    let mut test = blinky();
    wave(&mut test).tolerance = None;
    wave(&mut test).schedule_max = Some(Duration::from_micros(2));
    let verdict = judge(&edges(every(1000 * MS).take(9), 500 * MS), window(), &test);
    assert_eq!(failed(&verdict), ["whole periods", "still alive at the end"]);
}

#[test]
fn a_late_first_edge_fails_only_if_it_is_asked_for() {
    let mut test = blinky();
    wave(&mut test).first_edge_max = Some(Duration::from_millis(1));
    let list = edges(every(1000 * MS), 500 * MS);
    assert_eq!(failed(&judge(&list, window(), &test)), ["reset to first edge"]);
    let unknown = Window { starts_at_reset: false, ..window() };
    let verdict = judge(&list, unknown, &test);
    assert!(verdict.passed && verdict.first_edge_ns.is_none());
}

#[test]
fn random_schedules_have_the_figures_they_were_made_with() {
    let mut random = oorandom::Rand64::new(20);
    for round in 0..2_000 {
        let ppm = random.rand_range(0..181) as i64 - 90;
        let noise_ns = random.rand_range(0..4_000);
        let period = (1_000_000_000 + ppm * 1_000) as u64;
        let first = RESET + random.rand_range(0..5 * MS);
        let rises: Vec<u64> = (0..10).map(|i| first + i * period + random.rand_range(0..noise_ns + 1)).collect();
        let verdict = judge(&edges(rises.iter().copied(), 500 * MS), window(), &blinky());
        assert!(verdict.passed, "round {round}: {verdict:?}");
        let measured = verdict.measured.unwrap();
        let bound = noise_ns as f64;
        assert!((measured.drift_ppm - ppm as f64).abs() <= bound / 1e3, "round {round}: {measured:?}");
        assert!(measured.jitter_ns <= bound + 1.0, "round {round}: {measured:?}");
        assert!(measured.worst_deviation_ns as f64 <= (ppm.abs() * 1_000) as f64 + bound);
        assert!((measured.mean_period_ns - period as f64).abs() <= bound / 9.0 + 1e-3);
    }
}

#[test]
fn random_edges_never_break_the_judge() {
    let mut random = oorandom::Rand64::new(21);
    for _ in 0..5_000 {
        let mut at_ns = random.rand_range(0..2 * RESET);
        let mut list: Vec<Edge> = Vec::new();
        for _ in 0..random.rand_range(0..30) {
            list.push(Edge { at_ns, high: random.rand_u64() & 1 == 1 });
            at_ns += random.rand_range(0..2_000 * MS);
        }
        let verdict = judge(&list, window(), &blinky());
        assert_eq!(verdict.passed, failed(&verdict).is_empty());
        if let Some(measured) = verdict.measured {
            assert!(measured.drift_ppm.is_finite() && (0.0..=1.0).contains(&measured.duty));
        }
    }
}
