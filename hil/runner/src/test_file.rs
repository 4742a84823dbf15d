//! The test file: what a guest's pin has to do.
//!
//! A file is checked completely when it is read; times are strings with a unit, such as `1000ms`.

use std::{path::Path, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::error::Error;

/// The tests that are used when the user names no file.
pub const DEFAULT: &str = include_str!("../../tests/blinky.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestFile {
    /// What messages call it.
    #[serde(skip)]
    pub file: String,
    #[serde(rename = "test")]
    pub tests: Vec<Test>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// Every guest of this program is tested; or:
    pub program: Option<String>,
    /// only this guest.
    pub guest: Option<String>,
    /// What the bench file calls the channel.
    pub pin: String,
    #[serde(deserialize_with = "duration")]
    pub period: Duration,
    /// Share of a period in which the pin is high.
    pub duty: f64,
    /// Of the mean period and of every single period.
    #[serde(deserialize_with = "duration")]
    pub tolerance: Duration,
    pub duty_tolerance: f64,
    /// Counted from reset.
    #[serde(deserialize_with = "duration")]
    pub capture: Duration,
    /// Upper bounds for what is otherwise only reported.
    #[serde(default, deserialize_with = "optional_duration")]
    pub jitter_max: Option<Duration>,
    pub drift_max_ppm: Option<f64>,
    #[serde(default, deserialize_with = "optional_duration")]
    pub first_edge_max: Option<Duration>,
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text)
        .map_err(|error| D::Error::custom(format!("{text:?} is no time like \"100us\": {error}")))
}

fn optional_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

impl TestFile {
    /// Reads the file, or the built-in tests without one.
    pub fn load(path: Option<&Path>) -> Result<Self, Error> {
        match path {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
                Self::parse(&text, &path.display().to_string())
            }
            None => Self::parse(DEFAULT, "blinky.toml (built in)"),
        }
    }

    /// `file` is what error messages call it.
    pub fn parse(text: &str, file: &str) -> Result<Self, Error> {
        let refuse = |message: String| Error::TestFile { file: file.into(), message };
        let mut tests: Self = toml::from_str(text).map_err(|error| refuse(error.to_string().trim().into()))?;
        tests.file = file.into();
        if tests.tests.is_empty() {
            return Err(refuse("it holds no [[test]]".into()));
        }
        for test in &tests.tests {
            test.check().map_err(|message| refuse(format!("the test of {}: {message}", test.subject())))?;
        }
        Ok(tests)
    }
}

impl Test {
    fn check(&self) -> Result<(), String> {
        if self.program.is_some() == self.guest.is_some() {
            return Err("name either `program` or `guest`".into());
        }
        if self.period.is_zero() || self.period > Duration::from_secs(3600) {
            return Err("`period` must be more than 0 and at most 1h".into());
        }
        if !(0.0..=1.0).contains(&self.duty) {
            return Err("`duty` must be between 0 and 1".into());
        }
        if !(0.0..=1.0).contains(&self.duty_tolerance) {
            return Err("`duty_tolerance` must be between 0 and 1".into());
        }
        if self.drift_max_ppm.is_some_and(|limit| !limit.is_finite() || limit < 0.0) {
            return Err("`drift_max_ppm` must not be negative".into());
        }
        if self.capture < 3 * self.period || self.capture > Duration::from_secs(24 * 3600) {
            return Err("`capture` must hold at least three periods and at most 24h".into());
        }
        Ok(())
    }

    /// Whether it is for this guest.
    pub fn is_for(&self, guest: &str, program: &str) -> bool {
        self.guest.as_deref() == Some(guest) || self.program.as_deref() == Some(program)
    }

    /// What the user wrote to select guests.
    pub fn subject(&self) -> &str {
        self.guest.as_deref().or(self.program.as_deref()).unwrap_or("no guest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_tests_are_valid() {
        let file = TestFile::load(None).unwrap();
        let test = &file.tests[0];
        assert_eq!(test.period, Duration::from_secs(1));
        assert_eq!(test.tolerance, Duration::from_micros(100));
        assert!(test.is_for("blinky-zig", "blinky"));
        assert!(!test.is_for("clock-zig", "clock"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (from, to, expected) in [
            ("1000ms", "1000", "is no time like"),
            ("1000ms", "0ms", "`period` must be more than 0"),
            ("duty = 0.5", "duty = 1.5", "`duty` must be between 0 and 1"),
            ("\"10s\"", "\"2s\"", "at least three periods"),
            ("program =", "guest = \"x\"\nprogram =", "either `program` or `guest`"),
            ("pin =", "pinn =", "unknown field `pinn`, expected one of"),
            ("pin =", "drift_max_ppm = -1.0\npin =", "must not be negative"),
        ] {
            let message = TestFile::parse(&DEFAULT.replace(from, to), "t.toml").unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains("t.toml"), "{message}");
        }
    }
}
