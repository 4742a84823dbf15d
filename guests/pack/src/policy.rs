//! `policy.toml`: the world of a program, and what of it the guest may use. It becomes TLV 0x00A0 of the image, laid out
//! as `docs/src/reference/policy.md` says. What is written here is consistent; what a host makes of it is the host's matter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

const VERSION: u16 = 1;
const LENGTH: u16 = 72;
/// GPIO 0 to 29 of an RP2350A.
const LAST_PIN: u32 = 29;
/// UART0 and UART1.
const LAST_UART: u32 = 1;
/// What `uart-baud` stands for where it is left out and there are `uarts`.
const UART_BAUD: u32 = 115_200;

/// A policy file.
pub struct PolicyFile {
    /// `blinky`, or with a version: `blinky@0.1.0`. Where it is left out, the world has the program's name.
    pub world: Option<String>,
    pub policy: Policy,
}

/// What a guest may use. The manifest shows it as the file would, with every key.
#[derive(Clone, Debug, Serialize, Deserialize)]
// A key that is misspelt is not dropped: what it was to allow or to forbid would silently be something else.
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Policy {
    /// Pins it may drive → the level they go to when it fails.
    pub outputs: BTreeMap<String, Level>,
    /// Pins it may read → their pull.
    pub inputs: BTreeMap<String, Pull>,
    /// Pins it may use with `pwm` → the level they go to when it fails.
    pub pwm: BTreeMap<String, Level>,
    pub uarts: BTreeSet<u32>,
    pub uart_baud: u32,
    pub pwm_min_period_us: u32,
    pub memory_bytes: u32,
    pub table_elements: u32,
    pub run_us: u32,
    pub wait_ms: u32,
    pub calls_per_second: u32,
    pub cpu_permille: u32,
    pub progress_ms: u32,
    pub failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Low,
    High,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pull {
    #[serde(rename = "pull-up")]
    Up,
    #[serde(rename = "pull-down")]
    Down,
    None,
}

/// What a key that is left out stands for: `docs/src/reference/policy.md`.
impl Default for Policy {
    fn default() -> Self {
        Self {
            outputs: BTreeMap::new(),
            inputs: BTreeMap::new(),
            pwm: BTreeMap::new(),
            uarts: BTreeSet::new(),
            uart_baud: 0,
            pwm_min_period_us: 1_000,
            memory_bytes: 4_096,
            table_elements: 64,
            run_us: 10_000,
            wait_ms: 60_000,
            calls_per_second: 10_000,
            cpu_permille: 1_000,
            progress_ms: 0,
            failures: 3,
        }
    }
}

impl PolicyFile {
    /// # Errors
    /// [`Error::Read`], [`Error::Policy`].
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = crate::read(path)?;
        Self::parse(&bytes).map_err(|reason| Error::Policy { path: path.to_owned(), reason })
    }

    fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let mut keys: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        let world = match keys.remove("world") {
            None => None,
            Some(toml::Value::String(world)) => Some(world),
            Some(other) => return Err(format!("world is the name of a world, not {other}")),
        };
        let mut policy: Policy = keys.try_into().map_err(|error: toml::de::Error| error.to_string())?;
        if !policy.uarts.is_empty() && policy.uart_baud == 0 {
            policy.uart_baud = UART_BAUD;
        }
        policy.masks()?;
        Ok(Self { world, policy })
    }
}

/// The fields that are sets of pins and ports.
struct Masks {
    outputs: u32,
    safe_high: u32,
    inputs: u32,
    pull_up: u32,
    pull_down: u32,
    pwm: u32,
    uarts: u32,
}

