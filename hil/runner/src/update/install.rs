//! The whole way of an update over the serial port: upload, test, reset, look whether the guest stays, confirm.
//!
//! It goes on where an earlier try ended: an upload that was cut off is resumed by the board, an image that is in a slot
//! already is not sent again, and one that is on trial only has to pass it.

use std::{
    thread,
    time::{Duration, Instant},
};

use mcumgr_toolkit::commands::image::ImageState;

use super::{Board, Image, ImageNumber, RAM, show};
use crate::{error::Error, progress::Progress};

/// Between two looks at a guest on trial.
const LOOK: Duration = Duration::from_millis(200);
/// For a guest that traps, to trap as often as it takes to be given up by the board, or to start from RAM.
const PATIENCE: Duration = Duration::from_secs(10);
/// The vitals of a guest that are looked at, and their values (docs/src/reference/memory.md, "Vitals").
const STATE: &str = "state";
const RUNNING: u64 = 1;
const RETURNED: u64 = 2;
const REFUSED: u64 = 4;
const STOPPED: u64 = 5;
const TRAPS: &str = "traps";
const SLOT: &str = "slot";
const SLOT_RAM: u64 = 2;

/// What to do with an image.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whose slots.
    pub image: ImageNumber,
    /// Whether to confirm it once it has run for `trial`.
    pub confirm: bool,
    /// How long to watch it before.
    pub trial: Duration,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It runs, and stays after a reset.
    Confirmed,
    /// It runs; a reset brings back the guest before.
    OnTrial,
    /// The board went back to the guest before.
    Reverted,
    /// It is on trial still, but has trapped: it is not confirmed, and the next reset brings back the guest before.
    Trapping,
}

impl Outcome {
    /// Whether it is what runs.
    pub fn good(self) -> bool {
        matches!(self, Self::Confirmed | Self::OnTrial)
    }
}

/// How far an image has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Missing,
    Uploaded,
    Pending,
    OnTrial,
    Confirmed,
}

impl Stage {
    pub fn of(image: &Image, number: ImageNumber, images: &[ImageState]) -> Self {
        let ours = |state: &&ImageState| state.image == number && state.hash.as_ref() == Some(&image.hash);
        let stage = |state: &ImageState| match (state.active, state.confirmed, state.pending) {
            (true, true, _) => Self::Confirmed,
            (true, false, _) => Self::OnTrial,
            (false, _, true) => Self::Pending,
            (false, _, false) if state.bootable => Self::Uploaded,
            (false, ..) => Self::Missing,
        };
        // The same image may be in both slots; what counts is the one that has come further.
        let order = [Self::Confirmed, Self::OnTrial, Self::Pending, Self::Uploaded];
        let stages: Vec<Self> = images.iter().filter(ours).map(stage).collect();
        order.into_iter().find(|stage| stages.contains(stage)).unwrap_or(Self::Missing)
    }
}

/// All of it.
pub fn install(board: &mut Board, image: &Image, options: Options, progress: &Progress) -> Result<Outcome, Error> {
    let stage = Stage::of(image, options.image, &board.images()?);
    if stage == Stage::Missing {
        upload_timed(board, image, options.image, progress)?;
    }
    activate(board, image, options, progress)
}

/// Sends it into the slot that is free, or to RAM.
pub fn upload(board: &Board, image: &Image, number: ImageNumber, progress: &Progress) -> Result<(), Error> {
    let what = format!("{}: uploading", image.name);
    let mut at = |done: u64, total: u64| {
        progress.at(&what, done, total);
        true
    };
    let doing = if number == RAM { "uploading to RAM" } else { "uploading" };
    let sent = board.ask(doing, |client| client.image_upload(&image.bytes, Some(number), None, false, Some(&mut at)));
    progress.clear();
    sent
}

/// The same, and says how fast it was.
fn upload_timed(board: &Board, image: &Image, number: ImageNumber, progress: &Progress) -> Result<(), Error> {
    let (since, before) = (Instant::now(), board.sent());
    upload(board, image, number, progress)?;
    let seconds = since.elapsed().as_secs_f64();
    // Ten bits a byte.
    let on_line = (board.sent() - before) as f64 * 10.0 / f64::from(board.baud());
    progress.line(&format!(
        "{}: uploaded, {} bytes in {seconds:.1} s, {:.0} % of what a line of {} baud can carry",
        image.name,
        image.bytes.len(),
        100.0 * on_line / seconds,
        board.baud()
    ));
    Ok(())
}

