//! A board at the other end of a serial port, asked through SMP. What it answers is a value; that it refuses, or does not
//! answer, is an error that says what was being done.

use std::{
    collections::BTreeMap,
    io::Write,
    thread,
    time::{Duration, Instant},
};

use mcumgr_toolkit::{
    MCUmgrClient,
    client::MCUmgrClientError,
    commands::image::ImageState,
    connection::ExecuteError,
    smp_errors::{DeviceError, MCUmgrErr},
    transport::{ReceiveError, SendError},
};

use super::tap::{Heard, Tap};
use crate::{
    bench_file::Serial,
    error::{Error, chain},
    line::Line,
};

/// The setting that is the console's rate (docs/src/reference/interfaces.md).
const BAUD: &str = "console/baud";
/// The largest frame a board of ours takes, in bytes on the line; longer than this it is not on its way.
const FRAME: u64 = 3 * 1024;
/// For an answer, besides the time on the line: the last chunk of an upload is answered after the image is verified, an
/// erasure after the slot is blank, and a virtual board may be slower than its clock.
const ANSWER: Duration = Duration::from_secs(4);
/// For the first one.
const HELLO: Duration = Duration::from_millis(1_500);
/// How often a request is sent again that was not answered.
const AGAIN: u8 = 2;
/// For an answer of a board that is starting.
const BOOTING: Duration = Duration::from_millis(400);
/// For a board to start and to look at its guests.
const BOOT: Duration = Duration::from_secs(10);
/// Between two looks at a board that is busy with itself.
const LOOK: Duration = Duration::from_millis(50);

/// A group of statistics: its name, and values by name.
pub type Group = (String, BTreeMap<String, u64>);

/// A board that has answered.
pub struct Board {
    client: MCUmgrClient,
    serial: Serial,
    /// For the rate; the client has the line itself.
    line: Line,
    heard: Heard,
    /// At which rate it is, if it was told one.
    told: Option<u32>,
}

impl Board {
    /// Opens the port and asks whether anybody is there.
    pub fn open(serial: &Serial) -> Result<Self, Error> {
        let board = Self::connect(serial)?;
        let doing = "looking for the board";
        board.ask(doing, |client| client.set_timeout(HELLO))?;
        board.ask(doing, |client| client.check_connection())?;
        board.be_patient()?;
        board.learn()
    }

    /// The same for a board that is just starting.
    pub fn open_starting(serial: &Serial) -> Result<Self, Error> {
        let mut board = Self::connect(serial)?;
        board.wait("waiting for the board to start", |_| Ok(Some(())))?;
        board.learn()
    }

    fn connect(serial: &Serial) -> Result<Self, Error> {
        let fail = |source| Error::Serial { port: serial.port.clone(), source };
        let mut line = Line::open(serial, ANSWER)?;
        line.clear().map_err(fail)?;
        // Whatever stands half written in the board's receiver ends here.
        line.write_all(b"\n").map_err(fail)?;
        let tap = Tap::new(line.try_clone().map_err(fail)?, ANSWER);
        let heard = tap.heard();
        let client = MCUmgrClient::new_from_serial(tap);
        let board = Self { client, serial: serial.clone(), line, heard, told: None };
        board.be_patient()?;
        Ok(board)
    }

    fn learn(self) -> Result<Self, Error> {
        self.ask("asking for its parameters", |client| client.use_auto_frame_size())?;
        Ok(self)
    }

    fn be_patient(&self) -> Result<(), Error> {
        // Ten bits a byte.
        let line = Duration::from_millis(FRAME * 10 * 1_000 / u64::from(self.baud().max(1)));
        self.client.set_retries(AGAIN);
        self.ask("setting the time-out", |client| client.set_timeout(ANSWER + line))
    }

    /// The rate of the line.
    pub fn baud(&self) -> u32 {
        self.told.unwrap_or(self.serial.baud)
    }

    /// The port, as the user named it.
    pub fn port(&self) -> &str {
        &self.serial.port
    }

    /// What the board has printed since the last call, as far as it was heard.
    pub fn console(&self) -> Vec<String> {
        self.heard.take()
    }

    /// Bytes sent over the line so far.
    pub fn sent(&self) -> u64 {
        self.heard.sent()
    }

