//! A board that is a list of levels and a clock.

use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

use sandhill_runtime::{Board, Error, Stop};

/// As on a Pico 2, so that a guest that runs here runs there.
const FIRST_PIN: u32 = 2;
const LAST_PIN: u32 = 29;

/// Pins that print their edges, on virtual time or on this computer's.
pub struct Simulated<W> {
    output: W,
    /// The start of the run, if delays are to take as long as they say.
    started: Option<Instant>,
    now_us: u64,
    end_us: u64,
    /// One bit a pin. Low before the guest names it.
    levels: u32,
    /// Nobody reads the edges any more.
    output_closed: bool,
}

impl<W: Write> Simulated<W> {
    /// Prints edges to `output`, and asks for the guest's end after `time`.
    pub fn new(output: W, realtime: bool, time: Option<Duration>) -> Self {
        Self {
            output,
            started: realtime.then(Instant::now),
            now_us: 0,
            end_us: time.map_or(u64::MAX, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
            levels: 0,
            output_closed: false,
        }
    }

    /// Moves the clock to `time_us`, and this thread with it if time is real.
    fn wait_until_us(&mut self, time_us: u64) {
        if let Some(started) = self.started {
            sleep(Duration::from_micros(time_us).saturating_sub(started.elapsed()));
        }
        self.now_us = self.now_us.max(time_us);
    }
}

impl<W: Write + Send + 'static> Board for Simulated<W> {
    fn set_pin(&mut self, pin: u32, high: bool) -> Result<(), Error> {
        if pin > LAST_PIN {
            return Err(Error::NoSuchPin { pin, last: LAST_PIN });
        }
        if pin < FIRST_PIN {
            return Err(Error::ReservedPin { pin, used_for: "console" });
        }
        let bit = 1 << pin;
        if (self.levels & bit != 0) != high {
            self.levels ^= bit;
            let now_us = self.now_us();
            let (seconds, micros) = (now_us / 1_000_000, now_us % 1_000_000);
            let level = if high { "high" } else { "low" };
            self.output_closed |= writeln!(self.output, "{seconds}.{micros:06} GPIO{pin} {level}").is_err();
        }
        // A guest that never sleeps learns of a closed output here.
        if self.output_closed { Err(Error::Stopped) } else { Ok(()) }
    }

    fn now_us(&mut self) -> u64 {
        if let Some(started) = self.started {
            self.now_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        }
        self.now_us
    }

    fn sleep_until_us(&mut self, deadline_us: u64) -> Result<(), Stop> {
        if deadline_us > self.end_us {
            self.wait_until_us(self.end_us);
            return Err(Stop);
        }
        self.wait_until_us(deadline_us);
        Ok(())
    }

    /// Cycles of this computer would mean nothing on a board.
    fn cycles(&mut self) -> u32 {
        0
    }
}
