//! `hil update`: guests that reach a board over its serial port, through SMP, as any stock client would send them.
//!
//! [`install`](install::install) is the whole way: upload, trial, reset, confirm. [`fresh`] begins where there is no guest
//! yet: it flashes one through the probe, and watches its pin while the new one arrives. What the board believes, and when
//! it goes back to the guest before, is its own business; here it is only asked and told.

mod board;
pub mod fresh;
mod image;
pub mod install;
mod show;
mod tap;

pub use board::Board;
pub use image::Image;
pub use show::{images, statistics};

use mcumgr_toolkit::commands::image::ImageState;

use crate::error::Error;

/// A guest's number, or [`RAM`]: what SMP calls an image.
pub type ImageNumber = u32;

/// What is uploaded to it runs once, from RAM, in the place of guest 0 (docs/src/reference/interfaces.md).
pub const RAM: ImageNumber = 2;

/// The image in a slot whose hash begins so.
pub fn by_hash(images: &[ImageState], digits: &str) -> Result<Vec<u8>, Error> {
    let wanted = digits.to_ascii_lowercase();
    let hashes: Vec<&Vec<u8>> = images.iter().filter_map(|image| image.hash.as_ref()).collect();
    let mut found: Vec<&Vec<u8>> =
        hashes.iter().copied().filter(|hash| !wanted.is_empty() && hex(hash).starts_with(&wanted)).collect();
    // The same image may be in several slots.
    found.sort();
    found.dedup();
    match found[..] {
        [hash] => Ok(hash.clone()),
        _ => Err(Error::UnknownHash {
            digits: digits.into(),
            many: found.len() > 1,
            known: hashes.into_iter().map(|hash| hex(hash)).collect(),
        }),
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The smallest image a client can read: header, payload, a TLV area with a hash, all of it `seed`.
    pub(crate) fn image(payload: &[u8], seed: u8) -> Vec<u8> {
        let mut image = 0x96f3_b83d_u32.to_le_bytes().to_vec();
        image.extend([0; 4]);
        image.extend([32, 0, 0, 0]);
        image.extend((payload.len() as u32).to_le_bytes());
        image.extend([0; 4]);
        image.extend([1, 2, 3, 0, 0, 0, 0, 0]);
        image.resize(32, 0);
        image.extend(payload);
        image.extend([0x07, 0x69, 40, 0, 0x10, 0, 32, 0]);
        image.extend([seed; 32]);
        image
    }

    fn state(hash: u8) -> ImageState {
        ImageState {
            image: 0,
            slot: 0,
            version: "1.0.0".into(),
            hash: Some(vec![0xA0, hash]),
            bootable: true,
            pending: false,
            confirmed: false,
            active: false,
            permanent: false,
        }
    }

    #[test]
    fn an_image_is_found_by_the_first_digits_of_its_hash() {
        let images = [state(0x12), state(0x01), state(0x12)];
        assert_eq!(by_hash(&images, "A001").unwrap(), [0xA0, 0x01]);
        assert_eq!(by_hash(&images, "a01").unwrap(), [0xA0, 0x12], "the same image in two slots");
        for (digits, part) in [("a0", "several images"), ("b", "no image's hash"), ("", "no image's hash")] {
            let message = by_hash(&images, digits).unwrap_err().to_string();
            assert!(message.contains(part) && message.contains("a012, a001, a012"), "{message}");
        }
    }
}
