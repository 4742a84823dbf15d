//! `./x book`: the book in docs/, built, linked and true.
//!
//! Promises that every link within the book and the README leads somewhere, that every block of commands in them either
//! runs and prints what is shown or is counted as one that does not run here and why, and that the page about the
//! command lines is what the programs say. What the pages say in words is left to their readers.

mod cli;
mod expect;
mod links;
mod page;
mod run;
mod session;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::run::{Failure, Step, cargo_tool, root};

const README: &str = "README.md";

#[derive(Args)]
pub struct Book {
    #[command(subcommand)]
    verb: Option<BookVerb>,
}

#[derive(Subcommand)]
enum BookVerb {
    /// Build all, then run the blocks of commands in the book and the README, and compare what they print
    Test {
        /// Also those that take minutes
        #[arg(long)]
        slow: bool,
        /// What is built is what it should be
        #[arg(long)]
        no_build: bool,
        /// Only pages with this in their path
        pages: Vec<String>,
    },
    /// Write the page about the command lines from what the programs say
    Cli {
        /// Instead, fail if it says something else than they do
        #[arg(long)]
        check: bool,
    },
}

pub fn run(book: Book) -> Result<(), Failure> {
    match book.verb {
        None => build(),
        Some(BookVerb::Test { slow, no_build: true, pages }) => run::blocks(&sources()?, slow, &pages),
        Some(BookVerb::Test { slow, no_build: false, pages }) => test(slow, &pages),
        Some(BookVerb::Cli { check: false }) => cli::write(),
        Some(BookVerb::Cli { check: true }) => cli::check(),
    }
}

/// Builds into target/book, and follows the links.
fn build() -> Result<(), Failure> {
    let out = root().join("target/book");
    Step::new(cargo_tool("mdbook")?).args(["build", "docs", "--dest-dir"]).arg(&out).run()?;
    let links = links::check(&sources()?, &out)?;
    println!("book: {links}");
    println!("book: target/book/index.html");
    Ok(())
}

/// Builds what the commands use, then runs them.
pub fn test(slow: bool, only: &[String]) -> Result<(), Failure> {
    crate::build::all()?;
    run::blocks(&sources()?, slow, only)
}

/// The README and the pages, by path from the root, in the order of their paths.
fn sources() -> Result<Vec<PathBuf>, Failure> {
    let mut pages = Vec::new();
    let mut folders = vec![root().join("docs/src")];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path.strip_prefix(root()).unwrap_or(&path).to_owned());
            }
        }
    }
    pages.sort();
    pages.insert(0, README.into());
    Ok(pages)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failure = |source| Failure::File { path: folder.into(), source };
    std::fs::read_dir(folder).map_err(failure)?.map(|entry| Ok(entry.map_err(failure)?.path())).collect()
}

fn read(page: &Path) -> Result<String, Failure> {
    let path = root().join(page);
    std::fs::read_to_string(&path).map_err(|source| Failure::File { path, source })
}
