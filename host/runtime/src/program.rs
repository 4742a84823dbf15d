//! A loaded guest program: where its code lies, and which function of the guest an address in it belongs to.

use core::ops::Range;

use wasmtime::Module;

use crate::Place;

/// A program that can be started, more than once.
pub struct Program {
    module: Module,
}

impl Program {
    pub(crate) fn new(module: Module) -> Self {
        Self { module }
    }

    pub(crate) fn module(&self) -> &Module {
        &self.module
    }

    /// Addresses of its code. Whoever makes them unreadable ends a guest that runs in them.
    #[must_use]
    pub fn text(&self) -> Range<usize> {
        let text = self.module.text().as_ptr_range();
        text.start as usize..text.end as usize
    }

    /// Which function and instruction of the core module the address `pc` belongs to: nothing if it is outside the
    /// guest's own functions, for instance in a trampoline.
    #[must_use]
    pub fn locate(&self, pc: usize) -> Option<Place> {
        let at = pc.checked_sub(self.text().start)?;
        let function =
            self.module.functions().find(|function| (function.offset..function.offset + function.len).contains(&at))?;
        // The entry in force is the last one at or before the address.
        let before = self.module.address_map()?.take_while(|(from, _)| *from <= at);
        let (_, offset) = before.last()?;
        Some(Place { function: function.index.as_u32(), offset: offset? })
    }
}
