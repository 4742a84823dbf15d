//! The CBOR (RFC 8949) of requests and responses.
//!
//! All commands together know few names, and a name means the same in each of them: so one list of fields reads every
//! request. What it does not know is skipped, however it is nested, in time that grows with its bytes only. A field that
//! comes twice or has another type than it should is refused.
//! A response remembers that something did not fit, so that whoever writes it need not ask each time, which takes less flash.

use core::fmt::{self, Write as _};
use core::ops::Range;

use minicbor::data::Type;
use minicbor::encode::Error;
use minicbor::encode::write::{Cursor, EndOfSlice};
use minicbor::{Decoder, Encoder};

use super::{Fault, Rc};

/// How deep an unknown value may be nested.
const DEPTH_MAX: usize = 8;

/// What a request can say. Named as in it.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub boot_mode: Option<u8>,
    pub confirm: Option<bool>,
    pub d: Option<&'a str>,
    /// Where in the body its bytes are.
    pub data: Option<Range<usize>>,
    pub format: Option<&'a str>,
    pub hash: Option<&'a [u8]>,
    pub image: Option<u32>,
    pub len: Option<u32>,
    pub max_size: Option<u32>,
    pub name: Option<&'a str>,
    pub off: Option<u32>,
    pub query: Option<&'a str>,
    pub sha: Option<&'a [u8]>,
    pub slot: Option<u32>,
    pub upgrade: Option<bool>,
    pub val: Option<&'a [u8]>,
}

const MALFORMED: Fault = Fault { rc: Rc::Invalid, why: "the request is not a whole CBOR map: send it again" };
const TOO_DEEP: Fault = Fault { rc: Rc::Invalid, why: "the request is nested too deeply" };
const WRONG_TYPE: Fault = Fault { rc: Rc::Invalid, why: "a field has another type, or is out of range" };
const TWICE: Fault = Fault { rc: Rc::Invalid, why: "a field comes twice" };

impl<'a> Fields<'a> {
    /// Of the body of a request. An empty one counts as an empty map, as MCUmgr does.
    pub fn read(body: &'a [u8]) -> Result<Self, Fault> {
        let mut fields = Self::default();
        if body.is_empty() {
            return Ok(fields);
        }
        let mut cbor = Decoder::new(body);
        let mut pairs = cbor.map().map_err(|_| MALFORMED)?;
        loop {
            let next = cbor.datatype();
            match &mut pairs {
                Some(0) => break,
                Some(left) => *left -= 1,
                None if matches!(next, Ok(Type::Break)) => {
                    cbor.set_position(cbor.position() + 1);
                    break;
                }
                None => {}
            }
            match next {
                Ok(Type::String) => {
                    let key = cbor.str().map_err(|_| MALFORMED)?;
                    fields.take(key, &mut cbor)?;
                }
                Ok(_) => {
                    skip(&mut cbor)?;
                    skip(&mut cbor)?;
                }
                Err(_) => return Err(MALFORMED),
            }
        }
        if cbor.position() == body.len() { Ok(fields) } else { Err(MALFORMED) }
    }

    fn take(&mut self, key: &str, cbor: &mut Decoder<'a>) -> Result<(), Fault> {
        match key {
            "boot_mode" => once(&mut self.boot_mode, cbor.u8()),
            "confirm" => once(&mut self.confirm, cbor.bool()),
            "d" => once(&mut self.d, cbor.str()),
            "data" => {
                let bytes = cbor.bytes().map(<[u8]>::len);
                let end = cbor.position();
                once(&mut self.data, bytes.map(|bytes| end - bytes..end))
            }
            "format" => once(&mut self.format, cbor.str()),
            "hash" => once(&mut self.hash, cbor.bytes()),
            "image" => once(&mut self.image, cbor.u32()),
            "len" => once(&mut self.len, cbor.u32()),
            "max_size" => once(&mut self.max_size, cbor.u32()),
            "name" => once(&mut self.name, cbor.str()),
            "off" => once(&mut self.off, cbor.u32()),
            "query" => once(&mut self.query, cbor.str()),
            "sha" => once(&mut self.sha, cbor.bytes()),
            "slot" => once(&mut self.slot, cbor.u32()),
            "upgrade" => once(&mut self.upgrade, cbor.bool()),
            "val" => once(&mut self.val, cbor.bytes()),
            _ => skip(cbor),
        }
    }
}

fn once<T>(field: &mut Option<T>, value: Result<T, minicbor::decode::Error>) -> Result<(), Fault> {
    match field.replace(value.map_err(|_| WRONG_TYPE)?) {
        None => Ok(()),
        Some(_) => Err(TWICE),
    }
}

