//! The flake, evaluated without a network: its inputs are stand-ins (ci/nix/stub) that know only what the real ones have.
//!
//! Promises that every output evaluates, that a wrong name does not, and that no derivation depends on files that it must
//! not depend on. Leaves building to a machine that can fetch nixpkgs; docs/src/howto/nix.md says what only that one shows.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const INPUTS: [&str; 3] = ["nixpkgs", "rust-overlay", "crane"];
const SYSTEMS: [&str; 2] = ["x86_64-linux", "aarch64-linux"];

#[test]
fn every_output_evaluates() {
    let checkout = Checkout::new("outputs");
    checkout.check().unwrap_or_else(|said| panic!("nix flake check: {said}"));

    let shown: Value = serde_json::from_str(&checkout.flake(&["show", "--json"]).unwrap()).unwrap();
    for system in SYSTEMS {
        let packages = names(&shown["packages"][system]);
        let wanted = ["default", "firmware", "hil", "virtual-bench"].map(str::to_owned);
        let missing: Vec<_> = wanted.into_iter().chain(guests()).filter(|name| !packages.contains(name)).collect();
        assert!(missing.is_empty(), "packages.{system} lacks {missing:?}");
        assert_eq!(names(&shown["apps"][system]), ["default", "hil"]);
        assert_eq!(names(&shown["devShells"][system]), ["default"]);
        assert_eq!(shown["formatter"][system]["type"], "derivation");
        for check in ["clippy", "fmt", "hil", "reproducibility", "tests"] {
            assert!(names(&shown["checks"][system]).contains(&check.to_owned()), "checks.{system} lacks {check}");
        }
    }

    // The whole of each derivation, not only its name; and each is one of its own.
    let derivations = checkout.derivations();
    let mut distinct: Vec<_> = derivations.values().collect();
    distinct.sort();
    distinct.dedup();
    assert!(derivations.len() > 40, "few outputs: {derivations:#?}");
    // apps, and the formatter, are packages.
    assert_eq!(distinct.len(), derivations.len(), "two outputs are one: {derivations:#?}");
}

/// What `./x` asks for by name is in the shell.
#[test]
fn the_shell_has_every_program_that_the_set_up_installs() {
    let shell = fs::read_to_string(root().join("ci/nix/toolchain.nix")).unwrap();
    let tools = fs::read_to_string(root().join("ci/setup/cargo-tools.txt")).unwrap();
    let names: Vec<_> =
        tools.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"mdbook"), "cargo-tools.txt was not understood: {names:?}");
    for name in names.into_iter().chain(["smpmgr", "sigrok-cli", "shellcheck", "unicorn"]) {
        assert!(
            shell.contains(&format!("pkgs.{name}\n")) || shell.contains(&format!("pkgs.{name};")),
            "no {name} in nix develop"
        );
    }
}

#[test]
fn a_name_that_nixpkgs_does_not_have_fails() {
    for (file, right, wrong) in [
        ("ci/nix/toolchain.nix", "pkgs.sigrok-cli", "pkgs.sigrok-client"),
        ("ci/nix/toolchain.nix", "pkgs.zig_0_16", "pkgs.zig_nightly"),
        ("ci/nix/packages.nix", "lib.makeBinPath", "lib.makeBinaryPath"),
        ("ci/nix/cargo.nix", "vendorMultipleCargoDeps", "vendorManyCargoDeps"),
        ("flake.nix", "rust-overlay.overlays.default", "rust-overlay.overlays.rust"),
    ] {
        let checkout = Checkout::new("wrong-name");
        checkout.replace(file, right, wrong);
        let said = checkout.check().expect_err(&format!("{wrong} in {file} is not noticed"));
        let name = wrong.rsplit('.').next().unwrap();
        assert!(said.contains(&format!("'{name}' missing")), "{wrong} in {file}: {said}");
    }
    // A version that decides about bytes, and a file that is gone.
    let checkout = Checkout::new("wrong-name");
    checkout.replace("ci/nix/toolchain.nix", "exactly \"0.16.0\"", "exactly \"0.16.1\"");
    let said = checkout.check().expect_err("another Zig is not noticed");
    assert!(said.contains("nixpkgs has zig_0_16 0.16.0, Sandhill is built with 0.16.1"), "{said}");
    let checkout = Checkout::new("wrong-name");
    fs::remove_file(checkout.path("rustfmt.toml")).unwrap();
    let said = checkout.check().expect_err("a missing source is not noticed");
    assert!(said.contains("rustfmt.toml does not exist"), "{said}");
}

