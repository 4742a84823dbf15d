//! Linear memory: how much a guest has, how much it needs, how much it may have.
//!
//! A page of WebAssembly is 64 KiB, a whole RP2350 has 520. Guests therefore have pages of one byte (the custom page
//! sizes proposal). Toolchains that cannot say so leave 64 KiB pages; [`fit`] cuts those down where that is safe.

use std::collections::BTreeMap;

use wasmparser::{ExternalKind, MemoryType, Operator, Parser, Payload, TypeRef};

use crate::{Error, Result};

const DEFAULT_PAGE_LOG2: u32 = 16;

/// What the core modules of a component say about memory.
#[derive(Default)]
pub struct Memories {
    /// Those defined, without those imported from a neighbour.
    defined: Vec<MemoryType>,
    /// Where static data and stack end, if the linker exported it: `__heap_base` of wasm-ld.
    heap_base: Option<u64>,
    /// Some code asks for the memory's size or makes it grow.
    dynamic: bool,
    /// Some code makes it grow.
    grows: bool,
}

impl Memories {
    /// # Errors
    /// [`Error::NotWasm`]: the bytes are malformed.
    pub fn read(component: &[u8]) -> Result<Self> {
        Self::parse(component).map_err(|error| Error::NotWasm { reason: error.to_string() })
    }

    fn parse(component: &[u8]) -> wasmparser::Result<Self> {
        let mut memories = Self::default();
        // Constants of the module being read, by index; imported globals come first and have no known value.
        let mut globals = BTreeMap::new();
        let mut next_global = 0_u32;
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::Version { .. } => {
                    globals.clear();
                    next_global = 0;
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        next_global += u32::from(matches!(import?.ty, TypeRef::Global(_)));
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        memories.defined.push(memory?);
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        if let Operator::I32Const { value } = global?.init_expr.get_operators_reader().read()? {
                            globals.insert(next_global, u64::from(value.cast_unsigned()));
                        }
                        next_global += 1;
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.kind == ExternalKind::Global && export.name == "__heap_base" {
                            memories.heap_base = globals.get(&export.index).copied();
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    for operator in body.get_operators_reader()? {
                        let operator = operator?;
                        memories.grows |= matches!(operator, Operator::MemoryGrow { .. });
                        memories.dynamic |=
                            matches!(operator, Operator::MemoryGrow { .. } | Operator::MemorySize { .. });
                    }
                }
                _ => {}
            }
        }
        Ok(memories)
    }
}

/// The type that the one memory should have instead: pages of one byte, exactly as many as are used, no growing.
/// `None` where there is nothing to gain or where it could be wrong: several memories, or code that asks for the size of
/// its memory and may use the rest of it.
pub fn fit(memories: &Memories) -> Option<wasm_encoder::MemoryType> {
    let [memory] = memories.defined[..] else { return None };
    if memories.dynamic || memory.memory64 || memory.shared {
        return None;
    }
    let bytes = bytes(memory.initial, &memory);
    let used = memories.heap_base.map_or(bytes, |heap_base| bytes.min(heap_base));
    Some(wasm_encoder::MemoryType {
        minimum: used,
        maximum: Some(used),
        memory64: false,
        shared: false,
        page_size_log2: Some(0),
    })
}

/// Bytes of all memories together.
///
/// # Errors
/// [`Error::MemoryOverBudget`] for what they start with, [`Error::MemoryGrows`] for what they may become.
pub fn check(memories: &Memories, budget: u64) -> Result<u64> {
    let initial = memories.defined.iter().fold(0_u64, |sum, memory| sum.saturating_add(bytes(memory.initial, memory)));
    if initial > budget {
        return Err(Error::MemoryOverBudget { bytes: initial, budget });
    }
    if memories.grows {
        let maximum = memories
            .defined
            .iter()
            .try_fold(0_u64, |sum, memory| Some(sum.saturating_add(bytes(memory.maximum?, memory))));
        if maximum.is_none_or(|maximum| maximum > budget) {
            return Err(Error::MemoryGrows { maximum, budget });
        }
    }
    Ok(initial)
}

fn bytes(pages: u64, memory: &MemoryType) -> u64 {
    let log2 = memory.page_size_log2.unwrap_or(DEFAULT_PAGE_LOG2);
    pages.saturating_mul(1 << log2)
}
