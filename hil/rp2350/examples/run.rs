//! Runs flat images on the chip and prints what comes out: console, edges, what was not modelled, and how fast it went.
//!
//! `cargo run -p rp2350-model --example run -- MILLISECONDS FILE@ADDRESS…`, the address within flash, in hexadecimal:
//! `run 2000 firmware.bin@10000000 guest.img@10100000`. `llvm-objcopy -O binary` makes such a file from an ELF.

use std::process::ExitCode;
use std::time::Instant as WallClock;

use rp2350_model::{Instant, Rp2350};

const FLASH_BASE: u32 = 0x1000_0000;

fn load(chip: &mut Rp2350, argument: &str) -> Result<(), String> {
    let (path, address) = argument.rsplit_once('@').ok_or("an image is FILE@ADDRESS")?;
    let address = u32::from_str_radix(address, 16).map_err(|error| format!("{address}: {error}"))?;
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let from = address.checked_sub(FLASH_BASE).ok_or("the address lies before flash")? as usize;
    let room = chip.flash_mut().get_mut(from..from + bytes.len()).ok_or("the image does not fit into flash")?;
    room.copy_from_slice(&bytes);
    Ok(())
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let millis = arguments.next().ok_or("usage: run MILLISECONDS FILE@ADDRESS…")?;
    let millis: u64 = millis.parse().map_err(|error| format!("{millis}: {error}"))?;
    let mut chip = Rp2350::new();
    for argument in arguments {
        load(&mut chip, &argument)?;
    }
    let started = WallClock::now();
    chip.run_until(Instant::from_nanos(millis * 1_000_000));
    let seconds = started.elapsed().as_secs_f64();
    let mut console = Vec::new();
    chip.uart_take(0, &mut console);
    print!("{}", String::from_utf8_lossy(&console));
    let mut edges = Vec::new();
    chip.take_edges(&mut edges);
    for edge in edges.iter().filter(|edge| edge.line != rp2350_model::Line::Pin(0)) {
        println!("{:>14} ns {:?} {}", edge.at.as_nanos(), edge.line, u8::from(edge.high));
    }
    for diagnostic in chip.take_diagnostics() {
        println!("{diagnostic}");
    }
    let instructions = chip.instructions(0) + chip.instructions(1);
    println!(
        "{instructions} instructions in {seconds:.3} s: {:.1} million a second",
        instructions as f64 / seconds / 1e6
    );
    Ok(())
}

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("run: {message}");
            ExitCode::FAILURE
        }
    }
}
