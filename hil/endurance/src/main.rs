//! `endurance`: prints what was measured. Exit code 1: something is not as it has to be.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use comfy_table::{CellAlignment, Table, presets};
use endurance::{Artefacts, Error, Flow, Heap, Outcome, Soak, Wear, count, cuts, lifetime_years, soak, speed};

/// Puts a board on the chip model through what happens in the field, and says how it bears it.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What `./x build` writes
    #[arg(long, default_value = "target/artefacts", global = true)]
    artefacts: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Cut power in every write of flash of every step of an update, and boot after each
    Cuts,
    /// Update over and over for a day of virtual time: no leak, and the wear that was computed
    Soak {
        /// Updates in all
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(3..))]
        updates: u32,
        /// Virtual hours that they are spread over
        #[arg(long, default_value_t = 24.0)]
        hours: f64,
    },
    /// Time verification, uploads, and what a guest that blinks notices of them
    Speed,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.what, &arguments.artefacts) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("endurance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(what: &What, artefacts: &Path) -> Result<(), Error> {
    let artefacts = Artefacts::load(artefacts)?;
    match *what {
        What::Cuts => print_cuts(&artefacts),
        What::Soak { updates, hours } => {
            let mut progress = |done: u32| {
                if done.is_multiple_of(100) {
                    eprintln!("endurance: {done} of {updates} updates");
                }
            };
            let soak = soak(&artefacts, updates, Duration::from_secs_f64(hours * 3600.0), &mut progress)?;
            print_soak(&artefacts, &soak);
            soak.check()
        }
        What::Speed => print_speed(&artefacts),
    }
}

fn print_cuts(artefacts: &Artefacts) -> Result<(), Error> {
    let mut table =
        table(&["step", "writes of flash", "cut points", "old guest after", "new guest after", "none, as before"]);
    let (mut points, mut writes) = (0, 0);
    for flow in Flow::ALL {
        let cuts = cuts(artefacts, flow)?;
        let counts = count(&cuts);
        let of = |outcome| counts.get(&outcome).copied().unwrap_or(0).to_string();
        let mut operations: Vec<u64> = cuts.iter().map(|cut| cut.operation).collect();
        operations.dedup();
        table.add_row([
            flow.name().to_owned(),
            operations.len().to_string(),
            cuts.len().to_string(),
            of(Outcome::Old),
            of(Outcome::New),
            of(Outcome::None),
        ]);
        points += cuts.len();
        writes += operations.len();
    }
    println!("{table}");
    println!("{points} cut points in {writes} writes: 0 bricks, 0 unverified runs, always the old or the new guest");
    Ok(())
}

fn print_soak(artefacts: &Artefacts, soak: &Soak) {
    println!("{} updates in {:.1} h of virtual time", soak.updates, soak.hours);
    let mut heap = table(&["heap, bytes in use (at most)", "C", "Rust", "Zig"]);
    for (what, heaps) in [("updates", soak.after_updates), ("runs from RAM", soak.after_ram_runs)] {
        for (when, of) in [("first", (|heap| heap.first) as fn(Heap) -> (u32, u32)), ("last", |heap| heap.last)] {
            let [c, rust, zig] = heaps.map(of).map(|(used, peak)| format!("{used} ({peak})"));
            heap.add_row([format!("{when} of {what}"), c, rust, zig]);
        }
    }
    println!("{heap}");
    println!("{} runs from RAM", soak.ram_runs);
    let mut wear = table(&["flash", "sectors erased", "an update", "most of one sector", "pages programmed"]);
    for (name, Wear { erases, erases_most, programs }) in
        [("firmware", soak.firmware), ("guest slots", soak.slots), ("journal", soak.journal)]
    {
        let each = f64::from(erases) / f64::from(soak.updates);
        wear.add_row([
            name.to_owned(),
            erases.to_string(),
            format!("{each:.3}"),
            erases_most.to_string(),
            programs.to_string(),
        ]);
    }
    println!("{wear}");
    let full: usize = artefacts.firmware.segments.iter().map(|segment| segment.bytes.len()).sum();
    let mut life = table(&["until a sector has had 100 000 cycles", "one update a day", "one an hour"]);
    let mut row = |name: String, cycles: f64| {
        let years = |a_day| format!("{:.0} years", lifetime_years(cycles, a_day));
        life.add_row([name, years(1.0), years(24.0)]);
    };
    row(format!("a guest, {} sector(s) in the slots A and B in turn", soak.image_sectors), soak.cycles_an_update());
    row(
        format!(
            "a full reflash, {} sectors, the same ones each time",
            full.div_ceil(4096) + soak.image_sectors as usize
        ),
        1.0,
    );
    println!("{life}");
}

fn print_speed(artefacts: &Artefacts) -> Result<(), Error> {
    let speed = speed(artefacts)?;
    println!(
        "verification of blinky-c at boot: {} cycles, {:.1} ms at 150 MHz",
        speed.verify_cycles,
        speed.verify_ms()
    );
    let mut uploads =
        table(&["upload", "bytes", "baud", "ms", "of the line", "a blinky's edges off by", "longest stop"]);
    for upload in &speed.uploads {
        uploads.add_row([
            upload.image.clone(),
            upload.image_bytes.to_string(),
            upload.baud.to_string(),
            format!("{:.1}", upload.ms),
            format!("{:.1} %", 100.0 * upload.line_share),
            format!("{:.2} us", upload.edge_off_us),
            format!("{} us", upload.longest_stop_us),
        ]);
    }
    println!("{uploads}");
    speed.check()
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
