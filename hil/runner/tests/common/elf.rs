//! Writes the smallest ELF files that look like the firmware: segments, symbols and the section `.vitals`.

/// What goes into the file.
pub struct Elf {
    pub segments: Vec<(u32, Vec<u8>)>,
    pub symbols: Vec<(&'static str, u32)>,
    pub vitals: Option<&'static str>,
}

impl Default for Elf {
    fn default() -> Self {
        Self {
            segments: vec![(0x1000_0000, b"vectors".to_vec()), (0x1000_0100, b"code".to_vec())],
            symbols: vec![
                ("__guest_slot0_start", 0x1010_0000),
                ("__guest_slot0_end", 0x1014_0000),
                ("__guest_slot1_start", 0x1014_0000),
                ("__guest_slot1_end", 0x1018_0000),
                ("VITALS", 0x2000_0040),
            ],
            vitals: Some(
                "magic - VIT2\nheap_peak bytes most of the heap in use\nguest0_host_calls calls made by the guest\n",
            ),
        }
    }
}

impl Elf {
    /// An ELF32 file for Arm: header, program headers, contents, section headers.
    pub fn bytes(&self) -> Vec<u8> {
        const HEADER: u32 = 52;
        const PROGRAM_HEADER: u32 = 32;
        let mut contents = Vec::new();
        let base = HEADER + PROGRAM_HEADER * self.segments.len() as u32;
        let mut put = |bytes: &[u8]| {
            let at = base + contents.len() as u32;
            contents.extend_from_slice(bytes);
            (at, bytes.len() as u32)
        };

        let mut section_names = vec![0];
        let mut name_of = |name: &str| {
            let at = section_names.len() as u32;
            section_names.extend(name.bytes().chain([0]));
            at
        };
        // name, type, flags, address, offset, size, link, info, alignment, entry size
        let mut sections = vec![[0; 10]];
        let mut program_headers = Vec::new();
        for (address, bytes) in &self.segments {
            let (at, size) = put(bytes);
            program_headers.push([1, at, *address, *address, size, size, 5, 4]);
            sections.push([name_of(".text"), 1, 6, *address, at, size, 0, 0, 4, 0]);
        }
        if let Some(text) = self.vitals {
            let (at, size) = put(text.as_bytes());
            sections.push([name_of(".vitals"), 1, 0, 0, at, size, 0, 0, 1, 0]);
        }
        let mut symbol_names = vec![0];
        let mut symbols = vec![0; 16];
        for (name, value) in &self.symbols {
            symbols.extend((symbol_names.len() as u32).to_le_bytes());
            symbols.extend(value.to_le_bytes());
            symbols.extend([0, 0, 0, 0, 0x10, 0, 0xF1, 0xFF]); // size 0; global; absolute
            symbol_names.extend(name.bytes().chain([0]));
        }
        let (at, size) = put(&symbols);
        let strings = sections.len() as u32 + 1;
        sections.push([name_of(".symtab"), 2, 0, 0, at, size, strings, 1, 4, 16]);
        let (at, size) = put(&symbol_names);
        sections.push([name_of(".strtab"), 3, 0, 0, at, size, 0, 0, 1, 0]);
        let own_name = name_of(".shstrtab");
        let (at, size) = put(&section_names);
        sections.push([own_name, 3, 0, 0, at, size, 0, 0, 1, 0]);

        let sections_at = base + contents.len() as u32;
        let mut file = b"\x7FELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0\x01\0\0\0".to_vec();
        for word in [0x1000_0001, HEADER, sections_at, 0x0500_0000] {
            file.extend(u32::to_le_bytes(word));
        }
        let counts = [HEADER, PROGRAM_HEADER, self.segments.len() as u32, 40, sections.len() as u32];
        for half in counts.into_iter().chain([sections.len() as u32 - 1]) {
            file.extend((half as u16).to_le_bytes());
        }
        file.extend(program_headers.iter().flatten().flat_map(|word| word.to_le_bytes()));
        file.extend(contents);
        file.extend(sections.iter().flatten().flat_map(|word| word.to_le_bytes()));
        file
    }
}
