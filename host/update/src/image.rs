//! The image format of MCUboot, as far as guests use it: a header, the payload, a protected list of TLVs that says who the
//! guest is, what it needs and what it may use, and a list of TLVs that vouches for all three.
//!
//! An image is taken whole or not at all: magic, every length, the SHA-256, the signature, engine, contract and security
//! counter have to be right, and what this reader does not know is refused instead of skipped over.
//! Layout: MCUboot's design document, "Image format" (`struct image_header`, `struct image_tlv_info`);
//! `docs/src/reference/image.md`, "Guest image".

use core::fmt;

use sha2::{Digest, Sha256};

use crate::error::{Error, Text};
use crate::signature;

const MAGIC: u32 = 0x96f3_b83d;
/// `sizeof(struct image_header)`.
pub(crate) const HEADER_BYTES: usize = 32;
/// What an image reserves for its header at least: one page of flash, which an upload programs last.
pub(crate) const HEADER_PAGE_BYTES: usize = 256;
/// An erased flash cell.
const ERASED: u8 = 0xff;

const TLV_PROTECTED_INFO_MAGIC: u16 = 0x6908;
const TLV_INFO_MAGIC: u16 = 0x6907;
const TLV_INFO_BYTES: usize = 4;
const TLV_HEADER_BYTES: usize = 4;
/// `IMAGE_TLV_SEC_CNT`.
const TLV_SECURITY_COUNTER: u16 = 0x50;
/// From here on of the range that MCUboot leaves to vendors.
const TLV_POLICY: u16 = 0x00a0;
const TLV_NAME: u16 = 0x00a1;
const TLV_ENGINE: u16 = 0x00a2;
const TLV_NEEDS: u16 = 0x00a3;
const NAME_BYTES_MAX: usize = 31;
const ENGINE_BYTES_MAX: usize = 63;
const NEEDS_BYTES_MAX: usize = 127;
/// `IMAGE_TLV_SHA256`, `IMAGE_TLV_KEYHASH`, `IMAGE_TLV_ED25519`.
const TLV_SHA256: u16 = 0x10;
const TLV_KEY_HASH: u16 = 0x01;
const TLV_ED25519: u16 = 0x24;

/// What a host believes, and what it can run.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// Ed25519 public keys; an image is as good with any of them.
    pub keys: &'a [[u8; 32]],
    /// Word for word what an image has to name: `wasmtime 48.0.8 pulley32 3f9a01c2`.
    pub engine: &'a str,
    /// Of the contract, with version: `embedded:platform@0.2.0`.
    pub packages: &'a [&'a str],
    /// Of these packages: `gpio`.
    pub interfaces: &'a [&'a str],
}

/// `struct image_version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u8,
    pub minor: u8,
    pub revision: u16,
    pub build: u32,
}

impl Version {
    /// Of an image that starts with `header`, which has 32 bytes at least.
    pub(crate) fn of_header(header: &[u8]) -> Self {
        Self { major: header[20], minor: header[21], revision: u16_at(header, 22), build: u32_at(header, 24) }
    }
}

impl fmt::Display for Version {
    /// As mcumgr writes it: the build number only if there is one.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.major, self.minor, self.revision)?;
        if self.build == 0 { Ok(()) } else { write!(out, ".{}", self.build) }
    }
}

/// An image whose lengths and lists are sound. Who made it is only known of one that came from [`Image::verify`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    version: Version,
    payload: &'a [u8],
    identity: Identity<'a>,
    seal: Seal<'a>,
    hashed_bytes: usize,
    bytes: usize,
}

impl<'a> Image<'a> {
    /// Checks bounds and lists of the image at the start of `slot`, which proves nothing of what it says. What follows
    /// the image in the slot does not matter.
    ///
    /// # Errors
    /// From [`Error::Empty`] to [`Error::Damaged`].
    pub fn parse(slot: &'a [u8]) -> Result<Self, Error> {
        Self::parse_with(part(slot, 0, HEADER_BYTES)?, slot)
    }

