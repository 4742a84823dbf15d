//! A board that records what it is asked for and whose clock moves only when told; and guests to run on it.

use sandhill_runtime::{Board, GuestVitals, Policy, Stop};

/// Everything a guest of these tests may use.
pub const POLICY: Policy = Policy {
    outputs: 1 << 15 | 1 << 25,
    safe_high: 1 << 15,
    inputs: 1 << 14,
    pull_up: 1 << 14,
    pwm: 1 << 16 | 1 << 31,
    uarts: 1 << 1,
    uart_baud: 115_200,
    ..Policy::NONE
};

/// What the board was asked for, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Set(u32, bool),
    Toggle(u32),
    Pwm(u32, u32, u32),
    PwmStop(u32),
    Write(u32, Vec<u8>),
    Failed,
}

pub struct FakeBoard {
    pub now_us: u64,
    /// What each call to a pin costs the guest.
    pub call_us: u64,
    /// How late a sleep ends.
    pub late_us: u64,
    /// What the guest itself needs from one call to the next.
    pub gap_us: u64,
    /// What of the time the guest was running.
    pub busy_us: u64,
    /// Sleeps for so long before the guest's first call.
    pub begin_us: u64,
    pub stop_at_us: u64,
    pub acts: Vec<(u64, Act)>,
    /// The level of every input.
    pub input: bool,
    /// Edges of any input that are still to come: time and whether it rises.
    pub edges: Vec<(u64, bool)>,
    /// Bytes that are still to come, and when.
    pub bytes: Vec<(u64, u8)>,
    pub first_edges: u32,
    /// It is asked for nothing that this does not allow.
    pub policy: Policy,
}

impl FakeBoard {
    pub fn new(policy: Policy) -> Self {
        Self {
            now_us: 0,
            call_us: 0,
            late_us: 0,
            gap_us: 0,
            busy_us: 0,
            begin_us: 0,
            stop_at_us: u64::MAX,
            acts: Vec::new(),
            input: true,
            edges: Vec::new(),
            bytes: Vec::new(),
            first_edges: 0,
            policy,
        }
    }

    fn act(&mut self, act: Act) {
        self.acts.push((self.now_us, act));
        self.now_us += self.call_us;
        self.busy_us += self.call_us;
    }

    /// Takes the first of `events` that comes before the deadline, and waits for it or for the deadline.
    fn next<T: Copy>(
        &mut self,
        events: impl Fn(&mut Self) -> &mut Vec<(u64, T)>,
        wanted: impl Fn(T) -> bool,
        deadline_us: u64,
    ) -> Result<Option<T>, Stop> {
        let position = events(self).iter().position(|(at, event)| *at <= deadline_us && wanted(*event));
        match position {
            Some(position) => {
                let (at, event) = events(self).remove(position);
                self.now_us = self.now_us.max(at);
                Ok(Some(event))
            }
            None => self.sleep_until_us(deadline_us).map(|()| None),
        }
    }
}

impl Board for FakeBoard {
    fn set_pin(&mut self, pin: u32, high: bool) {
        assert!(self.policy.outputs & 1 << pin != 0);
        self.act(Act::Set(pin, high));
    }

    fn toggle_pin(&mut self, pin: u32) {
        assert!(self.policy.outputs & 1 << pin != 0);
        self.act(Act::Toggle(pin));
    }

    fn read_pin(&mut self, pin: u32) -> bool {
        assert!((self.policy.outputs | self.policy.inputs) & 1 << pin != 0);
        self.input
    }

    fn wait_edge(&mut self, pin: u32, rising: bool, deadline_us: u64) -> Result<bool, Stop> {
        assert!(self.policy.inputs & 1 << pin != 0);
        assert!(deadline_us <= self.now_us + u64::from(self.policy.wait_ms) * 1000);
        Ok(self.next(|board| &mut board.edges, |edge| edge == rising, deadline_us)?.is_some())
    }

    fn uart_write(&mut self, port: u32, bytes: &[u8]) -> Result<(), Stop> {
        assert!(self.policy.uarts & 1 << port != 0);
        self.act(Act::Write(port, bytes.to_vec()));
        Ok(())
    }

