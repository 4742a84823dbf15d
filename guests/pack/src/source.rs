//! Source → core module, by each language's own tools, as a user would call them in the guest's folder.
//!
//! A guest is a folder `guests/<program>/<language>`; what is in it tells how to build it. Its world is the one with the
//! program's name, unless `guests/<program>/policy.toml` names another. Nothing is written beside the sources but bindings that a toolchain insists on keeping there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::{Error, Guest, PolicyFile, Result, read};

/// A guest in source form.
pub struct Source {
    pub name: String,
    pub program: String,
    pub language: String,
    folder: PathBuf,
    toolchain: Toolchain,
}

#[derive(Clone, Copy)]
enum Toolchain {
    CargoComponent,
    WasiSdk,
    Zig,
}

/// The repository around `start`.
///
/// # Errors
/// [`Error::NoRoot`].
pub fn find_root(start: &Path) -> Result<PathBuf> {
    start
        .ancestors()
        .find(|folder| folder.join("wit/platform.wit").is_file() && folder.join("guests").is_dir())
        .map(Path::to_owned)
        .ok_or(Error::NoRoot)
}

/// All guests under `root`, by name.
///
/// # Errors
/// [`Error::UnknownLanguage`] for a folder that cannot be built: it is not skipped.
pub fn find(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for program in folders(&root.join("guests"))? {
        let program_name = file_name(&program);
        // Those that are no programs.
        if ["fixtures", "pack", "platform"].contains(&program_name.as_str()) {
            continue;
        }
        for folder in folders(&program)? {
            let language = file_name(&folder);
            let toolchain = [
                ("Cargo.toml", Toolchain::CargoComponent),
                ("Makefile", Toolchain::WasiSdk),
                ("build.zig", Toolchain::Zig),
            ]
            .into_iter()
            .find_map(|(file, toolchain)| folder.join(file).is_file().then_some(toolchain))
            .ok_or_else(|| Error::UnknownLanguage { path: folder.clone() })?;
            sources.push(Source {
                name: format!("{program_name}-{language}"),
                program: program_name.clone(),
                language,
                folder,
                toolchain,
            });
        }
    }
    Ok(sources)
}

/// Of all guests those that are named, or all if none is.
///
/// # Errors
/// [`Error::UnknownGuest`], and those of [`find`].
pub fn select(root: &Path, names: &[String]) -> Result<Vec<Source>> {
    let mut sources = find(root)?;
    let known: Vec<_> = sources.iter().map(|source| source.name.clone()).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(name)) {
        return Err(Error::UnknownGuest { name: name.clone(), known });
    }
    if !names.is_empty() {
        sources.retain(|source| names.contains(&source.name));
    }
    Ok(sources)
}

impl Source {
    /// Builds in `target/guests/<name>` under `root`. Returns what it is and the core module or component that came out.
    ///
    /// # Errors
    /// [`Error::ToolMissing`], [`Error::WrongTool`], [`Error::ToolFailed`], [`Error::NoOutput`].
    pub fn build(&self, root: &Path) -> Result<(Guest, Vec<u8>)> {
        let build = root.join("target/guests").join(&self.name);
        fs::create_dir_all(&build).map_err(|source| Error::Write { path: build.clone(), source })?;
        let (tools, mut command, output) = match self.toolchain {
            Toolchain::CargoComponent => self.cargo_component(&build)?,
            Toolchain::WasiSdk => self.wasi_sdk(root, &build)?,
            Toolchain::Zig => self.zig(&build)?,
        };
        // The last result must not be taken for this one.
        let _ = fs::remove_file(&output);
        let shown =
            format!("{} {}", command.get_program().display(), command.get_args().next().unwrap_or_default().display());
        let status = command
            .current_dir(&self.folder)
            // stdout is guest-pack's own.
            .stdout(Stdio::from(std::io::stderr()))
            .status()
            .map_err(|_| self.missing("the tool that its build starts with", None))?;
        if !status.success() {
            return Err(Error::ToolFailed { guest: self.name.clone(), command: shown, status });
        }
        if !output.is_file() {
            return Err(Error::NoOutput { guest: self.name.clone(), command: shown, path: output });
        }
        let policy = self.folder.with_file_name("policy.toml");
        let policy = policy.is_file().then(|| PolicyFile::read(&policy)).transpose()?;
        let (world, policy) = policy.map_or((None, None), |file| (file.world, Some(file.policy)));
        let guest = Guest {
            name: self.name.clone(),
            program: self.program.clone(),
            language: self.language.clone(),
            world: world.unwrap_or_else(|| self.program.clone()),
            policy,
            tools,
        };
        Ok((guest, read(&output)?))
    }

