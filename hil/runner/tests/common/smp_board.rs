//! A board that speaks SMP over TCP, as docs/src/reference/interfaces.md says, for tests of what a client says to its user. It
//! verifies nothing; a test decides what it refuses and which guests fail.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use ciborium::Value;

/// What a test decides.
#[derive(Clone, Default)]
pub struct Script {
    /// Never answers.
    pub silent: bool,
    /// Group, command, error code and reason of what is refused.
    pub refuse: Option<(u16, u8, i64, &'static str)>,
    /// What the vitals say of its guest: running, if nothing else.
    pub state: Option<u64>,
    /// How often its guest has trapped.
    pub traps: u64,
    /// A guest on trial is gone after so many looks at the slots.
    pub fails_after: Option<u32>,
    /// Hangs up once so many bytes of an upload are there.
    pub hangs_up_at: Option<usize>,
}

#[derive(Default)]
pub struct State {
    pub script: Script,
    /// Hash of what is in slot A and B of guest 0, and of the RAM slot.
    pub slots: [Option<Vec<u8>>; 3],
    active: usize,
    pending: bool,
    on_trial: bool,
    looks: u32,
    upload: Vec<u8>,
    expected: (u64, u64),
    /// Group and command of each request that was carried out, and the offset of uploads.
    pub log: Vec<String>,
    pub baud: u32,
}

pub struct SmpBoard {
    pub port: String,
    state: Arc<Mutex<State>>,
}

impl SmpBoard {
    /// With a guest in slot A.
    pub fn start(script: Script) -> Self {
        let state = State { script, slots: [Some(vec![0x11; 32]), None, None], baud: 115_200, ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = format!("tcp:{}", listener.local_addr().unwrap());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                serve(client, &shared);
            }
        });
        Self { port, state }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(mut client: TcpStream, state: &Mutex<State>) {
    let mut packet = Vec::new();
    let mut line = Vec::new();
    let mut byte = [0];
    while client.read(&mut byte).is_ok_and(|count| count == 1) {
        if byte[0] != b'\n' {
            line.push(byte[0]);
            continue;
        }
        let line = std::mem::take(&mut line);
        match line.split_at_checked(2) {
            Some((b"\x06\x09", rest)) => packet = base64(rest),
            Some((b"\x04\x14", rest)) => packet.extend(base64(rest)),
            _ => continue,
        }
        if packet.len() < 12 || packet.len() < 2 + usize::from(packet[0]) * 256 + usize::from(packet[1]) {
            continue;
        }
        assert_eq!(crc(&packet[2..]), 0, "the checksum of a whole frame with its checksum is zero");
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.script.silent {
            continue;
        }
        let request = packet[2..packet.len() - 2].to_vec();
        let Some(answer) = state.answer(&request) else {
            return;
        };
        drop(state);
        // Console text stands between frames.
        let text = [b"update: guest 0: heard\r\n".to_vec(), frame(&answer)].concat();
        if client.write_all(&text).is_err() {
            return;
        }
    }
}

impl State {
    fn answer(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let (header, body) = request.split_at(8);
        let (group, command) = (u16::from_be_bytes([header[4], header[5]]), header[7]);
        let body: Value = ciborium::from_reader(body).expect("CBOR");
        let write = header[0] & 7 == 2;
        let answer = match self.script.refuse {
            Some((refused, number, rc, reason)) if (refused, number) == (group, command) && write => {
                map([("rc", rc.into()), ("rsn", reason.into())])
            }
            _ => self.carry_out(group, command, write, &body)?,
        };
        let mut bytes = Vec::new();
        ciborium::into_writer(&answer, &mut bytes).expect("it fits");
        let mut packet = header.to_vec();
        packet[0] += 1;
        packet[2..4].copy_from_slice(&(bytes.len() as u16).to_be_bytes());
        packet.extend(bytes);
        Some(packet)
    }