#[test]
fn what_is_rebuilt_is_what_a_change_concerns() {
    let checkout = Checkout::new("changes");
    let before = checkout.derivations();

    let changed = |file: &str| {
        let path = checkout.path(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}\n")).unwrap();
        let after = checkout.derivations();
        fs::write(&path, text).unwrap();
        assert_eq!(after.len(), before.len());
        let changed = before.iter().filter(|(name, derivation)| after[*name] != **derivation);
        // Both systems alike.
        changed.filter_map(|(name, _)| name.strip_prefix("x86_64-linux.")).map(str::to_owned).collect::<Vec<_>>()
    };
    let guest = |name: &str| name.starts_with("packages.guest-") && name != "packages.guest-pack";

    // The book is docs/, and the tests about the repository as a whole read it; nothing else does.
    let docs = ["checks.book", "checks.repository"];
    fs::write(checkout.path("docs/new.md"), "").unwrap();
    assert_eq!(changed("docs/new.md"), docs);
    fs::remove_file(checkout.path("docs/new.md")).unwrap();
    assert_eq!(changed("README.md"), docs);

    let host = changed("host/rp2350/src/main.rs");
    assert!(host.contains(&"packages.firmware".into()) && host.contains(&"packages.default".into()), "{host:?}");
    let others = ["packages.guest-pack", "packages.hil", "packages.virtual-bench", "devShells.default"];
    assert!(!host.iter().any(|name| guest(name) || others.contains(&name.as_str())), "{host:?}");

    let c = changed("guests/blinky/c/blinky.c");
    assert_eq!(c.iter().filter(|name| guest(name)).collect::<Vec<_>>(), ["packages.guest-blinky-c"]);
    assert!(!c.contains(&"packages.firmware".into()), "{c:?}");

    let packed = changed("guests/pack/src/main.rs");
    assert_eq!(packed.iter().filter(|name| guest(name)).count(), guests().len(), "{packed:?}");

    let runner = changed("hil/runner/src/main.rs");
    assert!(
        runner.contains(&"packages.hil".into()) && !runner.contains(&"packages.virtual-bench".into()),
        "{runner:?}"
    );
}

#[test]
fn the_lock_file_is_that_of_the_flake() {
    let flake = fs::read_to_string(root().join("flake.nix")).unwrap();
    let lock: Value = serde_json::from_str(&fs::read_to_string(root().join("flake.lock")).unwrap()).unwrap();
    assert_eq!(lock["version"], 7);
    assert_eq!(names(&lock["nodes"]["root"]["inputs"]).len(), INPUTS.len(), "the lock has other inputs");
    for input in INPUTS {
        let node = &lock["nodes"][input];
        let word = |key: &str| node["locked"][key].as_str().unwrap_or_default().to_owned();
        let url = format!("github:{}/{}/{}", word("owner"), word("repo"), word("rev"));
        assert!(flake.contains(&format!("\"{url}\"")), "flake.nix does not name {url}, which flake.lock has");
        for key in ["owner", "repo", "rev"] {
            assert_eq!(node["original"][key], node["locked"][key], "{input}: {key}");
        }
        assert_eq!(word("rev").len(), 40, "{input} is not pinned to a revision");
        // A SHA-256 in base 64.
        assert!(word("narHash").starts_with("sha256-") && word("narHash").len() == 51, "{input}: {}", word("narHash"));
        assert!(node["locked"]["lastModified"].as_u64().is_some_and(|time| time > 1_700_000_000), "{input}");
    }
}

/// Nothing is fetched or built while evaluating. Nix refuses both in these tests, in what they evaluate; this looks at
/// every line.
#[test]
fn nothing_is_fetched_while_evaluating() {
    let mut sources = vec![root().join("flake.nix")];
    sources.extend(fs::read_dir(root().join("ci/nix")).unwrap().map(|entry| entry.unwrap().path()));
    for path in sources.iter().filter(|path| path.extension() == Some(OsStr::new("nix"))) {
        for (number, line) in (1..).zip(fs::read_to_string(path).unwrap().lines()) {
            let forbidden =
                ["builtins.fetch", "fetchTarball", "fetchGit", "fetchTree", "getFlake", "<nixpkgs>", "currentTime"];
            let found = forbidden.iter().find(|word| line.contains(*word));
            assert!(found.is_none(), "{}:{number}: {}", path.display(), found.unwrap_or(&""));
        }
    }

    let checkout = Checkout::new("fetch");
    // Reads what a derivation would build.
    checkout.replace("ci/nix/cargo.nix", "std = ./std.lock;", "std = \"${pkgs.nix}/std.lock\";");
    checkout.check().expect_err("import from derivation is not noticed");
}

/// Names of the packages that the folders below guests/ make.
fn guests() -> Vec<String> {
    let folders = |path: PathBuf| {
        let listing = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
        listing.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap()).collect()
    };
    let programs: Vec<String> = folders(root().join("guests"));
    programs
        .iter()
        .filter(|program| !["fixtures", "pack", "platform"].contains(&program.as_str()))
        .flat_map(|program| {
            let languages: Vec<String> = folders(root().join("guests").join(program));
            languages.into_iter().map(move |language| format!("guest-{program}-{language}"))
        })
        .collect()
}

