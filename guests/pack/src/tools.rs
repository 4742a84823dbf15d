//! The languages' own tools, each asked once a run what it is, however many guests it builds.

use std::collections::BTreeMap;
use std::process::Command;

#[derive(Default)]
pub struct Tools {
    /// What was asked → what came, if it could be asked.
    answers: BTreeMap<String, Option<String>>,
    /// How many processes were started.
    pub started: usize,
}

impl Tools {
    /// What the command prints on stdout; `None` if it is not there, or fails.
    pub fn ask(&mut self, command: &mut Command) -> Option<String> {
        let question = format!("{command:?}");
        if let Some(answer) = self.answers.get(&question) {
            return answer.clone();
        }
        self.started += 1;
        let output = command.output().ok().filter(|output| output.status.success());
        let answer = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        self.answers.insert(question, answer.clone());
        answer
    }
}
