//! The board thread: it owns the chip, and with it time.
//!
//! Promises that requests are served in the order they arrive, between slices of one millisecond of virtual time that end
//! on whole milliseconds, so that the phase between a reset and a capture's samples repeats. How fast slices follow each
//! other is [`Board::pace`]'s policy (docs/src/reference/bench.md, "Time"). It knows nothing of sockets.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError};
use std::time::{Duration, Instant as WallInstant};

use rp2350_model::{Edge, Instant, Line, Rp2350, RunExit};

use crate::capture::{Capture, SampleUnit};
use crate::diagnostics::Diagnostics;
use crate::probe::Probe;
use crate::remote::{Access, Command, Reply};

/// One slice of virtual time.
const SLICE: Duration = Duration::from_millis(1);
const SLICE_NS: u64 = SLICE.as_nanos() as u64;
/// How many slices a debugger that waits for core 0 to halt lets run ahead.
const SLICES_AHEAD: u32 = 20;
/// The most samples handed over at once, and how many, or how many slices without any, are worth a hand-over.
const CHUNK_SAMPLES: usize = 64 * 1024;
const WORTHWHILE_SAMPLES: u64 = 16 * 1024;
const WORTHWHILE_SLICES: u32 = 20;
/// The chip's UARTs.
const UARTS: usize = 2;
/// Bytes that may still wait for the line when their sender is asked for more: they bridge the time until it answers,
/// which is several slices where time runs faster than the wall clock.
const SERIAL_LOW_WATER: usize = 1024;

/// The cores' MEM-APs (RP2350 datasheet, section 3.5.2) and their registers.
const CORE0_AP: u32 = 0x2000;
const CORE1_AP: u32 = 0x4000;
const MEM_AP_TAR: u16 = 0xd04;
const MEM_AP_DRW: u16 = 0xd0c;
/// Debug Halting Control and Status Register.
const DHCSR: u32 = 0xe000_edf0;

/// What a connection asks of the board.
pub enum Request {
    /// Carry out a probe command.
    Probe { command: Command, reply: Sender<Reply> },
    /// Start a capture; it ends the one that runs.
    CaptureStart { samplerate_hz: u32, unit: SampleUnit },
    /// The next samples, as soon as there are any. `reply` is dropped when the capture ends.
    CaptureNext { reply: Sender<Vec<u8>> },
    /// End the capture.
    CaptureStop,
    /// Bytes for the chip's receiver; `taken` hears when nearly all of them were on the wire.
    SerialGive { end: SerialEnd, bytes: Vec<u8>, taken: SyncSender<()> },
    /// Who hears what the chip sends, from now on.
    SerialListen { end: SerialEnd, listener: Option<SyncSender<Vec<u8>>> },
    /// End the thread.
    Shutdown,
}

/// Where a serial line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SerialEnd {
    /// UART0's TCP port.
    Serial = 0,
    /// UART0's pseudo-terminal.
    Pty = 1,
    /// UART1's TCP port.
    Uart1 = 2,
}

impl SerialEnd {
    const ALL: [Self; 3] = [Self::Serial, Self::Pty, Self::Uart1];

    fn uart(self) -> u8 {
        match self {
            Self::Serial | Self::Pty => 0,
            Self::Uart1 => 1,
        }
    }
}

/// The chip and all that is clipped to it.
pub struct Board {
    chip: Rp2350,
    channels: Vec<Line>,
    requests: Receiver<Request>,
    probe: Probe,
    diagnostics: Diagnostics,
    /// Core 0 is halted and time stands still until a request changes that.
    frozen: bool,
    /// When the next slice is due, while time follows the wall clock.
    due: WallInstant,
    capture: Option<Capture>,
    wanted: Option<Sender<Vec<u8>>>,
    slices_since_samples: u32,
    edges: Vec<Edge>,
    /// Who waits for each UART to take what it was given.
    serial_waiting: [Vec<SyncSender<()>>; UARTS],
    listeners: [Option<SyncSender<Vec<u8>>>; SerialEnd::ALL.len()],
}

