//! A board that is a list of levels, a clock, and a list of what happens to it from outside.
//!
//! Every change of a pin is a line, `<seconds> GPIO<n> high|low`, in order of time; what a guest writes to a port is one too,
//! `<seconds> UART<n> "<text>"`. A line depends on nothing but guest, policy and stimuli while time is virtual.

use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

use sandhill_runtime::{Board, OPERATIONS_PER_US, Policy, Stop};

use crate::pulses::Pulses;
use crate::stimuli::{Press, Received};

/// Simulated pins, buttons and a serial port, on virtual time or on this computer's.
pub struct Simulated<W> {
    output: W,
    policy: Policy,
    /// The start of the run, if delays are to take as long as they say.
    started: Option<Instant>,
    now_us: u64,
    /// Of the guest's operations those that have not made a whole microsecond yet.
    operations: u64,
    end_us: u64,
    /// One bit a pin. Low before the guest names it.
    levels: u32,
    pulses: Pulses,
    presses: Vec<Press>,
    /// From when edges of an input count, for the falling and the rising ones.
    waited: [[Option<u64>; 2]; 32],
    received: Received,
    /// Nobody reads the output any more.
    output_closed: bool,
}

impl<W: Write> Simulated<W> {
    /// Prints to `output`, and asks for the guest's end after `time`.
    pub fn new(
        output: W,
        policy: Policy,
        realtime: bool,
        time: Option<Duration>,
        presses: Vec<Press>,
        received: &[u8],
    ) -> Self {
        Self {
            output,
            policy,
            started: realtime.then(Instant::now),
            now_us: 0,
            operations: 0,
            end_us: time.map_or(u64::MAX, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
            levels: 0,
            pulses: Pulses::default(),
            presses,
            waited: [[None; 2]; 32],
            received: Received::new(received, policy.uart_baud),
            output_closed: false,
        }
    }

    /// Prints what happens at `at_us`.
    fn print(&mut self, at_us: u64, what: std::fmt::Arguments<'_>) {
        let (seconds, micros) = (at_us / 1_000_000, at_us % 1_000_000);
        self.output_closed |= writeln!(self.output, "{seconds}.{micros:06} {what}").is_err();
    }

    fn set_level(&mut self, at_us: u64, pin: u32, high: bool) {
        if (self.levels & 1 << pin != 0) != high {
            self.levels ^= 1 << pin;
            self.print(at_us, format_args!("GPIO{pin} {}", if high { "high" } else { "low" }));
        }
    }

    /// Moves the clock to `time_us`, and this thread with it if time is real; pulses go on meanwhile.
    fn advance(&mut self, time_us: u64) {
        while let Some((at_us, pin, high)) = self.pulses.next(time_us) {
            self.pass(at_us);
            self.set_level(at_us, pin, high);
        }
        self.pass(time_us);
    }

    fn pass(&mut self, time_us: u64) {
        if let Some(started) = self.started {
            sleep(Duration::from_micros(time_us).saturating_sub(started.elapsed()));
        }
        self.now_us = self.now_us.max(time_us);
    }

    /// Waits, but not beyond the end of the run.
    fn wait_until(&mut self, deadline_us: u64) -> Result<(), Stop> {
        if self.output_closed {
            return Err(Stop);
        }
        if deadline_us > self.end_us {
            self.advance(self.end_us);
            return Err(Stop);
        }
        if deadline_us > self.now_us {
            // The guest wakes up on time, whatever it had begun.
            self.operations = 0;
        }
        self.advance(deadline_us);
        Ok(())
    }

    /// The level of an input: pulled up it is high, unless its button connects it to ground.
    fn input(&self, pin: u32) -> bool {
        self.policy.pull_up & 1 << pin != 0
            && !self.presses.iter().any(|press| press.pin == pin && press.holds_at(self.now_us))
    }

    /// The first edge of the input after `since_us`. One that is not pulled up is low all the time.
    fn edge_after(&self, pin: u32, rising: bool, since_us: u64) -> Option<u64> {
        let presses = self.presses.iter().filter(|press| press.pin == pin && self.policy.pull_up & 1 << pin != 0);
        presses.map(|press| if rising { press.until_us } else { press.from_us }).filter(|at_us| *at_us > since_us).min()
    }
}

impl<W: Write + Send + 'static> Board for Simulated<W> {
    fn set_pin(&mut self, pin: u32, high: bool) {
        let now_us = self.now_us();
        self.set_level(now_us, pin, high);
    }

