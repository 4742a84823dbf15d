//! Images as tools write them are taken; everything else is refused, without a panic, with a reason.

use sandhill_update::{Error, Image};
use sha2::{Digest, Sha256};

const HEADER_BYTES: usize = 256;

/// An image as `guests/pack` writes it.
fn image(payload: &[u8]) -> Vec<u8> {
    let mut image = Vec::new();
    image.extend(0x96f3_b83d_u32.to_le_bytes());
    image.extend(0_u32.to_le_bytes());
    image.extend((HEADER_BYTES as u16).to_le_bytes());
    image.extend(0_u16.to_le_bytes());
    image.extend((payload.len() as u32).to_le_bytes());
    image.extend(0_u32.to_le_bytes());
    image.extend([0, 1, 0, 0, 0, 0, 0, 0]);
    image.resize(HEADER_BYTES, 0);
    image.extend(payload);
    let hash = Sha256::digest(&image);
    image.extend(0x6907_u16.to_le_bytes());
    image.extend(40_u16.to_le_bytes());
    image.extend(0x10_u16.to_le_bytes());
    image.extend(32_u16.to_le_bytes());
    image.extend(hash);
    image
}

/// The image in an otherwise erased slot.
fn slot(image: &[u8]) -> Vec<u8> {
    let mut slot = image.to_vec();
    slot.resize(1024, 0xff);
    slot
}

#[test]
fn a_whole_image_is_taken() {
    let slot = slot(&image(b"guest code"));
    let found = Image::verify(&slot).expect("an image");
    assert_eq!(found.payload(), b"guest code");
    assert_eq!(found.bytes(), HEADER_BYTES + 10 + 40);
}

#[test]
fn an_image_may_fill_its_slot() {
    let image = image(&[7; 728]);
    assert_eq!(image.len(), 1024);
    assert_eq!(Image::verify(&image).expect("an image").payload(), [7; 728]);
}

#[test]
fn an_erased_slot_is_empty() {
    assert_eq!(Image::verify(&[0xff; 1024]), Err(Error::Empty));
}

#[test]
fn something_else_is_not_an_image() {
    let error = Image::verify(&slot(b"\x7fELF")).expect_err("an ELF file is no image");
    assert_eq!(error, Error::NotAnImage { found: 0x464c_457f });
    assert_eq!(error.to_string(), "not a guest image (magic 0x464c457f): flash guest.img, not the .wasm or .cwasm");
}

#[test]
fn another_payload_has_another_hash() {
    let mut slot = slot(&image(b"guest code"));
    slot[HEADER_BYTES] = b'G';
    assert_eq!(Image::verify(&slot), Err(Error::HashMismatch));
}

#[test]
fn lengths_beyond_the_slot_are_named() {
    let mut bytes = slot(&image(b"guest code"));
    bytes[12..16].copy_from_slice(&2000_u32.to_le_bytes());
    assert_eq!(Image::verify(&bytes), Err(Error::Truncated { needed: 2256, available: 1024 }));
    bytes[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(Image::verify(&bytes), Err(Error::Truncated { .. })));
}

#[test]
fn a_hash_has_to_be_there_and_only_once() {
    let mut none = image(b"guest code");
    none.truncate(none.len() - 36);
    let info = none.len() - 2;
    none[info..].copy_from_slice(&4_u16.to_le_bytes());
    assert_eq!(Image::verify(&slot(&none)), Err(Error::Damaged { what: "no SHA-256" }));

    let mut twice = image(b"guest code");
    let hash = twice[twice.len() - 36..].to_vec();
    twice.extend(&hash);
    let info = HEADER_BYTES + 10 + 2;
    twice[info..info + 2].copy_from_slice(&76_u16.to_le_bytes());
    assert_eq!(Image::verify(&slot(&twice)), Err(Error::Damaged { what: "TLV list" }));
}

#[test]
fn every_truncation_is_refused() {
    let image = image(b"guest code");
    for length in 0..image.len() {
        assert!(Image::verify(&image[..length]).is_err(), "{length} bytes");
        assert!(Image::verify(&slot(&image[..length])).is_err(), "{length} bytes, then erased");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let image = image(b"guest code");
    for bit in 0..image.len() * 8 {
        let mut slot = slot(&image);
        slot[bit / 8] ^= 1 << (bit % 8);
        assert!(Image::verify(&slot).is_err(), "bit {bit}");
    }
}

#[test]
fn random_bytes_never_panic() {
    let mut random = fastrand::Rng::with_seed(0x5A4D_1711);
    let good = image(b"guest code");
    for _ in 0..20_000 {
        let mut slot = vec![0; random.usize(..600)];
        random.fill(&mut slot);
        // Most of the time with a header that gets past the first checks.
        let kept = random.usize(..=good.len()).min(slot.len());
        if random.u8(..) < 200 {
            slot[..kept].copy_from_slice(&good[..kept]);
        }
        if let Ok(found) = Image::verify(&slot) {
            assert_eq!(found.bytes(), good.len());
            assert_eq!(kept, good.len());
        }
    }
}
