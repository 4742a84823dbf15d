//! Every command but upload: what it answers, and what it refuses.

use ciborium::Value;
use sandhill_update::smp::Server;

use crate::client::*;
use crate::fake::{Board, Images, image};

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

/// `names` are all fields of `body`, in this order.
fn fields(body: &Value, names: &[&str]) {
    let found: Vec<_> = body.as_map().unwrap().iter().map(|(name, _)| name.as_text().unwrap()).collect();
    assert_eq!(found, names);
}

#[test]
fn echo_as_either_client_asks_for_it() {
    let mut host = Host::new();
    for op in [READ, WRITE] {
        assert_eq!(host.ask(op, OS, 0, map(&[("d", "hällo".into())])), map(&[("r", "hällo".into())]));
    }
    assert_eq!(host.refused(WRITE, OS, 0, map(&[])).0, 3);
    let (rc, why) = host.refused(WRITE, OS, 0, map(&[("d", "x".repeat(800).into())]));
    assert_eq!((rc, &*why), (7, "the response would be too long: ask for less"));
}

#[test]
fn reset_is_asked_for_once_it_is_answered() {
    let mut host = Host::new();
    assert_eq!(host.ask(WRITE, OS, 5, map(&[])), map(&[]));
    // PyPI's client says 1, mcumgr-toolkit true.
    assert_eq!(host.ask(WRITE, OS, 5, map(&[("force", 1.into()), ("boot_mode", 0.into())])), map(&[]));
    assert_eq!(host.ask(WRITE, OS, 5, map(&[("force", true.into())])), map(&[]));
    assert_eq!(host.board.resets, 3);
    assert_eq!(host.refused(WRITE, OS, 5, map(&[("boot_mode", 1.into())])).0, 8);
    assert_eq!(host.refused(READ, OS, 5, map(&[])).0, 8);
    assert_eq!(host.board.resets, 3);
}

#[test]
fn parameters() {
    let answer = Host::new().ask(READ, OS, 6, map(&[]));
    assert_eq!(answer, map(&[("buf_size", 2048.into()), ("buf_count", 1.into())]));
}

#[test]
fn application_and_bootloader() {
    let mut host = Host::new();
    let line = map(&[("output", "sandhill 0.2.0 wasmtime 48.0.8".into())]);
    for format in ["s", "a", "sv", "asnrvbmpio", ""] {
        assert_eq!(host.ask(READ, OS, 7, map(&[("format", format.into())])), line);
    }
    assert_eq!(host.ask(READ, OS, 7, map(&[])), line);
    assert_eq!(host.refused(READ, OS, 7, map(&[("format", "sx".into())])).0, 3);

    assert_eq!(host.ask(READ, OS, 8, map(&[])), map(&[("bootloader", "MCUboot".into())]));
    assert_eq!(host.ask(READ, OS, 8, map(&[("query", "mode".into())])), map(&[("mode", 5.into())]));
    assert_eq!(host.refused(READ, OS, 8, map(&[("query", "colour".into())])), (3, "the only query is mode".into()));
}

#[test]
fn image_state_lists_what_there_is() {
    let mut host = Host::new();
    host.images.slots = [[image(1, 64), image(2, 64)], [image(3, 64), image(4, 64)]];
    host.images.pending = [Some(false), Some(true)];
    let answer = host.ask(READ, IMAGE, 0, map(&[]));
    fields(&answer, &["images"]);
    let images = field(&answer, "images").as_array().unwrap();
    let expected: Vec<_> = [(0, 0, 1), (0, 1, 2), (1, 0, 3), (1, 1, 4)]
        .map(|(guest, slot, seed): (u8, u8, u8)| {
            map(&[
                ("image", guest.into()),
                ("slot", slot.into()),
                ("version", format!("1.{seed}.3").into()),
                ("hash", bytes(&image(seed, 32))),
                ("bootable", true.into()),
                ("pending", (slot == 1).into()),
                ("confirmed", (slot == 0).into()),
                ("active", (slot == 0).into()),
                ("permanent", (slot == 1 && guest == 1).into()),
            ])
        })
        .into();
    assert_eq!(*images, expected);

    host.images.slots = Default::default();
    assert_eq!(host.ask(READ, IMAGE, 0, map(&[])), map(&[("images", Value::Array(vec![]))]));
}