    /// Asks something; `doing` says in errors what it is for.
    pub fn ask<T>(
        &self,
        doing: &'static str,
        question: impl FnOnce(&MCUmgrClient) -> Result<T, MCUmgrClientError>,
    ) -> Result<T, Error> {
        question(&self.client).map_err(|error| self.failed(doing, &error))
    }

    fn failed(&self, doing: &'static str, error: &MCUmgrClientError) -> Error {
        let port = self.serial.port.clone();
        match error {
            MCUmgrClientError::ExecuteError(ExecuteError::ErrorResponse(answer)) => Error::UpdateRefused {
                doing,
                message: match answer {
                    DeviceError::V1 { rc, rsn: Some(reason) } => {
                        format!("{reason} ({})", MCUmgrErr::err_to_string(*rc))
                    }
                    other => other.to_string(),
                },
            },
            MCUmgrClientError::ExecuteError(
                ExecuteError::SendFailed(SendError::Timeout) | ExecuteError::ReceiveFailed(ReceiveError::Timeout),
            ) => Error::SilentBoard { doing, port, baud: self.baud() },
            other => Error::SerialLine { doing, port, message: chain(other) },
        }
    }

    /// What is in the slots.
    pub fn images(&self) -> Result<Vec<ImageState>, Error> {
        self.ask("asking for its images", |client| client.image_get_state())
    }

    /// Asks a board that may be starting, over and over, until `ready` has an answer.
    pub fn wait<T>(
        &mut self,
        doing: &'static str,
        mut ready: impl FnMut(&[ImageState]) -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        let since = Instant::now();
        self.client.set_retries(0);
        self.ask(doing, |client| client.set_timeout(BOOTING))?;
        let outcome = loop {
            let answer = match self.ask(doing, |client| client.image_get_state()) {
                Ok(images) => ready(&images).transpose(),
                // A port that was closed will not come back.
                Err(error @ Error::SerialLine { .. }) if since.elapsed() > LOOK * 10 => Some(Err(error)),
                Err(error) if since.elapsed() > BOOT => Some(Err(error)),
                Err(_) => None,
            };
            match answer {
                Some(outcome) => break outcome,
                None if since.elapsed() > BOOT => {
                    break Err(Error::SilentBoard { doing, port: self.serial.port.clone(), baud: self.baud() });
                }
                None => thread::sleep(LOOK),
            }
        };
        self.be_patient()?;
        outcome
    }

    /// Sets the rate of both ends.
    pub fn set_baud(&mut self, baud: u32) -> Result<(), Error> {
        self.ask("setting the rate of the line", |client| client.settings_write(BAUD, &baud.to_le_bytes()))?;
        self.follow(baud)?;
        self.ask("looking for the board at the new rate", |client| client.check_connection())
    }

    /// Sets the rate back, if it was set.
    pub fn set_baud_back(&mut self) -> Result<(), Error> {
        match self.told {
            Some(baud) if baud != self.serial.baud => self.set_baud(self.serial.baud),
            _ => Ok(()),
        }
    }

    fn follow(&mut self, baud: u32) -> Result<(), Error> {
        let fail = |source| Error::Serial { port: self.serial.port.clone(), source };
        self.line.set_baud(baud).map_err(fail)?;
        self.told = Some(baud);
        self.be_patient()
    }

    /// Resets it, which also resets its rate.
    pub fn reset(&mut self) -> Result<(), Error> {
        self.ask("resetting the board", |client| client.os_system_reset(false, None))?;
        self.follow(self.serial.baud)
    }

    /// What the firmware counts of a guest, by name; nothing if it does not count.
    pub fn vitals_of(&self, guest: u32) -> Result<BTreeMap<String, u64>, Error> {
        let group = format!("guest{guest}");
        match self.ask("asking how the guest does", |client| client.stats_get_group_data(&group)) {
            Ok(values) => Ok(values.into_iter().collect()),
            Err(Error::UpdateRefused { .. }) => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        }
    }

    /// Its statistics: each group's name and values in order of name.
    pub fn statistics(&self) -> Result<Vec<Group>, Error> {
        let groups = self.ask("asking for its statistics", |client| client.stats_list_groups())?;
        let values = groups.into_iter().map(|group| {
            let values = self.ask("asking for its statistics", |client| client.stats_get_group_data(&group))?;
            Ok((group, values.into_iter().collect()))
        });
        values.collect()
    }
}
