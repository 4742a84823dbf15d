//! The test file: what a guest has to do, as pins, wires, console and vitals show it.
//!
//! A file is checked completely when it is read, so that a test that could never be judged is refused before a board is
//! touched. Times are strings with a unit, such as `1000ms`. What is optional in the file is an `Option` here only where
//! its absence means something to the judge.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde::{Deserialize, Deserializer};

use crate::error::Error;

/// The tests that are used when the user names no file: everything in `hil/tests/`.
pub const BUILT_IN: [(&str, &str); 4] = [
    ("blinky.toml", include_str!("../../tests/blinky.toml")),
    ("button.toml", include_str!("../../tests/button.toml")),
    ("echo.toml", include_str!("../../tests/echo.toml")),
    ("servo.toml", include_str!("../../tests/servo.toml")),
];

/// Where the file does not say how long to look.
const CAPTURE: Duration = Duration::from_secs(5);
const CAPTURE_MAX: Duration = Duration::from_secs(24 * 3600);
/// The RP2350B has 48 pins, the RP2350A of a Pico 2 the first 30 of them.
const PINS: u8 = 48;

#[derive(Clone, Debug)]
pub struct TestFile {
    /// What messages call it.
    pub file: String,
    pub tests: Vec<Test>,
}

/// One `[[test]]`: whom it is for, what is done to the board meanwhile, and at least one thing that is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// Every guest of this program is tested; or:
    pub program: Option<String>,
    /// only this guest.
    pub guest: Option<String>,
    /// What is in slot 1 meanwhile: a folder below the artefacts. Slot 1 is blank without it.
    pub beside: Option<String>,
    /// Counted from reset.
    pub capture: Duration,
    pub press: Option<Press>,
    pub wave: Option<Wave>,
    pub pulses: Option<Pulses>,
    pub follows: Option<Follows>,
    pub echo: Option<Echo>,
    /// Each has to begin a line of the console.
    pub console: Vec<String>,
    pub vitals: BTreeMap<String, Bound>,
}

/// A button on `pin`, pressed for a while each time the board's timer says so.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Press {
    pub pin: String,
    /// Since the board's timer started, which is soon after reset; in order, and far enough apart.
    #[serde(deserialize_with = "durations")]
    pub at: Vec<Duration>,
    #[serde(rename = "for", deserialize_with = "duration")]
    pub length: Duration,
}

/// A periodic pin: its ideal schedule, and how far it may be from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Wave {
    pub pin: String,
    pub period: Duration,
    /// Share of a period in which the pin is high.
    pub duty: f64,
    pub tolerance: Option<Tolerance>,
    /// Upper bounds for what is otherwise only reported.
    pub jitter_max: Option<Duration>,
    pub drift_max_ppm: Option<f64>,
    pub first_edge_max: Option<Duration>,
    pub schedule_max: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Of the mean period and of every single period.
    pub period: Duration,
    pub duty: f64,
}

/// Pulses that take each of some widths in turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Pulses {
    pub pin: String,
    pub period: Duration,
    /// Each at least [`Pulses::RUN`] times in a row, in this order, over and over.
    pub widths: Vec<Duration>,
    /// Of every period and every width.
    pub tolerance: Duration,
}

impl Pulses {
    /// How often a width has to come in a row.
    pub const RUN: usize = 3;
}

/// A pin that does what another one does.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Follows {
    pub input: String,
    pub output: String,
    /// The output is high while the input is low.
    #[serde(default)]
    pub inverted: bool,
    #[serde(deserialize_with = "duration")]
    pub within: Duration,
    /// How many edges of the input have to be answered at least.
    pub edges: usize,
}

/// Bytes that have to come back over a serial port.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Echo {
    /// As guests number them; benches have `[uart1]`.
    pub port: u32,
    pub send: String,
    #[serde(deserialize_with = "duration")]
    pub within: Duration,
}

