//! How a guest can end, in words for the person who wrote it.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use wasmtime::WasmBacktrace;

use crate::Policy;

/// What a guest did that its policy or the contract forbids; it traps with this. Formatted with the guest's name by
/// [`Violation::of`], and only after its pins are safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// `gpio`: it drives a pin that is none of its outputs.
    NotAnOutput { pin: u32 },
    /// `gpio`: it reads a pin that is none of its inputs and outputs.
    NotReadable { pin: u32 },
    /// `button`: it asks for a pin that is none of its inputs.
    NotAnInput { pin: u32 },
    /// `button`: it asks for an edge that the contract does not know.
    NoSuchEdge { edge: u32 },
    /// `pwm`: it asks for a pin that it may not use so.
    NotPwm { pin: u32 },
    /// `pwm`: the period is shorter than its policy's shortest.
    PeriodTooShort { pin: u32, period_us: u32, shortest_us: u32 },
    /// `pwm`: the period is longer than the contract's longest.
    PeriodTooLong { pin: u32, period_us: u32, longest_us: u32 },
    /// `uart`: it asks for a port that is not in its policy.
    NoPort { port: u32 },
    /// `uart`: it names bytes outside its memory.
    OutsideMemory { pointer: u32, bytes: u32 },
    /// It asks for a longer delay or timeout than its policy's longest.
    WaitTooLong { interface: &'static str, longest_ms: u32 },
    /// It made more host calls in a second than its policy allows.
    TooManyCalls { per_second: u32 },
    /// It had no output for longer than its policy allows.
    NoProgress { longest_ms: u32 },
    /// It ran for longer without a host call than its policy allows. The host finds this out, not the runtime.
    RanTooLong { longest_us: u32 },
    /// Its start needs more linear memory than its policy gives: it is refused.
    TooMuchMemory { needed: usize, limit: u32 },
    /// Its start needs larger tables than its policy gives: it is refused.
    TooManyElements { needed: usize, limit: u32 },
    /// The host has ended it; nothing is wrong with it.
    Stopped,
}

impl Violation {
    /// The violation in words, by a guest called `name`.
    #[must_use]
    pub fn of<'a>(&'a self, name: &'a str) -> impl fmt::Display + 'a {
        By { violation: self, name }
    }
}

struct By<'a> {
    violation: &'a Violation,
    name: &'a str,
}

impl fmt::Display for By<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match *self.violation {
            Violation::NotAnOutput { pin } => write!(f, "gpio: GPIO {pin} is not an output of {name}'s policy"),
            Violation::NotReadable { pin } => {
                write!(f, "gpio: GPIO {pin} is neither an input nor an output of {name}'s policy")
            }
            Violation::NotAnInput { pin } => write!(f, "button: GPIO {pin} is not an input of {name}'s policy"),
            Violation::NoSuchEdge { edge } => write!(f, "button: edge {edge} of {name} does not exist"),
            Violation::NotPwm { pin } => write!(f, "pwm: GPIO {pin} is not a pwm pin of {name}'s policy"),
            Violation::PeriodTooShort { pin, period_us, shortest_us } => {
                write!(
                    f,
                    "pwm: GPIO {pin}: {period_us} us is below the shortest period of {name}'s policy, {shortest_us} us"
                )
            }
            Violation::PeriodTooLong { pin, period_us, longest_us } => {
                write!(
                    f,
                    "pwm: GPIO {pin}: {period_us} us asked by {name} is above the longest period, {longest_us} us"
                )
            }
            Violation::NoPort { port } => write!(f, "uart: port {port} is not in {name}'s policy"),
            Violation::OutsideMemory { pointer, bytes } => {
                write!(f, "uart: {bytes} bytes at {pointer} are not in the memory of {name}")
            }
            Violation::WaitTooLong { interface, longest_ms } => {
                write!(f, "{interface}: a wait above the longest of {name}'s policy, {longest_ms} ms")
            }
            Violation::TooManyCalls { per_second } => {
                write!(f, "more host calls in a second than {name}'s policy allows, {per_second}")
            }
            Violation::NoProgress { longest_ms } => {
                write!(f, "no output for longer than {name}'s policy allows, {longest_ms} ms")
            }
            Violation::RanTooLong { longest_us } => {
                write!(f, "ran without a host call for longer than {name}'s policy allows, {longest_us} us")
            }
            Violation::TooMuchMemory { needed, limit } => {
                write!(f, "{name} needs {needed} bytes of memory, its policy gives {limit}: build it with less")
            }
            Violation::TooManyElements { needed, limit } => {
                write!(f, "{name} needs tables of {needed} elements, its policy gives {limit}: build it with less")
            }
            Violation::Stopped => f.write_str("stopped by the host"),
        }
    }
}

