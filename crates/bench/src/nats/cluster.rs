//! Three NATS servers as processes, and a stream on all of them: in memory, and with the history that Sterna keeps.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Client;
use crate::error::{Failure, Result, system};
use crate::folder::TemporaryFolder;
use crate::server::free_range;
use crate::system::Cores;

/// Name of the stream, and the first part of its subjects.
pub(super) const STREAM: &str = "bench";
/// Ports of a server: for clients, and for the other servers.
const PORTS_OF_SERVER: u16 = 2;
/// How long the servers may take to open their ports, and then to agree on a stream.
const FORMATION: Duration = Duration::from_secs(30);
/// What Sterna's defaults keep of a subject.
const HISTORY_MESSAGES: u32 = 1_000;
const HISTORY_NS: u64 = 180_000_000_000;

/// Running servers with a stream. They end with this value, before their folder goes.
pub(crate) struct NatsCluster {
    servers: Vec<NatsServer>,
    folder: TemporaryFolder,
}

struct NatsServer {
    child: Child,
    address: SocketAddr,
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        // Nothing of it is wanted any more, and it may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl NatsCluster {
    /// Starts the servers, and waits until all of them have the stream.
    pub(crate) fn start(program: &Path, cores: Cores, count: usize) -> Result<Self> {
        let folder = TemporaryFolder::create()?;
        let ports = count * usize::from(PORTS_OF_SERVER);
        let first = free_range(ports).map_err(system("find free ports"))?;
        let mut cluster = Self { servers: Vec::new(), folder };
        for number in 0..count {
            let server = start_server(program, cores, cluster.folder.path(), first, (number, count))?;
            cluster.servers.push(server);
        }
        let end = Instant::now() + FORMATION;
        for server in &mut cluster.servers {
            server.wait_until_open(end)?;
        }
        create_stream(cluster.servers[0].address, count, end)?;
        Ok(cluster)
    }

    pub(crate) fn processes(&self) -> Vec<u32> {
        self.servers.iter().map(|server| server.child.id()).collect()
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.servers.iter().map(|server| server.address)
    }
}

impl NatsServer {
    fn wait_until_open(&mut self, end: Instant) -> Result<()> {
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait().map_err(system("watch a NATS server"))? {
                return Err(Failure::broken(format!("a NATS server ended at once: {status}")));
            }
            if Instant::now() > end {
                return Err(Failure::broken("a NATS server does not open its port"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

fn start_server(
    program: &Path,
    cores: Cores,
    folder: &Path,
    first_port: u16,
    (number, count): (usize, usize),
) -> Result<NatsServer> {
    let port = |number: usize| first_port + number as u16 * PORTS_OF_SERVER;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port(number)));
    let routes = (0..count).map(|other| format!("\"nats://127.0.0.1:{}\"", port(other) + 1));
    let configuration = format!(
        "server_name: member-{number}\n\
         listen: \"{address}\"\n\
         jetstream {{ store_dir: \"{store}\", max_memory_store: 6GB, max_buffered_msgs: 100000 }}\n\
         cluster {{ name: {STREAM}, listen: \"127.0.0.1:{route}\", routes: [{routes}] }}\n",
        store = folder.join(number.to_string()).display(),
        route = port(number) + 1,
        routes = routes.collect::<Vec<_>>().join(", "),
    );
    let path = folder.join(format!("{number}.conf"));
    fs::write(&path, configuration).map_err(system(format!("write {}", path.display())))?;
    let mut command = Command::new(program);
    command.arg("--config").arg(&path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(NatsServer { child: cores.spawn(&mut command)?, address })
}

/// Asks for the stream until the servers have agreed on it and all of them follow its leader.
fn create_stream(address: SocketAddr, count: usize, end: Instant) -> Result<()> {
    let wanted = json!({
        "name": STREAM,
        "subjects": [format!("{STREAM}.>")],
        "storage": "memory",
        "num_replicas": count,
        "retention": "limits",
        "discard": "old",
        "max_msgs_per_subject": HISTORY_MESSAGES,
        "max_age": HISTORY_NS,
    });
    let wanted = wanted.to_string();
    let create = format!("$JS.API.STREAM.CREATE.{STREAM}");
    let look = format!("$JS.API.STREAM.INFO.{STREAM}");
    let mut number = 0;
    let mut is_created = false;
    loop {
        // A late answer must not be taken for that to another question.
        let mut client = Client::open(address, format!("_INBOX.setup.{number}"))?;
        number += 1;
        let (subject, payload) = if is_created { (&look, "") } else { (&create, wanted.as_str()) };
        let answer = client.request(subject, payload.as_bytes())?;
        if let Some(answer) = &answer
            && answer.get("error").is_none()
        {
            is_created = true;
            if follow(answer) == count - 1 {
                return Ok(());
            }
        }
        if Instant::now() > end {
            return Err(Failure::broken(format!("the NATS servers do not agree on a stream: {answer:?}")));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Replicas that have what the stream's leader has.
fn follow(answer: &Value) -> usize {
    let replicas = answer["cluster"]["replicas"].as_array().map(Vec::as_slice).unwrap_or_default();
    replicas.iter().filter(|replica| replica["current"] == true).count()
}
