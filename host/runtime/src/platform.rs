//! What a guest can call: each function of the contract, checked against the guest's policy, then done by the board.
//!
//! A host call is [`Platform::enter`], the function, [`Platform::leave`]; the two ways in (`core_imports`, `component`) do no
//! more than convert values. Nothing here formats or allocates.

use wasmtime::Memory;

use crate::limits::Limiter;
use crate::policy::MAX_PWM_PERIOD_US;
use crate::rate::Rate;
use crate::{Board, GuestVitals, Pacer, Policy, Stop, Violation};

type Result<T> = core::result::Result<T, Violation>;

impl From<Stop> for Violation {
    fn from(Stop: Stop) -> Self {
        Self::Stopped
    }
}

/// The state of one guest's imports.
pub(crate) struct Platform<B> {
    pub(crate) board: B,
    policy: Policy,
    vitals: &'static GuestVitals,
    pacer: Pacer,
    rate: Rate,
    beginning: Beginning,
    edge_seen: bool,
    /// Levels as the guest has set them, until one changed; a pin it has not named is low.
    levels: u32,
    /// Cycle counter when the last host function returned.
    returned_at: Option<u32>,
    /// When the guest last wrote to a pin or port, or was started; kept if the policy watches it.
    output_us: u64,
    failed: bool,
}

/// How far a guest is in its first two calls, which set what its first delay counts from.
enum Beginning {
    BeforeFirst,
    First { start_us: u64 },
    BeforeSecond { start_us: u64, returned_us: u64 },
    Over,
}

/// All that belongs to a guest's store.
pub(crate) struct State<B> {
    pub(crate) platform: Platform<B>,
    pub(crate) limiter: Limiter,
    /// A core module's memory, once it is there.
    pub(crate) memory: Option<Memory>,
}

