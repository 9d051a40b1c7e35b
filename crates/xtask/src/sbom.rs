//! The bill of materials of the binary: CycloneDX 1.5, from what cargo resolves for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::Result;
use crate::program::{cargo, output, target_directory};

/// What is shipped.
const PACKAGE: &str = "sterna";

/// A crate, and what it depends on itself.
#[derive(Debug, Default)]
struct Crate {
    /// SPDX expression.
    license: String,
    repository: String,
    dependencies: BTreeSet<String>,
}

/// Writes it beside the release binary, as `sterna.cdx.json`. The same lock file gives the same bytes.
///
/// # Errors
/// Cargo cannot resolve the dependencies, or the file cannot be written.
pub(crate) fn write(root: &Path) -> Result {
    // Not `cargo metadata`, which adds what the tests of other crates ask for.
    let arguments = ["tree", "--locked", "--package", PACKAGE, "--edges", "normal", "--prefix", "depth"];
    let tree = output(cargo(root, &arguments).args(["--format", "\t{p}\t{l}\t{r}"]))?;
    let folder = target_directory(root)?.join("release");
    let path = folder.join(format!("{PACKAGE}.cdx.json"));
    std::fs::create_dir_all(folder)?;
    std::fs::write(&path, format!("{:#}\n", bill(&parse(&tree)?)))?;
    println!("{}", path.display());
    Ok(())
}

/// The crates, by package URL. A line is a depth, a name with its version, a licence, a repository; what a crate depends
/// on follows it, one deeper, and only the first time.
fn parse(tree: &str) -> Result<BTreeMap<String, Crate>> {
    let mut crates = BTreeMap::<String, Crate>::new();
    let mut ancestors = Vec::<String>::new();
    for line in tree.lines() {
        let mut fields = line.trim_end_matches(" (*)").split('\t');
        let mut field = || fields.next().ok_or_else(|| format!("cargo tree wrote: {line}"));
        let (depth, package, license, repository) = (field()?.parse()?, field()?, field()?, field()?);
        let (name, version) = package.split_once(" v").ok_or(package)?;
        let url = format!("pkg:cargo/{name}@{}", version.split(' ').next().unwrap_or_default());
        ancestors.truncate(depth);
        if let Some(user) = ancestors.last() {
            crates.entry(user.clone()).or_default().dependencies.insert(url.clone());
        }
        let entry = crates.entry(url.clone()).or_default();
        entry.license = license.replace('/', " OR "); // as manifests were written before SPDX
        entry.repository = repository.to_owned();
        ancestors.push(url);
    }
    Ok(crates)
}

fn bill(crates: &BTreeMap<String, Crate>) -> Value {
    let is_product = |url: &str| url.starts_with(&format!("pkg:cargo/{PACKAGE}@"));
    let component = |(url, it): (&String, &Crate)| {
        let (name, version) = url["pkg:cargo/".len()..].split_once('@').expect("`parse` puts it there");
        let mut component = json!({
            "type": if is_product(url) { "application" } else { "library" },
            "bom-ref": url,
            "name": name,
            "version": version,
            "licenses": [{ "expression": it.license }],
            "purl": url,
        });
        if !it.repository.is_empty() {
            component["externalReferences"] = json!([{ "type": "vcs", "url": it.repository }]);
        }
        component
    };
    let (product, others): (Vec<_>, Vec<_>) = crates.iter().partition(|(url, _)| is_product(url));
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": product.into_iter().map(component).next() },
        "components": others.into_iter().map(component).collect::<Vec<_>>(),
        "dependencies": crates
            .iter()
            .map(|(url, it)| json!({ "ref": url, "dependsOn": it.dependencies }))
            .collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "0\tsterna v0.1.0 (/src/crates/sterna)\tApache-2.0\thttps://a.b/c\n\
                        1\tserde v1.0.2\tMIT/Apache-2.0\t\n\
                        2\tserde_derive v1.0.2 (proc-macro)\tMIT\t\n\
                        1\tserde_derive v1.0.2 (proc-macro)\tMIT\t (*)\n";

    #[test]
    fn every_crate_stands_once_with_what_it_depends_on() {
        let bill = bill(&parse(TREE).unwrap());
        assert_eq!(bill["metadata"]["component"]["purl"], "pkg:cargo/sterna@0.1.0");
        let names: Vec<_> = bill["components"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
        assert_eq!(names, ["serde", "serde_derive"]);
        assert_eq!(bill["components"][0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        let depends_on: Vec<_> =
            bill["dependencies"].as_array().unwrap().iter().map(|it| &it["dependsOn"]).collect();
        let [first, second] = ["pkg:cargo/serde@1.0.2", "pkg:cargo/serde_derive@1.0.2"];
        assert_eq!(depends_on, [&json!([second]), &json!([]), &json!([first, second])]);
    }

    #[test]
    fn no_path_of_this_machine_is_written() {
        assert!(!bill(&parse(TREE).unwrap()).to_string().contains("/src/"));
    }

    #[test]
    fn a_line_of_another_form_is_refused() {
        assert!(parse("sterna v0.1.0").is_err() && parse("0\tsterna\t\t").is_err());
    }
}