    fn toggle_pin(&mut self, pin: u32) {
        let now_us = self.now_us();
        self.set_level(now_us, pin, self.levels & 1 << pin == 0);
    }

    fn read_pin(&mut self, pin: u32) -> bool {
        self.now_us();
        if self.policy.inputs & 1 << pin != 0 { self.input(pin) } else { self.levels & 1 << pin != 0 }
    }

    fn wait_edge(&mut self, pin: u32, rising: bool, deadline_us: u64) -> Result<bool, Stop> {
        let now_us = self.now_us();
        for since in &mut self.waited[pin as usize] {
            since.get_or_insert(now_us);
        }
        let since_us = self.waited[pin as usize][usize::from(rising)].unwrap_or(now_us);
        let edge_us = self.edge_after(pin, rising, since_us).filter(|at_us| *at_us <= deadline_us);
        self.wait_until(edge_us.unwrap_or(deadline_us))?;
        // Several that came until now count once.
        self.waited[pin as usize][usize::from(rising)] = Some(self.now_us());
        Ok(edge_us.is_some())
    }

    fn uart_write(&mut self, port: u32, bytes: &[u8]) -> Result<(), Stop> {
        let now_us = self.now_us();
        self.print(now_us, format_args!("UART{port} \"{}\"", bytes.escape_ascii()));
        Ok(())
    }

    fn uart_read(&mut self, _: u32, deadline_us: u64) -> Result<Option<u8>, Stop> {
        let Some(at_us) = self.received.next_at_us().filter(|at_us| *at_us <= deadline_us.max(self.now_us)) else {
            self.wait_until(deadline_us)?;
            return Ok(None);
        };
        self.wait_until(at_us)?;
        Ok(self.received.take())
    }

    fn set_pwm(&mut self, pin: u32, period_us: u32, pulse_us: u32) {
        let now_us = self.now_us();
        self.pulses.set(now_us, pin, period_us, pulse_us);
        self.advance(now_us);
    }

    fn stop_pwm(&mut self, pin: u32) {
        let now_us = self.now_us();
        self.pulses.stop(pin);
        self.set_level(now_us, pin, false);
    }

    fn now_us(&mut self) -> u64 {
        if let Some(started) = self.started {
            let real_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.advance(real_us);
        }
        self.now_us
    }

    fn sleep_until_us(&mut self, deadline_us: u64) -> Result<(), Stop> {
        self.wait_until(deadline_us)
    }

    /// Cycles of this computer would mean nothing on a board.
    fn cycles(&mut self) -> u32 {
        0
    }

    /// On virtual time a guest's own work takes as long as a fast board would.
    fn worked(&mut self, operations: u64) {
        if self.started.is_none() {
            self.operations += operations;
            let work_us = self.operations / OPERATIONS_PER_US;
            self.operations %= OPERATIONS_PER_US;
            self.advance(self.now_us.saturating_add(work_us));
        }
    }

    /// A guest that never waits learns here that its time is over, or that nobody reads its output.
    fn call_ends(&mut self) -> Result<(), Stop> {
        if self.output_closed || self.now_us() > self.end_us { Err(Stop) } else { Ok(()) }
    }

    fn failed(&mut self) {
        let now_us = self.now_us;
        let owned = self.policy.outputs | self.policy.pwm;
        for pin in (0..32).filter(|pin| owned & 1 << pin != 0) {
            self.pulses.stop(pin);
            self.set_level(now_us, pin, self.policy.safe_high & 1 << pin != 0);
        }
    }
}
