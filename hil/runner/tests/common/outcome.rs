//! How a run of the command ended, and what it printed.

pub struct Outcome {
    pub code: Option<i32>,
    /// Both channels.
    pub text: String,
}

impl Outcome {
    /// It ended with `code`, and printed all of `parts`.
    #[track_caller]
    pub fn is(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.text);
        for part in parts {
            assert!(self.text.contains(part), "{part:?} is not in:\n{}", self.text);
        }
        assert!(!self.text.contains("panicked"), "{}", self.text);
    }
}
