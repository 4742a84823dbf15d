use std::collections::BTreeSet;
use std::process::Command;

use serde_json::json;

use super::*;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        put(folder.path(), path, text);
    }
    folder
}

fn put(folder: &Path, path: &str, text: &str) {
    let file = folder.join(path);
    fs::create_dir_all(file.parent().expect("in the folder")).expect("a folder");
    fs::write(file, text).expect("a file");
}

/// What is needed for a repository, and a guest.
const REPOSITORY: [(&str, &str); 9] = [
    (".cargo/config.toml", ""),
    ("Cargo.lock", ""),
    ("Cargo.toml", ""),
    ("guests/blinky/rust/.cargo/config.toml", "settings"),
    ("guests/blinky/rust/src/lib.rs", "fn run() {}"),
    ("host/main.rs", ""),
    ("rust-toolchain.toml", ""),
    ("wit/platform.wit", ""),
    ("xtask/main.rs", ""),
];

fn read(root: &Path) -> Source {
    Source::read(root).expect("its sources")
}

#[test]
fn sources_are_hashed_as_sha256sum_does() {
    let repository = folder(&REPOSITORY);
    let script = "find .cargo Cargo.lock Cargo.toml guests host rust-toolchain.toml wit xtask -type f |
        LC_ALL=C sort | xargs sha256sum | sha256sum";
    let output = Command::new("sh").arg("-c").arg(script).current_dir(repository.path()).output().expect("sh");
    let source = read(repository.path());
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{}  -\n", source.sha256));
    assert_eq!((source.revision, source.modified), (None, false), "this is no checkout");
    assert_eq!(source.inputs.len(), REPOSITORY.len());
}

#[test]
fn every_change_of_a_source_is_seen_and_what_builds_leave_is_not() {
    let repository = folder(&REPOSITORY);
    let before = read(repository.path());
    for left in ["guests/blinky/rust/target/x", "guests/blinky/rust/src/bindings.rs", "guests/blinky/zig/zig-out/x"] {
        put(repository.path(), left, "left");
    }
    put(repository.path(), "hil/runner/src/main.rs", "no input");
    put(repository.path(), "docs/page.md", "no input");
    put(repository.path(), "host/tests/test.rs", "no input");
    assert_eq!(read(repository.path()), before);

    for (path, _) in REPOSITORY.iter().chain(&[("guests/new.c", ""), ("hil/runner/Cargo.toml", "")]) {
        put(repository.path(), path, "changed");
        let now = read(repository.path());
        assert_ne!(now.sha256, before.sha256, "{path}");
        assert!(now.inputs[*path] == hash(b"changed"), "{path}");
    }
    let again = read(repository.path());
    fs::remove_file(repository.path().join("guests/new.c")).expect("it is there");
    assert_eq!(read(repository.path()).changed_since(&again), "guests/new.c");
}

#[test]
fn a_walk_finds_what_git_tracks() {
    if !root().join(".git").exists() {
        // An archive of a release: there is nothing to compare with.
        return;
    }
    let list = ["ls-files", "--cached", "--others", "--exclude-standard", "--"];
    let inputs = [".cargo", "Cargo.lock", "Cargo.toml", "guests", "host", "rust-toolchain.toml", "wit", "xtask"];
    let output = Command::new("git").args(list).args(inputs).args(["hil/*/Cargo.toml"]).current_dir(root()).output();
    let output = output.expect("git");
    let tracked = String::from_utf8(output.stdout).expect("names in UTF-8");
    let tracked = tracked
        .lines()
        .filter(|path| root().join(path).exists() && !path.contains("/fuzz/") && !path.contains("/tests/"));
    let tracked: BTreeSet<_> = tracked.map(str::to_owned).collect();
    assert!(!tracked.is_empty());
    let walked: BTreeSet<_> = read(root()).inputs.into_keys().collect();
    assert_eq!(walked.symmetric_difference(&tracked).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn a_checkout_says_its_commit_and_whether_it_differs() {
    let repository = folder(&REPOSITORY);
    let git = |arguments: &[&str]| {
        let author = ["-c", "user.name=a", "-c", "user.email=a@example"];
        let output = Command::new("git").args(author).args(arguments).current_dir(repository.path()).output();
        let output = output.expect("git");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["init", "--quiet"]);
    assert_eq!(read(repository.path()).revision, None, "no commit yet");
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "all"]);
    let clean = read(repository.path());
    assert_eq!(clean.revision, Some(git(&["rev-parse", "HEAD"])));
    assert!(!clean.modified);
    put(repository.path(), "hil/runner/src/main.rs", "no input");
    put(repository.path(), "host/tests/test.rs", "no input");
    assert!(!read(repository.path()).modified);
    put(repository.path(), "host/main.rs", "changed");
    assert!(read(repository.path()).modified);
    git(&["checkout", "--", "host/main.rs"]);
    put(repository.path(), "hil/runner/Cargo.toml", "new");
    assert!(read(repository.path()).modified);
}