    fn uart_read(&mut self, port: u32, deadline_us: u64) -> Result<Option<u8>, Stop> {
        assert!(self.policy.uarts & 1 << port != 0);
        assert!(deadline_us <= self.now_us + u64::from(self.policy.wait_ms) * 1000);
        self.next(|board| &mut board.bytes, |_| true, deadline_us)
    }

    fn set_pwm(&mut self, pin: u32, period_us: u32, pulse_us: u32) {
        assert!(self.policy.pwm & 1 << pin != 0);
        assert!((self.policy.pwm_min_period_us.max(1)..=65_535).contains(&period_us));
        self.act(Act::Pwm(pin, period_us, pulse_us));
    }

    fn stop_pwm(&mut self, pin: u32) {
        assert!(self.policy.pwm & 1 << pin != 0);
        self.act(Act::PwmStop(pin));
    }

    fn now_us(&mut self) -> u64 {
        self.now_us
    }

    fn sleep_until_us(&mut self, deadline_us: u64) -> Result<(), Stop> {
        assert!(deadline_us <= self.now_us + u64::from(self.policy.wait_ms) * 1000);
        if deadline_us > self.stop_at_us {
            return Err(Stop);
        }
        if deadline_us > self.now_us {
            self.now_us = deadline_us + self.late_us;
        }
        Ok(())
    }

    /// A million cycles a second.
    fn cycles(&mut self) -> u32 {
        self.busy_us as u32
    }

    fn call_ends(&mut self) -> Result<(), Stop> {
        self.now_us += self.gap_us;
        Ok(())
    }

    fn begin(&mut self) -> Result<u64, Stop> {
        let start_us = self.now_us + self.begin_us;
        self.sleep_until_us(start_us)?;
        Ok(start_us)
    }

    fn first_edge(&mut self) {
        self.first_edges += 1;
    }

    fn failed(&mut self) {
        self.acts.push((self.now_us, Act::Failed));
    }
}

/// Vitals of a slot's whole life.
pub fn vitals() -> &'static GuestVitals {
    Box::leak(Box::default())
}

/// Every function of the contract, as a core module imports it.
pub const IMPORTS: [(&str, &str, &str, &str); 13] = [
    ("$high", "gpio", "set-high", "(param i32)"),
    ("$low", "gpio", "set-low", "(param i32)"),
    ("$toggle", "gpio", "toggle", "(param i32)"),
    ("$is_high", "gpio", "is-high", "(param i32) (result i32)"),
    ("$delay", "timing", "delay-ms", "(param i32)"),
    ("$until", "timing", "delay-until", "(param i64)"),
    ("$now", "timing", "now-us", "(result i64)"),
    ("$pressed", "button", "is-pressed", "(param i32) (result i32)"),
    ("$wait", "button", "wait", "(param i32 i32 i32) (result i32)"),
    ("$write", "uart", "write", "(param i32 i32 i32)"),
    ("$read", "uart", "read", "(param i32 i32 i32)"),
    ("$pwm", "pwm", "set", "(param i32 i32 i32)"),
    ("$stop", "pwm", "stop", "(param i32)"),
];

/// A core module whose `run` is `body`, with those imports that it calls. `fields` are further fields of the module; one
/// KiB of memory is among them unless they have one.
pub fn guest(fields: &str, body: &str) -> String {
    let mut text = String::from("(module\n");
    for (name, interface, function, ty) in IMPORTS {
        if [fields, body]
            .iter()
            .any(|part| part.contains(&format!("(call {name} ")) || part.contains(&format!("(call {name})")))
        {
            text += &format!("(import \"embedded:platform/{interface}@0.2.0\" \"{function}\" (func {name} {ty}))\n");
        }
    }
    if !fields.contains("(memory ") {
        text += "(memory (export \"memory\") 1024 1024 (pagesize 1))\n";
    }
    text + fields + "\n(func (export \"run\") " + body + "))"
}

/// Half a second on, half a second off, for ever.
pub fn blinky() -> String {
    guest(
        "",
        "(loop $for_ever
            (call $high (i32.const 25)) (call $delay (i32.const 500))
            (call $low (i32.const 25)) (call $delay (i32.const 500))
            (br $for_ever))",
    )
}
