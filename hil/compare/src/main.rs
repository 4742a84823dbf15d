//! `compare`: a table of what each engine costs the compute guest. Exit code 1: an engine could not be measured.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use comfy_table::{CellAlignment, Table, presets};
use compare::{Cost, ENGINES, Engine, Error, VERIFIERS, measure};

/// Runs the compute guest in several engines on the chip model and prints what each costs.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What `./x build` and `./x compare` write
    #[arg(long, default_value = "target/artefacts")]
    artefacts: PathBuf,
    /// Iterations that are averaged
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    iterations: u32,
    /// The guest
    #[arg(long, default_value = "compute-c")]
    guest: String,
    /// The pin that it toggles once an iteration
    #[arg(long, default_value_t = 17)]
    pin: u8,
    /// Also write what was measured to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Instead, what verifying a small guest's image costs with each of two libraries for signatures
    #[arg(long, conflicts_with = "engines")]
    signatures: bool,
    /// Only these engines, such as wasmi; the first one is what the others are compared with
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(ENGINES))]
    engines: Vec<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(table) => {
            println!("{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<Table, Error> {
    let chosen = |name: &str| arguments.engines.is_empty() || arguments.engines.iter().any(|engine| engine == name);
    let mut costs = Vec::new();
    let compared = if arguments.signatures { VERIFIERS } else { ENGINES };
    for name in compared.iter().filter(|name| chosen(name)) {
        let engine = Engine::new(name, &arguments.guest, &arguments.artefacts);
        costs.push((*name, measure(&engine, arguments.pin, arguments.iterations as usize)?));
    }
    if let Some(path) = &arguments.json {
        std::fs::write(path, json(&costs)).map_err(|source| Error::Write { path: path.clone(), source })?;
    }
    Ok(table(&costs))
}

/// One object an engine. Names are plain, so nothing needs escaping.
fn json(costs: &[(&str, Cost)]) -> String {
    let object = |(name, cost): &(&str, Cost)| {
        let Cost { instructions, flash_bytes, ram } = cost;
        format!(
            r#"  {{"engine": "{name}", "instructions": {instructions:.0}, "ram_bytes": {}, "flash_bytes": {flash_bytes}}}"#,
            ram.total()
        )
    };
    format!("[\n{}\n]\n", costs.iter().map(object).collect::<Vec<_>>().join(",\n"))
}

fn table(costs: &[(&str, Cost)]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_header([
        "engine",
        "instructions an iteration",
        "ratio",
        "RAM",
        "static",
        "heap",
        "stack",
        "flash",
    ]);
    for (name, cost) in costs {
        let ratio = cost.instructions / costs[0].1.instructions;
        table.add_row([
            (*name).to_owned(),
            format!("{:.0}", cost.instructions),
            format!("{ratio:.1}"),
            cost.ram.total().to_string(),
            cost.ram.fixed.to_string(),
            cost.ram.heap.to_string(),
            cost.ram.stack.to_string(),
            cost.flash_bytes.to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
