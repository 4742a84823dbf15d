//! Frames: what is one, what is dropped, and that nothing keeps the next one from being understood.

use sandhill_update::smp::{Receiver, send};

use crate::client::{cut_text, each_line, encode, frame, lines, responses};

const LONGEST: usize = 2048;

fn packet(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 37 + at / 251) as u8).collect()
}

/// Every packet in these bytes.
fn received(receiver: &mut Receiver<LONGEST>, line: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for &byte in line {
        if receiver.push(byte) {
            packets.push(receiver.packet().to_vec());
        }
    }
    packets
}

/// Nothing comes of these bytes, `dropped` frames are counted, and the next frame is understood.
fn ignored(line: &[u8], dropped: u32) {
    let mut receiver = Receiver::new();
    assert_eq!(received(&mut receiver, line), [] as [Vec<u8>; 0]);
    assert_eq!(receiver.packet(), [] as [u8; 0]);
    // A frame that still waits for its next line is dropped by the one that follows.
    assert_eq!(received(&mut receiver, &cut_text(b"next")), [b"next"]);
    assert_eq!(receiver.packet(), b"next");
    assert_eq!(receiver.dropped(), dropped);
}

#[test]
fn every_length_arrives_as_any_client_cuts_it() {
    let mut receiver = Receiver::new();
    for bytes in (1..300).chain(LONGEST - 3..=LONGEST) {
        let packet = packet(bytes);
        assert_eq!(received(&mut receiver, &cut_text(&packet)), [&*packet]);
        for line in [1, 2, 3, 31, 92, 93] {
            assert_eq!(received(&mut receiver, &each_line(&packet, line)), [&*packet], "{bytes} bytes, {line} a line");
        }
    }
    assert_eq!(receiver.dropped(), 0);
}

#[test]
fn what_is_sent_is_what_was_given() {
    for bytes in 1..700 {
        let (packet, mut sent) = (packet(bytes), Vec::new());
        send(&packet, &mut |line| sent.extend_from_slice(line));
        assert_eq!(responses(&sent), [&*packet]);
        assert_eq!(received(&mut Receiver::new(), &sent), [&*packet]);
    }
}

#[test]
fn lines_of_127_bytes_are_used_up() {
    let mut lengths = Vec::new();
    send(&packet(200), &mut |line| lengths.push(line.len()));
    assert_eq!(lengths, [127, 127, 3 + 24]);
}

/// Bytes that PyPI's `smp` 4.2.0 made: `b"".join(smp.packet.encode(...))` of its docstring's example.
#[test]
fn a_frame_of_pypi_smp() {
    assert_eq!(received(&mut Receiver::new(), b"\x06\tAA9IZWxsbywgd29ybGQhet4=\n"), [b"Hello, world!"]);
    let lines = b"\x06\tAA9I\n\x04\x14ZWxs\n\x04\x14bywg\n\x04\x14d29y\n\x04\x14bGQh\n\x04\x14et4=\n";
    assert_eq!(received(&mut Receiver::new(), lines), [b"Hello, world!"]);
}

#[test]
fn carriage_returns_and_text_between_lines_do_not_matter() {
    let whole = each_line(&packet(200), 93);
    let mut line = b"login: root\r\n".to_vec();
    for part in whole.split_inclusive(|&byte| byte == b'\n') {
        line.extend(&part[..part.len() - 1]);
        line.extend(b"\r\nslot 0: blinky-rust runs\n\n\xff\x00\x06\x14\x04\x09 \n");
    }
    assert_eq!(received(&mut Receiver::new(), &line), [packet(200)]);
}

#[test]
fn a_line_that_broke_off_does_not_swallow_the_next_frame() {
    let whole = cut_text(&packet(300));
    for end in 2..whole.len() - 1 {
        let mut receiver = Receiver::new();
        let mut line = whole[..end].to_vec();
        line.extend(cut_text(b"next"));
        assert_eq!(received(&mut receiver, &line), [b"next"], "broken off after {end} bytes");
        assert_eq!(receiver.dropped(), 1);
    }
}

#[test]
fn any_damaged_character_drops_the_frame() {
    let whole = cut_text(&packet(120));
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            let mut receiver = Receiver::new();
            let packets = received(&mut receiver, &damaged);
            // Bits of a last character that stand for no byte may have any value; so may what looks like the line's end.
            assert!(packets.is_empty() || packets == [packet(120)], "bit {bit} of byte {at}");
            assert_eq!(received(&mut receiver, &cut_text(b"next")).last().map(|it| &**it), Some(&b"next"[..]));
        }
    }
}

#[test]
fn what_is_no_frame_is_dropped() {
    let good = frame(&packet(50));
    let mut bad_crc = good.clone();
    *bad_crc.last_mut().unwrap() ^= 1;
    let mut short = good.clone();
    short[1] -= 1;
    let mut long = good.clone();
    long[1] += 1;
    let no_packet = [0, 2, 0, 0];
    let nothing = [0, 0];
    let too_long = frame(&packet(LONGEST + 1));

    let one = |bytes: &[u8]| lines([encode(bytes)].into_iter());
    ignored(&one(&bad_crc), 1);
    ignored(&one(&short), 1);
    ignored(&one(&long), 1);
    ignored(&one(&no_packet), 1);
    ignored(&one(&nothing), 1);
    ignored(&one(&too_long), 1);
    ignored(&one(&[0xff; 1000]), 1);
    // A continuation of nothing.
    ignored(&cut_text(&packet(300))[127..], 0);
    // Characters that base64 has not, or not there.
    for text in
        ["AA9I*", "AA9", "AA9IZ=xs", "AA9IZW=s", "AA9IZWxs=", "AA9IZWxs====", "=", "AA9I ZWxs", "AA9IZWw=ZWxs", "AA\rI"]
    {
        ignored(&lines([text.as_bytes().to_vec()].into_iter()), 1);
    }
    // Lines that say nothing are no damage by themselves.
    ignored(b"\x06\t\n\x04\x14\n", 1);
    ignored(b"\n\r\n\x06\n\x04\n\t\n\x14\n\x06\x06\x04\x04", 0);
}

#[test]
fn a_first_line_starts_again() {
    let mut receiver = Receiver::new();
    let whole = cut_text(&packet(300));
    let first = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let mut line = whole[..first].to_vec();
    line.extend(&whole);
    assert_eq!(received(&mut receiver, &line), [packet(300)]);
    assert_eq!(receiver.dropped(), 1);
}

#[test]
fn two_clients_whose_lines_mix_get_at_most_their_own_frames() {
    let (one, other) = (each_line(&packet(500), 93), each_line(&packet(400), 93));
    let (one, other) = (one.split_inclusive(|&byte| byte == b'\n'), other.split_inclusive(|&byte| byte == b'\n'));
    let (one, other): (Vec<_>, Vec<_>) = (one.collect(), other.collect());
    fastrand::seed(4);
    for _ in 0..1000 {
        let (mut ones, mut others) = (one.iter().copied(), other.iter().copied());
        let mut line = Vec::new();
        while let Some(next) =
            if fastrand::bool() { ones.next().or(others.next()) } else { others.next().or(ones.next()) }
        {
            line.extend(next);
        }
        let mut receiver = Receiver::new();
        let packets = received(&mut receiver, &line);
        assert!(packets.iter().all(|it| *it == packet(500) || *it == packet(400)));
        assert_eq!(received(&mut receiver, &cut_text(b"next")), [b"next"]);
    }
}
