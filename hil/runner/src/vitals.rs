//! The firmware's vitals: read from the board's RAM through the probe, named and described by the firmware's ELF file.

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    firmware::{Field, VITALS_MAGIC, VitalsLayout},
    probe::Probe,
};

/// Vitals that go on counting while guests run, or from one reset to the next. What they read depends on the moment, so
/// they are shown to people but kept out of `report.json`, which is the same for every run. Those that are not listed settle
/// within the capture.
const RUNNING: &[&str] =
    &["uptime_ms", "awake_us", "switches", "resets", "watchdog_resets", "smp_requests", "smp_errors"];
/// The same of each guest, after its prefix.
const GUEST_RUNNING: &[&str] = &["host_calls", "call_cycles_last", "run_us"];
const GUEST_PREFIXES: [&str; 2] = ["guest0_", "guest1_"];

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Vital {
    pub name: String,
    pub unit: String,
    pub description: String,
    pub value: u32,
    /// Whether it goes on counting while the guest runs.
    pub running: bool,
}

/// Reads them. `Ok(None)`: the board's RAM holds none, so the firmware has not run.
pub fn read(probe: &mut dyn Probe, layout: &VitalsLayout) -> Result<Option<Vec<Vital>>, Error> {
    let mut bytes = vec![0; 4 * layout.fields.len()];
    probe.read(layout.address, &mut bytes)?;
    let mut words = bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    if words.next() != Some(VITALS_MAGIC) {
        return Ok(None);
    }
    Ok(Some(layout.fields[1..].iter().zip(words).map(|(field, value)| vital(field, value)).collect()))
}

fn vital(field: &Field, value: u32) -> Vital {
    Vital {
        name: field.name.clone(),
        unit: field.unit.clone(),
        description: field.description.clone(),
        value,
        running: running(&field.name),
    }
}

fn running(name: &str) -> bool {
    let of_guest = GUEST_PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix));
    of_guest.map_or_else(|| RUNNING.contains(&name), |rest| GUEST_RUNNING.contains(&rest))
}

/// The value of one vital.
pub fn get(vitals: &[Vital], name: &str) -> Option<u32> {
    vitals.iter().find(|vital| vital.name == name).map(|vital| vital.value)
}
