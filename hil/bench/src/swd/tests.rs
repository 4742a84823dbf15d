//! The wire, bit by bit, against a debug port that only remembers.

use std::collections::HashMap;

use super::*;

#[derive(Default)]
struct FakeDap {
    line_resets: u32,
    dp: HashMap<u8, u32>,
    ap: HashMap<(u32, u16), u32>,
    fail: bool,
}

impl Dap for FakeDap {
    fn line_reset(&mut self) {
        self.line_resets += 1;
    }
    fn dp_read(&mut self, addr: u8) -> Result<u32, DapFault> {
        if addr == 0 {
            return Ok(0x4c01_3477);
        }
        Ok(self.dp.get(&addr).copied().unwrap_or_default())
    }
    fn dp_write(&mut self, addr: u8, value: u32) -> Result<(), DapFault> {
        self.dp.insert(addr, value);
        Ok(())
    }
    fn ap_read(&mut self, ap: u32, reg: u16) -> Result<u32, DapFault> {
        if self.fail {
            return Err(DapFault::Fault);
        }
        Ok(self.ap.get(&(ap, reg)).copied().unwrap_or_default())
    }
    fn ap_write(&mut self, ap: u32, reg: u16, value: u32) -> Result<(), DapFault> {
        if self.fail {
            return Err(DapFault::Fault);
        }
        self.ap.insert((ap, reg), value);
        Ok(())
    }
}

/// The host's end of the wire.
#[derive(Default)]
struct Host {
    wire: Wire,
    dap: FakeDap,
}

impl Host {
    fn connected() -> Self {
        let mut host = Self::default();
        host.line_reset();
        assert_eq!(host.read(0xa5), (OK, Some(0x4c01_3477)));
        host
    }

    fn out(&mut self, bits: u128, count: u32) {
        for k in 0..count {
            self.wire.clock(&mut self.dap, Some(bits >> k & 1 != 0));
        }
    }

    fn input(&mut self, count: u32) -> u64 {
        (0..count).fold(0, |value, k| value | u64::from(self.wire.clock(&mut self.dap, None)) << k)
    }

    fn line_reset(&mut self) {
        self.out((1 << 51) - 1, 51);
        self.out(0, 2);
    }

    /// Request, turnaround, acknowledgement, and after OK the data, its parity and a turnaround.
    fn read(&mut self, request: u8) -> (u64, Option<u32>) {
        self.out(request.into(), 8);
        self.input(1);
        let ack = self.input(3);
        if ack != OK {
            self.input(1);
            return (ack, None);
        }
        let data = self.input(32) as u32;
        let parity = self.input(1);
        assert_eq!(parity, u64::from(data.count_ones() % 2));
        self.input(1);
        (ack, Some(data))
    }

    fn write(&mut self, request: u8, value: u32, parity_error: bool) -> u64 {
        self.out(request.into(), 8);
        self.input(1);
        let ack = self.input(3);
        self.input(1);
        if ack == OK {
            self.out(value.into(), 32);
            self.out(u128::from((value.count_ones() % 2) ^ u32::from(parity_error)), 1);
        }
        ack
    }
}

const OK: u64 = 0b001;
const FAULT: u64 = 0b100;
/// The line is pulled up when nobody answers.
const NOBODY: u64 = 0b111;

const READ_DPIDR: u8 = 0xa5;
const READ_CTRL_STAT: u8 = 0x8d;
const READ_RDBUFF: u8 = 0xbd;
const WRITE_ABORT: u8 = 0x81;
const WRITE_CTRL_STAT: u8 = 0xa9;
const WRITE_SELECT: u8 = 0xb1;
const WRITE_TARGETSEL: u8 = 0x99;
const READ_AP_C: u8 = 0x9f;
const WRITE_AP_4: u8 = 0x8b;

#[test]
fn answers_nothing_before_a_line_reset() {
    let mut host = Host::default();
    assert_eq!(host.read(READ_DPIDR), (NOBODY, None));
    host.line_reset();
    assert_eq!(host.dap.line_resets, 1);
    assert_eq!(host.read(READ_DPIDR), (OK, Some(0x4c01_3477)));
}

#[test]
fn wants_dpidr_first() {
    let mut host = Host::default();
    host.line_reset();
    assert_eq!(host.read(READ_CTRL_STAT), (NOBODY, None));
    assert_eq!(host.read(READ_DPIDR), (NOBODY, None), "locked out until the next line reset");
    assert!(!host.wire.connected());
    host.line_reset();
    assert_eq!(host.read(READ_DPIDR).0, OK);
    assert_eq!(host.read(READ_CTRL_STAT).0, OK);
}

#[test]
fn forty_nine_ones_are_no_line_reset() {
    let mut host = Host::default();
    host.out((1 << 49) - 1, 49);
    host.out(0, 2);
    assert_eq!(host.dap.line_resets, 0);
    assert_eq!(host.read(READ_DPIDR), (NOBODY, None));
}

