//! Whatever comes: no panic, no endless loop, and a good request after it is answered.

use ciborium::Value;

use crate::client::*;
use crate::fake::{image, sha};

/// The host still answers.
fn alive(host: &mut Host) {
    let mut line = b"\n".to_vec();
    line.extend(cut_text(&packet(1, READ, OS, 9, 6, &map(&[]))));
    let answers = responses(&host.line(&line));
    assert_eq!(number(&from_cbor(&answers.last().expect("an answer")[8..]), "buf_size"), 2048);
}

/// The answer to a request with this body.
fn answer(host: &mut Host, group: u16, command: u8, body: &[u8]) -> Value {
    let answers = responses(&host.line(&cut_text(&raw_packet(1, WRITE, group, 1, command, body))));
    assert_eq!(answers.len(), 1);
    from_cbor(&answers[0][8..])
}

#[test]
fn random_bytes() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut host = Host::new();
    for _ in 0..2000 {
        let bytes: Vec<_> = (0..random.usize(0..400)).map(|_| random.u8(..)).collect();
        host.line(&bytes);
        alive(&mut host);
    }
}

#[test]
fn random_bytes_that_look_like_lines() {
    const PARTS: [&[u8]; 12] =
        [b"\x06\t", b"\x04\x14", b"\n", b"\r", b"=", b"==", b"AA9I", b"ZWxs", b"bywg", b"\x06", b"\x04", b"*"];
    let mut random = fastrand::Rng::with_seed(2);
    let mut host = Host::new();
    for _ in 0..5000 {
        let line: Vec<_> =
            (0..random.usize(0..40)).flat_map(|_| PARTS[random.usize(0..PARTS.len())]).copied().collect();
        host.line(&line);
        alive(&mut host);
    }
}

#[test]
fn random_bodies() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut host = Host::new();
    for _ in 0..20_000 {
        let body: Vec<_> = (0..random.usize(0..60)).map(|_| random.u8(..)).collect();
        let (version, op) = (random.u8(0..4), random.u8(0..8));
        let packet = raw_packet(version, op, random.u16(0..5), random.u8(..), random.u8(0..10), &body);
        for answer in responses(&host.line(&cut_text(&packet))) {
            from_cbor(&answer[8..]);
        }
    }
    alive(&mut host);
}

#[test]
fn damaged_requests() {
    let mut random = fastrand::Rng::with_seed(4);
    let image = image(5, 500);
    let bodies = [
        map(&[
            ("image", 0.into()),
            ("len", 500.into()),
            ("off", 0.into()),
            ("sha", Value::Bytes(sha(&image).to_vec())),
            ("data", Value::Bytes(image[..100].to_vec())),
        ]),
        map(&[("off", 100.into()), ("data", Value::Bytes(image[100..200].to_vec()))]),
        map(&[("hash", Value::Bytes(image[..32].to_vec())), ("confirm", true.into())]),
        map(&[("name", "console/baud".into()), ("val", Value::Bytes(vec![0, 194, 1, 0]))]),
        map(&[("slot", 1.into())]),
        map(&[("d", "hello".into()), ("format", "sv".into()), ("query", "mode".into()), ("boot_mode", 0.into())]),
    ];
    let mut host = Host::new();
    for _ in 0..20_000 {
        let mut body = to_cbor(&bodies[random.usize(0..bodies.len())]);
        for _ in 0..random.usize(0..4) {
            let at = random.usize(0..body.len().max(1));
            match random.u8(0..4) {
                _ if body.is_empty() => {}
                0 => body[at] ^= 1 << random.u8(0..8),
                1 => body[at] = random.u8(..),
                2 => drop(body.remove(at)),
                _ => body.truncate(at),
            }
        }
        let group = random.u16(0..4);
        let packet = raw_packet(1, [READ, WRITE][random.usize(0..2)], group, 1, random.u8(0..9), &body);
        for answer in responses(&host.line(&cut_text(&packet))) {
            from_cbor(&answer[8..]);
        }
    }
    alive(&mut host);
}

