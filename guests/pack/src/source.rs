//! Source → core module, by each language's own tools, as a user would call them in the guest's folder.
//!
//! A guest is a folder `guests/<program>/<language>`; what is in it tells how to build it. Its world is the one with the
//! program's name, unless `guests/<program>/policy.toml` names another. Nothing is written beside the sources but bindings that a toolchain insists on keeping there.
//!
//! What a guest is made of is listed by [`Source::inputs`]; whether it has changed is for [`crate::record`] to say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::record::{self, Inputs};
use crate::tools::Tools;
use crate::{Error, Result};

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
    /// `guests/<program>/policy.toml`, which need not be there.
    pub fn policy(&self) -> PathBuf {
        self.folder.with_file_name("policy.toml")
    }

    /// Where its own tools build it.
    pub fn build_folder(&self, root: &Path) -> PathBuf {
        root.join("target/guests").join(&self.name)
    }

    /// All that the module is made of: the guest's folder and what else lies in its program's but other guests, the
    /// platform's files for its language, the contract, and the tools. The policy is for the image.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn inputs(&self, root: &Path, plan: &Plan) -> Result<Inputs> {
        let mut inputs: Inputs =
            plan.said.iter().map(|(tool, said)| (tool.clone(), record::sha256(said.as_bytes()))).collect();
        // Arguments and variables.
        inputs.insert("the command".into(), record::sha256(format!("{:?}", plan.command).as_bytes()));
        let generated = |path: &Path| {
            ["target", ".zig-cache", "zig-out"].iter().any(|name| path.ends_with(name))
                || path.ends_with("src/bindings.rs")
        };
        let program = self.folder.parent().unwrap_or(root);
        let another = |path: &Path| path.is_dir() && path.parent() == Some(program) && path != self.folder;
        let skip = |path: &Path| generated(path) || another(path) || path == self.policy();
        record::add_folder(&mut inputs, root, program, &skip)?;
        let platform = root.join("guests/platform").join(match self.toolchain {
            Toolchain::CargoComponent => "rust",
            Toolchain::WasiSdk => "c",
            Toolchain::Zig => "zig",
        });
        if platform.is_dir() {
            record::add_folder(&mut inputs, root, &platform, &generated)?;
        }
        record::add_folder(&mut inputs, root, &root.join("wit"), &|_| false)?;
        Ok(inputs)
    }

    /// How it is built in `target/guests/<name>` under `root`.
    ///
    /// # Errors
    /// [`Error::ToolMissing`], [`Error::WrongTool`].
    pub fn plan(&self, root: &Path, tools: &mut Tools) -> Result<Plan> {
        let build = self.build_folder(root);
        match self.toolchain {
            Toolchain::CargoComponent => self.cargo_component(&build, tools),
            Toolchain::WasiSdk => self.wasi_sdk(root, &build, tools),
            Toolchain::Zig => self.zig(&build, tools),
        }
    }

    /// Builds it: a core module or a component comes out, in [`Plan::output`].
    ///
    /// # Errors
    /// [`Error::ToolMissing`], [`Error::ToolFailed`], [`Error::NoOutput`].
    pub fn build(&self, root: &Path, plan: Plan, tools: &mut Tools) -> Result<()> {
        let build = self.build_folder(root);
        fs::create_dir_all(&build).map_err(|source| Error::Write { path: build.clone(), source })?;
        let Plan { mut command, output, .. } = plan;
        // The last result must not be taken for this one.
        let _ = fs::remove_file(&output);
        if let Toolchain::CargoComponent = self.toolchain {
            // Cargo goes by times, and would hand out the last result again for a file that was put back.
            forget(&build.join(RUST_TARGET).join("release/.fingerprint"), &self.program);
        }
        let shown =
            format!("{} {}", command.get_program().display(), command.get_args().next().unwrap_or_default().display());
        tools.started += 1;
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
        Ok(())
    }

    fn cargo_component(&self, build: &Path, tools: &mut Tools) -> Result<Plan> {
        // A crate has no - in its name.
        let file = format!("{}.wasm", self.program.replace('-', "_"));
        let mut plan = Plan::new(Command::new("cargo-component"), build.join(RUST_TARGET).join("release").join(file));
        let cargo = tools.ask(Command::new("cargo-component").arg("--version"));
        plan.note(self, "cargo-component", "0.21.", None, cargo)?;
        plan.note(self, "rustc", "1.", None, tools.ask(Command::new("rustc").args(["--version", "--verbose"])))?;
        let sysroot = tools.ask(Command::new("rustc").args(["--print", "sysroot"]));
        let sysroot = sysroot.ok_or_else(|| self.missing("rustc", None))?;

        // Paths in panic messages and in debug information become the same everywhere.
        let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
        let mut prefixes = vec![(self.folder.clone(), "."), (PathBuf::from(sysroot.trim()), "rust")];
        prefixes.extend(cargo_home.map(|home| (home, "cargo")));
        let remaps: Vec<_> = prefixes
            .iter()
            .map(|(from, to)| toml_string(&format!("--remap-path-prefix={}={to}", from.display())))
            .collect();

        let command = &mut plan.command;
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
        Ok(plan)
    }

    fn wasi_sdk(&self, root: &Path, build: &Path, tools: &mut Tools) -> Result<Plan> {
        const HINT: Option<&str> = Some("or set WASI_SDK_PATH to an unpacked wasi-sdk");
        let sdk = env::var_os("WASI_SDK_PATH").ok_or_else(|| self.missing("wasi-sdk", HINT))?;
        // make runs in another folder than the caller.
        let sdk = std::path::absolute(sdk).map_err(|_| self.missing("wasi-sdk", HINT))?;
        let mut plan = Plan::new(Command::new("make"), build.join(format!("{}.wasm", self.program)));
        let clang = tools.ask(Command::new(sdk.join("bin/clang")).arg("--version"));
        plan.note(self, "clang", "2", HINT, clang)?;
        // It decides what runs, and nothing in the module.
        tools.ask(Command::new("make").arg("--version")).ok_or_else(|| self.missing("make", None))?;

        let command = &mut plan.command;
        command.arg("--silent");
        command.arg(assignment("WASI_SDK_PATH", &sdk));
        // From the guest's folder, where make runs, because make cannot write to a path with blanks in it.
        let up = self.folder.strip_prefix(root).unwrap_or(Path::new("")).iter().map(|_| "..").collect::<PathBuf>();
        command.arg(assignment("BUILD", &up.join(build.strip_prefix(root).unwrap_or(build))));
        // `make -n` or `make -e` around guest-pack is not meant for the guest.
        command.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
        Ok(plan)
    }

    fn zig(&self, build: &Path, tools: &mut Tools) -> Result<Plan> {
        let program = env::var_os("ZIG").unwrap_or("zig".into());
        let mut plan = Plan::new(Command::new(&program), build.join(format!("{}.wasm", self.program)));
        let zig = tools.ask(Command::new(&program).arg("version"));
        plan.note(self, "zig", "0.16.", Some("or set ZIG to Zig 0.16"), zig)?;
        plan.command.arg("build").arg("--prefix").arg(build).arg("--cache-dir").arg(build.join("cache"));
        Ok(plan)
    }

    fn missing(&self, tool: &'static str, hint: Option<&'static str>) -> Error {
        Error::ToolMissing { guest: self.name.clone(), tool, hint }
    }
}

