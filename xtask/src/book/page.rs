//! What of a page is to be run: its fenced blocks, by what stands behind the fence.
//!
//! | fence | what it is |
//! |---|---|
//! | `sh` | commands, all of which have to succeed |
//! | `console` | commands after `$ `, and what they print |
//! | any other language with `file=PATH` | a file, which is written as it stands there |
//! | any other language | to be read |
//!
//! A block of commands can be marked `slow`, `networked` or `board`; see [`Wants`]. A fence that says nothing, or
//! something unknown, is an error: no block is left out because of a slip.

use std::ops::Range;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A fenced block that does something.
#[derive(Debug, PartialEq)]
pub struct Block {
    /// In the page, of the fence; the first is 1.
    pub line: usize,
    pub wants: Option<Wants>,
    pub kind: Kind,
}

/// What a block needs that not every run of the tests has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wants {
    /// Minutes.
    Slow,
    /// A network that has more than the package registries of the set-up.
    Networked,
    /// Hardware. Runs on the virtual bench if a bench file is all that says otherwise.
    Board,
}

#[derive(Debug, PartialEq)]
pub enum Kind {
    Commands(String),
    Session(Vec<Command>),
    File { path: PathBuf, text: String },
}

/// A command of a session.
#[derive(Debug, PartialEq)]
pub struct Command {
    pub line: usize,
    pub text: String,
    /// Lines; see [`super::expect`].
    pub shown: Vec<String>,
}

/// The blocks of a page in their order, or where it is wrong: line and reason.
pub fn blocks(text: &str) -> Result<Vec<Block>, (usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(Range<usize>, String, String)> = None;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => {
                return Err((line_of(text, range.start), "an indented block; fence it and name its language".into()));
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                open = Some((range, info.to_string(), String::new()));
            }
            Event::Text(piece) => {
                if let Some((_, _, content)) = &mut open {
                    content.push_str(&piece);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                if let Some((range, info, content)) = open.take() {
                    blocks.extend(block(line_of(text, range.start), &info, content)?);
                }
            }
            _ => {}
        }
    }
    Ok(blocks)
}

fn block(line: usize, info: &str, content: String) -> Result<Option<Block>, (usize, String)> {
    let wrong = |reason: String| Err((line, reason));
    let mut words = info.split(',').map(str::trim);
    let language = words.next().unwrap_or_default();
    let mut wants = None;
    let mut file = None;
    for word in words {
        match (word, word.split_once('=')) {
            ("slow", _) => wants = Some(Wants::Slow),
            ("networked", _) => wants = Some(Wants::Networked),
            ("board", _) => wants = Some(Wants::Board),
            (_, Some(("file", path))) => file = Some(Path::new(path).to_owned()),
            _ => return wrong(format!("`{word}` behind a fence is not known")),
        }
    }
    let kind = match (language, file) {
        ("", _) => return wrong("a fence without a language; `text` is one".into()),
        ("sh" | "console", Some(_)) => return wrong("a block of commands is no file".into()),
        ("sh", None) => Kind::Commands(content),
        ("console", None) => Kind::Session(commands(line, &content)?),
        (_, Some(path)) => Kind::File { path, text: content },
        (_, None) if wants.is_some() => return wrong(format!("`{language}` is not a language of commands")),
        (_, None) if content.lines().any(|line| line.starts_with("$ ")) => {
            return wrong("commands that nobody would run; `console` is their language".into());
        }
        (_, None) => return Ok(None),
    };
    Ok(Some(Block { line, wants, kind }))
}

/// A line that ends with a backslash goes on in the next one.
fn commands(fence: usize, content: &str) -> Result<Vec<Command>, (usize, String)> {
    let mut commands: Vec<Command> = Vec::new();
    let mut continues = false;
    for (line, text) in (fence + 1..).zip(content.lines()) {
        match (text.strip_prefix("$ "), commands.last_mut()) {
            (_, Some(command)) if continues => {
                command.text.push('\n');
                command.text.push_str(text);
                continues = text.ends_with('\\');
            }
            (Some(text), _) => {
                commands.push(Command { line, text: text.to_owned(), shown: Vec::new() });
                continues = text.ends_with('\\');
            }
            (None, Some(command)) => command.shown.push(text.to_owned()),
            (None, None) => return Err((line, "the first line of a session has to be a command, `$ …`".into())),
        }
    }
    Ok(commands)
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_told_by_their_fences() {
        let page = "Text\n\n```sh,slow\nmake\n```\n\n```text\nnothing\n```\n\n```c,file=a/b.c\nint x;\n```\n";
        let expected = [
            Block { line: 3, wants: Some(Wants::Slow), kind: Kind::Commands("make\n".into()) },
            Block { line: 11, wants: None, kind: Kind::File { path: "a/b.c".into(), text: "int x;\n".into() } },
        ];
        assert_eq!(blocks(page), Ok(expected.into()));
    }

    #[test]
    fn a_session_is_commands_and_what_they_print() {
        let page = "```console\n$ echo a \\\n    b\na b\n$ true\n```\n";
        let command = |line, text: &str, shown: &[&str]| Command {
            line,
            text: text.into(),
            shown: shown.iter().map(ToString::to_string).collect(),
        };
        let session = vec![command(2, "echo a \\\n    b", &["a b"]), command(5, "true", &[])];
        assert_eq!(blocks(page), Ok(vec![Block { line: 1, wants: None, kind: Kind::Session(session) }]));
    }

    #[test]
    fn no_block_is_left_out_by_a_slip() {
        for page in [
            "```\nls\n```\n",
            "\n    ls\n",
            "```sh,sIow\nls\n```\n",
            "```console\nls\n```\n",
            "```text\n$ ls\n```\n",
            "```text,board\nls\n```\n",
            "```sh,file=a\nls\n```\n",
        ] {
            assert!(blocks(page).is_err(), "{page}");
        }
    }
}
