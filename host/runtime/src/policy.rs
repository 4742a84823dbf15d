//! What a guest may use: the record in its image (TLV 0x00A0, `docs/src/reference/policy.md`), and the host's own, which narrows it.
//!
//! A record is taken whole or refused: a mask that names a pin twice, or a pull of no input, is a mistake of its author that
//! nobody may guess the meaning of. Bytes come from outside: parsing never panics.

use core::fmt;

/// The version this host reads.
const VERSION: u16 = 1;
/// Bytes of version 1. A longer record of the same version has fields that this host need not know.
const LENGTH: usize = 72;
/// The UART ports of the contract: `uart.write` and `uart.read` name them by a bit's number.
const MAX_PORT: u32 = 31;
/// Longest PWM period of the contract.
pub(crate) const MAX_PWM_PERIOD_US: u32 = 65_535;
const PERMILLE: u32 = 1000;

/// What a guest may use. A bit of a mask is a GPIO number, or a port's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Pins it may drive.
    pub outputs: u32,
    /// Those of `outputs` and `pwm` that go high when it fails; the others go low.
    pub safe_high: u32,
    /// Pins it may read.
    pub inputs: u32,
    /// Inputs that are pulled up.
    pub pull_up: u32,
    /// Inputs that are pulled down.
    pub pull_down: u32,
    /// Pins it may use with `pwm`.
    pub pwm: u32,
    /// Serial ports.
    pub uarts: u32,
    /// Bits a second on them; 0 if there are none.
    pub uart_baud: u32,
    /// Shortest PWM period.
    pub pwm_min_period_us: u32,
    /// All linear memory.
    pub memory_bytes: u32,
    /// All tables.
    pub table_elements: u32,
    /// Longest CPU time between two host calls.
    pub run_us: u32,
    /// Longest single delay or timeout.
    pub wait_ms: u32,
    /// Host calls in any one second.
    pub calls_per_second: u32,
    /// Share of the core's time, in thousandths.
    pub cpu_permille: u32,
    /// Longest time without an output; 0: not watched.
    pub progress_ms: u32,
    /// Failures in a row after which it is not started again.
    pub failures: u32,
}

/// Why a policy record is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It ends before its own length, or before the fields that every record has.
    #[error("policy truncated ({bytes} bytes): pack the guest again")]
    Truncated { bytes: usize },
    /// It was written by tools that are newer than this host.
    #[error("policy of version {version}, this host reads {VERSION}: use this host's tools")]
    Version { version: u16 },
    /// Two fields contradict each other.
    #[error("policy refused: {0}")]
    Inconsistent(Contradiction),
}

/// What in a policy does not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// The pin is in two of `outputs`, `inputs` and `pwm`.
    TwoUses { pin: u32 },
    /// The pin goes high on failure, and is no output.
    SafeNoOutput { pin: u32 },
    /// The pin has a pull, and is no input.
    PullNoInput { pin: u32 },
    /// The pin is pulled up and down.
    TwoPulls { pin: u32 },
    /// A port without a rate, or a rate without a port.
    Baud,
    /// More than the whole core, or nothing of it.
    CpuShare { permille: u32 },
    /// No time to run.
    NoRunTime,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoUses { pin } => write!(f, "GPIO {pin} is in two of outputs, inputs and pwm"),
            Self::SafeNoOutput { pin } => write!(f, "GPIO {pin} has a safe level but is no output"),
            Self::PullNoInput { pin } => write!(f, "GPIO {pin} has a pull but is no input"),
            Self::TwoPulls { pin } => write!(f, "GPIO {pin} is pulled up and down"),
            Self::Baud => f.write_str("uarts and uart-baud need each other"),
            Self::CpuShare { permille } => write!(f, "cpu-permille {permille} is not 1 to {PERMILLE}"),
            Self::NoRunTime => f.write_str("run-us is 0"),
        }
    }
}

impl Policy {
    /// What a guest without a policy may use: time, and the defaults of everything that is a number.
    pub const NONE: Self = Self {
        outputs: 0,
        safe_high: 0,
        inputs: 0,
        pull_up: 0,
        pull_down: 0,
        pwm: 0,
        uarts: 0,
        uart_baud: 0,
        pwm_min_period_us: 1000,
        memory_bytes: 4096,
        table_elements: 64,
        run_us: 10_000,
        wait_ms: 60_000,
        calls_per_second: 10_000,
        cpu_permille: PERMILLE,
        progress_ms: 0,
        failures: 3,
    };

