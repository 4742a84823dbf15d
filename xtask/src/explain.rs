//! `./x build --explain`: a line a step of the build, with the reason why it ran, and what all of them took.
//!
//! It decides nothing. Why Cargo compiled is what Cargo says itself; why a guest was built is what `guest-pack` says.

use std::path::Path;

use crate::run::{Failure, Step, tool};

/// What the steps of a build did, as far as they have run.
#[derive(Default)]
pub struct Account {
    /// Steps that there are.
    steps: usize,
    /// Those of them that ran.
    run: usize,
    /// Processes that they started.
    processes: usize,
    /// Files that they wrote among the artefacts.
    written: usize,
}

impl Account {
    /// A build by Cargo, which speaks of every crate then.
    pub fn cargo(&mut self, name: &str, step: Step) -> Result<(), Failure> {
        let said = step.run_verbose(is_status)?;
        let compiled = compiled(&said);
        self.processes += 1 + said.lines().filter(|line| status(line) == Some("Running")).count();
        self.tell(name, "compile", compiled.as_deref());
        Ok(())
    }

    /// Files that the build copies out of Cargo's folder, of which `written` had changed.
    pub fn copied(&mut self, name: &str, written: usize) {
        self.written += written;
        self.tell(name, "copy", (written > 0).then_some("what was compiled changed"));
    }

    /// `guest-pack build`, which explains its own steps.
    pub fn guests(&mut self, out: &Path) -> Result<(), Failure> {
        let said = Step::new(tool("guest-pack")).args(["build", "--explain", "--out"]).arg(out).output()?;
        let lines: Vec<&str> = said.lines().collect();
        let (last, lines) = lines.split_last().unwrap_or((&"", &[]));
        lines.iter().for_each(|line| println!("{line}"));
        // `0 of 26 steps run, 6 processes started, 0 files written`
        let numbers: Vec<usize> = last.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        if let [run, steps, processes, written] = numbers[..] {
            self.run += run;
            self.steps += steps;
            self.processes += 1 + processes;
            self.written += written;
        }
        Ok(())
    }

    pub fn total(&self) {
        let Self { steps, run, processes, written } = self;
        println!("{run} of {steps} steps run, {processes} processes started, {written} files written");
    }

    fn tell(&mut self, name: &str, step: &str, reason: Option<&str>) {
        self.steps += 1;
        self.run += usize::from(reason.is_some());
        let verdict = reason.map_or_else(|| "up to date".into(), |reason| format!("built: {reason}"));
        println!("{name:<16} {step:<8} {verdict}");
    }
}

/// The word that Cargo begins a line of its progress with; everything else is for the user.
fn status(line: &str) -> Option<&str> {
    let word = line.trim_start().split(' ').next()?;
    let known = ["Fresh", "Dirty", "Compiling", "Running", "Finished", "Updating", "Locking"];
    (line.starts_with("  ") && known.contains(&word)).then_some(word)
}

fn is_status(line: &str) -> bool {
    status(line).is_some()
}

/// Why Cargo compiled something, in its own words; `None`: it did not.
fn compiled(said: &str) -> Option<String> {
    let count = said.lines().filter(|line| status(line) == Some("Compiling")).count();
    // `Dirty xtask v0.2.0 (/path): the file `xtask/src/main.rs` has changed (1780000000.1s, 5s after last build at …)`
    let reasons = || {
        said.lines().filter(|line| status(line) == Some("Dirty")).filter_map(|line| {
            let (_, reason) = line.split_once("): ").or_else(|| line.split_once(": "))?;
            Some(reason.split(" (").next().unwrap_or(reason).replace('`', ""))
        })
    };
    // That a dependency was rebuilt follows from another reason.
    let first = reasons().find(|reason| reason.starts_with("the file ")).or_else(|| reasons().next());
    let reason = first.unwrap_or_else(|| "not built before".into());
    match count {
        0 => None,
        1 => Some(reason),
        count => Some(format!("{reason}; {count} crates compiled")),
    }
}

#[cfg(test)]
mod tests {
    use super::{compiled, status};

    #[test]
    fn what_cargo_says_is_understood() {
        let fresh = "       Fresh clap v4.6.7\n    Finished `dev` profile target(s) in 0.4s\n";
        assert_eq!(compiled(fresh), None);
        let changed = "       Dirty hil v0.2.0 (/a b/hil): the dependency object was rebuilt\n   Compiling hil v0.2.0 (/a b/hil)\n\
                       \x20      Dirty xtask v0.2.0 (/a b/xtask): the file `xtask/src/run.rs` has changed (1.0s, 2s after last build at 0.0s)\n\
                       \x20  Compiling xtask v0.2.0 (/a b/xtask)\n     Running `/usr/bin/rustc --crate-name xtask`\n";
        assert_eq!(compiled(changed).as_deref(), Some("the file xtask/src/run.rs has changed; 2 crates compiled"));
        let new = "   Compiling hil v0.2.0 (/hil)\n";
        assert_eq!(compiled(new).as_deref(), Some("not built before"));
        assert_eq!(status("warning: unused import: `Running`"), None);
        assert_eq!(status("Running away"), None);
    }
}
