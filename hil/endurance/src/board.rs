//! A board on the chip model with a stock client of the update protocol on its UART, in virtual time: no sockets, no wall clock,
//! so every figure repeats.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hil::firmware::{Firmware, VITALS_MAGIC};
use mcumgr_toolkit::MCUmgrClient;
use mcumgr_toolkit::transport::serial::ConfigurableTimeout;
use rp2350_model::{AccessSize, Edge, Instant, Line, Rp2350, RunExit};

use crate::Error;

/// Where flash is mapped (RP2350 datasheet, 2.2).
const FLASH_BASE: u64 = 0x1000_0000;
/// Core 0's memory access port, a transfer of words, and the request for power (datasheet, 3.5.1; ADIv6).
const CORE0_AP: u32 = 0x2000;
const CSW: u32 = 0xa300_0012;
const POWER_UP: u32 = 0x5000_0000;
const DP_CTRL_STAT: u8 = 4;
/// The UART of console and updates, and its pins' slowest clock of use.
const UART: u8 = 0;
/// How long the client waits for an answer, in virtual time.
const ANSWER: Duration = Duration::from_secs(5);
/// Time passes in pieces of this length while a client waits: its latency.
const STEP: Duration = Duration::from_micros(20);
/// Longer pieces while somebody looks at every one of them.
const WATCHED_STEP: Duration = Duration::from_millis(2);

/// Sees the chip before and after a step in which flash was written.
pub type Watch = Box<dyn FnMut(&Rp2350, &Rp2350) + Send>;

/// The chip, its firmware, and what came over the wire.
pub struct Board {
    pub chip: Rp2350,
    firmware: Arc<Firmware>,
    /// Bytes for the client.
    heard: VecDeque<u8>,
    /// Text lines since the last [`Board::clear_console`].
    pub console: Vec<String>,
    line: Vec<u8>,
    /// Bytes that the client has sent.
    pub sent: u64,
    pub edges: Vec<Edge>,
    watch: Option<Watch>,
}

/// A board that a client can hold, too.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Board>>);

impl Board {
    /// A board with this firmware and no guest, not started yet.
    ///
    /// # Errors
    /// The firmware does not fit into flash.
    pub fn new(firmware: Arc<Firmware>) -> Result<Self, Error> {
        let mut chip = Rp2350::new();
        for segment in &firmware.segments {
            let from = offset(segment.address);
            let room = chip.flash_mut().get_mut(from..from + segment.bytes.len());
            room.ok_or(Error::Firmware("a segment lies outside flash"))?.copy_from_slice(&segment.bytes);
        }
        Ok(Self::around(chip, firmware))
    }

    /// The board of a chip that has its firmware.
    #[must_use]
    pub fn around(chip: Rp2350, firmware: Arc<Firmware>) -> Self {
        Self {
            chip,
            firmware,
            heard: VecDeque::new(),
            console: Vec::new(),
            line: Vec::new(),
            sent: 0,
            edges: Vec::new(),
            watch: None,
        }
    }

    /// Programs an image into a guest's slot A, as a probe would.
    pub fn put(&mut self, guest: usize, image: &[u8]) {
        let from = offset(self.firmware.slots[guest].start);
        self.chip.flash_mut()[from..from + image.len()].copy_from_slice(image);
    }

    /// Fills a guest's slot B with the rest of something, so that an update has to erase it.
    pub fn soil(&mut self, guest: usize) {
        let range = self.firmware.spares[guest].clone();
        self.chip.flash_mut()[offset(range.start)..offset(range.end)].fill(0x5a);
    }

    /// What is in a guest's slot: 0 is A, 1 is B.
    #[must_use]
    pub fn slot(&self, guest: usize, slot: u32) -> &[u8] {
        let range = if slot == 0 { &self.firmware.slots[guest] } else { &self.firmware.spares[guest] };
        &self.chip.flash()[offset(range.start)..offset(range.end)]
    }

    /// Sectors of flash, from and to: of the firmware, of the guests' slots, of the journal.
    #[must_use]
    pub fn sectors(&self) -> [std::ops::Range<usize>; 3] {
        let sector = |address| offset(address) / 4096;
        let slots = sector(self.firmware.slots[0].start);
        let journal = self.firmware.journal.clone().unwrap_or(0..0);
        [
            0..slots,
            slots..sector(journal.start.max(FLASH_BASE)),
            sector(journal.start.max(FLASH_BASE))..sector(journal.end.max(FLASH_BASE)),
        ]
    }

    /// Lets time pass; false once power is gone.
    pub fn run(&mut self, time: Duration) -> bool {
        let step = if self.watch.is_some() { WATCHED_STEP } else { time };
        let end = self.chip.now().as_nanos() + nanos(time);
        while self.chip.now().as_nanos() < end {
            let before = self.watch.is_some().then(|| self.chip.clone());
            let to = end.min(self.chip.now().as_nanos() + nanos(step));
            let exit = self.chip.run_until(Instant::from_nanos(to));
            self.collect();
            if let (Some(watch), Some(before)) = (&mut self.watch, before)
                && self.chip.flash_operations() > before.flash_operations()
            {
                watch(&before, &self.chip);
            }
            if exit == RunExit::PowerCut {
                return false;
            }
        }
        true
    }

    fn collect(&mut self) {
        let mut bytes = Vec::new();
        self.chip.uart_take(UART, &mut bytes);
        self.chip.take_edges(&mut self.edges);
        for &byte in &bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            // Lines of frames begin with control characters.
            if line.first().is_some_and(|first| *first >= b' ') {
                self.console.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
        }
        self.heard.extend(bytes);
    }

    /// Forgets what was said and seen so far.
    pub fn clear_console(&mut self) {
        self.console.clear();
        self.line.clear();
        self.heard.clear();
        self.edges.clear();
    }

