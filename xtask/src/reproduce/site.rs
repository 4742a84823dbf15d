//! One of the two builds: where it is, who it is, and what it is told of the world.
//!
//! Promises that both have the same sources and tools, and caches of their own; and that what could not be made different
//! here is said, not passed over.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::artifacts::rust_src;
use crate::run::{Failure, Step, artefacts, remove_folder, root};

/// Nobody's, and no user's on a machine of people.
const OTHER_USER: u32 = 64_023;
const OTHER_NAME: &str = "sandhill-stranger";
/// Some years and hours ahead, so that neither a year nor a time of day is the same.
const OTHER_DATE: &str = "+1583d";
/// In the folder for temporary files, which is everybody's.
const ELSEWHERE: &str = "sandhill-reproduce";

/// A copy of the sources, and how it is built.
pub struct Site {
    name: &'static str,
    /// All that is made for it.
    folder: PathBuf,
    pub checkout: PathBuf,
    home: PathBuf,
    cargo_home: PathBuf,
    /// What `./x` is started through, each with its arguments.
    wrapper: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    umask: &'static str,
    /// What is to be printed of it.
    traits: Vec<(&'static str, String)>,
}

impl Site {
    /// Much as any build of this checkout, but for its caches.
    pub fn here() -> Result<Self, Failure> {
        let mut site = Self::new("a", &root().join("target/reproduce"), "sandhill", "022", "UTC", "2")?;
        site.cargo_home = cargo_home();
        for name in ["Cargo home", "host", "user", "date"] {
            site.traits.push((name, "as it is".into()));
        }
        Ok(site)
    }

    /// As unlike [`Site::here`] as this machine allows.
    pub fn elsewhere() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(ELSEWHERE);
        let mut site = Self::new("b", &folder, "far/from/home/sandhill", "077", "Pacific/Chatham", "1")?;
        copy_crates(&site.cargo_home)?;
        site.environment.extend([
            ("CARGO_NET_OFFLINE", "true".into()),
            ("USER", OTHER_NAME.into()),
            ("LOGNAME", OTHER_NAME.into()),
        ]);
        site.traits.push(("Cargo home", "a copy of what was downloaded".into()));

        let rename = format!("hostname {OTHER_NAME} && exec \"$@\"");
        site.wrap("host", OTHER_NAME, "`unshare --uts` takes root", &["unshare", "--uts", "sh", "-c", &rename, "sh"]);
        let id = OTHER_USER.to_string();
        let other_user = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"];
        let is_other = site.wrap("user", &id, "another takes root, and a rustc that it can start", &other_user);
        site.wrap("date", OTHER_DATE, "faketime is not installed", &["faketime", "-f", OTHER_DATE]);
        copy_tools(&mut site)?;
        if is_other {
            give(&site.folder, OTHER_USER)?;
        }
        Ok(site)
    }

    /// A copy of the sources in `folder`, where nothing was before.
    fn new(
        name: &'static str,
        folder: &Path,
        checkout: &str,
        umask: &'static str,
        zone: &str,
        jobs: &str,
    ) -> Result<Self, Failure> {
        remove_folder(folder)?;
        let checkout = folder.join(checkout);
        let home = folder.join("home");
        for folder in [&checkout, &home] {
            fs::create_dir_all(folder).map_err(|source| Failure::File { path: folder.clone(), source })?;
        }
        copy_sources(&checkout)?;
        Ok(Self {
            name,
            folder: folder.into(),
            traits: vec![
                ("folder", checkout.display().to_string()),
                ("umask", umask.into()),
                ("time zone", zone.into()),
                ("jobs", jobs.into()),
            ],
            checkout,
            home,
            cargo_home: folder.join("crates"),
            wrapper: Vec::new(),
            environment: vec![("TZ", zone.into()), ("CARGO_BUILD_JOBS", jobs.into())],
            umask,
        })
    }

