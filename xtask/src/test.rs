//! `./x test` and `./x lint`.

use crate::run::{Failure, Step, cargo_tool, root};
use crate::{book, build, firmware, fuzz, provenance, reproduce, sbom};

/// For each target: enough to find what is wrong at once. `./x fuzz` looks longer.
const FUZZ_SECONDS: u32 = 5;

pub fn all(args: &[String]) -> Result<(), Failure> {
    build::all()?;
    build::rivals()?;
    build::hazard3()?;
    build::fixtures()?;
    reproduce::held()?;
    sbom::write()?;
    provenance::write()?;
    fuzz::run(FUZZ_SECONDS)?;
    // Of a shell that `./x env` was for: tests bring their own.
    let cargo = Step::cargo().env_remove("SANDHILL_ARTEFACTS");
    let tests = cargo.args(["test", "--no-fail-fast"]).args(args).run();
    if !args.is_empty() {
        // Somebody looks for one of them.
        return tests;
    }
    let commands = book::test(false, &[]);
    tests.and(commands)
}

pub fn lint() -> Result<(), Failure> {
    // Called by their own names: `cargo fmt` would find rustup's proxy first, which knows nothing of Debian's toolchain.
    Step::new("cargo-fmt").args(["fmt", "--all", "--check"]).run()?;
    Step::new("cargo-clippy").args(["clippy", "--locked", "--quiet", "--all-targets", "--", "-D", "warnings"]).run()?;
    firmware::lint()?;
    shellcheck()?;
    // That the flake evaluates is a test: xtask/tests/flake.rs.
    Step::new(cargo_tool("nixpkgs-fmt")?).args(["--check", "flake.nix", "ci/nix"]).run()?;
    Step::new(cargo_tool("deadnix")?).args(["--fail", "flake.nix", "ci/nix"]).run()
}

/// Shell scripts are few, and their linter is not on every machine: where it is missing, that is said.
fn shellcheck() -> Result<(), Failure> {
    let mut scripts = vec![root().join("x"), root().join(".ci/run")];
    let folder = root().join("ci/setup");
    let listing = std::fs::read_dir(&folder).map_err(|source| Failure::File { path: folder, source })?;
    scripts
        .extend(listing.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "sh")));
    scripts.sort();
    match Step::new("shellcheck").args(scripts).run() {
        Err(Failure::Start { .. }) => {
            println!("lint: shellcheck is not installed, shell scripts were not checked");
            Ok(())
        }
        outcome => outcome,
    }
}
