//! Power that goes in every write of flash of every step of an update, each followed by a boot.
//!
//! A flow runs once. At each write the chip is copied, power goes in the copy, in the middle of that write too, and the copy
//! is powered again: it has to run the guest before the update or the one after it, from bytes that are exactly those of its
//! signed image.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mcumgr_toolkit::MCUmgrClient;
use rp2350_model::{Instant, Rp2350, RunExit, Torn};

use crate::board::{Artefacts, Board, Shared};
use crate::{Error, board};

/// How much of the write takes effect: none of it, a little, half, nearly all, all.
const TORN: [Torn; 5] = [Torn::Nothing, Torn::Part(1), Torn::Part(128), Torn::Part(255), Torn::All];
/// In which a board has to be up again.
const BOOT: Duration = Duration::from_secs(1);
/// The states of a guest that runs, or will again in a moment, in the vitals.
const RUNNING: [u32; 2] = [1, 3];

/// A step of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// The first guest, on a board without one: upload, confirm, reset.
    Install,
    /// Upload and test of another one, up to its first run.
    Test,
    /// Confirmation of the one on trial, and the reset after it.
    Confirm,
    /// A reset instead of the confirmation.
    Revert,
    /// The one on trial traps over and over.
    TrapLoop,
}

impl Flow {
    pub const ALL: [Self; 5] = [Self::Install, Self::Test, Self::Confirm, Self::Revert, Self::TrapLoop];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Test => "test",
            Self::Confirm => "confirm",
            Self::Revert => "revert",
            Self::TrapLoop => "trap loop",
        }
    }
}

/// What a board did after a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// There was no guest, and there is none.
    None,
    /// It runs the guest that ran before.
    Old,
    /// It runs the guest of the update.
    New,
}

/// A cut and what followed.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Number of the write since power-on.
    pub operation: u64,
    pub torn: Torn,
    pub outcome: Outcome,
}

/// The images of a flow.
struct Images {
    old: Option<Vec<u8>>,
    new: Vec<u8>,
}

/// Cuts power in every write of `flow`, in every way, and says what each board did.
///
/// # Errors
/// [`Error::Wrong`]: a board did not come back, or ran something else; with what it said.
pub fn cuts(artefacts: &Artefacts, flow: Flow) -> Result<Vec<Cut>, Error> {
    let new = if flow == Flow::TrapLoop { "fixtures/trap" } else { "guests/blinky-zig" };
    let old = (flow != Flow::Install).then(|| artefacts.image("guests/blinky-c")).transpose()?;
    let images = Arc::new(Images { old, new: artefacts.image(new)? });
    let shared = artefacts.board(images.old.as_deref())?;
    let client = shared.client()?;

    // What comes before the flow itself is not cut.
    if matches!(flow, Flow::Confirm | Flow::Revert) {
        update(&shared, &client, &images.new, false)?;
    }
    let seen: Arc<Mutex<Vec<Result<Cut, Error>>>> = Arc::default();
    shared.watch(Some(Box::new({
        let (seen, images, firmware) = (seen.clone(), images.clone(), artefacts.firmware.clone());
        move |before: &Rp2350, after: &Rp2350| {
            for operation in before.flash_operations()..after.flash_operations() {
                for torn in TORN {
                    let outcome = cut(before, after.now(), operation, torn, &images, &firmware);
                    let seen = &mut seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.push(outcome.map(|outcome| Cut { operation, torn, outcome }));
                }
            }
        }
    })));
    match flow {
        Flow::Install => update(&shared, &client, &images.new, true)?,
        Flow::Test => update(&shared, &client, &images.new, false)?,
        Flow::Confirm => {
            client.image_set_state(None, true)?;
            reset(&shared, &client)?;
        }
        Flow::Revert => reset(&shared, &client)?,
        Flow::TrapLoop => {
            update(&shared, &client, &images.new, false)?;
            shared.board().wait_for(&["blinky-c: running"], Duration::from_secs(10))?;
        }
    }
    shared.watch(None);
    let cuts = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    cuts.into_iter().collect()
}

/// How many cuts had which outcome.
#[must_use]
pub fn count(cuts: &[Cut]) -> BTreeMap<Outcome, usize> {
    let mut counts = BTreeMap::new();
    for cut in cuts {
        *counts.entry(cut.outcome).or_default() += 1;
    }
    counts
}

/// Uploads `image` as guest 0, has it tested or confirmed for good, resets, and waits for the board to be up.
///
/// # Errors
/// The board refuses it, or does not come up.
pub fn update(shared: &Shared, client: &MCUmgrClient, image: &[u8], for_good: bool) -> Result<(), Error> {
    client.image_upload(image, Some(0), None, false, None)?;
    let hash = hash(image)?;
    client.image_set_state(Some(&hash), for_good)?;
    reset(shared, client)
}

/// Resets the board through the protocol, and waits for it to be up.
pub(crate) fn reset(shared: &Shared, client: &MCUmgrClient) -> Result<(), Error> {
    client.os_system_reset(false, None)?;
    let mut board = shared.board();
    board.clear_console();
    board.wait_for(&["slot 1: "], BOOT).map(drop)
}

/// The hash by which the protocol calls an image.
pub(crate) fn hash(image: &[u8]) -> Result<Vec<u8>, Error> {
    let info = mcumgr_toolkit::mcuboot::get_image_info(Cursor::new(image));
    info.map(|info| info.hash.into()).map_err(|error| Error::Wrong(format!("an artefact is no image: {error}")))
}

/// One cut: what the board does after it.
fn cut(
    before: &Rp2350,
    until: Instant,
    operation: u64,
    torn: Torn,
    images: &Images,
    firmware: &Arc<hil::firmware::Firmware>,
) -> Result<Outcome, Error> {
    let wrong = |what: String| Error::Wrong(format!("power cut in write {operation}, {torn:?}: {what}"));
    let mut chip = before.clone();
    chip.cut_power_at(operation, torn);
    // The write may end a little after the step that it begins in.
    let deadline = Instant::from_nanos(until.as_nanos() + board::nanos(BOOT));
    if chip.run_until(deadline) != RunExit::PowerCut {
        return Err(wrong("it did not come to that write again".into()));
    }
    chip.power_cycle();
    let mut board = Board::around(chip, firmware.clone());
    board.wait_for(&["slot 1: "], BOOT).map_err(|error| wrong(error.to_string()))?;
    // The guest's own first instructions.
    board.run(Duration::from_millis(20));
    if let Some(line) = board.console.iter().find(|line| line.contains("panic")) {
        return Err(wrong(line.clone()));
    }
    judge(&mut board, images).map_err(|error| wrong(format!("{error}; console: {}", board.console.join("; "))))
}

/// What runs, if it is one of the two, whole.
fn judge(board: &mut Board, images: &Images) -> Result<Outcome, Error> {
    let (state, slot) = (board.vital("guest0_state")?, board.vital("guest0_slot")?);
    if !RUNNING.contains(&state) {
        // A first guest that has come in part is none.
        return match images.old {
            None => Ok(Outcome::None),
            Some(_) => Err(Error::Wrong(format!("guest 0 is in state {state}"))),
        };
    }
    let content = board.slot(0, slot);
    let outcome = match &images.old {
        _ if content.starts_with(&images.new) => Outcome::New,
        Some(old) if content.starts_with(old) => Outcome::Old,
        _ => return Err(Error::Wrong(format!("slot {slot} runs and holds neither of the two images"))),
    };
    Ok(outcome)
}
