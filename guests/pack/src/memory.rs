//! Linear memory: how much a guest has, how much it needs, how much it may have. And tables, of which the last only.
//!
//! A page of WebAssembly is 64 KiB, a whole RP2350 has 520. Guests therefore have pages of one byte (the custom page
//! sizes proposal). Toolchains that cannot say so leave 64 KiB pages; [`Memory::fit`] cuts those down where that is safe.

use std::collections::BTreeMap;

use wasmparser::{ExternalKind, MemoryType, Operator, Parser, Payload};

use crate::{Error, Result};

const DEFAULT_PAGE_LOG2: u32 = 16;

/// What a module says about its memory.
#[derive(Default)]
pub struct Memory {
    defined: Option<MemoryType>,
    /// Where static data and stack end, if the linker exported it: `__heap_base` of wasm-ld.
    heap_base: Option<u64>,
    /// Some code asks for the memory's size or makes it grow.
    dynamic: bool,
}

impl Memory {
    /// Of a core module that imports no global and defines one memory at most.
    ///
    /// # Errors
    /// [`Error::NotWasm`]: the bytes are malformed.
    pub fn read(module: &[u8]) -> Result<Self> {
        Self::parse(module).map_err(|error| Error::NotWasm { reason: error.to_string() })
    }

    fn parse(module: &[u8]) -> wasmparser::Result<Self> {
        let mut memory = Self::default();
        let mut globals = BTreeMap::new();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::MemorySection(section) => {
                    for defined in section {
                        memory.defined = Some(defined?);
                    }
                }
                Payload::GlobalSection(section) => {
                    for (index, global) in (0_u32..).zip(section) {
                        if let Operator::I32Const { value } = global?.init_expr.get_operators_reader().read()? {
                            globals.insert(index, u64::from(value.cast_unsigned()));
                        }
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.kind == ExternalKind::Global && export.name == "__heap_base" {
                            memory.heap_base = globals.get(&export.index).copied();
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    for operator in body.get_operators_reader()? {
                        memory.dynamic |=
                            matches!(operator?, Operator::MemoryGrow { .. } | Operator::MemorySize { .. });
                    }
                }
                _ => {}
            }
        }
        Ok(memory)
    }

    /// The type that the memory should have: pages of one byte, exactly as many as are used. Its own where that could be
    /// wrong: code that asks for the size of its memory may use the rest of it.
    pub fn fit(&self) -> Option<wasm_encoder::MemoryType> {
        let memory = self.defined?;
        let fits = !(self.dynamic || memory.memory64 || memory.shared);
        let bytes = pages_to_bytes(memory.initial, memory.page_size_log2);
        let used = self.heap_base.map_or(bytes, |heap_base| bytes.min(heap_base));
        Some(wasm_encoder::MemoryType {
            minimum: if fits { used } else { memory.initial },
            // No maximum, though nothing in the module makes it grow: with one that equals the minimum the size is a
            // constant to Cranelift, which then folds it into comparisons that Pulley's loads and stores do not have.
            // Otherwise an access and its check are one instruction: a quarter of a computing guest's time and size.
            maximum: if fits { None } else { memory.maximum },
            memory64: memory.memory64,
            shared: memory.shared,
            page_size_log2: if fits { Some(0) } else { memory.page_size_log2 },
        })
    }
}

/// Bytes of a memory as it starts. What it grows to is the host's to bound.
///
/// # Errors
/// [`Error::MemoryOverBudget`].
pub fn check(memory: Option<&wasm_encoder::MemoryType>, budget: u32) -> Result<u64> {
    let bytes = memory.map_or(0, |memory| pages_to_bytes(memory.minimum, memory.page_size_log2));
    if bytes > u64::from(budget) { Err(Error::MemoryOverBudget { bytes, budget }) } else { Ok(bytes) }
}

/// # Errors
/// [`Error::TableOverBudget`], [`Error::NotWasm`].
pub fn check_tables(module: &[u8], budget: u32) -> Result<()> {
    let not_wasm = |error: wasmparser::BinaryReaderError| Error::NotWasm { reason: error.to_string() };
    let mut elements = 0_u64;
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::TableSection(section) = payload.map_err(not_wasm)? {
            for table in section {
                elements = elements.saturating_add(table.map_err(not_wasm)?.ty.initial);
            }
        }
    }
    if elements > u64::from(budget) { Err(Error::TableOverBudget { elements, budget }) } else { Ok(()) }
}

fn pages_to_bytes(pages: u64, page_size_log2: Option<u32>) -> u64 {
    pages.saturating_mul(1 << page_size_log2.unwrap_or(DEFAULT_PAGE_LOG2))
}