#[test]
fn unknown_fields_are_skipped_whatever_they_hold() {
    let mut host = Host::new();
    let deep = (0..7).fold(Value::from(1), |value, _| Value::Array(vec![value, Value::Null]));
    let values = [
        Value::Null,
        1.5.into(),
        (-7).into(),
        Value::Tag(24, Box::new(Value::Tag(2, Box::new(Value::Bytes(vec![1; 300]))))),
        map(&[("d", "not this one".into()), ("e", Value::Array(vec![true.into(); 30]))]),
        Value::Array(vec![]),
        map(&[]),
        deep,
    ];
    for value in values {
        let mut pairs = vec![("x".into(), value.clone()), (value.clone(), value.clone()), ("d".into(), "hi".into())];
        pairs.push((Value::from(4), value));
        assert_eq!(answer(&mut host, OS, 0, &to_cbor(&Value::Map(pairs))), map(&[("r", "hi".into())]));
    }
    // Indefinite lengths: of the map, and of an array, a map, a text and bytes in it.
    let body = b"\xbfax\x9f\x01\x02\xff\x01\xbfab\x01\xff\x02\x7fab\xff\x03\x5fAb\xffadbhi\xff";
    assert_eq!(answer(&mut host, OS, 0, body), map(&[("r", "hi".into())]));
    // No body at all is an empty map.
    let answers = host.line(&cut_text(&raw_packet(1, READ, OS, 1, 6, &[])));
    assert_eq!(number(&from_cbor(&responses(&answers)[0][8..]), "buf_count"), 1);
}

#[test]
fn bodies_that_are_no_request_are_refused() {
    let bombs: [(&str, Vec<u8>); 18] = [
        ("nested arrays", [vec![0xa1, 0x61, b'x'], vec![0x81; 1500], vec![1]].concat()),
        ("nested indefinite maps", [vec![0xa1, 0x61, b'x'], vec![0xbf; 1500]].concat()),
        ("tags without end", [vec![0xa1, 0x61, b'x'], vec![0xc1; 1500]].concat()),
        ("an array of 2^64 - 1", b"\xa1ax\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02".to_vec()),
        ("a map of 2^64 - 1", b"\xa1ax\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02".to_vec()),
        ("a map of 2^64 - 1 outside", b"\xbb\xff\xff\xff\xff\xff\xff\xff\xffadbhi".to_vec()),
        ("bytes of 2^64 - 1", b"\xa1ax\x5b\xff\xff\xff\xff\xff\xff\xff\xff\x01".to_vec()),
        ("a text of 2^31", b"\xa1ad\x7a\x80\x00\x00\x00hi".to_vec()),
        ("a field twice", b"\xa2adbhiadbho".to_vec()),
        ("a number for a text", b"\xa1ad\x05".to_vec()),
        ("bytes for a text", b"\xa1ad\x42hi".to_vec()),
        ("no text in a text", b"\xa1ad\x62\xff\xfe".to_vec()),
        ("a text in pieces", b"\xa1ad\x7fbhi\xff".to_vec()),
        ("no map", b"\x81\x01".to_vec()),
        ("a break for a value", b"\xbfax\xff".to_vec()),
        ("the end of a map missing", b"\xbfadbhi".to_vec()),
        ("bytes after the map", b"\xa1adbhi\x00".to_vec()),
        ("a head that is reserved", b"\xa1ax\x1c".to_vec()),
    ];
    let mut host = Host::new();
    for (what, body) in bombs {
        assert_eq!(error(&answer(&mut host, OS, 0, &body)).0, 3, "{what}");
    }
    // A number out of range is no other number.
    let refused = answer(&mut host, IMAGE, 1, b"\xa2coff\x1b\x00\x00\x00\x01\x00\x00\x00\x00ddata\x41x");
    assert_eq!(error(&refused), (3, "a field has another type, or is out of range".into()));
    assert_eq!(error(&answer(&mut host, IMAGE, 1, b"\xa2coff\x20ddata\x41x")).0, 3);
    alive(&mut host);
}
