//! What the user reads of a board: its slots and its statistics, as tables.

use comfy_table::CellAlignment;
use mcumgr_toolkit::commands::image::ImageState;

use super::{board::Group, hex};
use crate::table::new_table;

/// A line for each slot that holds something.
pub fn images(images: &[ImageState]) -> String {
    if images.is_empty() {
        return "the board has no guest in any slot".into();
    }
    let mut table = new_table();
    table.set_header(["guest", "slot", "version", "state", "hash"]);
    for image in images {
        table.add_row([
            image.image.to_string(),
            slot(image),
            image.version.clone(),
            flags(image),
            image.hash.as_ref().map_or_else(|| "–".into(), |hash| hex(hash)),
        ]);
    }
    table.to_string()
}

/// As docs/src/reference/interfaces.md calls them.
fn slot(image: &ImageState) -> String {
    match image.slot {
        0 => "A".into(),
        1 => "B".into(),
        other => other.to_string(),
    }
}

fn flags(image: &ImageState) -> String {
    let flags = [
        (image.active, "active"),
        (image.active && !image.confirmed, "on trial"),
        (image.confirmed, "confirmed"),
        (image.pending, "pending"),
        (image.permanent && image.pending, "for good"),
        (!image.bootable, "not bootable"),
    ];
    let set: Vec<&str> = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
    if set.is_empty() { "–".into() } else { set.join(", ") }
}

/// Names as rows; groups that have the same names stand side by side.
pub fn statistics(groups: &[Group]) -> String {
    let mut rest = groups;
    let mut text = Vec::new();
    while let Some((first, values)) = rest.first() {
        let alike = rest.iter().take_while(|(_, others)| others.keys().eq(values.keys())).count();
        let (side_by_side, others) = rest.split_at(alike);
        rest = others;
        let mut table = new_table();
        let names = side_by_side.iter().map(|(name, _)| name.clone());
        table.set_header(std::iter::once("statistic".to_string()).chain(names));
        for name in values.keys() {
            let cells = side_by_side.iter().map(|(_, values)| values[name].to_string());
            table.add_row(std::iter::once(name.clone()).chain(cells));
        }
        for column in 1..=alike {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        text.push(if values.is_empty() { format!("{first}: nothing is counted") } else { table.to_string() });
    }
    text.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_said_in_words() {
        let mut image = ImageState {
            image: 0,
            slot: 1,
            version: "0.2.0".into(),
            hash: Some(vec![0xAB; 32]),
            bootable: true,
            pending: false,
            confirmed: false,
            active: true,
            permanent: false,
        };
        let text = images(&[image.clone()]);
        assert!(text.contains("active, on trial") && text.contains(" B ") && text.contains(&"ab".repeat(32)), "{text}");
        (image.active, image.pending, image.permanent, image.bootable) = (false, true, true, false);
        assert!(images(&[image]).contains("pending, for good, not bootable"));
        assert!(images(&[]).contains("no guest"));
    }

    #[test]
    fn groups_of_the_same_names_share_a_table() {
        let group = |name: &str, values: &[(&str, u64)]| {
            (name.to_string(), values.iter().map(|(name, value)| (name.to_string(), *value)).collect())
        };
        let groups =
            [group("host", &[("resets", 3)]), group("guest0", &[("traps", 1)]), group("guest1", &[("traps", 22)])];
        let text = statistics(&groups);
        assert!(text.lines().any(|line| line.contains("guest0") && line.contains("guest1")), "{text}");
        assert!(text.lines().any(|line| line.contains("traps") && line.contains('1') && line.contains("22")), "{text}");
        assert!(!text.lines().any(|line| line.contains("host") && line.contains("guest")), "{text}");
    }
}
