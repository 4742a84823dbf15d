//! `.cwasm` → flash image, in MCUboot's format (its `bootutil/image.h`): header, payload, TLVs, all little-endian.
//! Stock `imgtool verify` accepts it.

use sha2::{Digest, Sha256};

const IMAGE_MAGIC: u32 = 0x96f3_b83d;
/// Larger than the 32 bytes that are used: the payload is run in place, and must stand in flash as aligned as its
/// sections ask for.
const HEADER_SIZE: u16 = 256;
/// Major, minor, revision, build.
const VERSION: (u8, u8, u16, u32) = (0, 1, 0, 0);

const TLV_INFO_MAGIC: u16 = 0x6907;
const TLV_INFO_SIZE: u16 = 4;
const TLV_SHA256: u16 = 0x10;
const SHA256_SIZE: u16 = 32;

/// Wraps the payload. The hash covers header and payload.
pub fn wrap(payload: &[u8]) -> Vec<u8> {
    let payload_size =
        u32::try_from(payload.len()).expect("a payload that was compiled in memory from a small module is below 4 GiB");
    let mut image = Vec::with_capacity(usize::from(HEADER_SIZE) + payload.len() + 40);
    image.extend(IMAGE_MAGIC.to_le_bytes());
    image.extend(0_u32.to_le_bytes()); // load address: runs where it is
    image.extend(HEADER_SIZE.to_le_bytes());
    image.extend(0_u16.to_le_bytes()); // no protected TLVs
    image.extend(payload_size.to_le_bytes());
    image.extend(0_u32.to_le_bytes()); // flags
    image.extend([VERSION.0, VERSION.1]);
    image.extend(VERSION.2.to_le_bytes());
    image.extend(VERSION.3.to_le_bytes());
    image.resize(usize::from(HEADER_SIZE), 0);
    image.extend(payload);

    let hash = Sha256::digest(&image);
    image.extend(TLV_INFO_MAGIC.to_le_bytes());
    image.extend((TLV_INFO_SIZE + 4 + SHA256_SIZE).to_le_bytes());
    image.extend(TLV_SHA256.to_le_bytes());
    image.extend(SHA256_SIZE.to_le_bytes());
    image.extend(hash);
    image
}

/// The image with one bit of its payload wrong. For tests: a host must notice by the hash.
pub fn with_flipped_bit(image: &[u8]) -> Vec<u8> {
    let mut image = image.to_vec();
    let middle = (usize::from(HEADER_SIZE) + image.len()) / 2;
    image[middle] ^= 0x10;
    image
}
