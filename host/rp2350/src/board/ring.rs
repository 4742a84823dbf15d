//! A ring of bytes between a thread and an interrupt handler; the lock is its owner's.

pub struct Ring<const BYTES: usize> {
    bytes: [u8; BYTES],
    first: usize,
    length: usize,
}

impl<const BYTES: usize> Ring<BYTES> {
    pub const fn new() -> Self {
        Self { bytes: [0; BYTES], first: 0, length: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn room(&self) -> usize {
        BYTES - self.length
    }

    /// Appends `bytes` if all of them fit: true if so. In two block copies at most, which is quick.
    pub fn push_all(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.room() {
            return false;
        }
        let from = (self.first + self.length) % BYTES;
        let (start, rest) = bytes.split_at(bytes.len().min(BYTES - from));
        self.bytes[from..][..start.len()].copy_from_slice(start);
        self.bytes[..rest.len()].copy_from_slice(rest);
        self.length += bytes.len();
        true
    }

    /// Takes the oldest byte.
    pub fn pop(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.first).filter(|_| self.length > 0)?;
        self.first = (self.first + 1) % BYTES;
        self.length -= 1;
        Some(byte)
    }

    /// Takes the oldest bytes, as many as there are and fit: how many.
    pub fn take(&mut self, into: &mut [u8]) -> usize {
        let count = into.len().min(self.length);
        let end = (self.first + count).min(BYTES);
        let (start, rest) = into[..count].split_at_mut(end - self.first);
        start.copy_from_slice(&self.bytes[self.first..end]);
        rest.copy_from_slice(&self.bytes[..rest.len()]);
        self.first = (self.first + count) % BYTES;
        self.length -= count;
        count
    }

    /// The two pieces that the next bytes go to, in order; either may be empty. [`Self::arrived`] says how many came.
    pub fn vacant(&mut self) -> [&mut [u8]; 2] {
        let (from, room) = ((self.first + self.length) % BYTES, self.room());
        let (before, after) = self.bytes.split_at_mut(from);
        let here = room.min(after.len());
        [&mut after[..here], &mut before[..room - here]]
    }

    /// `count` bytes were written to what [`Self::vacant`] gave.
    pub fn arrived(&mut self, count: usize) {
        self.length += count.min(self.room());
    }

    pub fn clear(&mut self) {
        self.length = 0;
    }
}
