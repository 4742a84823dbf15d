//! Packets through a line to a server with images in memory: it answers well-formed CBOR or nothing, images see only what the
//! trait promises them, and a good request that follows is answered.
//!
//! The input is packets, each after its length (`u16`, big-endian): a fuzzer does not find its way through base64 and a CRC;
//! what a line can do is up to `smp_frame`.

#![no_main]

use std::fmt;

use libfuzzer_sys::fuzz_target;
use minicbor::Decoder;
use sandhill_update::smp::{self, Entry, Rc, Receiver, Refusal, Server, SlotInfo, Stored, send};

/// An image that starts with this is accepted.
const MAGIC: u8 = 0x3d;
const SLOT_BYTES: u32 = 4096;
/// The longest response there can be, and one that is too short for most.
const RESPONSE_BYTES: [usize; 2] = [700, 40];

fuzz_target!(|input: &[u8]| {
    let (mut images, mut board) = (Images::default(), Board::default());
    let mut server = Server::new();
    let mut receiver = Receiver::<2048>::new();
    let mut echo = vec![0x0a, 0, 0, 5, 0, 0, 7, 0];
    echo.extend(b"\xa1ad\x61x");
    let mut lines = Vec::new();
    let mut rest = input;
    while let Some((length, packets)) = rest.split_first_chunk() {
        let (packet, later) = packets.split_at(packets.len().min(u16::from_be_bytes(*length).into()));
        rest = later;
        send(packet, &mut |line| lines.extend_from_slice(line));
    }
    send(&echo, &mut |line| lines.extend_from_slice(line));
    let mut last = Vec::new();
    for byte in lines {
        if !receiver.push(byte) {
            continue;
        }
        let packet = receiver.packet();
        for bytes in RESPONSE_BYTES {
            let mut response = vec![0; bytes];
            let length = server.handle(packet, &mut images, &mut board, &mut response);
            response.truncate(length);
            if !response.is_empty() {
                let mut body = Decoder::new(&response[8..]);
                body.skip().expect("a response is CBOR");
                assert_eq!(body.position(), response.len() - 8);
            }
            if bytes == RESPONSE_BYTES[0] {
                last = response;
            }
        }
        server.work(packet, &mut images, &mut board);
    }
    assert_eq!(last, [b"\x0b\0\0\x05\0\0\x07\0\xa1ar\x61x".as_slice()].concat());
});

#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused, with a reason that does not fit the shorter one of the buffers")
    }
}

impl Refusal for Refused {
    fn rc(&self) -> Rc {
        Rc::Invalid
    }
}

/// Slots B, and the upload under way: guest, length.
#[derive(Default)]
struct Images {
    slots: [Vec<u8>; 2],
    upload: Option<(u8, u32)>,
}

impl smp::Images for Images {
    type Error = Refused;

    fn list(&self, each: &mut dyn FnMut(&Entry<'_>)) {
        for (guest, slot) in (0..).zip(&self.slots) {
            if let Some(hash) = slot.first_chunk() {
                each(&Entry {
                    guest,
                    slot: 1,
                    version: &"1.2.3",
                    hash,
                    bootable: true,
                    pending: true,
                    confirmed: false,
                    active: false,
                    permanent: false,
                });
            }
        }
    }

    fn begin(&mut self, guest: u8, length: u32, start: &[u8], upgrade: bool) -> Result<(), Refused> {
        assert!(guest < 2 && (32..=length as usize).contains(&start.len()));
        self.upload = None;
        if start[0] != MAGIC || length > SLOT_BYTES || upgrade {
            return Err(Refused);
        }
        self.upload = Some((guest, length));
        Ok(())
    }

    fn already_there(&self, guest: u8, length: u32, sha: &[u8; 32]) -> bool {
        let slot = &self.slots[usize::from(guest)];
        slot.len() == length as usize && slot.first_chunk() == Some(sha)
    }

    fn data(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Refused> {
        let (guest, length) = self.upload.expect("after begin");
        let slot = &mut self.slots[usize::from(guest)];
        if offset == 0 {
            slot.clear();
        }
        assert!(slot.len() == offset as usize && slot.len() + bytes.len() <= length as usize);
        slot.extend(bytes);
        if bytes[0] == 0 {
            self.upload = None;
            return Err(Refused);
        }
        Ok(())
    }

    fn finish(&mut self, _: Option<&[u8; 32]>) -> Result<Stored<'_>, Refused> {
        let (guest, length) = self.upload.take().expect("after begin");
        let slot = &self.slots[usize::from(guest)];
        assert_eq!(slot.len(), length as usize);
        if slot[length as usize - 1] == 0 { Err(Refused) } else { Ok(Stored { slot: 1, name: "n", version: &"1.2.3" }) }
    }

    fn verify_in_ram<'a>(&self, image: &'a [u8], _: Option<&[u8; 32]>) -> Result<&'a str, Refused> {
        if image[0] == MAGIC { Ok("n") } else { Err(Refused) }
    }

    fn set_state(
        &mut self,
        hash: Option<&[u8]>,
        confirm: bool,
        changed: &mut dyn FnMut(u8, u8),
    ) -> Result<(), Refused> {
        assert!(hash.is_some() || confirm);
        changed(0, 1);
        if hash.is_some_and(<[u8]>::is_empty) { Err(Refused) } else { Ok(()) }
    }

    fn erase(&mut self, guest: u8) -> Result<(), Refused> {
        self.slots[usize::from(guest)].clear();
        self.upload = self.upload.filter(|&(other, _)| other != guest);
        Ok(())
    }

    fn slot_info(&self, guest: u8, slot: u8) -> SlotInfo {
        assert!(guest < 2 && slot < 2);
        SlotInfo { bytes: SLOT_BYTES, upload: slot == 1 }
    }
}

#[derive(Default)]
struct Board {
    ram: Vec<u8>,
}

impl smp::Board for Board {
    fn application(&self) -> &str {
        "sandhill"
    }

    fn say(&mut self, line: fmt::Arguments<'_>) {
        assert!(!line.to_string().is_empty());
    }

    fn reset(&mut self) {}

    fn statistics(&mut self, group: &str, each: &mut dyn FnMut(&str, u32)) -> bool {
        each("field", 1);
        group == "host"
    }

    fn set_baud(&mut self, baud: u32) -> bool {
        baud != 0
    }

    fn baud(&self) -> u32 {
        115_200
    }

    fn ram_slot_bytes(&self) -> u32 {
        SLOT_BYTES
    }

    fn ram_slot(&mut self, bytes: usize) -> Option<&mut [u8]> {
        assert!(bytes <= SLOT_BYTES as usize);
        self.ram = vec![0; bytes];
        Some(&mut self.ram)
    }

    fn ram_image(&mut self) -> &mut [u8] {
        &mut self.ram
    }

    fn run_ram_slot(&mut self) {
        assert_eq!(self.ram[0], MAGIC);
        self.ram.clear();
    }
}
