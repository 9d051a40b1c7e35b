//! A pod and its kubelet: a thread that starts the container, probes it, and starts it again when it ends.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::container::{Container, Image, TICK};
use super::manifest::{Manifest, Probe};
use super::network::Place;
use super::process::enter;
use super::services::Endpoints;

/// Pause before the second restart of a container; it doubles with each further one. The first comes at once.
const BACK_OFF: Duration = Duration::from_secs(10);
const BACK_OFF_MAX: Duration = Duration::from_secs(300);

/// What all pods of a run have in common.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) endpoints: Endpoints,
    pub(crate) readiness: Probe,
    pub(crate) liveness: Probe,
    /// Between SIGTERM and SIGKILL.
    pub(crate) grace: Duration,
    /// How much faster than in the manifest probes are made. Nothing inside the containers is faster.
    pub(crate) speed: f64,
    /// Where containers run and write.
    pub(crate) folder: PathBuf,
    containers: AtomicU32,
}

/// A pod.
#[derive(Debug)]
pub(crate) struct Pod {
    shared: Arc<Shared>,
    kubelet: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    node: Arc<Node>,
    name: String,
    host: String,
    place: Place,
    image: Image,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_ready: bool,
    restarts: u32,
    /// Process 1 of the running container.
    first: Option<Pid>,
    log: PathBuf,
    /// The pod is deleted, with that much time for its container.
    ending: Option<Duration>,
    /// Whether the container then ended by itself.
    ended_by_itself: bool,
}

impl Node {
    pub(crate) fn new(endpoints: Endpoints, manifest: &Manifest, speed: f64, folder: PathBuf) -> Self {
        Self {
            endpoints,
            readiness: manifest.readiness.clone(),
            liveness: manifest.liveness.clone(),
            grace: manifest.grace,
            speed,
            folder,
            containers: AtomicU32::new(0),
        }
    }

    /// Folder of all logs.
    pub(crate) fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    fn real(&self, time: Duration) -> Duration {
        time.div_f64(self.speed)
    }
}

impl Pod {
    /// Starts a pod in its place. `host` is its full name.
    pub(crate) fn start(node: Arc<Node>, name: String, host: String, place: Place, image: Image) -> Self {
        let shared = Arc::new(Shared { node, name, host, place, image, state: Mutex::default() });
        let kubelet = shared.clone();
        Self { shared, kubelet: Some(thread::spawn(move || kubelet.keep())) }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.shared.place
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.shared.state().is_ready
    }

    /// How often its container was started again.
    pub(crate) fn restarts(&self) -> u32 {
        self.shared.state().restarts
    }

    /// Process 1 of its container, by its number outside; none while there is no container.
    pub(crate) fn first(&self) -> Option<Pid> {
        self.shared.state().first
    }

    /// File with what its container writes.
    pub(crate) fn log(&self) -> PathBuf {
        self.shared.state().log.clone()
    }

    /// Sends process 1 of the container a signal.
    ///
    /// # Panics
    /// There is no container.
    pub(crate) fn signal(&self, signal: Signal) {
        let first = self.first().unwrap_or_else(|| panic!("{} does not run", self.shared.name));
        let _ = kill_process(first, signal); // it may have ended by itself
    }

    /// Deletes the pod: no endpoint from now on, SIGTERM, SIGKILL after `grace`. Whether the container ended by
    /// itself.
    pub(crate) fn delete(mut self, grace: Duration) -> bool {
        self.end(grace);
        self.shared.state().ended_by_itself
    }

    fn end(&mut self, grace: Duration) {
        self.shared.state().ending = Some(grace);
        if let Some(kubelet) = self.kubelet.take() {
            let _ = kubelet.join(); // it has said why it panicked
        }
        self.shared.place.remove();
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        if self.kubelet.is_some() {
            self.end(Duration::ZERO);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no kubelet has panicked")
    }

    /// The kubelet's life.
    fn keep(&self) {
        // Probes come from the pod's own node: no cut between pods concerns them.
        enter(&self.place.namespace);
        loop {
            let mut container = self.start_container();
            self.watch(&mut container);
            self.set_ready(false);
            let (ending, restarts) = {
                let state = self.state();
                (state.ending, state.restarts)
            };
            let by_itself = container.stop(ending.unwrap_or_default());
            let mut state = self.state();
            state.first = None;
            state.ended_by_itself = by_itself;
            drop(container);
            drop(state);
            if ending.is_some() || !self.back_off(restarts) {
                return;
            }
            self.state().restarts += 1;
        }
    }

    fn start_container(&self) -> Container {
        let number = self.node.containers.fetch_add(1, Relaxed);
        let log = self.node.logs().join(format!("{}.{number:03}.log", self.name));
        let folder = self.node.folder.join(format!("{}.{number:03}", self.name));
        let mut state = self.state();
        let container = Container::start(&self.image, &self.name, &self.place.namespace, &folder, &log);
        state.first = Some(container.first());
        state.log = log;
        container
    }

    /// Until the container has ended, or must.
    fn watch(&self, container: &mut Container) {
        let Node { readiness, liveness, .. } = &*self.node;
        let started = Instant::now();
        let mut ready_at = started + self.node.real(readiness.delay());
        let mut alive_at = started + self.node.real(liveness.delay());
        let (mut unready, mut dead) = (0, 0);
        while container.is_alive() && self.state().ending.is_none() {
            if Instant::now() >= ready_at {
                ready_at += self.node.real(readiness.period());
                unready = if self.probe(readiness) { 0 } else { unready + 1 };
                match unready {
                    0 => self.set_ready(true),
                    failures if failures >= readiness.failure_threshold => self.set_ready(false),
                    _ => {}
                }
            }
            if Instant::now() >= alive_at {
                alive_at += self.node.real(liveness.period());
                dead = if self.probe(liveness) { 0 } else { dead + 1 };
                if dead >= liveness.failure_threshold {
                    container.stop(self.node.grace);
                }
            }
            thread::sleep(TICK);
        }
    }

    fn probe(&self, probe: &Probe) -> bool {
        let address = SocketAddr::from((self.place.address, probe.port()));
        TcpStream::connect_timeout(&address, self.node.real(probe.timeout())).is_ok()
    }

    fn set_ready(&self, is_ready: bool) {
        self.state().is_ready = is_ready;
        if is_ready {
            self.node.endpoints.add(&self.host, self.place.address);
        } else {
            self.node.endpoints.remove(&self.host, self.place.address);
        }
    }

    /// Waits before a restart; whether there shall be one.
    fn back_off(&self, restarts: u32) -> bool {
        let pause = match restarts {
            0 => Duration::ZERO,
            _ => BACK_OFF.saturating_mul(1 << (restarts - 1).min(8)).min(BACK_OFF_MAX),
        };
        let end = Instant::now() + self.node.real(pause);
        while Instant::now() < end && self.state().ending.is_none() {
            thread::sleep(TICK);
        }
        self.state().ending.is_none()
    }
}
