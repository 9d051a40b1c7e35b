//! `cargo deny`: what the dependencies must obey, and how much of it can be checked without the internet.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;
use crate::program::{cargo, run as run_program, target_directory};

/// The version that `deny.toml` was written for.
const VERSION: &str = "0.20.2";

/// Checks licences, duplicates and sources always, advisories where their database can be fetched.
///
/// # Errors
/// A dependency breaks a rule, or the tool cannot be built.
pub(crate) fn run(root: &Path) -> Result {
    let tool = check_offline(root)?;
    match fetch_advisories(&tool, root) {
        Ok(()) => check_advisories(&tool, root),
        Err(problem) => {
            println!(
                "ADVISORIES NOT CHECKED: {problem}. Before a release run `cargo xtask deny --advisories`."
            );
            Ok(())
        }
    }
}

/// The same, but a database that cannot be fetched is a failure.
///
/// # Errors
/// As `run`, or the advisory database cannot be fetched.
pub(crate) fn with_advisories(root: &Path) -> Result {
    let tool = check_offline(root)?;
    fetch_advisories(&tool, root)?;
    check_advisories(&tool, root)
}

fn check_offline(root: &Path) -> Result<PathBuf> {
    let tool = tool(root)?;
    run_program(Command::new(&tool).args(["check", "bans", "licenses", "sources"]).current_dir(root))?;
    Ok(tool)
}

/// The advisories come from a git repository that a closed network cannot reach; git says so at once.
fn fetch_advisories(tool: &Path, root: &Path) -> Result {
    let mut command = Command::new(tool);
    command.args(["fetch", "db"]).current_dir(root).env("GIT_TERMINAL_PROMPT", "0");
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let reason = complaint.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    Err(format!("the advisory database cannot be fetched ({})", reason.trim()).into())
}

fn check_advisories(tool: &Path, root: &Path) -> Result {
    run_program(Command::new(tool).args(["check", "advisories"]).current_dir(root))
}

/// `cargo-deny` of the right version: the one on the path, or one built into the target directory, which takes
/// a minute, once: without optimisation, because it has little to do.
fn tool(root: &Path) -> Result<PathBuf> {
    let ours = target_directory(root)?.join("tools");
    let binary = ours.join("bin/cargo-deny");
    if let Some(found) = [PathBuf::from("cargo-deny"), binary.clone()].into_iter().find(|path| is_right(path))
    {
        return Ok(found);
    }
    println!("building cargo-deny {VERSION} into {}", ours.display());
    let arguments =
        ["install", "cargo-deny", "--locked", "--debug", "--quiet", "--version", VERSION, "--root"];
    run_program(cargo(root, &arguments).arg(&ours))?;
    Ok(binary)
}

fn is_right(binary: &Path) -> bool {
    let output = Command::new(binary).arg("--version").stderr(Stdio::null()).output();
    output
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == format!("cargo-deny {VERSION}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// Identifiers of advisories outside of comments.
    fn advisories(file: &str) -> BTreeSet<&str> {
        let lines = file.lines().filter(|line| !line.trim_start().starts_with('#'));
        lines.flat_map(|line| line.split('"').filter(|word| word.starts_with("RUSTSEC-"))).collect()
    }

    #[test]
    fn cargo_audit_has_the_same_exceptions() {
        let deny = advisories(include_str!("../../../deny.toml"));
        assert_eq!(advisories(include_str!("../../../.cargo/audit.toml")), deny);
        assert!(!deny.is_empty(), "without exceptions, audit.toml and this test can go");
    }
}
