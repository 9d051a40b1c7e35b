//! What was meant to be taken out again: debugging aids, notes to oneself, editor files, large blobs.

use super::finding::Finding;
use crate::tree::{File, Tree};

const RULE: &str = "leftover";

/// Bytes of a file.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Endings of files that tools leave behind.
const ENDINGS: [&str; 6] = [".bak", ".orig", ".rej", ".swp", ".tmp", "~"];

/// Texts that must not be committed, put together here so that this file does not contain them.
const TEXTS: [(&str, &str); 6] = [
    (concat!("FIX", "ME"), "mend it, or write `TODO(owner, what ends it)`"),
    (concat!(" XX", "X"), "mend it, or write `TODO(owner, what ends it)`"),
    (concat!("dbg", "!("), "take it out"),
    (concat!("todo", "!("), "write it"),
    (concat!("<<<<", "<<< "), "resolve the conflict"),
    (concat!(">>>>", ">>> "), "resolve the conflict"),
];

/// Looks at every file.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files.iter().flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    if ENDINGS.iter().any(|ending| file.path.ends_with(ending)) {
        findings.push(Finding::new(RULE, &file.path, 0, "delete it"));
    }
    if file.bytes > FILE_BYTES_MAX {
        findings.push(Finding::new(
            RULE,
            &file.path,
            0,
            format!("{} bytes do not belong into git", file.bytes),
        ));
    }
    for (line, text) in file.lines() {
        let left = TEXTS.iter().filter(|(left, _)| text.contains(left));
        findings.extend(
            left.map(|(left, remedy)| Finding::new(RULE, &file.path, line, format!("{left}: {remedy}"))),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_found() {
        let (note, _) = TEXTS[0];
        let tree =
            Tree::of(&[("a.rs", &format!("fn a() {{}}\n// {note}: later")), ("a.rs.orig", ""), ("b.rs", "")]);
        let places: Vec<_> = check(&tree).into_iter().map(|finding| (finding.place, finding.line)).collect();
        assert_eq!(places, [("a.rs".into(), 2), ("a.rs.orig".into(), 0)]);
    }

    #[test]
    fn large_files_are_found() {
        let large = "a".repeat(FILE_BYTES_MAX + 1);
        assert_eq!(check(&Tree::of(&[("a.json", &large), ("b.json", &large[1..])])).len(), 1);
    }
}
