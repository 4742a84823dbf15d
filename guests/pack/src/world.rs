//! The contract: which imports a world offers. `wit/` is compiled in, so that guest-pack works from any folder.

use std::collections::{BTreeMap, BTreeSet};

use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

use crate::{Error, Result};

const PLATFORM_WIT: &str = include_str!("../../../wit/platform.wit");

/// A world of `embedded:platform`.
pub struct World {
    pub resolve: Resolve,
    pub id: WorldId,
    /// For example `embedded:platform/blinky@0.1.0`.
    pub name: String,
    /// Functions by interface, for example `embedded:platform/gpio@0.1.0`.
    imports: BTreeMap<String, BTreeSet<String>>,
}

impl World {
    /// # Errors
    /// [`Error::UnknownWorld`], naming those there are.
    pub fn find(world: &str) -> Result<Self> {
        let mut resolve = Resolve::default();
        let package = resolve
            .push_str("wit/platform.wit", PLATFORM_WIT)
            .expect("wit/platform.wit is part of this program and parses");
        let worlds = &resolve.packages[package].worlds;
        let Some(&id) = worlds.get(world) else {
            return Err(Error::UnknownWorld { world: world.to_owned(), known: worlds.keys().cloned().collect() });
        };
        let name = resolve.packages[package].name.interface_id(world);
        let imports = resolve.worlds[id]
            .imports
            .iter()
            .filter_map(|(key, item)| match (key, item) {
                (WorldKey::Interface(_), WorldItem::Interface { id, .. }) => {
                    let functions = resolve.interfaces[*id].functions.keys().cloned().collect();
                    Some((resolve.name_world_key(key), functions))
                }
                _ => None,
            })
            .collect();
        Ok(Self { resolve, id, name, imports })
    }

    /// Whether the interface may be imported.
    pub fn offers(&self, interface: &str) -> bool {
        self.imports.contains_key(interface)
    }

    /// Whether the function of the interface may be imported.
    pub fn offers_function(&self, interface: &str, function: &str) -> bool {
        self.imports.get(interface).is_some_and(|functions| functions.contains(function))
    }

    /// The error for an import that is not offered.
    pub fn foreign(&self, import: String) -> Error {
        let offered = self
            .imports
            .iter()
            .map(|(interface, functions)| {
                format!("{interface} ({})", functions.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
            })
            .collect();
        Error::ForeignImport { import, world: self.name.clone(), offered }
    }
}
