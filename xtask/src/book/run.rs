//! Runs the blocks of every page, and says what became of each.
//!
//! A page is a reader with a home folder of their own, who begins in the checkout, `~/sandhill`, with the shell that
//! `eval "$(./x env)"` gives them. Pages know nothing of each other. None writes to the checkout but to target/, which
//! is where they find what `./x build` made.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::page::{self, Block, Kind, Wants};
use super::session::{End, Session};
use super::{expect, read};
use crate::run::{Failure, root};

/// For one command; a cold cache is in it.
const LIMIT: Duration = Duration::from_secs(600);
const SLOW_LIMIT: Duration = Duration::from_secs(4 * 3600);

/// The bench that pages name for a real board, and the one that is in its place here.
const REAL_BENCH: &str = "hil/benches/pico2-debugprobe-fx2lafw.toml";
const VIRTUAL_BENCH: &str = "hil/benches/virtual.toml";

#[derive(Default)]
struct Count {
    run: usize,
    /// Of these, on the virtual bench instead of a board.
    in_place: usize,
    slow: usize,
    networked: usize,
    board: usize,
    failed: usize,
    /// After one that failed on the same page.
    not_reached: usize,
}

pub fn blocks(pages: &[PathBuf], slow: bool, only: &[String]) -> Result<(), Failure> {
    // All are read first, so that a wrong fence does not wait for the commands of other pages.
    let mut read_pages = Vec::new();
    for path in pages {
        let text = read(path)?;
        let blocks =
            page::blocks(&text).map_err(|(line, reason)| Failure::Page { page: path.clone(), line, reason })?;
        let named = only.is_empty() || only.iter().any(|part| path.to_string_lossy().contains(part.as_str()));
        if named && !blocks.is_empty() {
            read_pages.push((path, blocks));
        }
    }

    if read_pages.is_empty() {
        return Err(Failure::NoPage { named: only.join(", ") });
    }

    let mut count = Count::default();
    for (path, blocks) in &read_pages {
        let began = Instant::now();
        page(path, blocks, slow, &mut count)?;
        if slow && blocks.iter().any(|block| block.wants == Some(Wants::Slow)) {
            // It may have built something else: with another key, for one.
            crate::build::all()?;
        }
        println!("book: {}: {:.1} s", path.display(), began.elapsed().as_secs_f64());
    }
    let Count { run, in_place, slow, networked, board, failed, not_reached } = count;
    let all: usize = read_pages.iter().map(|(_, blocks)| blocks.len()).sum();
    println!(
        "book: {all} blocks on {} pages: {run} run ({in_place} of them on the virtual bench in a board's place), {slow} slow, \
         {networked} networked, {board} board; {failed} failed, {not_reached} not reached",
        read_pages.len()
    );
    if failed > 0 { Err(Failure::Blocks { failed }) } else { Ok(()) }
}

fn page(path: &Path, blocks: &[Block], slow: bool, count: &mut Count) -> Result<(), Failure> {
    let failure = |source| Failure::File { path: path.into(), source };
    let scratch = Scratch::new().map_err(failure)?;
    let mut session = Session::start(scratch.shell(), scratch.0.join("printed")).map_err(failure)?;
    let ports = Ports::default();
    for (number, block) in blocks.iter().enumerate() {
        let mut in_place = false;
        match block.wants {
            Some(Wants::Slow) if !slow => {
                count.slow += 1;
                println!("book: {}:{}: slow, not run", path.display(), block.line);
                continue;
            }
            Some(Wants::Networked) => {
                count.networked += 1;
                println!("book: {}:{}: networked, not run", path.display(), block.line);
                continue;
            }
            Some(Wants::Board) if !mentions(block, REAL_BENCH) => {
                count.board += 1;
                println!("book: {}:{}: needs a board, not run", path.display(), block.line);
                continue;
            }
            Some(Wants::Board) => in_place = true,
            _ => {}
        }
        let mut here = |text: &str| {
            let text = ports.exchange(text);
            if in_place { text.replace(REAL_BENCH, VIRTUAL_BENCH) } else { text }
        };
        let limit = if block.wants == Some(Wants::Slow) { SLOW_LIMIT } else { LIMIT };
        let outcome = match &block.kind {
            Kind::Commands(text) => commands(&mut session, block.line, &here(text), limit),
            Kind::Session(list) => converse(&mut session, list, &mut here, limit),
            Kind::File { path, text } => file(&mut session, block.line, path, text, &scratch),
        };
        match outcome.map_err(failure)? {
            Ok(()) => {
                count.run += 1;
                count.in_place += usize::from(in_place);
            }
            Err(Wrong { line, reason }) => {
                println!("book: {}:{line}: {reason}", path.display());
                count.failed += 1;
                // What follows would fail for want of this.
                count.not_reached += blocks.len() - number - 1;
                break;
            }
        }
    }
    Ok(())
}

