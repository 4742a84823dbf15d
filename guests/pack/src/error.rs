//! What can go wrong between a source file and a flash image, each with what to do about it.

use std::path::PathBuf;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },

    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },

    #[error(
        "no guests found from here: run it inside the repository (a folder with wit/platform.wit and guests/), or name it with --root"
    )]
    NoRoot,

    #[error("no guest is called {name}; there are: {}", known.join(", "))]
    UnknownGuest { name: String, known: Vec<String> },

    #[error("{} has no Cargo.toml, Makefile or build.zig: not known how to build it", path.display())]
    UnknownLanguage { path: PathBuf },

    #[error("{name} is not a name for a guest: use 1 to 31 letters, digits, and between them -, _ and .")]
    BadName { name: String },

    #[error(
        "{name} is not a name for a program: use 1 to 26 lower-case letters, digits, and between them -, a letter first"
    )]
    BadProgram { name: String },

    #[error("{} is there already: nothing was written. Take another name, or edit what is there", path.display())]
    ProgramExists { path: PathBuf },

    #[error("{guest} needs {tool}, which is not here: run ./x setup{}", hint.map(|hint| format!(" ({hint})")).unwrap_or_default())]
    ToolMissing { guest: String, tool: &'static str, hint: Option<&'static str> },

    #[error("{guest} needs {tool} {wanted}, but the one found is {found}: run ./x setup")]
    WrongTool { guest: String, tool: &'static str, wanted: &'static str, found: String },

    #[error("{guest} does not build: {command} ended with {status}; what it said is above")]
    ToolFailed { guest: String, command: String, status: std::process::ExitStatus },

    #[error("{guest}: {command} left no {}", path.display())]
    NoOutput { guest: String, command: String, path: PathBuf },

    #[error("the package embedded:platform has no world {world}; it has: {}", known.join(", "))]
    UnknownWorld { world: String, known: Vec<String> },

    #[error("this is neither a WebAssembly module nor a component: {reason}")]
    NotWasm { reason: String },

    #[error(
        "it imports {import}, which the world {world} does not offer; what it offers: {}",
        offered.join(", ")
    )]
    ForeignImport { import: String, world: String, offered: Vec<String> },

    #[error("it does not fit the world {world}: {reason}")]
    NotTheWorld { world: String, reason: String },

    #[error("it cannot be lowered to a core module for the device: {what}; {instead}")]
    CannotLower { what: String, instead: &'static str },

    #[error(
        "its linear memory takes {bytes} bytes, more than the {budget} of its policy. \
         Link with a small stack and pages of one byte (wasm-ld: -z stack-size=1024 --page-size=1), \
         or raise memory-bytes in policy.toml"
    )]
    MemoryOverBudget { bytes: u64, budget: u32 },

    #[error(
        "its tables have {elements} elements, more than the {budget} of its policy. \
         Call fewer functions through pointers, or raise table-elements in policy.toml"
    )]
    TableOverBudget { elements: u64, budget: u32 },

    #[error("{}: {reason}", path.display())]
    Policy { path: PathBuf, reason: String },

    #[error("its policy is inconsistent: {reason}")]
    BadPolicy { reason: String },

    #[error("{text} is no version: write it as 1.2.3 or 1.2.3+4, at most 255.255.65535+4294967295")]
    BadVersion { text: String },

    #[error("{}: {reason}", path.display())]
    BadKey { path: PathBuf, reason: &'static str },

    #[error("{} is there already, and a key is never overwritten: name another file", path.display())]
    KeyExists { path: PathBuf },

    #[error(
        "no folder for the development key: set HOME or XDG_CONFIG_HOME, or name a key with --key or SANDHILL_GUEST_KEY"
    )]
    NoKeyFolder,

    #[error("the system gives no randomness for a new key ({reason}): make one elsewhere and name it with --key")]
    NoRandomness { reason: String },

    #[error("this is no guest image: {reason}. Pack a guest with `guest-pack image`")]
    NotAnImage { reason: &'static str },

    #[error("{reason}")]
    Unsound { reason: String },

    #[error("Wasmtime does not compile it: {reason}")]
    Compile { reason: String },

    #[error(
        "the compiled image has a form that this version of guest-pack does not know ({reason}): \
         it goes with the wasmtime version in its Cargo.toml"
    )]
    Cwasm { reason: String },

    #[error("{fixture} should have been refused, because of what its first lines say, but was not")]
    FixtureAccepted { fixture: String },

    #[error(
        "the contract has a parameter {parameter}, for which guests/pack/src/edges.rs knows no legal value: add one"
    )]
    NoLegalValue { parameter: String },

    #[error("{name}: {source}")]
    Guest { name: String, source: Box<Error> },
}

impl Error {
    /// The same error, saying which guest it is about.
    pub fn of(self, name: &str) -> Self {
        Self::Guest { name: name.to_owned(), source: Box::new(self) }
    }
}
