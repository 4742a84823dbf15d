//! `./x footprint`: what each lever of the firmware's build gives. Every lever is pulled alone, starting from the profile that is
//! flashed; each build runs a guest on the bench, and sizes and instruction counts are read off it as by any user.
//! It takes minutes for each lever, so no test runs it; `docs/src/explanation/footprint.md` keeps what it printed.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::run::{Failure, Step, artefacts, root, tool};
use crate::{build, firmware};

/// A guest that does next to nothing, so that the figures are the host's.
const GUEST: &str = "blinky-c";

/// A lever, and the settings of Cargo that pull it.
const LEVERS: &[(&str, &[&str])] = &[
    ("none: as flashed", &[]),
    ("all at opt-level 3", &["profile.firmware.opt-level=3"]),
    ("wasmtime at opt-level 3", &["profile.firmware.package.wasmtime.opt-level=3"]),
    ("all but interpreter and runtime at opt-level z", &["profile.firmware.opt-level='z'"]),
    ("interpreter at opt-level s", &["profile.firmware.package.pulley-interpreter.opt-level='s'"]),
    ("runtime at opt-level s", &["profile.firmware.package.sandhill-runtime.opt-level='s'"]),
];

/// What is printed of the guest's vitals; the time to the first edge is without checking the image.
const HEADING: &str = "| lever | flash | heap | main stack | guest's stack | reset to first edge | host call |";
const UNITS: &str = "|---|---|---|---|---|---|---|";

pub fn print() -> Result<(), Failure> {
    build::all()?;
    let folder = root().join("target/footprint");
    let built = folder.join("artefacts");
    copy(&artefacts().join("guests").join(GUEST), &built.join("guests").join(GUEST))?;
    let mut rows = Vec::new();
    for (name, settings) in LEVERS {
        println!("footprint: {name}");
        let flash = firmware::build_variant(&folder.join("target"), settings, &built.join("firmware"))?;
        let results = folder.join("hil");
        let hil = Step::new(tool("hil")).args(["run", "--guest", GUEST, "--artefacts"]).arg(&built);
        hil.arg("--out").arg(&results).run()?;
        rows.push(format!("| {name} | {flash} | {} |", figures(&results.join("report.json"))?.join(" | ")));
    }
    println!("{HEADING}\n{UNITS}");
    rows.iter().for_each(|row| println!("{row}"));
    Ok(())
}

/// The figures of the one guest of a report, behind flash. What the firmware does not have is a dash.
fn figures(path: &Path) -> Result<[String; 5], Failure> {
    let text = fs::read(path).map_err(|source| Failure::File { path: path.into(), source })?;
    let report: Value = serde_json::from_slice(&text).unwrap_or_default();
    let vital = |name: &str| report.pointer(&format!("/guests/0/vitals/{name}")).and_then(Value::as_u64);
    let first_edge = || vital("guest0_boot_to_first_edge_cycles")?.checked_sub(vital("guest0_verify_cycles")?);
    let figures = [
        vital("heap_peak"),
        vital("stack_peak"),
        vital("guest0_stack_peak"),
        first_edge(),
        vital("guest0_call_cycles_min"),
    ];
    Ok(figures.map(|figure| figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string())))
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let failure = |path: &Path| {
        let path = path.to_owned();
        |source| Failure::File { path, source }
    };
    fs::create_dir_all(to).map_err(failure(to))?;
    for entry in fs::read_dir(from).map_err(failure(from))?.flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).map_err(failure(&entry.path()))?;
    }
    Ok(())
}