fn mentions(block: &Block, what: &str) -> bool {
    match &block.kind {
        Kind::Commands(text) => text.contains(what),
        Kind::Session(commands) => commands.iter().any(|command| command.text.contains(what)),
        Kind::File { .. } => false,
    }
}

/// What of a block is not as the page says.
struct Wrong {
    line: usize,
    reason: String,
}

type Verdict = std::io::Result<Result<(), Wrong>>;

fn commands(session: &mut Session, line: usize, text: &str, limit: Duration) -> Verdict {
    let outcome = session.run(text, true, limit)?;
    Ok(match outcome.end {
        End::Status(0) => Ok(()),
        end => Err(Wrong { line, reason: format!("{}:\n{text}it printed:\n{}", ended(&end), outcome.printed) }),
    })
}

/// A command may fail only where the page goes on to ask for its status.
fn converse(
    session: &mut Session,
    list: &[page::Command],
    here: &mut dyn FnMut(&str) -> String,
    limit: Duration,
) -> Verdict {
    for (number, command) in list.iter().enumerate() {
        let text = here(&command.text);
        let outcome = session.run(&text, false, limit)?;
        let asked = list.get(number + 1).is_some_and(|next| next.text.trim() == "echo $?");
        let fine = matches!(outcome.end, End::Status(0)) || (asked && matches!(outcome.end, End::Status(_)));
        if !fine {
            let reason = format!("{}: `{text}` printed:\n{}", ended(&outcome.end), outcome.printed);
            return Ok(Err(Wrong { line: command.line, reason }));
        }
        let shown: Vec<String> = command.shown.iter().map(|line| here(line)).collect();
        if let Some(at) = expect::mismatch(&shown, &outcome.printed) {
            let lines = command.text.lines().count();
            let reason = match shown.get(at) {
                Some(line) => format!("shown is `{line}`; `{text}` printed:\n{}", outcome.printed),
                None => format!("more than what is shown; `{text}` printed:\n{}", outcome.printed),
            };
            return Ok(Err(Wrong { line: command.line + lines + at, reason }));
        }
    }
    Ok(Ok(()))
}

/// Written by the session's shell, where it is.
fn file(session: &mut Session, line: usize, path: &Path, text: &str, scratch: &Scratch) -> Verdict {
    let outcome = session.run("pwd -P", false, LIMIT)?;
    let folder = PathBuf::from(outcome.printed.trim());
    if !folder.starts_with(&scratch.0) {
        let reason = format!(
            "{} would be written to {}; `cd` to a folder of the reader's own",
            path.display(),
            folder.display()
        );
        return Ok(Err(Wrong { line, reason }));
    }
    let path = folder.join(path);
    Ok(fs::write(&path, text).map_err(|error| Wrong { line, reason: format!("{}: {error}", path.display()) }))
}

fn ended(end: &End) -> String {
    match end {
        End::Status(status) | End::Exit(status) => format!("exit status {status}"),
        End::TimedOut => "it takes too long".into(),
    }
}

