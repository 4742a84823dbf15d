//! The other end of the line: what a client sends, and what it reads out of an answer. Written anew and the long way, so that
//! it does not share a mistake with the code under test.

use ciborium::Value;
use sandhill_update::smp::{self, BUFFER_BYTES, Receiver, Server, send};

use crate::fake::{Board, Images};

pub const READ: u8 = 0;
pub const WRITE: u8 = 2;
pub const OS: u16 = 0;
pub const IMAGE: u16 = 1;
pub const STATISTICS: u16 = 2;
pub const SETTINGS: u16 = 3;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A host with its line.
pub struct Host<I: smp::Images = Images> {
    pub receiver: Receiver<{ BUFFER_BYTES as usize }>,
    pub server: Server<I::Error>,
    pub images: I,
    pub board: Board,
    /// Whether it writes what it answered, as it should.
    pub works: bool,
    sequence: u8,
}

impl Host {
    pub fn new() -> Self {
        Self::with(Images::new())
    }
}

impl<I: smp::Images> Host<I> {
    pub fn with(images: I) -> Self {
        let board = Board::new();
        Self { receiver: Receiver::new(), server: Server::new(), images, board, works: true, sequence: 0 }
    }

    /// Bytes on the line to the host; returns the bytes that it sends.
    pub fn line(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut sent = Vec::new();
        for &byte in bytes {
            if self.receiver.push(byte) {
                let mut response = [0; 700];
                let packet = self.receiver.packet();
                let length = self.server.handle(packet, &mut self.images, &mut self.board, &mut response);
                if length > 0 {
                    send(&response[..length], &mut |line| sent.extend_from_slice(line));
                }
                if self.works {
                    self.server.work(packet, &mut self.images, &mut self.board);
                }
            }
        }
        sent
    }

    /// A request, and the body of its response.
    pub fn ask(&mut self, op: u8, group: u16, command: u8, body: Value) -> Value {
        self.sequence = self.sequence.wrapping_add(1);
        let request = packet(1, op, group, self.sequence, command, &body);
        let answers = responses(&self.line(&cut_text(&request)));
        assert_eq!(answers.len(), 1, "one answer to {body:?}");
        let (header, body) = answers[0].split_at(8);
        let length = (body.len() as u16).to_be_bytes();
        let group = group.to_be_bytes();
        assert_eq!(header, [8 | op | 1, 0, length[0], length[1], group[0], group[1], self.sequence, command]);
        from_cbor(body)
    }

    /// A request that is refused; returns `rc` and `rsn`.
    pub fn refused(&mut self, op: u8, group: u16, command: u8, body: Value) -> (i128, String) {
        error(&self.ask(op, group, command, body))
    }
}

pub fn error(body: &Value) -> (i128, String) {
    let pairs = body.as_map().expect("a map");
    assert_eq!(pairs.len(), 2, "an error is rc and rsn, not {body:?}");
    (number(body, "rc"), field(body, "rsn").as_text().expect("a text").to_owned())
}

pub fn field<'a>(body: &'a Value, name: &str) -> &'a Value {
    let pairs = body.as_map().expect("a map");
    let pair = pairs.iter().find(|(key, _)| key.as_text() == Some(name));
    &pair.unwrap_or_else(|| panic!("{name} in {body:?}")).1
}

pub fn number(body: &Value, name: &str) -> i128 {
    field(body, name).as_integer().expect("a number").into()
}

/// A map of CBOR.
pub fn map(pairs: &[(&str, Value)]) -> Value {
    Value::Map(pairs.iter().map(|(key, value)| ((*key).into(), value.clone())).collect())
}

pub fn to_cbor(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

pub fn from_cbor(mut bytes: &[u8]) -> Value {
    let value = ciborium::from_reader(&mut bytes).unwrap();
    assert!(bytes.is_empty(), "nothing follows the body");
    value
}

pub fn packet(version: u8, op: u8, group: u16, sequence: u8, command: u8, body: &Value) -> Vec<u8> {
    raw_packet(version, op, group, sequence, command, &to_cbor(body))
}

pub fn raw_packet(version: u8, op: u8, group: u16, sequence: u8, command: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![version << 3 | op, 0];
    bytes.extend((body.len() as u16).to_be_bytes());
    bytes.extend(group.to_be_bytes());
    bytes.extend([sequence, command]);
    bytes.extend(body);
    bytes
}

/// CRC-16/XMODEM, bit by bit.
pub fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |mut sum, &byte| {
        sum ^= u16::from(byte) << 8;
        for _ in 0..8 {
            sum = if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x1021 };
        }
        sum
    })
}

/// Length, packet and CRC.
pub fn frame(packet: &[u8]) -> Vec<u8> {
    let mut bytes = (packet.len() as u16 + 2).to_be_bytes().to_vec();
    bytes.extend(packet);
    bytes.extend(crc(packet).to_be_bytes());
    bytes
}

/// As PyPI's `smp` sends a packet: one base64 text, cut into lines.
pub fn cut_text(packet: &[u8]) -> Vec<u8> {
    lines(encode(&frame(packet)).chunks(120).map(<[u8]>::to_vec))
}

/// As `mcumgr-toolkit` sends a packet: each line encoded by itself. `bytes` a line is 93 there; others end in padding.
pub fn each_line(packet: &[u8], bytes: usize) -> Vec<u8> {
    lines(frame(packet).chunks(bytes).map(encode))
}

pub fn lines(texts: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut line = Vec::new();
    for (index, text) in texts.enumerate() {
        line.extend(if index == 0 { [6, 9] } else { [4, 20] });
        line.extend(text);
        line.push(b'\n');
    }
    line
}

pub fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().chain(&[0; 2]).take(3).fold(0, |bits, &byte| bits << 8 | usize::from(byte));
        let characters = [bits >> 18, bits >> 12 & 63, bits >> 6 & 63, bits & 63].map(|value| BASE64[value]);
        text.extend(&characters[..=group.len()]);
        text.resize(text.len().next_multiple_of(4), b'=');
    }
    text
}

fn decode(text: &[u8]) -> Vec<u8> {
    assert_eq!(text.len() % 4, 0, "whole groups");
    let mut bytes = Vec::new();
    for group in text.chunks(4) {
        let characters = group.iter().take_while(|&&character| character != b'=');
        let values: Vec<_> = characters.map(|it| BASE64.iter().position(|known| known == it).unwrap()).collect();
        let bits = values.iter().chain(&[0; 3]).take(4).fold(0, |bits, value| bits << 6 | value);
        bytes.extend(&[(bits >> 16) as u8, (bits >> 8) as u8, bits as u8][..values.len() - 1]);
    }
    bytes
}

/// The packets in what a host sent.
pub fn responses(sent: &[u8]) -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for line in sent.split_inclusive(|&byte| byte == b'\n') {
        assert!(line.len() <= 127, "a client's buffer ends there");
        let (marker, text) = line.split_at(2);
        let text = text.strip_suffix(b"\n").expect("a whole line");
        match marker {
            [6, 9] => frames.push(decode(text)),
            [4, 20] => frames.last_mut().expect("a first line").extend(decode(text)),
            _ => panic!("a marker, not {marker:?}"),
        }
    }
    let whole = frames.into_iter().map(|bytes| {
        let packet = bytes[2..bytes.len() - 2].to_vec();
        assert_eq!(bytes, frame(&packet));
        packet
    });
    whole.collect()
}
