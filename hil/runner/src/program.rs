//! Other programs that the runner starts: the last lines they wrote, read by a thread so that they never block on a full
//! pipe, and waiting for their end with an end to the patience.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read},
    process::{Child, ExitStatus},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const LINES: usize = 12;
const PATIENCE: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(5);

/// The end of a program's output.
#[derive(Debug)]
pub struct Tail {
    lines: Arc<Mutex<VecDeque<String>>>,
    reader: JoinHandle<()>,
}

impl Tail {
    pub fn follow(from: impl Read + Send + 'static) -> Self {
        Self::follow_each(from, |_| true)
    }

    /// `keep` sees every line and says whether it belongs to the tail.
    pub fn follow_each(from: impl Read + Send + 'static, mut keep: impl FnMut(&str) -> bool + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(VecDeque::<String>::new()));
        let shared = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut raw = Vec::new();
            while from.read_until(b'\n', &mut raw).is_ok_and(|count| count > 0) {
                let line = String::from_utf8_lossy(&raw).trim_end().to_string();
                raw.clear();
                if keep(&line) {
                    let mut lines = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    // One that says the same again would only push out others.
                    if lines.back() == Some(&line) {
                        continue;
                    }
                    if lines.len() == LINES {
                        lines.pop_front();
                    }
                    lines.push_back(line);
                }
            }
        });
        Self { lines, reader }
    }

    pub fn text(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// The end of the output of a program that has ended; not waited for where a child of it keeps the pipe open.
    pub fn finish(&mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        while !self.reader.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        self.text()
    }
}

/// How a program ended; `None` if it still runs after `patience`.
pub fn wait(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + patience;
    loop {
        match child.try_wait()? {
            None if Instant::now() < deadline => thread::sleep(POLL),
            ended => return Ok(ended),
        }
    }
}
