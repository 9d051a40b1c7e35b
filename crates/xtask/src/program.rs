//! Running other programs: cargo above all.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Result;

/// A cargo command, run from the root of the workspace.
pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Command {
    // Set by `cargo run`: the same cargo that runs us.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root);
    command
}

/// Runs the command with our own output.
///
/// # Errors
/// The program cannot be started, or ends with a failure.
pub(crate) fn run(command: &mut Command) -> Result {
    let status = command.status().map_err(|problem| format!("{}: {problem}", line_of(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", line_of(command)).into()) }
}

/// Runs the command and returns what it printed; what it complains about goes to our own error output.
///
/// # Errors
/// The program cannot be started, ends with a failure, or prints something that is not UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|problem| format!("{}: {problem}", line_of(command)))?;
    if !output.status.success() {
        return Err(format!("{} ended with {}", line_of(command), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// What cargo knows of the workspace's own packages.
///
/// # Errors
/// A manifest cannot be read.
pub(crate) fn metadata(root: &Path) -> Result<Value> {
    let text = output(&mut cargo(root, &["metadata", "--no-deps", "--format-version", "1"]))?;
    Ok(serde_json::from_str(&text)?)
}

/// Where cargo builds.
///
/// # Errors
/// A manifest cannot be read.
pub(crate) fn target_directory(root: &Path) -> Result<PathBuf> {
    let metadata = metadata(root)?;
    Ok(metadata["target_directory"].as_str().ok_or("cargo metadata names no target directory")?.into())
}

fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    format!("`{}`", words.join(" "))
}