    fn carry_out(&mut self, group: u16, command: u8, write: bool, body: &Value) -> Option<Value> {
        let field = |name: &str| body.as_map()?.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, v)| v);
        let number = |name: &str| field(name).and_then(|value| u64::try_from(value.as_integer()?).ok());
        let bytes = |name: &str| field(name).and_then(|value| value.as_bytes().cloned());
        let what = format!("{group}/{command}{}", number("off").map_or(String::new(), |off| format!(" at {off}")));
        self.log.push(what);
        Some(match (group, command, write) {
            (0, 0, _) => map([("r", field("d")?.clone())]),
            (0, 5, _) => {
                self.reset();
                map([])
            }
            (0, 6, _) => map([("buf_size", 512.into()), ("buf_count", 1.into())]),
            (1, 0, true) => {
                match (bytes("hash"), field("confirm").and_then(Value::as_bool)) {
                    (Some(hash), Some(false)) if self.slots[1 - self.active].as_ref() == Some(&hash) => {
                        self.pending = true;
                    }
                    (_, Some(true)) => self.on_trial = false,
                    _ => return Some(map([("rc", 5.into()), ("rsn", "no slot holds this image".into())])),
                }
                self.images()
            }
            (1, 0, false) => {
                if self.on_trial {
                    self.looks += 1;
                    if self.script.fails_after.is_some_and(|looks| self.looks > looks) {
                        self.revert();
                    }
                }
                self.images()
            }
            (1, 1, _) => {
                let off = number("off")?;
                if off == 0 {
                    let expected = (number("image").unwrap_or(0), number("len")?);
                    if self.expected != expected {
                        (self.expected, self.upload) = (expected, Vec::new());
                    }
                }
                if off == self.upload.len() as u64 {
                    self.upload.extend(bytes("data")?);
                }
                if self.script.hangs_up_at.is_some_and(|at| self.upload.len() >= at) {
                    self.script.hangs_up_at = None;
                    return None;
                }
                if self.upload.len() as u64 == self.expected.1 {
                    let hash = self.upload[self.upload.len() - 32..].to_vec();
                    let slot = if self.expected.0 == 2 { 2 } else { 1 - self.active };
                    self.slots[slot] = Some(hash);
                }
                map([("off", (self.upload.len() as u64).into())])
            }
            (1, 5, _) => {
                self.slots[1 - self.active] = None;
                map([])
            }
            (2, 0, _) => {
                let ram = self.slots[2].is_some();
                let slot = if ram { 2 } else { self.active as u64 };
                let fields = [
                    ("traps", self.script.traps.into()),
                    ("state", self.script.state.unwrap_or(1).into()),
                    ("slot", slot.into()),
                ];
                map([("name", field("name")?.clone()), ("fields", map(fields))])
            }
            (2, 1, _) => map([("stat_list", Value::Array(vec!["guest0".into(), "guest1".into()]))]),
            (3, 0, true) => {
                self.baud = u32::from_le_bytes(bytes("val")?.try_into().ok()?);
                map([])
            }
            _ => map([("rc", 8.into())]),
        })
    }

    fn reset(&mut self) {
        if self.on_trial {
            self.revert();
        } else if std::mem::take(&mut self.pending) {
            (self.on_trial, self.active) = (true, 1 - self.active);
        }
    }

    fn revert(&mut self) {
        (self.on_trial, self.looks, self.active) = (false, 0, 1 - self.active);
    }

    fn images(&self) -> Value {
        let images = self.slots[..2].iter().enumerate().filter_map(|(slot, hash)| {
            let active = slot == self.active;
            Some(map([
                ("image", 0.into()),
                ("slot", (slot as u64).into()),
                ("version", "1.2.3".into()),
                ("hash", Value::Bytes(hash.clone()?)),
                ("bootable", true.into()),
                ("active", active.into()),
                ("confirmed", (active != self.on_trial).into()),
                ("pending", (self.pending && slot == 1 - self.active).into()),
            ]))
        });
        map([("images", Value::Array(images.collect()))])
    }
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.map(|(key, value)| (key.into(), value)).into())
}

/// As lines of at most 127 bytes.
fn frame(packet: &[u8]) -> Vec<u8> {
    let mut body = ((packet.len() + 2) as u16).to_be_bytes().to_vec();
    body.extend(packet);
    body.extend(crc(packet).to_be_bytes());
    let mut text = Vec::new();
    for (index, chunk) in body.chunks(93).enumerate() {
        text.extend(if index == 0 { b"\x06\x09" } else { b"\x04\x14" });
        for three in chunk.chunks(3) {
            let word = three.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            for digit in 0..4 {
                let index = (word >> (18 - 6 * digit) & 63) as usize;
                text.push(if digit <= three.len() { DIGITS[index] } else { b'=' });
            }
        }
        text.push(b'\n');
    }
    text
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for four in text.chunks(4) {
        let value = |digit: &u8| DIGITS.iter().position(|known| known == digit).unwrap_or(0) as u32;
        let word = four.iter().fold(0, |word, digit| word << 6 | value(digit));
        let padding = four.iter().filter(|digit| **digit == b'=').count();
        bytes.extend(&word.to_be_bytes()[1..4 - padding]);
    }
    bytes
}

/// CRC-16/XMODEM.
fn crc(bytes: &[u8]) -> u16 {
    let bit = |crc: u16, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
    bytes.iter().fold(0, |crc, byte| (0..8).fold(crc ^ u16::from(*byte) << 8, bit))
}