/// How a module is made.
pub struct Plan {
    /// Tool → version, for the manifest.
    pub tools: BTreeMap<String, String>,
    /// Tool → all that it says of itself.
    said: BTreeMap<String, String>,
    command: Command,
    /// The file that comes of it.
    pub output: PathBuf,
}

impl Plan {
    fn new(command: Command, output: PathBuf) -> Self {
        Self { tools: BTreeMap::new(), said: BTreeMap::new(), command, output }
    }

    /// Keeps what a tool said when it was asked for its version, whose start is compared with the one wanted.
    fn note(
        &mut self,
        guest: &Source,
        tool: &'static str,
        wanted: &'static str,
        hint: Option<&'static str>,
        said: Option<String>,
    ) -> Result<()> {
        let said = said.ok_or_else(|| guest.missing(tool, hint))?;
        let wrong = |found: &str| Error::WrongTool { guest: guest.name.clone(), tool, wanted, found: found.to_owned() };
        let version = said
            .split_whitespace()
            .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
            .ok_or_else(|| wrong(said.trim()))?;
        if !version.starts_with(wanted) {
            return Err(wrong(version));
        }
        self.tools.insert(tool.into(), version.into());
        self.said.insert(tool.into(), said);
        Ok(())
    }
}

/// Makes Cargo build the package again. What it keeps of others, core and alloc among them, stays.
fn forget(fingerprints: &Path, package: &str) {
    for entry in fs::read_dir(fingerprints).into_iter().flatten().flatten() {
        let name = entry.file_name();
        // Behind the name there is a hash of 16 digits.
        if name.to_string_lossy().rsplit_once('-').is_some_and(|(name, _)| name == package) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Not one of the wasip targets: a guest has no WASI.
const RUST_TARGET: &str = "wasm32-unknown-unknown";

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
