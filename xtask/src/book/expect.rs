//! Whether what was printed is what is shown.
//!
//! A line that is only `…` stands for any lines, or none; `…` within a line for any characters. Blanks at the ends of
//! lines do not count.

/// The line of `shown` that has no counterpart, as far as can be told: the first one that could not be reached.
/// `shown.len()` if something was printed beyond its end.
pub fn mismatch(shown: &[String], printed: &str) -> Option<usize> {
    let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
    let mut reached = 0;
    if lines(shown, &printed, 0, &mut reached) { None } else { Some(reached) }
}

fn lines(shown: &[String], printed: &[&str], at: usize, reached: &mut usize) -> bool {
    *reached = at.max(*reached);
    let Some((first, rest)) = shown.split_first() else { return printed.is_empty() };
    if first.trim() == "…" {
        // The earliest place will do: what follows up to the next `…` is the same wherever it is found.
        return (0..=printed.len()).any(|skipped| lines(rest, &printed[skipped..], at + 1, reached));
    }
    match printed.split_first() {
        Some((line, others)) => fits(first.trim_end(), line) && lines(rest, others, at + 1, reached),
        None => false,
    }
}

/// Whether a line is as a pattern with `…` in it says.
fn fits(pattern: &str, line: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('…') else { return pattern == line };
    let Some(mut line) = line.strip_prefix(start) else { return false };
    let mut pieces: Vec<&str> = rest.split('…').collect();
    let end = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match line.find(piece) {
            Some(found) => line = &line[found + piece.len()..],
            None => return false,
        }
    }
    line.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_wrong(shown: &str, printed: &str) -> Option<usize> {
        mismatch(&shown.lines().map(str::to_owned).collect::<Vec<_>>(), printed)
    }

    #[test]
    fn what_is_shown_has_to_be_printed() {
        assert_eq!(first_wrong("a\nb", "a\nb  \n"), None);
        assert_eq!(first_wrong("a\nb", "a\nc\n"), Some(1));
        assert_eq!(first_wrong("a\nb", "a\n"), Some(1));
        assert_eq!(first_wrong("a", "a\nb\n"), Some(1));
        assert_eq!(first_wrong("", "a\n"), Some(0));
        assert_eq!(first_wrong("", ""), None);
    }

    #[test]
    fn an_ellipsis_stands_for_lines_or_characters() {
        assert_eq!(first_wrong("…\nb\n…\nd", "a\nb\nc\nb\nd\n"), None);
        assert_eq!(first_wrong("a\n…", "a\n"), None);
        assert_eq!(first_wrong("…\nb\n…", "a\nc\n"), Some(1));
        assert_eq!(first_wrong("hash … of …", "hash 12ab of x\n"), None);
        assert_eq!(first_wrong("hash … of y", "hash 12ab of x\n"), Some(0));
        assert_eq!(first_wrong("a…a", "a\n"), Some(0));
    }
}
