//! Uploads: chunk by chunk, and everything that comes in between.

use ciborium::Value;

use crate::client::*;
use crate::fake::{RAM_BYTES, SLOT_BYTES, image, sha};

/// Body of a first chunk with the first `bytes` of `image`.
fn first(image: &[u8], guest: u8, bytes: usize) -> Value {
    map(&[
        ("image", guest.into()),
        ("len", (image.len() as u64).into()),
        ("off", 0.into()),
        ("sha", Value::Bytes(sha(image).to_vec())),
        ("data", Value::Bytes(image[..bytes].to_vec())),
        ("upgrade", false.into()),
    ])
}

fn next(off: usize, data: &[u8]) -> Value {
    map(&[("off", (off as u64).into()), ("data", Value::Bytes(data.to_vec()))])
}

fn off(off: usize) -> Value {
    map(&[("off", (off as u64).into())])
}

fn complete(off: usize) -> Value {
    map(&[("off", (off as u64).into()), ("match", true.into())])
}

impl Host {
    fn chunk(&mut self, body: Value) -> Value {
        self.ask(WRITE, IMAGE, 1, body)
    }

    fn chunk_refused(&mut self, body: Value) -> (i128, String) {
        self.refused(WRITE, IMAGE, 1, body)
    }

    /// As a client does it: from what the host says is next, until everything is there.
    fn upload(&mut self, image: &[u8], guest: u8, bytes: usize) {
        let mut answer = self.chunk(first(image, guest, bytes.min(image.len())));
        loop {
            let at = number(&answer, "off") as usize;
            if at == image.len() {
                assert_eq!(answer, complete(at));
                return;
            }
            answer = self.chunk(next(at, &image[at..image.len().min(at + bytes)]));
        }
    }
}

#[test]
fn any_size_of_chunks_makes_the_same_image() {
    for bytes in [32, 33, 100, 255, 256, 257, 1000, 1900, 4999, 5000] {
        for guest in [0, 1] {
            let (mut host, image) = (Host::new(), image(5, 5000));
            if bytes > 1900 {
                // It does not fit a packet: the frame is dropped, and there is no answer.
                assert_eq!(host.line(&cut_text(&packet(1, WRITE, IMAGE, 1, 1, &first(&image, guest, bytes)))), []);
                assert_eq!(host.receiver.dropped(), 1);
                continue;
            }
            host.upload(&image, guest, bytes);
            assert_eq!(host.images.slots[usize::from(guest)][1], image);
            let line = format!("update: guest {guest}: uploaded to slot B: blinky-rust 0.2.0, 5000 bytes");
            assert_eq!(host.board.said, [line]);
        }
    }
}

#[test]
fn the_longest_packet_is_a_chunk() {
    let (mut host, image) = (Host::new(), image(5, 5000));
    let around = packet(1, WRITE, IMAGE, 1, 1, &first(&image, 0, 300)).len() - 300;
    host.upload(&image, 0, 2048 - around);
    assert_eq!(host.images.slots[0][1], image);
}

#[test]
fn an_image_of_one_chunk() {
    let (mut host, image) = (Host::new(), image(5, 200));
    host.upload(&image, 0, 500);
    assert_eq!(host.images.slots[0][1], image);
    // Without a hash nothing is said to match.
    let chunk = map(&[("len", 200.into()), ("off", 0.into()), ("data", Value::Bytes(image))]);
    assert_eq!(host.chunk(chunk), off(200));
}

#[test]
fn a_chunk_is_answered_before_it_is_written() {
    let (mut host, image) = (Host::new(), image(5, 1000));
    host.works = false;
    assert_eq!(host.chunk(first(&image, 0, 100)), off(100));
    assert_eq!(host.images.writes, []);
    // A host that never works says that nothing was written.
    assert_eq!(host.chunk(next(100, &image[100..200])), off(0));
    host.works = true;
    host.upload(&image, 0, 500);
    assert_eq!(host.images.writes, [(0, 500), (500, 500)]);
}

#[test]
fn only_the_next_chunk_is_written() {
    let (mut host, image) = (Host::new(), image(5, 1000));
    assert_eq!(host.chunk(first(&image, 0, 100)), off(100));
    for (from, to) in
        [(50, 150), (99, 101), (101, 150), (999, 1000), (5000, 5001), (u32::MAX as usize, u32::MAX as usize)]
    {
        let data = vec![0; to - from];
        assert_eq!(host.chunk(next(from, &data)), off(100), "from {from}");
    }
    // Sent again, as its answer was lost: once more, and the first one, too.
    assert_eq!(host.chunk(next(100, &image[100..300])), off(300));
    assert_eq!(host.chunk(next(100, &image[100..300])), off(300));
    assert_eq!(host.chunk(first(&image, 0, 100)), off(300));
    assert_eq!(host.chunk(next(300, &[])), off(300));
    assert_eq!(host.chunk_refused(next(300, &[0; 701])).0, 3);
    assert_eq!(host.chunk(next(300, &image[300..])), complete(1000));
    // The last one again: its client hears that it is complete.
    assert_eq!(host.chunk(next(300, &image[300..])), complete(1000));
    assert_eq!(host.chunk(next(1000, &[])), complete(1000));
    assert_eq!(host.images.writes, [(0, 100), (100, 200), (300, 700)]);
    assert_eq!(host.images.slots[0][1], image);
}

