//! The target table: what the host costs, measured on a bench, beside what it has to reach.
//!
//! Every figure is read off the board or off what was flashed onto it: vitals through the probe, edges in the capture, sizes
//! of the firmware. Where several guests give one, the worst counts. A figure that could not be measured has missed its
//! "must", as nobody knows whether it is met.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Serialize;

use crate::{
    error::Error,
    judge::Edge,
    run::GuestRun,
    test_file::{self, TestFile},
    vitals::{self, Vital},
};

/// Instructions an iteration of CoreMark: of native code, of the public seed's interpreter with fuel, and the two targets
/// with the bound on run time. The guest that is measured is another one, so only the ratios to native code compare.
const COREMARK_NATIVE: f64 = 0.290e6;
const COREMARK_SEED: f64 = 10.55e6;
const COREMARK_MUST: f64 = 10.6e6;
const COREMARK_REACH: f64 = 6.6e6;

/// What the figures are made of.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// Of the blinkies.
    pub runs: &'a [GuestRun],
    /// What the firmware takes of the flash.
    pub flash_bytes: u64,
    /// Of the analyser: the resolution of the edges.
    pub sample_ns: f64,
    pub compute: Option<Compute>,
}

/// What an iteration of the guest that computes takes, in instructions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compute {
    pub guest: f64,
    /// The same source as native code.
    pub native: Option<f64>,
}

/// The table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Whether every "must" is met.
    pub passed: bool,
    pub figures: Vec<Figure>,
    /// What belongs to a figure without being one.
    pub details: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    pub name: &'static str,
    pub unit: &'static str,
    /// What the public seed firmware takes, where it is known.
    pub seed: Option<f64>,
    pub must: f64,
    pub reach: Option<f64>,
    /// The worst of `guests`; absent where it could not be measured.
    pub measured: Option<f64>,
    pub guests: BTreeMap<String, f64>,
    pub must_met: bool,
    pub reach_met: Option<bool>,
    /// Whether more is better.
    pub more_is_better: bool,
}

impl Figure {
    fn new(name: &'static str, unit: &'static str, [seed, must, reach]: [Option<f64>; 3]) -> Self {
        Self {
            name,
            unit,
            seed,
            must: must.unwrap_or_default(),
            reach,
            measured: None,
            guests: BTreeMap::new(),
            must_met: false,
            reach_met: reach.map(|_| false),
            more_is_better: false,
        }
    }

    fn of(mut self, guests: BTreeMap<String, f64>, all: usize) -> Self {
        // One guest without a value could be the worst.
        if guests.len() == all {
            let worse = |a: f64, b: f64| if self.more_is_better { a.min(b) } else { a.max(b) };
            self.measured = guests.values().copied().reduce(worse);
        }
        self.guests = guests;
        self.judged()
    }

    fn is(mut self, value: Option<f64>) -> Self {
        self.measured = value;
        self.judged()
    }

    fn judged(mut self) -> Self {
        self.must_met = self.meets(self.must);
        self.reach_met = self.reach.map(|limit| self.meets(limit));
        self
    }

    fn meets(&self, limit: f64) -> bool {
        self.measured.is_some_and(|value| if self.more_is_better { value >= limit } else { value <= limit })
    }

    /// A value in the figure's unit, for people.
    fn show(&self, value: f64) -> String {
        match self.unit {
            "B" => format!("{value:.0} B ({:.1} KiB)", value / 1024.0),
            "%" => format!("{value:.3} %"),
            "µs" => format!("{value:.2} µs"),
            "ppm" => format!("{value:.3} ppm"),
            "× native" => format!("{value:.1} × native"),
            _ => grouped(value),
        }
    }

    fn verdict(&self) -> &'static str {
        match (self.measured, self.must_met, self.reach_met) {
            (None, ..) => "not measured",
            (Some(_), false, _) => "MISSED",
            (Some(_), true, Some(true)) => "reached",
            (Some(_), true, _) => "met",
        }
    }
}

/// Thousands apart.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202F}');
        }
        text.push(digit);
    }
    text
}

impl Figures {
    pub fn new(input: &Input<'_>) -> Self {
        /// Of the firmware's clk_sys (`host/rp2350/src/board/clocks.rs`), which its cycle figures count.
        const CYCLES_PER_US: f64 = 150.0;
        const KIB: f64 = 1024.0;
        let runs = input.runs;
        let each = |value: &dyn Fn(&GuestRun) -> Option<f64>| -> BTreeMap<String, f64> {
            runs.iter().filter_map(|run| Some((run.name(), value(run)?))).collect()
        };
        let worst = |figure: Figure, value: &dyn Fn(&GuestRun) -> Option<f64>| figure.of(each(value), runs.len());
        let all = |names: &'static [&'static str]| move |run: &GuestRun| sum(&run.vitals, names);