    /// Checks everything: bounds, hash, signature, engine, contract, security counter, in this order. `floor` is the
    /// lowest counter that may run.
    ///
    /// # Errors
    /// From [`Error::Empty`] to [`Error::RolledBack`].
    pub fn verify(slot: &'a [u8], trust: &Trust<'_>, floor: u32) -> Result<Self, Error> {
        let image = Self::parse(slot)?;
        image.check(&slot[..HEADER_PAGE_BYTES], slot, trust, floor)?;
        Ok(image)
    }

    /// Checks bounds and hash only, for who interprets none of its code: it is undamaged, whoever made it.
    ///
    /// # Errors
    /// From [`Error::Empty`] to [`Error::HashMismatch`].
    pub fn undamaged(slot: &'a [u8]) -> Result<Self, Error> {
        let image = Self::parse(slot)?;
        image.check_hash(&slot[..HEADER_PAGE_BYTES], slot)?;
        Ok(image)
    }

    /// The same as [`Self::verify`] for an image whose first page is still missing in `slot`: it is `head`, whatever the slot has there.
    pub(crate) fn verify_with(
        head: &[u8; HEADER_PAGE_BYTES],
        slot: &'a [u8],
        trust: &Trust<'_>,
        floor: u32,
    ) -> Result<Self, Error> {
        let image = Self::parse_with(head, slot)?;
        image.check(head, slot, trust, floor)?;
        Ok(image)
    }

    /// Whether an image that starts with `start` (32 bytes at least) can be one that fits into `capacity` bytes: what an
    /// upload can know before it erases anything. Its length up to the list that vouches for it.
    ///
    /// # Errors
    /// From [`Error::Empty`] to [`Error::Damaged`].
    pub fn check_header(start: &[u8], capacity: usize) -> Result<usize, Error> {
        let header = Header::parse(part(start, 0, HEADER_BYTES)?)?;
        let needed = header.hashed_bytes().saturating_add(TLV_INFO_BYTES);
        if needed > capacity {
            return Err(Error::Truncated { needed, available: capacity });
        }
        Ok(header.hashed_bytes())
    }

    fn parse_with(start: &[u8], slot: &'a [u8]) -> Result<Self, Error> {
        let header = Header::parse(start)?;
        let payload = part(slot, header.header_bytes, header.payload_bytes)?;
        let payload_end = header.header_bytes + header.payload_bytes;
        let protected = area(slot, payload_end, TLV_PROTECTED_INFO_MAGIC)?;
        if protected.len() + TLV_INFO_BYTES != header.protected_bytes {
            return Err(Error::Damaged { what: "protected TLV size" });
        }
        let hashed_bytes = header.hashed_bytes();
        let tlvs = area(slot, hashed_bytes, TLV_INFO_MAGIC)?;
        let bytes = hashed_bytes + TLV_INFO_BYTES + tlvs.len();
        let (identity, seal) = (Identity::parse(protected)?, Seal::parse(tlvs)?);
        Ok(Self { version: header.version, payload, identity, seal, hashed_bytes, bytes })
    }

    fn check_hash(&self, head: &[u8], slot: &[u8]) -> Result<(), Error> {
        let hash =
            Sha256::new().chain_update(head).chain_update(&slot[HEADER_PAGE_BYTES..self.hashed_bytes]).finalize();
        if hash.as_slice() == self.seal.hash { Ok(()) } else { Err(Error::HashMismatch) }
    }

