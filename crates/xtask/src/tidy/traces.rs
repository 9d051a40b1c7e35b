//! Nothing of the machine a change was made on: folders, package mirrors, registries.

use super::finding::Finding;
use crate::tree::{File, Tree};

const RULE: &str = "trace";

/// The one source of crates that a lock file may name.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Texts that belong to one machine, put together here so that this file does not contain them.
const TEXTS: [(&str, &str); 6] = [
    (concat!("/wo", "rk/"), "use a path relative to the project"),
    (concat!("/ro", "ot/"), "use a path relative to the project"),
    (concat!("index", "-url"), "leave the choice of a mirror to the machine"),
    (concat!("replace", "-with"), "leave the choice of a mirror to the machine"),
    (
        concat!("\"resolved\"", ": \"http"),
        "omit resolved addresses from lock files (`omit-lockfile-registry-resolved`)",
    ),
    (concat!("registry", "=http"), "leave the choice of a mirror to the machine"),
];

/// Looks at every file.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files.iter().flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let is_lock = file.path.ends_with("Cargo.lock");
    let mut findings = Vec::new();
    for (line, text) in file.lines() {
        let traces = TEXTS.iter().filter(|(trace, _)| text.contains(trace));
        findings.extend(
            traces.map(|(trace, remedy)| Finding::new(RULE, &file.path, line, format!("{trace}: {remedy}"))),
        );
        if is_lock && text.starts_with("source = ") && !text.contains(CRATES_IO) {
            findings.push(Finding::new(RULE, &file.path, line, "take the crate from crates.io"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_machine_are_found() {
        let (trace, _) = TEXTS[0];
        let tree = Tree::of(&[("a.md", &format!("see {trace}shared")), ("b.md", "see docs/framework/")]);
        assert_eq!(check(&tree).len(), 1);
    }

    #[test]
    fn crates_come_from_crates_io() {
        let lock = format!("source = \"{CRATES_IO}\"\nsource = \"registry+https://example.org/index\"\n");
        assert_eq!(check(&Tree::of(&[("Cargo.lock", &lock)]))[0].line, 2);
    }
}
