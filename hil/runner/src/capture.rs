//! A capture: the edges of every channel, read from a VCD file as a stream.
//!
//! A file of ten seconds at megahertz rates is small, as VCD stores changes only; still it is never held as a whole.
//! Whatever the file holds, reading it ends in a [`Capture`] or a message, and edges come out ordered and alternating.

use std::{collections::HashMap, io::BufRead};

use vcd::{Command, IdCode, ScopeItem, Value};

use crate::judge::Edge;

/// What an analyser saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Capture {
    pub channels: Vec<Channel>,
    /// From the first sample to the last, in nanoseconds.
    pub end_ns: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Channel {
    pub name: String,
    /// Level at the first sample.
    pub initial: bool,
    /// Times since the first sample. Levels alternate.
    pub edges: Vec<Edge>,
}

impl Capture {
    /// Reads a VCD file with one-bit variables; wider ones are ignored. The message says what is wrong with the file.
    pub fn read(reader: impl BufRead) -> Result<Self, String> {
        let mut parser = vcd::Parser::new(reader);
        let header = parser.parse_header().map_err(|error| format!("this is no VCD file: {error}"))?;
        let (count, unit) = header.timescale.ok_or("this VCD file has no $timescale")?;
        // Units a second is at most 10^15 (fs).
        let to_ns = |ticks: u64| {
            let ns = u128::from(ticks) * u128::from(count) * 1_000_000_000 / u128::from(unit.divisor());
            u64::try_from(ns).map_err(|_| format!("the time #{ticks} is too large"))
        };

        let mut capture = Self::default();
        let mut by_id: HashMap<IdCode, usize> = HashMap::new();
        add_variables(&header.items, &mut capture, &mut by_id);
        // A channel's first value is its level at the start, not an edge.
        let mut levels: Vec<Option<bool>> = vec![None; capture.channels.len()];

        for command in parser {
            match command.map_err(|error| format!("the file is damaged or cut off: {error}"))? {
                Command::Timestamp(ticks) => {
                    let now = to_ns(ticks)?;
                    if now < capture.end_ns {
                        return Err(format!("time runs backwards at #{ticks}"));
                    }
                    capture.end_ns = now;
                }
                Command::ChangeScalar(id, value) => {
                    let Some(&index) = by_id.get(&id) else {
                        continue;
                    };
                    let high = match value {
                        Value::V1 => true,
                        Value::V0 => false,
                        Value::X | Value::Z => continue,
                    };
                    let channel = &mut capture.channels[index];
                    match levels[index].replace(high) {
                        None => channel.initial = high,
                        Some(before) if before != high => channel.edges.push(Edge { at_ns: capture.end_ns, high }),
                        Some(_) => {}
                    }
                }
                _ => {}
            }
        }
        Ok(capture)
    }

    pub fn channel(&self, name: &str) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.name == name)
    }

    /// The first moment at which `name` went high, if it did.
    pub fn first_rise(&self, name: &str) -> Option<u64> {
        self.channel(name)?.edges.iter().find(|edge| edge.high).map(|edge| edge.at_ns)
    }
}

fn add_variables(items: &[ScopeItem], capture: &mut Capture, by_id: &mut HashMap<IdCode, usize>) {
    for item in items {
        match item {
            ScopeItem::Var(var) if var.size == 1 => {
                by_id.insert(var.code, capture.channels.len());
                capture.channels.push(Channel { name: var.reference.clone(), ..Channel::default() });
            }
            ScopeItem::Scope(scope) => add_variables(&scope.items, capture, by_id),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "$timescale 250 ns $end\n$scope module libsigrok $end\n$var wire 1 ! GPIO25 $end\n\
                          $var wire 1 \" RUN $end\n$upscope $end\n$enddefinitions $end\n";

    fn read(body: &str) -> Result<Capture, String> {
        Capture::read(format!("{HEADER}{body}").as_bytes())
    }

    #[test]
    fn edges_and_initial_levels() {
        let capture = read("#0 0! 0\"\n#4 1\"\n#8 1!\n#12 1! 0!\n#100\n").unwrap();
        assert_eq!(capture.end_ns, 25_000);
        assert_eq!(capture.first_rise("RUN"), Some(1_000));
        let led = capture.channel("GPIO25").unwrap();
        assert!(!led.initial);
        assert_eq!(led.edges, [Edge { at_ns: 2_000, high: true }, Edge { at_ns: 3_000, high: false }]);
        assert!(capture.channel("GPIO24").is_none());
    }

    #[test]
    fn damaged_files_end_in_a_message() {
        for (body, expected) in [
            ("#8 1!\n#4 0!\n", "backwards"),
            ("#99999999999999999999 1!\n", "damaged"),
            ("#18446744073709551615 1!\n", "too large"),
            ("#8 7!\n", "damaged"),
        ] {
            let message = read(body).unwrap_err();
            assert!(message.contains(expected), "{body:?}: {message}");
        }
        assert!(Capture::read(&b"PNG"[..]).unwrap_err().contains("no VCD file"));
        assert!(Capture::read(&b"$enddefinitions $end\n"[..]).unwrap_err().contains("$timescale"));
    }

    #[test]
    fn random_bytes_never_break_the_reader() {
        let mut random = oorandom::Rand32::new(0x5EED);
        let alphabet = b"#01!\"xz \n9bs$end~";
        for _ in 0..2_000 {
            let body: String = (0..random.rand_range(0..200))
                .map(|_| char::from(alphabet[random.rand_range(0..alphabet.len() as u32) as usize]))
                .collect();
            if let Ok(capture) = read(&body) {
                for channel in &capture.channels {
                    let mut level = channel.initial;
                    let mut at_ns = 0;
                    for edge in &channel.edges {
                        assert!(edge.high != level && edge.at_ns >= at_ns && edge.at_ns <= capture.end_ns);
                        (level, at_ns) = (edge.high, edge.at_ns);
                    }
                }
            }
        }
    }
}
