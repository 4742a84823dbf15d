//! Running other programs, and where things lie in this checkout.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

/// Why a verb ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The program said itself what went wrong; its exit code is handed on.
    #[error("`{command}` failed")]
    Exit { command: String, code: u8 },
    #[error("cannot run `{command}`: {source}. Run `./x setup`")]
    Start { command: String, source: std::io::Error },
    #[error("{path}: {source}", path = path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path}: not a firmware ELF ({reason}). Run `./x clean`, then `./x build`", path = path.display())]
    Elf { path: PathBuf, reason: String },
    #[error("{path} is not what the manifest beside it says: build it, or fetch it, again", path = path.display())]
    Damaged { path: PathBuf },
    #[error("{path}: {reason}. `./x build` writes it", path = path.display())]
    List { path: PathBuf, reason: String },
    #[error("{what} cannot be read: {reason}. This needs the Rust that rust-toolchain.toml pins; run `./x setup`")]
    Plan { what: &'static str, reason: String },
    #[error(
        "the database of vulnerabilities cannot be had: `cargo deny fetch db` says why. `./x audit` goes on without it"
    )]
    Advisories,
    #[error("the artefacts differ, see above")]
    Differ,
    #[error("{page}:{line}: {reason}", page = page.display())]
    Page { page: PathBuf, line: usize, reason: String },
    #[error("no page with commands has {named} in its path; pages are README.md and those in docs/src")]
    NoPage { named: String },
    #[error("{failed} blocks of the book do not do what their pages say")]
    Blocks { failed: usize },
    #[error("{dead} links of the book lead nowhere")]
    Links { dead: usize },
    #[error("not reproduced:\n  {}", faults.join("\n  "))]
    NotReproduced { faults: Vec<String> },
}

impl Failure {
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Exit { code, .. } => ExitCode::from(*code),
            _ => ExitCode::FAILURE,
        }
    }
}

/// One command, run from the repository's root, its output going straight to the user.
pub struct Step(Command);

impl Step {
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(root());
        Step(command)
    }

    /// Cargo, building where [`tool`] and [`artefacts`] look, for this machine unless told otherwise.
    pub fn cargo() -> Self {
        Step::new("cargo")
            .arg("--locked")
            .env("CARGO_TARGET_DIR", root().join("target"))
            .env_remove("CARGO_BUILD_TARGET_DIR")
            .env_remove("CARGO_BUILD_TARGET")
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.0.arg(arg);
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.0.args(args);
        self
    }

    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(key, value);
        self
    }

    pub fn env_remove(mut self, key: &str) -> Self {
        self.0.env_remove(key);
        self
    }

    pub fn run(mut self) -> Result<(), Failure> {
        let status = self.0.status();
        self.check(status)
    }

    /// Runs it for what it prints on stdout; what it prints on stderr goes to the user.
    pub fn output(mut self) -> Result<String, Failure> {
        let output = self.0.stderr(Stdio::inherit()).output();
        let stdout =
            output.as_ref().map_or_else(|_| String::new(), |o| String::from_utf8_lossy(&o.stdout).into_owned());
        self.check(output.map(|output| output.status))?;
        Ok(stdout)
    }

    /// Runs a build by Cargo that is asked to speak of all it does instead of being quiet. Returns its stderr, of which
    /// only the lines that `hidden` does not know go to the user at once.
    pub fn run_verbose(self, hidden: fn(&str) -> bool) -> Result<String, Failure> {
        let mut command = Command::new(self.0.get_program());
        command.args(self.0.get_args().map(|arg| if arg == "--quiet" { OsStr::new("--verbose") } else { arg }));
        for (key, value) in self.0.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        command.current_dir(root()).stderr(Stdio::piped());
        let mut step = Step(command);
        let mut said = String::new();
        let status = step.0.spawn().and_then(|mut child| {
            let stderr = child.stderr.take().expect("it is piped");
            for line in BufReader::new(stderr).split(b'\n') {
                let line = String::from_utf8_lossy(&line?).into_owned();
                if !hidden(&line) {
                    eprintln!("{line}");
                }
                said += &line;
                said.push('\n');
            }
            child.wait()
        });
        step.check(status)?;
        Ok(said)
    }

    /// Runs it with its output in the file `log`, which is shown if it fails.
    pub fn run_logged(mut self, log: &Path) -> Result<(), Failure> {
        let failure = |source| Failure::File { path: log.into(), source };
        let file = std::fs::File::create(log).map_err(failure)?;
        let outcome = file.try_clone().map_err(failure).and_then(|other| {
            let status = self.0.stdout(other).stderr(file).status();
            self.check(status)
        });
        if outcome.is_err() {
            eprint!("{}", String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()));
        }
        outcome
    }

    fn check(&self, status: std::io::Result<ExitStatus>) -> Result<(), Failure> {
        let command = self.describe();
        let status = status.map_err(|source| Failure::Start { command: command.clone(), source })?;
        if status.success() {
            return Ok(());
        }
        // A program killed by a signal has no code.
        let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        Err(Failure::Exit { command, code })
    }

    fn describe(&self) -> String {
        let program = Path::new(self.0.get_program()).file_name().unwrap_or_default();
        std::iter::once(program)
            .chain(self.0.get_args())
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Removes a folder with all that is in it, if it is there.
pub fn remove_folder(folder: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::File { path: folder.into(), source })
        }
        _ => Ok(()),
    }
}

/// The root of this checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository")
}

/// Where the build leaves what a user takes away, see docs/src/reference/files.md.
pub fn artefacts() -> PathBuf {
    root().join("target/artefacts")
}

/// One of the workspace's own command-line tools.
pub fn tool(name: &str) -> PathBuf {
    root().join("target/debug").join(name)
}

/// One of the programs in ci/setup/cargo-tools.txt. Inside `nix develop` it is there; elsewhere it is installed when it
/// is needed first.
pub fn cargo_tool(name: &str) -> Result<PathBuf, Failure> {
    match std::env::var_os("SANDHILL_TOOLS") {
        Some(tools) if std::env::var_os("SANDHILL_NIX").is_none() => {
            let tools = Path::new(&tools).join("tools");
            Step::new("sh").arg("ci/setup/cargo-tool.sh").arg(name).arg(&tools).run()?;
            Ok(tools.join("bin").join(name))
        }
        _ => Ok(name.into()),
    }
}