/// A fixture beside a manifest that gives `text` as its content.
fn fixture(text: &str) -> tempfile::TempDir {
    let manifest = json!({ "language": "wat", "artefacts": { "core.wasm": { "sha256": hash(b"core") } } }).to_string();
    let files = [("manifest.json", &*manifest), ("core.wasm", text), (".stamp", "x"), ("notes.txt", "x")];
    folder(&files.map(|(file, text)| (Box::leak(format!("fixtures/spin/{file}").into_boxed_str()) as &str, text)))
}

fn found(folder: &Path) -> Result<Vec<Found>, Failure> {
    Found::all(folder)
}

#[test]
fn artefacts_are_hashed_and_held_against_their_manifest() {
    let sound = fixture("core");
    let found_there: Vec<_> = found(sound.path()).expect("sound").into_iter().map(|found| found.path).collect();
    assert_eq!(found_there, ["fixtures/spin/core.wasm", "fixtures/spin/manifest.json"]);
    match found(fixture("other").path()) {
        Err(Failure::Damaged { path }) => assert!(path.ends_with("fixtures/spin/core.wasm")),
        _ => panic!("a damaged file was taken"),
    }
}

#[test]
fn what_was_built_before_stays_as_long_as_it_is_the_same() {
    let folder = fixture("core");
    let list = || Artifacts::new(read(root()), found(folder.path()).expect("sound")).expect("no tool is asked");
    let empty = Artifacts::new(read(root()), Vec::new()).expect("no tool is asked");
    let none = || empty.clone();

    let mut kept = none();
    kept.keep(list(), &["guests"], folder.path()).expect("kept");
    assert_eq!(kept, list());

    let mut rebuilt = none();
    rebuilt.keep(list(), &["fixtures"], folder.path()).expect("kept");
    assert_eq!(rebuilt, none(), "a rebuilt group has only what it has now");

    let mut other_tool = none();
    let mut known = list();
    known.tools.insert("wit-component".into(), "wit-component 0.1.0".into());
    other_tool.keep(known, &[], folder.path()).expect("kept");
    assert_eq!(other_tool, none(), "today's tool would make another one");

    let known = list();
    put(folder.path(), "fixtures/spin/core.wasm", "touched");
    let mut touched = none();
    touched.keep(known, &[], folder.path()).expect("kept");
    assert_eq!(touched.artefacts.keys().collect::<Vec<_>>(), ["fixtures/spin/manifest.json"]);
}

#[test]
fn only_guests_of_the_repository_are_vouched_for() {
    let repository = folder(&REPOSITORY);
    assert_eq!(groups_guest("guests/blinky-rust/guest.img"), Some("blinky-rust"));
    assert_eq!(groups_guest("fixtures/spin/guest.img"), None);
    assert!(is_source(repository.path(), "blinky-rust"));
    for stranger in ["blinky-c", "mine", ""] {
        assert!(!is_source(repository.path(), stranger), "{stranger}");
    }
}

#[test]
fn a_list_reads_back_and_another_schema_is_refused() {
    let folder = folder(&[]);
    let file = folder.path().join(FILE);
    let list = Artifacts::new(read(root()), Vec::new()).expect("no tool is asked");
    list.write(&file).expect("written");
    assert_eq!(Artifacts::read(&file).expect("read"), list);
    put(folder.path(), FILE, &fs::read_to_string(&file).expect("text").replace("\"schema\": 1", "\"schema\": 2"));
    assert!(matches!(Artifacts::read(&file), Err(Failure::List { .. })));
}