/// Of an unnamed guest: Wasmtime's errors want it. Users read [`Violation::of`].
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        By { violation: self, name: "the guest" }.fmt(f)
    }
}

impl core::error::Error for Violation {}

/// Where in its core module a guest was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the function in the module's index space, imports included.
    pub function: u32,
    /// Offset of the instruction in `core.wasm`, in bytes.
    pub offset: u32,
}

/// Why a guest trapped, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// One line of ASCII.
    pub reason: String,
    /// Nothing if the guest was not in a function of its own.
    pub place: Option<Place>,
}

/// As in the console's line: `<reason>; function <index>, offset 0x<hex>`.
impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        match self.place {
            Some(Place { function, offset }) => write!(f, "; function {function}, offset 0x{offset:x}"),
            None => Ok(()),
        }
    }
}

/// How a guest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It could not be started: made for another host, imports something unknown, or needs more than its policy gives.
    Refused(String),
    /// It did something it may not do.
    Trapped(Trap),
    /// `run` returned.
    Returned,
    /// The board asked for an end ([`crate::Stop`]).
    Stopped,
}

impl Outcome {
    /// A guest that did not start, for the reason in `error`: its own start function may have ended it.
    pub(crate) fn not_started(error: &wasmtime::Error, name: &str, policy: &Policy) -> Self {
        match error.downcast_ref::<Violation>() {
            None if error.is::<wasmtime::Trap>() => Self::ended(error, name, policy),
            None => Self::refused(error),
            Some(violation @ (Violation::TooMuchMemory { .. } | Violation::TooManyElements { .. })) => {
                Self::Refused(violation.of(name).to_string())
            }
            Some(_) => Self::ended(error, name, policy),
        }
    }

    /// A guest that could not be started, for the reason in `error`.
    pub(crate) fn refused(error: &wasmtime::Error) -> Self {
        Self::Refused(one_line(error))
    }

    /// A guest that was running, for the reason in `error`.
    pub(crate) fn ended(error: &wasmtime::Error, name: &str, policy: &Policy) -> Self {
        let reason = match error.downcast_ref::<Violation>() {
            Some(Violation::Stopped) => return Self::Stopped,
            Some(violation) => violation.of(name).to_string(),
            None => match error.downcast_ref::<wasmtime::Trap>() {
                // Only where fuel counts run time.
                Some(wasmtime::Trap::OutOfFuel) => {
                    Violation::RanTooLong { longest_us: policy.run_us }.of(name).to_string()
                }
                Some(trap) => trap.to_string(),
                None => one_line(error),
            },
        };
        let frame = error.downcast_ref::<WasmBacktrace>().and_then(|trace| trace.frames().first());
        let place = frame.and_then(|frame| {
            let offset = u32::try_from(frame.module_offset()?).ok()?;
            Some(Place { function: frame.func_index(), offset })
        });
        Self::Trapped(Trap { reason, place })
    }
}

/// The console's words after the guest's name, but for those that only the firmware knows.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(f, "refused: {reason}"),
            Self::Trapped(trap) => write!(f, "trapped: {trap}"),
            Self::Returned => f.write_str("returned"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// The whole chain of causes on one line of ASCII, because the console has lines.
fn one_line(error: &wasmtime::Error) -> String {
    format!("{error:#}")
        .chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_ascii() && !c.is_ascii_control() => c,
            _ => '?',
        })
        .collect()
}
