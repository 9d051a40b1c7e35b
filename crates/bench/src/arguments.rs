//! The command line of the stopwatch.

use std::path::PathBuf;

use crate::error::Result;
use crate::server::{Parameters, Server, own_binary};
use crate::system::Cores;
use crate::{batch, cluster, connect, fanout, flat, latency, memory, memory_bound, raw, transfer};

/// Measure a server: start one on a core of its own, drive it from another core, and report ratios.
///
/// The server is this same program, unless --server names another. Figures of a busy machine are noise: look at
/// ratios, and repeat.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What can be measured.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// CPU per delivery, beside a bare `send` loop over the same number of sockets in the same run
    Fanout(fanout::Fanout),
    /// CPU per delivery as subscribers per subject, and subjects, grow
    Flat(flat::Flat),
    /// User-space memory per idle connection, plain and TLS
    Memory(memory::Memory),
    /// Publish-to-deliver latency at half of the highest rate, coordinated omission corrected
    Latency(latency::Latency),
    /// A batched feed: every message to every client, many messages a write
    Batch(batch::Batch),
    /// Connects per second and core, plain and TLS
    Connect(connect::Connect),
    /// Memory kept under its bound, and nothing of what is promised lost, under an hour's publishes
    MemoryBound(memory_bound::MemoryBound),
    /// Publishes that a quorum of three members has stored: latency at light load, and the highest rate
    Cluster(cluster::Cluster),
    /// Publish latency while a member that came back empty gets the messages of the cluster
    Transfer(transfer::Transfer),
    /// The baseline's own process
    #[command(name = raw::COMMAND, hide = true)]
    Raw,
}

/// What all measurements share.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Server program to measure; this one unless given
    #[arg(long, global = true, value_name = "PATH")]
    server: Option<PathBuf>,
    /// Core of the server
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    server_core: usize,
    /// Core of the load
    #[arg(long, global = true, value_name = "N", default_value_t = 1)]
    load_core: usize,
    /// Print one JSON object instead of a table
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Small sizes, to see that everything works; no figures
    #[arg(long, global = true)]
    pub(crate) quick: bool,
}

impl Common {
    pub(crate) fn cores(&self) -> Cores {
        Cores { server: self.server_core, load: self.load_core, is_shared: false }
    }

    /// For processes that use the load's core, too.
    pub(crate) fn shared_cores(&self) -> Cores {
        Cores { is_shared: true, ..self.cores() }
    }

    /// A size, or the smaller one that is enough to see that everything works.
    pub(crate) fn sized<T: Ord>(&self, size: T, quick: T) -> T {
        if self.quick { size.min(quick) } else { size }
    }

    /// Starts the server to measure.
    pub(crate) fn start_server(&self, parameters: Parameters<'_>) -> Result<Server> {
        Server::start(&self.program()?, self.cores(), parameters)
    }

    /// Starts a cluster of so many members, which share both cores with the load.
    pub(crate) fn start_cluster(&self, members: usize, parameters: Parameters<'_>) -> Result<Vec<Server>> {
        Server::start_cluster(&self.program()?, self.shared_cores(), members, parameters)
    }

    fn program(&self) -> Result<PathBuf> {
        let binary = match &self.server {
            Some(path) => path.clone(),
            None => own_binary()?,
        };
        Ok(std::path::absolute(&binary).unwrap_or(binary))
    }
}
