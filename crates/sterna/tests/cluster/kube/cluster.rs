//! The StatefulSet, and what an operator or a bad day does to it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use rustix::process::Signal;

use super::container::{Image, TICK};
use super::kubelet::{Node, Pod};
use super::manifest::Manifest;
use super::names::NameServer;
use super::network::{CLIENTS, Direction, Network, PODS, SERVICE};
use super::process::{inside, run};
use super::services::Endpoints;
use crate::support::Folder;

/// How long a pod may take until it is ready; only a failing test waits so long.
const READY_MAX: Duration = Duration::from_secs(120);
/// Lines of each log that a failed test shows.
const LINES_SHOWN: usize = 40;

/// 1 on the member that leads.
const LEADER_METRIC: &str = "sterna_cluster_leader";
/// `MonitorPrometheus.Listen` by default; the manifest does not change it.
const METRICS: &str = "127.0.0.1:9900";

/// One cluster at a time: its members need the processors, and its figures are times.
static TURN: Mutex<()> = Mutex::new(());

/// How to start a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Pods to begin with.
    pub(crate) replicas: usize,
    /// How much faster than in the manifest probes are made; `STERNA_CLUSTER_SPEED` says it for tests that do not.
    pub(crate) speed: f64,
    /// Text of `start-migratorydata.sh`; an image that `STERNA_IMAGE` names brings its own.
    pub(crate) start_script: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            replicas: Manifest::of_fixtures().replicas,
            speed: env::var("STERNA_CLUSTER_SPEED").map_or(1.0, |speed| speed.parse().expect("a number")),
            start_script: include_str!("../../../../../deploy/image/start-migratorydata.sh").to_owned(),
        }
    }
}

