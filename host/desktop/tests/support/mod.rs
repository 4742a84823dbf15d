//! Guests as they are packed: a folder with a component and an image that holds name and policy.

use std::path::Path;
use std::process::{Command, Output};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub const GUESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guests");

/// What the guests of these tests may use, by word of the record: outputs 15 and 25, 15 safe high, input 14 with its pull-up,
/// pulses on 16, port 1.
pub const POLICY: [(usize, u32); 7] =
    [(0, 1 << 15 | 1 << 25), (1, 1 << 15), (2, 1 << 14), (3, 1 << 14), (5, 1 << 16), (6, 1 << 1), (7, 115_200)];

pub struct Guest {
    pub folder: TempDir,
}

impl Guest {
    /// Packs `tests/guests/<name>.wat` with a policy whose words differ from the defaults as told.
    pub fn packed(name: &str, policy: &[(usize, u32)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let component = Path::new(GUESTS).join(name).with_extension("wat");
        std::fs::copy(component, folder.path().join("component.wasm")).expect("a guest of these tests");
        std::fs::write(folder.path().join("guest.img"), image(name, policy)).expect("a small file");
        Self { folder }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        command(self.folder.path(), arguments)
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the command starts")
    }
}

pub fn run(guest: &Path, arguments: &[&str]) -> Output {
    command(guest, arguments).output().expect("the command starts")
}

fn command(guest: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandhill-desktop"));
    command.arg(guest).args(arguments);
    command
}

/// The image format of `docs/src/reference/image.md`, unsigned, with four bytes for a program: the desktop runs the component.
fn image(name: &str, policy: &[(usize, u32)]) -> Vec<u8> {
    const HEADER_BYTES: u16 = 256;
    let mut words = [0, 0, 0, 0, 0, 0, 0, 0, 1000, 4096, 64, 10_000, 60_000, 10_000, 1000, 0, 3];
    for (index, word) in policy {
        words[*index] = *word;
    }
    let mut record = vec![1, 0, 72, 0];
    record.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    let tlvs = [
        tlv(0x50, &0_u32.to_le_bytes()),
        tlv(0xa0, &record),
        tlv(0xa1, name.as_bytes()),
        tlv(0xa2, b"no engine"),
        tlv(0xa3, b"embedded:platform/board@0.2.0"),
    ]
    .concat();
    let protected = [&0x6908_u16.to_le_bytes()[..], &length(tlvs.len() + 4), &tlvs].concat();

    let mut image = 0x96f3_b83d_u32.to_le_bytes().to_vec();
    image.extend(0_u32.to_le_bytes());
    image.extend(HEADER_BYTES.to_le_bytes());
    image.extend(length(protected.len()));
    image.extend(4_u32.to_le_bytes());
    image.resize(usize::from(HEADER_BYTES), 0);
    image.extend([0; 4]);
    image.extend(protected);
    let hash = tlv(0x10, &Sha256::digest(&image));
    image.extend(0x6907_u16.to_le_bytes());
    image.extend(length(hash.len() + 4));
    image.extend(hash);
    image
}

fn tlv(kind: u16, value: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &length(value.len()), value].concat()
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).expect("small parts").to_le_bytes()
}
