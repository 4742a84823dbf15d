//! What the chip could not do, on stderr: each kind once, and never a flood.

use std::collections::HashSet;
use std::fmt::Arguments;
use std::io::{Write, stderr};
use std::time::{Duration, Instant};

use rp2350_model::Diagnostic;

/// So many lines may follow each other at once.
const BURST: u32 = 20;
/// Then one line in this time.
const INTERVAL: Duration = Duration::from_millis(200);
/// So many places are remembered; a program that strays further is lost anyway.
const REMEMBERED: usize = 4096;

/// A line on stderr. That nobody reads it any more is no reason to stop.
pub fn warn(line: Arguments<'_>) {
    let _ = writeln!(stderr(), "{line}");
}

/// Which diagnostics were printed already.
#[derive(Debug)]
pub struct Diagnostics {
    seen: HashSet<(u32, u32)>,
    allowance: u32,
    refilled: Instant,
    suppressed: u64,
}

impl Default for Diagnostics {
    fn default() -> Self {
        Self { seen: HashSet::new(), allowance: BURST, refilled: Instant::now(), suppressed: 0 }
    }
}

impl Diagnostics {
    /// Prints those whose place and address are new.
    pub fn report(&mut self, diagnostics: Vec<Diagnostic>) {
        if diagnostics.is_empty() {
            return;
        }
        let intervals = self.refilled.elapsed().as_millis() / INTERVAL.as_millis();
        if intervals > 0 {
            let gained = u32::try_from(intervals).unwrap_or(u32::MAX);
            self.allowance = self.allowance.saturating_add(gained).min(BURST);
            self.refilled = Instant::now();
        }
        for diagnostic in diagnostics {
            let place = (diagnostic.pc, diagnostic.address);
            if self.seen.len() >= REMEMBERED || !self.seen.insert(place) {
                continue;
            }
            if self.allowance == 0 {
                self.suppressed += 1;
                continue;
            }
            self.allowance -= 1;
            if self.suppressed > 0 {
                warn(format_args!("chip: {} more were not shown", self.suppressed));
                self.suppressed = 0;
            }
            warn(format_args!("chip: {diagnostic}"));
        }
    }
}