#[test]
fn the_same_again_resumes_another_one_begins() {
    let (mut host, one, other) = (Host::new(), image(5, 1000), image(6, 1000));
    assert_eq!(host.chunk(first(&one, 0, 400)), off(400));
    assert_eq!(host.chunk(first(&one, 0, 100)), off(400), "resumed");
    assert_eq!(host.chunk(first(&one, 1, 100)), off(100), "of another guest");
    assert_eq!(host.chunk(first(&other, 1, 200)), off(200), "other bytes");
    // Without a hash it could be another image.
    let unnamed = map(&[("len", 1000.into()), ("off", 0.into()), ("data", Value::Bytes(one[..300].to_vec()))]);
    assert_eq!(host.chunk(unnamed.clone()), off(300));
    assert_eq!(host.chunk(unnamed), off(300));
    assert_eq!(host.images.writes, [(0, 400), (0, 100), (0, 200), (0, 300), (0, 300)]);
    // What is there is not written again, as long as it is there.
    host.upload(&one, 0, 500);
    assert_eq!(host.chunk(first(&one, 0, 100)), complete(1000));
    assert_eq!(host.chunk(next(1000, &[])), complete(1000));
    host.images.slots[0][1][999] ^= 1;
    assert_eq!(host.chunk(first(&one, 0, 100)), off(100));
}

#[test]
fn a_chunk_of_no_upload_is_told_to_begin() {
    let mut host = Host::new();
    assert_eq!(host.chunk(next(100, &[1; 50])), off(0));
    let image = image(5, 1000);
    host.chunk(first(&image, 0, 100));
    host.ask(WRITE, IMAGE, 5, map(&[("slot", 3.into())]));
    assert_eq!(host.chunk(next(100, &image[100..200])), off(200), "the other guest's slot was erased");
    host.ask(WRITE, IMAGE, 5, map(&[]));
    assert_eq!(host.chunk(next(200, &image[200..300])), off(0), "its own was");
    host.chunk(first(&image, 0, 100));
    host.ask(WRITE, IMAGE, 0, map(&[("confirm", true.into())]));
    assert_eq!(host.chunk(next(100, &image[100..200])), off(0), "state was written");
}

#[test]
fn a_first_chunk_that_is_not_whole_is_refused() {
    let (mut host, image) = (Host::new(), image(5, 1000));
    let without = |name: &str| {
        let pairs = first(&image, 0, 100).into_map().unwrap();
        Value::Map(pairs.into_iter().filter(|(key, _)| key.as_text() != Some(name)).collect())
    };
    for name in ["len", "off", "data"] {
        let refused = host.chunk_refused(without(name));
        assert_eq!(refused, (3, "an upload needs off and data, and len where off is 0".into()));
    }
    for bytes in [0, 1, 31] {
        let refused = host.chunk_refused(first(&image, 0, bytes));
        assert_eq!(refused, (3, "the first chunk is too short for an image's header (32 bytes)".into()));
    }
    assert_eq!(host.chunk_refused(first(&image, 3, 100)).0, 5);
    let longer = map(&[("len", 99.into()), ("off", 0.into()), ("data", Value::Bytes(image[..100].to_vec()))]);
    assert_eq!(host.chunk_refused(longer).0, 3);
    for bytes in [0, 31, 33] {
        let mut chunk = without("sha").into_map().unwrap();
        chunk.push(("sha".into(), Value::Bytes(vec![0; bytes])));
        assert_eq!(host.chunk_refused(Value::Map(chunk)).0, 3);
    }
    assert_eq!(host.images.writes, []);
    assert_eq!(host.chunk(without("sha")), off(100));
    assert_eq!(host.board.said, [] as [&str; 0]);
}

#[test]
fn a_refused_image_says_why_to_client_and_console() {
    let mut host = Host::new();
    let mut other = image(5, 1000);
    other[0] = 0;
    let refused = host.chunk_refused(first(&other, 1, 100));
    assert_eq!(refused, (3, "not a guest image: flash guest.img".into()));
    let large = image(5, SLOT_BYTES as usize + 1);
    assert_eq!(host.chunk_refused(first(&large, 0, 100)), (3, "image too large for its slot".into()));
    host.images.busy = true;
    assert_eq!(host.chunk_refused(first(&image(5, 1000), 0, 100)).0, 6);
    host.images.busy = false;
    let mut older = first(&image(0, 1000), 0, 100).into_map().unwrap();
    older.last_mut().unwrap().1 = true.into();
    assert_eq!(host.chunk_refused(Value::Map(older)).1, "the image is not newer than the one that runs");
    assert_eq!(
        host.board.said,
        [
            "update: guest 1: refused: not a guest image: flash guest.img",
            "update: guest 0: refused: image too large for its slot",
            "update: guest 0: refused: no free slot: confirm the image on trial, or reset",
            "update: guest 0: refused: the image is not newer than the one that runs",
        ]
    );
    assert_eq!(host.images.writes, []);
}

