//! Flash image → what it says, whether it is sound, and the same image signed anew. A reader of its own: guests and host
//! know the format from `docs/src/reference/image.md`, and never each other.
//!
//! It takes any bytes, and any image of MCUboot's format whose TLVs are in a host's order or not: what `imgtool sign`
//! writes is read as well. What stands behind an image, as in the dump of a slot, does not matter.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::image::{self, Release, Version};
use crate::{Error, Key, PublicKey, Result, engine, hex, policy};

/// Of `struct image_header`; what follows up to the header's size is padding.
const HEADER_USED: usize = 32;

/// Types and values.
type Tlvs<'a> = Vec<(u16, &'a [u8])>;

/// An image's parts. Bounds are checked, and nothing else.
pub struct Image<'a> {
    header: &'a [u8],
    payload: &'a [u8],
    protected: Tlvs<'a>,
    /// Header, payload and protected TLVs.
    hashed: &'a [u8],
    tlvs: Tlvs<'a>,
    bytes: usize,
}

impl<'a> Image<'a> {
    /// # Errors
    /// [`Error::NotAnImage`], saying where it ends being one.
    pub fn parse(file: &'a [u8]) -> Result<Self> {
        Self::split(file).map_err(|reason| Error::NotAnImage { reason })
    }

    fn split(file: &'a [u8]) -> std::result::Result<Self, &'static str> {
        let used = file.get(..HEADER_USED).ok_or("it is shorter than a header")?;
        if used[..4] != image::IMAGE_MAGIC.to_le_bytes() {
            return Err("it does not start with MCUboot's magic number");
        }
        let (header_size, protected_size) = (usize::from(u16_at(used, 8)), usize::from(u16_at(used, 10)));
        if header_size < HEADER_USED {
            return Err("its header is shorter than 32 bytes");
        }
        let payload_size = u32::from_le_bytes([used[12], used[13], used[14], used[15]]);
        let payload_size = usize::try_from(payload_size).map_err(|_| "its payload is beyond the file's end")?;
        let header = file.get(..header_size).ok_or("it ends in its header")?;
        let payload = file[header_size..].get(..payload_size).ok_or("its payload is beyond the file's end")?;
        let behind = &file[header_size + payload_size..];
        let protected = match protected_size {
            0 => Vec::new(),
            _ => {
                let (tlvs, size) = area(behind, image::TLV_PROTECTED_INFO_MAGIC)?;
                if size != protected_size {
                    return Err("header and protected TLVs disagree about their size");
                }
                tlvs
            }
        };
        let (tlvs, size) = area(&behind[protected_size..], image::TLV_INFO_MAGIC)?;
        let hashed = header_size + payload_size + protected_size;
        Ok(Self { header, payload, protected, hashed: &file[..hashed], tlvs, bytes: hashed + size })
    }

    pub fn version(&self) -> Version {
        let bytes = self.header[20..28].try_into().expect("a header has 32 bytes at least");
        Version::from_bytes(bytes)
    }

    /// The counter that a host compares; none in an image that was signed without.
    pub fn security_counter(&self) -> Option<u32> {
        self.protected(image::TLV_SECURITY_COUNTER)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn protected(&self, kind: u16) -> Option<&'a [u8]> {
        find(&self.protected, kind)
    }

    /// # Errors
    /// What is not as the hash says, in words.
    fn check_hash(&self) -> std::result::Result<[u8; 32], String> {
        let hash: [u8; 32] = Sha256::digest(self.hashed).into();
        match find(&self.tlvs, image::TLV_SHA256) {
            Some(told) if told == hash => Ok(hash),
            Some(_) => Err("its SHA-256 differs: it was damaged or changed after it was signed".into()),
            None => Err("it has no SHA-256".into()),
        }
    }

    /// Everything that can be told without the host that is to run it: hash, signature by one of `keys`, and what the
    /// protected TLVs say.
    ///
    /// # Errors
    /// The first thing that is wrong, in words.
    pub fn check(&self, keys: &[PublicKey]) -> std::result::Result<(), String> {
        let hash = self.check_hash()?;
        let key_hash = find(&self.tlvs, image::TLV_KEY_HASH).ok_or("it is not signed")?;
        let signature = find(&self.tlvs, image::TLV_ED25519).ok_or("it has no Ed25519 signature")?;
        let key = keys.iter().find(|key| key.hash() == key_hash).ok_or("it is signed with another key")?;
        if !key.verifies(&hash, signature) {
            return Err("its signature is not that key's over its SHA-256".into());
        }
        let text = |kind, what: &str, most: usize| {
            let text = self.protected(kind).ok_or_else(|| format!("it has no {what} (TLV {kind:#06x})"))?;
            let ascii = text.iter().all(|byte| (b' '..=b'~').contains(byte));
            let fits = ascii && (1..=most).contains(&text.len());
            fits.then(|| ascii_of(text)).ok_or_else(|| format!("its {what} is not 1 to {most} bytes of ASCII"))
        };
        if self.security_counter().is_none() {
            return Err("it has no security counter: give imgtool one".into());
        }
        if let Some(tlv) = self.protected(image::TLV_POLICY) {
            policy::describe(tlv).ok_or("its policy is not of version 1")?;
        }
        text(image::TLV_NAME, "name", 31)?;
        let told = text(image::TLV_ENGINE, "engine", 63)?;
        text(image::TLV_NEEDS, "list of what it needs", 127)?;
        let compiled = engine::text(self.payload).map_err(|error| error.to_string())?;
        if told.rsplit(' ').next() != compiled.rsplit(' ').next() {
            return Err(format!("it says it is for {told}, but its payload is for another engine"));
        }
        Ok(())
    }

    /// For a person: one line a part, whatever is there.
    pub fn describe(&self) -> String {
        let mut lines = String::new();
        let mut line = |what: &str, value: String| {
            writeln!(lines, "{what:<12}{value}").expect("a string takes everything");
        };
        let text = |kind| self.protected(kind).map_or_else(|| "none".into(), ascii_of);
        line("name", text(image::TLV_NAME));
        line("version", self.version().to_string());
        line("counter", self.security_counter().map_or_else(|| "none".into(), |counter| counter.to_string()));
        line("engine", text(image::TLV_ENGINE));
        line("needs", text(image::TLV_NEEDS));
        let policy = self.protected(image::TLV_POLICY).map(|tlv| policy::describe(tlv).ok_or(()));
        line(
            "policy",
            match policy {
                Some(Ok(policy)) => policy,
                Some(Err(())) => "of another version".into(),
                None => "none: it may wait, and nothing else".into(),
            },
        );
        line("bytes", format!("{}, of them payload {}", self.bytes, self.payload.len()));
        for (what, kind) in [("hash", image::TLV_SHA256), ("key hash", image::TLV_KEY_HASH)] {
            line(what, find(&self.tlvs, kind).map_or_else(|| "none".into(), hex));
        }
        lines
    }

    /// The same image as `key` signs it, under another version and counter where those are given.
    ///
    /// # Errors
    /// [`Error::Unsound`]: its hash differs. A signature would vouch for bytes that nobody has built.
    pub fn sign(&self, key: &Key, version: Option<Version>, security_counter: Option<u32>) -> Result<Vec<u8>> {
        self.check_hash().map_err(|reason| Error::Unsound { reason })?;
        let counter = security_counter.or(self.security_counter()).unwrap_or(Release::default().security_counter);
        let counter = counter.to_le_bytes();
        // First, where imgtool has it.
        let mut protected = vec![(image::TLV_SECURITY_COUNTER, &counter[..])];
        protected.extend(self.protected.iter().filter(|(kind, _)| *kind != image::TLV_SECURITY_COUNTER));
        let size: usize = protected.iter().map(|(_, value)| 4 + value.len()).sum();
        if size + 4 > usize::from(u16::MAX) {
            return Err(Error::NotAnImage { reason: "its protected TLVs leave no room for a security counter" });
        }
        let version = version.unwrap_or(self.version());
        Ok(image::sign(image::assemble(self.header.to_vec(), version, self.payload, &protected), key))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn find<'a>(tlvs: &[(u16, &'a [u8])], wanted: u16) -> Option<&'a [u8]> {
    tlvs.iter().find(|(kind, _)| *kind == wanted).map(|(_, value)| *value)
}

/// The TLVs of the area at the start of `bytes`, and its size.
fn area(bytes: &[u8], magic: u16) -> std::result::Result<(Tlvs<'_>, usize), &'static str> {
    const INFO: usize = image::TLV_HEADER_SIZE as usize;
    let info = bytes.get(..INFO).ok_or("it ends where its TLVs should start")?;
    if u16_at(info, 0) != magic {
        return Err("its TLVs are not where its header says");
    }
    let size = usize::from(u16_at(info, 2));
    let mut rest = bytes.get(INFO..size).ok_or("its TLVs are beyond the file's end")?;
    let mut tlvs = Vec::new();
    while let Some((head, behind)) = rest.split_at_checked(INFO) {
        let value = behind.get(..usize::from(u16_at(head, 2))).ok_or("a TLV is longer than its area")?;
        tlvs.push((u16_at(head, 0), value));
        rest = &behind[value.len()..];
    }
    if rest.is_empty() { Ok((tlvs, size)) } else { Err("its TLVs end in the middle of one") }
}

fn ascii_of(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