#[test]
fn every_bad_request_locks_out() {
    for request in 0..=u8::MAX {
        let mut host = Host::connected();
        let parity_ok = (request >> 1 & 0x1f).count_ones() % 2 == 0;
        let framed = request & 0xc1 == 0x81;
        if request & 1 == 0 || request == WRITE_TARGETSEL {
            continue;
        }
        host.out(request.into(), 8);
        host.input(1);
        let answered = host.input(3) == OK;
        assert_eq!(answered, parity_ok && framed, "request {request:#04x}");
    }
}

#[test]
fn targetsel_is_not_answered() {
    let mut host = Host::connected();
    assert_eq!(host.write(WRITE_TARGETSEL, 0, false), NOBODY);
}

#[test]
fn a_request_may_follow_write_data_at_once() {
    let mut host = Host::connected();
    assert_eq!(host.write(WRITE_SELECT, 0x0000_2d00, false), OK);
    assert_eq!(host.write(WRITE_AP_4, 0x2000_0000, false), OK);
    assert_eq!(host.dap.ap, HashMap::from([((0x2000, 0xd04), 0x2000_0000)]));
}

#[test]
fn ap_reads_are_posted() {
    let mut host = Host::connected();
    host.dap.ap.insert((0x4000, 0xdfc), 0x3477_0008);
    assert_eq!(host.write(WRITE_SELECT, 0x4df0, false), OK);
    assert_eq!(host.read(READ_AP_C), (OK, Some(0)));
    host.dap.ap.insert((0x4000, 0xdfc), 5);
    assert_eq!(host.read(READ_AP_C), (OK, Some(0x3477_0008)));
    assert_eq!(host.read(READ_RDBUFF), (OK, Some(5)));
}

#[test]
fn errors_stick_until_abort() {
    let mut host = Host::connected();
    host.dap.fail = true;
    assert_eq!(host.read(READ_AP_C).0, OK, "the error is reported one transfer later");
    host.dap.fail = false;
    assert_eq!(host.read(READ_RDBUFF), (FAULT, None));
    assert_eq!(host.write(WRITE_AP_4, 1, false), FAULT);
    assert_eq!(host.read(READ_DPIDR).0, OK);
    assert_eq!(host.read(READ_CTRL_STAT), (OK, Some(STICKYERR)));
    assert_eq!(host.write(WRITE_ABORT, ABORT_CLEAR_ERRORS, false), OK);
    assert_eq!(host.read(READ_RDBUFF).0, OK);
    assert!(host.dap.ap.is_empty());
}

#[test]
fn overrun_detection_keeps_the_data_phase() {
    let mut host = Host::connected();
    assert_eq!(host.write(WRITE_CTRL_STAT, ORUNDETECT, false), OK);
    host.dap.fail = true;
    assert_eq!(host.write(WRITE_AP_4, 1, false), OK);
    host.out(u128::from(WRITE_AP_4), 8);
    host.input(1);
    assert_eq!(host.input(3), FAULT);
    host.input(1);
    // Data that would be a request, were it not discarded.
    host.out(u128::from(READ_DPIDR), 33);
    host.out(u128::from(READ_AP_C), 8);
    host.input(1);
    assert_eq!(host.input(3), FAULT);
    host.input(32 + 1 + 1);
    host.dap.dp.insert(4, 0xf000_0001);
    assert_eq!(host.read(READ_CTRL_STAT), (OK, Some(0xf000_0001 | STICKYERR | STICKYORUN)));
}

#[test]
fn bad_write_parity_is_flagged_and_not_written() {
    let mut host = Host::connected();
    assert_eq!(host.write(WRITE_AP_4, 7, true), OK);
    assert!(host.dap.ap.is_empty());
    assert_eq!(host.read(READ_CTRL_STAT), (OK, Some(WDATAERR)));
    assert_eq!(host.write(WRITE_AP_4, 7, false), FAULT);
}

#[test]
fn dormant_and_back() {
    let mut host = Host::connected();
    host.out((1 << 51) - 1, 51);
    host.out(SWD_TO_DORMANT.into(), 16);
    host.line_reset();
    assert_eq!(host.read(READ_DPIDR), (NOBODY, None), "dormant");
    host.out(0xff, 8);
    host.out(SELECTION_ALERT, 128);
    host.out(0x0a0, 12);
    host.line_reset();
    assert_eq!(host.read(READ_DPIDR), (NOBODY, None), "JTAG was activated, which is not there");
    host.out(0xff, 8);
    host.out(SELECTION_ALERT, 128);
    host.out(ACTIVATE_SWD.into(), 12);
    host.line_reset();
    assert_eq!(host.read(READ_DPIDR).0, OK);
}

#[test]
fn survives_any_bits() {
    let mut random = crate::tests::random(0x5eed_0001);
    let mut host = Host::connected();
    for _ in 0..200_000 {
        let level = match random() % 3 {
            0 => None,
            bit => Some(bit == 1),
        };
        host.wire.clock(&mut host.dap, level);
    }
    host.out((1 << 51) - 1, 51);
    host.out(0, 2);
    assert_eq!(host.read(READ_DPIDR).0, OK);
}