#[test]
fn an_image_that_is_wrong_in_the_end_is_refused_in_the_end() {
    let (mut host, good) = (Host::new(), image(5, 1000));
    assert_eq!(host.chunk(first(&good, 0, 500)), off(500));
    let mut rest = good[500..].to_vec();
    rest[77] ^= 1;
    let refused = host.chunk_refused(next(500, &rest));
    assert_eq!(refused, (9, "image damaged (SHA-256 differs): flash it again".into()));
    assert_eq!(host.board.said, ["update: guest 0: refused: image damaged (SHA-256 differs): flash it again"]);
    assert_eq!(host.chunk(next(500, &rest)), off(0), "it is over");
    host.upload(&good, 0, 500);
}

#[test]
fn a_write_that_fails_is_the_answer_to_the_next_chunk() {
    let (mut host, image) = (Host::new(), image(5, 1000));
    host.images.writes_left = 1;
    assert_eq!(host.chunk(first(&image, 0, 100)), off(100));
    assert_eq!(host.chunk(next(100, &image[100..200])), off(200), "answered before it failed");
    let (rc, why) = host.chunk_refused(next(200, &image[200..300]));
    assert!(rc == 1 && why.starts_with("flash failed"), "{why}");
    assert_eq!(host.chunk(next(200, &image[200..300])), off(0));
    // Whoever begins again does not hear of it.
    host.images.writes_left = 0;
    assert_eq!(host.chunk(first(&image, 0, 100)), off(100));
    host.images.writes_left = 2;
    assert_eq!(host.chunk(first(&image, 0, 100)), off(100));
    // The last chunk is written before it is answered.
    host.images.writes_left = 0;
    assert_eq!(host.chunk_refused(next(100, &image[100..])).0, 1);
    assert!(host.board.said.iter().all(|line| line.starts_with("update: guest 0: refused: flash failed")));
    assert_eq!(host.board.said.len(), 3);
}

#[test]
fn an_image_in_ram_runs_at_once_without_a_write() {
    let (mut host, image) = (Host::new(), image(5, 3000));
    host.upload(&image, 2, 700);
    assert_eq!(host.board.ran.as_ref(), Some(&image));
    assert_eq!(host.images.writes, []);
    assert_eq!(host.board.said, ["update: ram: blinky-ram, 3000 bytes, in the place of guest 0"]);
    // State and erased slots are no business of it.
    host.chunk(first(&image, 2, 700));
    host.ask(WRITE, IMAGE, 5, map(&[]));
    host.ask(WRITE, IMAGE, 0, map(&[("confirm", true.into())]));
    assert_eq!(host.chunk(next(700, &image[700..1000])), off(1000));
}

#[test]
fn an_image_that_cannot_run_in_ram_does_not() {
    let (mut host, large) = (Host::new(), image(5, RAM_BYTES as usize + 1));
    let refused = host.chunk_refused(first(&large, 2, 100));
    assert_eq!(refused, (2, "no room in RAM for it: use a slot in flash".into()));
    let mut other = image(5, 1000);
    other[0] = 0;
    host.chunk(first(&other, 2, 500));
    assert_eq!(host.chunk_refused(next(500, &other[500..])).0, 3);
    assert_eq!(host.board.ran, None);
    // The room was taken away meanwhile.
    let good = image(5, 1000);
    host.chunk(first(&good, 2, 500));
    host.board.ram.clear();
    assert_eq!(host.chunk_refused(next(500, &good[500..])).0, 6);
    host.chunk(first(&good, 2, 300));
    host.board.ram.clear();
    host.chunk(next(300, &good[300..600]));
    assert_eq!(host.chunk(next(600, &good[600..900])), off(0));
    assert_eq!(
        host.board.said,
        [
            "update: ram: refused: no room in RAM for it: use a slot in flash",
            "update: ram: refused: not a guest image: flash guest.img",
            "update: ram: refused: the RAM slot was emptied meanwhile: upload it again",
            "update: ram: refused: the RAM slot was emptied meanwhile: upload it again",
        ]
    );
}

#[test]
fn two_clients_spoil_an_image_at_worst() {
    let (mut host, one, other) = (Host::new(), image(5, 1000), image(6, 1000));
    assert_eq!(host.chunk(first(&one, 0, 400)), off(400));
    assert_eq!(host.chunk(first(&other, 0, 200)), off(200), "the second client's upload it is now");
    // The first one goes on, is told to go back, and does.
    assert_eq!(host.chunk(next(400, &one[400..600])), off(200));
    assert_eq!(host.chunk(next(200, &one[200..400])), off(400));
    assert_eq!(host.chunk_refused(next(400, &other[400..])).0, 9);
    // Whoever is left alone gets it done.
    host.upload(&other, 0, 300);
    assert_eq!(host.images.slots[0][1], other);
}
