//! Dependencies are declared once, in the root manifest, each with its reason beside it.

use super::finding::Finding;
use crate::tree::{File, Tree};

const RULE: &str = "dependency";

/// Every foreign dependency of the workspace has a reason; every crate takes its dependencies from there.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let is_member = |file: &&File| file.path.starts_with("crates/") && file.path.ends_with("/Cargo.toml");
    let members = tree.files.iter().filter(is_member).flat_map(member);
    tree.file("Cargo.toml").into_iter().flat_map(root).chain(members).collect()
}

fn root(file: &File) -> Vec<Finding> {
    let foreign = dependencies(file).filter(|(_, line)| !line.contains("path = "));
    foreign
        .filter(|(_, line)| line.rsplit_once('#').is_none_or(|(_, reason)| reason.trim().is_empty()))
        .map(|(number, _)| Finding::new(RULE, &file.path, number, "say beside it why we need it: `# reason`"))
        .collect()
}

fn member(file: &File) -> Vec<Finding> {
    let own = dependencies(file).filter(|(_, line)| {
        let name = line.split('=').next().unwrap_or_default().trim();
        !name.ends_with(".workspace") && !line.contains("workspace = true")
    });
    let message = "declare it in the root manifest and write `.workspace = true` here";
    own.map(|(number, _)| Finding::new(RULE, &file.path, number, message)).collect()
}

/// The lines below headings that end in `dependencies]`.
fn dependencies(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    file.lines().filter(move |(_, line)| {
        if line.starts_with('[') {
            inside = line.trim_end().ends_with("dependencies]");
            return false;
        }
        inside && !line.trim().is_empty() && !line.starts_with('#')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn each_dependency_has_a_reason() {
        let text = "[workspace.dependencies]\n# group\na = \"1\" # because\nb = \"1\"\nc = \"1\" #\nd = { path = \"d\" }\n\
                    [profile.dev]\nx = 1\n";
        assert_eq!(lines("Cargo.toml", text), [4, 5]);
    }

    #[test]
    fn members_take_theirs_from_the_workspace() {
        let text = "[package]\nversion = \"1\"\n[dependencies]\na.workspace = true\nb = { workspace = true, optional = true }\n\
                    [dev-dependencies]\nc = \"1\"\n";
        assert_eq!(lines("crates/a/Cargo.toml", text), [7]);
    }
}
