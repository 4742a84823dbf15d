//! `./x fuzz`: the fuzz targets of `host/update/fuzz`, built with coverage by plain Cargo and run for a while, each from its
//! corpus. Who has cargo-fuzz runs the same targets with `cargo fuzz run` in `host/update`.

use std::path::{Path, PathBuf};

use crate::run::{Failure, Step, root};

/// What cargo-fuzz gives the compiler, but for the sanitizer, whose runtime not every toolchain has.
const FLAGS: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
];
/// A later run of the fuzzer on this folder's seeds finds what this one did.
const SEED: &str = "-seed=2350";

fn folder() -> PathBuf {
    root().join("host/update/fuzz")
}

/// Runs each target for `seconds`.
pub fn run(seconds: u32) -> Result<(), Failure> {
    let target = root().join("target/fuzz");
    let here = this_machine()?;
    println!("fuzz: building");
    Step::cargo()
        .args(["build", "--quiet", "--release", "--manifest-path"])
        .arg(folder().join("Cargo.toml"))
        // Named, so that the flags are not for build scripts, which are linked without the fuzzer.
        .args(["--target", &here])
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"))
        .run()?;
    for name in targets()? {
        let log = root().join("target/fuzz").join(&name).with_extension("log");
        // What it finds is new inputs, which stay outside of the repository; a crash stays beside them.
        let found = root().join("target/fuzz/corpus").join(&name);
        let artefacts = root().join("target/fuzz/crashes").join(&name);
        for folder in [&found, &artefacts] {
            std::fs::create_dir_all(folder).map_err(|source| Failure::File { path: folder.clone(), source })?;
        }
        Step::new(target.join(&here).join("release").join(&name))
            .arg(&found)
            .arg(folder().join("corpus").join(&name))
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", artefacts.display()))
            .args([SEED, "-timeout=10", "-print_final_stats=1"])
            .run_logged(&log)?;
        println!("fuzz: {name} for {seconds} s, {} inputs, nothing found", inputs(&log).unwrap_or_default());
    }
    Ok(())
}

/// How many inputs the fuzzer tried, by its log.
fn inputs(log: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&std::fs::read(log).ok()?).into_owned();
    let count = text.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    Some(count.trim().to_owned())
}

/// The compiler's name for what it runs on.
fn this_machine() -> Result<String, Failure> {
    let about = Step::new("rustc").arg("-vV").output()?;
    Ok(about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default().to_owned())
}

/// The names of all targets.
fn targets() -> Result<Vec<String>, Failure> {
    let folder = folder().join("fuzz_targets");
    let listing = std::fs::read_dir(&folder).map_err(|source| Failure::File { path: folder, source })?;
    let mut names: Vec<String> =
        listing.flatten().filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}
