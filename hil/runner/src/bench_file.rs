//! The bench file: which probe, analyser and serial port there are, in the strings that probe-rs and sigrok use.
//!
//! A file is checked completely when it is read. A bench may name a `[service]`, a program that has to run; `{name}`
//! anywhere in the file then stands for a free port on the loopback interface, the same wherever it stands, and
//! `{name.host}` and `{name.port}` for its parts. Starting the service is left to [`crate::service`].

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use serde::Deserialize;

use crate::error::Error;

/// The bench that is used when the user names none.
pub const DEFAULT: &str = include_str!("../../benches/virtual.toml");

/// The name that a channel has when it is clipped to the board's RUN (reset) pin.
pub const RUN: &str = "RUN";

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct BenchFile {
    /// Names the bench in reports.
    pub name: String,
    /// Whether what the board does here follows from firmware, guests, test and this file alone, every time, so that a
    /// verdict holds for as long as they stay the same. It does on no real board.
    #[serde(default)]
    pub repeatable: bool,
    /// A program that has to run for this bench; `hil` starts and stops it.
    pub service: Option<Service>,
    pub probe: Probe,
    pub analyser: Analyser,
    /// The board's console. Without it, failed verdicts cannot quote the firmware.
    pub serial: Option<Serial>,
    /// A second serial adapter, on the port that guests know as 1. Without it, tests with `echo` cannot run.
    pub uart1: Option<Serial>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Program and arguments. The program is looked for beside `hil`, then in PATH. It has to end when its stdin closes.
    pub command: Vec<String>,
    /// It is ready when it prints a line that starts with this.
    pub ready: String,
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// `VID:PID[:serial]`, as for `probe-rs --probe`.
    pub selector: String,
    /// probe-rs's name of the chip.
    pub chip: String,
    pub protocol: Protocol,
    /// Clock of the debug wires; the probe's own default without it.
    pub speed_khz: Option<u32>,
    pub reset: Reset,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Swd,
    Jtag,
}

/// How the board is reset before a capture.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Reset {
    /// The probe's nRST is wired to RUN.
    Pin,
    /// By a system reset through the debug port.
    Debug,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Analyser {
    /// As for `sigrok-cli --driver`.
    pub driver: String,
    pub samplerate_hz: u64,
    /// Analyser channel → what it is clipped to: `GPIO25`, or `RUN`.
    pub channels: BTreeMap<String, String>,
    /// How far its clock and the board's may be apart, in parts per million: what is held against an ideal schedule may be
    /// off by that.
    #[serde(default)]
    pub clocks_ppm: u32,
    /// How long to wait for the first samples before the board is let go anyhow.
    #[serde(default = "default_arm_ms")]
    pub arm_ms: u64,
    /// Captured in addition to what a test asks for: covers the time between the start of the capture and reset.
    #[serde(default = "default_margin_ms")]
    pub margin_ms: u64,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Serial {
    /// `tcp:HOST:PORT` or a device.
    pub port: String,
    #[serde(default = "Serial::default_baud")]
    pub baud: u32,
}

fn default_timeout_ms() -> u64 {
    10_000
}
fn default_arm_ms() -> u64 {
    200
}
fn default_margin_ms() -> u64 {
    2_000
}

impl Serial {
    /// The rate of the board's console after a reset.
    pub fn default_baud() -> u32 {
        115_200
    }
}

impl Service {
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

impl BenchFile {
    /// Reads the file, or the default bench without one.
    pub fn load(path: Option<&Path>) -> Result<Self, Error> {
        match path {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
                Self::parse(&text, &path.display().to_string())
            }
            None => Self::parse(DEFAULT, "virtual.toml (built in)"),
        }
    }

    /// `file` is what error messages call it.
    pub fn parse(text: &str, file: &str) -> Result<Self, Error> {
        let refuse = |message: String| Error::BenchFile { file: file.into(), message };
        let bench: Self = toml::from_str(text).map_err(|error| refuse(error.to_string().trim().into()))?;
        bench.check().map_err(refuse)?;
        Ok(bench)
    }

    fn check(&self) -> Result<(), String> {
        if self.analyser.channels.is_empty() {
            return Err("analyser.channels names no channel".into());
        }
        if self.analyser.samplerate_hz == 0 {
            return Err("analyser.samplerate_hz is 0".into());
        }
        let mut labels = BTreeSet::new();
        for (channel, label) in &self.analyser.channels {
            for text in [channel, label] {
                if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic() && !b",=:".contains(&b)) {
                    return Err(format!("analyser.channels: {text:?} is no name of a channel"));
                }
            }
            if !labels.insert(label) {
                return Err(format!("analyser.channels: two channels are clipped to {label}"));
            }
        }
        if self.service.as_ref().is_some_and(|service| service.command.is_empty()) {
            return Err("service.command is empty".into());
        }
        let known = self.port_names()?;
        for text in self.own_strings() {
            for name in placeholders(text)? {
                if !known.contains(base(name)) {
                    return Err(format!(
                        "`{{{name}}}` in {text:?} stands for a port, but no [service] command names it"
                    ));
                }
            }
        }
        Ok(())
    }

    /// What the analyser's channels are clipped to.
    pub fn labels(&self) -> Vec<String> {
        self.analyser.channels.values().cloned().collect()
    }

    pub fn has_channel(&self, label: &str) -> bool {
        self.analyser.channels.values().any(|known| known == label)
    }

    /// The strings, other than the service's, that may hold placeholders.
    fn own_strings(&self) -> impl Iterator<Item = &str> {
        [self.probe.selector.as_str(), self.analyser.driver.as_str()]
            .into_iter()
            .chain(self.serial.iter().chain(&self.uart1).map(|serial| serial.port.as_str()))
    }

    fn port_names(&self) -> Result<BTreeSet<String>, String> {
        let mut names = BTreeSet::new();
        for argument in self.service.iter().flat_map(|service| &service.command) {
            names.extend(placeholders(argument)?.into_iter().map(|name| base(name).to_string()));
        }
        Ok(names)
    }

    /// The same bench with every placeholder replaced by a port that was free a moment ago.
    pub fn with_free_ports(&self) -> Result<Self, Error> {
        let refuse = |message: String| Error::BenchFile { file: self.name.clone(), message };
        let mut ports = BTreeMap::new();
        // All are held until all are found, so that no two are the same.
        let mut held = Vec::new();
        for name in self.port_names().map_err(refuse)? {
            let listener = std::net::TcpListener::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0))
                .map_err(Error::NoFreePort)?;
            ports.insert(name, listener.local_addr().map_err(Error::NoFreePort)?);
            held.push(listener);
        }
        let mut bench = self.clone();
        for argument in bench.service.iter_mut().flat_map(|service| &mut service.command) {
            *argument = fill(argument, &ports).map_err(refuse)?;
        }
        bench.probe.selector = fill(&bench.probe.selector, &ports).map_err(refuse)?;
        bench.analyser.driver = fill(&bench.analyser.driver, &ports).map_err(refuse)?;
        for serial in bench.serial.iter_mut().chain(&mut bench.uart1) {
            serial.port = fill(&serial.port, &ports).map_err(refuse)?;
        }
        Ok(bench)
    }
}