    fn cargo_component(&self, build: &Path) -> Result<Plan> {
        let version =
            self.version(Command::new("cargo-component").arg("--version"), "cargo-component", "0.21.", None)?;
        let rustc = self.version(Command::new("rustc").arg("--version"), "rustc", "1.", None)?;
        let sysroot = self.ask(Command::new("rustc").args(["--print", "sysroot"]), "rustc", None)?;

        // Paths in panic messages and in debug information become the same everywhere.
        let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
        let mut prefixes = vec![(self.folder.clone(), "."), (PathBuf::from(sysroot.trim()), "rust")];
        prefixes.extend(cargo_home.map(|home| (home, "cargo")));
        let remaps: Vec<_> = prefixes
            .iter()
            .map(|(from, to)| toml_string(&format!("--remap-path-prefix={}={to}", from.display())))
            .collect();

        let mut command = Command::new("cargo-component");
        command
            .args(["component", "build", "--release", "--locked", "--quiet"])
            .arg("--target-dir")
            .arg(build)
            .arg("--config")
            .arg(format!("target.{RUST_TARGET}.rustflags=[{}]", remaps.join(",")))
            // core and alloc from source, optimised with the guest; a stable compiler allows that only when told so.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_UNSTABLE_BUILD_STD", "core,alloc");
        // What a caller's environment would change in the guest's bytes, or in where they go.
        for variable in
            ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_BUILD_RUSTFLAGS", "CARGO_TARGET_DIR"]
        {
            command.env_remove(variable);
        }
        let tools = [("cargo-component", version), ("rustc", rustc)];
        // A crate has no - in its name.
        let file = format!("{}.wasm", self.program.replace('-', "_"));
        Ok((named(tools), command, build.join(RUST_TARGET).join("release").join(file)))
    }

    fn wasi_sdk(&self, root: &Path, build: &Path) -> Result<Plan> {
        const HINT: Option<&str> = Some("or set WASI_SDK_PATH to an unpacked wasi-sdk");
        let sdk = env::var_os("WASI_SDK_PATH").ok_or_else(|| self.missing("wasi-sdk", HINT))?;
        // make runs in another folder than the caller.
        let sdk = std::path::absolute(sdk).map_err(|_| self.missing("wasi-sdk", HINT))?;
        let clang = self.version(Command::new(sdk.join("bin/clang")).arg("--version"), "clang", "2", HINT)?;
        self.version(Command::new("make").arg("--version"), "make", "", None)?;

        let mut command = Command::new("make");
        command.arg("--silent");
        command.arg(assignment("WASI_SDK_PATH", &sdk));
        // From the guest's folder, where make runs, because make cannot write to a path with blanks in it.
        let up = self.folder.strip_prefix(root).unwrap_or(Path::new("")).iter().map(|_| "..").collect::<PathBuf>();
        command.arg(assignment("BUILD", &up.join(build.strip_prefix(root).unwrap_or(build))));
        // `make -n` or `make -e` around guest-pack is not meant for the guest.
        command.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
        Ok((named([("clang", clang)]), command, build.join(format!("{}.wasm", self.program))))
    }

    fn zig(&self, build: &Path) -> Result<Plan> {
        let program = env::var_os("ZIG").unwrap_or("zig".into());
        let version =
            self.version(Command::new(&program).arg("version"), "zig", "0.16.", Some("or set ZIG to Zig 0.16"))?;

        let mut command = Command::new(program);
        command.arg("build").arg("--prefix").arg(build).arg("--cache-dir").arg(build.join("cache"));
        Ok((named([("zig", version)]), command, build.join(format!("{}.wasm", self.program))))
    }

    /// Asks a tool for its version and compares its start with the one wanted.
    fn version(
        &self,
        command: &mut Command,
        tool: &'static str,
        wanted: &'static str,
        hint: Option<&'static str>,
    ) -> Result<String> {
        let said = self.ask(command, tool, hint)?;
        let version =
            said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).ok_or_else(|| {
                Error::WrongTool { guest: self.name.clone(), tool, wanted, found: said.trim().to_owned() }
            })?;
        if !version.starts_with(wanted) {
            return Err(Error::WrongTool { guest: self.name.clone(), tool, wanted, found: version.to_owned() });
        }
        Ok(version.to_owned())
    }

    fn ask(&self, command: &mut Command, tool: &'static str, hint: Option<&'static str>) -> Result<String> {
        let answer =
            command.output().ok().filter(|answer| answer.status.success()).ok_or_else(|| self.missing(tool, hint))?;
        Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
    }

    fn missing(&self, tool: &'static str, hint: Option<&'static str>) -> Error {
        Error::ToolMissing { guest: self.name.clone(), tool, hint }
    }
}

/// Tools with versions, what to run, and the file that comes of it.
type Plan = (BTreeMap<String, String>, Command, PathBuf);

/// Not one of the wasip targets: a guest has no WASI.
const RUST_TARGET: &str = "wasm32-unknown-unknown";

fn named<const N: usize>(tools: [(&str, String); N]) -> BTreeMap<String, String> {
    tools.into_iter().map(|(tool, version)| (tool.to_owned(), version)).collect()
}

/// A TOML string, which has JSON's rules.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn assignment(variable: &str, path: &Path) -> std::ffi::OsString {
    let mut assignment = std::ffi::OsString::from(format!("{variable}="));
    assignment.push(path);
    assignment
}

/// Subfolders in the order of their names.
fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |source| Error::Read { path: folder.to_owned(), source };
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
