//! A container: the manifest's command in namespaces of its own, as process 1 of them.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How often something is looked at that nobody announces.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Runs an unpacked image: `CONTAIN BUNDLE HOSTNAME COMMAND...`.
const CONTAIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/image/contain");
/// Sets the name of the host, as the kubelet does, and becomes the command.
const SET_HOSTNAME: &str = "hostname \"$1\"; shift; exec \"$@\"";

/// What a container is started from.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// Text of `./start-migratorydata.sh`; an image that `STERNA_IMAGE` names brings its own.
    pub(crate) start_script: String,
    pub(crate) command: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
}

/// A running container.
#[derive(Debug)]
pub(crate) struct Container {
    /// Outside the container, ends with it.
    outer: Child,
    /// Process 1 of the container, by its number outside.
    first: Pid,
}

impl Container {
    /// Starts one in an empty folder, in a network namespace; what it writes goes to the file `log`.
    pub(crate) fn start(image: &Image, hostname: &str, namespace: &str, folder: &Path, log: &Path) -> Self {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).expect("the folder of the tests can be written");
        let script = folder.join("start-migratorydata.sh");
        fs::write(&script, &image.start_script).expect("it is empty");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let log = File::create(log).expect("the folder of the tests can be written");
        let path = std::env::var("PATH").expect("`ip` was found by it");
        let path = format!("{}:{path}", binary().parent().expect("it is in a folder").display());
        let mut outer = Command::new("ip");
        outer.args(["netns", "exec", namespace]);
        match std::env::var_os("STERNA_IMAGE") {
            Some(bundle) => outer.arg(CONTAIN).arg(bundle).arg(hostname),
            None => outer
                .args(["unshare", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child", "--"])
                .args(["sh", "-c", SET_HOSTNAME, "sh", hostname]),
        };
        let mut outer = outer
            .args(&image.command)
            .current_dir(folder)
            .env_clear()
            .env("PATH", path)
            .env("HOSTNAME", hostname)
            .env("HOME", "/root")
            .envs(image.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor is free"))
            .stderr(log)
            .spawn()
            .expect("`ip` and `unshare` are there");
        let first = first_child(&mut outer);
        Self { outer, first }
    }

    /// Process 1 of the container, by its number outside.
    pub(crate) fn first(&self) -> Pid {
        self.first
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.outer.try_wait().expect("it is our child").is_none()
    }

    /// Sends process 1 a signal.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.is_alive() {
            let _ = kill_process(self.first, signal); // it may end at this moment
        }
    }

    /// Ends it: SIGTERM, and SIGKILL after `grace`. Whether it ended by itself, and well.
    pub(crate) fn stop(&mut self, grace: Duration) -> bool {
        let end = Instant::now() + grace;
        if !grace.is_zero() {
            self.signal(Signal::TERM);
            while self.is_alive() && Instant::now() < end {
                thread::sleep(TICK);
            }
        }
        let by_itself = matches!(self.outer.try_wait(), Ok(Some(status)) if status.success());
        self.signal(Signal::KILL);
        let _ = self.outer.wait();
        by_itself
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

/// The server under test: that of this build, or `STERNA_BINARY`.
fn binary() -> PathBuf {
    std::env::var_os("STERNA_BINARY").map_or(env!("CARGO_BIN_EXE_sterna").into(), PathBuf::from)
}

/// The child of `unshare`, once it is there.
fn first_child(outer: &mut Child) -> Pid {
    let path = format!("/proc/{0}/task/{0}/children", outer.id());
    loop {
        let children = fs::read_to_string(&path).unwrap_or_default();
        // Before it has become `unshare`, the outer process has no children.
        if let Some(pid) = children.split_whitespace().next() {
            return pid.parse().ok().and_then(Pid::from_raw).expect("a process id");
        }
        assert!(outer.try_wait().expect("it is our child").is_none(), "a container could not be started");
        thread::sleep(Duration::from_millis(1));
    }
}
