//! What a guest can call, and what the board has to do for it.

use wasmtime::component::HasData;
use wasmtime::{ResourceLimiter, Result};

use crate::{Error, Pacer, Vitals};

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "blinky",
    imports: { default: trappable },
});

/// A board asks for the guest's end: a simulated one whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

/// The machine under a guest. Times are in microseconds since an arbitrary start, and never go back.
pub trait Board: Send + 'static {
    /// Drives `pin` high or low, as an output, before it returns. The first use of a pin makes it an output without
    /// a glitch.
    ///
    /// # Errors
    /// The pin does not exist, or the host keeps it for itself; it is left alone.
    fn set_pin(&mut self, pin: u32, high: bool) -> Result<(), Error>;

    /// Now.
    fn now_us(&mut self) -> u64;

    /// Sleeps; returns at `deadline_us` or soon after, never before. A deadline in the past returns at once.
    ///
    /// # Errors
    /// [`Stop`] ends the guest.
    fn sleep_until_us(&mut self, deadline_us: u64) -> Result<(), Stop>;

    /// Counter of CPU cycles, modulo 2^32, from 0 at reset. It may stand still during sleep. 0 where there is none.
    fn cycles(&mut self) -> u32;
}

/// The state of one guest's imports.
pub(crate) struct Platform<B> {
    pub(crate) board: B,
    vitals: &'static Vitals,
    pacer: Pacer,
    limiter: MemoryLimit,
    /// Levels as the guest has set them; a pin it has not named is low.
    levels: u64,
    edge_seen: bool,
    /// Cycle counter when the last host function returned.
    returned_at: Option<u32>,
}

impl<B: Board> Platform<B> {
    pub(crate) fn new(board: B, vitals: &'static Vitals, memory_bytes: usize) -> Self {
        Self {
            board,
            vitals,
            pacer: Pacer::default(),
            limiter: MemoryLimit { limit: memory_bytes, used: 0, starting: true, vitals },
            levels: 0,
            edge_seen: false,
            returned_at: None,
        }
    }

    pub(crate) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.limiter
    }

    /// From now on a guest that asks for more memory gets the answer no, instead of being refused.
    pub(crate) fn started(&mut self) {
        self.limiter.starting = false;
    }

    fn set_pin(&mut self, pin: u32, high: bool) -> Result<()> {
        self.board.set_pin(pin, high)?;
        if !self.edge_seen {
            // The board has accepted the pin, so it is a small number; one above 63 has no level to remember.
            let bit = 1_u64.checked_shl(pin).unwrap_or(0);
            let level = if high { bit } else { 0 };
            self.edge_seen = self.levels & bit != level;
            self.levels = (self.levels & !bit) | level;
            if self.edge_seen {
                let now = self.board.cycles();
                self.vitals.boot_to_first_edge_cycles.set(now);
            }
        }
        self.account(0);
        Ok(())
    }

    fn delay(&mut self, ms: u32) -> Result<()> {
        let now_us = self.board.now_us();
        let deadline_us = self.pacer.deadline_us(now_us, ms);
        let asleep_at = self.board.cycles();
        self.board.sleep_until_us(deadline_us).map_err(|Stop| Error::Stopped)?;
        let awake_at = self.board.cycles();
        if ms > 0 {
            let late_us = self.board.now_us().saturating_sub(deadline_us);
            self.vitals.delay_late_us_max.keep_max(u32::try_from(late_us).unwrap_or(u32::MAX));
        }
        self.account(awake_at.wrapping_sub(asleep_at));
        Ok(())
    }

    /// Books one host call, of which the board slept `asleep` cycles.
    fn account(&mut self, asleep: u32) {
        let now = self.board.cycles();
        let vitals = self.vitals;
        if let Some(returned_at) = self.returned_at {
            let spent = now.wrapping_sub(returned_at).wrapping_sub(asleep);
            vitals.call_cycles_last.set(spent);
            vitals.call_cycles_max.keep_max(spent);
            let least = vitals.call_cycles_min.get();
            if least == 0 || spent < least {
                vitals.call_cycles_min.set(spent);
            }
        }
        vitals.host_calls.count();
        self.returned_at = Some(now);
    }
}

impl<B: Board> embedded::platform::gpio::Host for Platform<B> {
    fn set_high(&mut self, pin: u32) -> Result<()> {
        self.set_pin(pin, true)
    }

    fn set_low(&mut self, pin: u32) -> Result<()> {
        self.set_pin(pin, false)
    }
}

impl<B: Board> embedded::platform::timing::Host for Platform<B> {
    fn delay_ms(&mut self, ms: u32) -> Result<()> {
        self.delay(ms)
    }
}

/// Tells the generated linker code that the imports live in the store itself.
pub(crate) struct InStore<B>(core::marker::PhantomData<B>);

impl<B: Board> HasData for InStore<B> {
    type Data<'a> = &'a mut Platform<B>;
}

/// Bounds the sum of a guest's linear memories.
struct MemoryLimit {
    limit: usize,
    used: usize,
    starting: bool,
    vitals: &'static Vitals,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        // Wasmtime would refuse it too, but only after it is booked here.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let needed = self.used.saturating_add(desired - current);
        if needed > self.limit {
            if self.starting {
                return Err(Error::TooMuchMemory { needed, limit: self.limit }.into());
            }
            return Ok(false);
        }
        self.used = needed;
        self.vitals.guest_memory.set_size(needed);
        Ok(true)
    }

    /// Component instances and tables cost little; the linear memory is what can grow.
    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        Ok(desired <= self.limit / size_of::<usize>())
    }
}
