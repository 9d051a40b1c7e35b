//! Pure crates have no clock, socket, file, thread or chance: each carries the same list of banned calls.

use super::finding::Finding;
use crate::tree::Tree;

const RULE: &str = "purity";

/// Crates whose behaviour depends on their arguments alone.
const PURE: [&str; 8] = ["auth", "broker", "config", "model", "oracle", "replica", "sim", "wire"];

/// Clippy reads the `clippy.toml` of a member instead of the root's, and cannot include one in another.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let list = |name: &str| format!("crates/{name}/clippy.toml");
    let text = |name: &str| tree.file(&list(name)).map(|file| file.text.as_str());
    let model = text("model");
    let different = PURE.iter().filter(|name| model.is_none() || text(name) != model);
    let message = "must be the same as crates/model/clippy.toml, so that the crate stays pure";
    different.map(|name| Finding::new(RULE, &list(name), 0, message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_different_list_is_found() {
        assert_eq!(check(&Tree::of(&[])).len(), PURE.len());
        let tree = Tree::of(&[("crates/model/clippy.toml", "a"), ("crates/wire/clippy.toml", "b")]);
        let places: Vec<_> = check(&tree).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places.len(), PURE.len() - 1);
        assert!(places.contains(&"crates/wire/clippy.toml".into()));
    }
}
