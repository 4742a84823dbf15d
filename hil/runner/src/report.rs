//! What remains of a run: `report.json` and `junit.xml`.
//!
//! Two runs of the same artefacts on the same bench give the same `report.json` but for `generated`, as long as the
//! board does the same: there is no path, port, duration or running counter in it, and numbers are rounded.

use std::{collections::BTreeMap, fs, path::Path, time::SystemTime};

use quick_junit::{NonSuccessKind, Report as JunitReport, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use crate::{
    artefacts::Artefact,
    error::Error,
    judge::{Measured, Verdict},
    run::{GuestRun, Plan, summary},
};

/// `report.json`.
#[derive(Debug, Serialize)]
pub struct Report {
    /// When, in UTC. The only part that differs between runs.
    pub generated: String,
    pub passed: bool,
    pub bench: String,
    pub firmware: Firmware,
    pub guests: Vec<Guest>,
}

#[derive(Debug, Serialize)]
pub struct Firmware {
    /// What it takes of the flash.
    pub flash_bytes: u64,
    pub artefacts: BTreeMap<String, Artefact>,
    pub sections: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
pub struct Guest {
    pub name: String,
    /// The name of the guest in slot 1.
    pub beside: Option<String>,
    pub program: String,
    pub language: String,
    pub passed: bool,
    /// The verdicts are those of an earlier run: nothing that they depend on has changed since.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stored: bool,
    pub tools: BTreeMap<String, String>,
    pub memory_bytes: u64,
    pub artefacts: BTreeMap<String, Artefact>,
    pub verdicts: Vec<Verdict>,
    /// Name → value; units are in the names' descriptions, see `hil run --vitals`.
    pub vitals: BTreeMap<String, u32>,
    pub console: Vec<String>,
}

impl Report {
    pub fn new(plan: &Plan, runs: &[GuestRun]) -> Self {
        let manifest = &plan.firmware_manifest;
        Self {
            generated: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            passed: runs.iter().all(GuestRun::passed),
            bench: plan.bench.name.clone(),
            firmware: Firmware {
                flash_bytes: plan.firmware.flash_bytes(),
                artefacts: manifest.artefacts.clone(),
                sections: manifest.sections.clone(),
            },
            guests: runs.iter().map(guest).collect(),
        }
    }

    /// Writes `report.json` and `junit.xml` into `folder`.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let fail = |error: &dyn std::error::Error| Error::Report { message: error.to_string() };
        let mut json = serde_json::to_string_pretty(self).map_err(|error| fail(&error))?;
        json.push('\n');
        let path = folder.join("report.json");
        fs::write(&path, json).map_err(Error::file(&path))?;
        let xml = self.junit().to_string().map_err(|error| fail(&error))?;
        let path = folder.join("junit.xml");
        fs::write(&path, xml).map_err(Error::file(&path))
    }

    fn junit(&self) -> JunitReport {
        let mut suite = TestSuite::new(format!("hil on {}", self.bench));
        for guest in &self.guests {
            let name = guest.beside.as_ref().map_or(guest.name.clone(), |beside| format!("{}+{beside}", guest.name));
            for verdict in &guest.verdicts {
                let status = if verdict.passed {
                    TestCaseStatus::success()
                } else {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_message(format!("{name}: {} is not what the test asks for", verdict.title));
                    status.set_description(summary(&name, verdict));
                    status
                };
                let mut case = TestCase::new(format!("{name} {}", verdict.title), status);
                case.set_classname(guest.program.as_str());
                case.set_assertions(verdict.criteria.len());
                if guest.stored {
                    case.add_property(("verdict", "of an earlier run: nothing it depends on has changed"));
                }
                case.set_system_out(guest.console.join("\n"));
                suite.add_test_case(case);
            }
        }
        let mut report = JunitReport::new("hil");
        report.add_test_suite(suite);
        report
    }
}

fn guest(run: &GuestRun) -> Guest {
    let manifest = &run.manifest;
    Guest {
        name: manifest.name.clone(),
        beside: run.beside.clone(),
        program: manifest.program.clone(),
        language: manifest.language.clone(),
        passed: run.passed(),
        stored: run.stored,
        tools: manifest.tools.clone(),
        memory_bytes: manifest.memory_bytes,
        artefacts: manifest.artefacts.clone(),
        verdicts: run.verdicts.iter().cloned().map(rounded).collect(),
        vitals: run
            .vitals
            .iter()
            .filter(|vital| !vital.running)
            .map(|vital| (vital.name.clone(), vital.value))
            .collect(),
        console: run.console.clone(),
    }
}

/// Figures to the picosecond and to 10⁻⁹: finer than any analyser, coarse enough to print the same everywhere.
fn rounded(mut verdict: Verdict) -> Verdict {
    if let Some(measured) = &mut verdict.measured {
        *measured = Measured {
            mean_period_ns: round(measured.mean_period_ns, 3),
            jitter_ns: round(measured.jitter_ns, 3),
            duty: round(measured.duty, 9),
            drift_ppm: round(measured.drift_ppm, 6),
            ..*measured
        };
    }
    verdict
}

fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    // Adding zero turns -0 into 0.
    (value * scale).round() / scale + 0.0
}
