//! How much memory and how many table elements a guest gets: what its policy says, all of them together.

use wasmtime::{ResourceLimiter, Result};

use crate::{GuestVitals, Policy, Violation};

/// Bounds one store. More than one instance, memory or table of a core module would be a guest that `guests/pack` does not make.
pub(crate) struct Limiter {
    memory_limit: u32,
    memory_used: usize,
    element_limit: u32,
    elements_used: usize,
    counts: Counts,
    /// Instantiation asks first, and is told no with a reason. A running guest gets the answer -1.
    starting: bool,
    vitals: &'static GuestVitals,
}

/// How many of each a store may have.
#[derive(Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) instances: usize,
    pub(crate) memories: usize,
    pub(crate) tables: usize,
}

/// A core module's: itself and one memory, as the lowering promises. Toolchains make one table for function pointers.
pub(crate) const MODULE: Counts = Counts { instances: 1, memories: 1, tables: 4 };

/// A component's: its program, and the small modules that the encoding adds to pass calls on; these share one table.
#[cfg(feature = "component")]
pub(crate) const COMPONENT: Counts = Counts { instances: 8, memories: 1, tables: 5 };

impl Limiter {
    pub(crate) fn new(policy: &Policy, counts: Counts, vitals: &'static GuestVitals) -> Self {
        Self {
            memory_limit: policy.memory_bytes,
            memory_used: 0,
            element_limit: policy.table_elements,
            elements_used: 0,
            counts,
            starting: true,
            vitals,
        }
    }

    /// From now on a guest that asks for more gets the answer no, instead of being refused.
    pub(crate) fn started(&mut self) {
        self.starting = false;
    }
}

/// Books the growth from `current` to `desired`: how much is used then, or how much would be needed.
fn grow(
    used: usize,
    limit: u32,
    current: usize,
    desired: usize,
    maximum: Option<usize>,
) -> core::result::Result<usize, Option<usize>> {
    // Wasmtime would refuse it too, but only after it is booked here.
    if maximum.is_some_and(|maximum| desired > maximum) {
        return Err(None);
    }
    let needed = used.saturating_add(desired.saturating_sub(current));
    if usize::try_from(limit).is_ok_and(|limit| needed > limit) {
        return Err(Some(needed));
    }
    Ok(needed)
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        match grow(self.memory_used, self.memory_limit, current, desired, maximum) {
            Ok(used) => {
                self.memory_used = used;
                self.vitals.memory.set_size(used);
                Ok(true)
            }
            Err(Some(needed)) if self.starting => {
                Err(Violation::TooMuchMemory { needed, limit: self.memory_limit }.into())
            }
            Err(_) => Ok(false),
        }
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        match grow(self.elements_used, self.element_limit, current, desired, maximum) {
            Ok(used) => {
                self.elements_used = used;
                Ok(true)
            }
            Err(Some(needed)) if self.starting => {
                Err(Violation::TooManyElements { needed, limit: self.element_limit }.into())
            }
            Err(_) => Ok(false),
        }
    }

    fn instances(&self) -> usize {
        self.counts.instances
    }

    fn memories(&self) -> usize {
        self.counts.memories
    }

    fn tables(&self) -> usize {
        self.counts.tables
    }
}
