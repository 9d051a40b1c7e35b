//! Suites that judge the release binary from outside: browsers, foreign clients, conformance suites.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::lanes::{self, Job};
use crate::program::target_directory;

/// It takes longest, most of it waiting, so it begins first.
const LONGEST: &str = "cluster";

/// Runs `run` of every folder of `tests/` with the path of the release binary in `STERNA_BINARY`. A suite that lacks a
/// tool fails and says which: what is skipped silently is not tested.
///
/// # Errors
/// The suites that failed.
pub(crate) fn run(root: &Path) -> Result {
    let target = target_directory(root)?;
    let suites = suites(&root.join("tests"))?;
    let count = suites.len();
    let job = |name: String| {
        let folder = root.join("tests").join(&name);
        let mut command = Command::new(folder.join("run"));
        command.current_dir(folder).env("STERNA_BINARY", target.join("release/sterna"));
        Job { name, command }
    };
    lanes::run(suites.into_iter().map(job).collect(), &target.join("e2e"))?;
    println!("{count} suites");
    Ok(())
}

/// Names of the suites, the longest first.
fn suites(folder: &Path) -> Result<Vec<String>> {
    let mut suites = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().join("run").exists() {
            suites.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    suites.sort_by_key(|name| (name != LONGEST, name.clone()));
    Ok(suites)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_suite_begins() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let suites = suites(&root.join("tests")).unwrap();
        assert_eq!(suites[0], LONGEST);
        assert!(suites.len() > 1, "{suites:?}");
    }
}
