//! The contract: which imports a world offers, and as which functions of WebAssembly they arrive at a module's border.
//! `wit/` is compiled in, so that guest-pack works from any folder.

use std::collections::BTreeMap;
use std::fmt;

use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Function, Resolve, Type, TypeDefKind, WorldId, WorldItem, WorldKey};

use crate::{Error, Result};

/// The newest version first: a world that is named without a version is of that one.
const PLATFORMS: [(&str, &str); 2] = [
    ("wit/platform.wit", include_str!("../../../wit/platform.wit")),
    ("wit/v0.1/platform.wit", include_str!("../../../wit/v0.1/platform.wit")),
];

/// A world of `embedded:platform`.
pub struct World {
    pub resolve: Resolve,
    pub id: WorldId,
    /// For example `embedded:platform/blinky@0.2.0`.
    pub name: String,
    /// Functions by interface, for example `embedded:platform/gpio@0.2.0`.
    pub imports: BTreeMap<String, BTreeMap<String, Signature>>,
    pub exports: BTreeMap<String, Signature>,
}

/// A function after the canonical ABI flattened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Name and type. `bytes: list<u8>` becomes `bytes-ptr` and `bytes-len`; a result that does not fit one value is
    /// written through the last parameter, `result-ptr`.
    pub parameters: Vec<(String, wasmparser::ValType)>,
    pub results: Vec<wasmparser::ValType>,
    /// Some parameter is an address in the guest's memory.
    pub uses_memory: bool,
}

impl Signature {
    /// Whether a function of WebAssembly has this signature.
    pub fn is(&self, function: &wasmparser::FuncType) -> bool {
        self.parameters.iter().map(|(_, ty)| ty).eq(function.params()) && self.results == function.results()
    }
}

/// As the text format writes it.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<_> = self.parameters.iter().map(|(_, ty)| *ty).collect();
        write_function(f, &parameters, &self.results)
    }
}

/// A function type as the text format writes it.
pub struct Shown<'a>(pub &'a wasmparser::FuncType);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_function(f, self.0.params(), self.0.results())
    }
}

fn write_function(
    f: &mut fmt::Formatter<'_>,
    parameters: &[wasmparser::ValType],
    results: &[wasmparser::ValType],
) -> fmt::Result {
    f.write_str("(func")?;
    for (kind, types) in [("param", parameters), ("result", results)] {
        if !types.is_empty() {
            write!(f, " ({kind}")?;
            types.iter().try_for_each(|ty| write!(f, " {ty}"))?;
            f.write_str(")")?;
        }
    }
    f.write_str(")")
}

/// An interface's name without package and version: `gpio` of `embedded:platform/gpio@0.2.0`.
pub fn short(interface: &str) -> &str {
    let name = interface.rsplit_once('/').map_or(interface, |(_, name)| name);
    name.split_once('@').map_or(name, |(name, _)| name)
}

impl World {
    /// The world of that name, `blinky` or `blinky@0.1.0`.
    ///
    /// # Errors
    /// [`Error::UnknownWorld`], naming those there are. [`Error::CannotLower`]: it has a function that needs more than
    /// a module's border.
    pub fn find(world: &str) -> Result<Self> {
        let (short, version) = match world.split_once('@') {
            Some((short, version)) => (short, Some(version)),
            None => (world, None),
        };
        let mut known = Vec::new();
        for (path, text) in PLATFORMS {
            let mut resolve = Resolve::default();
            let package = resolve.push_str(path, text).expect("the WIT is part of this program, and a test parses it");
            let package = &resolve.packages[package];
            let found_version = package.name.version.as_ref().map(ToString::to_string);
            if let Some(&id) = package.worlds.get(short)
                && version.is_none_or(|version| Some(version) == found_version.as_deref())
            {
                let name = package.name.interface_id(short);
                return Self::of(resolve, id, name);
            }
            known.extend(package.worlds.keys().map(|name| match &found_version {
                Some(version) => format!("{name}@{version}"),
                None => name.clone(),
            }));
        }
        Err(Error::UnknownWorld { world: world.to_owned(), known })
    }

