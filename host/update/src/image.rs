//! The image format of MCUboot, as far as guests use it: a header, the payload, a protected list of TLVs that says who the
//! guest is and what it may use, and a list of TLVs that vouches for all three.
//!
//! An image is taken whole or not at all: magic, every length and the SHA-256 have to be right, and what this reader
//! does not know is refused instead of skipped over.
//! Layout: MCUboot's design document, "Image format" (`struct image_header`, `struct image_tlv_info`).

use sha2::{Digest, Sha256};

const MAGIC: u32 = 0x96f3_b83d;
/// `sizeof(struct image_header)`; an image may reserve more.
const HEADER_BYTES: usize = 32;
/// An erased flash cell.
const ERASED: u8 = 0xff;

const TLV_PROTECTED_INFO_MAGIC: u16 = 0x6908;
const TLV_INFO_MAGIC: u16 = 0x6907;
const TLV_INFO_BYTES: usize = 4;
const TLV_HEADER_BYTES: usize = 4;
/// Of the range that MCUboot leaves to vendors: `docs/interfaces.md`, "Guest image".
const TLV_POLICY: u16 = 0x00a0;
const TLV_NAME: u16 = 0x00a1;
const NAME_BYTES_MAX: usize = 31;
/// `IMAGE_TLV_SHA256`.
const TLV_SHA256: u16 = 0x10;
const SHA256_BYTES: usize = 32;

/// Why a slot holds no image to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Erased flash.
    #[error("the slot is empty: flash a guest image into it")]
    Empty,
    /// It does not start as an image does.
    #[error("not a guest image (magic 0x{found:08x}): flash guest.img, not the .wasm or .cwasm")]
    NotAnImage { found: u32 },
    /// It ends before its own lengths say.
    #[error("image truncated: it needs {needed} bytes, the slot has {available}; flash it again")]
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
}

/// An image that is complete and undamaged. That says nothing of who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    payload: &'a [u8],
    policy: Option<&'a [u8]>,
    name: &'a str,
    bytes: usize,
}

impl<'a> Image<'a> {
    /// Checks the image at the start of `slot`. What follows the image in the slot does not matter.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn verify(slot: &'a [u8]) -> Result<Self, Error> {
        let header = part(slot, 0, HEADER_BYTES)?;
        if header.iter().all(|&byte| byte == ERASED) {
            return Err(Error::Empty);
        }
        let magic = u32_at(header, 0);
        if magic != MAGIC {
            return Err(Error::NotAnImage { found: magic });
        }
        let header_bytes = usize::from(u16_at(header, 8));
        let protected_bytes = usize::from(u16_at(header, 10));
        let payload_bytes = usize::try_from(u32_at(header, 12)).unwrap_or(usize::MAX);
        if header_bytes < HEADER_BYTES {
            return Err(Error::Damaged { what: "header size" });
        }
        if u32_at(header, 16) != 0 {
            return Err(Error::Unsupported { what: "flags" });
        }
        if u32_at(header, 4) != 0 {
            return Err(Error::Unsupported { what: "load address" });
        }
        if protected_bytes == 0 {
            return Err(Error::Unsupported { what: "no protected TLVs, which name the guest" });
        }
        let payload = part(slot, header_bytes, payload_bytes)?;
        let payload_end = header_bytes + payload_bytes;
        let protected = area(slot, payload_end, TLV_PROTECTED_INFO_MAGIC)?;
        if protected.len() + TLV_INFO_BYTES != protected_bytes {
            return Err(Error::Damaged { what: "protected TLV size" });
        }
        let hashed_bytes = payload_end + protected_bytes;
        let tlvs = area(slot, hashed_bytes, TLV_INFO_MAGIC)?;

        let expected = expected_hash(tlvs)?;
        if Sha256::digest(&slot[..hashed_bytes]).as_slice() != expected {
            return Err(Error::HashMismatch);
        }
        let (policy, name) = identity(protected)?;
        Ok(Self { payload, policy, name, bytes: hashed_bytes + TLV_INFO_BYTES + tlvs.len() })
    }

    /// What the image carries: a `.cwasm`, and up to three zeros. It starts on the alignment of the slot plus the header
    /// size.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// What the guest may use, as the image's maker encoded it; its content is not checked here.
    #[must_use]
    pub fn policy(&self) -> Option<&'a [u8]> {
        self.policy
    }

    /// What the guest is called: 1 to 31 characters of ASCII, no spaces or controls.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Length of the whole image with header and TLVs, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The one SHA-256 in a list of TLVs.
fn expected_hash(tlvs: &[u8]) -> Result<&[u8], Error> {
    let mut hash = None;
    for tlv in (Tlvs { rest: tlvs }) {
        let (kind, value) = tlv?;
        if kind != TLV_SHA256 {
            return Err(Error::Unsupported { what: "unknown TLV" });
        }
        if value.len() != SHA256_BYTES || hash.replace(value).is_some() {
            return Err(Error::Damaged { what: "TLV list" });
        }
    }
    hash.ok_or(Error::Damaged { what: "no SHA-256" })
}

/// Policy and name, from the protected TLVs.
fn identity(tlvs: &[u8]) -> Result<(Option<&[u8]>, &str), Error> {
    let (mut policy, mut name) = (None, None);
    for tlv in (Tlvs { rest: tlvs }) {
        let (kind, value) = tlv?;
        let field = match kind {
            TLV_POLICY => &mut policy,
            TLV_NAME => &mut name,
            _ => return Err(Error::Unsupported { what: "unknown protected TLV" }),
        };
        if field.replace(value).is_some() {
            return Err(Error::Damaged { what: "protected TLV list" });
        }
    }
    let name = name.ok_or(Error::Unsupported { what: "no name" })?;
    let is_name = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic);
    match core::str::from_utf8(name) {
        Ok(name) if is_name => Ok((policy, name)),
        _ => Err(Error::Unsupported { what: "a name that is not 1 to 31 characters of ASCII" }),
    }
}

/// The TLVs of the area that starts at `start`, without its info.
fn area(slot: &[u8], start: usize, magic: u16) -> Result<&[u8], Error> {
    let info = part(slot, start, TLV_INFO_BYTES)?;
    if u16_at(info, 0) != magic {
        return Err(Error::Damaged { what: "TLV magic" });
    }
    part(slot, start, usize::from(u16_at(info, 2)))?.get(TLV_INFO_BYTES..).ok_or(Error::Damaged { what: "TLV length" })
}

/// Types and values of a list of TLVs that fills `rest` exactly; an error ends it.
struct Tlvs<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<(u16, &'a [u8]), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let split = self.rest.split_at_checked(TLV_HEADER_BYTES).and_then(|(header, rest)| {
            let (value, rest) = rest.split_at_checked(usize::from(u16_at(header, 2)))?;
            Some((u16_at(header, 0), value, rest))
        });
        match split {
            Some((kind, value, rest)) => {
                self.rest = rest;
                Some(Ok((kind, value)))
            }
            None => {
                self.rest = &[];
                Some(Err(Error::Damaged { what: "TLV list" }))
            }
        }
    }
}

/// `length` bytes of `slot` from `start`.
fn part(slot: &[u8], start: usize, length: usize) -> Result<&[u8], Error> {
    let end = start.saturating_add(length);
    slot.get(start..end).ok_or(Error::Truncated { needed: end, available: slot.len() })
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