/// Steps over one item with all that is in it.
fn skip(cbor: &mut Decoder<'_>) -> Result<(), Fault> {
    /// Instead of a number of items: there are more until a break.
    const UNTIL_BREAK: u64 = u64::MAX;

    let bytes = cbor.input();
    let mut at = cbor.position();
    // For each level that is open, how many items it still has.
    let mut open = [0; DEPTH_MAX];
    let mut depth = 0;
    loop {
        let items = match head(bytes, &mut at)? {
            (0 | 1 | 7, Some(_)) => 0,
            (2 | 3, Some(length)) => {
                let end = usize::try_from(length).ok().and_then(|length| at.checked_add(length));
                at = end.filter(|&end| end <= bytes.len()).ok_or(MALFORMED)?;
                0
            }
            (4, Some(items)) => items,
            (5, Some(pairs)) => pairs.checked_mul(2).ok_or(MALFORMED)?,
            // A tag belongs to the item that follows it.
            (6, Some(_)) => continue,
            (2..=5, None) => UNTIL_BREAK,
            (7, None) if depth > 0 && open[depth - 1] == UNTIL_BREAK => {
                depth -= 1;
                0
            }
            _ => return Err(MALFORMED),
        };
        if items > 0 {
            *open.get_mut(depth).ok_or(TOO_DEEP)? = items;
            depth += 1;
            continue;
        }
        // An item is complete, and with it each level that it was the last one of.
        loop {
            if depth == 0 {
                cbor.set_position(at);
                return Ok(());
            }
            let left = &mut open[depth - 1];
            if *left == UNTIL_BREAK {
                break;
            }
            *left -= 1;
            if *left > 0 {
                break;
            }
            depth -= 1;
        }
    }
}

/// Major type and argument at `at`, which moves behind them; no argument: indefinite, or a break.
fn head(bytes: &[u8], at: &mut usize) -> Result<(u8, Option<u64>), Fault> {
    let (&first, rest) = bytes.get(*at..).and_then(<[u8]>::split_first).ok_or(MALFORMED)?;
    let (argument, length) = match first & 0x1f {
        small @ 0..24 => (Some(u64::from(small)), 0),
        size @ 24..28 => {
            let length = 1 << (size - 24);
            let argument = rest.get(..length).ok_or(MALFORMED)?;
            (Some(argument.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte))), length)
        }
        31 => (None, 0),
        _ => return Err(MALFORMED),
    };
    *at += 1 + length;
    Ok((first >> 5, argument))
}

/// The body of a response, as it is written.
pub(super) struct Body<'r> {
    to: Encoder<Cursor<&'r mut [u8]>>,
    /// Everything fitted so far.
    fits: bool,
}

type Written = Result<(), Error<EndOfSlice>>;

impl<'r> Body<'r> {
    pub fn new(room: &'r mut [u8]) -> Self {
        Self { to: Encoder::new(Cursor::new(room)), fits: true }
    }

    /// Its length in bytes; none if it did not fit.
    pub fn length(self) -> Option<usize> {
        self.fits.then(|| self.to.into_writer().position())
    }

    pub fn map(&mut self, pairs: u64) -> &mut Self {
        self.item(|to| to.map(pairs).map(drop))
    }

    pub fn array(&mut self, items: u64) -> &mut Self {
        self.item(|to| to.array(items).map(drop))
    }

    /// A map of unknown length, until [`Body::end`].
    pub fn begin_map(&mut self) -> &mut Self {
        self.item(|to| to.begin_map().map(drop))
    }

    /// An array of unknown length, until [`Body::end`].
    pub fn begin_array(&mut self) -> &mut Self {
        self.item(|to| to.begin_array().map(drop))
    }

    pub fn end(&mut self) -> &mut Self {
        self.item(|to| to.end().map(drop))
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.item(|to| to.str(text).map(drop))
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.item(|to| to.bytes(bytes).map(drop))
    }

    pub fn number(&mut self, number: u32) -> &mut Self {
        self.item(|to| to.u32(number).map(drop))
    }

    pub fn bool(&mut self, is: bool) -> &mut Self {
        self.item(|to| to.bool(is).map(drop))
    }

    /// What `it` displays, up to `most` bytes of it.
    pub fn display(&mut self, it: &dyn fmt::Display, most: usize) -> &mut Self {
        // CBOR wants the length first: so it is displayed twice. Nothing but the end of the text makes either fail.
        let mut count = Text { left: most, to: None };
        let _ = write!(count, "{it}");
        let length = most - count.left;
        self.item(|to| to.str_len(length as u64).map(drop));
        let mut copy = Text { left: length, to: Some(self) };
        let _ = write!(copy, "{it}");
        self
    }

    #[inline(never)]
    fn item(&mut self, write: impl FnOnce(&mut Encoder<Cursor<&'r mut [u8]>>) -> Written) -> &mut Self {
        self.fits = self.fits && write(&mut self.to).is_ok();
        self
    }
}

/// Takes the first bytes of a text, whole characters only.
struct Text<'b, 'r> {
    left: usize,
    /// Where they go; none: they are counted.
    to: Option<&'b mut Body<'r>>,
}

impl fmt::Write for Text<'_, '_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let (fitting, rest) = part.split_at(part.floor_char_boundary(self.left));
        self.left -= fitting.len();
        if let Some(body) = &mut self.to {
            body.item(|to| {
                minicbor::encode::Write::write_all(to.writer_mut(), fitting.as_bytes()).map_err(Error::write)
            });
        }
        if rest.is_empty() { Ok(()) } else { Err(fmt::Error) }
    }
}