    fn check(&self, head: &[u8], slot: &[u8], trust: &Trust<'_>, floor: u32) -> Result<(), Error> {
        self.check_hash(head, slot)?;
        let (Some(key_hash), Some(signature)) = (self.seal.key_hash, self.seal.signature) else {
            return Err(Error::Unsigned);
        };
        let Some(key) = trust.keys.iter().find(|key| signature::key_hash(key) == *key_hash) else {
            return Err(Error::UnknownKey { key: [key_hash[0], key_hash[1], key_hash[2], key_hash[3]] });
        };
        if !signature::is_valid(key, self.seal.hash, signature) {
            return Err(Error::BadSignature);
        }
        if self.identity.engine != trust.engine {
            return Err(Error::ForeignEngine { engine: Text::new(self.identity.engine) });
        }
        self.identity.check_contract(trust)?;
        if self.identity.security_counter < floor {
            return Err(Error::RolledBack { counter: self.identity.security_counter, floor });
        }
        Ok(())
    }

    /// What the image carries: a `.cwasm`, and up to three zeros. It starts on the alignment of the slot, up to 256 bytes.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// What the guest may use, as the image's maker encoded it; its content is not checked here.
    #[must_use]
    pub fn policy(&self) -> Option<&'a [u8]> {
        self.identity.policy
    }

    /// What the guest is called: 1 to 31 characters of ASCII, no spaces or controls.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.identity.name
    }

    /// The engine it was compiled for.
    #[must_use]
    pub fn engine(&self) -> &'a str {
        self.identity.engine
    }

    /// Its world, then the interfaces it imports functions of, with spaces between them.
    #[must_use]
    pub fn needs(&self) -> &'a str {
        self.identity.needs
    }

    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    #[must_use]
    pub fn security_counter(&self) -> u32 {
        self.identity.security_counter
    }

    /// SHA-256 of header, payload and protected list: what an image is called by.
    #[must_use]
    pub fn hash(&self) -> &'a [u8; 32] {
        self.seal.hash
    }

    /// Length of the whole image with header and TLVs, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// `struct image_header`, without what has to be zero.
struct Header {
    header_bytes: usize,
    protected_bytes: usize,
    payload_bytes: usize,
    version: Version,
}

impl Header {
    /// `header` has 32 bytes at least.
    fn parse(header: &[u8]) -> Result<Self, Error> {
        if header[..HEADER_BYTES].iter().all(|&byte| byte == ERASED) {
            return Err(Error::Empty);
        }
        let magic = u32_at(header, 0);
        if magic != MAGIC {
            return Err(Error::NotAnImage { found: magic });
        }
        if u32_at(header, 4) != 0 {
            return Err(Error::Unsupported { what: "load address" });
        }
        if u32_at(header, 16) != 0 {
            return Err(Error::Unsupported { what: "flags" });
        }
        let header_bytes = usize::from(u16_at(header, 8));
        if header_bytes < HEADER_PAGE_BYTES || !header_bytes.is_multiple_of(HEADER_PAGE_BYTES) {
            return Err(Error::Unsupported { what: "header size, which is 256" });
        }
        let protected_bytes = usize::from(u16_at(header, 10));
        if protected_bytes == 0 {
            return Err(Error::Unsupported { what: "no protected TLVs, which name the guest" });
        }
        Ok(Self {
            header_bytes,
            protected_bytes,
            payload_bytes: usize::try_from(u32_at(header, 12)).unwrap_or(usize::MAX),
            version: Version::of_header(header),
        })
    }

    fn hashed_bytes(&self) -> usize {
        self.header_bytes.saturating_add(self.payload_bytes).saturating_add(self.protected_bytes)
    }
}

/// The protected list: who the guest is, what it needs and what it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity<'a> {
    security_counter: u32,
    policy: Option<&'a [u8]>,
    name: &'a str,
    engine: &'a str,
    needs: &'a str,
}

