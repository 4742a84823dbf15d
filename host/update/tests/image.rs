//! Images as tools write and sign them are taken; everything else is refused, without a panic, with a reason.

mod support;

use ed25519_dalek::Signer;
use sandhill_update::{Error, Image, Text, key_hash};
use sha2::{Digest, Sha256};
use support::{Draft, ENGINE, HEADER_BYTES, POLICY, draft, key, sealed, trust, with_list};

const PAYLOAD: &[u8] = b"guest code";
const SLOT_BYTES: usize = 1024;
/// The list that vouches for an image: info, SHA-256, key hash, signature.
const SEAL_BYTES: usize = 4 + 36 + 36 + 68;

fn image() -> Vec<u8> {
    draft(PAYLOAD, 7).signed()
}

/// The draft with a protected TLV replaced, or without it.
fn altered(kind: u16, value: Option<&[u8]>) -> Draft<'static> {
    let mut draft = draft(PAYLOAD, 7);
    let at = draft.protected.iter().position(|tlv| tlv.0 == kind).expect("every draft has it");
    match value {
        Some(value) => draft.protected[at].1 = value.to_vec(),
        None => drop(draft.protected.remove(at)),
    }
    draft
}

/// The image with one of its 16-bit words changed, hash and signature right: made so, not damaged.
fn forged(image: &[u8], at: usize, word: u16) -> Vec<u8> {
    let mut image = image[..image.len() - SEAL_BYTES].to_vec();
    image[at..at + 2].copy_from_slice(&word.to_le_bytes());
    sealed(image, &key(1))
}

/// The image in an otherwise erased slot.
fn slot(image: &[u8]) -> Vec<u8> {
    let mut slot = image.to_vec();
    slot.resize(SLOT_BYTES, 0xff);
    slot
}

fn verified(slot: &[u8]) -> Result<Image<'_>, Error> {
    Image::verify(slot, &trust(), 7)
}

fn refusal(image: &[u8]) -> Error {
    verified(&slot(image)).expect_err("refused")
}

#[test]
fn a_whole_image_is_taken() {
    let image = image();
    let slot = slot(&image);
    let found = verified(&slot).expect("an image");
    assert_eq!(found.payload(), PAYLOAD);
    assert_eq!(found.policy(), Some(POLICY));
    assert_eq!(found.name(), "guest");
    assert_eq!(found.engine(), ENGINE);
    assert_eq!(found.needs(), "embedded:platform/blinky@0.2.0 gpio timing");
    assert_eq!(found.security_counter(), 7);
    assert_eq!(found.bytes(), image.len());
    assert_eq!(found.hash()[..], Sha256::digest(&image[..image.len() - SEAL_BYTES])[..]);
    assert_eq!(Image::parse(&slot), Ok(found));
}

#[test]
fn a_version_is_written_as_mcumgr_does() {
    let mut draft = draft(PAYLOAD, 7);
    for (bytes, text) in [([1, 2, 3, 1, 0, 0, 0, 0], "1.2.259"), ([1, 2, 3, 0, 9, 0, 0, 1], "1.2.3.16777225")] {
        draft.version = bytes;
        assert_eq!(verified(&draft.signed()).expect("an image").version().to_string(), text);
    }
}

#[test]
fn an_image_may_fill_its_slot() {
    let spare = SLOT_BYTES - image().len() + PAYLOAD.len();
    let payload = vec![7; spare];
    let image = draft(&payload, 7).signed();
    assert_eq!(image.len(), SLOT_BYTES);
    assert_eq!(verified(&image).expect("an image").payload(), payload);
}

#[test]
fn an_erased_slot_is_empty() {
    assert_eq!(verified(&[0xff; SLOT_BYTES]), Err(Error::Empty));
}

#[test]
fn something_else_is_not_an_image() {
    let error = refusal(b"\x7fELF");
    assert_eq!(error, Error::NotAnImage { found: 0x464c_457f });
    assert_eq!(error.to_string(), "not a guest image (magic 0x464c457f): flash guest.img, not the .wasm or .cwasm");
}