        let ram = Figure::new("RAM", "B", [Some(300.0 * KIB), Some(32.0 * KIB), Some(20.0 * KIB)]);
        let flash = Figure::new("firmware flash", "B", [Some(652_248.0), Some(400.0 * KIB), Some(280.0 * KIB)]);
        let boot = Figure::new(
            "reset to first edge, without the check of the image",
            "instructions",
            [Some(596_516.0), Some(150_000.0), Some(80_000.0)],
        );
        // As the seed was measured: in the steady state, a call that drives a pin. Its shortest is that; longer ones wait.
        let call =
            Figure::new("host call that drives a pin", "instructions", [Some(1_290.0), Some(900.0), Some(120.0)]);
        let mut asleep = Figure::new("asleep, without the check of the image", "%", [None, Some(99.9), None]);
        asleep.more_is_better = true;
        let edge = Figure::new("edge off schedule", "µs", [None, Some(2.0), Some(1.0)]);
        // Edges that are off by up to a sample give a slope of at most one and a half of them over the capture.
        let seen = |run: &GuestRun| run.verdicts.iter().find_map(|verdict| verdict.measured);
        let span_ns = runs.iter().filter_map(seen).map(|m| m.periods as f64 * m.mean_period_ns).reduce(f64::min);
        let least_ppm = span_ns.map_or(0.0, |span_ns| 1.5 * input.sample_ns / span_ns * 1e6);
        let drift = Figure::new("drift", "ppm", [None, Some(least_ppm), None]);
        let compute = Figure::new(
            "a guest that computes, bounded",
            "× native",
            [COREMARK_SEED, COREMARK_MUST, COREMARK_REACH].map(|instructions| Some(instructions / COREMARK_NATIVE)),
        );

        let figures = vec![
            worst(ram, &all(RAM)),
            flash.is(Some(input.flash_bytes as f64)),
            worst(boot, &|run| {
                let edge = vital(run, "guest0_boot_to_first_edge_cycles").filter(|cycles| *cycles > 0.0)?;
                Some(edge - vital(run, "guest0_verify_cycles")?)
            }),
            worst(call, &|run| vital(run, "guest0_call_cycles_min").filter(|cycles| *cycles > 0.0)),
            worst(asleep, &|run| {
                let uptime_us = vital(run, "uptime_ms").filter(|ms| *ms > 0.0)? * 1e3;
                let check_us = vital(run, "guest0_verify_cycles")? / CYCLES_PER_US;
                Some((1.0 - (vital(run, "awake_us")? - check_us) / uptime_us) * 100.0)
            }),
            worst(edge, &|run| Some(seen(run)?.schedule_ns as f64 / 1e3)),
            worst(drift, &|run| Some(seen(run)?.drift_ppm.abs())),
            compute.is(input.compute.and_then(|compute| Some(compute.guest / compute.native?))),
        ];
        let passed = figures.iter().all(|figure| figure.must_met);
        Self { passed, figures, details: details(input) }
    }

    /// Rows of the table: name, seed, must, reach, measured, verdict.
    fn rows(&self) -> Vec<[String; 6]> {
        let row = |figure: &Figure| {
            let show = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| figure.show(value));
            let bound = if figure.more_is_better { "≥" } else { "≤" };
            let limit =
                |value: Option<f64>| value.map_or_else(|| "–".into(), |v| format!("{bound} {}", figure.show(v)));
            [
                figure.name.to_string(),
                show(figure.seed),
                limit(Some(figure.must)),
                limit(figure.reach),
                show(figure.measured),
                figure.verdict().to_string(),
            ]
        };
        self.figures.iter().map(row).collect()
    }

    /// Writes `figures.json` into `folder`.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let json = serde_json::to_string_pretty(self).map_err(|error| Error::Report { message: error.to_string() })?;
        let path = folder.join("figures.json");
        fs::write(&path, json + "\n").map_err(Error::file(&path))
    }

    /// For a terminal.
    pub fn table(&self) -> String {
        let mut table = crate::table::new_table();
        table.set_header(HEADER);
        table.add_rows(self.rows());
        crate::table::align(&mut table);
        format!("{table}\n{}", self.details.join("\n"))
    }

    /// For a document.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut text = line(&HEADER.map(String::from)) + "|---|--:|--:|--:|--:|---|\n";
        for row in self.rows() {
            text += &line(&row);
        }
        text + "\n" + &self.details.iter().map(|detail| format!("- {detail}\n")).collect::<String>()
    }
}

