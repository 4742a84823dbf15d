//! `hil bench check`: tries each instrument by itself and says what works, without flashing anything.

use std::{fs::File, io::BufReader, path::Path, time::Duration};

use crate::{
    analyser::{Analyser, Sigrok},
    bench_file::{BenchFile, RUN, Reset},
    capture::Capture,
    console::Serial,
    error::Error,
    probe::{Patient, Probe, ProbeRs},
    service::Service,
};

/// Long enough for every analyser to deliver something.
const CAPTURE: Duration = Duration::from_millis(500);

/// Prints one line for each instrument; true if all of them work.
pub fn bench(file: &BenchFile, scratch: &Path, say: &mut dyn FnMut(&str)) -> Result<bool, Error> {
    let mut all = true;
    let mut report = |what: &str, result: Result<String, Error>| {
        all &= result.is_ok();
        match result {
            Ok(text) => say(&format!("{what}: works, {text}")),
            Err(error) => say(&format!("{what}: FAILED: {error}")),
        }
    };
    let bench = file.with_free_ports()?;
    let mut service = None;
    if let Some(file) = &bench.service {
        match Service::start(file) {
            Ok(running) => service = Some(running),
            // Without it there is nothing to talk to.
            Err(error) => {
                report("service", Err(error));
                return Ok(false);
            }
        }
        report("service", Ok(format!("{} is ready", file.command[0])));
    }

    let mut probe = Patient::new(ProbeRs::new(&bench.probe)?, &bench.probe.selector);
    let described = probe.describe();
    // Without the probe the analyser is tried all the same, only without a reset.
    let resets = described.is_ok() && bench.probe.reset == Reset::Pin;
    report("probe", described);
    for (what, serial) in [("serial port", &bench.serial), ("guests' serial port", &bench.uart1)] {
        if let Some(serial) = serial {
            report(what, Serial::open(serial).map(|_| "it can be opened".into()));
        }
    }
    let mut analyser = Sigrok::new(&bench.analyser);
    let version = analyser.describe();
    let usable = version.is_ok();
    report("sigrok-cli", version);
    if usable {
        report("analyser", try_capture(&bench, &mut analyser, resets.then_some(&mut probe), scratch));
    }
    drop(service);
    Ok(all)
}

/// A short capture; with a reset in it if there is a probe that can pull RUN low.
fn try_capture(
    bench: &BenchFile,
    analyser: &mut Sigrok,
    mut probe: Option<&mut Patient>,
    scratch: &Path,
) -> Result<String, Error> {
    std::fs::create_dir_all(scratch).map_err(Error::file(scratch))?;
    let vcd = scratch.join("check.vcd");
    let mut length = CAPTURE;
    if let Some(probe) = &mut probe {
        length += Duration::from_millis(bench.analyser.margin_ms);
        probe.hold_reset()?;
    }
    let started = analyser.start(length, &vcd);
    let released = probe.as_mut().map_or(Ok(()), |probe| probe.release_reset());
    started.and(released)?;
    analyser.finish(&mut |_, _| {})?;
    let file = File::open(&vcd).map_err(Error::file(&vcd))?;
    let capture = Capture::read(BufReader::new(file)).map_err(|message| Error::Capture { path: vcd, message })?;
    if capture.end_ns == 0 {
        return Err(Error::EmptyCapture);
    }
    if probe.is_some() && bench.has_channel(RUN) && capture.first_rise(RUN).is_none() {
        return Err(Error::NoReset);
    }
    let mut text = format!("{} ms captured", capture.end_ns / 1_000_000);
    for channel in &capture.channels {
        let level = if channel.initial { "high" } else { "low" };
        text += &format!("; {} {level}, {} edges", channel.name, channel.edges.len());
    }
    Ok(text)
}