    /// Reads a record.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub fn parse(tlv: &[u8]) -> Result<Self, PolicyError> {
        let truncated = PolicyError::Truncated { bytes: tlv.len() };
        let [v0, v1, l0, l1, ..] = *tlv else { return Err(truncated) };
        let version = u16::from_le_bytes([v0, v1]);
        if version != VERSION {
            return Err(PolicyError::Version { version });
        }
        let length = usize::from(u16::from_le_bytes([l0, l1]));
        if length < LENGTH || tlv.len() < length {
            return Err(truncated);
        }
        let (words, _) = tlv[4..LENGTH].as_chunks::<4>();
        let mut words = words.iter().map(|word| u32::from_le_bytes(*word));
        let mut next = || words.next().unwrap_or_default();
        // Fields in the record's order; the length was checked for all of them.
        let policy = Self {
            outputs: next(),
            safe_high: next(),
            inputs: next(),
            pull_up: next(),
            pull_down: next(),
            pwm: next(),
            uarts: next(),
            uart_baud: next(),
            pwm_min_period_us: next(),
            memory_bytes: next(),
            table_elements: next(),
            run_us: next(),
            wait_ms: next(),
            calls_per_second: next(),
            cpu_permille: next(),
            progress_ms: next(),
            failures: next(),
        };
        policy.check().map_err(PolicyError::Inconsistent)?;
        Ok(policy)
    }

    fn check(&self) -> Result<(), Contradiction> {
        let none_of = |mask: u32, error: fn(u32) -> Contradiction| match mask {
            0 => Ok(()),
            mask => Err(error(mask.trailing_zeros())),
        };
        let twice = self.outputs & self.inputs | self.outputs & self.pwm | self.inputs & self.pwm;
        none_of(twice, |pin| Contradiction::TwoUses { pin })?;
        none_of(self.safe_high & !(self.outputs | self.pwm), |pin| Contradiction::SafeNoOutput { pin })?;
        none_of((self.pull_up | self.pull_down) & !self.inputs, |pin| Contradiction::PullNoInput { pin })?;
        none_of(self.pull_up & self.pull_down, |pin| Contradiction::TwoPulls { pin })?;
        if (self.uarts == 0) != (self.uart_baud == 0) {
            return Err(Contradiction::Baud);
        }
        if !(1..=PERMILLE).contains(&self.cpu_permille) {
            return Err(Contradiction::CpuShare { permille: self.cpu_permille });
        }
        if self.run_us == 0 {
            return Err(Contradiction::NoRunTime);
        }
        Ok(())
    }

    /// What both allow: a mask is intersected, of a number the stricter is kept. Levels, pulls and the rate are the guest's
    /// own where it keeps the pin or port.
    #[must_use]
    pub fn narrow(&self, host: &Self) -> Self {
        let outputs = self.outputs & host.outputs;
        let inputs = self.inputs & host.inputs;
        let pwm = self.pwm & host.pwm;
        let uarts = self.uarts & host.uarts;
        Self {
            outputs,
            safe_high: self.safe_high & (outputs | pwm),
            inputs,
            pull_up: self.pull_up & inputs,
            pull_down: self.pull_down & inputs,
            pwm,
            uarts,
            // A port at another rate than the guest was written for would be no use to it: the host's masks say yes or no.
            uart_baud: if uarts == 0 { 0 } else { self.uart_baud },
            pwm_min_period_us: self.pwm_min_period_us.max(host.pwm_min_period_us),
            memory_bytes: self.memory_bytes.min(host.memory_bytes),
            table_elements: self.table_elements.min(host.table_elements),
            run_us: self.run_us.min(host.run_us),
            wait_ms: self.wait_ms.min(host.wait_ms),
            calls_per_second: self.calls_per_second.min(host.calls_per_second),
            cpu_permille: self.cpu_permille.min(host.cpu_permille),
            progress_ms: match (self.progress_ms, host.progress_ms) {
                (0, other) | (other, 0) => other,
                (guest, host) => guest.min(host),
            },
            failures: self.failures.min(host.failures),
        }
    }

    /// Whether the guest may drive `pin` by `gpio`.
    pub(crate) fn drives(&self, pin: u32) -> bool {
        has(self.outputs, pin)
    }

    /// Whether the guest may read `pin`: an input, or an output of its own.
    pub(crate) fn reads(&self, pin: u32) -> bool {
        has(self.inputs | self.outputs, pin)
    }

    pub(crate) fn senses(&self, pin: u32) -> bool {
        has(self.inputs, pin)
    }

    pub(crate) fn pulses(&self, pin: u32) -> bool {
        has(self.pwm, pin)
    }

    pub(crate) fn talks(&self, port: u32) -> bool {
        has(self.uarts, port)
    }
}

/// Whether `mask` has the bit; no mask has one beyond its width.
fn has(mask: u32, bit: u32) -> bool {
    bit <= MAX_PORT && mask & (1 << bit) != 0
}
