//! What happens to the board from outside: buttons that are pressed, bytes that are sent to it.

use std::time::Duration;

/// A button that is held down: its pin is connected to ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Press {
    /// GPIO number.
    pub pin: u32,
    /// Since the start of the run.
    pub from_us: u64,
    /// When it is let go.
    pub until_us: u64,
}

impl Press {
    /// Whether the button is down.
    pub fn holds_at(&self, now_us: u64) -> bool {
        (self.from_us..self.until_us).contains(&now_us)
    }

    /// Reads `<pin>@<time>+<time>`, such as `15@500ms+300ms`.
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let usage = || format!("'{text}' is no press: write <pin>@<when>+<how long>, such as 15@500ms+300ms");
        let micros = |text: &str| -> Option<u64> {
            let time: Duration = humantime::parse_duration(text).ok()?;
            u64::try_from(time.as_micros()).ok()
        };
        let (pin, times) = text.split_once('@').ok_or_else(usage)?;
        let (from, time) = times.split_once('+').ok_or_else(usage)?;
        let pin = pin.parse().ok().filter(|pin| *pin < 32).ok_or_else(usage)?;
        let from_us = micros(from).ok_or_else(usage)?;
        let until_us = micros(time).and_then(|time_us| from_us.checked_add(time_us)).ok_or_else(usage)?;
        Ok(Self { pin, from_us, until_us })
    }
}

/// Bytes on their way to a serial port: they come one after the other at the port's rate, from the start of the run on.
pub struct Received {
    bytes: Vec<u8>,
    taken: usize,
    baud: u32,
}

/// Start bit, eight data bits, stop bit.
const BITS_PER_BYTE: u64 = 10;

impl Received {
    /// At `baud` bits a second; 0 is for a guest that has no port.
    pub fn new(bytes: &[u8], baud: u32) -> Self {
        Self { bytes: bytes.to_vec(), taken: 0, baud }
    }

    /// When the next byte is there.
    pub fn next_at_us(&self) -> Option<u64> {
        let sent = u64::try_from(self.taken).ok().filter(|_| self.taken < self.bytes.len())? + 1;
        (sent * BITS_PER_BYTE * 1_000_000).checked_div(u64::from(self.baud))
    }

    /// The next byte.
    pub fn take(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.taken).copied();
        self.taken += usize::from(byte.is_some());
        byte
    }
}

/// Reads text with `\r`, `\n`, `\t`, `\\`, `\"` and `\x41` in it.
///
/// # Errors
/// An escape that is none of these.
pub fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend(plain.as_bytes());
        let unknown = || format!("unknown escape in '{text}': there are \\r \\n \\t \\\\ \\\" and \\x with two digits");
        let kind = escape.chars().next().ok_or_else(unknown)?;
        rest = &escape[kind.len_utf8()..];
        bytes.push(match kind {
            'r' => b'\r',
            'n' => b'\n',
            't' => b'\t',
            '\\' | '"' => kind as u8,
            'x' => {
                let digits = rest.get(..2).filter(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
                rest = &rest[digits.map_or(0, str::len)..];
                digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(unknown)?
            }
            _ => return Err(unknown()),
        });
    }
    bytes.extend(rest.as_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_is_read() {
        assert_eq!(Press::parse("15@500ms+300ms"), Ok(Press { pin: 15, from_us: 500_000, until_us: 800_000 }));
        for text in ["", "15", "15@1s", "32@1s+1s", "-1@1s+1s", "15@1+1s", "15@1s+", "GPIO15@1s+1s"] {
            assert!(Press::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_are_read_as_they_are_printed() {
        let all: Vec<u8> = (0..=255).collect();
        let printed = all.escape_ascii().to_string().replace("\\'", "'");
        assert_eq!(unescape(&printed), Ok(all));
        assert_eq!(unescape("\u{e4}\\n"), Ok(vec![0xc3, 0xa4, b'\n']));
        for text in ["\\", "\\q", "\\x", "\\x4", "\\xg0", "\\x\u{e4}", "\\x+1"] {
            assert!(unescape(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_come_at_the_ports_rate() {
        let mut received = Received::new(b"ok", 9600);
        assert_eq!(received.next_at_us(), Some(1041));
        assert_eq!(received.take(), Some(b'o'));
        assert_eq!(received.next_at_us(), Some(2083));
        assert_eq!(received.take(), Some(b'k'));
        assert_eq!((received.next_at_us(), received.take()), (None, None));
        assert_eq!(Received::new(b"ok", 0).next_at_us(), None);
    }
}
