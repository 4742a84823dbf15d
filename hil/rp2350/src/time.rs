//! Virtual time: when something happened on the board, exact and without rounding between clock domains.
//!
//! One unit is 1/12 GHz, so that a period of 12, 48, 96, 100, 125 or 150 MHz is a whole number of units and adding
//! periods never accumulates an error. 64 bits last for 48 years.

/// How many units make one second.
pub const UNITS_PER_SECOND: u64 = 12_000_000_000;

/// A point in virtual time, counted since the board got power.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment the board got power.
    pub const ZERO: Self = Self(0);

    /// A point in time from its distance to power-on in units of 1/12 GHz.
    pub const fn from_units(units: u64) -> Self {
        Self(units)
    }

    /// A point in time from its distance to power-on in nanoseconds (saturates after 48 years).
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos.saturating_mul(UNITS_PER_SECOND / 1_000_000_000))
    }

    /// Nanoseconds since power-on, rounded down.
    pub const fn as_nanos(self) -> u64 {
        self.0 / (UNITS_PER_SECOND / 1_000_000_000)
    }

    /// Units of 1/12 GHz since power-on.
    pub const fn units(self) -> u64 {
        self.0
    }
}
