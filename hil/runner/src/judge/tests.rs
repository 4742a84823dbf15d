//! Hand-made captures for every criterion but those of a periodic pin, and random ones that must never break the judge.

use super::*;
use crate::{capture::Channel, test_file::TestFile};

const MS: u64 = 1_000_000;
const US: u64 = 1_000;
const RESET: u64 = 20 * MS;
const WINDOW: Window = Window { start_ns: RESET, end_ns: RESET + 3_000 * MS, starts_at_reset: true, clocks_ppm: 0 };

fn test(criteria: &str) -> Test {
    TestFile::parse(&format!("[[test]]\nprogram = \"p\"\n{criteria}\n"), "t.toml").unwrap().tests.remove(0)
}

fn capture(channels: &[(&str, bool, Vec<u64>)]) -> Capture {
    let channel = |(name, initial, times): &(&str, bool, Vec<u64>)| {
        let edge = |(index, at_ns): (usize, &u64)| Edge { at_ns: *at_ns, high: (index % 2 == 0) != *initial };
        Channel { name: (*name).into(), initial: *initial, edges: times.iter().enumerate().map(edge).collect() }
    };
    Capture { channels: channels.iter().map(channel).collect(), end_ns: WINDOW.end_ns }
}

fn failed(verdict: &Verdict) -> Vec<&str> {
    assert_eq!(verdict.passed, verdict.criteria.iter().all(|criterion| criterion.passed));
    verdict.criteria.iter().filter(|criterion| !criterion.passed).map(|criterion| criterion.name.as_str()).collect()
}

fn text(verdict: &Verdict) -> String {
    verdict.criteria.iter().map(|c| format!("{}: {} / {}\n", c.name, c.measured, c.expected)).collect()
}

const FOLLOWS: &str =
    r#"follows = { input = "GPIO15", output = "GPIO25", inverted = true, within = "200us", edges = 4 }"#;

/// A pull-up that is switched on after boot, and two presses.
fn presses() -> Vec<u64> {
    [5, 500, 800, 1200, 1500].map(|ms| RESET + ms * MS).to_vec()
}

fn answers(late: u64) -> Vec<u64> {
    presses()[1..].iter().map(|at| at + late).collect()
}

fn follow(output: Vec<u64>) -> Verdict {
    judge(&test(FOLLOWS), &capture(&[("GPIO15", false, presses()), ("GPIO25", false, output)]), WINDOW, None)
}

#[test]
fn an_output_that_follows_passes_with_its_slowest_answer() {
    let verdict = follow(answers(12 * US));
    assert!(failed(&verdict).is_empty(), "{verdict:?}");
    assert!(text(&verdict).contains("slowest answer of GPIO25: 12.000 µs / at most 200.000 µs"), "{}", text(&verdict));
}

#[test]
fn an_output_that_does_not_follow_fails_and_says_how() {
    let late = follow(answers(201 * US));
    assert_eq!(failed(&late), ["answered edges of GPIO15", "slowest answer of GPIO25"]);
    let mut one = answers(12 * US);
    one[2] += 300 * US;
    let one = follow(one);
    assert_eq!(failed(&one), ["answered edges of GPIO15", "slowest answer of GPIO25"]);
    assert!(text(&one).contains("1 edges not answered in time"), "{}", text(&one));

    assert!(failed(&follow(Vec::new())).contains(&"answered edges of GPIO15"));
    // It flickers.
    let mut stray = answers(12 * US);
    stray.extend([RESET + 2000 * MS, RESET + 2001 * MS]);
    assert_eq!(failed(&follow(stray)), ["other edges of GPIO25 after the first of GPIO15"]);
    // The LED is on where it should be off.
    let verdict =
        judge(&test(FOLLOWS), &capture(&[("GPIO15", false, presses()), ("GPIO25", true, answers(US))]), WINDOW, None);
    assert!(!verdict.passed);
    // Nobody pressed.
    let verdict = judge(&test(FOLLOWS), &capture(&[("GPIO15", true, vec![]), ("GPIO25", false, vec![])]), WINDOW, None);
    assert!(failed(&verdict).contains(&"answered edges of GPIO15"));
}

const PULSES: &str = "pin = \"GPIO16\"\n\
    pulses = { period = \"20ms\", widths = [\"1000us\", \"1500us\", \"2000us\"], tolerance = \"5us\" }";

/// Runs of pulses (width in µs, how many) from 10 ms after reset, over and over until the window ends.
fn pulses(runs: &[(u64, u64)]) -> Vec<u64> {
    let widths = runs.iter().cycle().flat_map(|(width, count)| (0..*count).map(move |_| width * US));
    let rises = (0..).map(|i| RESET + 10 * MS + i * 20 * MS);
    rises.zip(widths).flat_map(|(at, width)| [at, at + width]).take_while(|at| *at <= WINDOW.end_ns).collect()
}

