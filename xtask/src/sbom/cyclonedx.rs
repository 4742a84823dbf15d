//! CycloneDX 1.5 in JSON, as far as our bills use it.
//!
//! Own types, because the crate that CycloneDX offers brings thirty others into the front door for a dozen fields; a test
//! has that crate read and validate what is written here.

use serde::Serialize;
use sha2::{Digest, Sha256};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bom {
    bom_format: &'static str,
    spec_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_number: Option<String>,
    version: u32,
    metadata: Metadata,
    components: Vec<Component>,
    dependencies: Vec<Dependency>,
    compositions: Vec<Composition>,
}

#[derive(Serialize)]
struct Metadata {
    tools: Tools,
    component: Component,
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Tools {
    components: Vec<Component>,
}

#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// `library`, `application`, `firmware`, `file`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(rename = "bom-ref")]
    pub reference: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<License>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub external_references: Vec<Reference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Code of it is in the artefact.
    Required,
    /// It was used to make the artefact, and is not in it.
    Excluded,
}

#[derive(Clone, Serialize)]
pub struct Hash {
    alg: &'static str,
    content: String,
}

impl Hash {
    pub fn sha256(hexadecimal: &str) -> Self {
        Self { alg: "SHA-256", content: hexadecimal.to_owned() }
    }
}

/// An SPDX expression.
#[derive(Clone, Serialize)]
pub struct License {
    pub expression: String,
}

#[derive(Clone, Serialize)]
pub struct Reference {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub url: String,
}

#[derive(Clone, Serialize)]
pub struct Property {
    pub name: String,
    pub value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    #[serde(rename = "ref")]
    pub reference: String,
    pub depends_on: Vec<String>,
}

#[derive(Serialize)]
struct Composition {
    aggregate: Aggregate,
    dependencies: Vec<String>,
}

/// How much of what is in the artefact its components are.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    Complete,
    /// A compiler's own library may have added to it, and nobody lists what.
    Unknown,
}

impl Bom {
    /// Of `subject`; `components` and `dependencies` come sorted.
    pub fn new(
        subject: Component,
        properties: Vec<Property>,
        components: Vec<Component>,
        dependencies: Vec<Dependency>,
        aggregate: Aggregate,
    ) -> Self {
        let own = Component {
            kind: "application",
            reference: "made-by".into(),
            name: "sandhill ./x sbom".into(),
            version: Some(env!("CARGO_PKG_VERSION").into()),
            ..Component::default()
        };
        let compositions = vec![Composition { aggregate, dependencies: vec![subject.reference.clone()] }];
        let mut bom = Self {
            bom_format: "CycloneDX",
            spec_version: "1.5",
            serial_number: None,
            version: 1,
            metadata: Metadata { tools: Tools { components: vec![own] }, component: subject, properties },
            components,
            dependencies,
            compositions,
        };
        bom.serial_number = Some(serial_number(bom.to_json().as_bytes()));
        bom
    }

    /// Indented, with a final newline.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("a bill holds only strings and numbers");
        format!("{json}\n")
    }

    /// For people: how many parts are in it, and how many were used.
    pub fn summary(&self) -> String {
        let count = |scope| self.components.iter().filter(|component| component.scope == Some(scope)).count();
        format!("{:>3} linked, {:>3} used to make it", count(Scope::Required), count(Scope::Excluded))
    }
}

/// A UUID of the kind that is made of anything one likes (RFC 9562, version 8), here of the content: another bill has
/// another number, and the same one the same.
fn serial_number(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    let mut bytes: [u8; 16] = hash[..16].try_into().expect("a hash has 32 bytes");
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
