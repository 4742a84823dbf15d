//! Whose guests the firmware runs. `guest-pack` has the keys, and makes the development key when it is first asked.

use std::path::Path;

use crate::run::{Failure, Step, tool};

/// What the firmware's build reads: public keys of 64 hexadecimal digits, separated by commas.
pub const VARIABLE: &str = "SANDHILL_GUEST_KEYS";

/// The keys that the user named, or else the one that guests of this checkout are signed with. Needs the tools built.
pub fn trusted() -> Result<String, Failure> {
    match std::env::var(VARIABLE) {
        Ok(named) if !named.is_empty() => Ok(named),
        _ => ask(Step::new(tool("guest-pack")).args(["key", "public", "--hex"])),
    }
}

/// The public half of the key in a PEM file.
pub fn public(file: &Path) -> Result<String, Failure> {
    ask(Step::new(tool("guest-pack")).args(["key", "public", "--hex"]).arg(file))
}

fn ask(guest_pack: Step) -> Result<String, Failure> {
    Ok(guest_pack.output()?.trim().to_owned())
}
