//! Raw TCP clients for the four ports, and the board set-ups that the tests share.
//!
//! A wait ends with what is waited for, or with a socket's time-out, which fails the test.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rp2350_model::Rp2350;
use virtual_bench::{Bench, Config};

/// The MEM-AP of core 0.
pub const CORE0: u32 = 0x2000;
pub const DHCSR: u32 = 0xe000_edf0;
pub const DCRSR: u32 = 0xe000_edf4;
pub const DCRDR: u32 = 0xe000_edf8;
/// DHCSR: the key, halting debug enabled, halt.
pub const DBGKEY: u32 = 0xa05f_0000;
pub const C_DEBUGEN: u32 = 1;
pub const C_HALT: u32 = 2;
pub const S_HALT: u32 = 1 << 17;
/// DCRSR's number of the program counter.
pub const PC: u32 = 15;
pub const SRAM: u32 = 0x2000_0000;

/// RP2350 datasheet: register offsets, and the alias that clears bits.
pub const CLEAR_BITS: u32 = 0x3000;
pub const RESETS_RESET: u32 = 0x4002_0000;
/// IO_BANK0 and PADS_BANK0.
pub const RESETS_GPIO: u32 = 1 << 6 | 1 << 9;
const CLOCKS_CLK_REF_CTRL: u32 = 0x4001_0030;
const CLK_REF_SRC_XOSC: u32 = 2;
const XOSC_CTRL: u32 = 0x4004_8000;
const XOSC_ENABLE_1_15_MHZ: u32 = 0x00fa_baa0;
const XOSC_STATUS: u32 = 0x4004_8004;
const XOSC_STABLE: u32 = 1 << 31;

/// CSW: 32 bits, auto-increment.
const CSW: u32 = 0x2300_0052;

pub fn bench() -> Bench {
    Bench::start(Rp2350::new(), &Config::default()).expect("four free ports")
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).expect("the bench listens");
    client.set_read_timeout(Some(Duration::from_secs(20))).expect("a valid time-out");
    client.set_nodelay(true).expect("a TCP socket");
    client
}

/// xorshift32.
pub fn random(seed: u32) -> impl FnMut() -> u32 {
    let mut state = seed;
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    }
}

/// A client of the debug port.
pub struct Debugger(pub TcpStream);

impl Debugger {
    pub fn connect(bench: &Bench) -> Self {
        Self(connect(bench.debug))
    }

    /// With the wire connected, the debug domain powered and core 0 under halting debug.
    pub fn attach(bench: &Bench) -> Self {
        let mut debugger = Self::connect(bench);
        debugger.line_reset();
        assert_eq!(debugger.ask("!Ad00ff0000#"), "&E703#", "DPIDR must be read through the wire first");
        debugger.line_reset();
        assert_eq!(debugger.read_dpidr(), 0x4c01_3477);
        // CTRL/STAT: power up debug and system.
        assert_eq!(debugger.ask("!AR0000000450000000#"), "&K00000000#");
        let ctrl_stat = debugger.number("!Ad00ff0004#");
        assert_eq!(ctrl_stat & 0xf000_0000, 0xf000_0000, "powered up: {ctrl_stat:#010x}");
        debugger.write(CORE0, DHCSR, &[DBGKEY | C_DEBUGEN]);
        debugger
    }

