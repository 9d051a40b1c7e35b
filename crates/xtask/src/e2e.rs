//! Suites that judge the release binary from outside: browsers, foreign clients, conformance suites.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::program::{run as run_program, target_directory};

/// Runs `run` of every folder of `tests/`, in the order of their names, with the path of the release binary in
/// `STERNA_BINARY`. A suite that lacks a tool fails and says which: what is skipped silently is not tested.
///
/// # Errors
/// The first suite that failed.
pub(crate) fn run(root: &Path) -> Result {
    let binary = target_directory(root)?.join("release/sterna");
    let suites = suites(&root.join("tests"))?;
    for suite in &suites {
        println!("--- {}", suite.display());
        let mut command = Command::new(suite);
        let folder = suite.parent().expect("a suite is a file in a folder");
        run_program(command.current_dir(folder).env("STERNA_BINARY", &binary))?;
    }
    println!("{} suites", suites.len());
    Ok(())
}

fn suites(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut suites = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let script = entry?.path().join("run");
        if script.exists() {
            suites.push(script);
        }
    }
    suites.sort();
    Ok(suites)
}