#[test]
fn another_payload_has_another_hash() {
    let mut image = image();
    image[HEADER_BYTES] = b'G';
    assert_eq!(refusal(&image), Error::HashMismatch);
}

#[test]
fn lengths_beyond_the_slot_are_named() {
    let mut bytes = slot(&image());
    bytes[12..16].copy_from_slice(&2000_u32.to_le_bytes());
    assert_eq!(verified(&bytes), Err(Error::Truncated { needed: 2256, available: SLOT_BYTES }));
    bytes[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(verified(&bytes), Err(Error::Truncated { .. })));
}

#[test]
fn any_key_of_the_set_will_do_and_no_other() {
    assert!(verified(&sealed(draft(PAYLOAD, 7).hashed(), &key(2))).is_ok());
    let stranger = refusal(&sealed(draft(PAYLOAD, 7).hashed(), &key(3)));
    let hash = key_hash(&key(3).verifying_key().to_bytes());
    assert_eq!(stranger, Error::UnknownKey { key: [hash[0], hash[1], hash[2], hash[3]] });
    let named = format!("{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3]);
    assert_eq!(stranger.to_string(), format!("image signed with unknown key {named}: sign it with a key of this host"));
    // A key hash as `openssl pkey -pubout -outform DER | sha256sum` has it, of RFC 8032's first test vector.
    let known = key_hash(&[
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1,
        0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
    ]);
    assert_eq!(known[..4], [0x06, 0xe3, 0xfd, 0x8f]);
}

#[test]
fn who_vouches_has_to_have_signed_it() {
    let hashed = draft(PAYLOAD, 7).hashed();
    let hash = Sha256::digest(&hashed);
    let named = |byte: u8| key_hash(&key(byte).verifying_key().to_bytes()).to_vec();
    let seal = |by: u8, signature: Vec<u8>| {
        with_list(hashed.clone(), &[(0x10, hash.to_vec()), (0x01, named(by)), (0x24, signature)])
    };
    assert!(verified(&seal(1, key(1).sign(&hash).to_vec())).is_ok());
    assert_eq!(refusal(&seal(1, key(2).sign(&hash).to_vec())), Error::BadSignature, "by the other key of the set");
    assert_eq!(refusal(&seal(1, key(3).sign(&hash).to_vec())), Error::BadSignature, "by a stranger");
    assert_eq!(refusal(&seal(1, key(1).sign(&hashed).to_vec())), Error::BadSignature, "of the image, not of its hash");
    assert_eq!(refusal(&seal(1, vec![0; 64])), Error::BadSignature);
    assert_eq!(refusal(&seal(1, vec![0; 63])), Error::Damaged { what: "TLV list" });
    assert_eq!(refusal(&with_list(hashed.clone(), &[(0x10, hash.to_vec())])), Error::Unsigned);
    assert_eq!(refusal(&with_list(hashed.clone(), &[(0x10, hash.to_vec()), (0x01, named(1))])), Error::Unsigned);
    // Other kinds of signatures: ECDSA, RSA, and Ed25519 of the whole image ("pure").
    for kind in [0x20, 0x22, 0x25] {
        let seal = [(0x10, hash.to_vec()), (0x01, named(1)), (kind, key(1).sign(&hash).to_vec())];
        assert_eq!(refusal(&with_list(hashed.clone(), &seal)), Error::Unsupported { what: "unknown TLV" });
    }
}

/// RFC 8032, 5.1.7: S is below the order of the group; S plus the order would be a second form of the same signature.
#[test]
fn a_signature_has_one_form_only() {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut image = image();
    let s = image.len() - 32;
    assert!(verified(&image).is_ok());
    let mut times = 0;
    loop {
        let mut carry = 0;
        for (byte, order) in image[s..].iter_mut().zip(ORDER) {
            carry += u16::from(*byte) + u16::from(order);
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry != 0 {
            break;
        }
        times += 1;
        assert_eq!(refusal(&image), Error::BadSignature, "plus {times} times the order");
    }
    assert!(times >= 10, "{times}");
}

#[test]
fn an_older_image_than_was_confirmed_is_refused() {
    let image = image();
    assert!(Image::verify(&image, &trust(), 7).is_ok(), "equal is allowed");
    let error = Image::verify(&image, &trust(), 8).expect_err("rolled back");
    assert_eq!(error, Error::RolledBack { counter: 7, floor: 8 });
    assert_eq!(
        error.to_string(),
        "image rolled back (security counter 7, at least 8 needed): build it with a higher one"
    );
}

#[test]
fn another_engine_is_refused() {
    for engine in ["wasmtime 47.0.0 pulley32 00000000", &ENGINE[..ENGINE.len() - 1], &format!("{ENGINE}0")] {
        let error = refusal(&altered(0xa2, Some(engine.as_bytes())).signed());
        assert_eq!(error, Error::ForeignEngine { engine: Text::new(engine) });
        assert_eq!(error.to_string(), format!("image for another engine ({engine}): build it with this host's tools"));
    }
}

#[test]
fn another_contract_is_refused() {
    let needs = |needs: &str| verified(&altered(0xa3, Some(needs.as_bytes())).signed()).map(|_| ());
    assert_eq!(needs("embedded:platform/blinky@0.1.0"), Ok(()));
    assert_eq!(needs("embedded:platform/board@0.2.0 timing gpio"), Ok(()));
    let foreign = |what: &str| Err(Error::ForeignContract { what: Text::new(what) });
    for world in [
        "embedded:platform/blinky@0.3.0",
        "embedded:platforms/blinky@0.2.0",
        "wasi:cli/command@0.2.0",
        "embedded:platform/@0.2.0@0.2.0",
    ] {
        assert_eq!(needs(world), foreign(world));
        assert_eq!(needs(&format!("{world} gpio")), foreign(world));
    }
    assert_eq!(needs("embedded:platform/blinky@0.2.0 gpio spi timing"), foreign("spi"));
    assert_eq!(needs("embedded:platform/blinky@0.2.0  gpio"), foreign(""));
    assert_eq!(
        foreign("spi").map_err(|error: Error| error.to_string()),
        Err::<(), _>("image needs spi: build it for the contract of this host, or update its firmware".into())
    );
    for world in ["blinky", "embedded:platform", "embedded:platform/blinky", "embedded:platform@0.2.0", " "] {
        assert_eq!(needs(world), Err(Error::Unsupported { what: "a world without package and version" }), "{world}");
    }
}

/// Bounds, hash, signature, engine, contract, counter: with everything wrong, one after the other is repaired.
#[test]
fn checks_come_in_their_order() {
    let mut draft = altered(0xa2, Some(b"another engine"));
    draft.protected[4].1 = b"wasi:cli/command@0.2.0".to_vec();
    draft.protected[0].1 = 1_u32.to_le_bytes().to_vec();
    let mut image = sealed(draft.hashed(), &key(3));
    image[HEADER_BYTES] ^= 1;
    assert_eq!(refusal(&image), Error::HashMismatch);
    image[HEADER_BYTES] ^= 1;
    assert!(matches!(refusal(&image), Error::UnknownKey { .. }));
    assert!(matches!(refusal(&draft.signed()), Error::ForeignEngine { .. }));
    draft.protected[3].1 = ENGINE.into();
    assert!(matches!(refusal(&draft.signed()), Error::ForeignContract { .. }));
    draft.protected[4].1 = b"embedded:platform/blinky@0.2.0".to_vec();
    assert_eq!(refusal(&draft.signed()), Error::RolledBack { counter: 1, floor: 7 });
}

#[test]
fn a_hash_has_to_be_there_and_only_once() {
    let hashed = draft(PAYLOAD, 7).hashed();
    let hash = (0x10, Sha256::digest(&hashed).to_vec());
    assert_eq!(refusal(&with_list(hashed.clone(), &[])), Error::Damaged { what: "no SHA-256" });
    assert_eq!(refusal(&with_list(hashed.clone(), &[hash.clone(), hash])), Error::Damaged { what: "TLV list" });
    assert_eq!(refusal(&with_list(hashed, &[(0x10, vec![0; 31])])), Error::Damaged { what: "TLV list" });
}

#[test]
fn a_policy_may_be_missing_and_nothing_else() {
    let found = |kind| verified(&altered(kind, None).signed()).map(|image| image.policy().is_some());
    assert_eq!(found(0xa0), Ok(false));
    for (kind, what) in [(0x50, "no security counter"), (0xa1, "no name"), (0xa2, "no engine"), (0xa3, "no contract")] {
        assert_eq!(found(kind), Err(Error::Unsupported { what }));
    }
    assert_eq!(refusal(&altered(0x50, Some(&[7, 0, 0])).signed()), Error::Damaged { what: "security counter" });
}

#[test]
fn texts_are_what_a_console_can_show() {
    let named = |kind, text: &[u8]| verified(&altered(kind, Some(text)).signed()).map(|_| ());
    assert_eq!(named(0xa1, &[b'n'; 31]), Ok(()));
    for name in [&b""[..], &[b'n'; 32], b"two words", b"line\n", b"\x1b[2J", b"caf\xc3\xa9", b"\xff"] {
        assert!(matches!(named(0xa1, name), Err(Error::Unsupported { .. })), "{name:?}");
    }
    assert!(matches!(named(0xa2, &[b'n'; 63]), Err(Error::ForeignEngine { .. })));
    assert!(matches!(named(0xa3, &[b'/'; 127]), Err(Error::Unsupported { .. })));
    for text in [&b""[..], &[b'n'; 128], b"line\n", b"\x1b[2J", b"caf\xc3\xa9", b"\xff"] {
        assert!(matches!(named(0xa2, text), Err(Error::Unsupported { .. })), "{text:?}");
        assert!(matches!(named(0xa3, text), Err(Error::Unsupported { .. })), "{text:?}");
    }
}

/// What a user reads is one line, whatever an image says.
#[test]
fn every_reason_fits_a_line() {
    let longest = Text::new(&"m".repeat(200));
    for error in [
        Error::Empty,
        Error::NotAnImage { found: u32::MAX },
        Error::Truncated { needed: usize::MAX >> 32, available: 262_144 },
        Error::Unsupported { what: "a contract that is not 1 to 127 characters of ASCII" },
        Error::Unsigned,
        Error::ForeignEngine { engine: longest },
        Error::ForeignContract { what: longest },
        Error::RolledBack { counter: u32::MAX, floor: u32::MAX },
        Error::Flash { what: "the driver reports an error", offset: u32::MAX },
        Error::Journal { what: "the flash reports an error" },
        Error::JournalUnreadable,
    ] {
        let text = error.to_string();
        assert!(text.is_ascii() && text.len() <= 140, "{} characters: {text}", text.len());
    }
}

#[test]
fn lengths_and_flags_have_to_be_what_this_host_reads() {
    let sound = image();
    let area = HEADER_BYTES + PAYLOAD.len();
    let length = u16::from_le_bytes([sound[10], sound[11]]);
    let refused = |at, word| refusal(&forged(&sound, at, word));
    assert!(matches!(refused(4, 1), Error::Unsupported { what: "load address" }));
    assert!(matches!(refused(16, 4), Error::Unsupported { what: "flags" }), "encrypted");
    for bytes in [0, 32, 255, 257, 288] {
        assert!(matches!(refused(8, bytes), Error::Unsupported { .. }), "header of {bytes}");
    }
    assert!(matches!(refused(10, 0), Error::Unsupported { .. }), "no protected list, in the header");
    assert_eq!(refused(10, length - 1), Error::Damaged { what: "protected TLV size" });
    assert_eq!(refused(10, u16::MAX), Error::Damaged { what: "protected TLV size" });
    assert_eq!(refused(area, 0x6907), Error::Damaged { what: "TLV magic" });
    assert_eq!(refused(area + 2, 3), Error::Damaged { what: "TLV length" });
    assert!(matches!(refused(area + 2, u16::MAX), Error::Truncated { .. }));
    // The first TLV's own length: one byte less or more, and far too long.
    for wrong in [3, 5, u16::MAX] {
        let error = refused(area + 6, wrong);
        assert!(matches!(error, Error::Damaged { .. } | Error::Unsupported { .. }), "{error}");
    }
    let mut twice = draft(PAYLOAD, 7);
    twice.protected.push((0xa0, POLICY.to_vec()));
    assert_eq!(refusal(&twice.signed()), Error::Damaged { what: "protected TLV list" });
    let mut unknown = draft(PAYLOAD, 7);
    unknown.protected.push((0xa4, Vec::new()));
    assert_eq!(refusal(&unknown.signed()), Error::Unsupported { what: "unknown protected TLV" });
}

#[test]
fn a_header_says_at_once_what_cannot_be() {
    let image = image();
    let needed = image.len() - SEAL_BYTES;
    assert_eq!(Image::check_header(&image[..32], image.len()), Ok(needed));
    assert_eq!(Image::check_header(&image[..32], needed + 4), Ok(needed));
    let error = Error::Truncated { needed: needed + 4, available: needed + 3 };
    assert_eq!(Image::check_header(&image[..32], needed + 3), Err(error));
    assert_eq!(Image::check_header(&image[..31], SLOT_BYTES), Err(Error::Truncated { needed: 32, available: 31 }));
    assert_eq!(Image::check_header(&[0xff; 32], SLOT_BYTES), Err(Error::Empty));
    assert_eq!(Image::check_header(&[0; 32], SLOT_BYTES), Err(Error::NotAnImage { found: 0 }));
}

#[test]
fn every_truncation_is_refused() {
    let image = image();
    for length in 0..image.len() {
        assert!(verified(&image[..length]).is_err(), "{length} bytes");
        assert!(verified(&slot(&image[..length])).is_err(), "{length} bytes, then erased");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let image = image();
    let bits = image.len() * 8;
    for bit in 0..bits {
        let mut slot = slot(&image);
        slot[bit / 8] ^= 1 << (bit % 8);
        assert!(verified(&slot).is_err(), "bit {bit}");
    }
    println!("{bits} bits flipped, one at a time: all refused");
}

#[test]
fn random_bytes_never_panic() {
    let mut random = fastrand::Rng::with_seed(0x5A4D_1711);
    let good = image();
    for _ in 0..20_000 {
        let mut slot = vec![0; random.usize(..1024)];
        random.fill(&mut slot);
        // Most of the time with a header that gets past the first checks.
        let kept = random.usize(..good.len()).min(slot.len());
        if random.u8(..) < 200 {
            slot[..kept].copy_from_slice(&good[..kept]);
        }
        assert!(verified(&slot).is_err());
    }
}

/// Behind a hash and a signature that are right, where damage does not shield what reads the lists.
#[test]
fn random_lists_never_panic() {
    let mut random = fastrand::Rng::with_seed(0x7A6_11ED);
    let good = draft(PAYLOAD, 7).hashed();
    let start = HEADER_BYTES + PAYLOAD.len();
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..2_000 {
        let mut mutant = good.clone();
        for _ in 0..random.usize(1..4) {
            mutant[random.usize(start..good.len())] = random.u8(..);
        }
        match verified(&sealed(mutant, &key(1))) {
            Ok(found) => {
                assert!(found.name().is_ascii() && found.payload() == PAYLOAD);
                taken += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
    }
    assert!(taken > 100 && refused > 100, "both ends are reached: {taken} taken, {refused} refused");
}
