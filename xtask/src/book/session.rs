//! A shell that is told one command after the other, as a reader would tell it: what one leaves (a folder, a variable,
//! a program in the background) the next one finds.
//!
//! Promises that whatever was started is gone with the session, even if the session's owner is killed, and that no
//! command is waited for longer than it may take.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

pub struct Session {
    shell: Child,
    /// Taken when the session ends.
    input: Option<ChildStdin>,
    answers: Receiver<String>,
    /// Where what a command prints goes.
    output: PathBuf,
}

/// What became of a command.
pub struct Outcome {
    /// Of stdout and stderr.
    pub printed: String,
    pub end: End,
}

#[derive(Debug, PartialEq)]
pub enum End {
    Status(i32),
    /// The shell itself has ended, because a command of a block did not succeed or could not be read.
    Exit(i32),
    TimedOut,
}

impl Session {
    /// `shell` is set up by the caller, but for what the session itself needs.
    pub fn start(mut shell: Command, output: PathBuf) -> std::io::Result<Self> {
        // A group of its own, so that all of it can be ended.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut shell = shell.spawn()?;
        let (mut input, said) = match (shell.stdin.take(), shell.stdout.take()) {
            (Some(input), Some(said)) => (input, said),
            _ => unreachable!("both are pipes"),
        };
        // Whoever kills the owner kills all of it, within a second; and the shell takes along what it has started.
        let owner = std::process::id();
        writeln!(input, "(while kill -0 {owner}; do sleep 1; done; kill -KILL 0) >/dev/null 2>&1 &")?;
        writeln!(input, "__status=0; trap 's=$?; trap \"\" TERM; printf \"exit %d\\n\" \"$s\"; kill -TERM 0' EXIT")?;
        let (answer, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                if answer.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Session { shell, input: Some(input), answers, output })
    }

    /// Runs commands in the shell itself. With `strict` the first one that fails ends the session.
    pub fn run(&mut self, commands: &str, strict: bool, limit: Duration) -> std::io::Result<Outcome> {
        // Otherwise `$?` is what the command before has left.
        let before = if strict { "set -eu" } else { "(exit \"$__status\")" };
        let output = quoted(&self.output);
        let told = format!(
            "{{ {before}\n{commands}\n}} >{output} 2>&1 </dev/null\n\
             __status=$?; set +eu; printf 'done %d\\n' \"$__status\"; (exit \"$__status\")\n"
        );
        // A shell that has ended says so in its answers.
        let _ = self.input.as_mut().map(|input| input.write_all(told.as_bytes()).and_then(|()| input.flush()));
        let end = match self.answers.recv_timeout(limit) {
            Ok(answer) => {
                let (what, status) = answer.split_once(' ').unwrap_or_default();
                let status = status.parse().unwrap_or(-1);
                if what == "done" { End::Status(status) } else { End::Exit(status) }
            }
            Err(RecvTimeoutError::Timeout) => End::TimedOut,
            Err(RecvTimeoutError::Disconnected) => End::Exit(-1),
        };
        let printed = fs::read(&self.output).unwrap_or_default();
        Ok(Outcome { printed: String::from_utf8_lossy(&printed).into_owned(), end })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.input.take());
        // What a command left running, and a command that took too long.
        let group = format!("-{}", self.shell.id());
        let _ = Command::new("kill").args(["-TERM", "--", &group]).stderr(Stdio::null()).status();
        std::thread::sleep(Duration::from_millis(50));
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.shell.wait();
    }
}

/// For the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(name: &str) -> Session {
        let output = std::env::temp_dir().join(format!("sandhill-session-{name}-{}", std::process::id()));
        Session::start(Command::new("sh"), output).unwrap()
    }

    fn run(session: &mut Session, commands: &str, strict: bool) -> (String, End) {
        let outcome = session.run(commands, strict, Duration::from_secs(10)).unwrap();
        (outcome.printed, outcome.end)
    }

    #[test]
    fn what_a_command_leaves_the_next_one_finds() {
        let mut it = session("leaves");
        assert_eq!(run(&mut it, "cd / && x=1", false), (String::new(), End::Status(0)));
        assert_eq!(run(&mut it, "pwd; echo $x; (exit 3)", false), ("/\n1\n".into(), End::Status(3)));
        assert_eq!(run(&mut it, "echo $?", false), ("3\n".into(), End::Status(0)));
        assert_eq!(run(&mut it, "true; (exit 4); echo no", true), (String::new(), End::Exit(4)));
        let _ = fs::remove_file(&it.output);
    }

    #[test]
    fn nothing_stays_behind() {
        let mut it = session("stays");
        let (pid, _) = run(&mut it, "sleep 1000 & echo $!", true);
        let running = || Path::new("/proc").join(pid.trim()).join("exe").exists();
        assert!(running() || !cfg!(target_os = "linux"));
        let file = it.output.clone();
        drop(it);
        assert!(!running());
        let _ = fs::remove_file(file);
    }

    #[test]
    fn a_command_that_takes_too_long_is_not_waited_for() {
        let mut it = session("long");
        let outcome = it.run("sleep 1000", false, Duration::from_millis(50)).unwrap();
        assert_eq!(outcome.end, End::TimedOut);
        let _ = fs::remove_file(&it.output);
    }
}
