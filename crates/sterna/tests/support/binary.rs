//! The binary as a process: run to its end, or running beside the test.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use super::{Log, eventually};

/// A command of the binary, without anything of the environment that would change what it does.
pub fn sterna(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sterna"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("STERNA_") || name.starts_with("MIGRATORYDATA_") {
            command.env_remove(&*name);
        }
    }
    command
}

/// A process beside the test; killed with it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Lines of standard output.
    pub stdout: Log,
    /// Lines of standard error.
    pub stderr: Log,
}

/// What a process left behind.
#[derive(Debug)]
pub struct Finished {
    /// Exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Lines of standard output.
    pub stdout: Vec<String>,
    /// Lines of standard error.
    pub stderr: Vec<String>,
}

impl Running {
    /// Starts a command.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the binary can be started");
        let stdout = Log::collect(child.stdout.take().unwrap());
        let stderr = Log::collect(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to standard input, which the command must have as a pipe.
    pub fn write(&mut self, text: &str) {
        self.child.stdin.as_mut().expect("a pipe").write_all(text.as_bytes()).unwrap();
    }

    /// Ends standard input.
    pub fn end_input(&mut self) {
        self.child.stdin = None;
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status();
        assert!(status.expect("there is a program kill").success(), "kill -{name} {}", self.id());
    }

    /// Whether it has not ended yet.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end; gives the exit code, none if a signal ended it.
    ///
    /// # Panics
    /// It does not end in time.
    pub fn wait(&mut self) -> Option<i32> {
        eventually("the end of the process", || self.child.try_wait().unwrap()).code()
    }

    /// Ends standard input, and waits for the end.
    ///
    /// # Panics
    /// It does not end in time.
    pub fn finish(mut self) -> Finished {
        self.end_input();
        let code = self.wait();
        Finished { code, stdout: self.stdout.all(), stderr: self.stderr.all() }
    }

    /// Kills it with SIGKILL, if it still runs.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Finished {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        Running::start(command).finish()
    }

    /// Standard error as one text.
    pub fn error_text(&self) -> String {
        self.stderr.join("\n")
    }
}
