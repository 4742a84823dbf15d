//! The SWD wire: what the chip's SW-DP makes of single clock cycles on SWCLK and SWDIO.
//!
//! Promises the framing of ADIv6 (Arm IHI 0074, chapter B4): line reset, requests, parity, turnaround, acknowledgements,
//! data phases with and without overrun detection, posted AP reads, and the change to and from the dormant state
//! (chapter B5). What a register means is left to the chip's debug port.
//!
//! Not modelled: WAIT (the chip always answers at once), other turnaround lengths than one cycle, and TARGETSEL (a
//! request the wire does not answer, as if another target on the wire were meant).

use rp2350_model::{DapFault, DebugPort};

/// ABORT and DPIDR, depending on the direction.
pub const ABORT_DPIDR: u8 = 0x0;
/// CTRL/STAT while SELECT.DPBANKSEL is 0.
const CTRL_STAT: u8 = 0x4;
/// SELECT when written, RESEND when read.
const SELECT_RESEND: u8 = 0x8;
/// RDBUFF.
const RDBUFF: u8 = 0xc;

/// CTRL/STAT: a transaction was sent before the last one was acknowledged with OK.
const STICKYORUN: u32 = 1 << 1;
/// CTRL/STAT: an access failed.
const STICKYERR: u32 = 1 << 5;
/// CTRL/STAT: write data arrived with bad parity.
const WDATAERR: u32 = 1 << 7;
/// CTRL/STAT: data phases follow whatever the acknowledgement.
const ORUNDETECT: u32 = 1;

/// ABORT: clear STICKYERR, WDATAERR and STICKYORUN.
pub const ABORT_CLEAR_ERRORS: u32 = 0x1e;

/// How many ones in a row are a line reset.
const LINE_RESET_ONES: u32 = 50;
/// The 16 bits that follow a line reset to make SWD dormant, first bit lowest.
const SWD_TO_DORMANT: u16 = 0xe3bc;
/// The selection alert that wakes a dormant port, first bit lowest.
const SELECTION_ALERT: u128 = 0x19bc_0ea2_e3dd_afe9_8685_2d95_6209_f392;
/// Four zero bits and the activation code of SWD, first bit lowest.
const ACTIVATE_SWD: u16 = 0x1a0;

/// A debug port, as far as the wire needs one.
pub trait Dap {
    /// Line reset.
    fn line_reset(&mut self);
    /// Reads the DP register at `addr` (0, 4, 8 or C).
    fn dp_read(&mut self, addr: u8) -> Result<u32, DapFault>;
    /// Writes the DP register at `addr`.
    fn dp_write(&mut self, addr: u8, value: u32) -> Result<(), DapFault>;
    /// Reads register `reg` of the access port at `ap`.
    fn ap_read(&mut self, ap: u32, reg: u16) -> Result<u32, DapFault>;
    /// Writes register `reg` of the access port at `ap`.
    fn ap_write(&mut self, ap: u32, reg: u16, value: u32) -> Result<(), DapFault>;
}

impl Dap for DebugPort<'_> {
    fn line_reset(&mut self) {
        DebugPort::line_reset(self);
    }
    fn dp_read(&mut self, addr: u8) -> Result<u32, DapFault> {
        DebugPort::dp_read(self, addr)
    }
    fn dp_write(&mut self, addr: u8, value: u32) -> Result<(), DapFault> {
        DebugPort::dp_write(self, addr, value)
    }
    fn ap_read(&mut self, ap: u32, reg: u16) -> Result<u32, DapFault> {
        DebugPort::ap_read(self, ap, reg)
    }
    fn ap_write(&mut self, ap: u32, reg: u16, value: u32) -> Result<(), DapFault> {
        DebugPort::ap_write(self, ap, reg, value)
    }
}

/// Why a transfer brought no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoData {
    /// FAULT: an error flag is set in CTRL/STAT and must be cleared through ABORT.
    Fault,
    /// Nothing on the wire answered: a line reset and a read of DPIDR are needed.
    NoResponse,
}

/// One request: which register, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Access port (through SELECT) or debug port.
    pub ap: bool,
    /// Read or write.
    pub read: bool,
    /// Bits 3 and 2 of the register's address.
    pub addr: u8,
}

impl Request {
    /// Takes the eight bits of a request apart, first bit lowest; `None` if start, parity, stop or park are wrong.
    fn from_bits(bits: u8) -> Option<Self> {
        let parity_ok = (bits >> 1 & 0x1f).count_ones().is_multiple_of(2);
        let framed = bits & 0b1100_0001 == 0b1000_0001;
        (parity_ok && framed).then_some(Self { ap: bits & 2 != 0, read: bits & 4 != 0, addr: bits >> 1 & 0xc })
    }

    /// Reads of DPIDR and CTRL/STAT and writes of ABORT are answered whatever error flags are set.
    fn never_faults(self) -> bool {
        !self.ap
            && match self.addr {
                ABORT_DPIDR => true,
                CTRL_STAT => self.read,
                _ => false,
            }
    }
}

