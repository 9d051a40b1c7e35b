//! Client commands run against a member.

use std::process::{Command, Stdio};

use crate::support::{Finished, Member, Running, TOKEN, sterna};

/// A command that connects to this member, with the token that may publish.
pub(crate) fn command(member: &Member, arguments: &[&str]) -> Command {
    let mut command = sterna(arguments);
    command.args(["--server", &member.address()]).env("STERNA_TOKEN", TOKEN);
    command
}

/// Runs it to its end.
pub(crate) fn run(member: &Member, arguments: &[&str]) -> Finished {
    Finished::of(&mut command(member, arguments))
}

/// Runs it to its end with this standard input.
pub(crate) fn run_with_input(member: &Member, arguments: &[&str], input: &str) -> Finished {
    let mut running = Running::start(command(member, arguments).stdin(Stdio::piped()));
    running.write(input);
    running.finish()
}

/// Runs it to its end, which must be a success without a word on standard error; gives its output.
pub(crate) fn succeed(member: &Member, arguments: &[&str]) -> Vec<String> {
    let finished = run(member, arguments);
    assert_eq!((finished.code, &*finished.stderr), (Some(0), &[][..]), "{arguments:?}");
    finished.stdout
}

/// Runs `sub --verbose` beside the test, and waits until it is subscribed.
pub(crate) fn subscribe(member: &Member, arguments: &[&str]) -> Running {
    let arguments = [&["sub", "--verbose"], arguments].concat();
    let running = Running::start(&mut command(member, &arguments));
    running.stderr.find(": fresh at ").expect("it subscribes");
    running
}
