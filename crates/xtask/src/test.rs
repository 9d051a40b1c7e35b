//! The tests of every crate: built at once, run beside each other.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::Result;
use crate::lanes::{self, Job};
use crate::program::{cargo, output, run as run_program, target_directory};

/// It takes longest, most of it waiting, so it begins first.
const LONGEST: &str = "sterna-e2e";

/// Runs every test, those in documentation last.
///
/// # Errors
/// Something does not build, or the tests that failed.
pub(crate) fn run(root: &Path) -> Result {
    let arguments =
        ["test", "--locked", "--workspace", "--no-run", "--message-format", "json-render-diagnostics"];
    let mut jobs = jobs(&output(&mut cargo(root, &arguments))?)?;
    lanes::begin_with(LONGEST, &mut jobs);
    lanes::run(jobs, &target_directory(root)?.join("tests"))?;
    run_program(&mut cargo(root, &["test", "--locked", "--workspace", "--doc"]))
}

/// Test programs that cargo says it has built.
fn jobs(messages: &str) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line)?;
        let is_test = message["profile"]["test"] == true;
        let (Some(program), Some(manifest), true) =
            (message["executable"].as_str(), message["manifest_path"].as_str(), is_test)
        else {
            continue;
        };
        let folder = Path::new(manifest).parent().ok_or("a manifest without a folder")?;
        let package = folder.file_name().ok_or("a package without a name")?.to_string_lossy();
        let target = message["target"]["name"].as_str().ok_or("a test without a name")?;
        let kind = message["target"]["kind"][0].as_str().unwrap_or_default();
        // The tests inside a library or a program are called as it is.
        let name =
            if kind == "test" { format!("{package}-{target}") } else { format!("{package}-{kind}-{target}") };
        let mut command = Command::new(program);
        command.current_dir(folder);
        jobs.push(Job { name, command });
    }
    if jobs.is_empty() { Err("no tests were built".into()) } else { Ok(jobs) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_run_in_the_folder_of_their_package() {
        let messages = r#"
            {"reason":"compiler-artifact","manifest_path":"/p/crates/wire/Cargo.toml","target":{"kind":["test"],"name":"frames"},"profile":{"test":true},"executable":"/t/frames-1"}
            {"reason":"compiler-artifact","manifest_path":"/p/crates/wire/Cargo.toml","target":{"kind":["lib"],"name":"sterna_wire"},"profile":{"test":true},"executable":"/t/wire-2"}
            {"reason":"compiler-artifact","manifest_path":"/p/crates/sterna/Cargo.toml","target":{"kind":["bin"],"name":"sterna"},"profile":{"test":false},"executable":"/t/sterna"}
            {"reason":"compiler-artifact","manifest_path":"/p/crates/wire/Cargo.toml","target":{"kind":["lib"],"name":"sterna_wire"},"profile":{"test":false},"executable":null}
            {"reason":"build-finished","success":true}"#
            .trim();
        let jobs = jobs(messages).unwrap();
        let names: Vec<_> = jobs.iter().map(|job| &*job.name).collect();
        assert_eq!(names, ["wire-frames", "wire-lib-sterna_wire"]);
        assert_eq!(jobs[0].command.get_program(), "/t/frames-1");
        assert_eq!(jobs[0].command.get_current_dir(), Some(Path::new("/p/crates/wire")));
    }

    #[test]
    fn no_tests_at_all_are_a_failure() {
        assert!(jobs("{\"reason\":\"build-finished\",\"success\":true}").is_err());
    }
}
