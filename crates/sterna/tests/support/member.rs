//! A running member: started with options, ready when `start` returns, killed when it is dropped.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;

use sterna_client::{Client, Server, Settings};

use super::{Folder, Log, Running, SOON, eventually, sterna};

/// The token that may publish: members are started with it.
pub const TOKEN: &str = "token-of-the-tests";

/// Ports below the range from which the system takes those of outgoing connections, so that a member can come
/// back on its port.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A running member. A test fails if its log has an ERROR or WARN that was not [allowed](Self::allow).
#[derive(Debug)]
pub struct Member {
    running: Running,
    port: u16,
    options: Vec<String>,
    allowed: Vec<String>,
    folder: Folder,
}

impl Member {
    /// Starts a member with options such as `-DMemory=64MB`, and waits until it is ready. It listens on a free port
    /// of 127.0.0.1 and runs in an empty folder.
    ///
    /// # Panics
    /// It ends, or is not ready in time.
    pub fn start(options: &[&str]) -> Self {
        Self::start_in(Folder::new(), options)
    }

    /// The same in a folder that holds files for it.
    pub fn start_in(folder: Folder, options: &[&str]) -> Self {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let mut attempts = 0;
        let (port, running) = loop {
            let port = free_port();
            match run(&folder, port, &options) {
                Ok(running) => break (port, running),
                // Somebody else may have taken the port meanwhile.
                Err(log) if attempts < 3 && log.iter().any(|line| line.contains("in use")) => attempts += 1,
                Err(log) => panic!("the member ended: {log:#?}"),
            }
        };
        Self { running, port, options, allowed: Vec::new(), folder }
    }

    /// Address for clients, `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// The folder it runs in.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What it writes.
    pub fn log(&self) -> &Log {
        &self.running.stdout
    }

    /// Lets the log have WARN and ERROR lines that contain `text`.
    pub fn allow(&mut self, text: &str) {
        self.allowed.push(text.to_owned());
    }

    /// A client of it, not connected yet, that may publish.
    pub fn client(&self) -> Client {
        Client::new(self.settings()).expect("random numbers")
    }

    /// Settings of such a client, to be changed.
    pub fn settings(&self) -> Settings {
        let server: Server = self.address().parse().expect("an address");
        let mut settings = Settings::new(vec![server]);
        settings.token = Some(TOKEN.into());
        // A test does not want to wait for a member that is on its way.
        settings.reconnect.quick_initial_ms = 50;
        settings.reconnect.interval_ms = 100;
        settings.reconnect.delay_ms_max = 500;
        settings
    }

    /// Answer to a GET: its status line, header lines and body.
    pub fn get(&self, path: &str) -> std::io::Result<String> {
        get(self.port, path)
    }

    /// Sends a signal by its name, such as `HUP`.
    pub fn signal(&self, name: &str) {
        self.running.signal(name);
    }

    /// Asks it to end (SIGTERM), and waits for that; gives the exit code.
    ///
    /// # Panics
    /// It does not end in time, or its log has a line that it must not have.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.wait()
    }

    /// Waits for its end, for which it was asked; gives the exit code.
    ///
    /// # Panics
    /// It does not end in time, or its log has a line that it must not have.
    pub fn wait(&mut self) -> Option<i32> {
        let code = self.running.wait();
        self.check_log();
        code
    }

    /// Kills it without notice (SIGKILL), and waits for its end.
    pub fn kill(&mut self) {
        self.running.kill();
        self.check_log();
    }

    /// Starts it again on the same port, with the same options and folder; its log begins anew.
    ///
    /// # Panics
    /// It ends, or is not ready in time.
    pub fn restart(&mut self) {
        self.kill();
        self.running = run(&self.folder, self.port, &self.options)
            .unwrap_or_else(|log| panic!("the member ended: {log:#?}"));
    }

    fn check_log(&self) {
        let is_bad = |line: &String| {
            let level = line.split_whitespace().nth(1).unwrap_or_default();
            ["WARN", "ERROR"].contains(&level) || line.contains("panicked")
        };
        let is_allowed = |line: &String| self.allowed.iter().any(|text| line.contains(text));
        let lines = [self.running.stdout.lines(), self.running.stderr.lines()].concat();
        let bad: Vec<_> = lines.iter().filter(|line| is_bad(line) && !is_allowed(line)).collect();
        assert!(bad.is_empty(), "the member's log has {bad:#?}");
    }
}

#[allow(clippy::print_stderr, reason = "the test framework shows it with the failed test")]
impl Drop for Member {
    fn drop(&mut self) {
        self.running.kill();
        if thread::panicking() {
            eprintln!("the member's log: {:#?}", self.running.stdout.lines());
        } else {
            self.check_log();
        }
    }
}

/// Starts the process and waits until it is ready; gives its log if it ends instead.
fn run(folder: &Folder, port: u16, options: &[String]) -> Result<Running, Vec<String>> {
    let listen = format!("-DListen=127.0.0.1:{port}");
    let token = format!("-DEntitlementAllowToken={TOKEN}");
    // Members beside each other: the system chooses the port for metrics.
    let mut command = sterna(&[&listen, &token, "-DMonitorPrometheus.Listen=127.0.0.1:0"]);
    command.args(options).current_dir(folder.path());
    let mut running = Running::start(&mut command);
    let is_ready = eventually("a ready member", || {
        if !running.is_alive() {
            return Some(false);
        }
        let answer = get(port, "/health/ready").ok()?;
        answer.starts_with("HTTP/1.1 200 ").then_some(true)
    });
    if is_ready { Ok(running) } else { Err([running.stdout.all(), running.stderr.all()].concat()) }
}

fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(SOON))?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A port that nobody uses, another one with each call.
fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let ports = usize::from(PORTS.end - PORTS.start);
    loop {
        // Test processes that run at the same time begin at different ports.
        let offset = process::id() as usize * 97 + usize::from(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + (offset % ports) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
