//! The RAM slot: room on the heap for one image, which runs once, without a flash write.

use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::ptr::NonNull;

/// The longest image. The heap has to hold it beside two guests.
pub const BYTES_MOST: usize = 64 * 1024;
/// What a `.cwasm` and the regions of the MPU ask for.
const ALIGNMENT: usize = 32;

/// Room for an image, or none.
pub struct RamSlot {
    block: Option<(NonNull<u8>, Layout)>,
}

impl RamSlot {
    pub const fn new() -> Self {
        Self { block: None }
    }

    /// Gives back the room. Nobody may use what [`Self::image`] gave any more.
    ///
    /// # Safety
    /// No guest runs from it.
    pub unsafe fn clear(&mut self) {
        if let Some((block, layout)) = self.block.take() {
            // SAFETY: it was allocated with this layout, and the caller vouches that it is unused.
            unsafe { dealloc(block.as_ptr(), layout) };
        }
    }

    /// Makes room for an image of `bytes`; it has none now. None: too long, or the heap is too full.
    pub fn make_room(&mut self, bytes: usize) -> Option<&mut [u8]> {
        if bytes == 0 || bytes > BYTES_MOST || self.block.is_some() {
            return None;
        }
        let layout = Layout::from_size_align(bytes, ALIGNMENT).ok()?;
        // SAFETY: the layout is not empty.
        let block = NonNull::new(unsafe { alloc(layout) })?;
        // SAFETY: it is that long; all of it gets a value here.
        unsafe { block.write_bytes(0, bytes) };
        self.block = Some((block, layout));
        Some(self.bytes_mut())
    }

    /// The room; empty if there is none.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match self.block {
            // SAFETY: the block is this object's own, and initialised; no guest runs from a room that is still being filled.
            Some((block, layout)) => unsafe { core::slice::from_raw_parts_mut(block.as_ptr(), layout.size()) },
            None => &mut [],
        }
    }

    /// What is in it, for as long as nobody clears it.
    pub fn image(&self) -> &'static [u8] {
        match self.block {
            // SAFETY: initialised, and `clear` asks its caller that nobody uses this any more.
            Some((block, layout)) => unsafe { core::slice::from_raw_parts(block.as_ptr(), layout.size()) },
            None => &[],
        }
    }
}
