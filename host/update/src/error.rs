//! What can go wrong with an image, an upload or a slot: one line each, for the console and for the `rsn` of an SMP
//! response, with what to do about it.

use core::fmt;

use crate::Version;

/// Why an image does not run, or why a request about images was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Erased flash.
    #[error("the slot is empty: flash a guest image into it")]
    Empty,
    /// It does not start as an image does.
    #[error("not a guest image (magic 0x{found:08x}): flash guest.img, not the .wasm or .cwasm")]
    NotAnImage { found: u32 },
    /// It ends before its own lengths say.
    #[error("image truncated: it needs {needed} bytes, there are {available}; flash it again")]
    Truncated { needed: usize, available: usize },
    /// It was written in a variety of the format that this host does not read.
    #[error("unsupported image ({what}): build it with this host's tools")]
    Unsupported { what: &'static str },
    /// The list after the payload is damaged.
    #[error("image damaged ({what}): flash it again")]
    Damaged { what: &'static str },
    /// Its bytes are not those it was made of.
    #[error("image damaged (SHA-256 differs): flash it again")]
    HashMismatch,
    /// Nobody vouches for it.
    #[error("image not signed: sign it with a key of this host, guest-pack and imgtool do")]
    Unsigned,
    /// It is signed with a key that is not in the firmware's set; the start of that key's hash.
    #[error(
        "image signed with unknown key {:02x}{:02x}{:02x}{:02x}: sign it with a key of this host",
        key[0], key[1], key[2], key[3]
    )]
    UnknownKey { key: [u8; 4] },
    /// It names a key of the set, and that key did not sign it.
    #[error("image has a wrong signature: it was changed, or sign it again")]
    BadSignature,
    /// It was compiled for another engine or with other settings.
    #[error("image for another engine ({engine}): build it with this host's tools")]
    ForeignEngine { engine: Text },
    /// It needs a package or an interface of the contract that this host does not have.
    #[error("image needs {what}: build it for the contract of this host, or update its firmware")]
    ForeignContract { what: Text },
    /// Its security counter is below the highest one that was confirmed.
    #[error("image rolled back (security counter {counter}, at least {floor} needed): build it with a higher one")]
    RolledBack { counter: u32, floor: u32 },

    /// There are guests 0 and 1.
    #[error("no such guest: image 0 and 1 are the guests in flash")]
    NoSuchGuest,
    /// The upload says it is larger than the slot.
    #[error("image too large ({needed} bytes): the slot has {available}")]
    TooLarge { needed: usize, available: usize },
    /// The other slot runs on trial, or will.
    #[error("no free slot: confirm the image on trial first, or reset to go back")]
    NoFreeSlot,
    /// An upgrade was asked for, and it is none.
    #[error("not an upgrade: version {version} is not above {active}, the one that is active")]
    NotAnUpgrade { version: Version, active: Version },
    /// The upload has not begun, or was given up.
    #[error("no upload under way: begin it again at offset 0")]
    NoUpload,
    /// The image's own lengths make it another one than the upload says.
    #[error("image is {needed} bytes long, the upload {length}: send the file whole")]
    LengthDiffers { needed: usize, length: usize },
    /// A chunk that does not follow the one before, or goes beyond the end.
    #[error("upload continues at offset {expected}: send from there, up to its length")]
    OutOfOrder { expected: u32 },
    /// What arrived is not what was announced.
    #[error("upload differs from its announced SHA-256: send it again")]
    ShaDiffers,
    /// No slot holds an image with the hash that was asked for.
    #[error("no image with this hash: list the images for theirs")]
    NotFound,
    /// A trial is pending or running.
    #[error("another image is on trial: confirm it first, or reset to go back")]
    OnTrial,
    /// The guest runs no image that could be confirmed.
    #[error("nothing to confirm: this guest runs no image of a slot")]
    NothingRuns,
    /// An update brought it, and nobody has asked for it to run.
    #[error("the image was uploaded and not tested yet: test or confirm it, then reset")]
    Untested,
    /// The flash driver reported an error, or what was written does not read back.
    #[error("flash failed at 0x{offset:06x} ({what}): try again; if it stays, the flash is worn out")]
    Flash { what: &'static str, offset: u32 },
    /// It holds something else than this host's records.
    #[error("journal unreadable: begun anew; security counters and trials of before are forgotten")]
    JournalUnreadable,
    /// The journal could not be written.
    #[error("journal not written ({what}): try again; if it stays, the flash is worn out")]
    Journal { what: &'static str },
}

/// A short text of an image, kept by value so that an error outlives the image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text {
    bytes: [u8; Text::BYTES],
    length: u8,
}

impl Text {
    /// What the longest name of an engine needs.
    const BYTES: usize = 63;

    /// The first 63 bytes of `text`, which is ASCII.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; Self::BYTES];
        let mut length = 0;
        for (to, from) in bytes.iter_mut().zip(text.bytes().filter(u8::is_ascii)) {
            *to = from;
            length += 1;
        }
        Self { bytes, length }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), out)
    }
}
