//! The page about the command lines: what each program says of itself, verb by verb.

use std::path::Path;
use std::process::Command;

use crate::run::{Failure, root, tool};

const PAGE: &str = "docs/src/reference/cli.md";

const HEAD: &str = "\
# Command lines

What the programs say of themselves. They are in `target/debug` once `./x build` has run; `eval \"$(./x env)\"` puts
them, and the tools that they call, on your `PATH`. `./x book cli` writes this page, and a test compares it with what the
programs say.

## `./x`

The front door. It sets up tools if they are missing, then runs a verb.

```console
$ ./x help
";

/// With a line about what each is for.
const PROGRAMS: [(&str, &str); 6] = [
    ("guest-pack", "Makes guests: from source to a signed image."),
    ("hil", "Runs guests on a bench, judges them, brings them to boards."),
    ("virtual-bench", "A board that exists only as software, with its probe, analyser and serial adapters."),
    ("sandhill-desktop", "Runs a guest on this computer."),
    ("compare", "What a guest that computes costs, in several engines."),
    ("endurance", "Updates on the chip model: power cuts, a day of them, how long they take."),
];

pub fn write() -> Result<(), Failure> {
    let path = root().join(PAGE);
    std::fs::write(&path, page()?).map_err(|source| Failure::File { path, source })
}

pub fn check() -> Result<(), Failure> {
    let written = super::read(Path::new(PAGE))?;
    let said = page()?;
    if written == said {
        return Ok(());
    }
    let line = written.lines().zip(said.lines()).take_while(|(a, b)| a == b).count() + 1;
    let reason = "it is not what the programs say: run `./x book cli`".into();
    Err(Failure::Page { page: PAGE.into(), line, reason })
}

fn page() -> Result<String, Failure> {
    let mut page = HEAD.to_owned();
    page.push_str(&ask(Command::new("sh").args(["x", "help"]))?);
    page.push_str("```\n");
    for (program, purpose) in PROGRAMS {
        page.push_str(&format!("\n## `{program}`\n\n{purpose}\n"));
        verb(program, &[], &mut page)?;
    }
    Ok(page)
}

/// One verb and all below it.
fn verb(program: &str, verbs: &[&str], page: &mut String) -> Result<(), Failure> {
    let said = ask(Command::new(tool(program)).args(verbs).arg("--help"))?;
    let shown: Vec<&str> = std::iter::once(program).chain(verbs.iter().copied()).collect();
    let said: String = said.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    page.push_str(&format!("\n```console\n$ {} --help\n{said}```\n", shown.join(" ")));
    for name in names(&said) {
        let verbs: Vec<&str> = verbs.iter().copied().chain([name]).collect();
        verb(program, &verbs, page)?;
    }
    Ok(())
}

/// The verbs in a help text, but for `help`.
fn names(help: &str) -> Vec<&str> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}

fn ask(command: &mut Command) -> Result<String, Failure> {
    let shown = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let output = command.current_dir(root()).output();
    let output = output.map_err(|source| Failure::Start { command: shown.clone(), source })?;
    if !output.status.success() {
        return Err(Failure::Exit { command: format!("{shown} --help"), code: 1 });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn verbs_are_read_from_a_help_text() {
        let help = "Does it\n\nUsage: a <COMMAND>\n\nCommands:\n  run   Runs\n  help  Helps\n\nOptions:\n  -h  Help\n";
        assert_eq!(super::names(help), ["run"]);
    }
}
