//! One upload at a time, chunk by chunk.
//!
//! A chunk is answered before it is written: the client sends the next one meanwhile. So a line at 1 Mbaud is never idle
//! because of flash, and what goes wrong in a write is the answer to the chunk after it. The last chunk is the exception:
//! its answer says that all of the image is written and verified.
//!
//! Only the chunk that is next is ever taken. A client that sends one again because an answer was lost, or sends them out of
//! order, is told which is next; so is a second client, whose bytes spoil the first one's image: then it is refused in
//! the end. A chunk of an upload that is not under way is told to begin at 0.

use core::fmt;
use core::ops::Range;

use super::cbor::Fields;
use super::{Board, Failure, Fault, Images, Rc, Refusal};

/// Image number of the RAM slot, after the guests' 0 and 1.
pub(super) const RAM: u8 = 2;
/// The first chunk has to hold MCUboot's header, by which an image is refused early.
const HEADER_BYTES: usize = 32;

const INCOMPLETE: Fault = Fault { rc: Rc::Invalid, why: "an upload needs off and data, and len where off is 0" };
const NO_SUCH_IMAGE: Fault =
    Fault { rc: Rc::NotFound, why: "no such image: 0 and 1 are the guests, 2 is the RAM slot" };
const NO_SHA: Fault = Fault { rc: Rc::Invalid, why: "sha is not a SHA-256 (32 bytes): leave it out or send all of it" };
const NO_HEADER: Fault =
    Fault { rc: Rc::Invalid, why: "the first chunk is too short for an image's header (32 bytes)" };
const OVERRUN: Fault = Fault { rc: Rc::Invalid, why: "the chunk ends behind the length that off 0 announced" };
const NO_ROOM: Fault = Fault { rc: Rc::NoMemory, why: "no room in RAM for it: use a slot in flash" };
const ROOM_GONE: Fault = Fault { rc: Rc::BadState, why: "the RAM slot was emptied meanwhile: upload it again" };

/// Where the upload stands.
pub(super) struct Uploads<E> {
    current: Option<Upload>,
    /// Why a write failed that was answered already.
    failed: Option<E>,
}

struct Upload {
    image: u8,
    length: u32,
    sha: Option<[u8; 32]>,
    /// Bytes written. All of them: it is complete, and stays so for a client that did not hear it.
    next: u32,
    /// The chunk that is answered and not yet written: where it is in its packet.
    unwritten: Option<Range<usize>>,
}

/// What a chunk is answered with.
pub(super) struct Progress {
    /// The offset of the chunk to send.
    pub off: u32,
    /// The image is complete and is the one that `sha` is the hash of.
    pub is_match: bool,
}

impl<E: Refusal> Uploads<E> {
    pub const fn new() -> Self {
        Self { current: None, failed: None }
    }

    /// The upload to `image` is over; without an image, that to either guest: something else happens to its slot.
    pub fn end(&mut self, image: Option<u8>) {
        self.current = self.current.take().filter(|it| it.image == RAM || image.is_some_and(|image| image != it.image));
    }

    /// Takes a chunk. `at`: where `body` begins in its packet.
    pub fn chunk(
        &mut self,
        fields: &Fields<'_>,
        body: &[u8],
        at: usize,
        images: &mut impl Images<Error = E>,
        board: &mut impl Board,
    ) -> Result<Progress, Failure<E>> {
        let (Some(off), Some(range)) = (fields.off, fields.data.clone()) else { return Err(INCOMPLETE.into()) };
        let data = &body[range.clone()];
        let failed = self.failed.take();
        if off == 0 {
            if let Some(under_way) = self.begin(fields, data, images, board)? {
                return Ok(under_way);
            }
        } else if let Some(error) = failed {
            return Err(Failure::Refused(error));
        }
        let Some(upload) = &mut self.current else { return Ok(Progress { off: 0, is_match: false }) };
        // A host that did not call `work` wrote nothing, and its client is told so.
        upload.unwritten = None;
        if off != upload.next || data.is_empty() {
            return Ok(upload.progress());
        }
        let end = u32::try_from(data.len()).ok().and_then(|bytes| off.checked_add(bytes));
        let end = end.filter(|&end| end <= upload.length).ok_or(OVERRUN)?;
        if end < upload.length {
            upload.unwritten = Some(range.start + at..range.end + at);
            return Ok(Progress { off: end, is_match: false });
        }
        let last = upload.write(data, images, board).and_then(|()| upload.finish(images, board));
        if let Err(failure) = last {
            say_refused(board, upload.image, &failure);
            self.current = None;
            return Err(failure);
        }
        Ok(upload.progress())
    }

