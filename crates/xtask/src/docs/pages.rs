//! The list of generated documents; writing them, and telling whether they are fresh.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::{adr, chart, codes, migration};
use crate::Result;
use crate::program::{cargo, run as run_program};

/// A generated document.
struct Page {
    /// From the root of the project.
    path: &'static str,
    text: String,
}

/// A further document is a further line here.
fn pages(root: &Path) -> Result<Vec<Page>> {
    let chart = fs::read_to_string(root.join("deploy/helm/values.schema.in.json"))?;
    Ok(vec![
        Page { path: "deploy/helm/sterna/values.schema.json", text: chart::values_schema(&chart)? },
        Page { path: "docs/adr/README.md", text: adr::index(&root.join("docs/adr"))? },
        Page { path: "docs/reference/codes.md", text: codes::reference() },
        Page { path: "docs/reference/configuration.md", text: sterna_config::reference_markdown() },
        Page { path: "sterna.conf", text: sterna_config::default_file() },
    ])
}

/// Writes every document that is not fresh. A test of the server writes that of its metrics, and checks it in every
/// build: so this program is built without the server, in seconds.
///
/// # Errors
/// A file cannot be read or written.
pub(crate) fn write(root: &Path) -> Result {
    let arguments = ["test", "--quiet", "--package", "sterna-server", "--lib", "the_page_is_fresh"];
    run_program(cargo(root, &arguments).env("UPDATE", "1").stdout(Stdio::null()))?;
    for page in stale(root)? {
        let path = root.join(page.path);
        fs::create_dir_all(path.parent().expect("every page lies in a folder"))?;
        fs::write(path, page.text)?;
        println!("wrote {}", page.path);
    }
    Ok(())
}

/// Compares every document with what would be written, and one that people write with the declarations.
///
/// # Errors
/// A document is not fresh or not true, or cannot be read.
pub(crate) fn check(root: &Path) -> Result {
    let mistakes = migration::mistakes(&fs::read_to_string(root.join(migration::PAGE))?);
    if !mistakes.is_empty() {
        return Err(mistakes.join("\n").into());
    }
    let paths: Vec<&str> = stale(root)?.iter().map(|page| page.path).collect();
    if paths.is_empty() { Ok(()) } else { Err(format!("not fresh: {}", paths.join(", ")).into()) }
}

fn stale(root: &Path) -> Result<Vec<Page>> {
    let is_fresh =
        |page: &Page| fs::read(root.join(page.path)).is_ok_and(|text| text == page.text.as_bytes());
    Ok(pages(root)?.into_iter().filter(|page| !is_fresh(page)).collect())
}
