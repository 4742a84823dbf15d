//! The server: a request in, a response out.
//!
//! It keeps nothing but the upload under way, so any number of clients can ask in any order, and a request that is sent
//! again is done again: that is harmless for each of them but `reset`. Errors are `rc` and `rsn` for either version of the
//! protocol: stock tools show both, while an error of the second version is a number only.
//! A successful response holds what MCUmgr's would and nothing else, as there are clients that refuse more.

use core::fmt;

use super::cbor::{Body, Fields};
use super::upload::{RAM, Uploads, slot_letter};
use super::{Board, Failure, Fault, Images, Rc, Refusal, SlotInfo};

/// The longest packet a client may send: header and body.
pub const BUFFER_BYTES: u32 = 2048;
const BUFFERS: u32 = 1;

const HEADER_BYTES: usize = 8;
const GROUP_OS: u16 = 0;
const GROUP_IMAGE: u16 = 1;
const GROUP_STATISTICS: u16 = 2;
const GROUP_SETTINGS: u16 = 3;
/// The newest version there is: SMP's second, which counts from 0.
const VERSION_MAX: u8 = 1;
/// `MCUBOOT_MODE_DIRECT_XIP_WITH_REVERT` (MCUboot, `bootutil/boot_status.h`): it names what happens here.
const MCUBOOT_MODE: u32 = 5;
/// What `format` may ask for (Zephyr, "OS/Application info"). There is one line, whatever of it is asked for.
const FORMATS: &str = "asnrvbmpio";
const STATISTICS: [&str; 3] = ["host", "guest0", "guest1"];
const BAUD: &str = "console/baud";

const DAMAGED: Fault = Fault { rc: Rc::Corrupt, why: "the header's length is not the packet's: send it again" };
const TOO_NEW: Fault = Fault { rc: Rc::TooNew, why: "this host speaks versions 1 and 2 of SMP" };
const TOO_LONG: Fault = Fault { rc: Rc::TooLong, why: "the response would be too long: ask for less" };
const NO_COMMAND: Fault = Fault { rc: Rc::NotSupported, why: "no such command here: see the reference, interfaces" };
const NO_TEXT: Fault = Fault { rc: Rc::Invalid, why: "echo needs d, a text" };
const NO_BOOT_MODE: Fault = Fault { rc: Rc::NotSupported, why: "there is no boot mode but 0: leave it out" };
const NO_FORMAT: Fault = Fault { rc: Rc::Invalid, why: "format may hold a s n r v b m p i o" };
const NO_QUERY: Fault = Fault { rc: Rc::Invalid, why: "the only query is mode" };
const NO_HASH: Fault = Fault { rc: Rc::Invalid, why: "a test needs the hash of an image: image list shows them" };
const NO_SLOT: Fault = Fault { rc: Rc::Invalid, why: "only slot B can be erased: 1 is guest 0's, 3 is guest 1's" };
const NO_STATISTICS: Fault = Fault { rc: Rc::NotFound, why: "the groups of statistics are host, guest0 and guest1" };
const NO_SETTING: Fault = Fault { rc: Rc::NotFound, why: "the only setting is console/baud" };
const NOT_A_BAUD: Fault =
    Fault { rc: Rc::Invalid, why: "console/baud is a rate that the UART can make, as 4 bytes, lowest first" };

/// A server. `E` is its images' error.
pub struct Server<E> {
    uploads: Uploads<E>,
    requests: u32,
    errors: u32,
}

/// The header of a packet (Zephyr, "SMP Protocol Specification", "Frame: The envelope").
struct Header {
    version: u8,
    op: Op,
    length: usize,
    group: u16,
    sequence: u8,
    command: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Read,
    Write,
}

impl<E: Refusal> Server<E> {
    /// No upload is under way.
    #[must_use]
    pub const fn new() -> Self {
        Self { uploads: Uploads::new(), requests: 0, errors: 0 }
    }

    /// Answers the request in `packet`: its response is in the first bytes of `response`, as many as are returned. 0: there
    /// is nothing to answer, as `packet` is no request. 700 bytes are enough for any response to a request that does not
    /// ask for its own text back; one that does not fit becomes an error.
    ///
    /// [`Server::work`] has to follow.
    pub fn handle(
        &mut self,
        packet: &[u8],
        images: &mut impl Images<Error = E>,
        board: &mut impl Board,
        response: &mut [u8],
    ) -> usize {
        let Some((header, body)) = Header::read(packet) else { return 0 };
        let Some((head, room)) = response.split_at_mut_checked(HEADER_BYTES) else { return 0 };
        self.requests = self.requests.wrapping_add(1);
        let mut answer = Body::new(room);
        let done = self.answer(&header, body, images, board, &mut answer);
        let done = done.and_then(|()| answer.length().ok_or(TOO_LONG.into()));
        let length = done.or_else(|failure| {
            self.errors = self.errors.wrapping_add(1);
            match &failure {
                Failure::Fault(fault) => refuse(fault.rc, &fault.why, room),
                Failure::Refused(error) => refuse(error.rc(), error, room),
            }
        });
        let Ok(length) = length else { return 0 };
        header.write_response(length, head);
        HEADER_BYTES + length
    }