const HEADER: [&str; 6] = ["figure", "seed", "must", "reach", "measured", "verdict"];

/// What RAM is made of. The guest's memory and its stack in the interpreter are part of the heap.
const RAM: &[&str] = &["static_ram", "heap_peak", "stack_peak", "guest0_stack_peak", "guest1_stack_peak"];

fn vital(run: &GuestRun, name: &str) -> Option<f64> {
    vitals::get(&run.vitals, name).map(f64::from)
}

fn sum(vitals: &[Vital], names: &[&str]) -> Option<f64> {
    names.iter().map(|name| vitals::get(vitals, name).map(f64::from)).sum()
}

fn details(input: &Input<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for run in input.runs {
        let value = |name| vitals::get(&run.vitals, name).map_or_else(|| "–".into(), |value| value.to_string());
        lines.push(format!(
            "{}: RAM static {} + heap {} (of which guest memory {}, Pulley stack {}) + main stack {} + guest's stack {} + other \
             slot's stack {} bytes; first edge after {} instructions, of which check of the image {}; host calls {} to {} \
             instructions, the longest with what a delay takes of the scheduler; awake {} of {} ms, with the check of the image",
            run.name(),
            value("static_ram"),
            value("heap_peak"),
            value("guest0_memory"),
            value("guest0_pulley_stack"),
            value("stack_peak"),
            value("guest0_stack_peak"),
            value("guest1_stack_peak"),
            value("guest0_boot_to_first_edge_cycles"),
            value("guest0_verify_cycles"),
            value("guest0_call_cycles_min"),
            value("guest0_call_cycles_max"),
            vital(run, "awake_us").map_or_else(|| "–".into(), |us| format!("{:.1}", us / 1e3)),
            value("uptime_ms"),
        ));
    }
    lines.push(format!("edges and drift: to one sample of the analyser, {:.2} µs", input.sample_ns / 1e3));
    match input.compute {
        Some(Compute { guest, native: Some(native) }) => lines.push(format!(
            "a guest that computes: {} instructions an iteration, {} as native code; targets are CoreMark's, as ratios to native code \
             ({} instructions an iteration)",
            grouped(guest),
            grouped(native),
            grouped(COREMARK_NATIVE),
        )),
        Some(Compute { guest, native: None }) => lines.push(format!(
            "a guest that computes: {} instructions an iteration; name what `compare --json` wrote with --native",
            grouped(guest)
        )),
        None => lines.push("a guest that computes: none in the artefacts, or it made no edge".into()),
    }
    lines.push("instructions are cycles of the core's clock: one each on the virtual bench, more on a chip".into());
    lines
}

/// The pin that the guest that computes toggles once an iteration.
pub const SPEED_PIN: &str = "GPIO17";
/// The core's clock: 150 MHz, the most that the chip is rated for (RP2350 datasheet §8.1).
const CORE_HZ: f64 = 150e6;

/// The tests whose runs give the figures: blinky's own, and one that only lets the other guest compute for a while.
pub fn tests() -> TestFile {
    let compute = "[[test]]\nprogram = \"compute\"\nvitals = { guest0_traps = 0 }\ncapture = \"3s\"\n";
    let (name, blinky) = test_file::BUILT_IN[0];
    TestFile::parse(&format!("{blinky}\n{compute}"), name).expect("both are part of this program, and tested")
}

/// Instructions of an iteration, from the mean time between two edges.
pub fn iteration(edges: &[Edge]) -> Option<f64> {
    let (first, last) = (edges.first()?.at_ns, edges.last()?.at_ns);
    // A few are needed to average out what interrupts.
    (edges.len() > 3).then(|| (last - first) as f64 / 1e9 / (edges.len() - 1) as f64 * CORE_HZ)
}

/// Reads what `compare --json` wrote: instructions of an iteration as the fastest native code.
pub fn native(path: &Path) -> Result<f64, Error> {
    #[derive(serde::Deserialize)]
    struct Engine {
        engine: String,
        instructions: f64,
    }
    let refuse = |message| Error::Native { path: path.into(), message };
    let text = fs::read_to_string(path).map_err(Error::file(path))?;
    let engines: Vec<Engine> = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
    let native = engines.iter().filter(|engine| engine.engine.starts_with("native")).map(|engine| engine.instructions);
    native
        .filter(|instructions| *instructions > 0.0)
        .reduce(f64::min)
        .ok_or_else(|| refuse("it has no native engine".into()))
}

#[cfg(test)]
#[path = "figures_tests.rs"]
mod tests;
