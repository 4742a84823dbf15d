//! The program module: what is compiled for the device, and what a component is made around.
//!
//! A module that leaves here keeps to the border of `docs/src/reference/interfaces.md`: it imports functions of its world and nothing
//! else, each with the signature that the canonical ABI gives it; it exports those of its world and its memory; it has
//! one memory at most, within the budget; nothing of it runs before `run`; it carries no custom section.

use std::collections::BTreeSet;
use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode};
use wasmparser::{ExternalKind, FuncType, Parser, Payload, Validator, WasmFeatures};

use crate::memory::{self, Memory};
use crate::world::{self, Shown, Signature, World};
use crate::{Error, Policy, Result};

/// Called for the guest's initialisation, before anything else, if a module exports it.
const INITIALIZE: &str = "_initialize";
const MEMORY: &str = "memory";

/// A module that can be lowered.
pub struct Program {
    pub module: Vec<u8>,
    /// Linear memory.
    pub memory_bytes: u64,
    /// Those that it imports functions of, without the package: `gpio`.
    pub interfaces: BTreeSet<String>,
}

impl Program {
    /// Takes a valid core module.
    ///
    /// # Errors
    /// [`Error::ForeignImport`], [`Error::NotTheWorld`], [`Error::CannotLower`], [`Error::MemoryOverBudget`],
    /// [`Error::TableOverBudget`]: what about the module is not as this file promises.
    pub fn new(module: &[u8], world: &World, policy: &Policy) -> Result<Self> {
        let interfaces = check(module, world)?;
        memory::check_tables(module, policy.table_elements)?;
        let memory = Memory::read(module)?;
        let fitted = memory.fit();
        let memory_bytes = memory::check(fitted.as_ref(), policy.memory_bytes)?;
        let mut rewrite = Rewrite { world, memory: fitted };
        let mut rewritten = wasm_encoder::Module::new();
        rewrite
            .parse_core_module(&mut rewritten, Parser::new(0), module)
            .map_err(|error| Error::NotWasm { reason: error.to_string() })?;
        Ok(Self { module: rewritten.finish(), memory_bytes, interfaces })
    }
}

/// Everything but memory. Returns the interfaces that it imports functions of.
fn check(module: &[u8], world: &World) -> Result<BTreeSet<String>> {
    let not_wasm = |error: wasmparser::BinaryReaderError| Error::NotWasm { reason: error.to_string() };
    let not_the_world = |reason: String| Error::NotTheWorld { world: world.name.clone(), reason };
    let types = Validator::new_with_features(WasmFeatures::all()).validate_all(module).map_err(not_wasm)?;
    let types = types.as_ref();
    let function = |index: u32| -> &FuncType { types[types.core_function_at(index)].unwrap_func() };

    let mut interfaces = BTreeSet::new();
    let mut imported_functions = 0;
    let mut needs_memory = None;
    let mut exports = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.map_err(not_wasm)? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(not_wasm)?;
                    let shown = format!("{} of {}", import.name, import.module);
                    let Some(signature) = world.offered(import.module, import.name) else {
                        return Err(world.foreign(shown));
                    };
                    if !matches!(import.ty, wasmparser::TypeRef::Func(_)) {
                        return Err(not_the_world(format!("it imports {shown}, a function, as something else")));
                    }
                    expect(signature, function(imported_functions), &format!("it imports {shown}"))
                        .map_err(not_the_world)?;
                    imported_functions += 1;
                    interfaces.insert(world::short(import.module).to_owned());
                    if signature.uses_memory {
                        needs_memory = Some(shown);
                    }
                }
            }
            Payload::MemorySection(section) if section.count() > 1 => {
                return Err(Error::CannotLower {
                    what: format!("it has {} memories", section.count()),
                    instead: "a guest has one at most",
                });
            }
            Payload::StartSection { .. } => return Err(runs_before("a start section")),
            Payload::ExportSection(section) => {
                for export in section {
                    exports.push(export.map_err(not_wasm)?);
                }
            }
            _ => {}
        }
    }

    let exported = |name: &str, kind| exports.iter().find(|export| export.name == name && export.kind == kind);
    if exported(INITIALIZE, ExternalKind::Func).is_some() {
        return Err(runs_before("an export _initialize"));
    }
    for (name, signature) in &world.exports {
        let Some(export) = exported(name, ExternalKind::Func) else {
            return Err(not_the_world(format!("it exports no function {name}")));
        };
        expect(signature, function(export.index), &format!("it exports {name}")).map_err(not_the_world)?;
    }
    if let Some(import) = needs_memory
        && exported(MEMORY, ExternalKind::Memory).is_none()
    {
        return Err(not_the_world(format!(
            "it imports {import}, which uses the guest's memory, but exports no memory"
        )));
    }
    Ok(interfaces)
}

fn runs_before(what: &str) -> Error {
    Error::CannotLower {
        what: format!("it has {what}"),
        instead: "no code of a guest may run before `run`; call it from there \
                  (C and C++: link with -mexec-model=reactor -nostartfiles)",
    }
}

fn expect(wanted: &Signature, found: &FuncType, what: &str) -> std::result::Result<(), String> {
    if wanted.is(found) { Ok(()) } else { Err(format!("{what} as {}, but it is {wanted}", Shown(found))) }
}

/// Copies a module without custom sections and without exports that nobody uses, its memory exchanged.
struct Rewrite<'a> {
    world: &'a World,
    memory: Option<wasm_encoder::MemoryType>,
}

type Rewritten = std::result::Result<(), reencode::Error>;

impl Reencode for Rewrite<'_> {
    type Error = Infallible;

    fn memory_type(
        &mut self,
        memory: wasmparser::MemoryType,
    ) -> std::result::Result<wasm_encoder::MemoryType, reencode::Error> {
        // Imported memories were refused, so this is the one.
        Ok(self.memory.unwrap_or_else(|| reencode::utils::memory_type(self, memory)))
    }

    /// An export costs the device a way in from the host, in code.
    fn parse_export(&mut self, exports: &mut wasm_encoder::ExportSection, export: wasmparser::Export<'_>) -> Rewritten {
        let used = match export.kind {
            ExternalKind::Func => self.world.exports.contains_key(export.name),
            ExternalKind::Memory => export.name == MEMORY,
            _ => false,
        };
        if used { reencode::utils::parse_export(self, exports, export) } else { Ok(()) }
    }

    fn parse_custom_section(
        &mut self,
        _: &mut wasm_encoder::Module,
        _: wasmparser::CustomSectionReader<'_>,
    ) -> Rewritten {
        Ok(())
    }
}