#[test]
fn image_state_is_written_by_hash() {
    let mut host = Host::new();
    host.images.slots[1][1] = image(9, 64);
    let hash = ("hash", bytes(&image(9, 32)));
    let answer = host.ask(WRITE, IMAGE, 0, map(&[hash.clone(), ("confirm", false.into())]));
    let images = field(&answer, "images").as_array().unwrap();
    assert_eq!(field(&images[2], "pending"), &Value::from(true), "the answer is the new list");
    assert_eq!(host.images.pending, [None, Some(false)]);
    host.ask(WRITE, IMAGE, 0, map(&[hash, ("confirm", true.into())]));
    assert_eq!(host.images.pending, [None, Some(true)]);
    assert_eq!(
        host.board.said,
        ["update: guest 1: slot B is on trial after a reset", "update: guest 1: slot B runs for good after a reset"]
    );
    host.ask(WRITE, IMAGE, 0, map(&[("confirm", true.into())]));

    assert_eq!(host.refused(WRITE, IMAGE, 0, map(&[])).0, 3);
    let unknown = map(&[("hash", bytes(&[7; 32]))]);
    assert_eq!(host.refused(WRITE, IMAGE, 0, unknown), (5, "no image with this hash".into()));
    assert_eq!(host.refused(WRITE, IMAGE, 0, map(&[("hash", bytes(&[]))])).0, 5);
}

#[test]
fn erase_is_for_the_slots_that_are_free() {
    let mut host = Host::new();
    host.images.slots[0][1] = image(8, 64);
    host.images.slots[1][1] = image(9, 64);
    assert_eq!(host.ask(WRITE, IMAGE, 5, map(&[("slot", 3.into())])), map(&[]));
    assert!(host.images.slots[1][1].is_empty() && !host.images.slots[0][1].is_empty());
    assert_eq!(host.ask(WRITE, IMAGE, 5, map(&[])), map(&[]));
    assert!(host.images.slots[0][1].is_empty());
    assert_eq!(host.ask(WRITE, IMAGE, 5, map(&[("slot", 1.into())])), map(&[]));
    for slot in [0u64, 2, 4, 256, u32::MAX.into(), u64::MAX] {
        assert_eq!(host.refused(WRITE, IMAGE, 5, map(&[("slot", slot.into())])).0, 3);
    }
    host.images.pending[0] = Some(false);
    let (rc, why) = host.refused(WRITE, IMAGE, 5, map(&[]));
    assert_eq!((rc, &*why), (6, "no free slot: confirm the image on trial, or reset"));
}

#[test]
fn slot_info_says_where_an_upload_goes() {
    let mut host = Host::new();
    let slot = |slot: u8, bytes: u32, image: Option<u8>| {
        let mut pairs = vec![("slot", slot.into()), ("size", bytes.into())];
        pairs.extend(image.map(|image| ("upload_image_id", image.into())));
        map(&pairs)
    };
    let image = |image: u8, slots: Vec<Value>, bytes: u32| {
        map(&[("image", image.into()), ("slots", slots.into()), ("max_image_size", bytes.into())])
    };
    let guests = [0, 1].map(|guest| image(guest, vec![slot(0, 16384, None), slot(1, 16384, Some(guest))], 16384));
    let mut images = guests.to_vec();
    images.push(image(2, vec![slot(0, 8192, Some(2))], 8192));
    assert_eq!(host.ask(READ, IMAGE, 6, map(&[])), map(&[("images", images.into())]));
    host.board.ram_bytes = 0;
    assert_eq!(host.ask(READ, IMAGE, 6, map(&[])), map(&[("images", guests.to_vec().into())]));
}

#[test]
fn statistics_are_the_vitals() {
    let mut host = Host::new();
    let groups = Value::Array(["host", "guest0", "guest1"].map(Value::from).to_vec());
    assert_eq!(host.ask(READ, STATISTICS, 1, map(&[])), map(&[("stat_list", groups)]));

    let answer = host.ask(READ, STATISTICS, 0, map(&[("name", "host".into())]));
    let values = map(&[("heap_size", 262_144.into()), ("flash_erases", 0.into())]);
    assert_eq!(answer, map(&[("name", "host".into()), ("fields", values)]));
    // The largest there is still fits a response.
    let answer = host.ask(READ, STATISTICS, 0, map(&[("name", "guest0".into())]));
    assert_eq!(field(&answer, "fields").as_map().unwrap().len(), 25);
    assert_eq!(number(field(&answer, "fields"), "a_longish_field_24"), i128::from(u32::MAX - 24));
    let answer = host.ask(READ, STATISTICS, 0, map(&[("name", "guest1".into())]));
    assert_eq!(field(&answer, "fields"), &map(&[]));

    for name in [map(&[("name", "guest2".into())]), map(&[])] {
        let refused = host.refused(READ, STATISTICS, 0, name);
        assert_eq!(refused, (5, "the groups of statistics are host, guest0 and guest1".into()));
    }
}

