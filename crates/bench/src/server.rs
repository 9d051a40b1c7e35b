//! A server under test: a process of its own on its own core, with parameters that all measurements share.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::certificate::Certificate;
use crate::error::{Failure, Result, system};
use crate::load::Target;
use crate::scrape::Metrics;
use crate::system::Cores;
use crate::usage::{CpuTime, Memory};

/// Enough for every message of a measurement in which no publish may be refused, and a million subjects.
pub(crate) const AMPLE_MEMORY: (&str, &str) = ("Memory", "6GB");
/// Ports that a member of a cluster uses for the others.
const PORTS_OF_MEMBER: usize = 4;
/// How long a server may take to open its port.
const START: Duration = Duration::from_secs(10);

/// A running server; it ends with this value.
pub(crate) struct Server {
    /// Has started it, and can again.
    command: Command,
    child: Child,
    plain: SocketAddr,
    encrypted: SocketAddr,
    metrics: SocketAddr,
    certificate: Certificate,
}

/// Names and values of parameters.
pub(crate) type Parameters<'a> = &'a [(&'a str, &'a str)];

impl Server {
    /// Starts a server and waits until it takes connections.
    pub(crate) fn start(binary: &Path, cores: Cores, parameters: Parameters<'_>) -> Result<Self> {
        let certificate = Certificate::generate()?;
        let [plain, encrypted, metrics] = free_addresses().map_err(system("find free ports"))?;
        let given = [
            ("Listen", plain.to_string()),
            ("ListenEncrypted", encrypted.to_string()),
            ("MonitorPrometheus.Listen", metrics.to_string()),
            ("TlsCertificate", certificate.certificate_path().display().to_string()),
            ("TlsKey", certificate.key_path().display().to_string()),
            ("Entitlement", "None".to_owned()),
            ("IoThreads", "1".to_owned()),
            // Pings would be writes that nobody asked for.
            ("KeepAliveInterval", "3600".to_owned()),
            ("LogLevel", "WARN".to_owned()),
            ("Stats.LogInterval", "0".to_owned()),
        ];
        let mut command = Command::new(binary);
        for (name, value) in
            given.iter().map(|(name, value)| (*name, value.as_str())).chain(parameters.iter().copied())
        {
            command.arg(format!("-D{name}={value}"));
        }
        for name in ["STERNA_OPTS", "MIGRATORYDATA_EXTRA_OPTS", "MIGRATORYDATA_MAX_DESCRIPTORS"] {
            command.env_remove(name);
        }
        // A configuration file that happens to lie here must not change what is measured.
        command.current_dir(certificate.folder()).stdin(Stdio::null()).stdout(std::io::stderr());
        let child = cores.spawn(&mut command)?;
        let mut server = Self { command, child, plain, encrypted, metrics, certificate };
        server.wait_until_open()?;
        Ok(server)
    }

    /// Starts the members of a cluster, and waits until they take connections.
    pub(crate) fn start_cluster(
        binary: &Path,
        cores: Cores,
        count: usize,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Self>> {
        let first = free_range(count * PORTS_OF_MEMBER).map_err(system("find free ports"))?;
        let address = |number: usize| format!("127.0.0.1:{}", usize::from(first) + number * PORTS_OF_MEMBER);
        let addresses = (0..count).map(address).collect::<Vec<_>>();
        let members = addresses.join(",");
        let start = |own: &String| {
            let cluster = [
                ("ClusterDeliveryMode", "Guaranteed"),
                ("ClusterMembers", members.as_str()),
                ("ClusterMemberListen", own),
            ];
            Self::start(binary, cores, &[&cluster, parameters].concat())
        };
        addresses.iter().map(start).collect()
    }

    fn wait_until_open(&mut self) -> Result<()> {
        let start = Instant::now();
        while TcpStream::connect(self.plain).is_err() {
            if let Some(status) = self.child.try_wait().map_err(system("watch the server"))? {
                return Err(Failure::broken(format!(
                    "the server ended at once: {status}; see what it said above"
                )));
            }
            if start.elapsed() > START {
                return Err(Failure::broken("the server does not open its port"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends it as a crash would, without a word.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        killed.map(|_| ()).map_err(system("kill the server"))
    }

    /// Starts it again at the same addresses, and does not wait.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        self.child = self.command.spawn().map_err(system("start the server again"))?;
        Ok(())
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn metrics_address(&self) -> SocketAddr {
        self.metrics
    }

    pub(crate) fn plain(&self) -> Target {
        Target { address: self.plain, tls: None, handshake: true }
    }

    pub(crate) fn encrypted(&self) -> Result<Target> {
        let tls = Some(Arc::new(self.certificate.client_config()?));
        Ok(Target { address: self.encrypted, tls, handshake: true })
    }

    pub(crate) fn cpu(&self) -> Result<CpuTime> {
        CpuTime::of(self.child.id())
    }

    pub(crate) fn memory(&self) -> Result<Memory> {
        Memory::of(self.child.id())
    }

    pub(crate) fn metrics(&self) -> Result<Metrics> {
        Metrics::scrape(self.metrics)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing of it is wanted any more, and it may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program that is running: the server is another face of it.
pub(crate) fn own_binary() -> Result<PathBuf> {
    std::env::current_exe().map_err(system("find the path of this program"))
}

/// The first of so many ports in a row that nobody listens on, below those that the system gives away.
pub(crate) fn free_range(count: usize) -> std::io::Result<u16> {
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let mut ranges = (20_000..30_000_u16).step_by(count);
    ranges
        .find(|first| (0..count as u16).all(|number| is_free(first + number)))
        .ok_or_else(|| std::io::ErrorKind::AddrInUse.into())
}

/// Addresses that nobody listens on; held open together so that they differ.
fn free_addresses<const N: usize>() -> std::io::Result<[SocketAddr; N]> {
    let mut listeners = Vec::new();
    let mut addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); N];
    for address in &mut addresses {
        let listener = TcpListener::bind(*address)?;
        *address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(addresses)
}
