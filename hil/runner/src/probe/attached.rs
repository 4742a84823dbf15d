//! [`Probe`] by way of probe-rs, whichever probe and transport its selector names.
//!
//! A probe behind TCP that goes silent blocks every method here for ever; [`super::Patient`] is there for that.

use std::time::Duration;

use probe_rs::{
    MemoryInterface, Permissions, Session,
    flashing::{DownloadOptions, FlashError, FlashProgress, ProgressEvent, ProgressOperation},
    probe::{DebugProbeSelector, WireProtocol, list::Lister},
};

use super::{OnFlash, Probe};
use crate::{
    bench_file::{self, Protocol},
    error::{Error, chain},
    firmware::Segment,
    net,
};

/// For reset and halt. A chip needs milliseconds; a probe behind a network a little longer.
const HALT: Duration = Duration::from_secs(2);
/// The core that runs the firmware.
const CORE: usize = 0;

enum State {
    Closed,
    /// The probe without a debug session: only for nRST, where a session would disturb the chip.
    Bare(Box<probe_rs::probe::Probe>),
    Attached(Box<Session>),
}

/// A probe that probe-rs has a driver for.
pub struct ProbeRs {
    file: bench_file::Probe,
    selector: DebugProbeSelector,
    state: State,
}

impl ProbeRs {
    /// Opens nothing yet; fails only on a selector that is none.
    pub fn new(file: &bench_file::Probe) -> Result<Self, Error> {
        let selector = file.selector.parse().map_err(|error| Error::ProbeOpen {
            selector: file.selector.clone(),
            message: format!("this is no selector of the form VID:PID[:serial] ({})", chain(&error)),
        })?;
        Ok(Self { file: file.clone(), selector, state: State::Closed })
    }

    fn open(&mut self) -> Result<probe_rs::probe::Probe, Error> {
        // A probe can be open only once.
        self.state = State::Closed;
        if let Some(address) = tcp_address(&self.selector) {
            // probe-rs reports a refused connection as a USB error, so it is tried beforehand.
            net::connect("the debug probe", &address)?;
        }
        let fail = |message| Error::ProbeOpen { selector: self.file.selector.clone(), message };
        let mut probe = Lister::new().open(self.selector.clone()).map_err(|error| fail(chain(&error)))?;
        // Some probes refuse to attach before a protocol is chosen.
        let protocol = match self.file.protocol {
            Protocol::Swd => WireProtocol::Swd,
            Protocol::Jtag => WireProtocol::Jtag,
        };
        probe.select_protocol(protocol).map_err(|error| fail(chain(&error)))?;
        if let Some(speed_khz) = self.file.speed_khz {
            probe.set_speed(speed_khz).map_err(|error| fail(chain(&error)))?;
        }
        Ok(probe)
    }

    fn session(&mut self) -> Result<&mut Session, Error> {
        if !matches!(self.state, State::Attached(_)) {
            // A probe that is open already is not opened anew: the board runs meanwhile.
            let probe = match std::mem::replace(&mut self.state, State::Closed) {
                State::Bare(probe) => *probe,
                State::Closed | State::Attached(_) => self.open()?,
            };
            let session = probe
                .attach(self.file.chip.as_str(), Permissions::default())
                .map_err(|error| Error::Attach { chip: self.file.chip.clone(), message: chain(&error) })?;
            self.state = State::Attached(Box::new(session));
        }
        match &mut self.state {
            State::Attached(session) => Ok(session),
            State::Closed | State::Bare(_) => unreachable!("just attached"),
        }
    }

    fn bare(&mut self) -> Result<&mut probe_rs::probe::Probe, Error> {
        if !matches!(self.state, State::Bare(_)) {
            self.state = State::Bare(Box::new(self.open()?));
        }
        match &mut self.state {
            State::Bare(probe) => Ok(probe),
            State::Closed | State::Attached(_) => unreachable!("just opened"),
        }
    }
}

impl Probe for ProbeRs {
    fn describe(&mut self) -> Result<String, Error> {
        let name = self.bare()?.get_name();
        let session = self.session()?;
        Ok(format!("{name}, {} with {} cores", session.target().name, session.list_cores().len()))
    }

    fn read(&mut self, address: u64, into: &mut [u8]) -> Result<(), Error> {
        let session = self.session()?;
        let mut core = session.core(CORE).map_err(debug("selecting the core"))?;
        core.read(address, into).map_err(debug("reading memory"))
    }

