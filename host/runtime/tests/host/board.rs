//! A board made of a list of edges and a clock that moves only when told, and guests to run on it.

use sandhill_runtime::{Board, Error, Limits, Stop, Vitals};

pub const BLINKY: &str = include_str!("../guests/blinky.wat");
pub const TRAP: &str = include_str!("../guests/trap.wat");
pub const RETURN: &str = include_str!("../guests/return.wat");
pub const FOREIGN_IMPORT: &str = include_str!("../guests/foreign_import.wat");

pub const LIMITS: Limits = Limits { memory_bytes: 4096, stack_bytes: 4096 };

pub struct FakeBoard {
    pub now_us: u64,
    /// What each call to the board costs the guest.
    pub call_us: u64,
    /// How late a sleep ends.
    pub late_us: u64,
    pub stop_at_us: u64,
    /// Time, pin, level.
    pub edges: Vec<(u64, u32, bool)>,
}

impl FakeBoard {
    pub fn new() -> Self {
        Self { now_us: 0, call_us: 0, late_us: 0, stop_at_us: u64::MAX, edges: Vec::new() }
    }
}

impl Board for FakeBoard {
    fn set_pin(&mut self, pin: u32, high: bool) -> Result<(), Error> {
        if pin > 29 {
            return Err(Error::NoSuchPin { pin, last: 29 });
        }
        if pin < 2 {
            return Err(Error::ReservedPin { pin, used_for: "console" });
        }
        self.edges.push((self.now_us, pin, high));
        self.now_us += self.call_us;
        Ok(())
    }

    fn now_us(&mut self) -> u64 {
        self.now_us
    }

    fn sleep_until_us(&mut self, deadline_us: u64) -> Result<(), Stop> {
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
        self.now_us as u32
    }
}

/// Vitals of a host's whole life.
pub fn vitals() -> &'static Vitals {
    Box::leak(Box::default())
}

/// A component whose `run` is `body`, which may call `$high`, `$low` and `$delay`. `fields` are further fields of its module.
pub fn guest(fields: &str, body: &str) -> String {
    let looped = BLINKY.find("      (loop $for_ever").expect("blinky.wat has its loop");
    let end = BLINKY.find("(br $for_ever))").expect("blinky.wat has its loop") + "(br $for_ever))".len();
    let run = BLINKY.find("    (func (export \"run\")\n").expect("blinky.wat has its run");
    [&BLINKY[..run], fields, &BLINKY[run..looped], body, &BLINKY[end..]].concat()
}
