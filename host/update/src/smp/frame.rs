//! SMP over a console: packets as lines of base64 between lines of text.
//!
//! A packet is sent as `u16` length (of packet and CRC, big-endian), packet, CRC-16/XMODEM (big-endian); that in base64, cut
//! into lines of at most 127 bytes. The first line starts with 06 09, those that continue it with 04 14, each ends with
//! a newline. A line holds whole groups of four characters; padding may end any line, not only the last.
//! Protocol: Zephyr's documentation, "SMP transport: UART/serial and console"; `mgmt/mcumgr/transport/serial.h`.
//!
//! Whatever comes, a [`Receiver`] neither blocks nor overflows. The markers never occur in text or base64, so they count
//! wherever they stand: a line that broke off does not swallow the frame after it. Two clients whose lines mix spoil each
//! other's frames: the length or the CRC is wrong then, the frame is dropped, and a client that gets no answer sends again.

const FIRST: [u8; 2] = [0x06, 0x09];
const CONTINUATION: [u8; 2] = [0x04, 0x14];
const LENGTH_BYTES: usize = 2;
const CRC_BYTES: usize = 2;
/// `MCUMGR_SERIAL_MAX_FRAME`: a longest line, with markers and newline.
const LINE_BYTES: usize = 127;
/// What fits a line: 31 groups of base64.
const LINE_PAYLOAD_BYTES: usize = (LINE_BYTES - 3) / 4 * 3;

/// Takes bytes from the line and puts packets of up to `N` bytes together. Base64 is decoded as it arrives; no line is kept.
pub struct Receiver<const N: usize> {
    packet: [u8; N],
    state: State,
    /// A frame was begun and is neither whole nor dropped.
    is_under_way: bool,
    /// Bytes decoded of this frame: length, packet, CRC.
    decoded: usize,
    /// Bytes of the packet, when the length is known.
    length: usize,
    /// Over the packet and, in the end, its CRC, which makes it zero.
    crc: u16,
    /// A group's characters so far: six bits each below a one.
    group: u32,
    dropped: u32,
}

/// Where in the stream of bytes the next one stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a line of text, or behind what was dropped.
    Text,
    /// After the first byte of a marker.
    First,
    Continuation,
    /// In a line of a frame.
    Line,
    /// Between two characters of padding.
    Padding,
    /// Only the line's end may follow.
    End,
    /// As `Text`; [`Receiver::packet`] is whole.
    Whole,
}

/// No characters yet.
const NO_GROUP: u32 = 1;

impl<const N: usize> Receiver<N> {
    /// Waits for a first line. It is all zeros, so that a static one takes no flash.
    #[must_use]
    pub const fn new() -> Self {
        assert!(N + CRC_BYTES <= u16::MAX as usize, "the frame's length is 16 bits wide");
        let (state, is_under_way) = (State::Text, false);
        Self { packet: [0; N], state, is_under_way, decoded: 0, length: 0, crc: 0, group: 0, dropped: 0 }
    }

    /// The packet, after [`Receiver::push`] returned true and until it is called again; empty otherwise.
    #[must_use]
    pub fn packet(&self) -> &[u8] {
        if self.state == State::Whole { &self.packet[..self.length] } else { &[] }
    }

    /// Frames that were begun and dropped since the start, modulo 2^32: damaged, too long, or broken off.
    #[must_use]
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Takes a byte. Returns whether it was the last one of a packet.
    pub fn push(&mut self, byte: u8) -> bool {
        // Nearly every byte of an upload is a character of a line: this way has to be short.
        if self.state == State::Line
            && let Some(value) = sextet(byte)
        {
            self.group = self.group << 6 | u32::from(value);
            if self.group >= NO_GROUP << 24 {
                self.whole_group();
            }
            return false;
        }
        self.take(byte)
    }

    #[cold]
    fn take(&mut self, byte: u8) -> bool {
        match (self.state, byte) {
            (State::Line, _) => return self.no_character(byte),
            (State::Padding, b'=') => self.state = State::End,
            (State::End, b'\r') => {}
            (State::End, b'\n') => return self.end_line(),
            (State::Padding | State::End, _) => self.broken_off(byte),
            (State::First, byte) if byte == FIRST[1] => {
                if self.is_under_way {
                    // Its client gave up, or another one talks in between.
                    self.drop_frame();
                }
                (self.decoded, self.length, self.crc, self.group) = (0, 0, 0, NO_GROUP);
                (self.state, self.is_under_way) = (State::Line, true);
            }
            (State::Continuation, byte) if byte == CONTINUATION[1] && self.is_under_way => self.state = State::Line,
            _ => self.text(byte),
        }
        false
    }

    /// A byte of text: it may start a marker.
    fn text(&mut self, byte: u8) {
        self.state = match byte {
            byte if byte == FIRST[0] => State::First,
            byte if byte == CONTINUATION[0] => State::Continuation,
            _ => State::Text,
        };
    }

    /// Padding, the line's end, or what has no business in a line.
    fn no_character(&mut self, byte: u8) -> bool {
        match (byte, self.group) {
            // After two characters: twelve bits, of which a byte is used.
            (b'=', 0x1000..0x2000) => {
                let byte = (self.group >> 4) as u8;
                self.padding(&[byte], State::Padding);
            }
            // After three: eighteen bits, of which two bytes are used.
            (b'=', 0x4_0000..0x8_0000) => {
                let [_, _, bytes @ ..] = (self.group >> 2).to_be_bytes();
                self.padding(&bytes, State::End);
            }
            (b'\r', NO_GROUP) => self.state = State::End,
            (b'\n', NO_GROUP) => return self.end_line(),
            _ => self.broken_off(byte),
        }
        false
    }