    fn of(resolve: Resolve, id: WorldId, name: String) -> Result<Self> {
        let (mut imports, mut exports) = (BTreeMap::new(), BTreeMap::new());
        let beyond = |item: &WorldKey, what: &str| Error::CannotLower {
            what: format!("{name} has {what}, {}", resolve.name_world_key(item)),
            instead: "a world for guests imports interfaces and exports functions",
        };
        for (key, item) in &resolve.worlds[id].imports {
            let WorldItem::Interface { id, .. } = item else {
                return Err(beyond(key, "an import that is not an interface"));
            };
            let interface = resolve.name_world_key(key);
            let mut functions = BTreeMap::new();
            for (function, wit) in &resolve.interfaces[*id].functions {
                let signature = flatten(&resolve, wit, AbiVariant::GuestImport)
                    .map_err(|error| error.of(&format!("{function} of {interface}")))?;
                functions.insert(function.clone(), signature);
            }
            imports.insert(interface, functions);
        }
        for (key, item) in &resolve.worlds[id].exports {
            let WorldItem::Function(wit) = item else {
                return Err(beyond(key, "an export that is not a function"));
            };
            let export = resolve.name_world_key(key);
            let signature = flatten(&resolve, wit, AbiVariant::GuestExport).map_err(|error| error.of(&export))?;
            exports.insert(export, signature);
        }
        Ok(Self { resolve, id, name, imports, exports })
    }

    /// Whether the interface may be imported.
    pub fn offers(&self, interface: &str) -> bool {
        self.imports.contains_key(interface)
    }

    /// A function that may be imported.
    pub fn offered(&self, interface: &str, function: &str) -> Option<&Signature> {
        self.imports.get(interface)?.get(function)
    }

