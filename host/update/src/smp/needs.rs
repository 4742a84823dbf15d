//! What the SMP server asks of its surroundings: the images in flash, and the board around them.
//!
//! It calls them one after the other from `Server::handle` and `Server::work`, never from anywhere else. What they refuse,
//! they say why in words for the user of an SMP tool; the server hands that on as it is.

use core::fmt;

/// SMP's error codes, `enum mcumgr_err_t` (Zephyr, `mgmt/mcumgr/mgmt/mgmt_defines.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Rc {
    /// None of the others.
    Unknown = 1,
    /// No memory for it.
    NoMemory = 2,
    /// The request, or the image it carries, is not as it has to be.
    Invalid = 3,
    /// What the request names does not exist.
    NotFound = 5,
    /// Not in this state: a trial is pending or running.
    BadState = 6,
    /// The answer would be too long.
    TooLong = 7,
    /// No such command here.
    NotSupported = 8,
    /// It is damaged.
    Corrupt = 9,
    /// Not now.
    Busy = 10,
    /// It may not run here: signature, or a security counter that is too low.
    Denied = 11,
    /// A version of the protocol that is younger than this server.
    TooNew = 13,
}

/// Why something was refused: `Display` says what is wrong and what to do, for the user of an SMP tool.
pub trait Refusal: fmt::Display {
    /// Its kind, for the tool.
    fn rc(&self) -> Rc;
}

/// An image in a slot.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// 0 or 1.
    pub guest: u8,
    /// Slot A is 0, slot B 1.
    pub slot: u8,
    /// As MCUmgr writes it: `1.2.3`, or `1.2.3.4` with a build number.
    pub version: &'a dyn fmt::Display,
    /// TLV 0x10.
    pub hash: &'a [u8; 32],
    /// It would run: everything about it was checked.
    pub bootable: bool,
    /// It runs after the next reset, for a trial or for good. At most one slot of a guest.
    pub pending: bool,
    /// It is the one to fall back to. At most one slot of a guest; while it is alone, it is also the active one.
    pub confirmed: bool,
    /// It runs. At most one slot of a guest.
    pub active: bool,
    /// It is pending for good.
    pub permanent: bool,
}

/// A slot's size and use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotInfo {
    /// Its size; an image may be as long.
    pub bytes: u32,
    /// The next upload goes there.
    pub upload: bool,
}

/// An upload that is complete and verified.
#[derive(Clone, Copy)]
pub struct Stored<'a> {
    /// Slot A is 0, slot B 1.
    pub slot: u8,
    /// What the guest is called.
    pub name: &'a str,
    /// As MCUmgr writes it.
    pub version: &'a dyn fmt::Display,
}

/// The images in flash: what they are to the server.
///
/// One upload at a time: the server calls `begin`, then `data` for one piece after the other without a gap or overlap, then
/// `finish`; or `begin` again instead, at any time, which ends the upload before.
pub trait Images {
    /// Why something was refused. Kept until the next chunk arrives, which is answered with it.
    type Error: Refusal;

    /// Calls `each` for each slot that holds an image that can be read: guest 0 first, slot A first.
    fn list(&self, each: &mut dyn FnMut(&Entry<'_>));

    /// Begins the upload of an image of `length` bytes for `guest` (0 or 1) into the slot that is not active. `start` is what
    /// the first chunk holds, at least the 32 bytes of the header. `upgrade`: its version has to be higher than that of the
    /// image that is active. Writes no flash: it is called before the chunk is answered.
    ///
    /// # Errors
    /// The image can be refused already, or there is no free slot.
    fn begin(&mut self, guest: u8, length: u32, start: &[u8], upgrade: bool) -> Result<(), Self::Error>;

    /// Whether the slot that an upload for `guest` would go to holds the very file of `length` bytes with this SHA-256, whole
    /// and verified: then no `data` follows the `begin` before.
    fn already_there(&self, guest: u8, length: u32, sha: &[u8; 32]) -> bool;

    /// Takes the next piece, which begins `offset` bytes into the image and is of any length.
    ///
    /// # Errors
    /// Flash failed; the upload is over.
    fn data(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Verifies what was uploaded. `sha`: the SHA-256 of all its bytes, as the client announced it.
    ///
    /// # Errors
    /// The image is refused; the upload is over.
    fn finish(&mut self, sha: Option<&[u8; 32]>) -> Result<Stored<'_>, Self::Error>;

    /// Verifies the image that was uploaded to the RAM slot, like one in a slot of guest 0, and says what it is called.
    ///
    /// # Errors
    /// The image is refused.
    fn verify_in_ram<'a>(&self, image: &'a [u8], sha: Option<&[u8; 32]>) -> Result<&'a str, Self::Error>;

    /// The image with this hash (TLV 0x10) shall run after the next reset: on trial, or for good with `confirm`. `confirm`
    /// with the hash of an image on trial, or without a hash (then of every guest that has one): it stays.
    /// Calls `changed` with guest and slot for each slot that it did that to.
    ///
    /// # Errors
    /// No such image, or not in this state.
    fn set_state(
        &mut self,
        hash: Option<&[u8]>,
        confirm: bool,
        changed: &mut dyn FnMut(u8, u8),
    ) -> Result<(), Self::Error>;

    /// Erases the slot of `guest` (0 or 1) that is not active. That ends an upload to it, and no other.
    ///
    /// # Errors
    /// It is pending, or flash failed.
    fn erase(&mut self, guest: u8) -> Result<(), Self::Error>;

    /// Of guests and slots 0 and 1.
    fn slot_info(&self, guest: u8, slot: u8) -> SlotInfo;
}

/// The board around the images.
pub trait Board {
    /// Name and version of the host and its engine: `sandhill 0.2.0 wasmtime 48.0.8`.
    fn application(&self) -> &str;

    /// Prints a line on the console; the line's end is the board's.
    fn say(&mut self, line: fmt::Arguments<'_>);

    /// A reset was asked for. It is carried out after the response is sent.
    fn reset(&mut self);

    /// Calls `each` for every field of the vitals' group `host`, `guest0` or `guest1`. Returns whether there is such a group.
    fn statistics(&mut self, group: &str, each: &mut dyn FnMut(&str, u32)) -> bool;

    /// The console's rate from the end of the response on. Returns whether it can be had.
    fn set_baud(&mut self, baud: u32) -> bool;

    /// The console's rate.
    fn baud(&self) -> u32;

    /// The longest image that the RAM slot can take; 0: there is no RAM slot.
    fn ram_slot_bytes(&self) -> u32;

    /// Empties the RAM slot, which ends a guest that runs from it, and makes room for an image of `bytes`, aligned to 32.
    fn ram_slot(&mut self, bytes: usize) -> Option<&mut [u8]>;

    /// The room that [`Board::ram_slot`] made; empty if there is none any more.
    fn ram_image(&mut self) -> &mut [u8];

    /// The RAM slot's image is verified: it runs in the place of guest 0 from now on, until a reset.
    fn run_ram_slot(&mut self);
}
