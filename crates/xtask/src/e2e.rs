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
    let suites = suites(&root.join("tests"), &target.join("release/sterna"))?;
    let count = suites.len();
    lanes::run(suites, &target.join("e2e"))?;
    println!("{count} suites");
    Ok(())
}

/// The suites of the folder, the longest first.
fn suites(folder: &Path, binary: &Path) -> Result<Vec<Job>> {
    let mut suites = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let script = entry.path().join("run");
        if script.exists() {
            let mut command = Command::new(script);
            command.current_dir(entry.path()).env("STERNA_BINARY", binary);
            suites.push(Job { name: entry.file_name().to_string_lossy().into_owned(), command });
        }
    }
    lanes::begin_with(LONGEST, &mut suites);
    Ok(suites)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_suite_begins() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let suites = suites(&root.join("tests"), Path::new("sterna")).unwrap();
        assert_eq!(suites[0].name, LONGEST);
        assert!(suites.len() > 1);
    }
}
