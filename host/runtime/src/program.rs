//! A loaded guest program: where its code lies, and which function of the guest an address in it belongs to.

use core::ops::Range;

use wasmtime::Module;

use crate::Place;

/// A program that can be started, more than once.
pub struct Program {
    pub(crate) code: Code,
}

/// The two ways a program comes.
pub(crate) enum Code {
    Module(Module),
    #[cfg(feature = "component")]
    Component(wasmtime::component::Component),
}

impl Program {
    pub(crate) fn new(module: Module) -> Self {
        Self { code: Code::Module(module) }
    }

    fn module(&self) -> Option<&Module> {
        match &self.code {
            Code::Module(module) => Some(module),
            #[cfg(feature = "component")]
            Code::Component(_) => None,
        }
    }

    /// Addresses of its code; none of a component's. Whoever makes them unreadable ends a guest that runs in them.
    #[must_use]
    pub fn text(&self) -> Range<usize> {
        let text = self.module().map(Module::text).unwrap_or_default().as_ptr_range();
        text.start as usize..text.end as usize
    }

    /// Which function and instruction of the core module the address `pc` belongs to: nothing if it is outside the
    /// guest's own functions, for instance in a trampoline.
    #[must_use]
    pub fn locate(&self, pc: usize) -> Option<Place> {
        let module = self.module()?;
        let at = pc.checked_sub(self.text().start)?;
        let function =
            module.functions().find(|function| (function.offset..function.offset + function.len).contains(&at))?;
        // The entry in force is the last one at or before the address.
        let before = module.address_map()?.take_while(|(from, _)| *from <= at);
        let (_, offset) = before.last()?;
        Some(Place { function: function.index.as_u32(), offset: offset? })
    }
}
