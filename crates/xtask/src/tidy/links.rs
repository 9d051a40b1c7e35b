//! What the documents point at exists: relative links, their headings, and the paths that maps name.

use super::finding::Finding;
use crate::tree::{File, Tree};

const RULE: &str = "link";

/// Documents whose paths in backticks must exist, relative to the root or to `crates/`.
const MAPS: [&str; 5] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "GLOSSARY.md", "README.md", "SECURITY.md"];

/// Looks at every Markdown file.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files.iter().filter(|file| file.is_markdown()).flat_map(|file| check_file(tree, file)).collect()
}

fn check_file(tree: &Tree, file: &File) -> Vec<Finding> {
    let is_map = MAPS.contains(&file.path.as_str());
    let mut findings = Vec::new();
    for (line, text) in prose(file) {
        for target in targets(text).filter(|target| !leads(tree, &file.path, target)) {
            findings.push(Finding::new(RULE, &file.path, line, format!("{target} leads nowhere")));
        }
        let paths = codes(text).into_iter().filter(|code| is_map && is_path(tree, code));
        for path in paths.filter(|path| !tree.has(path) && !tree.has(&format!("crates/{path}"))) {
            findings.push(Finding::new(RULE, &file.path, line, format!("{path} does not exist")));
        }
    }
    findings
}

/// Lines outside fenced code.
fn prose(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    file.lines().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    })
}

/// The texts in backticks, but for those that are a link's: its target is looked at anyway.
fn codes(line: &str) -> Vec<&str> {
    let parts: Vec<&str> = line.split('`').collect();
    let is_label = |at: usize| {
        parts[at - 1].ends_with('[') && parts.get(at + 1).is_some_and(|next| next.starts_with("]("))
    };
    (1..parts.len()).step_by(2).filter(|at| !is_label(*at)).map(|at| parts[at]).collect()
}

/// The targets of `[text](target)` and `[name]: target`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let named =
        line.starts_with('[').then(|| line.split_once("]: ")).flatten().map(|(_, target)| target.trim());
    inline.chain(named)
}

fn leads(tree: &Tree, from: &str, target: &str) -> bool {
    if ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return true;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let Some(path) = (if path.is_empty() { Some(from.into()) } else { resolve(from, path) }) else {
        return false;
    };
    match (heading, tree.file(&path)) {
        ("", _) => tree.has(&path),
        (heading, Some(file)) if file.is_markdown() => headings(file).any(|slug| slug == heading),
        (_, file) => file.is_some(),
    }
}

/// The path that `target` means in a file; none if it leads out of the project.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

/// The names that a forge gives to the headings of a document.
fn headings(file: &File) -> impl Iterator<Item = String> {
    prose(file).filter_map(|(_, line)| line.strip_prefix('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        title.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
    })
}

/// Whether a text in backticks is meant as a path of the project: its first part is one of our folders, or
/// its ending is that of one of our files.
fn is_path(tree: &Tree, code: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    let Some((first, _)) = code.split_once('/').filter(|(first, _)| !first.is_empty()) else { return false };
    let has_ending = [".rs", ".md", ".toml"].iter().any(|ending| code.ends_with(ending));
    code.chars().all(plain) && (has_ending || tree.has(first) || tree.has(&format!("crates/{first}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        let others =
            [("docs/a.md", "# Its `First` part: one\n"), ("crates/wire/src/lib.rs", ""), (".ci/run", "")];
        check(&Tree::of(&[others[0], others[1], others[2], (path, text)])).iter().map(|f| f.line).collect()
    }

    #[test]
    fn links_that_lead_somewhere_are_good() {
        let text = "[a](../a.md) [b](../a.md#its-first-part-one) [c](#top) [d](https://x.y) [e](../)\n# Top\n[f]: ../../.ci/run\n";
        assert_eq!(found("docs/adr/b.md", text), [0; 0]);
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let text = "[a](gone.md)\n[b](../a.md#gone)\n[c](#gone)\n[d](../../../up.md)\n[e]: gone\n";
        assert_eq!(found("docs/adr/b.md", text), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn code_is_no_link() {
        assert_eq!(found("docs/b.md", "```\n[a](gone.md)\n```\n"), [0; 0]);
    }

    #[test]
    fn maps_name_paths_that_exist() {
        let good = "`crates/wire/src/lib.rs` `wire/src/` `.ci/run` `text/plain` `/ws` `cargo test` [`src/lib.rs`](.ci/run)\n";
        assert_eq!(found("ARCHITECTURE.md", good), [0; 0]);
        assert_eq!(found("ARCHITECTURE.md", "`wire/src/gone.rs`\n`crates/gone`\n`gone/lib.rs`\n"), [1, 2, 3]);
        assert_eq!(found("docs/b.md", "`wire/src/gone.rs`\n"), [0; 0]);
    }
}
