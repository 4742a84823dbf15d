//! `./x build` and `./x clean`.

use std::path::{Path, PathBuf};

use crate::explain::Account;
use crate::run::{Failure, Step, artefacts, remove_folder, root, tool};
use crate::{artifacts, firmware};

pub fn all() -> Result<(), Failure> {
    with_tools(tools())
}

/// All that is flashed, and what is flashed beside it to compare and to test; of the tools only what makes it.
pub fn artefacts_alone() -> Result<(), Failure> {
    with_tools(Step::cargo().args(["build", "--quiet", "--package", "guest-pack"]))?;
    fixtures()?;
    rivals()?;
    hazard3()
}

fn with_tools(tools: Step) -> Result<(), Failure> {
    artifacts::recorded(&["firmware", "guests"], || {
        say("tools");
        tools.run()?;
        // Asks guest-pack whose guests it is to run.
        say("firmware");
        firmware::build()?;
        say("guests");
        guests(&[])
    })
}

/// Of all that [`all`] builds a line a step, and why it ran.
pub fn explained() -> Result<(), Failure> {
    artifacts::recorded(&["firmware", "guests"], || {
        let mut account = Account::default();
        account.cargo("tools", tools())?;
        let written = firmware::build_by(|step| account.cargo("firmware", step))?;
        account.copied("firmware", written);
        account.guests(&artefacts().join("guests"))?;
        account.total();
        Ok(())
    })
}

/// The tools and the guests named, without the firmware. The list of artefacts keeps what it can vouch for.
pub fn some(names: &[String]) -> Result<(), Failure> {
    artifacts::recorded(&[], || {
        say("tools");
        tools().run()?;
        say("guests");
        guests(names)
    })
}

/// All of the default members at once: building them one by one would resolve other features and build twice.
fn tools() -> Step {
    Step::cargo().args(["build", "--quiet"])
}

fn guests(names: &[String]) -> Result<(), Failure> {
    Step::new(tool("guest-pack")).args(["build", "--out"]).arg(artefacts().join("guests")).args(names).run()
}

/// Guests that misbehave on purpose, and images that are spoilt: tests and measurements flash and upload them.
pub fn fixtures() -> Result<(), Failure> {
    let folder = artefacts().join("fixtures");
    artifacts::recorded(&["fixtures"], || {
        // guest-pack takes away one that is no more, if it has noted what it made.
        if !root().join("target/guests/fixtures.json").is_file() {
            remove_folder(&folder)?;
        }
        Step::new(tool("guest-pack")).args(["build", "--fixtures", "--out"]).arg(&folder).run()
    })
}

/// The third host, which only tests run.
pub fn hazard3() -> Result<(), Failure> {
    say("hazard3");
    artifacts::recorded(&["hazard3"], firmware::build_hazard3)
}

/// What the comparison needs beyond [`all`].
pub fn rivals() -> Result<(), Failure> {
    say("rivals");
    artifacts::recorded(&["rivals"], firmware::build_rivals)
}

pub fn clean() -> Result<(), Failure> {
    remove_folder(&root().join("target"))?;
    // What a language's own tools leave when they are called in a guest's folder: guests/<program>/<language>.
    for program in folders(&root().join("guests"))? {
        for language in folders(&program)? {
            for left in ["target", ".zig-cache", "zig-out"] {
                remove_folder(&language.join(left))?;
            }
        }
    }
    Ok(())
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let listing = std::fs::read_dir(folder).map_err(|source| Failure::File { path: folder.into(), source })?;
    Ok(listing.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

fn say(what: &str) {
    println!("build: {what}");
}
