//! A ring of bytes between a thread and an interrupt handler; the lock is its owner's.

pub struct Ring<const BYTES: usize> {
    bytes: [u8; BYTES],
    first: usize,
    length: usize,
}

impl<const BYTES: usize> Ring<BYTES> {
    pub const fn new() -> Self {
        // The index arithmetic below is then one instruction.
        const { assert!(BYTES.is_power_of_two()) };
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

    pub fn clear(&mut self) {
        self.length = 0;
    }
}
