//! `./x setup` as a user meets it, with every tool that it calls played by `setup/stub.sh`: what it installs, in which
//! versions, how often, and what a run that is killed leaves to the next. What the real tools do of it is seen by everyone
//! who sets up.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository")
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Package → version and SHA-256 of the pins for an architecture.
fn pins(architecture: &str) -> BTreeMap<String, (String, String)> {
    let lock = read(root().join("ci/setup/debian.lock"));
    let words = lock.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect::<Vec<_>>());
    words
        .filter(|words| words[1] == architecture)
        .map(|words| (words[0].to_owned(), (words[2].to_owned(), words[3].to_owned())))
        .collect()
}

/// The names in packages-debian.txt, and whether each is pinned.
fn packages() -> BTreeMap<String, bool> {
    let list = read(root().join("ci/setup/packages-debian.txt"));
    let lines = list.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| (line.trim_end_matches(" unpinned").to_owned(), !line.ends_with(" unpinned"))).collect()
}

/// A machine of its own.
struct Room(TempDir);

impl Room {
    /// With all packages in the versions that are pinned, and rustup with the right toolchain.
    fn new() -> Self {
        let room = Self(TempDir::new().unwrap());
        fs::create_dir(room.at("bin")).unwrap();
        let stub = room.at("stub.sh");
        fs::copy(root().join("xtask/tests/setup/stub.sh"), &stub).unwrap();
        fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
        for tool in "rustup rustc id dpkg dpkg-query apt-get apt-cache python3 cargo mv cp sigrok-cli make".split(' ') {
            symlink(&stub, room.at("bin").join(tool)).unwrap();
        }
        let pins = pins("amd64");
        let version = |name: &str| pins.get(name).map_or("1", |(version, _)| version).to_owned();
        let installed: String = packages().keys().map(|name| format!("{name} installed {}\n", version(name))).collect();
        fs::write(room.at("dpkg"), installed).unwrap();
        let archive: String = packages().keys().map(|name| format!("{name} {}\n", version(name))).collect();
        fs::write(room.at("archive"), archive).unwrap();
        fs::create_dir_all(room.at("wasi-sdk/bin")).unwrap();
        symlink("/bin/true", room.at("wasi-sdk/bin/clang")).unwrap();
        room
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `./x setup`, ready to run, in a process group of its own.
    fn command(&self) -> Command {
        let mut command = Command::new("sh");
        let toolchain = read(root().join("rust-toolchain.toml"));
        let version = toolchain.split("channel = \"").nth(1).unwrap().split('"').next().unwrap();
        command
            .arg(root().join("x"))
            .arg("setup")
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.at("bin").display()))
            .env("HOME", self.0.path())
            .env("ROOM", self.0.path())
            .env("RUST_VERSION", version)
            .env("SANDHILL_TOOLS", self.at("tools"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if !Path::new("/etc/debian_version").exists() {
            command.env("WASI_SDK_PATH", self.at("wasi-sdk"));
        }
        command
    }

    #[track_caller]
    fn succeeds(&self) -> String {
        let output = self.command().output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    }

    fn calls(&self) -> String {
        read(self.at("calls"))
    }

    fn count(&self, call: &str) -> usize {
        self.calls().lines().filter(|line| line.starts_with(call)).count()
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = read(self.at(file));
        assert!(text.contains(from), "{from:?} is not in {text}");
        fs::write(self.at(file), text.replace(from, to)).unwrap();
    }

    /// The file that tells ./x that all is there.
    fn env_file(&self) -> Option<PathBuf> {
        let listing = fs::read_dir(self.at("tools")).ok()?;
        listing.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|e| e == "sh"))
    }

    /// All that the set-up left: content of files, and where links lead. The folder is called `@`.
    fn left(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        walk(&self.at("tools"), &mut found);
        let here = self.0.path().display().to_string();
        found.into_iter().map(|(path, content)| (path.replace(&here, "@"), content.replace(&here, "@"))).collect()
    }
}

