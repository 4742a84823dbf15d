//! Which tools decide an artefact's bytes, and what they say they are.
//!
//! A version is what the tool itself prints, so it also names who made it (`Debian clang version …`). Of rustc's it has the
//! kind of machine, too, which Cargo mixes into the names of all symbols.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::artifacts::hash;
use crate::run::{Failure, root};

const RUST: [&str; 4] = ["cargo", "rust-lld", "rust-src", "rustc"];
const RIVALS: [&str; 5] = ["cargo", "clang for the chip", "rust-lld", "rust-src", "rustc"];

/// Tools of `file` in the folder `folder` of the artefacts, by name. `language` is the guest's.
pub fn of(folder: &str, file: &str, language: &str) -> Vec<&'static str> {
    let group = folder.split('/').next().unwrap_or_default();
    let mut tools = match (group, language) {
        ("firmware" | "hazard3", _) => RUST.to_vec(),
        ("rivals", _) => RIVALS.to_vec(),
        (_, "rust") => [&RUST[..], &["cargo-component"]].concat(),
        (_, "c") => vec!["clang", "wasm-ld"],
        (_, "zig") => vec!["zig"],
        _ => Vec::new(),
    };
    if !["firmware", "hazard3", "rivals"].contains(&group) {
        // guest-pack's.
        tools.push("wit-component");
        if !file.ends_with(".wasm") {
            tools.push("wasmtime");
        }
    }
    tools.sort_unstable();
    tools
}

/// What a tool says that it is; each is asked once.
///
/// # Errors
/// [`Failure::Start`], [`Failure::Exit`].
pub fn version(tool: &str) -> Result<String, Failure> {
    static ASKED: Mutex<Option<HashMap<String, String>>> = Mutex::new(None);
    let mut asked = ASKED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let asked = asked.get_or_insert_default();
    if let Some(version) = asked.get(tool) {
        return Ok(version.clone());
    }
    let version = ask(tool)?;
    asked.insert(tool.to_owned(), version.clone());
    Ok(version)
}

fn ask(tool: &str) -> Result<String, Failure> {
    match tool {
        "cargo" => line("cargo", &["--version"]),
        "cargo-component" => line("cargo-component", &["--version"]),
        // The workspace's own choice: guest-pack, like firmware, is as the lock file says.
        "wasmtime" | "wit-component" => locked(tool),
        "clang" => line(wasi_sdk("clang"), &["--version"]),
        "wasm-ld" => line(wasi_sdk("wasm-ld"), &["--version"]),
        "clang for the chip" => line(std::env::var_os("CLANG_FOR_CHIP").unwrap_or("clang-22".into()), &["--version"]),
        "zig" => Ok(format!("zig {}", line(std::env::var_os("ZIG").unwrap_or("zig".into()), &["version"])?)),
        "rustc" => rustc(),
        "rust-lld" => line(rust_lld()?, &["-flavor", "gnu", "--version"]),
        // core and alloc are built from it: the lock file of its crates stands for it beside the compiler's own version.
        "rust-src" => {
            let lock = rust_src()?.join("library/Cargo.lock");
            let bytes = std::fs::read(&lock).map_err(|source| Failure::File { path: lock, source })?;
            Ok(format!("library/Cargo.lock sha256 {}", hash(&bytes)))
        }
        _ => unreachable!("`of` names no other tool, and lists are written of what it names"),
    }
}

/// Version, and what else makes one compiler differ from another of the same version.
fn rustc() -> Result<String, Failure> {
    let said = said("rustc".as_ref(), &["--version", "--verbose"])?;
    let mut parts = vec![said.lines().next().unwrap_or_default()];
    for key in ["commit-hash: ", "host: ", "LLVM version: "] {
        parts.extend(said.lines().find(|line| line.starts_with(key)));
    }
    Ok(parts.join(", "))
}

/// Where the library's sources lie.
pub fn rust_src() -> Result<PathBuf, Failure> {
    Ok(sysroot()?.join("lib/rustlib/src/rust"))
}

/// The linker that rustc calls for targets without an operating system: the toolchain's own, or the one on PATH.
fn rust_lld() -> Result<OsString, Failure> {
    let said = said("rustc".as_ref(), &["--version", "--verbose"])?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let own = sysroot()?.join("lib/rustlib").join(host).join("bin/rust-lld");
    Ok(if own.is_file() { own.into() } else { "rust-lld".into() })
}

fn sysroot() -> Result<PathBuf, Failure> {
    Ok(line("rustc", &["--print", "sysroot"])?.into())
}

fn wasi_sdk(program: &str) -> PathBuf {
    let sdk = std::env::var_os("WASI_SDK_PATH").unwrap_or_default();
    // Without one, the message about what could not be started is clear enough.
    Path::new(&sdk).join("bin").join(program)
}

/// `name version` of a crate in the lock file.
fn locked(name: &str) -> Result<String, Failure> {
    let path = root().join("Cargo.lock");
    let lock = std::fs::read_to_string(&path).map_err(|source| Failure::File { path: path.clone(), source })?;
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{name}\""));
    lines
        .nth(1)
        .and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .map(|version| format!("{name} {version}"))
        .ok_or_else(|| Failure::List { path, reason: format!("it has no {name}") })
}

fn line(program: impl Into<OsString>, arguments: &[&str]) -> Result<String, Failure> {
    let said = said(&program.into(), arguments)?;
    Ok(said.lines().next().unwrap_or_default().trim().to_owned())
}

fn said(program: &std::ffi::OsStr, arguments: &[&str]) -> Result<String, Failure> {
    let command = || format!("{} {}", Path::new(program).display(), arguments.join(" "));
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .map_err(|source| Failure::Start { command: command(), source })?;
    if !output.status.success() {
        let code = output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        return Err(Failure::Exit { command: command(), code });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