    /// Does what [`Server::handle`] left for after its response was sent, or is on its way: the chunk in `packet`, the same as
    /// there, is written.
    pub fn work(&mut self, packet: &[u8], images: &mut impl Images<Error = E>, board: &mut impl Board) {
        self.uploads.write(packet, images, board);
    }

    /// Requests since the start, modulo 2^32.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// Those of them that were answered with an error.
    #[must_use]
    pub fn errors(&self) -> u32 {
        self.errors
    }

    fn answer(
        &mut self,
        header: &Header,
        body: &[u8],
        images: &mut impl Images<Error = E>,
        board: &mut impl Board,
        to: &mut Body<'_>,
    ) -> Result<(), Failure<E>> {
        if header.version > VERSION_MAX {
            return Err(TOO_NEW.into());
        }
        if header.length != body.len() {
            return Err(DAMAGED.into());
        }
        let fields = Fields::read(body)?;
        match (header.group, header.command, header.op) {
            // A read or a write: clients differ.
            (GROUP_OS, 0, _) => {
                to.map(1).text("r").text(fields.d.ok_or(NO_TEXT)?);
            }
            (GROUP_OS, 5, Op::Write) => {
                if fields.boot_mode.unwrap_or(0) != 0 {
                    return Err(NO_BOOT_MODE.into());
                }
                to.map(0);
                board.reset();
            }
            (GROUP_OS, 6, Op::Read) => {
                to.map(2).text("buf_size").number(BUFFER_BYTES).text("buf_count").number(BUFFERS);
            }
            (GROUP_OS, 7, Op::Read) => {
                if fields.format.is_some_and(|format| !format.chars().all(|letter| FORMATS.contains(letter))) {
                    return Err(NO_FORMAT.into());
                }
                to.map(1).text("output").text(board.application());
            }
            (GROUP_OS, 8, Op::Read) => {
                match fields.query {
                    None => to.map(1).text("bootloader").text("MCUboot"),
                    // Without `no-downgrade`: it would speak of versions, and what is kept from going back is the counter.
                    Some("mode") => to.map(1).text("mode").number(MCUBOOT_MODE),
                    Some(_) => return Err(NO_QUERY.into()),
                };
            }
            (GROUP_IMAGE, 0, Op::Read) => list(images, to),
            (GROUP_IMAGE, 0, Op::Write) => {
                let confirm = fields.confirm == Some(true);
                if !confirm && fields.hash.is_none() {
                    return Err(NO_HASH.into());
                }
                let mut changed = [None; 2];
                let mut note = |guest: u8, slot| changed[usize::from(guest & 1)] = Some(slot);
                images.set_state(fields.hash, confirm, &mut note).map_err(Failure::Refused)?;
                images.list(&mut |entry| {
                    if changed[usize::from(entry.guest & 1)] == Some(entry.slot) {
                        let what = match (entry.pending, entry.permanent) {
                            (true, true) => "runs for good after a reset",
                            (true, false) => "is on trial after a reset",
                            (false, _) => "is confirmed",
                        };
                        let slot = slot_letter(entry.slot);
                        board.say(format_args!("update: guest {}: slot {slot} {what}", entry.guest));
                    }
                });
                // What is pending stays as it is.
                self.uploads.end(None);
                list(images, to);
            }
            (GROUP_IMAGE, 1, Op::Write) => {
                let progress = self.uploads.chunk(&fields, body, HEADER_BYTES, images, board)?;
                to.map(1 + u64::from(progress.is_match)).text("off").number(progress.off);
                if progress.is_match {
                    to.text("match").bool(true);
                }
            }
            (GROUP_IMAGE, 5, Op::Write) => {
                let guest = match fields.slot {
                    None | Some(1) => 0,
                    Some(3) => 1,
                    Some(_) => return Err(NO_SLOT.into()),
                };
                self.uploads.end(Some(guest));
                images.erase(guest).map_err(Failure::Refused)?;
                to.map(0);
            }
            (GROUP_IMAGE, 6, Op::Read) => slot_info(images, board, to),
            (GROUP_STATISTICS, 0, Op::Read) => statistics(fields.name.unwrap_or_default(), board, to)?,
            (GROUP_STATISTICS, 1, Op::Read) => {
                to.map(1).text("stat_list").array(STATISTICS.len() as u64);
                for group in STATISTICS {
                    to.text(group);
                }
            }
            (GROUP_SETTINGS, 0, Op::Read) => {
                if fields.name != Some(BAUD) {
                    return Err(NO_SETTING.into());
                }
                let value = board.baud().to_le_bytes();
                if fields.max_size.is_some_and(|most| most < value.len() as u32) {
                    return Err(TOO_LONG.into());
                }
                to.map(1).text("val").bytes(&value);
            }
            (GROUP_SETTINGS, 0, Op::Write) => {
                if fields.name != Some(BAUD) {
                    return Err(NO_SETTING.into());
                }
                let value = fields.val.and_then(|value| value.try_into().ok()).ok_or(NOT_A_BAUD)?;
                if !board.set_baud(u32::from_le_bytes(value)) {
                    return Err(NOT_A_BAUD.into());
                }
                to.map(0);
            }
            _ => return Err(NO_COMMAND.into()),
        }
        Ok(())
    }
}