impl<B: Board> Platform<B> {
    pub(crate) fn new(board: B, policy: Policy, vitals: &'static GuestVitals) -> Self {
        Self {
            board,
            policy,
            vitals,
            pacer: Pacer::default(),
            rate: Rate::new(policy.calls_per_second),
            beginning: Beginning::BeforeFirst,
            edge_seen: false,
            levels: 0,
            returned_at: None,
            output_us: 0,
            failed: false,
        }
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The guest trapped: pins first, once.
    pub(crate) fn fail(&mut self) {
        if !self.failed {
            self.failed = true;
            self.board.failed();
        }
    }

    /// The guest's call ends in `violation`: a trap, unless the host has ended the guest.
    pub(crate) fn fail_by(&mut self, violation: Violation) {
        if violation != Violation::Stopped {
            self.fail();
        }
    }

    /// A host call begins.
    pub(crate) fn enter(&mut self) -> Result<()> {
        if !matches!(self.beginning, Beginning::Over) {
            self.begin()?;
        }
        if self.rate.count() && !self.rate.checkpoint(self.board.now_us()) {
            return Err(Violation::TooManyCalls { per_second: self.policy.calls_per_second });
        }
        if self.policy.progress_ms > 0 && self.board.now_us() > self.progress_end_us() {
            return Err(self.no_progress());
        }
        Ok(())
    }

    /// A host call ends well: books what it cost.
    pub(crate) fn leave(&mut self) -> Result<()> {
        let now = self.board.cycles();
        let vitals = self.vitals;
        if let Some(returned_at) = self.returned_at.replace(now) {
            let spent = now.wrapping_sub(returned_at);
            vitals.call_cycles_last.set(spent);
            vitals.call_cycles_max.keep_max(spent);
            let least = vitals.call_cycles_min.get();
            if least == 0 || spent < least {
                vitals.call_cycles_min.set(spent);
            }
        }
        vitals.host_calls.count();
        if let Beginning::First { start_us } = self.beginning {
            self.beginning = Beginning::BeforeSecond { start_us, returned_us: self.board.now_us() };
        }
        Ok(self.board.call_ends()?)
    }

    /// The first two calls of a guest; see [`Pacer::first_gap`].
    #[cold]
    fn begin(&mut self) -> Result<()> {
        self.beginning = match self.beginning {
            Beginning::BeforeFirst => {
                let start_us = self.board.begin()?;
                self.pacer.start(start_us);
                self.output_us = start_us;
                Beginning::First { start_us }
            }
            Beginning::BeforeSecond { start_us, returned_us } => {
                let gap_us = self.board.now_us().saturating_sub(returned_us);
                self.pacer.first_gap(start_us, gap_us);
                Beginning::Over
            }
            Beginning::First { .. } | Beginning::Over => Beginning::Over,
        };
        Ok(())
    }

    pub(crate) fn set_pin(&mut self, pin: u32, high: bool) -> Result<()> {
        if !self.policy.drives(pin) {
            return Err(Violation::NotAnOutput { pin });
        }
        self.board.set_pin(pin, high);
        if !self.edge_seen {
            let bit = 1 << pin;
            let level = if high { bit } else { 0 };
            self.driven(self.levels & bit != level);
            self.levels = (self.levels & !bit) | level;
        }
        self.progressed();
        Ok(())
    }

    pub(crate) fn toggle(&mut self, pin: u32) -> Result<()> {
        if !self.policy.drives(pin) {
            return Err(Violation::NotAnOutput { pin });
        }
        self.board.toggle_pin(pin);
        self.driven(true);
        self.progressed();
        Ok(())
    }

    pub(crate) fn is_high(&mut self, pin: u32) -> Result<bool> {
        if !self.policy.reads(pin) {
            return Err(Violation::NotReadable { pin });
        }
        Ok(self.board.read_pin(pin))
    }

    pub(crate) fn delay_ms(&mut self, ms: u32) -> Result<()> {
        self.check_wait("timing", ms)?;
        let now_us = self.board.now_us();
        let deadline_us = self.pacer.deadline_us(now_us, ms);
        self.sleep(deadline_us, ms > 0)
    }

    pub(crate) fn delay_until(&mut self, us: u64) -> Result<()> {
        let now_us = self.board.now_us();
        if us.saturating_sub(now_us) > u64::from(self.policy.wait_ms) * 1_000 {
            return Err(self.wait_too_long("timing"));
        }
        self.pacer.ends(us);
        self.sleep(us, us > now_us)
    }

    pub(crate) fn now_us(&mut self) -> u64 {
        self.board.now_us()
    }

    /// A pressed button connects its pin to ground.
    pub(crate) fn is_pressed(&mut self, pin: u32) -> Result<bool> {
        self.check_button(pin)?;
        Ok(!self.board.read_pin(pin))
    }

    pub(crate) fn wait(&mut self, pin: u32, pressed: bool, timeout_ms: u32) -> Result<bool> {
        self.check_button(pin)?;
        let (deadline_us, cut) = self.timeout("button", timeout_ms)?;
        let edge = self.board.wait_edge(pin, !pressed, deadline_us)?;
        if cut && !edge { Err(self.no_progress()) } else { Ok(edge) }
    }

    pub(crate) fn check_port(&self, port: u32) -> Result<()> {
        if self.policy.talks(port) { Ok(()) } else { Err(Violation::NoPort { port }) }
    }

    /// The port was checked.
    pub(crate) fn write(&mut self, port: u32, bytes: &[u8]) -> Result<()> {
        self.board.uart_write(port, bytes)?;
        self.progressed();
        Ok(())
    }

    /// The port was checked.
    pub(crate) fn read(&mut self, port: u32, timeout_ms: u32) -> Result<Option<u8>> {
        let (deadline_us, cut) = self.timeout("uart", timeout_ms)?;
        let byte = self.board.uart_read(port, deadline_us)?;
        if cut && byte.is_none() { Err(self.no_progress()) } else { Ok(byte) }
    }

    pub(crate) fn set_pwm(&mut self, pin: u32, period_us: u32, pulse_us: u32) -> Result<()> {
        self.check_pwm(pin)?;
        let shortest_us = self.policy.pwm_min_period_us;
        // A generator cannot have a period of nothing, whatever the policy says.
        if period_us < shortest_us.max(1) {
            return Err(Violation::PeriodTooShort { pin, period_us, shortest_us });
        }
        if period_us > MAX_PWM_PERIOD_US {
            return Err(Violation::PeriodTooLong { pin, period_us, longest_us: MAX_PWM_PERIOD_US });
        }
        self.board.set_pwm(pin, period_us, pulse_us);
        self.driven(pulse_us > 0);
        self.progressed();
        Ok(())
    }

    pub(crate) fn stop_pwm(&mut self, pin: u32) -> Result<()> {
        self.check_pwm(pin)?;
        self.board.stop_pwm(pin);
        self.progressed();
        Ok(())
    }

    fn check_button(&self, pin: u32) -> Result<()> {
        if self.policy.senses(pin) { Ok(()) } else { Err(Violation::NotAnInput { pin }) }
    }

    fn check_pwm(&self, pin: u32) -> Result<()> {
        if self.policy.pulses(pin) { Ok(()) } else { Err(Violation::NotPwm { pin }) }
    }

    fn check_wait(&self, interface: &'static str, ms: u32) -> Result<()> {
        if ms > self.policy.wait_ms { Err(self.wait_too_long(interface)) } else { Ok(()) }
    }

    fn wait_too_long(&self, interface: &'static str) -> Violation {
        Violation::WaitTooLong { interface, longest_ms: self.policy.wait_ms }
    }

    /// When a wait of `ms` from now ends, and whether that is sooner because the policy wants an output before.
    fn timeout(&mut self, interface: &'static str, ms: u32) -> Result<(u64, bool)> {
        self.check_wait(interface, ms)?;
        let deadline_us = self.board.now_us() + u64::from(ms) * 1_000;
        let end_us = self.progress_end_us();
        Ok((deadline_us.min(end_us), end_us < deadline_us))
    }

    /// Sleeps until the deadline, or until the policy wants an output.
    fn sleep(&mut self, deadline_us: u64, timed: bool) -> Result<()> {
        let end_us = self.progress_end_us();
        self.board.sleep_until_us(deadline_us.min(end_us))?;
        if end_us < deadline_us {
            return Err(self.no_progress());
        }
        if timed {
            let late_us = self.board.now_us().saturating_sub(deadline_us);
            self.vitals.delay_late_us_max.keep_max(u32::try_from(late_us).unwrap_or(u32::MAX));
        }
        Ok(())
    }

    /// The guest drove a pin, with a change of level if `changed`.
    fn driven(&mut self, changed: bool) {
        if changed && !self.edge_seen {
            self.edge_seen = true;
            self.board.first_edge();
        }
    }

    /// The guest had an output.
    fn progressed(&mut self) {
        if self.policy.progress_ms > 0 {
            self.output_us = self.board.now_us();
        }
    }

    /// Until when the policy wants the next output.
    fn progress_end_us(&self) -> u64 {
        match self.policy.progress_ms {
            0 => u64::MAX,
            ms => self.output_us + u64::from(ms) * 1_000,
        }
    }

    fn no_progress(&self) -> Violation {
        Violation::NoProgress { longest_ms: self.policy.progress_ms }
    }
}