    fn write(&mut self, address: u64, word: u32) -> Result<(), Error> {
        let mut core = self.session()?.core(CORE).map_err(debug("selecting the core"))?;
        core.write_word_32(address, word).map_err(debug("writing memory"))
    }

    fn flash(&mut self, what: &str, segments: &[Segment], progress: OnFlash<'_>) -> Result<(), Error> {
        let fail = |error: FlashError| match error {
            FlashError::Verify => Error::Verify { what: what.into() },
            error => Error::Flash { what: what.into(), message: chain(&error) },
        };
        let session = self.session()?;
        let mut loader = session.target().flash_loader();
        for segment in segments {
            loader.add_data(segment.address, &segment.bytes).map_err(fail)?;
        }
        let mut bars = Bars { report: progress, bars: Vec::new() };
        let mut options = DownloadOptions::default();
        options.verify = true;
        options.progress = FlashProgress::new(move |event| bars.on(event));
        loader.commit(session, options).map_err(fail)
    }

    fn hold_reset(&mut self) -> Result<(), Error> {
        let held = self.bare()?.target_reset_assert();
        held.map_err(|error| Error::ResetPin { message: chain(&error) })
    }

    fn release_reset(&mut self) -> Result<(), Error> {
        let released = self.bare()?.target_reset_deassert();
        released.map_err(|error| Error::ResetPin { message: chain(&error) })
    }

    fn reset_and_halt(&mut self) -> Result<(), Error> {
        let mut core = self.session()?.core(CORE).map_err(debug("selecting the core"))?;
        core.reset_and_halt(HALT).map(drop).map_err(debug("resetting the chip"))
    }

    fn run(&mut self) -> Result<(), Error> {
        let mut core = self.session()?.core(CORE).map_err(debug("selecting the core"))?;
        core.run().map_err(debug("starting the core"))
    }
}

/// Turns probe-rs's events into "what, done, total".
struct Bars<'a> {
    report: OnFlash<'a>,
    bars: Vec<Bar>,
}

struct Bar {
    name: &'static str,
    done: u64,
    total: u64,
}

impl Bars<'_> {
    fn on(&mut self, event: ProgressEvent) {
        match event {
            ProgressEvent::AddProgressBar { operation, total } => {
                self.bars.push(Bar { name: name(operation), done: 0, total: total.unwrap_or(0) });
            }
            ProgressEvent::Progress { operation, size, .. } => {
                if let Some(bar) = self.bars.iter_mut().find(|bar| bar.name == name(operation)) {
                    bar.done += size;
                    (self.report)(bar.name, bar.done, bar.total);
                }
            }
            _ => {}
        }
    }
}

fn name(operation: ProgressOperation) -> &'static str {
    match operation {
        ProgressOperation::Fill => "reading back",
        ProgressOperation::Erase => "erasing",
        ProgressOperation::Program => "writing",
        ProgressOperation::Verify => "verifying",
    }
}

fn debug(doing: &'static str) -> impl Fn(probe_rs::Error) -> Error {
    move |error| Error::Debug { doing, message: chain(&error) }
}

/// The `HOST:PORT` in a selector, of probes that are reached over TCP.
fn tcp_address(selector: &DebugProbeSelector) -> Option<String> {
    let serial = selector.serial_number.as_deref()?;
    let address = serial.strip_prefix("tcp:").unwrap_or(serial);
    let (host, port) = address.rsplit_once(':')?;
    // A serial number may hold colons too, such as a MAC address.
    let plausible = !host.is_empty() && (!host.contains(':') || host.starts_with('[')) && port.parse::<u16>().is_ok();
    plausible.then(|| address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_selectors_with_host_and_port_name_a_tcp_port() {
        for (selector, expected) in [
            ("1d50:6018:127.0.0.1:7801", Some("127.0.0.1:7801")),
            ("1d50:6018:[::1]:7801", Some("[::1]:7801")),
            ("20b7:9db1:tcp:bench.local:80", Some("bench.local:80")),
            ("2e8a:000c", None),
            ("2e8a:000c:E6614103E7", None),
            ("303a:1001:7C:DF:A1:00:11:22", None),
        ] {
            assert_eq!(tcp_address(&selector.parse().unwrap()).as_deref(), expected, "{selector}");
        }
    }
}
