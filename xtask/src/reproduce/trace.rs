//! What a machine would leave in an artefact: its folders, its names, ids that a linker draws.

use object::{Object, ObjectSection};

/// Folders that no artefact has a reason to name, wherever it was built: homes, temporary files, Nix's store, Debian's
/// toolchain, what Cargo calls the folder of crates.io's crates.
const ANYWHERE: [&str; 8] =
    ["/home/", "/root/", "/tmp/", "/Users/", "/nix/store/", "/usr/lib/", "/usr/src/", "index.crates.io-"];

/// Shorter names stand everywhere by chance.
const SHORTEST: usize = 6;

/// What to look for, given what is known of one machine.
pub fn needles(machine: &[String]) -> Vec<String> {
    let known = machine.iter().filter(|name| name.len() >= SHORTEST).cloned();
    ANYWHERE.iter().map(|&name| name.to_owned()).chain(known).collect()
}

/// Every needle that is in `content`, with the place of the first one, and a linker's build id.
pub fn find(content: &[u8], needles: &[String]) -> Vec<String> {
    let mut found: Vec<String> = needles
        .iter()
        .filter_map(|needle| {
            let offset = memchr::memmem::find(content, needle.as_bytes())?;
            let rest = &content[offset..];
            let end =
                rest.iter().take(120).position(|byte| !(b' '..=b'~').contains(byte)).unwrap_or(rest.len().min(120));
            Some(format!("offset {offset:#x}: \"{}\"", String::from_utf8_lossy(&rest[..end])))
        })
        .collect();
    if let Ok(elf) = object::File::parse(content)
        && let Some(id) = elf.section_by_name(".note.gnu.build-id").and_then(|section| section.file_range())
    {
        found.push(format!("offset {:#x}: a build id", id.0));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_or_a_name_of_the_machine_is_found_with_its_place() {
        let needles = needles(&["/srv/build".to_owned(), "sue".to_owned()]);
        assert_eq!(find(b"\0\0/srv/build/x.rs\0", &needles), ["offset 0x2: \"/srv/build/x.rs\""]);
        assert_eq!(find(b"panicked at /home/me/a.rs", &needles), ["offset 0xc: \"/home/me/a.rs\""]);
        assert!(find(b"/sandhill/x.rs, pursue", &needles).is_empty());
    }

    #[test]
    fn a_build_id_is_found() {
        let mut elf = object::write::Object::new(
            object::BinaryFormat::Elf,
            object::Architecture::Arm,
            object::Endianness::Little,
        );
        let id = elf.add_section(Vec::new(), b".note.gnu.build-id".to_vec(), object::SectionKind::Note);
        elf.append_section_data(id, &[7; 20], 4);
        let found = find(&elf.write().unwrap(), &[]);
        assert!(matches!(found.as_slice(), [one] if one.ends_with("a build id")), "{found:?}");
    }
}
