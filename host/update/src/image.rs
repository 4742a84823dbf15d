//! The image format of MCUboot, as far as guests use it: a header, the payload, and a list of TLVs that vouches for both.
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

const TLV_INFO_MAGIC: u16 = 0x6907;
const TLV_INFO_BYTES: usize = 4;
const TLV_HEADER_BYTES: usize = 4;
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
        let payload_bytes = usize::try_from(u32_at(header, 12)).unwrap_or(usize::MAX);
        if header_bytes < HEADER_BYTES {
            return Err(Error::Damaged { what: "header size" });
        }
        if u16_at(header, 10) != 0 {
            return Err(Error::Unsupported { what: "protected TLVs" });
        }
        if u32_at(header, 16) != 0 {
            return Err(Error::Unsupported { what: "flags" });
        }
        if u32_at(header, 4) != 0 {
            return Err(Error::Unsupported { what: "load address" });
        }
        let payload = part(slot, header_bytes, payload_bytes)?;
        let hashed_bytes = header_bytes + payload_bytes;

        let info = part(slot, hashed_bytes, TLV_INFO_BYTES)?;
        if u16_at(info, 0) != TLV_INFO_MAGIC {
            return Err(Error::Damaged { what: "TLV magic" });
        }
        let tlv_bytes = usize::from(u16_at(info, 2));
        let tlvs =
            part(slot, hashed_bytes, tlv_bytes)?.get(TLV_INFO_BYTES..).ok_or(Error::Damaged { what: "TLV length" })?;
        let expected = expected_hash(tlvs)?;
        if Sha256::digest(&slot[..hashed_bytes]).as_slice() != expected {
            return Err(Error::HashMismatch);
        }
        Ok(Self { payload, bytes: hashed_bytes + tlv_bytes })
    }

    /// What the image carries: a `.cwasm`. It starts on the alignment of the slot plus the header size.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Length of the whole image with header and TLVs, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The one SHA-256 in a list of TLVs that fills `tlvs` exactly.
fn expected_hash(mut tlvs: &[u8]) -> Result<&[u8], Error> {
    let mut hash = None;
    while !tlvs.is_empty() {
        let damaged = Error::Damaged { what: "TLV list" };
        let (header, rest) = tlvs.split_at_checked(TLV_HEADER_BYTES).ok_or(damaged)?;
        let (value, rest) = rest.split_at_checked(usize::from(u16_at(header, 2))).ok_or(damaged)?;
        if u16_at(header, 0) != TLV_SHA256 {
            return Err(Error::Unsupported { what: "unknown TLV" });
        }
        if value.len() != SHA256_BYTES || hash.replace(value).is_some() {
            return Err(damaged);
        }
        tlvs = rest;
    }
    hash.ok_or(Error::Damaged { what: "no SHA-256" })
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