impl<'a> Identity<'a> {
    fn parse(tlvs: &'a [u8]) -> Result<Self, Error> {
        let [mut counter, mut policy, mut name, mut engine, mut needs] = [None; 5];
        for tlv in (Tlvs { rest: tlvs }) {
            let (kind, value) = tlv?;
            let field = match kind {
                TLV_SECURITY_COUNTER => &mut counter,
                TLV_POLICY => &mut policy,
                TLV_NAME => &mut name,
                TLV_ENGINE => &mut engine,
                TLV_NEEDS => &mut needs,
                _ => return Err(Error::Unsupported { what: "unknown protected TLV" }),
            };
            if field.replace(value).is_some() {
                return Err(Error::Damaged { what: "protected TLV list" });
            }
        }
        let counter = counter.ok_or(Error::Unsupported { what: "no security counter" })?;
        let counter = counter.try_into().map_err(|_| Error::Damaged { what: "security counter" })?;
        let name = name.ok_or(Error::Unsupported { what: "no name" })?;
        let engine = engine.ok_or(Error::Unsupported { what: "no engine" })?;
        let needs = needs.ok_or(Error::Unsupported { what: "no contract" })?;
        Ok(Self {
            security_counter: u32::from_le_bytes(counter),
            policy,
            name: text(name, NAME_BYTES_MAX, |byte| byte.is_ascii_graphic())
                .ok_or(Error::Unsupported { what: "a name that is not 1 to 31 characters of ASCII" })?,
            engine: text(engine, ENGINE_BYTES_MAX, is_printable)
                .ok_or(Error::Unsupported { what: "an engine that is not 1 to 63 characters of ASCII" })?,
            needs: text(needs, NEEDS_BYTES_MAX, is_printable)
                .ok_or(Error::Unsupported { what: "a contract that is not 1 to 127 characters of ASCII" })?,
        })
    }

    /// `embedded:platform/blinky@0.2.0 gpio timing` needs the package `embedded:platform@0.2.0` and two interfaces.
    fn check_contract(&self, trust: &Trust<'_>) -> Result<(), Error> {
        let mut words = self.needs.split(' ');
        let world = words.next().unwrap_or_default();
        let split = world.split_once('/').and_then(|(package, rest)| Some((package, rest.split_once('@')?.1)));
        let Some((package, version)) = split else {
            return Err(Error::Unsupported { what: "a world without package and version" });
        };
        if !trust.packages.iter().any(|known| known.split_once('@') == Some((package, version))) {
            return Err(Error::ForeignContract { what: Text::new(world) });
        }
        match words.find(|interface| !trust.interfaces.contains(interface)) {
            Some(interface) => Err(Error::ForeignContract { what: Text::new(interface) }),
            None => Ok(()),
        }
    }
}

/// The list that vouches for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seal<'a> {
    hash: &'a [u8; 32],
    key_hash: Option<&'a [u8; 32]>,
    signature: Option<&'a [u8; 64]>,
}

impl<'a> Seal<'a> {
    fn parse(tlvs: &'a [u8]) -> Result<Self, Error> {
        let [mut hash, mut key_hash, mut signature] = [None; 3];
        for tlv in (Tlvs { rest: tlvs }) {
            let (kind, value) = tlv?;
            let field = match kind {
                TLV_SHA256 => &mut hash,
                TLV_KEY_HASH => &mut key_hash,
                TLV_ED25519 => &mut signature,
                _ => return Err(Error::Unsupported { what: "unknown TLV" }),
            };
            if field.replace(value).is_some() {
                return Err(Error::Damaged { what: "TLV list" });
            }
        }
        Ok(Self {
            hash: sized(hash)?.ok_or(Error::Damaged { what: "no SHA-256" })?,
            key_hash: sized(key_hash)?,
            signature: sized(signature)?,
        })
    }
}

/// A value that has one length only.
fn sized<const N: usize>(value: Option<&[u8]>) -> Result<Option<&[u8; N]>, Error> {
    value.map(TryInto::try_into).transpose().map_err(|_| Error::Damaged { what: "TLV list" })
}

fn text(bytes: &[u8], longest: usize, is_part: fn(u8) -> bool) -> Option<&str> {
    let is_text = (1..=longest).contains(&bytes.len()) && bytes.iter().all(|&byte| is_part(byte));
    if is_text { core::str::from_utf8(bytes).ok() } else { None }
}

fn is_printable(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte == b' '
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
