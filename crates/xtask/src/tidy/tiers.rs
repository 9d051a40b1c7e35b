//! Arrows only downward: the tiers in the head of the root manifest against what cargo says of dependencies.

use std::collections::BTreeMap;

use serde_json::Value;

use super::finding::Finding;
use crate::tree::Tree;

const RULE: &str = "tier";
const MANIFEST: &str = "Cargo.toml";

/// A crate may depend on crates of lower tiers; its tests also on crates of its own.
pub(super) fn check(tree: &Tree, metadata: &Value) -> Vec<Finding> {
    let manifest = tree.file(MANIFEST).map_or("", |file| file.text.as_str());
    let tiers = tiers(manifest);
    let mut findings = Vec::new();
    let packages = array(&metadata["packages"]);
    for package in packages {
        let name = folder_of(&package["manifest_path"], 1);
        let Some(tier) = tiers.get(name) else {
            findings.push(Finding::new(RULE, MANIFEST, 0, format!("give {name} a tier in the head")));
            continue;
        };
        for dependency in
            array(&package["dependencies"]).iter().filter(|dependency| dependency["path"].is_string())
        {
            let other = folder_of(&dependency["path"], 0);
            let allowed = match (tiers.get(other), dependency["kind"].as_str()) {
                (Some(below), Some("dev")) => below <= tier,
                (Some(below), _) => below < tier,
                (None, _) => false,
            };
            if !allowed {
                let message =
                    format!("{name} (tier {tier}) must not depend on {other}: arrows only downward");
                findings.push(Finding::new(RULE, &format!("crates/{name}/Cargo.toml"), 0, message));
            }
        }
    }
    let known = |name: &&str| packages.iter().any(|package| folder_of(&package["manifest_path"], 1) == *name);
    let gone = tiers.keys().filter(|name| !known(name));
    findings
        .extend(gone.map(|name| Finding::new(RULE, MANIFEST, 0, format!("{name} in the head is no crate"))));
    findings
}

/// Lines such as `#   3  server, bench, sim`; a remark in brackets is passed over.
fn tiers(manifest: &str) -> BTreeMap<&str, u32> {
    let mut tiers = BTreeMap::new();
    for line in manifest.lines().map_while(|line| line.strip_prefix('#')) {
        let Some((number, names)) = line.trim().split_once(' ') else { continue };
        let Ok(number) = number.parse() else { continue };
        let names = names.split(',').filter_map(|name| name.split_whitespace().next());
        tiers.extend(names.map(|name| (name, number)));
    }
    tiers
}

/// The last part of a path, or the one `up` before it.
fn folder_of(path: &Value, up: usize) -> &str {
    path.as_str().and_then(|path| path.rsplit('/').nth(up)).unwrap_or_default()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HEAD: &str =
        "# The workspace. Tiers:\n#   1  top (the binary), side\n#   0  base\n[workspace]\n#  7 late\n";

    fn findings(from: &str, to: &str, kind: Option<&str>) -> usize {
        let package = |name: &str, dependencies: Value| json!({"manifest_path": format!("/p/crates/{name}/Cargo.toml"), "dependencies": dependencies});
        let packages: Vec<Value> = ["top", "side", "base"]
            .iter()
            .map(|name| {
                let own = json!([{"path": format!("/p/crates/{to}"), "kind": kind}, {"name": "serde"}]);
                package(name, if *name == from { own } else { json!([]) })
            })
            .collect();
        check(&Tree::of(&[(MANIFEST, HEAD)]), &json!({"packages": packages})).len()
    }

    #[test]
    fn tiers_are_read_from_the_head_alone() {
        assert_eq!(tiers(HEAD), BTreeMap::from([("top", 1), ("side", 1), ("base", 0)]));
    }

    #[test]
    fn downward_is_allowed_sideways_and_upward_are_not() {
        assert_eq!(findings("top", "base", None), 0);
        assert_eq!(findings("top", "side", None), 1);
        assert_eq!(findings("base", "top", None), 1);
        assert_eq!(findings("base", "top", Some("build")), 1);
    }

    #[test]
    fn tests_may_look_sideways_but_not_upward() {
        assert_eq!(findings("top", "side", Some("dev")), 0);
        assert_eq!(findings("base", "top", Some("dev")), 1);
    }

    #[test]
    fn table_and_crates_must_agree() {
        let packages =
            json!({"packages": [{"manifest_path": "/p/crates/new/Cargo.toml", "dependencies": []}]});
        let head = "#  0  old\n";
        assert_eq!(check(&Tree::of(&[(MANIFEST, head)]), &packages).len(), 2);
    }
}
