//! Where two files differ that should not: by diffoscope, if it is installed, or else by section and offset.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use object::{Object, ObjectSection};

use crate::run::Failure;

/// A few lines for people.
pub fn show(one: &Path, other: &Path) -> Result<String, Failure> {
    let read = |path: &Path| fs::read(path).map_err(|source| Failure::File { path: path.into(), source });
    let mut text = locate(&read(one)?, &read(other)?);
    // It ends with 1 where files differ; where it is missing, there is nothing to say.
    if let Ok(output) = Command::new("diffoscope").arg("--max-report-size=8192").args([one, other]).output() {
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(&output.stdout));
    }
    Ok(text)
}

/// The first place, and the parts of the file that differ, with how many bytes of each.
fn locate(one: &[u8], other: &[u8]) -> String {
    if one.len() != other.len() {
        let common = one.iter().zip(other).take_while(|(a, b)| a == b).count();
        let place = part_at(&parts(one), common);
        return format!("{} and {} bytes, the same up to offset {common:#x}{place}", one.len(), other.len());
    }
    let differing: Vec<usize> = (0..one.len()).filter(|&at| one[at] != other[at]).collect();
    let Some(&first) = differing.first() else { return "no byte differs".to_owned() };
    let parts = parts(one);
    let mut text = format!("{} bytes, first at offset {first:#x}{}", differing.len(), part_at(&parts, first));
    for (name, range) in &parts {
        let bytes = differing.iter().filter(|at| range.contains(at)).count();
        if bytes != 0 {
            text.push_str(&format!("\n    {name}: {bytes} of {} bytes", range.len()));
        }
    }
    text
}

fn part_at(parts: &[(String, Range<usize>)], offset: usize) -> String {
    parts
        .iter()
        .find(|(_, range)| range.contains(&offset))
        .map_or_else(String::new, |(name, range)| format!(", {name} + {:#x}", offset - range.start))
}

/// The sections of an ELF (the firmware, a .cwasm) or of a WebAssembly module or component, by their places in the file.
fn parts(content: &[u8]) -> Vec<(String, Range<usize>)> {
    if let Ok(elf) = object::File::parse(content) {
        let range = |(offset, size): (u64, u64)| offset as usize..(offset + size) as usize;
        return elf
            .sections()
            .filter_map(|section| Some((section.name().ok()?.to_owned(), range(section.file_range()?))))
            .collect();
    }
    let payloads = wasmparser::Parser::new(0).parse_all(content).map_while(Result::ok);
    payloads
        .filter_map(|payload| match payload {
            wasmparser::Payload::CustomSection(custom) => {
                Some((format!("custom section {}", custom.name()), custom.range()))
            }
            payload => payload.as_section().map(|(id, range)| (format!("section {id}"), range)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with a custom section `note`.
    fn module(note: &[u8]) -> Vec<u8> {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        module.extend([0, 5 + note.len() as u8, 4]);
        module.extend(b"note");
        module.extend(note);
        module
    }

    #[test]
    fn the_section_of_a_module_is_named() {
        let text = locate(&module(b"abcd"), &module(b"abXY"));
        assert!(text.starts_with("2 bytes, first at offset 0x11, custom section note"), "{text}");
        assert!(text.contains("custom section note: 2 of "), "{text}");
    }

    #[test]
    fn the_section_of_an_elf_is_named() {
        let elf = |byte| {
            let mut elf = object::write::Object::new(
                object::BinaryFormat::Elf,
                object::Architecture::Arm,
                object::Endianness::Little,
            );
            let text = elf.section_id(object::write::StandardSection::Text);
            elf.append_section_data(text, &[0, 0, byte, 0], 4);
            elf.write().unwrap()
        };
        let text = locate(&elf(1), &elf(2));
        assert!(text.contains(", .text + 0x2\n    .text: 1 of 4 bytes"), "{text}");
    }

    #[test]
    fn of_files_of_two_lengths_the_common_start_is_named() {
        assert_eq!(locate(b"abc", b"abcd"), "3 and 4 bytes, the same up to offset 0x3");
        assert_eq!(locate(b"abc", b"abc"), "no byte differs");
    }
}
