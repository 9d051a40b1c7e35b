//! A running member: its threads, started, reloaded and drained together.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mio::{Poll, Waker};
use sterna_broker::core::{Core, CoreLimits, ShardSet};
use sterna_config::Config;
use sterna_model::{Epoch, ShardId};

use crate::acceptor::{Acceptor, StopAcceptor};
use crate::admin::{self, Admin, Bounds, Figures};
use crate::clock::Clock;
use crate::core_thread::CoreThread;
use crate::lifecycle::{ServeError, system};
use crate::listen::Bound;
use crate::mailbox::{ShardMailbox, ToShard, core_queue, shard_mailbox};
use crate::metrics::{CoreMetrics, Gauge, ShardMetrics};
use crate::reload::{SettingsError, cache_bytes_max, settings};
use crate::shard::{Shard, ShardSetup, WAKER};
use crate::status::{MemberStatus, VERSION};
use crate::trace::Queue;

/// Descriptors that are neither clients nor a shard's: files, listeners, monitoring.
const OWN_DESCRIPTORS: u64 = 64 + 2 * admin::CONNECTIONS_MAX as u64;
/// Descriptors of a shard: its poll and its waker.
const SHARD_DESCRIPTORS: u64 = 2;

/// The threads of a running member, and the ways to them.
pub(crate) struct Member {
    shards: Vec<ShardMailbox>,
    stop_acceptor: StopAcceptor,
    admin: Admin,
    figures: Arc<Figures>,
    /// Acceptor, shards, core, in the order in which they end.
    threads: Vec<JoinHandle<()>>,
}

impl Member {
    /// Starts every thread. `descriptors` is how many files the process may open.
    pub(crate) fn start(
        config: &Config,
        bound: Bound,
        descriptors: u64,
        log: Queue,
    ) -> Result<Self, ServeError> {
        let clock = Clock::new();
        let shards = shard_count(config);
        let settings = settings(config, shards)?;
        let epoch = epoch();
        let core_metrics = Arc::new(CoreMetrics::default());
        core_metrics.epoch.set(epoch.0);
        let status = Arc::new(MemberStatus::new(config.delivery_mode, core_metrics.clone(), clock));
        let (to_core, inbox) = core_queue();
        let mut threads = Vec::new();
        let mut mailboxes = Vec::new();
        let mut metrics = Vec::new();
        for id in (0..shards).map(ShardId) {
            let poll = Poll::new().map_err(system("open a poll"))?;
            let waker = Waker::new(poll.registry(), WAKER).map_err(system("open a waker"))?;
            let (mailbox, inbox) = shard_mailbox(waker);
            let shard_metrics = Arc::new(ShardMetrics::default());
            metrics.push(shard_metrics.clone());
            mailboxes.push(mailbox);
            let setup = ShardSetup {
                id,
                poll,
                inbox,
                core: to_core.clone(),
                settings: settings.clone(),
                metrics: shard_metrics,
                status: status.clone(),
                clock,
                seed: random_seed()?,
            };
            threads.push(spawn(&format!("shard-{}", id.0), &status, move || Shard::new(setup).run())?);
        }
        drop(to_core);
        let core = CoreThread {
            core: Core::new(epoch, core_limits(config, shards), random_seed()?),
            inbox,
            shards: mailboxes.clone(),
            metrics: core_metrics.clone(),
            clock,
        };
        threads.push(spawn("core", &status, move || core.run())?);
        let bounds = bounds(config, shards, descriptors);
        let refused = Arc::new(Gauge::default());
        let (acceptor, stop_acceptor) = Acceptor::new(
            bound.clients,
            mailboxes.clone(),
            metrics.clone(),
            bounds.connections,
            refused.clone(),
        )
        .map_err(system("watch the listening sockets"))?;
        let figures =
            Arc::new(Figures { shards: metrics, core: core_metrics, refused, status, log, bounds, clock });
        let admin = admin::start(admin::Setup {
            interfaces: bound.interfaces,
            figures: figures.clone(),
            tls: settings.tls.clone(),
            log_interval: config.log.stats_interval,
        })
        .map_err(system("start the monitoring thread"))?;
        threads.insert(0, spawn("acceptor", &figures.status, move || acceptor.run())?);
        Ok(Self { shards: mailboxes, stop_acceptor, admin, figures, threads })
    }

