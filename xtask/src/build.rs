//! `./x build` and `./x clean`.

use std::path::Path;

use crate::firmware;
use crate::run::{Failure, Step, artefacts, root, tool};

pub fn all() -> Result<(), Failure> {
    say("tools");
    // All of the default members at once: building them one by one would resolve other features and build twice.
    Step::cargo().args(["build", "--quiet"]).run()?;
    say("firmware");
    firmware::build()?;
    say("guests");
    Step::new(tool("guest-pack")).args(["build", "--out"]).arg(artefacts().join("guests")).run()
}

/// The third host, which only tests run.
pub fn hazard3() -> Result<(), Failure> {
    say("hazard3");
    firmware::build_hazard3()
}

/// What the comparison needs beyond [`all`].
pub fn rivals() -> Result<(), Failure> {
    say("rivals");
    firmware::build_rivals()
}

pub fn clean() -> Result<(), Failure> {
    remove(&root().join("target"))?;
    for entry in [
        "guests/blinky/c/target",
        "guests/compute/c/target",
        "guests/blinky/rust/target",
        "guests/blinky/zig/.zig-cache",
        "guests/blinky/zig/zig-out",
    ] {
        remove(&root().join(entry))?;
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::File { path: folder.into(), source })
        }
        _ => Ok(()),
    }
}

fn say(what: &str) {
    println!("build: {what}");
}
