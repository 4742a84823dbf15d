//! `.cwasm` → signed flash image, in MCUboot's format (its `bootutil/image.h`): header, payload, protected TLVs, TLVs,
//! all little-endian, byte for byte as `imgtool sign` writes it. `docs/src/reference/image.md` says what stands in it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::{Error, Key, Result};

pub const IMAGE_MAGIC: u32 = 0x96f3_b83d;
/// Larger than the 32 bytes that are used: the payload is run in place, and must stand in flash as aligned as its
/// sections ask for.
pub const HEADER_SIZE: usize = 256;

pub const TLV_PROTECTED_INFO_MAGIC: u16 = 0x6908;
pub const TLV_INFO_MAGIC: u16 = 0x6907;
/// Of an area's info, and of each TLV's header.
pub const TLV_HEADER_SIZE: u16 = 4;
pub const TLV_SECURITY_COUNTER: u16 = 0x50;
// Of the range that MCUboot leaves to vendors.
pub const TLV_POLICY: u16 = 0xa0;
pub const TLV_NAME: u16 = 0xa1;
pub const TLV_ENGINE: u16 = 0xa2;
pub const TLV_NEEDS: u16 = 0xa3;
pub const TLV_SHA256: u16 = 0x10;
pub const TLV_KEY_HASH: u16 = 0x01;
pub const TLV_ED25519: u16 = 0x24;

/// A release's number, `1.2.3+4`. It is for people: a host compares security counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    pub major: u8,
    pub minor: u8,
    pub revision: u16,
    pub build: u32,
}

/// That of a guest nobody has given one: the contract's.
impl Default for Version {
    fn default() -> Self {
        Self { major: 0, minor: 2, revision: 0, build: 0 }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}+{}", self.major, self.minor, self.revision, self.build)
    }
}

impl FromStr for Version {
    type Err = Error;

    /// `1.2.3`, or with a build number: `1.2.3+4`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::BadVersion { text: text.to_owned() };
        let (release, build) = text.split_once('+').unwrap_or((text, "0"));
        let mut parts = release.split('.');
        let (Some(major), Some(minor), Some(revision), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        Ok(Self {
            major: number(major).ok_or_else(wrong)?,
            minor: number(minor).ok_or_else(wrong)?,
            revision: number(revision).ok_or_else(wrong)?,
            build: number(build).ok_or_else(wrong)?,
        })
    }
}

/// Digits and nothing else: `parse` alone would take a sign.
fn number<T: FromStr>(digits: &str) -> Option<T> {
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

impl Version {
    /// As the header has it.
    pub fn to_bytes(self) -> [u8; 8] {
        let (revision, build) = (self.revision.to_le_bytes(), self.build.to_le_bytes());
        [self.major, self.minor, revision[0], revision[1], build[0], build[1], build[2], build[3]]
    }

    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        let [major, minor, r0, r1, b0, b1, b2, b3] = bytes;
        let (revision, build) = (u16::from_le_bytes([r0, r1]), u32::from_le_bytes([b0, b1, b2, b3]));
        Self { major, minor, revision, build }
    }
}

/// What a release adds to a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Release {
    pub version: Version,
    /// A host that has confirmed an image takes none with a lower one in its place.
    pub security_counter: u32,
}

/// What an image says about its payload: header and protected TLVs.
pub struct Label {
    pub release: Release,
    /// TLV 0x00A0. An image without one may do next to nothing.
    pub policy: Option<Vec<u8>>,
    pub name: String,
    pub engine: String,
    pub needs: String,
}

impl Label {
    /// Header, payload and protected TLVs: what the hash covers.
    pub fn onto(&self, payload: &[u8]) -> Vec<u8> {
        let mut header = vec![0; HEADER_SIZE];
        header[..4].copy_from_slice(&IMAGE_MAGIC.to_le_bytes());
        header[8..10].copy_from_slice(&(HEADER_SIZE as u16).to_le_bytes());
        let counter = self.release.security_counter.to_le_bytes();
        let mut tlvs = vec![(TLV_SECURITY_COUNTER, &counter[..])];
        tlvs.extend(self.policy.as_ref().map(|policy| (TLV_POLICY, &policy[..])));
        tlvs.push((TLV_NAME, self.name.as_bytes()));
        tlvs.push((TLV_ENGINE, self.engine.as_bytes()));
        tlvs.push((TLV_NEEDS, self.needs.as_bytes()));
        assemble(header, self.release.version, payload, &tlvs)
    }
}

/// Puts version and sizes into a header and the rest behind it. A header has 32 bytes at least.
pub fn assemble(header: Vec<u8>, version: Version, payload: &[u8], protected: &[(u16, &[u8])]) -> Vec<u8> {
    let protected = area(TLV_PROTECTED_INFO_MAGIC, protected);
    let payload_size = u32::try_from(payload.len().next_multiple_of(4)).expect("a payload fits a chip's flash");
    let mut image = header;
    image[10..12].copy_from_slice(&length(&protected).to_le_bytes());
    image[12..16].copy_from_slice(&payload_size.to_le_bytes());
    image[20..28].copy_from_slice(&version.to_bytes());
    image.extend(payload);
    image.resize(image.len() + payload.len().next_multiple_of(4) - payload.len(), 0);
    image.extend(protected);
    image
}

/// The image of what the hash covers, signed: Ed25519 over the SHA-256.
pub fn sign(hashed: Vec<u8>, key: &Key) -> Vec<u8> {
    let hash: [u8; 32] = Sha256::digest(&hashed).into();
    close(hashed, &[(TLV_SHA256, &hash), (TLV_KEY_HASH, &key.public().hash()), (TLV_ED25519, &key.sign(&hash))])
}

/// Ends an image with these TLVs.
pub fn close(hashed: Vec<u8>, tlvs: &[(u16, &[u8])]) -> Vec<u8> {
    let mut image = hashed;
    image.extend(area(TLV_INFO_MAGIC, tlvs));
    image
}

/// A TLV area: its info, then each type, length, value.
fn area(magic: u16, tlvs: &[(u16, &[u8])]) -> Vec<u8> {
    let mut values = Vec::new();
    for (kind, value) in tlvs {
        values.extend(kind.to_le_bytes());
        values.extend(length(value).to_le_bytes());
        values.extend(*value);
    }
    let mut area = Vec::with_capacity(values.len() + usize::from(TLV_HEADER_SIZE));
    area.extend(magic.to_le_bytes());
    area.extend((length(&values) + TLV_HEADER_SIZE).to_le_bytes());
    area.extend(values);
    area
}

fn length(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).expect("the values of an area are a few hundred bytes")
}
