//! A [`Probe`] that is given up when it goes silent.
//!
//! Drivers wait for their probe without an end: a debug server that hangs would hang the runner. Here the driver works in a
//! thread of its own, and each request has its time, which starts anew with every sign of progress. Once one was not
//! answered, nothing more is asked; the thread is left behind, as the runner is about to end.

use std::{
    sync::mpsc::{self, Receiver, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{OnFlash, Probe};
use crate::{error::Error, firmware::Segment};

/// For everything that takes a real probe well below a second.
const ANSWER: Duration = Duration::from_secs(10);
/// Between two signs of progress while flashing: the erasure of a large sector, or the start of the flash algorithm.
const FLASH: Duration = Duration::from_secs(30);
/// For the end of the debug session, which lets the cores go.
const CLOSE: Duration = Duration::from_secs(3);

type Job = Box<dyn FnOnce(&mut dyn Probe) + Send>;

/// A probe in a thread of its own.
pub struct Patient {
    selector: String,
    answer: Duration,
    jobs: Option<Sender<Job>>,
    ended: Receiver<()>,
    worker: Option<JoinHandle<()>>,
}

/// What a job reports.
enum Sign<T> {
    Progress(String, u64, u64),
    Done(T),
}

impl Patient {
    /// `selector` names the probe in errors.
    pub fn new(mut probe: impl Probe + 'static, selector: &str) -> Self {
        let (jobs, todo) = mpsc::channel::<Job>();
        let (end, ended) = mpsc::channel();
        let worker = thread::spawn(move || {
            for job in todo {
                job(&mut probe);
            }
            drop(probe);
            // Nobody waits if the runner has given up.
            let _ = end.send(());
        });
        Self { selector: selector.into(), answer: ANSWER, jobs: Some(jobs), ended, worker: Some(worker) }
    }

    fn ask<T: Send + 'static>(
        &mut self,
        patience: Duration,
        progress: OnFlash<'_>,
        job: impl FnOnce(&mut dyn Probe, OnFlash<'_>) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let silent = || Error::SilentProbe { selector: self.selector.clone(), patience };
        let (report, signs) = mpsc::channel();
        let job: Job = Box::new(move |probe| {
            let mut tell = |what: &str, done, total| {
                let _ = report.send(Sign::Progress(what.into(), done, total));
            };
            let result = job(probe, &mut tell);
            let _ = report.send(Sign::Done(result));
        });
        self.jobs.as_ref().ok_or_else(silent)?.send(job).map_err(|_| silent())?;
        loop {
            match signs.recv_timeout(patience) {
                Ok(Sign::Progress(what, done, total)) => progress(&what, done, total),
                Ok(Sign::Done(result)) => return Ok(result),
                Err(_) => {
                    let error = silent();
                    self.jobs = None;
                    return Err(error);
                }
            }
        }
    }

    fn quickly<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut dyn Probe) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.ask(self.answer, &mut |_, _, _| {}, move |probe, _| job(probe))?
    }
}

impl Probe for Patient {
    fn describe(&mut self) -> Result<String, Error> {
        self.quickly(|probe| probe.describe())
    }

    fn read(&mut self, address: u64, into: &mut [u8]) -> Result<(), Error> {
        // In pieces, so that the time is for each of them, however large the whole is.
        for (piece, at) in into.chunks_mut(1 << 16).zip((address..).step_by(1 << 16)) {
            let mut bytes = vec![0; piece.len()];
            let bytes = self.quickly(move |probe| probe.read(at, &mut bytes).map(|()| bytes))?;
            piece.copy_from_slice(&bytes);
        }
        Ok(())
    }

    fn write(&mut self, address: u64, word: u32) -> Result<(), Error> {
        self.quickly(move |probe| probe.write(address, word))
    }

    fn flash(&mut self, what: &str, segments: &[Segment], progress: OnFlash<'_>) -> Result<(), Error> {
        let (what, segments) = (what.to_string(), segments.to_vec());
        self.ask(FLASH, progress, move |probe, progress| probe.flash(&what, &segments, progress))?
    }

    fn hold_reset(&mut self) -> Result<(), Error> {
        self.quickly(|probe| probe.hold_reset())
    }

    fn release_reset(&mut self) -> Result<(), Error> {
        self.quickly(|probe| probe.release_reset())
    }

    fn reset_and_halt(&mut self) -> Result<(), Error> {
        self.quickly(|probe| probe.reset_and_halt())
    }

    fn run(&mut self) -> Result<(), Error> {
        self.quickly(|probe| probe.run())
    }
}

impl Drop for Patient {
    /// The session of a probe that answers ends in order, so that it leaves the cores running.
    fn drop(&mut self) {
        if self.jobs.take().is_some()
            && self.ended.recv_timeout(CLOSE).is_ok()
            && let Some(worker) = self.worker.take()
        {
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers until it is asked for the word at 0xDEAD.
    struct Server;

    impl Probe for Server {
        fn describe(&mut self) -> Result<String, Error> {
            Ok("a server".into())
        }

        fn read(&mut self, address: u64, into: &mut [u8]) -> Result<(), Error> {
            if address == 0xDEAD {
                loop {
                    thread::park();
                }
            }
            into.fill(address as u8);
            Ok(())
        }

        fn write(&mut self, address: u64, _: u32) -> Result<(), Error> {
            Err(Error::Debug { doing: "writing memory", message: format!("{address:#x} answers with a fault") })
        }

        fn flash(&mut self, _: &str, segments: &[Segment], progress: OnFlash<'_>) -> Result<(), Error> {
            for done in 1..=segments.len() as u64 {
                progress("writing", done, segments.len() as u64);
            }
            Ok(())
        }

        fn hold_reset(&mut self) -> Result<(), Error> {
            Ok(())
        }

        fn release_reset(&mut self) -> Result<(), Error> {
            Ok(())
        }

        fn reset_and_halt(&mut self) -> Result<(), Error> {
            Ok(())
        }

        fn run(&mut self) -> Result<(), Error> {
            Ok(())
        }
    }

    #[test]
    fn answers_errors_and_progress_come_through() {
        let mut probe = Patient::new(Server, "1d50:6018");
        assert_eq!(probe.describe().unwrap(), "a server");
        let mut bytes = vec![0; (1 << 16) + 3];
        probe.read(7, &mut bytes).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 7));
        assert!(probe.write(0x40, 1).unwrap_err().to_string().contains("0x40 answers with a fault"));
        let mut seen = Vec::new();
        let segment = Segment { address: 0, bytes: vec![1] };
        probe.flash("x", &[segment.clone(), segment], &mut |_, done, total| seen.push((done, total))).unwrap();
        assert_eq!(seen, [(1, 2), (2, 2)]);
    }

    #[test]
    fn one_that_goes_silent_is_given_up_and_asked_nothing_more() {
        let mut probe = Patient::new(Server, "1d50:6018");
        probe.answer = Duration::from_millis(50);
        probe.describe().unwrap();
        let message = probe.read(0xDEAD, &mut [0; 4]).unwrap_err().to_string();
        assert!(
            message.contains("debug probe 1d50:6018: it has not answered") && message.contains("check"),
            "{message}"
        );
        assert!(matches!(probe.describe(), Err(Error::SilentProbe { .. })));
        // Its end is not waited for.
        drop(probe);
    }
}