#[test]
fn the_rate_of_the_console_is_a_setting() {
    let mut host = Host::new();
    let name = ("name", Value::from("console/baud"));
    let value = |baud: u32| ("val", bytes(&baud.to_le_bytes()));
    assert_eq!(host.ask(READ, SETTINGS, 0, map(std::slice::from_ref(&name))), map(&[value(115_200)]));
    assert_eq!(host.ask(WRITE, SETTINGS, 0, map(&[name.clone(), value(1_000_000)])), map(&[]));
    let answer = host.ask(READ, SETTINGS, 0, map(&[name.clone(), ("max_size", 4.into())]));
    assert_eq!(answer, map(&[value(1_000_000)]));

    assert_eq!(host.refused(READ, SETTINGS, 0, map(&[name.clone(), ("max_size", 3.into())])).0, 7);
    assert_eq!(host.refused(WRITE, SETTINGS, 0, map(&[name.clone(), value(5)])).0, 3);
    assert_eq!(host.refused(WRITE, SETTINGS, 0, map(&[name.clone(), ("val", bytes(&[0; 3]))])).0, 3);
    assert_eq!(host.refused(WRITE, SETTINGS, 0, map(&[name])).0, 3);
    let other = ("name", Value::from("console/parity"));
    assert_eq!(host.refused(WRITE, SETTINGS, 0, map(&[other.clone(), value(9600)])).0, 5);
    assert_eq!(host.refused(READ, SETTINGS, 0, map(&[other])), (5, "the only setting is console/baud".into()));
    assert_eq!(host.board.baud, 1_000_000);
}

#[test]
fn commands_that_are_not_there_say_so() {
    let mut host = Host::new();
    for (op, group, command) in [
        (READ, OS, 2),
        (WRITE, OS, 6),
        (READ, IMAGE, 1),
        (WRITE, IMAGE, 6),
        (READ, IMAGE, 255),
        (WRITE, STATISTICS, 0),
        (WRITE, SETTINGS, 1),
        (READ, 8, 0),
        (WRITE, 9, 0),
        (READ, 64, 0),
        (READ, u16::MAX, 0),
    ] {
        let refused = host.refused(op, group, command, map(&[]));
        assert_eq!(refused, (8, "no such command here: see the reference, interfaces".into()));
    }
    assert_eq!((host.server.requests(), host.server.errors()), (11, 11));
}

#[test]
fn both_versions_are_answered_in_their_own() {
    let mut host = Host::new();
    for (version, expected, is_error) in [(0, 0, false), (1, 1, false), (2, 1, true), (3, 1, true)] {
        let answer = host.line(&cut_text(&packet(version, READ, OS, 77, 6, &map(&[]))));
        let answer = &responses(&answer)[0];
        assert_eq!((answer[0], answer[6], answer[7]), (expected << 3 | 1, 77, 6));
        if is_error {
            assert_eq!(error(&from_cbor(&answer[8..])), (13, "this host speaks versions 1 and 2 of SMP".into()));
        }
        let refused = host.line(&cut_text(&packet(version.min(1), WRITE, OS, 78, 9, &map(&[]))));
        assert_eq!(error(&from_cbor(&responses(&refused)[0][8..])).0, 8, "rc and rsn in either version");
    }
}

#[test]
fn what_is_no_request_is_not_answered() {
    let mut host = Host::new();
    for op in [1, 3, 4, 5, 6, 7] {
        assert_eq!(host.line(&cut_text(&packet(1, op, OS, 1, 6, &map(&[])))), []);
    }
    for bytes in 1..8 {
        assert_eq!(host.line(&cut_text(&vec![0; bytes])), []);
    }
    assert_eq!(host.server.requests(), 0);
    // The header's length has to be the body's.
    for length in [0, 2, 0xffff_u16] {
        let mut packet = packet(1, READ, OS, 1, 6, &map(&[]));
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        assert_eq!(error(&from_cbor(&responses(&host.line(&cut_text(&packet)))[0][8..])).0, 9);
    }
}