/// What a vital may be.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged, expecting = "a whole number, or { min = …, max = … }")]
pub enum Bound {
    Exactly(u32),
    Between(Range),
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Range {
    #[serde(default)]
    pub min: u32,
    #[serde(default = "no_max")]
    pub max: u32,
}

fn no_max() -> u32 {
    u32::MAX
}

impl Bound {
    pub fn allows(self, value: u32) -> bool {
        match self {
            Self::Exactly(exact) => value == exact,
            Self::Between(range) => (range.min..=range.max).contains(&value),
        }
    }
}

/// A `[[test]]` as it is written: all keys side by side.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    program: Option<String>,
    guest: Option<String>,
    beside: Option<String>,
    pin: Option<String>,
    #[serde(default, deserialize_with = "optional_duration")]
    period: Option<Duration>,
    duty: Option<f64>,
    #[serde(default, deserialize_with = "optional_duration")]
    tolerance: Option<Duration>,
    duty_tolerance: Option<f64>,
    #[serde(default, deserialize_with = "optional_duration")]
    capture: Option<Duration>,
    #[serde(default, deserialize_with = "optional_duration")]
    jitter_max: Option<Duration>,
    drift_max_ppm: Option<f64>,
    #[serde(default, deserialize_with = "optional_duration")]
    first_edge_max: Option<Duration>,
    #[serde(default, deserialize_with = "optional_duration")]
    schedule_max: Option<Duration>,
    press: Option<Press>,
    pulses: Option<PulsesEntry>,
    follows: Option<Follows>,
    echo: Option<Echo>,
    #[serde(default)]
    console: Vec<String>,
    #[serde(default)]
    vitals: BTreeMap<String, Bound>,
}

/// Pulses as they are written: the pin is the test's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PulsesEntry {
    #[serde(deserialize_with = "duration")]
    period: Duration,
    #[serde(deserialize_with = "durations")]
    widths: Vec<Duration>,
    #[serde(deserialize_with = "duration")]
    tolerance: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entries {
    #[serde(rename = "test")]
    tests: Vec<Entry>,
}

fn time<E: serde::de::Error>(text: &str) -> Result<Duration, E> {
    humantime::parse_duration(text).map_err(|error| E::custom(format!("{text:?} is no time like \"100us\": {error}")))
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    time(&String::deserialize(deserializer)?)
}

fn optional_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

fn durations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
    Vec::<String>::deserialize(deserializer)?.iter().map(|text| time(text)).collect::<Result<_, D::Error>>()
}

impl TestFile {
    /// Reads the file, or the built-in tests without one.
    pub fn load(path: Option<&Path>) -> Result<Self, Error> {
        match path {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
                Self::parse(&text, &path.display().to_string())
            }
            None => {
                let mut all = Self { file: "the built-in tests".into(), tests: Vec::new() };
                for (name, text) in BUILT_IN {
                    all.tests.extend(Self::parse(text, &format!("{name} (built in)"))?.tests);
                }
                Ok(all)
            }
        }
    }

    /// `file` is what error messages call it.
    pub fn parse(text: &str, file: &str) -> Result<Self, Error> {
        let refuse = |message: String| Error::TestFile { file: file.into(), message };
        let entries: Entries = toml::from_str(text).map_err(|error| refuse(error.to_string().trim().into()))?;
        if entries.tests.is_empty() {
            return Err(refuse("it holds no [[test]]".into()));
        }
        let test = |entry: Entry| {
            let subject = entry.guest.clone().or(entry.program.clone()).unwrap_or_else(|| "no guest".into());
            entry.test().map_err(|message| refuse(format!("the test of {subject}: {message}")))
        };
        let tests = entries.tests.into_iter().map(test).collect::<Result<_, _>>()?;
        Ok(Self { file: file.into(), tests })
    }
}

