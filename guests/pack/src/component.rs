//! Core module → component, and back: the way in for what is given, and what `component.wasm` is made of.
//!
//! The component that is written is always the encoding of the program module that is compiled for the device, so both
//! are one program.

use std::collections::BTreeSet;
use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode, ReencodeComponent};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::program::Program;
use crate::world::World;
use crate::{Error, Policy, Result};

/// A program and the component around it.
pub struct Component {
    /// The program module: what is compiled for the device.
    pub core: Vec<u8>,
    pub component: Vec<u8>,
    /// Linear memory.
    pub memory_bytes: u64,
    /// Those that it imports functions of, without the package: `gpio`.
    pub interfaces: BTreeSet<String>,
}

/// Makes a component for `world` of a core module or of a component, in the binary or the text format.
///
/// # Errors
/// Those of [`Program::new`], [`Error::NotWasm`], and for a component [`Error::ForeignImport`], [`Error::NotTheWorld`]
/// and [`Error::CannotLower`]: the input is not what a guest of this world may be.
pub fn componentise(input: &[u8], world: &World, policy: &Policy) -> Result<Component> {
    let binary = wat::parse_bytes(input).map_err(|error| not_wasm(&error))?;
    // First of all, so that what follows meets well-formed input only.
    Validator::new_with_features(WasmFeatures::all()).validate_all(&binary).map_err(|error| not_wasm(&error))?;
    let program = if Parser::is_component(&binary) {
        Program::new(&unwrap(&binary, world)?, world, policy)?
    } else {
        Program::new(&binary, world, policy)?
    };
    let component = encode(&program.module, world)?;
    let Program { module: core, memory_bytes, interfaces } = program;
    Ok(Component { core, component, memory_bytes, interfaces })
}

fn not_wasm(error: &dyn std::fmt::Display) -> Error {
    Error::NotWasm { reason: error.to_string() }
}

/// The program module of a component that adds nothing to it. A component can wire its modules and the host's functions
/// together in any way; only one that is wired by name, as wit-component does it, means on the device what it says.
fn unwrap(component: &[u8], world: &World) -> Result<Vec<u8>> {
    let mut program = None;
    // Modules and components inside a component import from each other; only the outermost imports from the host.
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(|error| not_wasm(&error))? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let import = import.map_err(|error| not_wasm(&error))?;
                    if !world.offers(import.name.name) {
                        return Err(world.foreign(import.name.name.to_owned()));
                    }
                }
            }
            // wit-component puts it before the modules that it makes itself.
            Payload::ModuleSection { unchecked_range, .. } if depth == 1 && program.is_none() => {
                program = Some(component[unchecked_range].to_vec());
            }
            _ => {}
        }
    }
    wit_component::targets(&world.resolve, world.id, component).map_err(|error| Error::NotTheWorld {
        world: world.name.clone(),
        // What failed is the check's own doing; what was found is the innermost cause, of two lines.
        reason: error.root_cause().to_string().replace('\n', ": "),
    })?;
    let program = program
        .ok_or_else(|| Error::NotWasm { reason: "it is a component without a program (no core module)".into() })?;
    if strip(component)? != encode(&program, world)? {
        return Err(Error::CannotLower {
            what: "it is a component that is more than a wrapping of its first core module".into(),
            instead: "give guest-pack the core module, or a component made by wit-component (cargo-component, \
                      wasm-tools component new) without adapters",
        });
    }
    Ok(program)
}

/// # Errors
/// [`Error::NotTheWorld`]: wit-component finds something wrong that [`Program`] did not.
fn encode(module: &[u8], world: &World) -> Result<Vec<u8>> {
    let encoded = || {
        let mut module = module.to_vec();
        embed_component_metadata(&mut module, &world.resolve, world.id, StringEncoding::UTF8)?;
        ComponentEncoder::default().module(&module)?.validate(true).encode()
    };
    let component =
        encoded().map_err(|error| Error::NotTheWorld { world: world.name.clone(), reason: format!("{error:#}") })?;
    strip(&component)
}

/// Without custom sections: names and notes of tools.
fn strip(component: &[u8]) -> Result<Vec<u8>> {
    let mut stripped = wasm_encoder::Component::new();
    Strip.parse_component(&mut stripped, Parser::new(0), component).map_err(|error| not_wasm(&error))?;
    Ok(stripped.finish())
}

struct Strip;

impl Reencode for Strip {
    type Error = Infallible;

    fn parse_custom_section(
        &mut self,
        _: &mut wasm_encoder::Module,
        _: wasmparser::CustomSectionReader<'_>,
    ) -> std::result::Result<(), reencode::Error> {
        Ok(())
    }
}

impl ReencodeComponent for Strip {
    fn parse_component_custom_section(
        &mut self,
        _: &mut wasm_encoder::Component,
        _: wasmparser::CustomSectionReader<'_>,
    ) -> std::result::Result<(), reencode::Error> {
        Ok(())
    }
}