    /// Starts the build through `words`, if rustc can be started through them, too.
    fn wrap(&mut self, name: &'static str, value: &str, hindrance: &str, words: &[&str]) -> bool {
        let works = Command::new(words[0])
            .args(&words[1..])
            .args(["rustc", "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if works {
            self.wrapper.extend(words.iter().map(OsString::from));
        }
        self.traits.push((name, if works { value.into() } else { format!("the same: {hindrance}") }));
        works
    }

    fn command(&self, log: &Path) -> Result<Command, Failure> {
        let failure = |source| Failure::File { path: log.into(), source };
        let file = fs::File::create(log).map_err(failure)?;
        let script = format!("umask {}; cd \"$0\"; exec ./x artefacts", self.umask);
        let mut words = self.wrapper.clone();
        words.extend([OsString::from("sh"), "-c".into(), script.into(), self.checkout.clone().into()]);
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env("HOME", &self.home)
            .env("CARGO_HOME", &self.cargo_home)
            .env("RUSTUP_HOME", rustup_home())
            .env("SANDHILL_GUEST_KEY", self.checkout.join(super::KEY))
            // Every tool is found by what this process was told: nothing is set up.
            .env("SANDHILL_NIX", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(file.try_clone().map_err(failure)?)
            .stderr(file);
        // Set for the process that this one was started by, or meant for another build.
        for variable in
            ["SANDHILL_GUEST_KEYS", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "CARGO_TARGET_DIR", "CARGO_MANIFEST_DIR"]
        {
            command.env_remove(variable);
        }
        Ok(command)
    }

    /// What would be a trace of it in an artefact.
    pub fn traces(&self) -> Result<Vec<String>, Failure> {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let paths =
            [&self.folder, &self.home, &self.cargo_home, &rust_src()?, &root().to_owned(), &std::env::temp_dir()];
        let mut traces: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        traces.extend([OTHER_NAME.to_owned(), host.trim().to_owned()]);
        Ok(traces)
    }

    pub fn remove(&self) -> Result<(), Failure> {
        remove_folder(&self.folder)
    }
}

/// What is different between them.
pub fn print(sites: &[Site; 2]) {
    println!("reproduce: two builds, from nothing but the sources and what was downloaded\n");
    for ((name, one), (_, other)) in sites[0].traits.iter().zip(&sites[1].traits) {
        println!("{name:>12}  {one:<44}  {other}");
    }
    println!();
}

/// Builds both at once; returns where their artefacts are.
pub fn build(sites: &[Site; 2]) -> Result<[PathBuf; 2], Failure> {
    let logs = sites.each_ref().map(|site| root().join(format!("target/reproduce/{}.log", site.name)));
    let mut children = Vec::new();
    for (site, log) in sites.iter().zip(&logs) {
        let mut command = site.command(log)?;
        children.push(command.spawn().map_err(|source| Failure::Start { command: format!("{command:?}"), source })?);
    }
    let mut failed = None;
    for ((mut child, site), log) in children.into_iter().zip(sites).zip(&logs) {
        let status = child.wait().map_err(|source| Failure::File { path: log.clone(), source })?;
        if !status.success() {
            failed = failed.or(Some((site, log)));
        }
    }
    if let Some((site, log)) = failed {
        eprint!("{}", String::from_utf8_lossy(&fs::read(log).unwrap_or_default()));
        return Err(Failure::Exit { command: format!("./x artefacts in {}", site.checkout.display()), code: 1 });
    }
    Ok(sites
        .each_ref()
        .map(|site| site.checkout.join(artefacts().strip_prefix(root()).expect("artefacts lie in the checkout"))))
}

/// What Git would take into a commit: what it tracks, as it is now, and what is new.
fn copy_sources(checkout: &Path) -> Result<(), Failure> {
    let list = Step::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).output()?;
    for name in list.split('\0').filter(|name| !name.is_empty() && root().join(name).is_file()) {
        let copy = checkout.join(name);
        let folder = copy.parent().expect("a file in the checkout has a folder");
        fs::create_dir_all(folder).map_err(|source| Failure::File { path: folder.into(), source })?;
        fs::copy(root().join(name), &copy).map_err(|source| Failure::File { path: copy, source })?;
    }
    Ok(())
}

/// Of this user.
fn cargo_home() -> PathBuf {
    home_of("CARGO_HOME", ".cargo")
}

fn rustup_home() -> PathBuf {
    home_of("RUSTUP_HOME", ".rustup")
}

fn home_of(variable: &str, default: &str) -> PathBuf {
    let set = std::env::var_os(variable).map(PathBuf::from);
    set.or_else(|| Some(std::env::home_dir()?.join(default))).unwrap_or_default()
}

/// What was downloaded, packed as it came, so that it is unpacked in its new place.
fn copy_crates(to: &Path) -> Result<(), Failure> {
    let from = cargo_home();
    for part in ["registry/index", "registry/cache", "config.toml"] {
        if from.join(part).exists() {
            copy(&from.join(part), &to.join(part))?;
        }
    }
    Ok(())
}

/// The tools that the set-up put into a folder of this user's, which another may not look into. Inside `nix develop` there
/// are none.
fn copy_tools(site: &mut Site) -> Result<(), Failure> {
    let Some(from) = std::env::var_os("SANDHILL_TOOLS").filter(|_| std::env::var_os("SANDHILL_NIX").is_none()) else {
        return Ok(());
    };
    let from = PathBuf::from(from);
    let to = site.folder.join("tools");
    copy(&from.join("tools/bin/cargo-component"), &to.join("bin/cargo-component"))?;
    let zig = from.join("tools/bin/zig").canonicalize();
    let zig = zig.map_err(|source| Failure::File { path: from.join("tools/bin/zig"), source })?;
    let zig_folder = zig.parent().expect("zig lies in a folder");
    copy(zig_folder, &to.join("zig"))?;
    site.environment.push(("ZIG", to.join("zig/zig").into()));
    if std::env::var_os("WASI_SDK_PATH").is_some_and(|path| Path::new(&path).starts_with(&from)) {
        Step::new("sh").arg("ci/setup/wasi-sdk.sh").arg(to.join("wasi-sdk")).run()?;
        site.environment.push(("WASI_SDK_PATH", to.join("wasi-sdk").into()));
    }
    let mut path = OsString::from(to.join("bin"));
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    site.environment.push(("PATH", path));
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let folder = to.parent().expect("what is copied has a folder");
    fs::create_dir_all(folder).map_err(|source| Failure::File { path: folder.into(), source })?;
    Step::new("cp").arg("-a").args([from, to]).run()
}

/// Makes everything in `folder` the user's.
fn give(folder: &Path, user: u32) -> Result<(), Failure> {
    let failure = |source| Failure::File { path: folder.into(), source };
    lchown(folder, Some(user), Some(user)).map_err(failure)?;
    if folder.is_symlink() || !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(failure)? {
        give(&entry.map_err(failure)?.path(), user)?;
    }
    Ok(())
}
