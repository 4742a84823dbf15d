//! The instruments of a bench, opened together: what every command that flashes a board needs.

use crate::{
    analyser::{Analyser, Sigrok},
    bench_file::BenchFile,
    console::{Console, NoConsole, Port, Serial},
    error::Error,
    probe::{Patient, Probe, ProbeRs},
    progress::Progress,
    service::Service,
};

/// The instruments of a bench.
pub struct Instruments<'a> {
    pub probe: &'a mut dyn Probe,
    pub analyser: &'a mut dyn Analyser,
    pub console: &'a mut dyn Console,
    /// The guests' serial port, where the bench has one.
    pub uart1: Option<&'a mut dyn Port>,
}

/// Starts the bench's service and opens its instruments for as long as `work` takes. `bench` has no placeholders left.
pub fn with<T>(
    bench: &BenchFile,
    progress: &Progress,
    work: impl FnOnce(&mut Instruments<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut probe = Patient::new(ProbeRs::new(&bench.probe)?, &bench.probe.selector);
    let mut analyser = Sigrok::new(&bench.analyser);
    progress.line(&format!("analyser: {}", analyser.describe()?));

    with_service(bench, progress, || {
        progress.line(&format!("probe: {}", probe.describe()?));
        let mut console: Box<dyn Console> = match &bench.serial {
            Some(serial) => Box::new(Serial::open(serial)?),
            None => Box::new(NoConsole),
        };
        let mut uart1 = bench.uart1.as_ref().map(Serial::open).transpose()?;
        work(&mut Instruments {
            probe: &mut probe,
            analyser: &mut analyser,
            console: &mut *console,
            uart1: uart1.as_mut().map(|port| port as &mut dyn Port),
        })
    })
}

/// Starts the bench's service for as long as `work` takes.
pub fn with_service<T>(
    bench: &BenchFile,
    progress: &Progress,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut service = bench.service.as_ref().map(Service::start).transpose()?;
    progress.line(&format!("bench: {}", bench.name));
    let result = work();
    progress.clear();
    match (result, &mut service) {
        // A bench that died explains everything else.
        (Err(error), Some(service)) => Err(service.check().err().unwrap_or(error)),
        (result, _) => result,
    }
}