    /// Sends text as it is and returns the one reply.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> String {
        self.0.write_all(request.as_ref()).expect("the bench reads");
        self.reply()
    }

    pub fn reply(&mut self) -> String {
        let mut reply = Vec::new();
        while reply.last() != Some(&b'#') {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("the bench answers");
            reply.extend(byte);
        }
        String::from_utf8(reply).expect("replies are ASCII")
    }

    /// The number in a reply of four bytes, lowest first.
    fn number(&mut self, request: &str) -> u32 {
        let reply = self.ask(request);
        let digits = reply.strip_prefix("&K").and_then(|reply| reply.strip_suffix('#'));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        number.unwrap_or_else(|| panic!("{request} was answered {reply}")).swap_bytes()
    }

    pub fn out(&mut self, bits: u32, count: u32) {
        assert_eq!(self.ask(format!("!So{count:02x}{bits:x}#")), "&K0#");
    }

    pub fn input(&mut self, count: u32) -> u32 {
        let reply = self.ask(format!("!Si{count:02x}#"));
        u32::from_str_radix(&reply[2..reply.len() - 1], 16).expect("bits in hexadecimal")
    }

    pub fn line_reset(&mut self) {
        self.out(u32::MAX, 32);
        self.out(0x7_ffff, 22);
    }

    /// Bit by bit: request, acknowledgement, data, parity.
    pub fn read_dpidr(&mut self) -> u32 {
        self.out(0xa5, 8);
        let low = self.input(32);
        let high = self.input(4);
        self.out(0, 8);
        assert_eq!(low & 7, 1, "acknowledged with OK");
        let value = low >> 3 | high << 29;
        assert_eq!(high >> 3 & 1, value.count_ones() % 2, "parity");
        value
    }

    pub fn write(&mut self, ap: u32, addr: u32, words: &[u32]) {
        let bytes: String = words.iter().map(|word| format!("{:08x}", word.swap_bytes())).collect();
        let len = 4 * words.len();
        let reply = self.ask(format!("!A6M00{ap:016x}{CSW:08x}02{addr:016x}{len:08x}{bytes}#"));
        assert_eq!(reply, "&K0#", "write to {addr:#010x}");
    }

    pub fn read_bytes(&mut self, ap: u32, addr: u32, len: usize) -> Vec<u8> {
        let reply = self.ask(format!("!A6m00{ap:016x}{CSW:08x}{addr:016x}{len:08x}#"));
        assert!(reply.starts_with("&K"), "read of {addr:#010x}: {reply}");
        let digits = &reply.as_bytes()[2..reply.len() - 1];
        let byte = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect("hexadecimal")
        };
        digits.chunks(2).map(byte).collect()
    }

    pub fn read(&mut self, ap: u32, addr: u32) -> u32 {
        let bytes = self.read_bytes(ap, addr, 4);
        u32::from_le_bytes(bytes.try_into().expect("four bytes"))
    }

    pub fn halt(&mut self) {
        self.write(CORE0, DHCSR, &[DBGKEY | C_DEBUGEN | C_HALT]);
        assert_ne!(self.read(CORE0, DHCSR) & S_HALT, 0, "halted");
    }

    pub fn resume(&mut self) {
        self.write(CORE0, DHCSR, &[DBGKEY | C_DEBUGEN]);
    }

    pub fn core_register(&mut self, number: u32) -> u32 {
        self.write(CORE0, DCRSR, &[number]);
        self.read(CORE0, DCRDR)
    }

    pub fn set_core_register(&mut self, number: u32, value: u32) {
        self.write(CORE0, DCRDR, &[value]);
        self.write(CORE0, DCRSR, &[number | 1 << 16]);
    }
}

/// Halts core 0 in an endless loop in SRAM, with clk_sys at the crystal's 12 MHz.
pub fn clock_from_crystal(debugger: &mut Debugger) {
    debugger.halt();
    release(debugger, RESETS_GPIO);
    debugger.write(CORE0, XOSC_CTRL, &[XOSC_ENABLE_1_15_MHZ]);
    debugger.write(CORE0, SRAM, &[0xe7fe_e7fe]);
    debugger.set_core_register(PC, SRAM);
    // Time stands still while core 0 is halted, and a crystal needs time to start.
    debugger.resume();
    while debugger.read(CORE0, XOSC_STATUS) & XOSC_STABLE == 0 {}
    debugger.halt();
    debugger.write(CORE0, CLOCKS_CLK_REF_CTRL, &[CLK_REF_SRC_XOSC]);
}

/// Takes peripherals out of reset.
pub fn release(debugger: &mut Debugger, peripherals: u32) {
    debugger.write(CORE0, RESETS_RESET + CLEAR_BITS, &[peripherals]);
}

/// A client of the analyser port.
pub struct Analyser(pub TcpStream);

impl Analyser {
    pub fn connect(bench: &Bench) -> Self {
        Self(connect(bench.analyser))
    }

    pub fn ask(&mut self, line: &str) -> String {
        self.0.write_all(format!("{line}\n").as_bytes()).expect("the bench reads");
        let mut reply = Vec::new();
        while reply.last() != Some(&b'\n') {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("the bench answers");
            reply.extend(byte);
        }
        reply.pop();
        String::from_utf8(reply).expect("replies are ASCII")
    }

    pub fn start(&mut self, samplerate_hz: u32) {
        assert_eq!(self.ask(&format!("samplerate {samplerate_hz}")), "ok");
        assert_eq!(self.ask("sampleunit 1"), "ok");
        self.0.write_all(b"get\n").expect("the bench reads");
    }

    pub fn samples(&mut self, count: usize) -> Vec<u8> {
        let mut samples = vec![0; count];
        self.0.read_exact(&mut samples).expect("samples come");
        samples
    }
}

/// Lengths of the runs of equal samples of one channel, with their level.
pub fn runs(samples: &[u8], channel: u8) -> Vec<(bool, usize)> {
    let mut runs: Vec<(bool, usize)> = Vec::new();
    for sample in samples {
        let level = sample >> channel & 1 != 0;
        match runs.last_mut() {
            Some((last, count)) if *last == level => *count += 1,
            _ => runs.push((level, 1)),
        }
    }
    runs
}