/// Pods of the manifest, on a network of their own; all of it goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    manifest: Manifest,
    image: Image,
    replicas: usize,
    pods: BTreeMap<usize, Pod>,
    names: Option<NameServer>,
    node: Arc<Node>,
    network: Network,
    _folder: Folder,
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// Three pods as the manifest says, each started when the one before it was ready.
    pub(crate) fn start() -> Self {
        let mut cluster = Self::create(Options::default());
        cluster.reconcile();
        cluster
    }

    /// A network for a cluster, without pods yet: see [`reconcile`](Self::reconcile) and [`add`](Self::add).
    pub(crate) fn create(options: Options) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let network = Network::new().unwrap_or_else(|problem| go_without(&problem));
        let folder = Folder::new();
        let manifest = Manifest::of_fixtures();
        let endpoints = Endpoints::new(network.switch(), manifest.service.clone());
        let node = Arc::new(Node::new(endpoints, &manifest, options.speed, folder.path().to_owned()));
        fs::create_dir_all(node.logs()).expect("the folder of the tests can be written");
        Self {
            image: Image {
                start_script: options.start_script,
                command: manifest.command.clone(),
                environment: environment(&manifest),
            },
            replicas: options.replicas,
            pods: BTreeMap::new(),
            names: Some(NameServer::start(network.switch(), node.clone(), PODS)),
            manifest,
            node,
            network,
            _folder: folder,
            _turn: turn,
        }
    }

    /// Starts the pods that are missing, the lowest ordinal first, each when those before it are ready; then waits
    /// until all are ready.
    pub(crate) fn reconcile(&mut self) {
        for ordinal in 0..self.replicas {
            if !self.pods.contains_key(&ordinal) {
                self.add(ordinal);
            }
            self.wait_ready(ordinal);
        }
    }

    /// Starts one pod, and does not wait for it.
    pub(crate) fn add(&mut self, ordinal: usize) {
        let (name, host) = (self.manifest.pod(ordinal), self.manifest.host(ordinal));
        let place = self.network.add_pod(&name, &self.manifest.domain);
        let pod = Pod::start(self.node.clone(), name, host, place, self.image.clone());
        self.pods.insert(ordinal, pod);
    }

    /// Waits until a pod is ready.
    ///
    /// # Panics
    /// It is not, in time.
    pub(crate) fn wait_ready(&self, ordinal: usize) {
        self.wait_until(&format!("pod {ordinal} is ready"), READY_MAX, |cluster| {
            cluster.pod(ordinal).is_ready()
        });
    }

    /// Waits until something holds.
    ///
    /// # Panics
    /// It does not, in time.
    pub(crate) fn wait_until(&self, what: &str, time: Duration, mut holds: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + time;
        while !holds(self) {
            assert!(Instant::now() < end, "not within {time:?}: {what}");
            thread::sleep(TICK);
        }
    }

    /// `kubectl scale`: up from the lowest new ordinal, each when the one before it is ready; down from the highest,
    /// each when the one before it has gone.
    pub(crate) fn scale(&mut self, replicas: usize) {
        for ordinal in (replicas..self.replicas).rev() {
            self.delete(ordinal);
        }
        self.replicas = replicas;
        self.reconcile();
    }

    /// `kubectl rollout restart`: from the highest ordinal, each pod when the one before it is ready again. Every pod
    /// gets another address.
    pub(crate) fn roll(&mut self) {
        for ordinal in (0..self.replicas).rev() {
            self.delete(ordinal);
            self.add(ordinal);
            self.wait_ready(ordinal);
        }
    }

    /// `kubectl delete pod`, without the new one: SIGTERM, and SIGKILL after the grace.
    ///
    /// # Panics
    /// The member had not ended well when the grace was over.
    pub(crate) fn delete(&mut self, ordinal: usize) {
        let pod = self.pods.remove(&ordinal).expect("a pod that runs");
        let by_itself = pod.delete(self.manifest.grace);
        assert!(by_itself, "pod {ordinal} had not ended well {:?} after SIGTERM", self.manifest.grace);
    }

    /// `kill -9` of a member: its sockets are reset, and the kubelet starts it again in the same pod.
    pub(crate) fn kill(&self, ordinal: usize) {
        self.pod(ordinal).signal(Signal::KILL);
    }

    /// Nodes lose their power: nobody is told anything. [`reconcile`](Self::reconcile) starts the pods elsewhere, with
    /// other addresses.
    pub(crate) fn lose_nodes(&mut self, ordinals: &[usize]) {
        for ordinal in ordinals {
            self.pod(*ordinal).place().unplug();
            self.kill(*ordinal);
        }
        for ordinal in ordinals {
            self.pods.remove(ordinal);
        }
    }

    /// SIGSTOP: the member keeps its sockets and does nothing.
    pub(crate) fn pause(&self, ordinal: usize) {
        self.pod(ordinal).signal(Signal::STOP);
    }

    /// SIGCONT.
    pub(crate) fn resume(&self, ordinal: usize) {
        self.pod(ordinal).signal(Signal::CONT);
    }

    /// Cuts a pod off from everybody: packets are lost without a word. Probes still reach it.
    pub(crate) fn cut(&self, ordinal: usize, direction: Direction) {
        self.pod(ordinal).place().cut(direction, None);
    }

    /// Cuts a pod off from some others; clients still reach it.
    pub(crate) fn cut_from(&self, ordinal: usize, others: &[usize], direction: Direction) {
        let others: Vec<Ipv4Addr> = others.iter().map(|other| self.address(*other)).collect();
        self.pod(ordinal).place().cut(direction, Some(&others));
    }

    /// Ends a cut.
    pub(crate) fn mend(&self, ordinal: usize) {
        self.pod(ordinal).place().mend();
    }

    /// Ordinals of the pods that there are.
    pub(crate) fn ordinals(&self) -> Vec<usize> {
        self.pods.keys().copied().collect()
    }

    /// Address of a pod.
    pub(crate) fn address(&self, ordinal: usize) -> Ipv4Addr {
        self.pod(ordinal).place().address
    }

    /// Where clients reach one member.
    pub(crate) fn member(&self, ordinal: usize) -> String {
        format!("{}:{}", self.address(ordinal), self.manifest.service.target_port)
    }

    /// Where clients reach any ready member.
    pub(crate) fn service(&self) -> String {
        format!("{SERVICE}:{}", self.manifest.service.port)
    }

    /// Network namespace of the clients.
    pub(crate) fn clients(&self) -> String {
        self.network.namespace(CLIENTS)
    }

    /// Whether a pod's readiness probe has succeeded.
    pub(crate) fn is_ready(&self, ordinal: usize) -> bool {
        self.pod(ordinal).is_ready()
    }

    /// How often the container of a pod was started again.
    pub(crate) fn restarts(&self, ordinal: usize) -> u32 {
        self.pod(ordinal).restarts()
    }

    /// What the running container of a pod has written.
    pub(crate) fn log(&self, ordinal: usize) -> String {
        let bytes = fs::read(self.pod(ordinal).log()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// `kubectl exec`: runs a command inside the container of a pod.
    ///
    /// # Errors
    /// It fails, or there is no container.
    pub(crate) fn exec(&self, ordinal: usize, command: &[&str]) -> Result<String, String> {
        let first = self.pod(ordinal).first().ok_or("no container runs")?.as_raw_nonzero().to_string();
        let enter = ["nsenter", "--target", &first, "--uts", "--net", "--pid", "--mount", "--root"];
        run(enter.into_iter().chain(command.iter().copied()), "")
    }

    /// A figure from a member's metrics, written as there, with its labels if it has any; none if the member does not
    /// answer or has no such figure.
    pub(crate) fn metric(&self, ordinal: usize, name: &str) -> Option<f64> {
        let text =
            inside(&self.pod(ordinal).place().namespace, || get(METRICS, "/metrics").unwrap_or_default());
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// What a client gets from a member for a path, with the status line; none if it does not answer.
    pub(crate) fn page(&self, ordinal: usize, path: &str) -> Option<String> {
        inside(&self.clients(), || get(&self.member(ordinal), path).ok())
    }

    /// The member that leads, once one does.
    ///
    /// # Panics
    /// Nobody leads in time.
    pub(crate) fn leader(&self) -> usize {
        let mut leader = None;
        self.wait_until("a member leads", READY_MAX, |cluster| {
            let leads = |ordinal: &usize| cluster.metric(*ordinal, LEADER_METRIC) == Some(1.0);
            leader = cluster.ordinals().into_iter().find(leads);
            leader.is_some()
        });
        leader.expect("it was waited for")
    }

    fn pod(&self, ordinal: usize) -> &Pod {
        self.pods.get(&ordinal).unwrap_or_else(|| panic!("there is no pod {ordinal}"))
    }

    /// Shows the end of every log, and keeps the logs.
    #[allow(clippy::print_stderr, reason = "the test framework shows it with the failed test")]
    fn show_logs(&self) {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(self.network.namespace("logs"));
        let _ = fs::rename(self.node.logs(), &kept);
        let mut logs: Vec<_> =
            fs::read_dir(&kept).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        logs.sort();
        for log in logs {
            let text = fs::read(&log).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let is_of_server = |line: &&str| !line.starts_with("+ "); // the manifest's `set -x` fills pages
            let lines: Vec<_> = text.lines().filter(is_of_server).collect();
            eprintln!("--- {}", log.display());
            for line in &lines[lines.len().saturating_sub(LINES_SHOWN)..] {
                eprintln!("{line}");
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if thread::panicking() {
            self.show_logs();
        }
        self.pods.clear();
        self.names = None;
    }
}

fn get(address: &str, path: &str) -> io::Result<String> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(socket, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The manifest's variables, and those that Kubernetes adds for a service.
fn environment(manifest: &Manifest) -> Vec<(String, String)> {
    let service = &manifest.service;
    let name = service.name.to_uppercase().replace('-', "_");
    let port_name = service.port_name.to_uppercase().replace('-', "_");
    let port = service.port.to_string();
    let url = format!("tcp://{SERVICE}:{port}");
    let added = [
        ("SERVICE_HOST".to_owned(), SERVICE.to_owned()),
        ("SERVICE_PORT".to_owned(), port.clone()),
        (format!("SERVICE_PORT_{port_name}"), port.clone()),
        ("PORT".to_owned(), url.clone()),
        (format!("PORT_{port}_TCP"), url),
        (format!("PORT_{port}_TCP_PROTO"), "tcp".to_owned()),
        (format!("PORT_{port}_TCP_PORT"), port.clone()),
        (format!("PORT_{port}_TCP_ADDR"), SERVICE.to_owned()),
    ];
    let added = added.into_iter().map(|(variable, value)| (format!("{name}_{variable}"), value));
    manifest.environment.iter().cloned().chain(added).collect()
}

/// A machine on which no namespaces can be made.
fn go_without(problem: &str) -> ! {
    if env::var_os("STERNA_CLUSTER_SKIP").is_some() {
        // Not `eprintln!`: that would be kept from a reader of a successful run.
        let _ = writeln!(io::stderr(), "CLUSTER TESTS NOT RUN: {problem}");
        process::exit(0);
    }
    panic!(
        "no network namespace can be made ({problem}). These tests need root, and `ip`, `nft`, `nsenter` and \
         `unshare`; STERNA_CLUSTER_SKIP=1 leaves them out and says so."
    );
}