fn base(placeholder: &str) -> &str {
    placeholder.strip_suffix(".host").or_else(|| placeholder.strip_suffix(".port")).unwrap_or(placeholder)
}

/// What stands in braces in `text`.
fn placeholders(text: &str) -> Result<Vec<&str>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(|| format!("{text:?} has a `{{` without a `}}`"))?;
        let plain = base(name);
        if plain.is_empty() || !plain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(format!("`{{{name}}}` in {text:?} is no name of a port"));
        }
        found.push(name);
        rest = after;
    }
    Ok(found)
}

fn fill(text: &str, ports: &BTreeMap<String, SocketAddr>) -> Result<String, String> {
    let mut filled = text.to_string();
    for name in placeholders(text)? {
        let address = ports.get(base(name)).ok_or_else(|| format!("`{{{name}}}` in {text:?} is not a known port"))?;
        let value = if name.ends_with(".host") {
            address.ip().to_string()
        } else if name.ends_with(".port") {
            address.port().to_string()
        } else {
            address.to_string()
        };
        filled = filled.replace(&format!("{{{name}}}"), &value);
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &str = include_str!("../../benches/pico2-debugprobe-fx2lafw.toml");

    #[test]
    fn the_shipped_benches_are_valid() {
        let bench = BenchFile::load(None).unwrap();
        assert_eq!(bench.name, "virtual");
        assert!(bench.has_channel("GPIO25") && bench.has_channel(RUN));
        let real = BenchFile::parse(REAL, "real").unwrap();
        assert_eq!(real.probe.reset, Reset::Debug);
        assert!(real.service.is_none());
    }

    #[test]
    fn a_placeholder_is_the_same_port_everywhere() {
        let bench = BenchFile::load(None).unwrap().with_free_ports().unwrap();
        let command = &bench.service.as_ref().unwrap().command;
        let after = |flag| command[command.iter().position(|word| word == flag).unwrap() + 1].clone();
        assert!(bench.probe.selector.ends_with(&after("--debug")));
        assert_eq!(bench.serial.unwrap().port, format!("tcp:{}", after("--serial")));
        assert_eq!(bench.uart1.unwrap().port, format!("tcp:{}", after("--uart1")));
        let analyser = after("--analyser").replace(':', "/");
        assert!(bench.analyser.driver.contains(&format!("tcp/{analyser}:")), "{}", bench.analyser.driver);
        assert_ne!(after("--debug"), after("--serial"));
    }

    #[test]
    fn an_unknown_key_is_named_with_the_known_ones() {
        let text = REAL.replace("selector =", "selecter =");
        let message = BenchFile::parse(&text, "bench.toml").unwrap_err().to_string();
        assert!(message.contains("bench.toml") && message.contains("`selecter`"), "{message}");
        assert!(message.contains("`selector`") && message.contains("`chip`"), "{message}");
    }

    #[test]
    fn contradictions_are_refused() {
        for (from, to, expected) in [
            ("D1 = ", "D0 = ", "duplicate key"),
            ("\"GPIO15\"", "\"GPIO25\"", "two channels are clipped to GPIO25"),
            ("fx2lafw\"", "fx2lafw:{analyser}\"", "no [service] command names it"),
            ("fx2lafw\"", "fx2lafw:{\"", "without a `}`"),
            ("fx2lafw\"", "fx2lafw:{a b}\"", "is no name of a port"),
            ("reset = \"debug\"", "reset = \"button\"", "unknown variant `button`"),
        ] {
            let text = REAL.replace(from, to);
            assert_ne!(text, REAL, "{from} is not in the file");
            let message = BenchFile::parse(&text, "x").unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
