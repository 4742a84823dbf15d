//! What the user sees while the runner works: lines on stderr, and a bar under them where stderr is a terminal.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressStyle};

/// A place to show progress.
#[derive(Debug)]
pub struct Progress {
    quiet: bool,
    bar: ProgressBar,
}

impl Progress {
    pub fn new() -> Self {
        let bar = ProgressBar::no_length();
        bar.set_style(style());
        Self { quiet: false, bar }
    }

    /// Shows nothing; for tests.
    pub fn quiet() -> Self {
        Self { quiet: true, bar: ProgressBar::hidden() }
    }

    /// Something is done.
    pub fn line(&self, text: &str) {
        self.bar.suspend(|| {
            if !self.quiet {
                // A reader that has seen enough (`hil run 2>&1 | head`) is no failure.
                let _ = writeln!(io::stderr(), "{text}");
            }
        });
    }

    /// Something takes a while.
    pub fn at(&self, what: &str, done: u64, total: u64) {
        if total > 0 {
            if self.bar.is_finished() {
                self.bar.reset();
            }
            self.bar.set_length(total);
            self.bar.set_message(what.to_string());
            self.bar.set_position(done);
        }
    }

    /// It is over.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{msg:28} {wide_bar} {percent:>3} %").expect("the template is valid")
}