impl Entry {
    fn test(self) -> Result<Test, String> {
        if self.program.is_some() == self.guest.is_some() {
            return Err("name either `program` or `guest`".into());
        }
        if let Some(beside) = &self.beside {
            let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\\');
            if !matches!(beside.split('/').collect::<Vec<_>>()[..], ["guests" | "fixtures", name] if plain(name)) {
                return Err(format!(
                    "`beside` = {beside:?} must be a folder below the artefacts, like \"guests/blinky-c\" or \"fixtures/trap\""
                ));
            }
        }
        let capture = self.capture.unwrap_or(CAPTURE);
        if capture.is_zero() || capture > CAPTURE_MAX {
            return Err("`capture` must be more than 0 and at most 24h".into());
        }
        if self.pin.is_some() && self.period.is_none() && self.pulses.is_none() {
            return Err("`pin` asks for nothing: add `period` and `duty`, or `pulses`".into());
        }
        let wave = self.wave(capture)?;
        let pulses = self.pulses(capture)?;
        if let Some(press) = &self.press {
            press.check(capture)?;
        }
        if self.follows.as_ref().is_some_and(|follows| follows.within.is_zero() || follows.edges == 0) {
            return Err("`follows.within` and `follows.edges` must be more than 0".into());
        }
        if let Some(echo) = &self.echo {
            if echo.port != 1 {
                return Err(format!(
                    "`echo.port` is {}, but the only port that benches have for guests is 1",
                    echo.port
                ));
            }
            if echo.send.is_empty() || echo.within.is_zero() || echo.within > CAPTURE_MAX {
                return Err("`echo.send` must not be empty, and `echo.within` more than 0 and at most 24h".into());
            }
        }
        if self.console.iter().any(String::is_empty) {
            return Err("an empty string in `console` would begin every line".into());
        }
        for (name, bound) in &self.vitals {
            if let Bound::Between(Range { min, max }) = bound
                && min > max
            {
                return Err(format!("`vitals.{name}` can never be met: `min` is more than `max`"));
            }
        }
        let asks = wave.is_some() || pulses.is_some() || self.follows.is_some() || self.echo.is_some();
        if !asks && self.console.is_empty() && self.vitals.is_empty() {
            return Err(
                "it asks for nothing: add `pin` and `period`, `pulses`, `follows`, `echo`, `console` or `vitals`"
                    .into(),
            );
        }
        Ok(Test {
            program: self.program,
            guest: self.guest,
            beside: self.beside,
            capture,
            press: self.press,
            wave,
            pulses,
            follows: self.follows,
            echo: self.echo,
            console: self.console,
            vitals: self.vitals,
        })
    }

    fn wave(&self, capture: Duration) -> Result<Option<Wave>, String> {
        let Some(period) = self.period else {
            let needs_period = [
                ("duty", self.duty.is_some()),
                ("tolerance", self.tolerance.is_some()),
                ("duty_tolerance", self.duty_tolerance.is_some()),
                ("jitter_max", self.jitter_max.is_some()),
                ("drift_max_ppm", self.drift_max_ppm.is_some()),
                ("first_edge_max", self.first_edge_max.is_some()),
                ("schedule_max", self.schedule_max.is_some()),
            ];
            return match needs_period.iter().find(|(_, given)| *given) {
                Some((key, _)) => Err(format!("`{key}` needs `period` and `duty`: they are the ideal schedule")),
                None => Ok(None),
            };
        };
        let pin = self.pin.clone().ok_or("`period` needs `pin`")?;
        let duty = self.duty.ok_or("`period` needs `duty`")?;
        if self.pulses.is_some() {
            return Err("`period` and `pulses` exclude each other; give each a [[test]] of its own".into());
        }
        if period.is_zero() || period > Duration::from_secs(3600) {
            return Err("`period` must be more than 0 and at most 1h".into());
        }
        if !(0.0..=1.0).contains(&duty) {
            return Err("`duty` must be between 0 and 1".into());
        }
        let tolerance = match (self.tolerance, self.duty_tolerance) {
            (Some(period), Some(duty)) if (0.0..=1.0).contains(&duty) => Some(Tolerance { period, duty }),
            (Some(_), Some(_)) => return Err("`duty_tolerance` must be between 0 and 1".into()),
            (None, None) => None,
            _ => return Err("`tolerance` and `duty_tolerance` go together".into()),
        };
        if self.drift_max_ppm.is_some_and(|limit| !limit.is_finite() || limit < 0.0) {
            return Err("`drift_max_ppm` must not be negative".into());
        }
        if capture < 3 * period {
            return Err("`capture` must hold at least three periods".into());
        }
        let wave = Wave {
            pin,
            period,
            duty,
            tolerance,
            jitter_max: self.jitter_max,
            drift_max_ppm: self.drift_max_ppm,
            first_edge_max: self.first_edge_max,
            schedule_max: self.schedule_max,
        };
        Ok(Some(wave))
    }