/// The home folder of a reader, for as long as their page is read.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("sandhill-book-").tempdir()?.keep().canonicalize()?;
        std::os::unix::fs::symlink(root(), folder.join("sandhill"))?;
        Ok(Scratch(folder))
    }

    fn shell(&self) -> Command {
        let mut shell = Command::new("sh");
        shell.current_dir(root()).env("HOME", &self.0);
        // What is found by way of the home folder stays where it is: caches, toolchains, the key to sign with.
        let home = env::home_dir().unwrap_or_default();
        for (variable, folder) in [
            ("CARGO_HOME", ".cargo"),
            ("RUSTUP_HOME", ".rustup"),
            ("XDG_CACHE_HOME", ".cache"),
            ("XDG_CONFIG_HOME", ".config"),
        ] {
            if env::var_os(variable).is_none() {
                shell.env(variable, home.join(folder));
            }
        }
        // How wide a table gets must not depend on who looks.
        shell.env("COLUMNS", "120").env_remove("CLICOLOR_FORCE").env("NO_COLOR", "1");
        // As `./x env` sets them.
        let mut path = root().join("target/debug").into_os_string();
        path.push(":");
        path.push(env::var_os("PATH").unwrap_or_default());
        shell.env("PATH", path).env("SANDHILL_ARTEFACTS", crate::run::artefacts());
        // Cargo's for xtask itself.
        for (variable, _) in env::vars_os() {
            if variable.to_string_lossy().starts_with("CARGO_PKG_") || variable == "CARGO_MANIFEST_DIR" {
                shell.env_remove(variable);
            }
        }
        shell
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Pages name ports from 7800 to 7899 on 127.0.0.1; here each stands for a free one, as others may run the same.
#[derive(Default)]
struct Ports(std::cell::RefCell<Vec<(String, String)>>);

impl Ports {
    fn exchange(&self, text: &str) -> String {
        let mut rest = text;
        let mut out = String::new();
        while let Some(at) = rest.find("127.0.0.1") {
            let (before, after) = rest.split_at(at + "127.0.0.1".len());
            out.push_str(before);
            rest = after;
            let number = after.get(1..5).filter(|number| number.starts_with("78"));
            if let (Some(number), true) = (number, after.starts_with([':', '/'])) {
                out.push_str(&after[..1]);
                out.push_str(&self.free(number));
                rest = &after[5..];
            }
        }
        out + rest
    }

    fn free(&self, number: &str) -> String {
        let mut known = self.0.borrow_mut();
        if let Some((_, free)) = known.iter().find(|(shown, _)| shown == number) {
            return free.clone();
        }
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let free = free.map_or_else(|_| number.to_owned(), |address| address.port().to_string());
        known.push((number.to_owned(), free.clone()));
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str) -> Result<(), Wrong> {
        let scratch = Scratch::new().unwrap();
        let mut session = Session::start(scratch.shell(), scratch.0.join("printed")).unwrap();
        for block in page::blocks(text).unwrap() {
            match &block.kind {
                Kind::Commands(text) => commands(&mut session, block.line, text, LIMIT),
                Kind::Session(list) => converse(&mut session, list, &mut str::to_owned, LIMIT),
                Kind::File { path, text } => file(&mut session, block.line, path, text, &scratch),
            }
            .unwrap()?;
        }
        Ok(())
    }

    fn line(text: &str) -> Option<usize> {
        outcome(text).err().map(|wrong| wrong.line)
    }

    #[test]
    fn what_is_wrong_is_named_by_its_line() {
        assert_eq!(line("```sh\ntrue\n```\n\n```sh\nfalse\n```\n"), Some(5));
        assert_eq!(line("```console\n$ echo a\na\n$ echo b\nc\n```\n"), Some(5));
        assert_eq!(line("```console\n$ echo a\n```\n"), Some(3));
        assert_eq!(line("```console\n$ true\n$ false\n```\n"), Some(3));
        assert_eq!(line("```console\n$ (exit 3)\n$ echo $?\n3\n```\n"), None);
        assert_eq!(line("```console\n$ (exit 3)\n$ echo $?\n2\n```\n"), Some(4));
    }

    #[test]
    fn a_file_is_the_readers_own() {
        assert_eq!(line("```c,file=x.c\nint x;\n```\n"), Some(1));
        assert_eq!(
            line("```sh\nmkdir ~/a; cd ~/a\n```\n```c,file=x.c\nint x;\n```\n```console\n$ cat x.c\nint x;\n```\n"),
            None
        );
    }

    #[test]
    fn ports_are_exchanged_alike_everywhere() {
        let ports = Ports::default();
        let first = ports.exchange("conn=tcp/127.0.0.1/7802:x 127.0.0.1:80");
        let number = first.split(['/', ':']).nth(2).unwrap().to_owned();
        assert_ne!(number, "7802");
        assert_eq!(first, format!("conn=tcp/127.0.0.1/{number}:x 127.0.0.1:80"));
        assert_eq!(ports.exchange("127.0.0.1:7802"), format!("127.0.0.1:{number}"));
    }
}
