//! Core module → component: the checks that need no compiler, then the encoding.
//!
//! What leaves here imports nothing but its world, exports what the world wants, has a memory within the budget, and
//! carries no custom section.

use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode, ReencodeComponent};
use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::memory::{self, Memories};
use crate::world::World;
use crate::{Error, Result};

/// A component that its world's host can run.
pub struct Component {
    /// The core module as its toolchain left it; of a component with several, the first, which is the program.
    pub core: Vec<u8>,
    pub component: Vec<u8>,
    /// Linear memory, all memories together.
    pub memory_bytes: u64,
}

/// Makes a component for `world` of a core module or of a component, in the binary or the text format.
///
/// # Errors
/// [`Error::NotWasm`], [`Error::ForeignImport`], [`Error::NotTheWorld`], [`Error::MemoryOverBudget`] or
/// [`Error::MemoryGrows`]: the input is not what a guest of this world may be.
pub fn componentise(input: &[u8], world: &World, memory_budget: u64) -> Result<Component> {
    let binary = wat::parse_bytes(input).map_err(|error| not_wasm(&error))?;
    // First of all, so that what follows meets well-formed input only.
    Validator::new_with_features(WasmFeatures::all()).validate_all(&binary).map_err(|error| not_wasm(&error))?;
    check_imports(&binary, world)?;

    let component = if Parser::is_component(&binary) {
        binary.to_vec()
    } else {
        encode(&binary, world).map_err(|reason| Error::NotTheWorld { world: world.name.clone(), reason })?
    };
    // A core module can bring a world of its own in a custom section, so the result is checked, not the intention.
    check_imports(&component, world)?;
    wit_component::targets(&world.resolve, world.id, &component).map_err(|error| Error::NotTheWorld {
        world: world.name.clone(),
        // What failed is the check's own doing; what was found is the innermost cause, of two lines.
        reason: error.root_cause().to_string().replace('\n', ": "),
    })?;

    let fitted = memory::fit(&Memories::read(&component)?);
    let component = Rewrite { memory: fitted }
        .run(&component)
        .map_err(|error| Error::NotTheWorld { world: world.name.clone(), reason: error.to_string() })?;
    let memory_bytes = memory::check(&Memories::read(&component)?, memory_budget)?;
    Ok(Component { core: program(&binary)?, component, memory_bytes })
}

fn not_wasm(error: &dyn std::fmt::Display) -> Error {
    Error::NotWasm { reason: error.to_string() }
}

/// # Errors
/// [`Error::ForeignImport`] for the first import that the world does not offer. Signatures are checked later.
fn check_imports(binary: &[u8], world: &World) -> Result<()> {
    // Modules and components inside a component import from each other; only the outermost imports from the host.
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(binary) {
        match payload.map_err(|error| not_wasm(&error))? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ImportSection(section) if depth == 1 => {
                for import in section.into_imports() {
                    let import = import.map_err(|error| not_wasm(&error))?;
                    if !world.offers_function(import.module, import.name) {
                        return Err(world.foreign(format!("{} of {}", import.name, import.module)));
                    }
                }
            }
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let import = import.map_err(|error| not_wasm(&error))?;
                    if !world.offers(import.name.name) {
                        return Err(world.foreign(import.name.name.to_owned()));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn encode(module: &[u8], world: &World) -> std::result::Result<Vec<u8>, String> {
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &world.resolve, world.id, StringEncoding::UTF8)
        .map_err(|error| format!("{error:#}"))?;
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| format!("{error:#}"))
}

/// The core module, or a component's first one.
fn program(binary: &[u8]) -> Result<Vec<u8>> {
    for payload in Parser::new(0).parse_all(binary) {
        match payload.map_err(|error| not_wasm(&error))? {
            Payload::Version { encoding: Encoding::Module, .. } => return Ok(binary.to_vec()),
            Payload::ModuleSection { unchecked_range, .. } => return Ok(binary[unchecked_range].to_vec()),
            _ => {}
        }
    }
    Err(Error::NotWasm { reason: "it is a component without a program (no core module)".into() })
}

/// Copies a component without its custom sections, with the one memory it defines exchanged where `memory` says so.
struct Rewrite {
    memory: Option<wasm_encoder::MemoryType>,
}

impl Rewrite {
    fn run(&mut self, component: &[u8]) -> std::result::Result<Vec<u8>, reencode::Error> {
        let mut rewritten = wasm_encoder::Component::new();
        self.parse_component(&mut rewritten, Parser::new(0), component)?;
        Ok(rewritten.finish())
    }
}

impl Reencode for Rewrite {
    type Error = Infallible;

    fn memory_type(
        &mut self,
        memory: wasmparser::MemoryType,
    ) -> std::result::Result<wasm_encoder::MemoryType, reencode::Error> {
        Ok(self.memory.unwrap_or_else(|| reencode::utils::memory_type(self, memory)))
    }

    fn parse_custom_section(
        &mut self,
        _: &mut wasm_encoder::Module,
        _: wasmparser::CustomSectionReader<'_>,
    ) -> std::result::Result<(), reencode::Error> {
        Ok(())
    }
}

impl ReencodeComponent for Rewrite {
    fn parse_component_custom_section(
        &mut self,
        _: &mut wasm_encoder::Component,
        _: wasmparser::CustomSectionReader<'_>,
    ) -> std::result::Result<(), reencode::Error> {
        Ok(())
    }
}
