//! Reads the tree once, asks every rule, and prints what is left after the listed exceptions.

use std::path::Path;

use super::{exceptions, leftovers, links, manifests, purity, sizes, tiers, traces, words};
use crate::Result;
use crate::program::metadata;
use crate::tree::Tree;

/// Checks the working copy.
///
/// # Errors
/// A rule is broken, or the working copy cannot be read.
pub(crate) fn run(root: &Path) -> Result {
    let tree = Tree::read(root)?;
    let found = [
        tiers::check(&tree, &metadata(root)?),
        manifests::check(&tree),
        purity::check(&tree),
        sizes::check(&tree),
        words::check(&tree),
        leftovers::check(&tree),
        links::check(&tree),
        traces::check(&tree),
    ];
    let (findings, excepted) = exceptions::apply(&tree, found.concat());
    for finding in &findings {
        println!("{finding}");
    }
    println!("{} files, {excepted} exceptions, {} findings", tree.files.len(), findings.len());
    if findings.is_empty() { Ok(()) } else { Err("the tree is not tidy".into()) }
}