/// What the next clock cycle means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing is heard but a selection alert; the last 128 bits.
    Dormant(u128),
    /// After the alert: the bits so far, and how many.
    Activation(u16, u8),
    /// A protocol error was made: nothing is heard but a line reset.
    Lockout,
    /// Waiting for a start bit.
    Idle,
    /// The bits of a request so far, and how many.
    Request(u8, u8),
    /// The line changes hands before the acknowledgement of a request.
    TurnToTarget(Request),
    /// The target drives these bits, lowest first, and how many are left; then what follows.
    Drive(u64, u8, After),
    /// The line changes hands before the host's write data, or before it is idle.
    TurnToHost(After),
    /// Write data so far, and how many bits; `None` if it is discarded.
    WriteData(Option<Request>, u64, u8),
}

/// What follows when the target has driven its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Idle,
    Data(Option<Request>),
}

/// The target's end of the wire. It is new after power-on and after RUN was low; a client that leaves changes nothing on it.
#[derive(Debug)]
pub struct Wire {
    phase: Phase,
    /// Ones the host sent in a row.
    ones: u32,
    /// Bits since the ones of a line reset ended, and how many of them.
    since_reset: (u16, u8),
    /// After a line reset only DPIDR may be read.
    fresh: bool,
    /// SELECT, to route AP transfers and to know the DP's bank.
    select: u32,
    overrun_detect: bool,
    /// The value of the last AP read, handed out one transfer later.
    posted: u32,
    /// The value of the last read, for RESEND.
    last: u32,
    /// STICKYERR, STICKYORUN and WDATAERR as the wire knows them.
    errors: u32,
}

impl Default for Wire {
    fn default() -> Self {
        Self::new()
    }
}

impl Wire {
    /// A port with SWD selected that has not seen a line reset yet.
    pub fn new() -> Self {
        Self {
            phase: Phase::Lockout,
            ones: 0,
            since_reset: (0, u8::MAX),
            fresh: true,
            select: 0,
            overrun_detect: false,
            posted: 0,
            last: 0,
            errors: 0,
        }
    }

    /// Whether a line reset and a read of DPIDR have connected the host.
    pub fn connected(&self) -> bool {
        !self.fresh && !matches!(self.phase, Phase::Lockout | Phase::Dormant(_) | Phase::Activation(..))
    }

    /// One clock cycle. `host` is what the host drives, `None` if it lets the line go; returns the line's level (pulled up
    /// when nobody drives it).
    pub fn clock(&mut self, dap: &mut impl Dap, host: Option<bool>) -> bool {
        let level = match (self.phase, host) {
            (Phase::Drive(bits, ..), None) => bits & 1 != 0,
            (_, Some(bit)) => bit,
            (_, None) => true,
        };
        self.advance(dap, host);
        self.watch_for_reset(dap, host);
        level
    }

    fn advance(&mut self, dap: &mut impl Dap, host: Option<bool>) {
        let bit = host == Some(true);
        self.phase = match self.phase {
            Phase::Dormant(window) => {
                let window = window >> 1 | u128::from(bit) << 127;
                if window == SELECTION_ALERT { Phase::Activation(0, 0) } else { Phase::Dormant(window) }
            }
            Phase::Activation(bits, count) => {
                let bits = bits | u16::from(bit) << count;
                match count {
                    11 if bits == ACTIVATE_SWD => Phase::Lockout,
                    11 => Phase::Dormant(0),
                    _ => Phase::Activation(bits, count + 1),
                }
            }
            Phase::Lockout => Phase::Lockout,
            Phase::Idle if bit => Phase::Request(1, 1),
            Phase::Idle => Phase::Idle,
            Phase::Request(bits, count) => {
                let bits = bits | u8::from(bit) << count;
                if count < 7 {
                    Phase::Request(bits, count + 1)
                } else {
                    match Request::from_bits(bits) {
                        Some(request) if self.answers(request) => Phase::TurnToTarget(request),
                        _ => Phase::Lockout,
                    }
                }
            }
            Phase::TurnToTarget(request) => self.acknowledge(dap, request),
            Phase::Drive(bits, left, after) if left > 1 => Phase::Drive(bits >> 1, left - 1, after),
            Phase::Drive(_, _, after) => Phase::TurnToHost(after),
            Phase::TurnToHost(After::Idle) => Phase::Idle,
            Phase::TurnToHost(After::Data(request)) => Phase::WriteData(request, 0, 0),
            Phase::WriteData(request, bits, count) => {
                let bits = bits | u64::from(bit) << count;
                if count < 32 {
                    Phase::WriteData(request, bits, count + 1)
                } else {
                    if let Some(request) = request {
                        if bits.count_ones() % 2 == 0 {
                            // The result is seen in the acknowledgement of the next transfer.
                            let _ = self.write(dap, request, bits as u32);
                        } else {
                            self.errors |= WDATAERR;
                        }
                    }
                    Phase::Idle
                }
            }
        };
    }

    /// After a line reset the port wants to hear a read of DPIDR before anything else, and no port answers TARGETSEL.
    fn answers(&mut self, request: Request) -> bool {
        let dpidr = Request { ap: false, read: true, addr: ABORT_DPIDR };
        if self.fresh && request != dpidr {
            return false;
        }
        self.fresh = false;
        request.ap || request.read || request.addr != RDBUFF
    }