impl Policy {
    /// # Errors
    /// What is inconsistent, in words.
    fn masks(&self) -> std::result::Result<Masks, String> {
        let high = |level: &Level| *level == Level::High;
        let masks = Masks {
            outputs: mask(&self.outputs, |_| true)?,
            safe_high: mask(&self.outputs, high)? | mask(&self.pwm, high)?,
            inputs: mask(&self.inputs, |_| true)?,
            pull_up: mask(&self.inputs, |pull| *pull == Pull::Up)?,
            pull_down: mask(&self.inputs, |pull| *pull == Pull::Down)?,
            pwm: mask(&self.pwm, |_| true)?,
            uarts: self.uarts.iter().filter(|port| **port <= LAST_UART).fold(0, |mask, port| mask | 1 << port),
        };
        let twice = masks.outputs & masks.inputs | masks.inputs & masks.pwm | masks.pwm & masks.outputs;
        if twice != 0 {
            let pin = twice.trailing_zeros();
            return Err(format!(
                "GPIO {pin} is in two of outputs, inputs and pwm: a pin has one use (a guest may read its outputs)"
            ));
        }
        if let Some(port) = self.uarts.iter().find(|port| **port > LAST_UART) {
            return Err(format!("there is no UART {port}: ports are 0 and 1"));
        }
        if self.uarts.is_empty() != (self.uart_baud == 0) {
            return Err("uart-baud and uarts go together: set both or neither".into());
        }
        if !(1..=1_000).contains(&self.cpu_permille) {
            return Err(format!("cpu-permille is {}: a share is 1 to 1000", self.cpu_permille));
        }
        if self.run_us == 0 || self.calls_per_second == 0 || self.failures == 0 {
            return Err("run-us, calls-per-second and failures are at least 1: with 0 the guest could not start".into());
        }
        Ok(masks)
    }

    /// The value of TLV 0x00A0.
    ///
    /// # Errors
    /// [`Error::BadPolicy`]: it is inconsistent, which one that was read from a file is not.
    pub fn to_tlv(&self) -> Result<Vec<u8>> {
        let masks = self.masks().map_err(|reason| Error::BadPolicy { reason })?;
        let mut tlv = Vec::with_capacity(usize::from(LENGTH));
        tlv.extend(VERSION.to_le_bytes());
        tlv.extend(LENGTH.to_le_bytes());
        for word in [
            masks.outputs,
            masks.safe_high,
            masks.inputs,
            masks.pull_up,
            masks.pull_down,
            masks.pwm,
            masks.uarts,
            self.uart_baud,
            self.pwm_min_period_us,
            self.memory_bytes,
            self.table_elements,
            self.run_us,
            self.wait_ms,
            self.calls_per_second,
            self.cpu_permille,
            self.progress_ms,
            self.failures,
        ] {
            tlv.extend(word.to_le_bytes());
        }
        Ok(tlv)
    }
}

/// The value of TLV 0x00A0 in words: masks as lists, and of the rest what is not 0. None if it is not of this version.
pub fn describe(tlv: &[u8]) -> Option<String> {
    const MASKS: [&str; 7] = ["outputs", "safe-high", "inputs", "pull-up", "pull-down", "pwm", "uarts"];
    const NUMBERS: [&str; 10] = [
        "uart-baud",
        "pwm-min-period-us",
        "memory-bytes",
        "table-elements",
        "run-us",
        "wait-ms",
        "calls-per-second",
        "cpu-permille",
        "progress-ms",
        "failures",
    ];
    let (head, rest) = tlv.split_first_chunk::<4>()?;
    let (version, length) = (u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]]));
    if version != VERSION || length < LENGTH || tlv.len() < usize::from(LENGTH) {
        return None;
    }
    let words: Vec<u32> = rest.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let (masks, numbers) = words.split_at_checked(MASKS.len())?;
    let mut parts = Vec::new();
    for (name, mask) in MASKS.into_iter().zip(masks).filter(|(_, mask)| **mask != 0) {
        let pins: Vec<String> = (0..u32::BITS).filter(|pin| mask >> pin & 1 == 1).map(|pin| pin.to_string()).collect();
        parts.push(format!("{name} {}", pins.join(" ")));
    }
    let numbers = NUMBERS.into_iter().zip(numbers).filter(|(_, number)| **number != 0);
    parts.extend(numbers.map(|(name, number)| format!("{name} {number}")));
    Some(parts.join(", "))
}

