//! The index of the decisions, from their file names and titles.

use std::fs;
use std::path::Path;

use crate::Result;

const HEAD: &str = "\
<!-- Written by `cargo xtask docs` from the files beside it; do not edit. -->

# Decisions

Dated, short, never rewritten: a later decision that changes an earlier one says so, and the earlier one gets a
line that points to it. Each says what was decided, why, and what would make us think again.

| date | decision |
| --- | --- |
";

/// The whole page.
///
/// # Errors
/// A file cannot be read, or is not called `YYYY-MM-DD-title.md` with a `# Title` in its first line.
pub(super) fn index(folder: &Path) -> Result<String> {
    let mut rows = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != "README.md" {
            rows.push(row(&name, &fs::read_to_string(&path)?)?);
        }
    }
    rows.sort();
    Ok(HEAD.to_owned() + &rows.concat())
}

fn row(name: &str, text: &str) -> Result<String> {
    let date = name
        .get(..10)
        .filter(|date| is_date(date))
        .filter(|_| name[10..].starts_with('-') && name.ends_with(".md"));
    let title = text.lines().next().and_then(|line| line.strip_prefix("# "));
    match (date, title) {
        (Some(date), Some(title)) => Ok(format!("| {date} | [{title}]({name}) |\n")),
        _ => Err(format!("docs/adr/{name}: call it YYYY-MM-DD-title.md and begin with `# Title`").into()),
    }
}

fn is_date(text: &str) -> bool {
    text.char_indices().all(|(at, c)| if matches!(at, 4 | 7) { c == '-' } else { c.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_becomes_a_row() {
        let row = row("2026-11-22-own-loops.md", "# Own loops\n\nWhy.\n").unwrap();
        assert_eq!(row, "| 2026-11-22 | [Own loops](2026-11-22-own-loops.md) |\n");
    }

    #[test]
    fn a_decision_without_date_or_title_is_refused() {
        assert!(row("own-loops.md", "# Own loops\n").is_err());
        assert!(row("2026-11-22-own-loops.md", "Own loops\n").is_err());
    }
}
