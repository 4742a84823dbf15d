//! What the user reads at the end: languages side by side, and vitals one by one.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};

use crate::{
    judge::{Measured, Verdict, microseconds, milliseconds, ppm},
    run::{GuestRun, Plan},
    vitals,
};

type Row = (String, Box<dyn Fn(&GuestRun) -> Option<String>>);

/// A table for each program, its guests as columns, so that languages compare line by line.
pub fn comparison(runs: &[GuestRun]) -> String {
    let by_program = |a: &GuestRun, b: &GuestRun| a.manifest.program == b.manifest.program;
    runs.chunk_by(by_program).map(of_one_program).collect::<Vec<_>>().join("\n")
}

fn of_one_program(runs: &[GuestRun]) -> String {
    let mut table = new_table();
    table.set_header(std::iter::once(String::new()).chain(runs.iter().map(GuestRun::name)));
    for (name, value) in rows(runs) {
        let cells: Vec<Option<String>> = runs.iter().map(&value).collect();
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "–".into()));
            table.add_row(std::iter::once(name).chain(cells));
        }
    }
    align(&mut table);
    table.to_string()
}

fn rows(runs: &[GuestRun]) -> Vec<Row> {
    fn measured(name: &str, value: impl Fn(&Verdict) -> Option<String> + 'static) -> Row {
        // One line for each test of the guest.
        let cell = move |run: &GuestRun| {
            let cells: Vec<Option<String>> = run.verdicts.iter().map(&value).collect();
            let lines: Vec<String> = cells.iter().map(|cell| cell.clone().unwrap_or_else(|| "–".into())).collect();
            cells.iter().any(Option::is_some).then(|| lines.join("\n"))
        };
        (name.into(), Box::new(cell))
    }
    fn file(name: &'static str) -> Row {
        let cell = move |run: &GuestRun| run.manifest.artefacts.get(name).map(|file| format!("{} B", file.bytes));
        (name.into(), Box::new(cell))
    }
    fn vital(title: &'static str, name: &'static str) -> Row {
        let cell = move |run: &GuestRun| {
            let vital = run.vitals.iter().find(|vital| vital.name == name && vital.value > 0)?;
            let unit = if vital.unit == "bytes" { "B" } else { &vital.unit };
            Some(format!("{} {unit}", vital.value))
        };
        (title.into(), Box::new(cell))
    }
    fn call_cycles(run: &GuestRun) -> Option<String> {
        let min = vitals::get(&run.vitals, "guest0_call_cycles_min")?;
        let max = vitals::get(&run.vitals, "guest0_call_cycles_max")?;
        Some(format!("{min}–{max}"))
    }
    // What has no row of its own below: whatever else was asked, under the criterion's name.
    let mut others: Vec<String> = Vec::new();
    for verdict in runs.iter().flat_map(|run| &run.verdicts).filter(|verdict| verdict.measured.is_none()) {
        for criterion in &verdict.criteria {
            if !others.contains(&criterion.name) {
                others.push(criterion.name.clone());
            }
        }
    }
    let others = others.into_iter().map(|name| {
        let wanted = name.clone();
        measured(&name, move |verdict| {
            let asked: Vec<&str> = verdict
                .criteria
                .iter()
                .filter(|criterion| criterion.name == wanted && verdict.measured.is_none())
                .map(|criterion| criterion.measured.as_str())
                .collect();
            (!asked.is_empty()).then(|| asked.join("\n"))
        })
    });
    let mut rows = vec![
        measured("verdict", |verdict| {
            Some(format!("{} {}", verdict.title, if verdict.passed { "passed" } else { "FAILED" }))
        }),
        measured("mean period", |verdict| verdict.measured.map(|m| milliseconds(m.mean_period_ns))),
        measured("worst deviation", |verdict| verdict.measured.map(|m| microseconds(m.worst_deviation_ns as f64))),
        measured("jitter (std. dev.)", |verdict| verdict.measured.map(|m| microseconds(m.jitter_ns))),
        measured("drift", |verdict| verdict.measured.map(|m| ppm(m.drift_ppm))),
        measured("off schedule, at most", |verdict| verdict.measured.map(|m| microseconds(m.schedule_ns as f64))),
        measured("duty", |verdict| verdict.measured.map(|m| format!("{:.6}", m.duty))),
        measured("reset to first edge", |verdict| match (verdict.first_edge_ns, verdict.measured) {
            (Some(ns), _) => Some(milliseconds(ns as f64)),
            // It moved, but the moment of reset is not in the capture.
            (None, Some(_)) => Some("see vitals".into()),
            (None, None) => None,
        }),
    ];
    rows.extend(others);
    rows.extend([
        vital("first edge, in cycles", "guest0_boot_to_first_edge_cycles"),
        ("cycles a host call".into(), Box::new(call_cycles)),
        file("core.wasm"),
        file("component.wasm"),
        file("guest.cwasm"),
        file("guest.img"),
        ("linear memory".into(), Box::new(|run| Some(format!("{} B", run.manifest.memory_bytes)))),
        vital("Pulley stack", "guest0_pulley_stack"),
        vital("heap, peak", "heap_peak"),
        vital("main stack, peak", "stack_peak"),
        vital("guest's stack, peak", "guest0_stack_peak"),
        vital("static RAM", "static_ram"),
    ]);
    rows
}

/// The figures of one verdict, in one line.
pub fn figures(measured: &Measured, first_edge_ns: Option<u64>) -> String {
    let mut text = format!(
        "    mean period {}, worst deviation {}, jitter {}, off schedule at most {}, duty {:.6}, drift {} over {} periods",
        milliseconds(measured.mean_period_ns),
        microseconds(measured.worst_deviation_ns as f64),
        microseconds(measured.jitter_ns),
        microseconds(measured.schedule_ns as f64),
        measured.duty,
        ppm(measured.drift_ppm),
        measured.periods,
    );
    if let Some(ns) = first_edge_ns {
        text += &format!("; reset to first edge {}", milliseconds(ns as f64));
    }
    text
}

/// Every vital of every guest, with unit and description, and the sizes of firmware and guests.
pub fn vitals(plan: &Plan, runs: &[GuestRun]) -> String {
    let mut text = format!("firmware: {} bytes of flash\n", plan.firmware.flash_bytes());
    for (section, bytes) in &plan.firmware_manifest.sections {
        text += &format!("    {section} {bytes} bytes\n");
    }
    for run in runs {
        text += &format!("\n{}:", run.name());
        for (file, artefact) in &run.manifest.artefacts {
            text += &format!(" {file} {} bytes;", artefact.bytes);
        }
        let mut table = new_table();
        table.set_header(["vital", "value", "unit", "what it is"]);
        for vital in &run.vitals {
            let running = if vital.running { " (still counting)" } else { "" };
            table.add_row([
                vital.name.clone(),
                vital.value.to_string(),
                vital.unit.clone(),
                format!("{}{running}", vital.description),
            ]);
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        text = text.trim_end_matches(';').to_string() + "\n";
        text += &if run.vitals.is_empty() { "no vitals".to_string() } else { table.to_string() };
        text += "\n";
    }
    text
}

pub(crate) fn new_table() -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    table
}

pub(crate) fn align(table: &mut Table) {
    for index in 1.. {
        match table.column_mut(index) {
            Some(column) => column.set_cell_alignment(CellAlignment::Right),
            None => return,
        };
    }
}
