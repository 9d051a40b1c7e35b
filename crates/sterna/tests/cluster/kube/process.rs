//! Programs of the system that the harness calls, and threads inside network namespaces.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Runs a program to its end; gives what it wrote, or a sentence that says how it failed.
pub(crate) fn run<'a>(words: impl IntoIterator<Item = &'a str>, input: &str) -> Result<String, String> {
    let words: Vec<&str> = words.into_iter().collect();
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", words[0]))?;
    // A program that ends without reading has its own complaint.
    let _ = child.stdin.take().expect("it is a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().map_err(|error| format!("{}: {error}", words[0]))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{}` ended with {}: {}", words.join(" "), output.status, complaint.trim()))
}

/// Runs a command line without quotes that cannot fail.
///
/// # Panics
/// It fails.
pub(crate) fn must(line: &str) -> String {
    run(line.split_whitespace(), "").unwrap_or_else(|problem| panic!("{problem}"))
}

/// Applies an nftables script inside a network namespace.
///
/// # Panics
/// It is refused.
pub(crate) fn nft(namespace: &str, script: &str) {
    run(["ip", "netns", "exec", namespace, "nft", "-f", "-"], script)
        .unwrap_or_else(|problem| panic!("{problem}\n{script}"));
}

/// Moves this thread into a network namespace, for good. Threads and processes that it starts are there as well.
///
/// # Panics
/// There is no such namespace.
pub(crate) fn enter(namespace: &str) {
    let file = File::open(Path::new("/run/netns").join(namespace))
        .unwrap_or_else(|error| panic!("network namespace {namespace}: {error}"));
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
        .unwrap_or_else(|error| panic!("network namespace {namespace}: {error}"));
}

/// Does something inside a network namespace, and comes back.
///
/// # Panics
/// There is no such namespace, or `what` panics.
pub(crate) fn inside<T: Send>(namespace: &str, what: impl FnOnce() -> T + Send) -> T {
    let inside = || {
        enter(namespace);
        what()
    };
    thread::scope(|scope| scope.spawn(inside).join()).expect("the work inside a namespace does not panic")
}