/// Of the pins those that `wanted` picks.
fn mask<T>(pins: &BTreeMap<String, T>, wanted: impl Fn(&T) -> bool) -> std::result::Result<u32, String> {
    let mut mask = 0;
    for (key, value) in pins {
        let pin = key
            .parse::<u32>()
            // The one way to write it, so that no pin stands twice.
            .ok()
            .filter(|pin| *pin <= LAST_PIN && pin.to_string() == *key)
            .ok_or_else(|| format!("{key} is no pin: pins are the GPIO numbers 0 to {LAST_PIN}"))?;
        if wanted(value) {
            mask |= 1 << pin;
        }
    }
    Ok(mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<u32> {
        let tlv = PolicyFile::parse(text.as_bytes()).unwrap().policy.to_tlv().unwrap();
        tlv.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
    }

    /// Offset by offset after the table in docs/src/reference/policy.md.
    #[test]
    fn the_layout_is_the_documented_one() {
        let words = words(
            r#"
            world = "board"
            outputs = { 25 = "low", 17 = "high" }
            inputs = { 15 = "pull-up", 14 = "pull-down", 13 = "none" }
            pwm = { 16 = "high" }
            uarts = [1]
            uart-baud = 9600
            pwm-min-period-us = 1
            memory-bytes = 2
            table-elements = 3
            run-us = 4
            wait-ms = 5
            calls-per-second = 6
            cpu-permille = 7
            progress-ms = 8
            failures = 9
            "#,
        );
        assert_eq!(words[0], 1 | 72 << 16);
        assert_eq!(words[1..4], [1 << 25 | 1 << 17, 1 << 17 | 1 << 16, 1 << 15 | 1 << 14 | 1 << 13]);
        assert_eq!(words[4..9], [1 << 15, 1 << 14, 1 << 16, 1 << 1, 9600]);
        assert_eq!(words[9..], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_policy_is_told_in_words() {
        let file = PolicyFile::parse(b"outputs = { 25 = \"high\", 2 = \"low\" }\nuarts = [0]").unwrap();
        let tlv = file.policy.to_tlv().unwrap();
        let told = describe(&tlv).unwrap();
        assert!(
            told.starts_with("outputs 2 25, safe-high 25, uarts 0, uart-baud 115200, pwm-min-period-us 1000, "),
            "{told}"
        );
        assert!(told.ends_with(", cpu-permille 1000, failures 3"), "{told}");
        assert_eq!(describe(&[&tlv[..], b"more"].concat()).unwrap(), told, "bytes of a newer one are ignored");
        assert_eq!([describe(&tlv[..71]), describe(&[2]), describe(&[])], [None, None, None]);
        assert_eq!(describe(&[&[2], &tlv[1..]].concat()), None, "another version");
    }

    #[test]
    fn what_is_left_out_has_the_documented_default() {
        assert_eq!(words("")[1..], [0, 0, 0, 0, 0, 0, 0, 0, 1_000, 4_096, 64, 10_000, 60_000, 10_000, 1_000, 0, 3]);
        assert_eq!(words("uarts = [1]")[8], 115_200);
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        for (text, told) in [
            (r#"outputs = { 25 = "off" }"#, "off"),
            (r#"outputs = { 30 = "low" }"#, "30 is no pin"),
            (r#"outputs = { LED = "low" }"#, "LED is no pin"),
            (r#"outputs = { 025 = "low" }"#, "025 is no pin"),
            (
                r#"outputs = { 25 = "low" }
                inputs = { 25 = "none" }"#,
                "GPIO 25",
            ),
            (r#"output = { 25 = "low" }"#, "unknown field `output`"),
            ("uarts = [2]\nuart-baud = 1", "no UART 2"),
            ("uart-baud = 9600", "go together"),
            ("cpu-permille = 1001", "1001"),
            ("failures = 0", "at least 1"),
            ("memory-bytes = -1", "-1"),
            ("memory-bytes = 4294967296", "4294967296"),
            ("memory-bytes", "memory-bytes"),
        ] {
            let Err(message) = PolicyFile::parse(text.as_bytes()) else { panic!("{text} is taken") };
            assert!(message.contains(told), "{text}: {message}");
        }
    }
}
