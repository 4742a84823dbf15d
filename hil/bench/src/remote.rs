//! The Black Magic Probe's remote protocol, version 4: text to commands, results to text.
//!
//! Promises that whatever bytes come in, at most one command or one error comes out for each `!…#`, and that nothing is
//! kept but one packet of at most [`PACKET_MAX`] bytes. What a command does to the target is `probe.rs`.
//!
//! The protocol is Black Magic Debug's `src/remote.c`, as spoken by probe-rs 0.32. ADIv5 access ports are answered the way
//! a target that has none would.

use rp2350_model::AccessSize;

use crate::swd::{NoData, Request};

/// The longest packet, `!` and `#` included: the buffer of a real probe.
pub const PACKET_MAX: usize = 1024;
/// The most bytes one memory access moves.
const MEMORY_MAX: u32 = 1024;

/// What a client asks of the probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `GA`: who are you.
    Version,
    /// `HC`: which version of the protocol.
    ProtocolVersion,
    /// `HA`: which accelerated accesses.
    Accelerators,
    /// `GV`: the target's voltage.
    Voltage,
    /// `GZ`: nRST; true pulls it low.
    SetReset(bool),
    /// `Gz`: is nRST pulled low.
    GetReset,
    /// `GF`: SWCLK in Hz.
    SetFrequency(u32),
    /// `Gf`.
    GetFrequency,
    /// `GE`: drive SWCLK.
    ClockOutput,
    /// `SS`: use SWD.
    SwdInit,
    /// `So`, `SO`: drive bits, lowest first, with a parity bit or without.
    SwdOut { bits: u8, value: u32, parity: bool },
    /// `Si`, `SI`: sample bits, lowest first, with a parity bit or without.
    SwdIn { bits: u8, parity: bool },
    /// `JS`, `JR`, `JT`, `HJ`: JTAG without an answer from the target.
    JtagOut,
    /// `JN`, `JD`, `Jd`: so many bits through JTAG and back.
    JtagInOut { bits: u8 },
    /// An access to the target's registers or memory.
    Access(Access),
}

/// An access that the probe frames itself; it fails if the target does not acknowledge it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// `Ad`: read a debug port register (or, with bit 8 of the address, an access port's), value and all.
    DpRead { request: Request },
    /// `AR`: a single transfer.
    Transfer { request: Request, value: u32 },
    /// `Aa`: read a register of an ADIv5 access port. There is none.
    Adiv5ApRead,
    /// `A6a`.
    ApRead { ap: u32, reg: u16 },
    /// `A6A`.
    ApWrite { ap: u32, reg: u16, value: u32 },
    /// `A6m`: read memory through a MEM-AP.
    MemRead { ap: u32, csw: u32, addr: u32, len: usize },
    /// `A6M`: write memory through a MEM-AP.
    MemWrite { ap: u32, csw: u32, size: AccessSize, addr: u32, data: Vec<u8> },
}

/// What the probe answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A number.
    Value(u64),
    /// Text.
    Text(&'static str),
    /// Bytes, in order.
    Bytes(Vec<u8>),
    /// Bits with a wrong parity.
    BadParity(u32),
    /// The target did not do it.
    Target(NoData),
    /// The command could not be read.
    Malformed(Malformed),
}

/// Why a packet is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A command this probe does not have.
    Unknown,
    /// Too short or too long for its command.
    Length,
    /// A field is not a hexadecimal number, or out of range.
    Parameter,
    /// A whole group of commands that this probe does not support (SPI, target power, ADIv5, RISC-V).
    Unsupported,
}