    /// Begins an upload, or finds that it is under way.
    fn begin(
        &mut self,
        fields: &Fields<'_>,
        data: &[u8],
        images: &mut impl Images<Error = E>,
        board: &mut impl Board,
    ) -> Result<Option<Progress>, Failure<E>> {
        let length = fields.len.ok_or(INCOMPLETE)?;
        let image = u8::try_from(fields.image.unwrap_or(0)).ok().filter(|&image| image <= RAM).ok_or(NO_SUCH_IMAGE)?;
        let sha = fields.sha.map(|sha| <[u8; 32]>::try_from(sha).map_err(|_| NO_SHA)).transpose()?;
        if let Some(upload) = &self.current {
            let same = upload.image == image && upload.length == length && sha.is_some() && upload.sha == sha;
            if same && 0 < upload.next && upload.next < upload.length {
                return Ok(Some(upload.progress()));
            }
        }
        if data.len() < HEADER_BYTES {
            return Err(NO_HEADER.into());
        }
        if data.len() > usize::try_from(length).unwrap_or(usize::MAX) {
            return Err(OVERRUN.into());
        }
        self.current = None;
        let begun = if image == RAM {
            let room = length <= board.ram_slot_bytes() && board.ram_slot(length as usize).is_some();
            if room { Ok(()) } else { Err(NO_ROOM.into()) }
        } else {
            images.begin(image, length, data, fields.upgrade == Some(true)).map_err(Failure::Refused)
        };
        if let Err(failure) = begun {
            say_refused(board, image, &failure);
            return Err(failure);
        }
        let upload = self.current.insert(Upload { image, length, sha, next: 0, unwritten: None });
        if image != RAM && sha.is_some_and(|sha| images.already_there(image, length, &sha)) {
            upload.next = length;
            return Ok(Some(upload.progress()));
        }
        Ok(None)
    }

    /// Writes the chunk that was answered last, out of its packet.
    pub fn write(&mut self, packet: &[u8], images: &mut impl Images<Error = E>, board: &mut impl Board) {
        let Some(upload) = &mut self.current else { return };
        let Some(bytes) = upload.unwritten.take().and_then(|range| packet.get(range)) else { return };
        if let Err(failure) = upload.write(bytes, images, board) {
            say_refused(board, upload.image, &failure);
            self.current = None;
            if let Failure::Refused(error) = failure {
                self.failed = Some(error);
            }
        }
    }
}

impl Upload {
    fn progress(&self) -> Progress {
        Progress { off: self.next, is_match: self.next == self.length && self.sha.is_some() }
    }

    fn write<E>(
        &mut self,
        bytes: &[u8],
        images: &mut impl Images<Error = E>,
        board: &mut impl Board,
    ) -> Result<(), Failure<E>> {
        if self.image == RAM {
            let from = self.next as usize;
            let room = board.ram_image().get_mut(from..from + bytes.len()).ok_or(ROOM_GONE)?;
            room.copy_from_slice(bytes);
        } else {
            images.data(self.next, bytes).map_err(Failure::Refused)?;
        }
        self.next += bytes.len() as u32;
        Ok(())
    }

    fn finish<E>(&self, images: &mut impl Images<Error = E>, board: &mut impl Board) -> Result<(), Failure<E>> {
        let bytes = self.length;
        if self.image == RAM {
            let image = board.ram_image().get(..bytes as usize).ok_or(ROOM_GONE)?;
            let name = Name::of(images.verify_in_ram(image, self.sha.as_ref()).map_err(Failure::Refused)?);
            board.say(format_args!("update: ram: {name}, {bytes} bytes, in the place of guest 0"));
            board.run_ram_slot();
        } else {
            let it = images.finish(self.sha.as_ref()).map_err(Failure::Refused)?;
            let (guest, slot) = (self.image, slot_letter(it.slot));
            let (name, version) = (it.name, it.version);
            board.say(format_args!("update: guest {guest}: uploaded to slot {slot}: {name} {version}, {bytes} bytes"));
        }
        Ok(())
    }
}

/// Slots are A and B to people.
pub(super) fn slot_letter(slot: u8) -> char {
    char::from(b'A'.wrapping_add(slot))
}

fn say_refused<E: fmt::Display>(board: &mut impl Board, image: u8, failure: &Failure<E>) {
    let why: &dyn fmt::Display = match failure {
        Failure::Fault(fault) => &fault.why,
        Failure::Refused(error) => error,
    };
    match image {
        RAM => board.say(format_args!("update: ram: refused: {why}")),
        guest => board.say(format_args!("update: guest {guest}: refused: {why}")),
    }
}

/// A guest's name that outlives the borrow of the board whose RAM it is in.
struct Name {
    bytes: [u8; 31],
    length: usize,
}

impl Name {
    fn of(name: &str) -> Self {
        let mut bytes = [0; 31];
        let length = name.floor_char_boundary(bytes.len().min(name.len()));
        bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
        Self { bytes, length }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default())
    }
}