impl<E: Refusal> Default for Server<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl Header {
    /// Header and body of a request.
    fn read(packet: &[u8]) -> Option<(Self, &[u8])> {
        let (&[first, _, length @ .., group_high, group_low, sequence, command], body) =
            packet.split_first_chunk::<HEADER_BYTES>()?;
        let op = match first & 0x07 {
            0 => Op::Read,
            2 => Op::Write,
            // A response, of whoever else is on the line, or nothing known.
            _ => return None,
        };
        let header = Self {
            version: first >> 3 & 0x03,
            op,
            length: usize::from(u16::from_be_bytes(length)),
            group: u16::from_be_bytes([group_high, group_low]),
            sequence,
            command,
        };
        Some((header, body))
    }

    /// The header of the response to this request.
    fn write_response(&self, length: usize, to: &mut [u8]) {
        let op = match self.op {
            Op::Read => 1,
            Op::Write => 3,
        };
        let [length_high, length_low] = (length as u16).to_be_bytes();
        let [group_high, group_low] = self.group.to_be_bytes();
        let version = self.version.min(VERSION_MAX);
        let bytes = [version << 3 | op, 0, length_high, length_low, group_high, group_low, self.sequence, self.command];
        to.copy_from_slice(&bytes);
    }
}

/// The response to both requests of image state.
fn list(images: &impl Images, to: &mut Body<'_>) {
    to.map(1).text("images").begin_array();
    images.list(&mut |it| {
        to.map(9).text("image").number(it.guest.into()).text("slot").number(it.slot.into());
        to.text("version").display(it.version, usize::MAX).text("hash").bytes(it.hash);
        let flags = [
            ("bootable", it.bootable),
            ("pending", it.pending),
            ("confirmed", it.confirmed),
            ("active", it.active),
            ("permanent", it.permanent),
        ];
        for (name, is) in flags {
            to.text(name).bool(is);
        }
    });
    to.end();
}

fn slot_info(images: &impl Images, board: &impl Board, to: &mut Body<'_>) {
    let ram = board.ram_slot_bytes();
    to.map(1).text("images").array(2 + u64::from(ram > 0));
    for image in 0..2 {
        let slots = [0, 1].map(|slot| images.slot_info(image, slot));
        slots_of(image, &slots, to);
    }
    if ram > 0 {
        slots_of(RAM, &[SlotInfo { bytes: ram, upload: true }], to);
    }
}

fn slots_of(image: u8, slots: &[SlotInfo], to: &mut Body<'_>) {
    to.map(3).text("image").number(image.into()).text("slots").array(slots.len() as u64);
    let mut most = 0;
    for (slot, info) in (0..).zip(slots) {
        to.map(2 + u64::from(info.upload)).text("slot").number(slot).text("size").number(info.bytes);
        if info.upload {
            to.text("upload_image_id").number(image.into());
        }
        most = most.max(info.bytes);
    }
    to.text("max_image_size").number(most);
}

fn statistics(group: &str, board: &mut impl Board, to: &mut Body<'_>) -> Result<(), Fault> {
    to.map(2).text("name").text(group).text("fields").begin_map();
    let known = board.statistics(group, &mut |name, value| {
        to.text(name).number(value);
    });
    to.end();
    if known { Ok(()) } else { Err(NO_STATISTICS) }
}

/// Writes an error's body into `room`, its text as far as it fits. Returns its length, or that there is no room at all.
fn refuse(rc: Rc, why: &dyn fmt::Display, room: &mut [u8]) -> Result<usize, ()> {
    /// What stands around the text: a map, `rc` and its value, `rsn` and its length.
    const AROUND_BYTES: usize = 12;

    let most = room.len().saturating_sub(AROUND_BYTES);
    let mut to = Body::new(room);
    to.map(2).text("rc").number(rc as u32).text("rsn").display(why, most);
    to.length().ok_or(())
}
