//! The book, as far as no command of it has to run: that it builds, that no link is dead, and that the page about the
//! command lines is what the programs say. `./x test` runs its commands as well, `./x book test`.

use std::path::Path;
use std::process::Command;

fn book(args: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("book").args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn it_builds_and_its_links_lead_somewhere() {
    book(&[]);
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target").join("book");
    let page = std::fs::read_to_string(book.join("index.html")).unwrap();
    // Whoever reads it may be offline: the search has its index, and nothing comes from elsewhere.
    for tag in page.split("<link").skip(1).chain(page.split("<script").skip(1)) {
        let tag = tag.split('>').next().unwrap_or_default();
        assert!(!tag.contains("://"), "{tag}");
    }
    let files = book.read_dir().unwrap().flatten();
    assert!(files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("searchindex")));
}

#[test]
fn command_lines_are_what_the_programs_say() {
    book(&["cli", "--check"]);
}
