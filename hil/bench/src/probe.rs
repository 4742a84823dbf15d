//! The probe between client and board: it carries out [`Command`]s on the SWD wire.
//!
//! Promises what a Black Magic Probe does: turnaround cycles when the line's direction changes; transfers and memory
//! accesses of its own only on a wire that a line reset and a read of DPIDR have connected; errors are reported, then
//! cleared, so that one bad address does not end a session. When a command takes effect is the board thread's business.

use rp2350_model::{DebugPort, Line, Rp2350};

use crate::remote::{Access, Command, Reply};
use crate::swd::{ABORT_CLEAR_ERRORS, ABORT_DPIDR, Dap, NoData, Request, Wire};

/// What the probe says it is. Clients show it and look for nothing in it.
const IDENTITY: &str = concat!("Virtual bench ", env!("CARGO_PKG_VERSION"));
/// Remote protocol version: 4 is the first with ADIv6.
const PROTOCOL_VERSION: u64 = 4;
/// Accelerated accesses: bit 0 ADIv5 debug port, bit 3 ADIv6.
const ACCELERATORS: u64 = 0b1001;
/// A real probe's limit. Nothing depends on it here: bits take no time.
const DEFAULT_FREQUENCY_HZ: u32 = 4_000_000;

/// The probe's own state; it stays plugged into the board when its client leaves.
#[derive(Debug)]
pub struct Probe {
    wire: Wire,
    drives_swdio: bool,
    frequency_hz: u32,
}

impl Default for Probe {
    fn default() -> Self {
        Self { wire: Wire::new(), drives_swdio: true, frequency_hz: DEFAULT_FREQUENCY_HZ }
    }
}

impl Probe {
    /// Carries out a command, at the chip's present time.
    pub fn execute(&mut self, chip: &mut Rp2350, command: Command) -> Reply {
        match command {
            Command::Version => Reply::Text(IDENTITY),
            Command::ProtocolVersion => Reply::Value(PROTOCOL_VERSION),
            Command::Accelerators => Reply::Value(ACCELERATORS),
            Command::Voltage => Reply::Text("3.3V"),
            Command::SetReset(low) => {
                chip.set_run(!low);
                if low {
                    // RUN resets the chip's debug port, its end of the wire included.
                    self.wire = Wire::new();
                }
                Reply::Value(0)
            }
            Command::GetReset => Reply::Value(u64::from(!chip.level(Line::Run))),
            Command::SetFrequency(hz) => {
                self.frequency_hz = hz;
                Reply::Value(0)
            }
            Command::GetFrequency => Reply::Bytes(self.frequency_hz.to_le_bytes().to_vec()),
            Command::ClockOutput => Reply::Value(0),
            Command::SwdInit => {
                self.drives_swdio = true;
                Reply::Value(0)
            }
            Command::SwdOut { bits, value, parity } => {
                self.swd_out(&mut chip.debug(), bits, value, parity);
                Reply::Value(0)
            }
            Command::SwdIn { bits, parity } => self.swd_in(&mut chip.debug(), bits, parity),
            Command::JtagOut => Reply::Value(0),
            // The chip has no JTAG: TDO is pulled up.
            Command::JtagInOut { bits } => Reply::Value((1 << bits) - 1),
            Command::Access(access) => {
                let mut dap = chip.debug();
                let reply = self.access(&mut dap, access);
                reply.unwrap_or_else(|error| {
                    self.recover(&mut dap);
                    Reply::Target(error)
                })
            }
        }
    }

    fn access(&mut self, dap: &mut DebugPort, access: Access) -> Result<Reply, NoData> {
        if !self.wire.connected() {
            return Err(NoData::NoResponse);
        }
        let word = |value: u32| Reply::Bytes(value.to_le_bytes().to_vec());
        match access {
            Access::DpRead { request } => {
                let value = self.wire.transfer(dap, request, 0)?;
                if !request.ap {
                    return Ok(word(value));
                }
                let rdbuff = Request { ap: false, read: true, addr: 0xc };
                Ok(word(self.wire.transfer(dap, rdbuff, 0)?))
            }
            Access::Adiv5ApRead => Ok(word(0)),
            Access::Transfer { request, value } => Ok(word(self.wire.transfer(dap, request, value)?)),
            Access::ApRead { ap, reg } => {
                let value = dap.ap_read(ap, reg);
                Ok(word(self.wire.note(value)?))
            }
            Access::ApWrite { ap, reg, value } => {
                let outcome = dap.ap_write(ap, reg, value);
                self.wire.note(outcome)?;
                Ok(Reply::Value(0))
            }
            Access::MemRead { ap, csw, addr, len } => {
                let mut data = vec![0; len];
                let outcome = dap.mem_read(ap, csw, addr, &mut data);
                self.wire.note(outcome)?;
                Ok(Reply::Bytes(data))
            }
            Access::MemWrite { ap, csw, size, addr, data } => {
                let outcome = dap.mem_write(ap, csw, size, addr, &data);
                self.wire.note(outcome)?;
                Ok(Reply::Value(0))
            }
        }
    }

    /// Clears the error flags after they have been reported.
    fn recover(&mut self, dap: &mut DebugPort) {
        let abort = Request { ap: false, read: false, addr: ABORT_DPIDR };
        // A wire that is not connected has no flags to clear; the client hears of that at its next access.
        let _ = self.wire.transfer(dap, abort, ABORT_CLEAR_ERRORS);
    }

    fn turn(&mut self, dap: &mut impl Dap, drive: bool) {
        if self.drives_swdio != drive {
            self.wire.clock(dap, None);
            self.drives_swdio = drive;
        }
    }

    fn swd_out(&mut self, dap: &mut impl Dap, bits: u8, value: u32, parity: bool) {
        self.turn(dap, true);
        let mut odd = false;
        for k in 0..bits {
            let bit = value >> k & 1 != 0;
            odd ^= bit;
            self.wire.clock(dap, Some(bit));
        }
        if parity {
            self.wire.clock(dap, Some(odd));
        }
    }

    fn swd_in(&mut self, dap: &mut impl Dap, bits: u8, parity: bool) -> Reply {
        self.turn(dap, false);
        let value = (0..bits).fold(0, |value, k| value | u32::from(self.wire.clock(dap, None)) << k);
        if parity {
            let even = u32::from(self.wire.clock(dap, None)) == value.count_ones() % 2;
            self.turn(dap, true);
            if !even {
                return Reply::BadParity(value);
            }
        }
        Reply::Value(u64::from(value))
    }
}
