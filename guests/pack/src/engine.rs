//! Program module → `.cwasm`: Pulley bytecode in the ELF container that Wasmtime maps and runs.
//!
//! The settings here are one half of a pair; the other is in `host/runtime`. Wasmtime writes them into the image and
//! refuses one whose settings differ from the host's, so a drift is an error message and never a wrong program.

use object::build::elf::Builder;
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSection};
use sha2::{Digest, Sha256};
use wasmtime::{Config, Engine, OptLevel, WasmBacktraceDetails, WasmFeatures};

use crate::{Error, Result, hex, manifest};

/// The engine the device's interpreter stands for: 32-bit Pulley.
const TARGET: &str = "pulley32";

/// Starts with the major version of Wasmtime as text: what Wasmtime compares first.
const ENGINE_SECTION: &[u8] = b".wasmtime.engine";

/// The host ends a guest by closing its code with the MPU, whose regions come in granules of this many bytes
/// (Armv8-M Architecture Reference Manual, MPU_RBAR and MPU_RLAR).
const MPU_GRANULE: u64 = 32;

/// What LLVM and Zig emit by default. Everything else is off, so that it costs the device nothing and does not depend
/// on which Cargo features another crate of the build turned on.
const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::CUSTOM_PAGE_SIZES);

fn config() -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config.target(TARGET)?;
    config.cranelift_opt_level(OptLevel::SpeedAndSize);
    config.wasm_features(WasmFeatures::all().difference(FEATURES), false);
    config.wasm_features(FEATURES, true);
    // No virtual memory on the device: a memory is as large as it is, and every access is checked by an instruction.
    config.memory_reservation(0).memory_guard_size(0).memory_reservation_for_growth(0);
    config.signals_based_traps(false).memory_init_cow(false);
    // Where a guest trapped is told as an offset in core.wasm, which the address map gives; a backtrace the device does
    // not take.
    config.generate_address_map(true);
    config.wasm_backtrace_max_frames(None).wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config.native_unwind_info(false);
    config.concurrency_support(false);
    Ok(config)
}

/// Compiles the module, strips the result and gives its code granules of its own.
///
/// # Errors
/// [`Error::Compile`]: Wasmtime refused it. [`Error::Cwasm`]: the result could not be rewritten.
pub fn precompile(module: &[u8]) -> Result<Vec<u8>> {
    let compile = || Engine::new(&config()?)?.precompile_module(module);
    let cwasm = compile().map_err(|error| Error::Compile { reason: format!("{error:#}") })?;
    rewrite(&cwasm, |elf| {
        strip(elf);
        align_code(elf)
    })
}

/// Drops the symbol table, which serves native debuggers only: a quarter of a small image.
fn strip(elf: &mut Builder<'_>) {
    for symbol in &mut elf.symbols {
        symbol.delete = true;
    }
    for section in &mut elf.sections {
        section.delete = [&b".symtab"[..], b".strtab"].contains(&section.name.as_slice());
    }
}

/// Puts `.text` on a granule's boundary, and what follows it on the next. Sections are written in their order here.
fn align_code(elf: &mut Builder<'_>) -> Result<()> {
    let mut sections = elf.sections.iter_mut().filter(|section| !section.delete);
    let code = sections.find(|section| section.name.as_slice() == b".text");
    let (Some(code), Some(next)) = (code, sections.next()) else {
        return Err(Error::Cwasm { reason: "no .text section, or nothing after it".into() });
    };
    for section in [code, next] {
        section.sh_addralign = section.sh_addralign.max(MPU_GRANULE);
    }
    Ok(())
}

/// What a host compares with its own before it looks at anything else: Wasmtime's version, the target, and the start of
/// the SHA-256 of the section that has version and settings in it.
///
/// # Errors
/// [`Error::Cwasm`]: this is no `.cwasm`.
pub fn text(cwasm: &[u8]) -> Result<String> {
    text_of(manifest::WASMTIME, cwasm)
}

/// The same, of another version.
///
/// # Errors
/// [`Error::Cwasm`]: this is no `.cwasm`.
pub fn text_of(version: &str, cwasm: &[u8]) -> Result<String> {
    let unknown = |error: object::Error| Error::Cwasm { reason: error.to_string() };
    let elf = ElfFile64::<Endianness>::parse(cwasm).map_err(unknown)?;
    let engine = elf.section_by_name_bytes(ENGINE_SECTION).ok_or_else(no_engine)?;
    let hash = Sha256::digest(engine.data().map_err(unknown)?);
    Ok(format!("wasmtime {version} {TARGET} {}", hex(&hash[..4])))
}

fn no_engine() -> Error {
    Error::Cwasm { reason: "no engine section".into() }
}

/// The `.cwasm` as another major version of Wasmtime would have marked it. For tests: Wasmtime itself must refuse it.
///
/// # Errors
/// [`Error::Cwasm`]: this is not an image of the Wasmtime that guest-pack is built with.
pub fn with_foreign_version(cwasm: &[u8]) -> Result<Vec<u8>> {
    rewrite(cwasm, |elf| {
        let engine =
            elf.sections.iter_mut().find(|section| section.name.as_slice() == ENGINE_SECTION).ok_or_else(no_engine)?;
        let object::build::elf::SectionData::Data(data) = &mut engine.data else {
            return Err(Error::Cwasm { reason: "an engine section without data".into() });
        };
        // A format byte (0), the length of the version, the version.
        let [0, length, rest @ ..] = data.to_mut().as_mut_slice() else {
            return Err(Error::Cwasm { reason: "an engine section of another format".into() });
        };
        let last_digit = usize::from(*length)
            .checked_sub(1)
            .and_then(|last| rest.get_mut(last))
            .filter(|digit| digit.is_ascii_digit())
            .ok_or_else(|| Error::Cwasm { reason: "a version that is no number".into() })?;
        *last_digit = if *last_digit == b'0' { b'1' } else { *last_digit - 1 };
        Ok(())
    })
}

fn rewrite(cwasm: &[u8], change: impl FnOnce(&mut Builder<'_>) -> Result<()>) -> Result<Vec<u8>> {
    let unknown = |error: object::build::Error| Error::Cwasm { reason: error.to_string() };
    let mut elf = Builder::read(cwasm).map_err(unknown)?;
    change(&mut elf)?;
    let mut rewritten = Vec::new();
    elf.write(&mut rewritten).map_err(unknown)?;
    Ok(rewritten)
}
