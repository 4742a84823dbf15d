//! What a board does for its guest.
//!
//! The runtime has checked the policy before it calls: pins and ports exist and the guest may use them this way; periods
//! and lengths are within bounds. Times are in microseconds since the host started and never go back.

/// A board asks for the guest's end, for instance a simulated one whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

/// The machine under one guest. Each guest has a board value of its own; what they share is the board's affair.
pub trait Board: Send + 'static {
    /// Drives `pin` high or low before it returns. The first use of a pin makes it an output without a glitch.
    fn set_pin(&mut self, pin: u32, high: bool);

    /// Drives `pin` to the opposite of what it was last driven to; high if it was never driven.
    fn toggle_pin(&mut self, pin: u32);

    /// The level of `pin`, an input or an output.
    fn read_pin(&mut self, pin: u32) -> bool;

    /// Waits for an edge of the input `pin`, until `deadline_us` at most: true if there was one. An edge since the previous
    /// wait for this edge of this pin returned counts; none from before the first wait does.
    ///
    /// # Errors
    /// [`Stop`] ends the guest.
    fn wait_edge(&mut self, pin: u32, rising: bool, deadline_us: u64) -> Result<bool, Stop>;

    /// Takes `bytes` for sending, in order; waits while it has no room.
    ///
    /// # Errors
    /// [`Stop`] ends the guest.
    fn uart_write(&mut self, port: u32, bytes: &[u8]) -> Result<(), Stop>;

    /// The next byte received, waiting until `deadline_us` at most.
    ///
    /// # Errors
    /// [`Stop`] ends the guest.
    fn uart_read(&mut self, port: u32, deadline_us: u64) -> Result<Option<u8>, Stop>;

    /// Pulses of `pulse_us` every `period_us` (at most 65 535), from the next period on. A pulse of 0 is steady low, one of
    /// the period or more steady high.
    fn set_pwm(&mut self, pin: u32, period_us: u32, pulse_us: u32);

    /// Ends the pulses; the pin is low.
    fn stop_pwm(&mut self, pin: u32);

    /// Now.
    fn now_us(&mut self) -> u64;

    /// Sleeps; returns at `deadline_us` or soon after, never before. A deadline in the past returns at once.
    ///
    /// # Errors
    /// [`Stop`] ends the guest.
    fn sleep_until_us(&mut self, deadline_us: u64) -> Result<(), Stop>;

    /// Counter of CPU cycles that this guest used, modulo 2^32; waiting and other threads do not count. 0 where there is none.
    fn cycles(&mut self) -> u32;

    /// The guest's first call to the host is about to be served: gives the time from which its first delay counts. A board
    /// whose sleeps end a little late sleeps for a moment first and gives that sleep's deadline, so that the first
    /// edge is as late against it as every later one against its own.
    ///
    /// # Errors
    /// [`Stop`] ends the guest.
    fn begin(&mut self) -> Result<u64, Stop> {
        Ok(self.now_us())
    }

    /// The guest has made so many operations since its last call, where they are counted ([`crate::OPERATIONS_PER_US`]): a
    /// simulated board lets its time pass.
    fn worked(&mut self, operations: u64) {
        let _ = operations;
    }

    /// The guest has just changed the level of a pin for the first time.
    fn first_edge(&mut self) {}

    /// A host call is about to return: the next `run_us` of the policy begin.
    ///
    /// # Errors
    /// [`Stop`] ends the guest, even one that never waits.
    fn call_ends(&mut self) -> Result<(), Stop> {
        Ok(())
    }

    /// The guest trapped. The first thing that happens: outputs go to their safe levels now.
    fn failed(&mut self) {}
}
