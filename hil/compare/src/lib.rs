//! What an engine costs a guest that computes: each runs it on a chip model of its own, and the guest's speed is read off
//! its pin.
//!
//! An engine is a program in flash and, in guest slot 0, what it runs: files of the artefact folder, as everywhere in
//! `hil`. Measured is from outside: time between edges, stack that lost its paint. What an allocator knows only itself is
//! read from RAM: the symbol `HEAP_PEAK` of a bare program, the vitals of Sandhill's firmware.
//!
//! The figures are instructions, not cycles of a real chip, which also waits for its flash.

mod engine;
mod ram;

use std::path::PathBuf;

pub use engine::{ENGINES, Engine, Slot, VERIFIERS};

use hil::firmware::Firmware;
use rp2350_model::{Edge, Instant, Line, Rp2350};

/// Where flash is mapped (RP2350 datasheet, 2.2).
const FLASH_BASE: u64 = 0x1000_0000;

/// How long a guest may stay without an edge, in virtual milliseconds: ten times the slowest engine's iteration.
const PATIENCE_MS: u64 = 5_000;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: {source}. Run `./x compare`, which builds everything first", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}: check the path and its permissions", path = path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{path}: {reason}", path = path.display())]
    Program { path: PathBuf, reason: String },
    #[error("{path} does not fit into its slot of {room} bytes", path = path.display())]
    TooLarge { path: PathBuf, room: u64 },
    #[error(
        "{engine}: no edge on GPIO{pin} within {ms} ms of the chip's time after {edges} edges: the engine failed or the guest's result was wrong. Its console: {console}"
    )]
    Silent { engine: String, pin: u8, ms: u64, edges: usize, console: String },
    #[error("{engine}: its RAM cannot be read: {reason}")]
    Ram { engine: String, reason: String },
}

/// What one engine costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// Of everything the core executes between two edges, on average.
    pub instructions: f64,
    /// Of the program and what it runs.
    pub flash_bytes: u64,
    pub ram: Ram,
}

/// Memory that was needed, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ram {
    /// Whatever happens.
    pub fixed: u32,
    /// Most of the heap that was in use at once: with an interpreter, the guest's memory and stack too.
    pub heap: u32,
    /// Deepest use of native stacks.
    pub stack: u32,
}

impl Ram {
    #[must_use]
    pub fn total(&self) -> u32 {
        self.fixed + self.heap + self.stack
    }
}

/// Runs `engine` until the guest has made `iterations` iterations after its first edge on `pin`.
///
/// # Errors
/// [`Error`]: an artefact is missing or damaged, or the guest did not get so far.
pub fn measure(engine: &Engine, pin: u8, iterations: usize) -> Result<Cost, Error> {
    let bytes = engine::read(&engine.program)?;
    let unusable = |reason| Error::Program { path: engine.program.clone(), reason };
    let firmware = Firmware::parse(&bytes).map_err(unusable)?;
    let mut chip = Rp2350::new();
    for segment in &firmware.segments {
        program(&mut chip, segment.address, &segment.bytes)
            .ok_or_else(|| unusable("a segment lies outside flash".into()))?;
    }
    let mut flash_bytes = firmware.flash_bytes();
    if let Some(slot) = &engine.slot {
        let content = slot.content()?;
        let room = firmware.slots[0].end - firmware.slots[0].start;
        if content.len() as u64 > room || program(&mut chip, firmware.slots[0].start, &content).is_none() {
            return Err(Error::TooLarge { path: slot.path().into(), room });
        }
        flash_bytes += content.len() as u64;
    }
    let ram = ram::Meter::new(engine, &firmware, &bytes, &mut chip)?;
    let instructions = run(engine, &mut chip, pin, iterations)?;
    Ok(Cost { instructions, flash_bytes, ram: ram.read(&mut chip)? })
}

fn program(chip: &mut Rp2350, address: u64, bytes: &[u8]) -> Option<()> {
    let from = usize::try_from(address.checked_sub(FLASH_BASE)?).ok()?;
    chip.flash_mut().get_mut(from..)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(())
}

/// Instructions between two edges of `pin`, on average.
fn run(engine: &Engine, chip: &mut Rp2350, pin: u8, iterations: usize) -> Result<f64, Error> {
    const STEP_MS: u64 = 10;
    let (mut edges, mut all): (Vec<Edge>, Vec<Edge>) = (Vec::new(), Vec::new());
    let mut silent_ms = 0;
    // The first edge starts the count: what comes before it is the engine's start.
    let mut from = None;
    while edges.len() <= iterations {
        let before = edges.len();
        chip.run_until(Instant::from_nanos(chip.now().as_nanos() + STEP_MS * 1_000_000));
        chip.take_edges(&mut all);
        edges.extend(all.drain(..).filter(|edge| edge.line == Line::Pin(pin)));
        silent_ms = if edges.len() > before { 0 } else { silent_ms + STEP_MS };
        if silent_ms > PATIENCE_MS {
            let mut console = Vec::new();
            chip.uart_take(0, &mut console);
            let console = String::from_utf8_lossy(&console).trim().replace("\r\n", "; ");
            let engine = engine.name.to_owned();
            return Err(Error::Silent { engine, pin, ms: PATIENCE_MS, edges: edges.len(), console });
        }
        if from.is_none() && !edges.is_empty() {
            from = Some((chip.now(), chip.instructions(0)));
        }
    }
    // One instruction takes one cycle of a clock that no longer changes, so time tells how many there are to an edge,
    // where the count itself is known at the end of a step only.
    let (at, count) = from.expect("there was an edge");
    let per_unit = (chip.instructions(0) - count) as f64 / (chip.now().units() - at.units()) as f64;
    let units = edges[iterations].at.units() - edges[0].at.units();
    Ok(units as f64 * per_unit / iterations as f64)
}