    /// The error for an import that is not offered.
    pub fn foreign(&self, import: String) -> Error {
        let offered = self
            .imports
            .iter()
            .map(|(interface, functions)| {
                format!("{interface} ({})", functions.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
            })
            .collect();
        Error::ForeignImport { import, world: self.name.clone(), offered }
    }
}

/// # Errors
/// [`Error::CannotLower`]: a type that takes more than what `docs/src/reference/interfaces.md` allows at a module's border.
fn flatten(resolve: &Resolve, function: &Function, variant: AbiVariant) -> Result<Signature> {
    let beyond = |what: String| Error::CannotLower {
        what,
        instead: "parameters are numbers, bools, enums or list<u8>; a result is one of the first three, or an option of it",
    };
    if !matches!(function.kind, wit_parser::FunctionKind::Freestanding) {
        return Err(beyond("it is a method, or asynchronous".into()));
    }
    let abi = resolve.wasm_signature(variant, function);
    let mut names = Vec::new();
    for parameter in &function.params {
        let name = &parameter.name;
        if is_scalar(resolve, parameter.ty) {
            names.push(name.clone());
        } else if variant == AbiVariant::GuestImport && is_bytes(resolve, parameter.ty) {
            names.extend([format!("{name}-ptr"), format!("{name}-len")]);
        } else {
            return Err(beyond(format!("its parameter {name} has another type")));
        }
    }
    match function.result {
        Some(result) if is_scalar(resolve, result) => {}
        Some(result) if variant == AbiVariant::GuestImport && is_scalar_option(resolve, result) => {}
        Some(_) => return Err(beyond("its result has another type".into())),
        None => {}
    }
    if abi.retptr {
        names.push("result-ptr".into());
    }
    if abi.indirect_params || names.len() != abi.params.len() {
        return Err(beyond("it has too many parameters".into()));
    }
    Ok(Signature {
        parameters: names.into_iter().zip(abi.params.iter().map(|&ty| core_type(ty))).collect(),
        results: abi.results.iter().map(|&ty| core_type(ty)).collect(),
        uses_memory: abi.params.contains(&WasmType::Pointer),
    })
}

fn is_scalar(resolve: &Resolve, ty: Type) -> bool {
    match ty {
        Type::Id(id) => match resolve.types[id].kind {
            TypeDefKind::Enum(_) => true,
            TypeDefKind::Type(alias) => is_scalar(resolve, alias),
            _ => false,
        },
        Type::String | Type::ErrorContext => false,
        _ => true,
    }
}

fn is_bytes(resolve: &Resolve, ty: Type) -> bool {
    match ty {
        Type::Id(id) => match resolve.types[id].kind {
            TypeDefKind::List(element) => element == Type::U8,
            TypeDefKind::Type(alias) => is_bytes(resolve, alias),
            _ => false,
        },
        _ => false,
    }
}

fn is_scalar_option(resolve: &Resolve, ty: Type) -> bool {
    match ty {
        Type::Id(id) => match resolve.types[id].kind {
            TypeDefKind::Option(some) => is_scalar(resolve, some),
            TypeDefKind::Type(alias) => is_scalar_option(resolve, alias),
            _ => false,
        },
        _ => false,
    }
}

fn core_type(ty: WasmType) -> wasmparser::ValType {
    match ty {
        // Guests have memories of 32 bits.
        WasmType::I32 | WasmType::Pointer | WasmType::Length => wasmparser::ValType::I32,
        WasmType::I64 | WasmType::PointerOrI64 => wasmparser::ValType::I64,
        WasmType::F32 => wasmparser::ValType::F32,
        WasmType::F64 => wasmparser::ValType::F64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(functions: &str) -> Result<World> {
        let text = format!("package a:b; interface i {{ {functions} }} world w {{ import i; export run: func(); }}");
        let mut resolve = Resolve::default();
        let package = resolve.push_str("test.wit", &text).unwrap();
        let id = resolve.packages[package].worlds["w"];
        World::of(resolve, id, "a:b/w".into())
    }

    #[test]
    fn every_world_of_every_version_is_found_and_can_be_lowered() {
        for (path, text) in PLATFORMS {
            let mut resolve = Resolve::default();
            let package = resolve.push_str(path, text).unwrap();
            let package = &resolve.packages[package];
            let version = package.name.version.as_ref().unwrap();
            for short in package.worlds.keys() {
                let world = World::find(&format!("{short}@{version}")).unwrap();
                assert_eq!(world.name, format!("embedded:platform/{short}@{version}"));
                assert_eq!(world.exports["run"].to_string(), "(func)");
            }
        }
        assert_eq!(World::find("blinky").unwrap().name, "embedded:platform/blinky@0.2.0");
    }

    /// TLV 0x00A3 has room for it.
    #[test]
    fn a_guest_can_need_everything() {
        let world = World::find("board").unwrap();
        let all: Vec<_> = world.imports.keys().map(|interface| short(interface)).collect();
        assert!(all.contains(&"gpio"), "{all:?}");
        assert!(format!("{} {}", world.name, all.join(" ")).len() <= 127);
    }

    /// The border as docs/src/reference/interfaces.md describes it.
    #[test]
    fn functions_are_flattened_as_the_canonical_abi_says() {
        let world = world(
            "enum e { a, b }
             f: func(a: bool, b: e, c: u64, d: list<u8>) -> option<u8>;
             g: func(a: u32) -> bool;",
        )
        .unwrap();
        let f = world.offered("a:b/i", "f").unwrap();
        assert_eq!(f.to_string(), "(func (param i32 i32 i64 i32 i32 i32))");
        let names: Vec<_> = f.parameters.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d-ptr", "d-len", "result-ptr"]);
        assert!(f.uses_memory);
        let g = world.offered("a:b/i", "g").unwrap();
        assert_eq!(g.to_string(), "(func (param i32) (result i32))");
        assert!(!g.uses_memory);
    }

    #[test]
    fn what_needs_more_than_a_modules_border_is_refused_by_name() {
        for function in [
            "f: func(text: string);",
            "f: func(words: list<u32>);",
            "f: func() -> list<u8>;",
            "f: func() -> option<string>;",
            "f: func(maybe: option<u8>);",
            "f: func() -> result<u8>;",
            "record r { a: u8 } f: func(a: r);",
            "resource f { g: func(); }",
            "f: async func();",
        ] {
            let Err(error) = world(function) else { panic!("{function} is taken") };
            let message = error.to_string();
            assert!(message.contains("of a:b/i") && message.contains("cannot be lowered"), "{function}: {message}");
        }
    }
}
