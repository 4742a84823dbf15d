//! The desktop host as a second opinion: the same guests there, run by Wasmtime's component model on other hardware, have to
//! give the edges that the bench has captured.

use std::{fs::File, io::BufReader, path::Path, process::Command};

use hil::capture::Capture;

use super::bench::root;

/// How far two edges may be apart, counted from the first: a sample of the analyser, and what a guest's own work takes.
const APART_NS: u64 = 5_000;

/// A guest, its pin, what the desktop needs to know, and whether times are the guest's own: those of a button are not,
/// since on a bench it is pressed when the probe gets to it.
const GUESTS: [(&str, &str, &[&str], bool); 3] = [
    ("blinky", "GPIO25", &["--for", "9s"], true),
    ("button", "GPIO25", &["--for", "3s", "--press", "15@800ms+300ms", "--press", "15@1500ms+300ms"], false),
    ("servo", "GPIO16", &["--for", "4s"], true),
];

/// Compares the captures in `folder`, of the default tests, with runs of the same guests on the desktop.
pub fn agrees_with(folder: &Path) {
    for language in ["c", "rust", "zig"] {
        for (program, pin, arguments, timed) in GUESTS {
            let guest = format!("{program}-{language}");
            let file = File::open(folder.join(format!("{guest}.vcd"))).expect("a capture");
            let capture = Capture::read(BufReader::new(file)).expect("a whole capture");
            let bench: Vec<(u64, bool)> =
                capture.channel(pin).expect("its pin").edges.iter().map(|edge| (edge.at_ns, edge.high)).collect();
            let desktop = edges(&guest, pin, arguments);
            assert!(desktop.len() >= 4, "{guest} on the desktop: {desktop:?}");
            assert!(bench.len() >= desktop.len(), "{guest}: {} edges on the bench, {}", bench.len(), desktop.len());
            if !timed {
                assert_eq!(bench.len(), desktop.len(), "{guest}: number of edges");
            }
            for (number, (bench_edge, desktop_edge)) in bench.iter().zip(&desktop).enumerate() {
                assert_eq!(bench_edge.1, desktop_edge.1, "{guest}: edge {number}");
                let apart = (bench_edge.0 - bench[0].0).abs_diff(desktop_edge.0 - desktop[0].0);
                assert!(
                    !timed || apart <= APART_NS,
                    "{guest}: edge {number} is {apart} ns from where the desktop has it"
                );
            }
        }
        let output = desktop(&format!("echo-{language}"), &["--for", "1s", "--uart1", "hello, sandhill"]);
        let echoed: String = output.lines().filter_map(|line| line.split('"').nth(1)).collect();
        assert_eq!(echoed, "hello, sandhill", "echo-{language}: {output}");
    }
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