    /// Clients are welcome from here on.
    pub(crate) fn begin_service(&self) {
        self.figures.status.begin_service();
        let Bounds { connections, memory_bytes, .. } = self.figures.bounds;
        tracing::info!(
            version = %VERSION,
            mode = %self.figures.status.mode.name(),
            epoch = self.figures.core.epoch.value(),
            io_threads = self.shards.len(),
            connections_max = connections,
            memory_bytes,
            "ready"
        );
    }

    /// Puts another configuration into force.
    ///
    /// # Errors
    /// It cannot be used; the old one stays in force.
    pub(crate) fn reload(&self, config: &Config) -> Result<(), SettingsError> {
        let shards = u16::try_from(self.shards.len()).expect("at most 64 shards");
        let settings = settings(config, shards)?;
        self.admin.reload(settings.tls.clone());
        for shard in &self.shards {
            shard.send(ToShard::Reload(settings.clone()));
        }
        Ok(())
    }

    /// Tells every client within the window to go, and ends when all have gone.
    pub(crate) fn drain(self, window: Duration) {
        self.figures.status.begin_drain();
        tracing::info!("draining: clients are told when to come back");
        self.stop_acceptor.stop();
        let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        for shard in &self.shards {
            shard.send(ToShard::Drain { window_ms });
        }
        for thread in self.threads {
            thread.join().expect("a panic ends the process");
        }
        self.admin.stop();
    }
}

/// Starts a thread. One that ends before the drain is a fault, also without a panic of its own.
fn spawn(
    name: &str,
    status: &Arc<MemberStatus>,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, ServeError> {
    let status = status.clone();
    let guarded = move || {
        run();
        assert!(status.is_draining(), "the thread has ended early; the lines above say why");
    };
    thread::Builder::new().name(name.to_owned()).spawn(guarded).map_err(system("start a thread"))
}

fn shard_count(config: &Config) -> u16 {
    let cores = || thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = config.process.io_threads.unwrap_or_else(cores);
    u16::try_from(threads).unwrap_or(u16::MAX).clamp(1, ShardSet::SHARDS_MAX)
}

fn core_limits(config: &Config, shards: u16) -> CoreLimits {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    CoreLimits {
        mode: config.delivery_mode,
        history_messages_max: config.cache.messages_per_subject_max,
        history_expire_ms: millis(config.cache.expire_time),
        snapshot_expire_ms: config.cache.snapshot_expire_time.map(millis),
        cache_bytes_max: cache_bytes_max(config),
        shards,
    }
}

/// The bounds in force: connections as configured, and as the descriptors allow.
fn bounds(config: &Config, shards: u16, descriptors: u64) -> Bounds {
    let own = OWN_DESCRIPTORS + SHARD_DESCRIPTORS * u64::from(shards);
    let possible = descriptors.saturating_sub(own).max(1);
    let wanted = config.limits.connections_max.map(|max| max as u64);
    if let Some(wanted) = wanted.filter(|wanted| *wanted > possible) {
        tracing::warn!(
            wanted,
            possible,
            descriptors,
            "the limit of open files allows fewer connections than MaxConnections; raise it (ulimit -n, LimitNOFILE)"
        );
    }
    Bounds {
        connections: wanted.map_or(possible, |wanted| wanted.min(possible)),
        descriptors,
        memory_bytes: config.limits.memory_bytes as u64,
        cache_bytes: cache_bytes_max(config) as u64,
    }
}

/// The lineage of a cluster of one begins with the process: its memory does.
fn epoch() -> Epoch {
    Epoch(Clock::unix_ms() / 1000)
}

fn random_seed() -> Result<u64, ServeError> {
    getrandom::u64().map_err(|error| system("get random numbers")(std::io::Error::other(error.to_string())))
}

#[cfg(test)]
mod tests {
    use sterna_config::{Sources, load};

    use super::*;

    fn connections(max: &str, descriptors: u64) -> u64 {
        let command_line = vec![format!("MaxConnections={max}")];
        let config = load(&Sources { command_line, ..Sources::default() }).unwrap().config;
        bounds(&config, 2, descriptors).connections
    }

    #[test]
    fn connections_are_bounded_by_the_parameter_and_by_the_descriptors() {
        let own = OWN_DESCRIPTORS + 2 * SHARD_DESCRIPTORS;
        assert_eq!(connections("0", 1000), 1000 - own);
        assert_eq!(connections("100", 1000), 100);
        assert_eq!(connections("5000", 1000), 1000 - own);
        assert_eq!(connections("0", 10), 1, "a server without any place would be of no use");
    }
}
