//! How long an update takes, and what a guest that blinks notices of it.

use std::time::Duration;

use crate::Error;
use crate::board::{Artefacts, Shared};

/// Of the fast line.
pub const BAUD: u32 = 1_000_000;
/// A byte takes ten bits on the wire: start, eight, stop.
const BITS: f64 = 10.0;
/// clk_sys of the firmware.
const CYCLES_PER_MS: f64 = 150_000.0;
/// The LED, and half the period of a blinky.
const PIN: u8 = 25;
const HALF_PERIOD_NS: u64 = 500_000_000;

/// An upload.
#[derive(Clone, Debug)]
pub struct Upload {
    pub image: String,
    pub image_bytes: usize,
    pub baud: u32,
    pub ms: f64,
    /// Share of the time in which the client's bytes were on the wire.
    pub line_share: f64,
    /// Most that an edge of the guest that blinks meanwhile was off its schedule, in microseconds.
    pub edge_off_us: f64,
    /// Longest that one write of flash stopped the core, in microseconds.
    pub longest_stop_us: u32,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Speed {
    /// To verify a blinky's image at boot: journal, hash and signature.
    pub verify_cycles: u32,
    pub uploads: Vec<Upload>,
}

/// Must: verification of a blinky within this many milliseconds.
pub const VERIFY_MS: f64 = 60.0;
/// Must: share of the line at [`BAUD`].
pub const LINE_SHARE: f64 = 0.8;

/// Measures verification, and uploads of a small and a large image at both rates.
///
/// # Errors
/// The board did something else.
pub fn speed(artefacts: &Artefacts) -> Result<Speed, Error> {
    let blinky = artefacts.image("guests/blinky-c")?;
    let verify_cycles = artefacts.board(Some(&blinky))?.board().vital("guest0_verify_cycles")?;
    let mut uploads = Vec::new();
    for image in ["guests/blinky-rust", "fixtures/large"] {
        for baud in [115_200, BAUD] {
            let shared = artefacts.board(Some(&blinky))?;
            uploads.push(upload(&shared, image, &artefacts.image(image)?, baud)?);
        }
    }
    Ok(Speed { verify_cycles, uploads })
}

impl Speed {
    #[must_use]
    pub fn verify_ms(&self) -> f64 {
        f64::from(self.verify_cycles) / CYCLES_PER_MS
    }

    /// The best share of the fast line: that of the image which is large enough to fill it.
    #[must_use]
    pub fn line_share(&self) -> f64 {
        let fast = self.uploads.iter().filter(|upload| upload.baud == BAUD);
        fast.map(|upload| upload.line_share).fold(0.0, f64::max)
    }

    /// # Errors
    /// A must is missed.
    pub fn check(&self) -> Result<(), Error> {
        if self.verify_ms() >= VERIFY_MS {
            return Err(Error::Wrong(format!("verification takes {:.1} ms: {VERIFY_MS} ms at most", self.verify_ms())));
        }
        if self.line_share() < LINE_SHARE {
            let share = 100.0 * self.line_share();
            return Err(Error::Wrong(format!(
                "an upload uses {share:.1} % of the line: {} % at least",
                100.0 * LINE_SHARE
            )));
        }
        Ok(())
    }
}

fn upload(shared: &Shared, name: &str, image: &[u8], baud: u32) -> Result<Upload, Error> {
    shared.board().soil(0);
    let client = shared.client()?;
    client.settings_write("console/baud", &baud.to_le_bytes())?;
    // The rate changes once the answer is sent.
    shared.board().run(Duration::from_millis(20));
    let (began, sent_before) = {
        let mut board = shared.board();
        board.clear_console();
        (board.chip.now().as_nanos(), board.sent)
    };
    client.image_upload(image, Some(0), None, false, None)?;
    let mut board = shared.board();
    let ns = (board.chip.now().as_nanos() - began) as f64;
    let bytes = (board.sent - sent_before) as f64;
    let edges = board.edges_of(PIN);
    let off = edges.windows(2).map(|pair| (pair[1] - pair[0]).abs_diff(HALF_PERIOD_NS)).max().unwrap_or(0);
    Ok(Upload {
        image: name.to_owned(),
        image_bytes: image.len(),
        baud,
        ms: ns / 1e6,
        line_share: bytes * BITS / f64::from(baud) / (ns / 1e9),
        edge_off_us: off as f64 / 1e3,
        longest_stop_us: board.vital("flash_longest_us")?,
    })
}