fn servo(edges: Vec<u64>) -> Verdict {
    judge(&test(PULSES), &capture(&[("GPIO16", false, edges)]), WINDOW, None)
}

#[test]
fn pulses_in_their_order_pass_wherever_they_begin() {
    assert!(failed(&servo(pulses(&[(1000, 10), (1500, 10), (2000, 10)]))).is_empty());
    assert!(failed(&servo(pulses(&[(2003, 3), (996, 4), (1500, 3)]))).is_empty());
}

#[test]
fn other_pulses_fail_and_say_what_comes_instead() {
    for (runs, name, expected) in [
        (&[(1000, 10), (2000, 10), (1500, 10)][..], "order of the widths", "2000 µs after 1000 µs"),
        (&[(1000, 10), (1500, 2), (2000, 10)], "order of the widths", "1500 µs only 2 times in a row"),
        (&[(1000, 10), (1500, 10)], "order of the widths", "1000 µs after 1500 µs"),
        (&[(1500, 10)], "order of the widths", "1000 µs never 3 times in a row"),
        (&[(1000, 10), (1510, 10), (2000, 10)], "worst deviation of a width", "10.000 µs"),
    ] {
        let verdict = servo(pulses(runs));
        assert_eq!(failed(&verdict), [name], "{runs:?}");
        assert!(text(&verdict).contains(expected), "{}", text(&verdict));
    }
    let mut stretched = pulses(&[(1000, 10), (1500, 10), (2000, 10)]);
    stretched.iter_mut().skip(40).for_each(|at| *at += 6 * US);
    assert_eq!(failed(&servo(stretched)), ["worst deviation of a period"]);
    let mut stopped = pulses(&[(1000, 10), (1500, 10), (2000, 10)]);
    stopped.truncate(100);
    assert_eq!(failed(&servo(stopped)), ["still alive at the end"]);
    assert_eq!(failed(&servo(Vec::new())), ["pulses"]);
}

fn told<'a>(console: &'a [String], vitals: &'a [Vital], echoes: &'a [Echoed]) -> Option<Told<'a>> {
    Some(Told { console, vitals, echoes })
}

#[test]
fn console_vitals_and_echo_are_compared() {
    let asked = test(
        "console = [\"slot 1: spin: trapped: \"]\nvitals = { guest0_traps = 0, heap_peak = { min = 1, max = 9000 } }\n\
         echo = { port = 1, send = \"hello\", within = \"2s\" }",
    );
    let vital = |name: &str, value| Vital {
        name: name.into(),
        unit: "-".into(),
        description: String::new(),
        value,
        running: false,
    };
    let console = ["slot 1: spin: trapped: ran too long".to_string()];
    let vitals = [vital("guest0_traps", 0), vital("heap_peak", 9000)];
    let echo = |received: &[u8]| [Echoed { sent: b"hello".to_vec(), received: received.to_vec() }];
    let nothing = capture(&[]);

    let good = judge(&asked, &nothing, WINDOW, told(&console, &vitals, &echo(b"hello")));
    assert!(failed(&good).is_empty(), "{good:?}");
    let bad = judge(
        &asked,
        &nothing,
        WINDOW,
        told(&[" slot 1: spin: trapped: ".into()], &[vitals[0].clone()], &echo(b"hullo\xFF")),
    );
    assert_eq!(failed(&bad), ["echo on UART1", "console", "heap_peak"]);
    assert!(text(&bad).contains(r#""hullo\xff" / "hello" within 2s"#), "{}", text(&bad));
    assert!(text(&bad).contains("no such vital / 1 to 9000"), "{}", text(&bad));
    let trapped =
        judge(&asked, &nothing, WINDOW, told(&console, &[vital("guest0_traps", 1), vital("heap_peak", 0)], &[]));
    assert_eq!(failed(&trapped), ["echo on UART1", "guest0_traps", "heap_peak"]);
    // A capture alone decides none of them.
    assert!(judge(&asked, &nothing, WINDOW, None).criteria.is_empty());
}

#[test]
fn random_captures_never_break_the_judge() {
    let mut random = oorandom::Rand64::new(22);
    let tests = [test(FOLLOWS), test(PULSES)];
    for _ in 0..3_000 {
        let mut channel = |name| {
            let mut at_ns = random.rand_range(0..2 * RESET);
            let times: Vec<u64> = (0..random.rand_range(0..60))
                .map(|_| {
                    let bits = random.rand_range(1..31);
                    at_ns += random.rand_range(0..1 << bits);
                    at_ns
                })
                .collect();
            (name, random.rand_u64() & 1 == 1, times)
        };
        let capture = capture(&[channel("GPIO15"), channel("GPIO16"), channel("GPIO25")]);
        for test in &tests {
            let verdict = judge(test, &capture, WINDOW, None);
            assert_eq!(verdict.passed, failed(&verdict).is_empty());
            assert!(!verdict.criteria.is_empty());
        }
    }
}
