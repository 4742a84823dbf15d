//! Whether links lead somewhere: to a page that the book has and, with `#…`, to a place on it, as mdBook has built them;
//! from the README also to any file of the checkout. Links to other hosts are counted, not followed.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag};

use super::read;
use crate::run::{Failure, root};

#[derive(Default)]
pub struct Links {
    within: usize,
    elsewhere: usize,
}

impl fmt::Display for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} links lead somewhere; {} to other hosts were not followed", self.within, self.elsewhere)
    }
}

/// `built` is what mdBook has made of docs/src.
pub fn check(pages: &[PathBuf], built: &Path) -> Result<Links, Failure> {
    let mut links = Links::default();
    let mut dead = Vec::new();
    let summary = read(Path::new("docs/src/SUMMARY.md"))?;
    for page in pages {
        let text = read(page)?;
        let relative = page.strip_prefix("docs/src").ok();
        if let Some(relative) = relative
            && relative != Path::new("SUMMARY.md")
            && !summary.contains(&format!("({})", relative.display()))
        {
            dead.push((page.clone(), 1, "SUMMARY.md does not have this page".to_owned()));
        }
        for (line, link) in of(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                links.elsewhere += 1;
                continue;
            }
            links.within += 1;
            if let Err(reason) = follow(page, &link, built) {
                dead.push((page.clone(), line, format!("`{link}` {reason}")));
            }
        }
    }
    for (page, line, reason) in &dead {
        println!("book: {}:{line}: {reason}", page.display());
    }
    if dead.is_empty() { Ok(links) } else { Err(Failure::Links { dead: dead.len() }) }
}

/// Line and target of each.
fn of(text: &str) -> Vec<(usize, String)> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
        .into_offset_iter()
        .filter_map(|(event, range)| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some((text[..range.start].matches('\n').count() + 1, dest_url.to_string()))
            }
            _ => None,
        })
        .collect()
}

fn follow(page: &Path, link: &str, built: &Path) -> Result<(), String> {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = if path.is_empty() {
        page.to_owned()
    } else {
        plain(&page.parent().unwrap_or(Path::new("")).join(path)).ok_or("leads out of the checkout")?
    };
    let in_book = target.strip_prefix("docs/src");
    if page.starts_with("docs/src") && in_book.is_err() {
        return Err("leads out of the book, where its readers cannot follow; name the file instead".into());
    }
    if !root().join(&target).exists() {
        return Err("leads to no file".into());
    }
    let html = match in_book {
        Ok(relative) if relative.extension().is_some_and(|extension| extension == "md") => {
            built.join(relative).with_extension("html")
        }
        // A picture, or another file of the checkout.
        _ => return if anchor.is_none() { Ok(()) } else { Err("names a place on something that is no page".into()) },
    };
    let html = std::fs::read_to_string(html).map_err(|_| "leads to a page that SUMMARY.md does not have")?;
    match anchor {
        Some(anchor) if !html.contains(&format!("id=\"{anchor}\"")) => Err("leads to no place on that page".into()),
        _ => Ok(()),
    }
}

/// Without `.` and `..`.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir if !plain.pop() => return None,
            _ => {}
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_links_are_found() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("introduction.html"), "<h2 id=\"here\">").unwrap();
        let follow = |page: &str, link: &str| follow(Path::new(page), link, folder.path()).is_ok();
        assert!(follow("README.md", "docs/src/introduction.md#here"));
        assert!(follow("README.md", "wit/platform.wit"));
        assert!(follow("docs/src/introduction.md", "#here"));
        assert!(!follow("docs/src/introduction.md", "#there"));
        assert!(!follow("docs/src/introduction.md", "../../wit/platform.wit"));
        assert!(!follow("README.md", "docs/src/no-such-page.md"));
        assert!(!follow("README.md", "../x"));
    }

    #[test]
    fn links_are_found_with_their_lines() {
        assert_eq!(of("a\n\nb [c](d.md#e) `[no](x)`\n"), [(3, "d.md#e".to_owned())]);
    }
}
