//! The workflows in `.github/workflows`, which cannot run here: every verb of `./x`, option, file and job that they name is
//! there, actions are pinned by commit, and nothing but publishing may write.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use yaml_rust2::{Yaml, YamlLoader};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository")
}

/// File name → text.
fn workflows() -> BTreeMap<String, String> {
    let entries = fs::read_dir(root().join(".github/workflows")).expect("there are workflows");
    let files: BTreeMap<_, _> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap()))
        .collect();
    assert!(files.contains_key("ci.yml") && files.contains_key("release.yml"));
    files
}

fn parse(name: &str, text: &str) -> Yaml {
    YamlLoader::load_from_str(text).unwrap_or_else(|error| panic!("{name}: {error}")).remove(0)
}

/// Calls `visit` with every string, and the key it stands under.
fn strings(yaml: &Yaml, key: &str, visit: &mut impl FnMut(&str, &str)) {
    match yaml {
        Yaml::String(text) => visit(key, text),
        Yaml::Array(items) => items.iter().for_each(|item| strings(item, key, visit)),
        Yaml::Hash(map) => {
            map.iter().for_each(|(inner, value)| strings(value, inner.as_str().unwrap_or_default(), visit));
        }
        _ => {}
    }
}

/// Commands, and what stands under the keys that the matrix gives to `run`.
fn commands() -> Vec<(String, String)> {
    let mut commands = Vec::new();
    for (name, text) in workflows() {
        strings(&parse(&name, &text), "", &mut |key, text| {
            if key == "run" || key == "command" {
                commands.extend(text.replace("\\\n", " ").lines().map(|line| (name.clone(), line.trim().to_owned())));
            }
        });
    }
    commands
}

#[test]
fn every_verb_of_x_is_there_and_takes_what_it_is_given() {
    let help = fs::read_to_string(root().join("x")).unwrap();
    let mut called = Vec::new();
    for (name, command) in commands() {
        for call in command.split("&&").filter_map(|call| call.trim().strip_prefix("./x ")) {
            let words: Vec<_> = call.split_whitespace().collect();
            assert!(help.contains(&format!("\n#   ./x {} ", words[0])), "{name}: ./x {} is not in ./x help", words[0]);
            called.push(words[0].to_owned());
            // What x does itself, before there is anything to ask.
            if ["setup", "help"].contains(&words[0]) {
                assert_eq!(words.len(), 1, "{name}: {command}");
                continue;
            }
            // The verb of a verb, too; and one argument too many is an error even before the help.
            let (options, names): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| word.starts_with("--"));
            let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(names).arg("--help").output().unwrap();
            assert!(output.status.success(), "{name}: {command}: {}", String::from_utf8_lossy(&output.stderr));
            let usage = String::from_utf8_lossy(&output.stdout);
            for option in options {
                assert!(usage.contains(option), "{name}: {command}: {option} is not in\n{usage}");
            }
        }
    }
    for verb in
        ["setup", "lint", "audit", "test", "hil", "reproduce", "build", "sbom", "provenance", "compare-artifacts"]
    {
        assert!(called.iter().any(|name| name == verb), "no workflow calls ./x {verb}");
    }
}

/// Rooms whose files may be named.
const ROOMS: [&str; 7] = ["ci/", "docs/", "guests/", "hil/", "host/", "wit/", ".github/"];

#[test]
fn every_file_is_there() {
    let mut checked = 0;
    for (name, text) in workflows() {
        strings(&parse(&name, &text), "", &mut |_, text| {
            let apart = |c: char| c.is_whitespace() || "'\"(),:;".contains(c);
            for word in text.split(apart).map(|word| word.trim_end_matches('.')) {
                if ROOMS.iter().any(|room| word.starts_with(room)) {
                    let path = word.trim_end_matches("/*");
                    assert!(root().join(path).exists(), "{name} names {word}, which is not there");
                    checked += 1;
                }
            }
            // Keys of caches: a pattern that matches nothing gives one key for ever.
            for call in text.split("hashFiles(").skip(1) {
                for pattern in call.split(')').next().unwrap().split(',') {
                    let file = pattern.trim().trim_matches('\'').trim_start_matches("**/").trim_end_matches("/*");
                    assert!(root().join(file).exists(), "{name}: hashFiles({pattern})");
                    checked += 1;
                }
            }
        });
    }
    assert!(checked >= 5, "only {checked} files were found in the workflows");
}

#[test]
fn actions_are_pinned_by_commit_beside_the_version_it_is() {
    let mut pins: BTreeMap<String, String> = BTreeMap::new();
    for (name, text) in workflows() {
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let Some((_, action)) = line.split_once("uses: ") else { continue };
            let (action, version) =
                action.split_once(" # v").unwrap_or_else(|| panic!("{name}: {action}: which version?"));
            let (_, commit) = action.split_once('@').unwrap_or_else(|| panic!("{name}: {action}"));
            assert!(commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()), "{name}: {action}");
            assert!(version.split('.').count() == 3, "{name}: {action}: v{version}");
            let known = pins.entry(action.split('@').next().unwrap().to_owned()).or_insert_with(|| action.to_owned());
            assert_eq!(known, action, "{name}: two versions of one action");
        }
    }
    assert!(pins.len() >= 4, "{pins:?}");
}

#[test]
fn only_the_job_that_publishes_may_write() {
    for (name, text) in workflows() {
        let workflow = parse(&name, &text);
        let permissions = workflow["permissions"].as_hash().unwrap_or_else(|| panic!("{name} has no permissions"));
        assert!(permissions.values().all(|access| access.as_str() == Some("read")), "{name}");
        for (job, steps) in workflow["jobs"].as_hash().expect("jobs") {
            let publishes = (name.as_str(), job.as_str()) == ("release.yml", Some("publish"));
            assert!(publishes || steps["permissions"].is_badvalue(), "{name}: {job:?} has permissions of its own");
        }
        // What others may write into (titles, names of branches) is never pasted into a command.
        for word in ["github.event", "github.head_ref", "pull_request_target"] {
            assert!(!text.contains(word), "{name}: {word}");
        }
    }
}

#[test]
fn jobs_wait_for_jobs_that_are_there() {
    for (name, text) in workflows() {
        let workflow = parse(&name, &text);
        let jobs: Vec<_> = workflow["jobs"].as_hash().unwrap().keys().filter_map(Yaml::as_str).collect();
        for job in workflow["jobs"].as_hash().unwrap().values() {
            let needs = match &job["needs"] {
                Yaml::String(one) => vec![one.as_str()],
                Yaml::Array(many) => many.iter().filter_map(Yaml::as_str).collect(),
                _ => Vec::new(),
            };
            for need in needs {
                assert!(jobs.contains(&need), "{name}: no job is called {need}");
            }
            assert!(job["timeout-minutes"].as_i64().is_some(), "{name}: a job without a limit");
        }
    }
    // Nothing is published that was not compared.
    let release = parse("release.yml", &workflows()["release.yml"]);
    assert_eq!(release["jobs"]["publish"]["needs"].as_str(), Some("compare"));
}