fn names(object: &Value) -> Vec<String> {
    object.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
}

/// A copy of the repository that can be spoilt, and a store to evaluate it in: nothing outside of target/ is touched.
struct Checkout {
    source: PathBuf,
    nix: PathBuf,
}

impl Checkout {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("flake").join(name);
        let checkout = Checkout { source: folder.join("source"), nix: folder.join("nix") };
        let _ = fs::remove_dir_all(&checkout.source);
        copy(root(), &checkout.source);
        checkout
    }

    fn path(&self, file: &str) -> PathBuf {
        self.source.join(file)
    }

    fn replace(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from} to spoil");
        fs::write(self.path(file), text.replace(from, to)).unwrap();
    }

    fn check(&self) -> Result<String, String> {
        self.flake(&["check", "--no-build"])
    }

    /// The derivation of each output that has one, by `system.kind.name`. Asks for all at once, without the command line
    /// of flakes, which takes one kind at a time.
    fn derivations(&self) -> BTreeMap<String, String> {
        let source = self.source.display();
        let expression = format!(
            "let
              input = name: let path = {source}/ci/nix/stub + \"/${{name}}\"; in
                (import (path + \"/flake.nix\")).outputs {{ }} // {{ outPath = path; }};
              outputs = (import {source}/flake.nix).outputs (builtins.listToAttrs
                (map (name: {{ inherit name; value = input name; }}) [ \"nixpkgs\" \"rust-overlay\" \"crane\" ]));
              paths = builtins.mapAttrs (_: one: one.drvPath);
            in {{
              packages = builtins.mapAttrs (_: paths) outputs.packages;
              devShells = builtins.mapAttrs (_: paths) outputs.devShells;
              checks = builtins.mapAttrs (_: paths) outputs.checks;
              formatter = builtins.mapAttrs (_: formatter: paths {{ inherit formatter; }}) outputs.formatter;
            }}"
        );
        let printed = self.run(self.command().args(["eval", "--json", "--impure", "--expr", &expression]));
        let printed: Value = serde_json::from_str(&printed.unwrap_or_else(|said| panic!("{said}"))).unwrap();
        let mut all = BTreeMap::new();
        for kind in names(&printed) {
            for system in names(&printed[&kind]) {
                for name in names(&printed[&kind][&system]) {
                    let derivation = printed[&kind][&system][&name].as_str().unwrap().to_owned();
                    all.insert(format!("{system}.{kind}.{name}"), derivation);
                }
            }
        }
        all
    }

    /// Runs a command of flakes on this copy, as a user would, with the stand-ins.
    fn flake(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = self.command();
        command.arg("flake").args(arguments).arg(format!("path:{}", self.source.display()));
        // The lock file stays as it is.
        command.arg("--no-write-lock-file");
        for input in INPUTS {
            let stub = self.source.join("ci/nix/stub").join(input);
            command.args(["--override-input", input]).arg(format!("path:{}", stub.display()));
        }
        self.run(&mut command)
    }

    /// Nix with a store, a home and settings of its own. It refuses to build while evaluating.
    fn command(&self) -> Command {
        let mut command = Command::new("nix");
        command.args(["--option", "allow-import-from-derivation", "false"]);
        for variable in
            ["NIX_PATH", "NIX_REMOTE", "NIX_SSL_CERT_FILE", "IN_NIX_SHELL", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"]
        {
            command.env_remove(variable);
        }
        for (variable, folder) in [
            ("HOME", "home"),
            ("NIX_STORE_DIR", "store"),
            ("NIX_STATE_DIR", "state"),
            ("NIX_LOCALSTATE_DIR", "state"),
            ("NIX_LOG_DIR", "log"),
            ("NIX_CONF_DIR", "conf"),
        ] {
            command.env(variable, self.nix.join(folder));
        }
        // Of users and builders there are none, nor a cache, nor a registry.
        command.env(
            "NIX_CONFIG",
            "experimental-features = nix-command flakes\nsubstituters =\nflake-registry =\nsandbox = false\nbuild-users-group =\n",
        );
        command
    }

    /// What it printed, or else what it said was wrong.
    fn run(&self, command: &mut Command) -> Result<String, String> {
        let Output { status, stdout, stderr } = command
            .output()
            .unwrap_or_else(|error| panic!("cannot run nix: {error}. On Debian: apt-get install nix-bin"));
        if status.success() {
            Ok(String::from_utf8(stdout).unwrap())
        } else {
            Err(String::from_utf8_lossy(&stderr).into_owned())
        }
    }
}

/// Copies what is source: as git would, without asking it, because there may be none.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        if ["target", ".git", ".zig-cache", "zig-out", "bindings.rs"].iter().any(|built| name == *built) {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else if path.is_file() {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
