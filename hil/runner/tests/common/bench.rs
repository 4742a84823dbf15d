//! The `hil` command on the virtual bench, with what `./x test` has built.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A folder that the build made, or what to do about it.
pub fn built(folder: &str) -> PathBuf {
    let path = root().join("target/artefacts").join(folder);
    assert!(path.is_dir(), "{folder} is not built: run `./x test`, which builds it first");
    path.canonicalize().expect("it is a folder")
}

pub fn hil(artefacts: &Path, out: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hil"))
        .arg("run")
        .arg("--artefacts")
        .arg(artefacts)
        .arg("--out")
        .arg(out)
        .args(args)
        .output()
        .expect("hil starts")
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

pub fn report(out: &Path) -> Value {
    let json = fs::read_to_string(out.join("report.json")).expect("a report");
    serde_json::from_str(&json).expect("valid JSON")
}
