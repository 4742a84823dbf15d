//! Images as tools write them are taken; everything else is refused, without a panic, with a reason.

use sandhill_update::{Error, Image};
use sha2::{Digest, Sha256};

const HEADER_BYTES: usize = 256;

const POLICY: &[u8] = b"what it may use";
const PROTECTED_BYTES: usize = 4 + 4 + POLICY.len() + 4 + 5;

/// An image as `guests/pack` writes it.
fn image(payload: &[u8]) -> Vec<u8> {
    image_with(payload, &[(0xa0, POLICY), (0xa1, b"guest")])
}

fn image_with(payload: &[u8], protected: &[(u16, &[u8])]) -> Vec<u8> {
    let mut tlvs = Vec::new();
    for (kind, value) in protected {
        tlvs.extend(kind.to_le_bytes());
        tlvs.extend((value.len() as u16).to_le_bytes());
        tlvs.extend(*value);
    }
    let protected_bytes = (tlvs.len() + 4) as u16;
    let mut image = Vec::new();
    image.extend(0x96f3_b83d_u32.to_le_bytes());
    image.extend(0_u32.to_le_bytes());
    image.extend((HEADER_BYTES as u16).to_le_bytes());
    image.extend(protected_bytes.to_le_bytes());
    image.extend((payload.len() as u32).to_le_bytes());
    image.extend(0_u32.to_le_bytes());
    image.extend([0, 2, 0, 0, 0, 0, 0, 0]);
    image.resize(HEADER_BYTES, 0);
    image.extend(payload);
    image.extend(0x6908_u16.to_le_bytes());
    image.extend(protected_bytes.to_le_bytes());
    image.extend(tlvs);
    sealed(image)
}

/// With the hash of all that is there.
fn sealed(mut image: Vec<u8>) -> Vec<u8> {
    let hash = Sha256::digest(&image);
    image.extend(0x6907_u16.to_le_bytes());
    image.extend(40_u16.to_le_bytes());
    image.extend(0x10_u16.to_le_bytes());
    image.extend(32_u16.to_le_bytes());
    image.extend(hash);
    image
}

/// The image with one of its 16-bit words changed and its hash right again: made so, not damaged.
fn forged(image: &[u8], at: usize, word: u16) -> Vec<u8> {
    let mut image = image[..image.len() - 40].to_vec();
    image[at..at + 2].copy_from_slice(&word.to_le_bytes());
    sealed(image)
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
    assert_eq!(found.policy(), Some(POLICY));
    assert_eq!(found.name(), "guest");
    assert_eq!(found.bytes(), HEADER_BYTES + 10 + PROTECTED_BYTES + 40);
}

#[test]
fn an_image_may_fill_its_slot() {
    const PAYLOAD: [u8; 1024 - HEADER_BYTES - PROTECTED_BYTES - 40] = [7; _];
    let image = image(&PAYLOAD);
    assert_eq!(image.len(), 1024);
    assert_eq!(Image::verify(&image).expect("an image").payload(), PAYLOAD);
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
    let info = HEADER_BYTES + 10 + PROTECTED_BYTES + 2;
    twice[info..info + 2].copy_from_slice(&76_u16.to_le_bytes());
    assert_eq!(Image::verify(&slot(&twice)), Err(Error::Damaged { what: "TLV list" }));
}

#[test]
fn a_policy_may_be_missing_but_not_a_name() {
    let nameless = image_with(b"guest code", &[(0xa0, POLICY)]);
    assert_eq!(Image::verify(&nameless), Err(Error::Unsupported { what: "no name" }));
    let unbound = image_with(b"guest code", &[(0xa1, b"guest")]);
    let found = Image::verify(&unbound).expect("an image");
    assert_eq!((found.policy(), found.name()), (None, "guest"));
}

#[test]
fn a_name_is_what_a_console_can_show() {
    let named = |name: &[u8]| Image::verify(&image_with(b"guest code", &[(0xa1, name)])).map(|_| ());
    assert_eq!(named(&[b'n'; 31]), Ok(()));
    for name in [&b""[..], &[b'n'; 32], b"two words", b"line\n", b"\x1b[2J", b"caf\xc3\xa9", b"\xff"] {
        assert!(matches!(named(name), Err(Error::Unsupported { .. })), "{name:?}");
    }
}

#[test]
fn the_protected_area_has_to_be_what_the_header_says() {
    let sound = image(b"guest code");
    let area = HEADER_BYTES + 10;
    let length = PROTECTED_BYTES as u16;
    let refused = |image: Vec<u8>| Image::verify(&slot(&image)).expect_err("refused");
    assert!(matches!(refused(forged(&sound, 10, 0)), Error::Unsupported { .. }), "none, in the header");
    assert_eq!(refused(forged(&sound, 10, length - 1)), Error::Damaged { what: "protected TLV size" });
    assert_eq!(refused(forged(&sound, 10, u16::MAX)), Error::Damaged { what: "protected TLV size" });
    assert_eq!(refused(forged(&sound, area, 0x6907)), Error::Damaged { what: "TLV magic" });
    assert_eq!(refused(forged(&sound, area + 2, 3)), Error::Damaged { what: "TLV length" });
    assert!(matches!(refused(forged(&sound, area + 2, u16::MAX)), Error::Truncated { .. }));
    // The policy's own length: one byte less or more, and far too long.
    for wrong in [POLICY.len() as u16 - 1, POLICY.len() as u16 + 1, u16::MAX] {
        let error = refused(forged(&sound, area + 6, wrong));
        assert!(matches!(error, Error::Damaged { .. } | Error::Unsupported { .. }), "{error}");
    }
    let twice = image_with(b"guest code", &[(0xa0, POLICY), (0xa1, b"guest"), (0xa0, POLICY)]);
    assert_eq!(refused(twice), Error::Damaged { what: "protected TLV list" });
    let unknown = image_with(b"guest code", &[(0xa1, b"guest"), (0xa2, b"")]);
    assert_eq!(refused(unknown), Error::Unsupported { what: "unknown protected TLV" });
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

/// Behind a hash that is right, where damage does not shield what reads the lists.
#[test]
fn random_lists_never_panic() {
    let mut random = fastrand::Rng::with_seed(0x7A6_11ED);
    let good = image(b"guest code");
    let (start, end) = (HEADER_BYTES + 10, good.len() - 40);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut mutant = good[..end].to_vec();
        for _ in 0..random.usize(1..4) {
            mutant[random.usize(start..end)] = random.u8(..);
        }
        match Image::verify(&sealed(mutant)) {
            Ok(found) => {
                assert!(found.name().is_ascii() && found.payload() == b"guest code");
                taken += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(taken > 100 && refused > 100, "both ends are reached: {taken} taken, {refused} refused");
}