/// When the next slice may run.
enum Pace {
    /// Not before a request changes something.
    Frozen,
    /// At once.
    Now,
    /// After this time.
    In(Duration),
}

impl Board {
    /// A board around `chip`; channel `k` of the analyser is clipped to `channels[k]`.
    pub fn new(chip: Rp2350, channels: Vec<Line>, requests: Receiver<Request>) -> Self {
        Self {
            chip,
            channels,
            requests,
            probe: Probe::default(),
            diagnostics: Diagnostics::default(),
            frozen: false,
            due: WallInstant::now(),
            capture: None,
            wanted: None,
            slices_since_samples: 0,
            edges: Vec::new(),
            serial_waiting: [const { Vec::new() }; UARTS],
            listeners: [const { None }; SerialEnd::ALL.len()],
        }
    }

    /// Serves requests until told to shut down, or until nobody is left to send any.
    pub fn run(mut self) {
        loop {
            let request = match self.pace() {
                Pace::Frozen => self.requests.recv().ok(),
                Pace::Now => match self.requests.try_recv() {
                    Err(TryRecvError::Empty) => {
                        self.timed_slice();
                        continue;
                    }
                    received => received.ok(),
                },
                Pace::In(wait) => match self.requests.recv_timeout(wait) {
                    Err(RecvTimeoutError::Timeout) => {
                        self.timed_slice();
                        continue;
                    }
                    received => received.ok(),
                },
            };
            match request {
                None | Some(Request::Shutdown) => return,
                Some(request) => self.serve(request),
            }
        }
    }

    /// Frozen while core 0 is halted; as fast as samples are taken while a capture runs; else the wall clock.
    fn pace(&self) -> Pace {
        match (self.frozen, &self.capture, &self.wanted) {
            (true, ..) => Pace::Frozen,
            // Who holds the board in reset is about to let go: a capture must not be over before that.
            (false, Some(_), Some(_)) if self.chip.level(Line::Run) => Pace::Now,
            // The client has not come back for more: the slice waits for it, not for the clock.
            (false, Some(_), None) => Pace::Frozen,
            (false, ..) => {
                let wait = self.due.saturating_duration_since(WallInstant::now());
                if wait.is_zero() { Pace::Now } else { Pace::In(wait) }
            }
        }
    }

    fn timed_slice(&mut self) {
        self.slice();
        // A slice that came late is not made up for.
        self.due = (self.due + SLICE).max(WallInstant::now());
        self.hand_over_samples();
    }

    /// Lets time run to the next whole millisecond; returns whether it got there.
    fn slice(&mut self) -> bool {
        let deadline = next_millisecond(self.chip.now());
        self.run_until(deadline);
        self.slices_since_samples = self.slices_since_samples.saturating_add(1);
        self.collect();
        !self.frozen
    }

    fn run_until(&mut self, deadline: Instant) {
        self.frozen = match self.chip.run_until(deadline) {
            RunExit::Deadline => false,
            // Nobody here cuts the power; without it time stands still, too.
            RunExit::Core0Halted | RunExit::PowerCut => true,
        };
    }

    /// Takes what the chip has put out.
    fn collect(&mut self) {
        self.edges.clear();
        self.chip.take_edges(&mut self.edges);
        if let Some(capture) = &mut self.capture {
            capture.push(&self.edges);
        }
        for uart in 0..UARTS {
            self.collect_serial(uart as u8);
        }
        // Nobody asks for these, and they must not pile up.
        self.chip.take_flash_operations(&mut Vec::new());
        self.diagnostics.report(self.chip.take_diagnostics());
    }

    /// Hands on what a UART has sent, and asks for more once it has received nearly all it was given.
    fn collect_serial(&mut self, uart: u8) {
        let mut sent = Vec::new();
        self.chip.uart_take(uart, &mut sent);
        if !sent.is_empty() {
            // A listener that does not keep up loses bytes, as on any serial line without flow control.
            for end in SerialEnd::ALL.into_iter().filter(|end| end.uart() == uart) {
                if let Some(listener) = &self.listeners[end as usize] {
                    let _ = listener.try_send(sent.clone());
                }
            }
        }
        if self.chip.uart_waiting(uart) <= SERIAL_LOW_WATER {
            for taken in self.serial_waiting[usize::from(uart)].drain(..) {
                // The sender may be gone by now.
                let _ = taken.try_send(());
            }
        }
    }

