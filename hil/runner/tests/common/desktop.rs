//! The desktop host as a second opinion: the same guests there, run by Wasmtime's component model on other hardware, have to
//! give the edges that the bench has captured.

use std::{fs::File, io::BufReader, path::Path, process::Command};

use hil::capture::Capture;

use super::bench::root;

/// How far two edges may be apart, counted from the first: a sample of the analyser, and what a guest's own work takes.
const APART_NS: u64 = 5_000;

/// What has to be the same.
enum Same {
    /// Every edge, at its time after the first.
    Times,
    /// The edges in their order: on a bench a button is pressed when the probe gets to it.
    Order,
    /// The widths of the pulses, in their order. This guest asks for the next width at the end of a period, which may just
    /// have begun the next one: so a width may last one pulse more or less.
    Widths,
}

/// A guest, its pin, what the desktop needs to know, and what is compared.
const GUESTS: [(&str, &str, &[&str], Same); 3] = [
    ("blinky", "GPIO25", &["--for", "9s"], Same::Times),
    ("button", "GPIO25", &["--for", "3s", "--press", "15@800ms+300ms", "--press", "15@1500ms+300ms"], Same::Order),
    ("servo", "GPIO16", &["--for", "4s"], Same::Widths),
];

/// Compares the captures in `folder`, of the default tests, with runs of the same guests on the desktop.
pub fn agrees_with(folder: &Path) {
    for language in ["c", "rust", "zig"] {
        for (program, pin, arguments, same) in GUESTS {
            let guest = format!("{program}-{language}");
            let file = File::open(folder.join(format!("{guest}.vcd"))).expect("a capture");
            let capture = Capture::read(BufReader::new(file)).expect("a whole capture");
            let bench: Vec<(u64, bool)> =
                capture.channel(pin).expect("its pin").edges.iter().map(|edge| (edge.at_ns, edge.high)).collect();
            let desktop = edges(&guest, pin, arguments);
            assert!(desktop.len() >= 4, "{guest} on the desktop: {desktop:?}");
            let (bench, desktop) = (&bench[..bench.len().min(desktop.len())], &desktop[..]);
            let levels = |edges: &[(u64, bool)]| edges.iter().map(|edge| edge.1).collect::<Vec<_>>();
            assert_eq!(levels(bench), levels(desktop), "{guest}");
            match same {
                Same::Order => {}
                Same::Times => {
                    let after = |edges: &[(u64, bool)], index: usize| edges[index].0 - edges[0].0;
                    for index in 0..desktop.len() {
                        let apart = after(bench, index).abs_diff(after(desktop, index));
                        assert!(apart <= APART_NS, "{guest}: edge {index} is {apart} ns from where the desktop has it");
                    }
                }
                Same::Widths => {
                    let (bench, desktop) = (widths(bench), widths(desktop));
                    assert!(desktop.len() >= 15, "{guest} on the desktop: {desktop:?}");
                    for (bench, desktop) in bench.iter().zip(&desktop) {
                        assert_eq!(bench.0, desktop.0, "{guest}: width of the pulses");
                        assert!(bench.1.abs_diff(desktop.1) <= 1, "{guest}: {bench:?}, on the desktop {desktop:?}");
                    }
                }
            }
        }
        let output = desktop(&format!("echo-{language}"), &["--for", "1s", "--uart1", "hello, sandhill"]);
        let echoed: String = output.lines().filter_map(|line| line.split('"').nth(1)).collect();
        assert_eq!(echoed, "hello, sandhill", "echo-{language}: {output}");
    }
}

/// Pulses of the same width, in microseconds, and how many; without the last ones, which the end may have cut short.
fn widths(edges: &[(u64, bool)]) -> Vec<(u64, usize)> {
    let mut runs: Vec<(u64, usize)> = Vec::new();
    for pulse in edges.windows(2).filter(|pair| pair[0].1) {
        let width_us = (pulse[1].0 - pulse[0].0 + 500) / 1_000;
        match runs.last_mut() {
            Some((width, count)) if *width == width_us => *count += 1,
            _ => runs.push((width_us, 1)),
        }
    }
    runs.pop();
    runs
}

/// Time in nanoseconds and level of each edge of `pin`.
fn edges(guest: &str, pin: &str, arguments: &[&str]) -> Vec<(u64, bool)> {
    let output = desktop(guest, arguments);
    let lines = output.lines().filter_map(|line| {
        let (time, change) = line.split_once(' ')?;
        let (name, level) = change.split_once(' ')?;
        (name == pin).then(|| {
            let micros: u64 = time.replace('.', "").parse().expect("seconds with six digits behind the point");
            (micros * 1_000, level == "high")
        })
    });
    lines.collect()
}

fn desktop(guest: &str, arguments: &[&str]) -> String {
    let program = root().join("target/debug/sandhill-desktop");
    let folder = root().join("target/artefacts/guests").join(guest);
    let output = Command::new(&program).arg(&folder).args(arguments).output();
    let output =
        output.unwrap_or_else(|error| panic!("{}: {error}: run `./x test`, which builds it", program.display()));
    String::from_utf8(output.stdout).expect("lines of text")
}
