//! What the system says of a running member.

use std::process::Command;

use crate::support::Member;

/// What Linux says of a process under this name.
fn status(id: u32, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("the process runs");
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.expect("Linux says it").trim().to_owned()
}

/// Resident memory, bytes.
pub(crate) fn resident_bytes(id: u32) -> usize {
    let kilobytes: usize = status(id, "VmRSS").trim_end_matches(" kB").parse().expect("a number");
    kilobytes * 1024
}

/// Open sockets.
pub(crate) fn open_sockets(id: u32) -> usize {
    let files = std::fs::read_dir(format!("/proc/{id}/fd")).expect("the process runs");
    let is_socket = |file: &std::fs::DirEntry| {
        std::fs::read_link(file.path()).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    };
    files.filter_map(Result::ok).filter(is_socket).count()
}

/// Lets the tests have that many open files, as far as the system allows.
pub(crate) fn allow_files(count: u32) {
    let id = std::process::id().to_string();
    let status = Command::new("prlimit").args(["--pid", &id, &format!("--nofile={count}:")]).status();
    assert!(status.expect("there is a program prlimit").success());
}

#[test]
fn a_member_has_no_huge_pages_whatever_the_machine_is_set_to() {
    let member = Member::start(&[]);
    assert_eq!(status(member.id(), "THP_enabled"), "0");
}