    fn pulses(&self, capture: Duration) -> Result<Option<Pulses>, String> {
        let Some(PulsesEntry { period, widths, tolerance }) = &self.pulses else {
            return Ok(None);
        };
        let pin = self.pin.clone().ok_or("`pulses` needs `pin`")?;
        let longest = widths.iter().max().ok_or("`pulses.widths` is empty")?;
        if widths.iter().any(Duration::is_zero) || longest >= period {
            return Err("`pulses.widths` must be more than 0 and less than `pulses.period`".into());
        }
        let next = widths.iter().cycle().skip(1);
        if widths.len() > 1 && widths.iter().zip(next).any(|(a, b)| a.abs_diff(*b) <= 2 * *tolerance) {
            return Err("`pulses.widths`: two that follow each other are closer than twice `pulses.tolerance`".into());
        }
        if capture < *period * u32::try_from(Pulses::RUN * widths.len()).unwrap_or(u32::MAX) {
            return Err(format!("`capture` must hold each of the widths {} times", Pulses::RUN));
        }
        Ok(Some(Pulses { pin, period: *period, widths: widths.clone(), tolerance: *tolerance }))
    }
}

impl Press {
    fn check(&self, capture: Duration) -> Result<(), String> {
        self.gpio().ok_or_else(|| format!("`press.pin` = {:?} is no pin like \"GPIO15\"", self.pin))?;
        if self.at.is_empty() || self.length.is_zero() {
            return Err("`press.at` must not be empty, nor `press.for` be 0".into());
        }
        if self.at.windows(2).any(|pair| pair[1] <= pair[0].saturating_add(self.length)) {
            return Err("`press.at`: a press begins before the one before it has ended".into());
        }
        if self.at.last().is_some_and(|last| last.saturating_add(self.length) >= capture) {
            return Err("`capture` ends before the last press".into());
        }
        Ok(())
    }

    /// The pin's number.
    pub fn gpio(&self) -> Option<u8> {
        self.pin.strip_prefix("GPIO")?.parse().ok().filter(|pin| *pin < PINS)
    }
}

impl Test {
    /// Whether it is for this guest.
    pub fn is_for(&self, guest: &str, program: &str) -> bool {
        self.guest.as_deref() == Some(guest) || self.program.as_deref() == Some(program)
    }

    /// What the user wrote to select guests.
    pub fn subject(&self) -> &str {
        self.guest.as_deref().or(self.program.as_deref()).unwrap_or("no guest")
    }

    /// The channels of a capture that it looks at.
    pub fn channels(&self) -> Vec<&str> {
        let mut channels = Vec::new();
        channels.extend(self.wave.iter().map(|wave| wave.pin.as_str()));
        channels.extend(self.pulses.iter().map(|pulses| pulses.pin.as_str()));
        channels.extend(self.follows.iter().flat_map(|follows| [follows.input.as_str(), follows.output.as_str()]));
        channels
    }

    /// What its verdict is called: the pins, or what else it looks at.
    pub fn title(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.wave.iter().map(|wave| wave.pin.clone()));
        parts.extend(self.pulses.iter().map(|pulses| pulses.pin.clone()));
        parts.extend(self.follows.iter().map(|follows| format!("{} after {}", follows.output, follows.input)));
        parts.extend(self.echo.iter().map(|echo| format!("UART{} echo", echo.port)));
        if parts.is_empty() {
            parts.extend((!self.console.is_empty()).then(|| "console".to_string()));
            parts.extend((!self.vitals.is_empty()).then(|| "vitals".to_string()));
        }
        parts.join(", ")
    }
}

#[cfg(test)]
#[path = "test_file_tests.rs"]
mod tests;