impl Reply {
    /// The reply as it goes over the wire.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Value(value) => format!("&K{value:x}#").into_bytes(),
            Self::Text(text) => format!("&K{text}#").into_bytes(),
            Self::Bytes(bytes) => {
                let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
                let mut text = Vec::with_capacity(2 * bytes.len() + 3);
                text.extend_from_slice(b"&K");
                text.extend(bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]));
                text.push(b'#');
                text
            }
            Self::BadParity(value) => format!("&P{value:x}#").into_bytes(),
            // The SWD acknowledgement in bits 8 and up, "fault" below.
            Self::Target(NoData::Fault) => b"&E403#".to_vec(),
            Self::Target(NoData::NoResponse) => b"&E703#".to_vec(),
            Self::Malformed(Malformed::Unknown) => b"&E1#".to_vec(),
            Self::Malformed(Malformed::Length) => b"&E2#".to_vec(),
            Self::Malformed(Malformed::Parameter) => b"&P0#".to_vec(),
            Self::Malformed(Malformed::Unsupported) => b"&N0#".to_vec(),
        }
    }
}

/// Cuts a stream of bytes into commands.
#[derive(Debug, Default)]
pub struct Parser {
    packet: Vec<u8>,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// Bytes before `!` are noise.
    #[default]
    Outside,
    Inside,
    /// A packet that was too long, until its end.
    Skipping,
}

impl Parser {
    /// Takes one byte; returns a command, or why there is none, when it ended a packet.
    pub fn push(&mut self, byte: u8) -> Option<Result<Command, Malformed>> {
        match (byte, &self.state) {
            (b'!', _) => {
                self.packet.clear();
                self.state = State::Inside;
                None
            }
            (b'#', State::Inside) => {
                self.state = State::Outside;
                Some(parse(&self.packet))
            }
            (b'#', State::Skipping) => {
                self.state = State::Outside;
                Some(Err(Malformed::Parameter))
            }
            (_, State::Inside) if self.packet.len() + 2 >= PACKET_MAX => {
                self.state = State::Skipping;
                None
            }
            (_, State::Inside) => {
                self.packet.push(byte);
                None
            }
            _ => None,
        }
    }
}

/// Fields of fixed width, one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn hex(&mut self, digits: usize) -> Result<u64, Malformed> {
        let (field, rest) = self.0.split_at_checked(digits).ok_or(Malformed::Length)?;
        self.0 = rest;
        hex(field)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        // Two digits fit.
        Ok(self.hex(2)? as u8)
    }

    fn word(&mut self) -> Result<u32, Malformed> {
        // Eight digits fit.
        Ok(self.hex(8)? as u32)
    }

    /// 16 digits for an address on a target that has 32 bits of them.
    fn address(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.hex(16)?).map_err(|_| Malformed::Parameter)
    }

    /// All digits that are left, as a number of at most 32 bits.
    fn rest(&mut self) -> Result<u32, Malformed> {
        let rest = std::mem::take(&mut self.0);
        match rest.len() {
            1..=8 => Ok(hex(rest)? as u32),
            _ => Err(Malformed::Length),
        }
    }

    fn end<T>(&self, value: T) -> Result<T, Malformed> {
        if self.0.is_empty() { Ok(value) } else { Err(Malformed::Length) }
    }
}

fn hex(digits: &[u8]) -> Result<u64, Malformed> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = char::from(*digit).to_digit(16);
        Ok(value << 4 | u64::from(digit.ok_or(Malformed::Parameter)?))
    })
}

