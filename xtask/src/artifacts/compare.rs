//! `./x compare-artifacts`: two lists of artefacts, artefact by artefact.
//!
//! Promises that two lists agree only if all that both should have is the same, byte for byte. What two compilers of one
//! version but of different makers make of a source may differ: that is told apart from what nothing explains. A component
//! is to be the same everywhere, so for it no tool is an excuse.

use std::collections::BTreeSet;

use super::{Artefact, Artifacts};

/// How one artefact is in two lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Same,
    /// The bytes differ, and so do these tools.
    OtherTools(Vec<String>),
    /// The bytes differ, and nothing explains it.
    Differs,
    /// One list has its folder, but not the file.
    OnlyLeft,
    OnlyRight,
}

/// Every artefact of both lists, in the order of their paths, but those in folders of the first level that only one list has:
/// not everybody builds what only tests run. With `keyed` also those that are the same only if the keys are.
pub fn compare(left: &Artifacts, right: &Artifacts, keyed: bool) -> Vec<(String, Verdict)> {
    let groups = |list: &Artifacts| list.artefacts.keys().map(|path| group(path).to_owned()).collect::<BTreeSet<_>>();
    let common: BTreeSet<_> = groups(left).intersection(&groups(right)).cloned().collect();
    let paths: BTreeSet<_> = left.artefacts.keys().chain(right.artefacts.keys()).collect();
    let wanted = paths.into_iter().filter(|path| common.contains(group(path)));
    wanted
        .filter_map(|path| {
            let (here, there) = (left.artefacts.get(path), right.artefacts.get(path));
            if !keyed && here.or(there).is_some_and(|artefact| artefact.keyed) {
                return None;
            }
            Some((path.clone(), verdict(left, here, right, there)))
        })
        .collect()
}

fn verdict(left: &Artifacts, here: Option<&Artefact>, right: &Artifacts, there: Option<&Artefact>) -> Verdict {
    let (here, there) = match (here, there) {
        (Some(here), Some(there)) => (here, there),
        (Some(_), None) => return Verdict::OnlyLeft,
        _ => return Verdict::OnlyRight,
    };
    if here.sha256 == there.sha256 {
        return Verdict::Same;
    }
    let tools: BTreeSet<_> = here.tools.iter().chain(&there.tools).collect();
    let other: Vec<_> =
        tools.into_iter().filter(|tool| left.tools.get(*tool) != right.tools.get(*tool)).cloned().collect();
    if other.is_empty() { Verdict::Differs } else { Verdict::OtherTools(other) }
}

/// `guests` of `guests/blinky-c/guest.img`.
fn group(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

impl Verdict {
    /// Whether two lists with this verdict on `path` agree.
    pub fn agrees(&self, path: &str) -> bool {
        match self {
            Verdict::Same => true,
            Verdict::OtherTools(_) => !path.ends_with("component.wasm"),
            Verdict::Differs | Verdict::OnlyLeft | Verdict::OnlyRight => false,
        }
    }
}

/// Prints what differs, and how many are the same; whether the lists agree. `strict` lets no tool explain a difference.
pub fn print(left: &Artifacts, right: &Artifacts, keyed: bool, strict: bool) -> bool {
    let mut agree = true;
    if left.source.sha256 != right.source.sha256 {
        println!("the sources differ: {}", left.source.changed_since(&right.source));
        agree = false;
    }
    let verdicts = compare(left, right, keyed);
    let mut same = 0;
    for (path, verdict) in &verdicts {
        agree &= verdict.agrees(path) && (!strict || *verdict == Verdict::Same);
        match verdict {
            Verdict::Same => same += 1,
            Verdict::OtherTools(tools) => {
                println!("{path} differs, and so do its tools");
                for tool in tools {
                    let of = |list: &Artifacts| list.tools.get(tool).cloned().unwrap_or_else(|| "none".into());
                    println!("    {tool}: {} / {}", of(left), of(right));
                }
            }
            Verdict::Differs => println!("{path} differs"),
            Verdict::OnlyLeft => println!("{path} is in the first list only"),
            Verdict::OnlyRight => println!("{path} is in the second list only"),
        }
    }
    println!("{} artefacts compared, {same} the same", verdicts.len());
    // Nothing in common is no agreement.
    agree && !verdicts.is_empty()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{SCHEMA, Source};
    use super::*;

    /// A list of these: path, hash, keyed; all made by one tool of this version.
    fn list(version: &str, artefacts: &[(&str, &str, bool)]) -> Artifacts {
        let artefact = |hash: &str, keyed| Artefact { bytes: 1, sha256: hash.into(), tools: vec!["zig".into()], keyed };
        Artifacts {
            schema: SCHEMA,
            name: "sandhill".into(),
            version: "0.2.0".into(),
            source: Source { revision: None, modified: false, sha256: "s".into(), inputs: BTreeMap::new() },
            tools: BTreeMap::from([("zig".into(), version.into())]),
            artefacts: artefacts.iter().map(|(path, hash, keyed)| ((*path).into(), artefact(hash, *keyed))).collect(),
        }
    }

    #[test]
    fn each_kind_of_difference_is_told_apart() {
        let left = list(
            "1",
            &[("guests/a/core.wasm", "x", false), ("guests/a/guest.img", "k", true), ("rivals/r.elf", "r", false)],
        );
        let right = list("1", &[("guests/a/core.wasm", "y", false), ("guests/b/core.wasm", "y", false)]);
        let core = "guests/a/core.wasm".to_owned();
        let only = ("guests/b/core.wasm".to_owned(), Verdict::OnlyRight);
        assert_eq!(compare(&left, &right, false), [(core.clone(), Verdict::Differs), only.clone()]);
        let img = ("guests/a/guest.img".to_owned(), Verdict::OnlyLeft);
        assert_eq!(compare(&left, &right, true), [(core, Verdict::Differs), img, only]);
        assert!(compare(&left, &left, true).iter().all(|(_, verdict)| *verdict == Verdict::Same));
    }

    #[test]
    fn tools_explain_a_difference_but_not_of_a_component() {
        let left = list("1", &[("guests/a/core.wasm", "x", false), ("guests/a/component.wasm", "x", false)]);
        let right = list("2", &[("guests/a/core.wasm", "y", false), ("guests/a/component.wasm", "x", false)]);
        assert!(print(&left, &right, true, false));
        assert!(!print(&left, &right, true, true), "strictly they differ");
        let right = list("2", &[("guests/a/core.wasm", "x", false), ("guests/a/component.wasm", "y", false)]);
        assert!(!print(&left, &right, true, false));
        let right = list("1", &[("guests/a/core.wasm", "y", false), ("guests/a/component.wasm", "x", false)]);
        assert!(!print(&left, &right, true, false), "one tool made two");
    }

    #[test]
    fn other_sources_and_nothing_in_common_are_no_agreement() {
        let left = list("1", &[("guests/a/core.wasm", "x", false)]);
        assert!(print(&left, &left, true, true));
        let mut other = left.clone();
        other.source.sha256 = "t".into();
        assert!(!print(&left, &other, true, true));
        assert!(!print(&left, &list("1", &[("firmware/f.elf", "x", true)]), true, true));
    }
}