/// Locks and what was not finished count for nothing.
fn walk(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".partial") || name.ends_with("lock") {
            continue;
        }
        if path.is_symlink() {
            found.insert(path.display().to_string(), fs::read_link(&path).unwrap().display().to_string());
        } else if path.is_dir() {
            walk(&path, found);
        } else {
            found.insert(path.display().to_string(), read(&path));
        }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn a_second_run_only_looks() {
    let room = Room::new();
    assert!(room.succeeds().contains("setup: done\n"));
    assert_eq!(room.count("python3 -m pip install"), 3, "Zig, Unicorn, and imgtool with smpmgr:\n{}", room.calls());
    assert_eq!(room.count("cargo install"), 1);
    let left = room.left();
    fs::remove_file(room.at("calls")).unwrap();
    room.succeeds();
    assert_eq!(room.left(), left);
    for change in ["python3 -m pip install", "cargo install", "apt-get", "apt-cache"] {
        assert_eq!(room.count(change), 0, "{}", room.calls());
    }
    let calls = room.calls().lines().count();
    assert!(calls < 20, "a warm run has to be quick, and calls {calls} tools:\n{}", room.calls());
}

#[test]
fn a_run_that_is_killed_anywhere_leaves_the_next_one_to_finish() {
    let whole = Room::new();
    whole.succeeds();
    let changes = read(whole.at("changes")).len();
    assert!(changes >= 10, "{changes}");
    for at in 1..=changes {
        let room = Room::new();
        let killed = room.command().env("KILL_AT", at.to_string()).output().unwrap();
        assert_eq!(killed.status.code(), None, "it was killed: {}", text(&killed));
        assert_eq!(room.env_file(), None, "killed at change {at}, and it says that all is there");
        room.succeeds();
        assert_eq!(room.left(), whole.left(), "killed at change {at}");
    }
}

#[test]
fn two_at_once_install_once() {
    let room = Room::new();
    let mut slow = room.command();
    slow.env("SLOW", "0.1");
    let (one, other) = (slow.spawn().unwrap(), slow.spawn().unwrap());
    let outputs = [one.wait_with_output().unwrap(), other.wait_with_output().unwrap()];
    assert!(outputs.iter().all(|output| output.status.success()), "{}", outputs.each_ref().map(text).concat());
    let waited = outputs.iter().filter(|output| text(output).contains("another set-up is running")).count();
    assert_eq!(waited, 1);
    assert_eq!([room.count("python3 -m pip install"), room.count("cargo install")], [3, 1], "{}", room.calls());
}

/// What follows is Debian's.
fn debian() -> bool {
    let debian = Path::new("/etc/debian_version").exists();
    if !debian {
        println!("not on Debian, where this is for");
    }
    debian
}

#[test]
fn a_missing_package_is_installed_in_its_pinned_version() {
    if !debian() {
        return;
    }
    let room = Room::new();
    let (version, _) = &pins("amd64")["make"];
    room.edit("dpkg", &format!("make installed {version}\n"), "");
    room.edit("dpkg", "gcc installed 1\n", "");
    let told = room.succeeds();
    assert!(told.contains(&format!("installing Debian packages: gcc make={version}\n")), "{told}");
    assert!(!told.contains("not in the pinned version"), "{told}");
    let install = room.calls().lines().find(|line| line.starts_with("apt-get install ")).unwrap().to_owned();
    assert!(install.contains("DPkg::Pre-Install-Pkgs::=sh '") && install.contains("/check-debs.sh'"), "{install}");
    assert!(read(room.env_file().unwrap()).contains("SANDHILL_NOT_PINNED=''"));
    room.succeeds();
    assert_eq!(room.count("apt-get install"), 1);
}