    /// The group that padding ends has these bytes.
    fn padding(&mut self, bytes: &[u8], then: State) {
        self.group = NO_GROUP;
        self.bytes(bytes);
        // Unless they were too many.
        if self.state == State::Line {
            self.state = then;
        }
    }

    fn whole_group(&mut self) {
        let [_, bytes @ ..] = self.group.to_be_bytes();
        self.group = NO_GROUP;
        // Between length and CRC there is nothing to look at.
        let end = self.decoded + bytes.len() - LENGTH_BYTES;
        if self.decoded >= LENGTH_BYTES
            && end <= self.length
            && let Some(to) = self.packet.get_mut(end - bytes.len()..end)
        {
            to.copy_from_slice(&bytes);
            self.crc = bytes.iter().fold(self.crc, |sum, &byte| crc(sum, byte));
            self.decoded += bytes.len();
        } else {
            self.bytes(&bytes);
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match self.decoded {
                0 => self.length = usize::from(byte) << 8,
                1 => {
                    let length = self.length | usize::from(byte);
                    if length <= CRC_BYTES || length > N + CRC_BYTES {
                        return self.drop_frame();
                    }
                    self.length = length - CRC_BYTES;
                }
                at => {
                    let at = at - LENGTH_BYTES;
                    if at < self.length {
                        self.packet[at] = byte;
                    } else if at >= self.length + CRC_BYTES {
                        return self.drop_frame();
                    }
                    self.crc = crc(self.crc, byte);
                }
            }
            self.decoded += 1;
        }
    }

    fn end_line(&mut self) -> bool {
        if self.decoded < LENGTH_BYTES || self.decoded < LENGTH_BYTES + self.length + CRC_BYTES {
            self.state = State::Text;
        } else if self.crc == 0 {
            (self.state, self.is_under_way) = (State::Whole, false);
        } else {
            self.drop_frame();
        }
        self.state == State::Whole
    }

    /// `byte` stands where it may not; it can be the start of another frame.
    fn broken_off(&mut self, byte: u8) {
        self.drop_frame();
        self.text(byte);
    }

    fn drop_frame(&mut self) {
        self.dropped = self.dropped.wrapping_add(1);
        (self.state, self.is_under_way) = (State::Text, false);
    }
}

impl<const N: usize> Default for Receiver<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Hands the lines of a packet to `out`, one call a line.
///
/// # Panics
/// A packet longer than the frame's 16 bits can say: no buffer for responses is that long.
pub fn send(packet: &[u8], out: &mut dyn FnMut(&[u8])) {
    let length = u16::try_from(packet.len() + CRC_BYTES).expect("a response is a few hundred bytes");
    let crc = packet.iter().fold(0, |sum, &byte| crc(sum, byte));
    let mut bytes = length.to_be_bytes().into_iter().chain(packet.iter().copied()).chain(crc.to_be_bytes());
    let mut rest = usize::from(length) + LENGTH_BYTES;
    let mut marker = FIRST;
    while rest > 0 {
        let mut line = [0; LINE_BYTES];
        line[..2].copy_from_slice(&marker);
        let mut at = 2;
        let here = rest.min(LINE_PAYLOAD_BYTES);
        for group in 0..here.div_ceil(3) {
            let taken = (here - 3 * group).min(3);
            let mut bits = 0;
            for place in 0..taken {
                bits |= u32::from(bytes.next().unwrap_or(0)) << (16 - 8 * place);
            }
            for place in 0..4 {
                line[at] = if place <= taken { character(bits >> (18 - 6 * place)) } else { b'=' };
                at += 1;
            }
        }
        line[at] = b'\n';
        out(&line[..=at]);
        rest -= here;
        marker = CONTINUATION;
    }
}

/// CRC-16/XMODEM (polynomial 0x1021, from 0), a byte at a time. The polynomial has so few terms that a byte's eight steps
/// fold into these four: as quick as a table of 512 bytes.
fn crc(sum: u16, byte: u8) -> u16 {
    let mut sum = sum.swap_bytes() ^ u16::from(byte);
    sum ^= (sum & 0xff) >> 4;
    sum ^= sum << 12;
    sum ^ (sum & 0xff) << 5
}

/// What a character of base64 (RFC 4648, section 4) stands for.
fn sextet(byte: u8) -> Option<u8> {
    const LOWEST: u8 = b'+';
    const NONE: u8 = 0xff;
    /// 80 bytes that save a quarter of the instructions a byte takes.
    static SEXTETS: [u8; (b'z' - LOWEST + 1) as usize] = {
        let mut sextets = [NONE; _];
        let mut value = 0;
        while value < 64 {
            sextets[(character(value) - LOWEST) as usize] = value as u8;
            value += 1;
        }
        sextets
    };
    let value = *SEXTETS.get(usize::from(byte.wrapping_sub(LOWEST)))?;
    if value == NONE { None } else { Some(value) }
}

/// The character for the lowest six bits.
const fn character(bits: u32) -> u8 {
    match (bits & 0x3f) as u8 {
        value @ 0..26 => b'A' + value,
        value @ 26..52 => b'a' + value - 26,
        value @ 52..62 => b'0' + value - 52,
        62 => b'+',
        _ => b'/',
    }
}