    fn acknowledge(&mut self, dap: &mut impl Dap, request: Request) -> Phase {
        const OK: u64 = 0b001;
        const FAULT: u64 = 0b100;
        if self.errors != 0 && !request.never_faults() {
            let after = match (self.overrun_detect, request.read) {
                (false, _) => After::Idle,
                (true, false) => After::Data(None),
                (true, true) => {
                    self.errors |= STICKYORUN;
                    return Phase::Drive(FAULT, 3 + 33, After::Idle);
                }
            };
            if self.overrun_detect {
                self.errors |= STICKYORUN;
            }
            return Phase::Drive(FAULT, 3, after);
        }
        if !request.read {
            return Phase::Drive(OK, 3, After::Data(Some(request)));
        }
        match self.read(dap, request) {
            Ok(value) => {
                let parity = u64::from(value.count_ones() % 2);
                Phase::Drive(OK | u64::from(value) << 3 | parity << 35, 3 + 33, After::Idle)
            }
            Err(_) if self.overrun_detect => Phase::Drive(FAULT, 3 + 33, After::Idle),
            Err(_) => Phase::Drive(FAULT, 3, After::Idle),
        }
    }

    fn watch_for_reset(&mut self, dap: &mut impl Dap, host: Option<bool>) {
        if matches!(self.phase, Phase::Dormant(_) | Phase::Activation(..)) {
            self.ones = 0;
            return;
        }
        if host == Some(true) {
            self.ones += 1;
        } else {
            if self.ones >= LINE_RESET_ONES {
                self.since_reset = (0, 0);
            }
            self.ones = 0;
        }
        if self.ones >= LINE_RESET_ONES {
            if self.ones == LINE_RESET_ONES {
                dap.line_reset();
                self.select = 0;
            }
            self.phase = Phase::Idle;
            self.fresh = true;
        } else if let (bits, count @ 0..16) = self.since_reset {
            let bits = bits | u16::from(host == Some(true)) << count;
            self.since_reset = (bits, count + 1);
            if count == 15 && bits == SWD_TO_DORMANT {
                self.phase = Phase::Dormant(0);
            }
        }
    }

    /// One whole transfer, for a probe that is asked for transfers instead of bits. As on the wire, an AP read returns the
    /// value of the AP read before it.
    pub fn transfer(&mut self, dap: &mut impl Dap, request: Request, value: u32) -> Result<u32, NoData> {
        if !self.connected() {
            return Err(NoData::NoResponse);
        }
        if self.errors != 0 && !request.never_faults() {
            return Err(NoData::Fault);
        }
        if request.read { self.read(dap, request) } else { self.write(dap, request, value).map(|()| 0) }
    }

    /// Notes the outcome of an access that did not pass through SELECT.
    pub fn note<T>(&mut self, outcome: Result<T, DapFault>) -> Result<T, NoData> {
        outcome.map_err(|_| {
            self.errors |= STICKYERR;
            NoData::Fault
        })
    }

    fn read(&mut self, dap: &mut impl Dap, request: Request) -> Result<u32, NoData> {
        let value = if request.ap {
            let before = self.posted;
            let (ap, reg) = self.route(request);
            // A failed access is reported by the transfer that fetches its value.
            if let Ok(value) = self.note(dap.ap_read(ap, reg)) {
                self.posted = value;
            }
            before
        } else {
            match request.addr {
                RDBUFF => self.posted,
                SELECT_RESEND => self.last,
                CTRL_STAT if self.select & 0xf == 0 => {
                    let value = dap.dp_read(CTRL_STAT);
                    self.note(value)? | self.errors
                }
                addr => {
                    let value = dap.dp_read(addr);
                    self.note(value)?
                }
            }
        };
        self.last = value;
        Ok(value)
    }

    fn write(&mut self, dap: &mut impl Dap, request: Request, value: u32) -> Result<(), NoData> {
        if request.ap {
            let (ap, reg) = self.route(request);
            return self.note(dap.ap_write(ap, reg, value));
        }
        let outcome = dap.dp_write(request.addr, value);
        match request.addr {
            ABORT_DPIDR => {
                let cleared = [(2, STICKYERR), (3, WDATAERR), (4, STICKYORUN)];
                for (bit, flag) in cleared {
                    if value >> bit & 1 != 0 {
                        self.errors &= !flag;
                    }
                }
            }
            SELECT_RESEND => self.select = value,
            CTRL_STAT if self.select & 0xf == 0 => {
                self.overrun_detect = value & ORUNDETECT != 0;
            }
            _ => {}
        }
        self.note(outcome)
    }

    /// ADIv6: SELECT holds the upper bits of an address in the space of access ports, 4 KiB each.
    fn route(&self, request: Request) -> (u32, u16) {
        let addr = self.select & !0xf | u32::from(request.addr);
        (addr & !0xfff, (addr & 0xfff) as u16)
    }
}

#[cfg(test)]
mod tests;