    fn serve(&mut self, request: Request) {
        match request {
            Request::Probe { command, reply } => {
                if let Some(slices) = self.waits_for_halt(&command) {
                    self.run_ahead(slices);
                }
                let result = self.probe.execute(&mut self.chip, command);
                self.collect();
                self.run_until(self.chip.now());
                // The client may be gone by now.
                let _ = reply.send(result);
            }
            Request::CaptureStart { samplerate_hz, unit } => {
                self.collect();
                let t0 = whole_millisecond(self.chip.now());
                let level = |line| self.chip.level(line);
                self.capture = Some(Capture::new(&self.channels, samplerate_hz, unit, t0, level));
                self.wanted = None;
            }
            Request::CaptureNext { reply } => {
                if self.capture.is_some() {
                    self.wanted = Some(reply);
                    self.hand_over_samples();
                }
            }
            Request::CaptureStop => {
                self.capture = None;
                self.wanted = None;
                self.due = WallInstant::now() + SLICE;
            }
            Request::SerialGive { end, bytes, taken } => {
                self.chip.uart_give(end.uart(), &bytes);
                self.serial_waiting[usize::from(end.uart())].push(taken);
            }
            Request::SerialListen { end, listener } => self.listeners[end as usize] = listener,
            // `run` ends on it.
            Request::Shutdown => {}
        }
    }

    fn hand_over_samples(&mut self) {
        let Some(capture) = &mut self.capture else {
            return;
        };
        let now = self.chip.now();
        let worthwhile = self.frozen
            || !self.chip.level(Line::Run)
            || self.slices_since_samples >= WORTHWHILE_SLICES
            || capture.waiting(now) >= WORTHWHILE_SAMPLES;
        if !worthwhile || capture.waiting(now) == 0 {
            return;
        }
        if let Some(reply) = self.wanted.take() {
            let mut bytes = Vec::new();
            capture.take(now, CHUNK_SAMPLES, &mut bytes);
            self.slices_since_samples = 0;
            // The client may be gone by now.
            let _ = reply.send(bytes);
        }
    }

    /// A debugger that reads a core's DHCSR waits for it to halt: how many slices it may have to wait.
    ///
    /// For core 1 a single one is enough to see a step or a halt through; nothing would end a longer wait early.
    fn waits_for_halt(&mut self, command: &Command) -> Option<u32> {
        let Command::Access(access) = command else {
            return None;
        };
        let (ap, reads) = match *access {
            Access::MemRead { ap, addr, len, .. } => {
                (ap, addr <= DHCSR && u64::from(addr) + len as u64 > u64::from(DHCSR))
            }
            Access::ApRead { ap, reg: MEM_AP_DRW } => (ap, self.chip.debug().ap_read(ap, MEM_AP_TAR) == Ok(DHCSR)),
            _ => return None,
        };
        match ap {
            CORE0_AP if reads => Some(SLICES_AHEAD),
            CORE1_AP if reads => Some(1),
            _ => None,
        }
    }

    fn run_ahead(&mut self, slices: u32) {
        for _ in 0..slices {
            if !self.slice() {
                break;
            }
        }
        self.due = WallInstant::now() + SLICE;
    }
}

/// The first whole millisecond after `now`.
fn next_millisecond(now: Instant) -> Instant {
    Instant::from_nanos((now.as_nanos() / SLICE_NS + 1) * SLICE_NS)
}

/// The first whole millisecond that is not before `now`.
fn whole_millisecond(now: Instant) -> Instant {
    let floor = Instant::from_nanos(now.as_nanos() / SLICE_NS * SLICE_NS);
    if floor == now { now } else { next_millisecond(now) }
}
