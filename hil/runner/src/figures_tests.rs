//! The table from vitals and edges that are made up, one figure wrong at a time.

use super::*;
use crate::judge::{Measured, Verdict};

const VITALS: [(&str, u32); 14] = [
    ("static_ram", 3_000),
    ("heap_peak", 12_000),
    ("stack_peak", 1_500),
    ("guest0_stack_peak", 3_000),
    ("guest1_stack_peak", 80),
    ("guest0_memory", 1_024),
    ("guest0_pulley_stack", 2_048),
    ("guest0_boot_to_first_edge_cycles", 500_100),
    ("guest0_verify_cycles", 420_600),
    ("guest0_call_cycles_min", 119),
    ("guest0_call_cycles_max", 950),
    ("uptime_ms", 10_000),
    ("awake_us", 6_804),
    ("guest0_traps", 0),
];

fn blinky(language: &str, changed: &[(&str, u32)]) -> GuestRun {
    let manifest = format!(r#"{{"name":"blinky-{language}","program":"blinky","language":"{language}"}}"#);
    let vital = |(name, value): &(&str, u32)| Vital {
        name: (*name).into(),
        unit: "u".into(),
        description: "d".into(),
        value: changed.iter().find(|(other, _)| other == name).map_or(*value, |(_, value)| *value),
        running: false,
    };
    let measured = Measured {
        periods: 9,
        mean_period_ns: 1e9,
        worst_deviation_ns: 250,
        jitter_ns: 0.0,
        duty: 0.5,
        drift_ppm: 0.02,
        schedule_ns: 750,
    };
    GuestRun {
        manifest: serde_json::from_str(&manifest).unwrap(),
        beside: None,
        verdicts: vec![Verdict { measured: Some(measured), ..Verdict::default() }],
        console: Vec::new(),
        vitals: VITALS.iter().map(vital).collect(),
        stored: false,
    }
}

fn figures(runs: &[GuestRun], compute: Option<Compute>) -> Figures {
    Figures::new(&Input { runs, flash_bytes: 280 * 1024, sample_ns: 250.0, compute })
}

const FAST: Option<Compute> = Some(Compute { guest: 6e6, native: Some(0.3e6) });

fn verdicts(figures: &Figures) -> Vec<&'static str> {
    assert_eq!(figures.passed, figures.figures.iter().all(|figure| figure.must_met));
    figures.figures.iter().map(Figure::verdict).collect()
}

#[test]
fn a_host_that_reaches_everything_passes() {
    let figures = figures(&[blinky("c", &[]), blinky("rust", &[])], FAST);
    let reached = "reached";
    assert_eq!(verdicts(&figures), [reached, reached, reached, reached, "met", reached, "met", reached]);
    let measured: Vec<f64> =
        figures.figures.iter().map(|figure| (figure.measured.unwrap() * 1e6).round() / 1e6).collect();
    assert_eq!(measured, [19_580.0, 286_720.0, 79_500.0, 119.0, 99.96, 0.75, 0.02, 20.0]);
    let table = figures.table();
    assert!(
        table.contains("19580 B (19.1 KiB)") && table.contains("99.960 %") && table.contains("79\u{202F}500"),
        "{table}"
    );
    assert!(table.contains("guest memory 1024, Pulley stack 2048") && table.contains("0.25 µs"), "{table}");
    let markdown = figures.markdown();
    assert_eq!(markdown.lines().filter(|line| line.starts_with('|')).count(), 10, "{markdown}");
}

#[test]
fn the_worst_guest_counts_and_one_missed_figure_fails() {
    for (vital, value, index) in [
        ("guest0_stack_peak", 20_000, 0),
        ("guest0_verify_cycles", 0, 2),
        ("guest0_call_cycles_min", 901, 3),
        ("awake_us", 12_805, 4),
    ] {
        let figures = figures(&[blinky("c", &[]), blinky("rust", &[(vital, value)]), blinky("zig", &[])], FAST);
        let missed: Vec<usize> = (0..8).filter(|index| !figures.figures[*index].must_met).collect();
        assert_eq!(missed, [index], "{vital}");
        assert!(figures.table().contains("MISSED"));
        verdicts(&figures);
    }
    let mut late = blinky("c", &[]);
    let measured = late.verdicts[0].measured.as_mut().unwrap();
    (measured.schedule_ns, measured.drift_ppm) = (2_250, -0.05);
    assert_eq!(verdicts(&figures(&[late], FAST))[5..7], ["MISSED", "MISSED"]);
    let slow = Some(Compute { guest: 11e6, native: Some(0.29e6) });
    assert_eq!(verdicts(&figures(&[blinky("c", &[])], slow))[7], "MISSED");
}

#[test]
fn what_was_not_measured_is_missed_and_said() {
    let mut dark = blinky("c", &[]);
    dark.vitals.clear();
    dark.verdicts[0].measured = None;
    let figures = figures(&[dark, blinky("rust", &[])], Some(Compute { guest: 6e6, native: None }));
    let unknown = "not measured";
    assert_eq!(verdicts(&figures), [unknown, "reached", unknown, unknown, unknown, unknown, unknown, unknown]);
    assert!(!figures.passed && figures.table().contains("--native"));
    assert_eq!(
        verdicts(&super::Figures::new(&Input { runs: &[], flash_bytes: 1, sample_ns: 250.0, compute: None }))[0],
        unknown
    );
    // A guest that never made an edge says 0.
    let figures = self::figures(&[blinky("c", &[("guest0_boot_to_first_edge_cycles", 0)])], FAST);
    assert_eq!(verdicts(&figures)[2], unknown);
}

#[test]
fn an_iteration_is_the_time_between_edges() {
    let edges: Vec<Edge> = (0..11).map(|i| Edge { at_ns: 7 + i * 40_000_000, high: i % 2 == 0 }).collect();
    assert_eq!(iteration(&edges), Some(6e6));
    assert_eq!(iteration(&edges[..3]), None);
    assert_eq!(iteration(&[]), None);
}

#[test]
fn the_tests_behind_the_figures_are_valid() {
    let tests = tests();
    assert!(tests.tests.iter().any(|test| test.is_for("compute-c", "compute")));
    assert!(tests.tests.iter().any(|test| test.wave.is_some()));
}

#[test]
fn the_native_figure_is_the_fastest_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("compare.json");
    let read = |text: &str| {
        fs::write(&path, text).unwrap();
        native(&path).map_err(|error| error.to_string())
    };
    let engines = r#"[{"engine":"native-o3","instructions":290000.5},{"engine":"native-o2","instructions":300000},
                      {"engine":"wasmi","instructions":1}]"#;
    assert_eq!(read(engines), Ok(290_000.5));
    assert!(read("[]").unwrap_err().contains("no native engine"));
    assert!(read("{").unwrap_err().contains("compare.json"));
}