fn parse(packet: &[u8]) -> Result<Command, Malformed> {
    let (name, rest) = packet.split_at_checked(2).ok_or(Malformed::Length)?;
    let mut fields = Fields(rest);
    match name {
        b"GA" => fields.end(Command::Version),
        b"GV" => fields.end(Command::Voltage),
        b"GZ" => match rest {
            b"0" => Ok(Command::SetReset(false)),
            b"1" => Ok(Command::SetReset(true)),
            _ => Err(Malformed::Parameter),
        },
        b"Gz" => fields.end(Command::GetReset),
        b"GF" => {
            let hz = fields.word()?;
            fields.end(Command::SetFrequency(hz))
        }
        b"Gf" => fields.end(Command::GetFrequency),
        b"GE" => Ok(Command::ClockOutput),
        b"HC" => fields.end(Command::ProtocolVersion),
        b"HA" => fields.end(Command::Accelerators),
        b"SS" => fields.end(Command::SwdInit),
        b"So" | b"SO" => {
            Ok(Command::SwdOut { bits: bit_count(fields.byte()?)?, value: fields.rest()?, parity: name == b"SO" })
        }
        b"Si" | b"SI" => {
            let bits = bit_count(fields.byte()?)?;
            let parity = name == b"SI";
            fields.end(Command::SwdIn { bits, parity })
        }
        b"Ad" => {
            fields.hex(4)?;
            let request = request(true, fields.hex(4)?);
            fields.end(Command::Access(Access::DpRead { request }))
        }
        b"AR" => {
            fields.byte()?;
            let read = fields.byte()? != 0;
            let request = request(read, fields.hex(4)?);
            let value = fields.word()?;
            fields.end(Command::Access(Access::Transfer { request, value }))
        }
        b"Aa" => {
            fields.hex(8)?;
            fields.end(Command::Access(Access::Adiv5ApRead))
        }
        b"A6" => Ok(Command::Access(adiv6(&mut fields)?)),
        b"JS" | b"JR" | b"JT" | b"HJ" => Ok(Command::JtagOut),
        b"JN" => Ok(Command::JtagInOut { bits: 1 }),
        b"JD" | b"Jd" => Ok(Command::JtagInOut { bits: bit_count(fields.byte()?)? }),
        [b'R' | b's', _] | b"GP" | b"Gp" | b"AA" | b"Am" | b"AM" => Err(Malformed::Unsupported),
        _ => Err(Malformed::Unknown),
    }
}

fn adiv6(fields: &mut Fields) -> Result<Access, Malformed> {
    let (name, rest) = fields.0.split_first().ok_or(Malformed::Length)?;
    fields.0 = rest;
    // Which of the probe's debug ports: it has one.
    fields.byte()?;
    let ap = fields.address()?;
    match name {
        b'a' => {
            let reg = ap_register(fields)?;
            fields.end(Access::ApRead { ap, reg })
        }
        b'A' => {
            let reg = ap_register(fields)?;
            let value = fields.word()?.swap_bytes();
            fields.end(Access::ApWrite { ap, reg, value })
        }
        b'm' => {
            let csw = fields.word()?;
            let addr = fields.address()?;
            let len = memory_len(fields)?;
            fields.end(Access::MemRead { ap, csw, addr, len })
        }
        b'M' => {
            let csw = fields.word()?;
            let align = fields.byte()?;
            let size = match align {
                0 => AccessSize::Byte,
                1 => AccessSize::Half,
                // The MEM-AP is 32 bits wide: a doubleword is two accesses.
                2 | 3 => AccessSize::Word,
                _ => return Err(Malformed::Parameter),
            };
            let addr = fields.address()?;
            let len = memory_len(fields)?;
            if len % (1 << align) != 0 {
                return Err(Malformed::Parameter);
            }
            let data = (0..len).map(|_| fields.byte()).collect::<Result<_, _>>()?;
            fields.end(Access::MemWrite { ap, csw, size, addr, data })
        }
        _ => Err(Malformed::Unknown),
    }
}

fn bit_count(bits: u8) -> Result<u8, Malformed> {
    match bits {
        0..=32 => Ok(bits),
        _ => Err(Malformed::Parameter),
    }
}

/// A register address: bit 8 says access port, bits 3 and 2 which one; the bank in between is SELECT's business.
fn request(read: bool, addr: u64) -> Request {
    Request { ap: addr & 0x100 != 0, read, addr: (addr & 0xc) as u8 }
}

fn ap_register(fields: &mut Fields) -> Result<u16, Malformed> {
    // Bit 12 marks an access port; the 4 KiB below it are its registers.
    Ok((fields.hex(4)? & 0xffc) as u16)
}

fn memory_len(fields: &mut Fields) -> Result<usize, Malformed> {
    match fields.word()? {
        len @ 0..=MEMORY_MAX => Ok(len as usize),
        _ => Err(Malformed::Parameter),
    }
}

#[cfg(test)]
mod tests;
