//! How core 0 launches core 1 through the inter-core FIFO (RP2350 datasheet §5.3): core 1's side of the protocol.

use crate::bootrom::boot::Start;

/// The words that come first.
const PREAMBLE: [u32; 3] = [0, 0, 1];

/// How far the protocol has come.
#[derive(Clone, Default)]
pub(crate) struct Launch {
    seen: usize,
    vtor: u32,
    sp: u32,
}

impl Launch {
    /// Takes a word; returns core 1's answer, and where it starts once all words are there.
    ///
    /// An expected word is answered with itself; any other with 0, from which core 0 sees that it must begin anew.
    pub(crate) fn take(&mut self, word: u32) -> (u32, Option<Start>) {
        match self.seen {
            0..=2 if word == PREAMBLE[self.seen] => self.seen += 1,
            // Core 0 may repeat the zeros as often as it likes.
            2 if word == 0 => {}
            0..=2 => {
                self.seen = 0;
                return (0, None);
            }
            3 => {
                self.vtor = word;
                self.seen = 4;
            }
            4 => {
                self.sp = word;
                self.seen = 5;
            }
            _ => {
                self.seen = 0;
                return (word, Some(Start { vtor: self.vtor, sp: self.sp, pc: word }));
            }
        }
        (word, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_starts_after_six_words() {
        let mut launch = Launch::default();
        for word in [7, 0, 0, 0, 1, 0x1000_0000, 0x2000_1000] {
            let (answer, start) = launch.take(word);
            assert_eq!((answer, start), (if word == 7 { 0 } else { word }, None));
        }
        let start = Start { vtor: 0x1000_0000, sp: 0x2000_1000, pc: 0x1000_0201 };
        assert_eq!(launch.take(0x1000_0201), (0x1000_0201, Some(start)));
    }
}