#[test]
fn what_debian_has_replaced_is_taken_and_named() {
    if !debian() {
        return;
    }
    let room = Room::new();
    let (version, _) = &pins("amd64")["lld-22"];
    room.edit("dpkg", &format!("lld-22 installed {version}\n"), "");
    room.edit("archive", &format!("lld-22 {version}\n"), "lld-22 1:22.9.9-1\n");
    let told = room.succeeds();
    assert!(told.contains(&format!("Debian has moved on from lld-22 {version}, which is pinned")), "{told}");
    assert!(
        told.contains("hashes of artefacts are not comparable with the published ones: lld-22=1:22.9.9-1"),
        "{told}"
    );
    assert!(read(room.env_file().unwrap()).contains("SANDHILL_NOT_PINNED='lld-22=1:22.9.9-1'"));
    let again = room.succeeds();
    assert!(again.contains("not comparable") && room.count("apt-get install") == 1, "a newer one stays: {again}");

    // An older one is brought up to the pin.
    let (version, _) = &pins("amd64")["make"];
    room.edit("dpkg", &format!("make installed {version}"), "make installed 1.0-1");
    assert!(room.succeeds().contains(&format!("installing Debian packages: make={version}\n")));
}

#[test]
fn without_root_it_says_what_to_run() {
    if !debian() {
        return;
    }
    let room = Room::new();
    room.edit("dpkg", "shellcheck installed 1\n", "");
    let output = room.command().env("AS", "1000").output().unwrap();
    let told = text(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("packages are missing: shellcheck\n") && told.contains("debian-packages.sh rustup"),
        "{told}"
    );
    assert_eq!(room.count("apt-get"), 0);
    assert_eq!(room.env_file(), None);
}

#[test]
fn a_package_with_other_bytes_than_the_pinned_ones_is_refused() {
    if !debian() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let deb = |package: &str, version: &str| {
        let tree = folder.path().join(package);
        fs::create_dir_all(tree.join("DEBIAN")).unwrap();
        let control = format!(
            "Package: {package}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: x\n"
        );
        fs::write(tree.join("DEBIAN/control"), control).unwrap();
        let file = folder.path().join(format!("{package}-{}.deb", version.replace(':', "_")));
        let built = Command::new("dpkg-deb").args(["--build", "--root-owner-group"]).arg(&tree).arg(&file).output();
        assert!(built.unwrap().status.success());
        format!("{}\n", file.display())
    };
    let architecture = Command::new("dpkg").arg("--print-architecture").output().unwrap();
    let architecture = String::from_utf8(architecture.stdout).unwrap();
    let (version, hash) = &pins(architecture.trim())["wasi-libc"];
    let check = |files: &str| {
        let list = folder.path().join("list");
        fs::write(&list, files).unwrap();
        let mut check = Command::new("sh");
        check.arg(root().join("ci/setup/check-debs.sh")).stdin(fs::File::open(list).unwrap()).output().unwrap()
    };
    let helper = deb("some-helper", "1.0");
    assert!(check(&helper).status.success(), "what is not pinned is none of its business");
    assert!(check(&deb("wasi-libc", "9.9")).status.success(), "another version is said by setup.sh");
    let refused = check(&format!("{helper}{}", deb("wasi-libc", version)));
    let told = text(&refused);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(
        told.contains(&format!("wasi-libc {version} is not the file that is pinned")) && told.contains(hash),
        "{told}"
    );
}

#[test]
fn everything_that_is_to_be_pinned_is() {
    let pinned: Vec<String> = packages().into_iter().filter_map(|(name, pinned)| pinned.then_some(name)).collect();
    assert!(pinned.len() > 20);
    for architecture in ["amd64", "arm64"] {
        let pins = pins(architecture);
        assert_eq!(pins.keys().cloned().collect::<Vec<_>>(), pinned, "{architecture}: run `./x setup --pin`");
        for (name, (_, hash)) in pins {
            assert!(hash.len() == 64 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()), "{name}: {hash}");
        }
    }
    for entry in fs::read_dir(root().join("ci/setup")).unwrap() {
        let path = entry.unwrap().path();
        // Commands may go over several lines.
        let script = read(&path).replace("\\\n", "");
        for line in script.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let is = |command: &str, flag: &str| !line.contains(command) || line.contains(flag);
            assert!(is(" -m pip install", "--require-hashes"), "{}: {line}", path.display());
            assert!(is("cargo install ", "--locked"), "{}: {line}", path.display());
        }
    }
}
