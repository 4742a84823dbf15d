//! `.cwasm` → flash image, in MCUboot's format (its `bootutil/image.h`): header, payload, protected TLVs, TLVs, all
//! little-endian. Stock `imgtool verify` accepts it.

use sha2::{Digest, Sha256};

const IMAGE_MAGIC: u32 = 0x96f3_b83d;
/// Larger than the 32 bytes that are used: the payload is run in place, and must stand in flash as aligned as its
/// sections ask for.
const HEADER_SIZE: u16 = 256;
/// Major, minor, revision, build.
const VERSION: (u8, u8, u16, u32) = (0, 2, 0, 0);

const TLV_PROTECTED_INFO_MAGIC: u16 = 0x6908;
const TLV_INFO_MAGIC: u16 = 0x6907;
/// Of an area's info, and of each TLV's header.
const TLV_HEADER_SIZE: u16 = 4;
/// Of the range that MCUboot leaves to vendors.
const TLV_POLICY: u16 = 0x00a0;
const TLV_NAME: u16 = 0x00a1;
const TLV_SHA256: u16 = 0x10;

/// Wraps the payload. The hash covers header, payload and protected TLVs. `name` is 1 to 31 bytes, `policy` 65 KiB at
/// most; an image without a policy may do next to nothing.
pub fn wrap(payload: &[u8], name: &str, policy: Option<&[u8]>) -> Vec<u8> {
    let payload_size = u32::try_from(payload.len().next_multiple_of(4))
        .expect("a payload that was compiled in memory from a small module is below 4 GiB");
    let mut tlvs = Vec::new();
    if let Some(policy) = policy {
        tlvs.push((TLV_POLICY, policy));
    }
    tlvs.push((TLV_NAME, name.as_bytes()));
    let protected = area(TLV_PROTECTED_INFO_MAGIC, &tlvs);

    let mut image = Vec::with_capacity(usize::from(HEADER_SIZE) + payload.len() + protected.len() + 48);
    image.extend(IMAGE_MAGIC.to_le_bytes());
    image.extend(0_u32.to_le_bytes()); // load address: runs where it is
    image.extend(HEADER_SIZE.to_le_bytes());
    image.extend(length(&protected).to_le_bytes());
    image.extend(payload_size.to_le_bytes());
    image.extend(0_u32.to_le_bytes()); // flags
    image.extend([VERSION.0, VERSION.1]);
    image.extend(VERSION.2.to_le_bytes());
    image.extend(VERSION.3.to_le_bytes());
    image.resize(usize::from(HEADER_SIZE), 0);
    image.extend(payload);
    image.resize(image.len().next_multiple_of(4), 0);
    image.extend(protected);
    let hash = Sha256::digest(&image);
    image.extend(area(TLV_INFO_MAGIC, &[(TLV_SHA256, &hash)]));
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
    u16::try_from(bytes.len()).expect("a policy, a name and a hash are a few dozen bytes")
}

/// The image with one bit of its payload wrong. For tests: a host must notice by the hash.
pub fn with_flipped_bit(image: &[u8]) -> Vec<u8> {
    let mut image = image.to_vec();
    let middle = (usize::from(HEADER_SIZE) + image.len()) / 2;
    image[middle] ^= 0x10;
    image
}