#[test]
fn any_buffer_is_enough_for_an_answer_or_none() {
    let requests = [
        packet(1, READ, STATISTICS, 1, 0, &map(&[("name", "guest0".into())])),
        packet(1, READ, IMAGE, 1, 0, &map(&[])),
        packet(1, READ, IMAGE, 1, 6, &map(&[])),
        packet(1, READ, SETTINGS, 1, 0, &map(&[("name", "x".into())])),
    ];
    for request in requests {
        for bytes in 0..700 {
            let mut response = vec![0; bytes];
            let (mut images, mut board) = (Images::new(), Board::new());
            let length = Server::new().handle(&request, &mut images, &mut board, &mut response);
            assert!(length <= bytes);
            if length > 0 {
                assert!(from_cbor(&response[8..length]).is_map());
                assert_eq!(usize::from(u16::from_be_bytes([response[2], response[3]])), length - 8);
            } else {
                assert!(bytes < 8 + 14, "{bytes} are enough for a code");
            }
        }
    }
}

/// Bytes that PyPI's `smp` 4.2.0 made: `b"".join(smp.packet.encode(bytes(request)))` of the request that is named.
#[test]
fn requests_of_pypi_smp() {
    let mut host = Host::new();
    let mut ask = |line: &[u8]| {
        let answer = responses(&host.line(line)).remove(0);
        (answer[..8].to_vec(), from_cbor(&answer[8..]))
    };
    // os_management.EchoWriteRequest(d="hello", sequence=1)
    let (header, body) = ask(b"\x06\tABMKAAAJAAABAKFhZGVoZWxsb3o2\n");
    assert_eq!(header, [0x0b, 0, 0, 9, 0, 0, 1, 0]);
    assert_eq!(body, map(&[("r", "hello".into())]));
    // image_management.ImageStatesReadRequest(sequence=2)
    let (header, body) = ask(b"\x06\tAAsIAAABAAECAKDBYQ==\n");
    assert_eq!(header[4..], [0, 1, 2, 0]);
    assert_eq!(field(&body, "images").as_array().unwrap().len(), 2);
    // image_management.ImageUploadWriteRequest(off=0, data=img[:120], image=0, len=200, sha=hashlib.sha256(img).digest(),
    // upgrade=False, sequence=3) where img=bytes([0x3d, 0xb8, 0xf3, 0x96]) + bytes(range(4, 200))
    let (_, body) = ask(
        b"\x06\tAMsKAADBAAEDAaZjbGVuGMhjb2ZmAGNzaGFYIBfD1QhBBR4TtHT4jtoYrVGx9jhr46qHt4b/3zOU81S4ZGRhdGFYeD2485YEBQYHCAkKCwwNDg8QERITFBUW\n\
          \x04\x14FxgZGhscHR4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj9AQUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpbXF1eX2BhYmNkZWZnaGlqa2xtbm9w\n\
          \x04\x14cXJzdHV2d2VpbWFnZQBndXBncmFkZfRPbg==\n",
    );
    assert_eq!(body, map(&[("off", 120.into())]));
    // os_management.MCUMgrParametersReadRequest(sequence=4, version=0)
    let (header, body) = ask(b"\x06\tAAsAAAABAAAEBqCGLA==\n");
    assert_eq!(header[0], 1);
    assert_eq!(number(&body, "buf_size"), 2048);
    // statistics_management.GroupDataRequest(name="host", sequence=5)
    let (_, body) = ask(b"\x06\tABUIAAALAAIFAKFkbmFtZWRob3N0Xvk=\n");
    assert_eq!(number(field(&body, "fields"), "heap_size"), 262_144);
    // settings_management.WriteSettingRequest(name="console/baud", val=(1000000).to_bytes(4, "little"), sequence=6)
    let (_, body) = ask(b"\x06\tACYKAAAcAAMGAKJjdmFsREBCDwBkbmFtZWxjb25zb2xlL2JhdWRxXA==\n");
    assert_eq!(body, map(&[]));
    assert_eq!(host.board.baud, 1_000_000);
    assert_eq!(host.images.writes, [(0, 120)]);
}