/// From a slot into service.
pub fn activate(board: &mut Board, image: &Image, options: Options, progress: &Progress) -> Result<Outcome, Error> {
    let name = &image.name;
    let stage = Stage::of(image, options.image, &board.images()?);
    match stage {
        Stage::Confirmed => {
            progress.line(&format!("{name}: runs already, and is confirmed"));
            return Ok(Outcome::Confirmed);
        }
        Stage::OnTrial => progress.line(&format!("{name}: is on trial already")),
        Stage::Missing | Stage::Uploaded | Stage::Pending => {
            if stage != Stage::Pending {
                board.ask("marking the image for its trial", |client| {
                    client.image_set_state(Some(&image.hash), false)
                })?;
            }
            tell(board, progress);
            board.reset()?;
            progress.line(&format!("{name}: marked for its trial, board reset"));
            let started = board.wait("waiting for the board to start again", |images| {
                Ok(match Stage::of(image, options.image, images) {
                    // Not reset yet.
                    Stage::Pending => None,
                    stage => Some(stage),
                })
            })?;
            tell(board, progress);
            if !matches!(started, Stage::OnTrial | Stage::Confirmed) {
                return Ok(Outcome::Reverted);
            }
        }
    }
    if !options.confirm {
        progress.line(&format!("{name}: is on trial; confirm it with `hil update confirm`, or reset to go back"));
        return Ok(Outcome::OnTrial);
    }
    let watched = watch(board, image, options, progress);
    progress.clear();
    let outcome = watched?;
    tell(board, progress);
    if outcome != Outcome::OnTrial {
        return Ok(outcome);
    }
    let confirmed = board.ask("confirming", |client| client.image_set_state(Some(&image.hash), true))?;
    tell(board, progress);
    Ok(match Stage::of(image, options.image, &confirmed) {
        Stage::Confirmed => {
            progress.line(&format!("{name}: confirmed"));
            Outcome::Confirmed
        }
        _ => Outcome::Reverted,
    })
}

/// Looks after a guest on trial until its time is up, or longer if it traps: the board gives up such a guest by itself.
fn watch(board: &mut Board, image: &Image, options: Options, progress: &Progress) -> Result<Outcome, Error> {
    let since = Instant::now();
    let mut until = options.trial;
    let mut trapped = false;
    loop {
        // A board that hangs is reset by its watchdog, and answers again after that.
        let stage = board
            .wait("looking after the guest on trial", |images| Ok(Some(Stage::of(image, options.image, images))))?;
        if !matches!(stage, Stage::OnTrial | Stage::Confirmed) {
            return Ok(Outcome::Reverted);
        }
        if !trapped && board.vitals_of(options.image)?.get(TRAPS).is_some_and(|traps| *traps > 0) {
            trapped = true;
            until += PATIENCE;
        }
        let elapsed = since.elapsed();
        if elapsed >= until {
            return Ok(if trapped { Outcome::Trapping } else { Outcome::OnTrial });
        }
        progress.at(&format!("{}: on trial", image.name), elapsed.as_millis() as u64, until.as_millis() as u64);
        thread::sleep(LOOK.min(until - elapsed));
    }
}

/// Sends it to RAM, where it runs at once.
pub fn run(board: &Board, image: &Image, progress: &Progress) -> Result<Outcome, Error> {
    upload_timed(board, image, RAM, progress)?;
    started(board, progress)
}

/// Whether what was sent to RAM runs: it does so in the place of guest 0.
pub fn started(board: &Board, progress: &Progress) -> Result<Outcome, Error> {
    let since = Instant::now();
    let mut looks = 0;
    let good = loop {
        let vitals = board.vitals_of(0)?;
        let in_ram = vitals.get(SLOT) == Some(&SLOT_RAM);
        match vitals.get(STATE) {
            Some(&(RUNNING | RETURNED)) if in_ram => looks += 1,
            Some(&(REFUSED | STOPPED)) if in_ram => break false,
            _ => looks = 0,
        }
        // One that traps at once is seen running only in between.
        if looks == 3 || since.elapsed() > PATIENCE {
            break looks == 3;
        }
        thread::sleep(LOOK);
    };
    tell(board, progress);
    Ok(if good { Outcome::OnTrial } else { Outcome::Reverted })
}

/// What the board said meanwhile.
pub fn tell(board: &Board, progress: &Progress) {
    for line in board.console() {
        progress.line(&format!("    board: {line}"));
    }
}

/// How it ended, in words, with the state of all slots.
pub fn ending(board: &Board, image: &Image, outcome: Outcome) -> Result<String, Error> {
    let why = match outcome {
        Outcome::Confirmed | Outcome::OnTrial => String::new(),
        Outcome::Reverted => format!("{}: FAILED: it does not run; the board went on with what it had\n", image.name),
        Outcome::Trapping => format!(
            "{}: FAILED: it trapped, so it is not confirmed; the next reset brings back the guest before\n",
            image.name
        ),
    };
    Ok(why + &state(board)?)
}

/// The state of all slots.
pub fn state(board: &Board) -> Result<String, Error> {
    Ok(show::images(&board.images()?))
}