    /// Lets time pass until the console says a line that contains one of `texts`: which line.
    ///
    /// # Errors
    /// It does not within `patience`.
    pub fn wait_for(&mut self, texts: &[&str], patience: Duration) -> Result<String, Error> {
        let end = self.chip.now().as_nanos() + nanos(patience);
        loop {
            let said = |line: &&String| texts.iter().any(|text| line.contains(text));
            if let Some(line) = self.console.iter().find(said) {
                return Ok(line.clone());
            }
            if self.chip.now().as_nanos() >= end || !self.run(Duration::from_millis(1)) {
                return Err(Error::Silent { expected: texts.join("` or `"), console: self.console.join("; ") });
            }
        }
    }

    /// One of the firmware's figures.
    ///
    /// # Errors
    /// There is none of this name, or RAM holds none.
    pub fn vital(&mut self, name: &str) -> Result<u32, Error> {
        let firmware = self.firmware.clone();
        let layout = firmware.vitals.as_ref().ok_or(Error::Firmware("it keeps no vitals"))?;
        let at = layout.fields.iter().position(|field| field.name == name);
        let at = at.ok_or_else(|| Error::NoVital(name.to_owned()))? as u32;
        let word = |chip: &mut Rp2350, at: u32| {
            let mut bytes = [0; 4];
            let read = chip.debug().mem_read(CORE0_AP, CSW, layout.address as u32 + 4 * at, &mut bytes);
            read.map(|()| u32::from_le_bytes(bytes)).map_err(|_| Error::Firmware("its RAM cannot be read"))
        };
        let powered = self.chip.debug().dp_write(DP_CTRL_STAT, POWER_UP);
        powered.map_err(|_| Error::Firmware("its debug port does not answer"))?;
        if word(&mut self.chip, 0)? != VITALS_MAGIC {
            return Err(Error::Firmware("its RAM holds no vitals: it did not start"));
        }
        word(&mut self.chip, at)
    }

    /// Writes a word through the debug port, as a probe does.
    ///
    /// # Panics
    /// The debug port does not answer.
    pub fn write(&mut self, address: u32, value: u32) {
        let mut port = self.chip.debug();
        let powered = port.dp_write(DP_CTRL_STAT, POWER_UP);
        let written =
            powered.and_then(|()| port.mem_write(CORE0_AP, CSW, AccessSize::Word, address, &value.to_le_bytes()));
        written.expect("the chip is powered, and its debug port answers");
    }

    /// Times of the edges of a pin, in nanoseconds.
    #[must_use]
    pub fn edges_of(&self, pin: u8) -> Vec<u64> {
        let edges = self.edges.iter().filter(|edge| edge.line == Line::Pin(pin));
        edges.map(|edge| edge.at.as_nanos()).collect()
    }
}

impl Shared {
    #[must_use]
    pub fn new(board: Board) -> Self {
        Self(Arc::new(Mutex::new(board)))
    }

    /// The board, while the client does nothing.
    pub fn board(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `watch` look at every write of flash from now on, or nobody.
    pub fn watch(&self, watch: Option<Watch>) {
        self.board().watch = watch;
    }

    /// A client at the other end of the wire, with the frame size that the board tells.
    ///
    /// # Errors
    /// The board does not answer.
    pub fn client(&self) -> Result<MCUmgrClient, Error> {
        let client = MCUmgrClient::new_from_serial(Wire { board: self.clone(), timeout: ANSWER });
        client.set_retries(0);
        client.use_auto_frame_size()?;
        Ok(client)
    }
}

/// The client's end of the wire: it is read in virtual time.
struct Wire {
    board: Shared,
    timeout: Duration,
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut board = self.board.board();
        let end = board.chip.now().as_nanos() + nanos(self.timeout);
        while board.heard.is_empty() {
            if board.chip.now().as_nanos() >= end {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if !board.run(STEP) {
                return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the board has lost power"));
            }
        }
        board.heard.read(into)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut board = self.board.board();
        board.chip.uart_give(UART, bytes);
        board.sent += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ConfigurableTimeout for Wire {
    fn set_timeout(&mut self, timeout: Duration) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.timeout = timeout;
        Ok(())
    }
}

/// Firmware and images from the artefact folder.
pub struct Artefacts {
    pub firmware: Arc<Firmware>,
    folder: std::path::PathBuf,
}

impl Artefacts {
    /// # Errors
    /// There is no firmware in it.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let firmware = Firmware::load(&folder.join("firmware/sandhill.elf"))?;
        if firmware.spares.len() != firmware.slots.len() || firmware.journal.is_none() {
            return Err(Error::Firmware("it has no slots B or no journal, so it takes no updates"));
        }
        Ok(Self { firmware: Arc::new(firmware), folder: folder.to_owned() })
    }

    /// The image of a guest, such as `guests/blinky-c`.
    ///
    /// # Errors
    /// There is none.
    pub fn image(&self, guest: &str) -> Result<Vec<u8>, Error> {
        let path = self.folder.join(guest).join("guest.img");
        std::fs::read(&path).map_err(|source| Error::Read { path, source })
    }

    /// A board with this firmware and `image` as guest 0, which is confirmed as it came through a probe; started.
    ///
    /// # Errors
    /// It does not start.
    pub fn board(&self, image: Option<&[u8]>) -> Result<Shared, Error> {
        let mut board = Board::new(self.firmware.clone())?;
        if let Some(image) = image {
            board.put(0, image);
        }
        board.wait_for(&["slot 1: "], Duration::from_secs(1))?;
        Ok(Shared::new(board))
    }
}

fn offset(address: u64) -> usize {
    (address - FLASH_BASE) as usize
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
