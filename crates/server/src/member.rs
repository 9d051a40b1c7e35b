//! A running member: its threads, started, reloaded and drained together.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::Sender;
use mio::{Poll, Waker};
use sterna_broker::core::{Core, CoreLimits, CoreSettings, ShardSet};
use sterna_config::Config;
use sterna_link::{LinkEvent, LinkSettings, Links};
use sterna_model::ShardId;
use sterna_replica::Lineage;

use crate::acceptor::{Acceptor, Listener, StopAcceptor};
use crate::admin::{self, Admin, Bounds, Figures};
use crate::certificates::Certificates;
use crate::clock::Clock;
use crate::cluster::{ClusterSettings, ClusterStatus};
use crate::core_thread::CoreThread;
use crate::elsewhere::Elsewhere;
use crate::lifecycle::{ServeError, system};
use crate::lineage::LineageFile;
use crate::listen::{Bound, Places};
use crate::mailbox::{CoreOrders, ShardMailbox, ToCore, ToCoreThread, ToShard, core_queue, shard_mailbox};
use crate::metrics::{CoreMetrics, Gauge, ShardMetrics};
use crate::offload::Offload;
use crate::peers::Peers;
use crate::reload::{SettingsError, cache_bytes_max, link_tls, settings};
use crate::settings::Settings;
use crate::shard::{Shard, ShardSetup, WAKER};
use crate::status::{MemberStatus, VERSION};
use crate::trace::Queue;

/// Descriptors that are neither clients nor a shard's: files, listeners, monitoring.
const OWN_DESCRIPTORS: u64 = 64 + 2 * admin::CONNECTIONS_MAX as u64;
/// A member that has looked for all others for so long, and found that none is running, is the first.
const ALONE: Duration = Duration::from_secs(1);
/// A member that joins a cluster is hidden from clients for so long at most.
const HIDDEN_MAX: Duration = Duration::from_secs(15);
/// A member that stops waits for so long at most for those who depend on it.
const HAND_OVER_MAX: Duration = Duration::from_secs(10);
/// Descriptors of a shard: its poll and its waker.
const SHARD_DESCRIPTORS: u64 = 2;

/// The threads of a running member, and the ways to them.
pub(crate) struct Member {
    shards: Vec<ShardMailbox>,
    core: CoreOrders,
    /// The core ends when the last of these has gone.
    keeps_core: ToCore,
    cluster: Arc<ClusterStatus>,
    /// None for a single server.
    links: Option<Links>,
    /// Until clients are welcome.
    listeners: Vec<Listener>,
    stop_acceptor: Option<StopAcceptor>,
    admin: Admin,
    figures: Arc<Figures>,
    /// Shards, core, in the order in which they end; in front of them the acceptor.
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
        let link_tls = link_tls(config)?;
        let core_metrics = Arc::new(CoreMetrics::default());
        let cluster_settings = ClusterSettings::new(config);
        cluster_settings.warn_of_missing_password(config);
        let cluster = Arc::new(ClusterStatus::new(cluster_settings.clone()));
        let status =
            Arc::new(MemberStatus::new(config.delivery_mode, core_metrics.clone(), cluster.clone(), clock));
        let (to_core, core_orders, inbox) = core_queue();
        let Shards { mut threads, mailboxes, metrics } =
            start_shards(shards, &to_core, &settings, &status, clock)?;
        let nonce = u128::from(random_seed()?) << 64 | u128::from(random_seed()?);
        let limits = core_limits(config, shards);
        let (seen, lineages) = start_lineage(config)?;
        let replica = cluster_settings.replica(config, nonce, random_seed()?, seen);
        let core = Core::new(CoreSettings { limits, replica, seed: random_seed()? }, clock.now());
        let core = CoreThread {
            core: core.map_err(|error| ServeError::Cluster(error.to_string()))?,
            inbox,
            shards: mailboxes.clone(),
            metrics: core_metrics.clone(),
            cluster: cluster.clone(),
            clock,
            peers: Peers::default(),
            elsewhere: Elsewhere::default(),
            offload: config.cluster.connection_offload.then(Offload::default),
            shard_metrics: metrics.clone(),
            status: status.clone(),
            lineages,
            lineage_told: Lineage::NONE,
            leaving: None,
        };
        threads.push(spawn("core", &status, move || core.run())?);
        let links = cluster_settings.links(config, nonce, link_tls);
        let links = links.map(|settings| start_links(settings, core_orders.clone())).transpose()?;
        let bounds = bounds(config, shards, descriptors);
        let refused = Arc::new(Gauge::default());
        let (shards, core, certificates) = (metrics, core_metrics, Certificates::default());
        certificates.take(config, Clock::unix_ms() / 1000);
        let figures = Figures { shards, core, refused, status, log, bounds, certificates, clock };
        let figures = Arc::new(figures);
        let admin = admin::start(admin::Setup {
            interfaces: bound.interfaces,
            figures: figures.clone(),
            tls: settings.tls.clone(),
            log_interval: config.log.stats_interval,
        })
        .map_err(system("start the monitoring thread"))?;
        Ok(Self {
            shards: mailboxes,
            core: core_orders,
            keeps_core: to_core,
            cluster,
            links,
            listeners: bound.clients,
            stop_acceptor: None,
            admin,
            figures,
            threads,
        })
    }

    /// Whether clients are better sent to this member than not, `waited` after its start. One that joins a cluster
    /// stays hidden until it has the messages and nobody waits for it, but not so long that a liveness probe ends it.
    pub(crate) fn may_open(&self, waited: Duration) -> bool {
        let is_alone = || self.links.as_ref().is_none_or(|links| links.watch().is_alone());
        let is_alone = waited >= ALONE && !self.cluster.was_linked() && is_alone();
        self.cluster.is_settled() || is_alone || waited >= HIDDEN_MAX
    }

    /// Clients are welcome from here on.
    pub(crate) fn begin_service(&mut self, places: &Places) -> Result<(), ServeError> {
        let figures = &self.figures;
        let (acceptor, stop_acceptor) = Acceptor::new(
            std::mem::take(&mut self.listeners),
            self.shards.clone(),
            figures.shards.clone(),
            figures.bounds.connections,
            figures.refused.clone(),
        )
        .map_err(system("listen for clients"))?;
        self.stop_acceptor = Some(stop_acceptor);
        self.threads.insert(0, spawn("acceptor", &figures.status, move || acceptor.run())?);
        self.figures.status.begin_service();
        places.announce(true);
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
        Ok(())
    }

    /// Puts another configuration into force.
    ///
    /// # Errors
    /// It cannot be used; the old one stays in force.
    pub(crate) fn reload(&self, config: &Config) -> Result<(), SettingsError> {
        let shards = u16::try_from(self.shards.len()).expect("at most 64 shards");
        let settings = settings(config, shards)?;
        let link_tls = link_tls(config)?;
        if let Some((links, tls)) = self.links.as_ref().zip(link_tls) {
            links.set_tls(tls);
        }
        self.admin.reload(settings.tls.clone());
        self.figures.certificates.take(config, Clock::unix_ms() / 1000);
        for shard in &self.shards {
            shard.send(ToShard::Reload(settings.clone()));
        }
        Ok(())
    }

    /// Hands over, tells every client within the window to go, and ends when all have gone. A member that votes hands
    /// over first, and goes on following; one that does not vote is dismissed, and serves nobody after that.
    pub(crate) fn drain(mut self, window: Duration) {
        self.figures.status.begin_drain();
        let votes = self.cluster.is_seed();
        if votes {
            self.hand_over();
        }
        tracing::info!("draining: clients are told when to come back");
        if let Some(acceptor) = &self.stop_acceptor {
            acceptor.stop();
        }
        let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        for shard in &self.shards {
            shard.send(ToShard::Drain { window_ms });
        }
        let core = self.threads.pop().expect("the core is the last of them");
        std::mem::take(&mut self.threads).into_iter().for_each(join);
        if !votes {
            self.hand_over();
        }
        drop(self.keeps_core);
        join(core);
        if let Some(links) = self.links {
            links.stop();
        }
        self.admin.stop();
    }

    /// Waits until nothing in the cluster depends on this member, within bounds.
    fn hand_over(&self) {
        if self.links.is_none() {
            return;
        }
        let (left, leaving) = crossbeam_channel::bounded(1);
        self.core.send(ToCoreThread::Leave(left));
        if leaving.recv_timeout(HAND_OVER_MAX).is_err() {
            tracing::warn!("the cluster still depends on this member, which stops all the same");
        }
    }
}

fn join(thread: JoinHandle<()>) {
    thread.join().expect("a panic ends the process");
}

/// The shards' threads, and the ways to them.
struct Shards {
    threads: Vec<JoinHandle<()>>,
    mailboxes: Vec<ShardMailbox>,
    metrics: Vec<Arc<ShardMetrics>>,
}

fn start_shards(
    count: u16,
    to_core: &ToCore,
    settings: &Arc<Settings>,
    status: &Arc<MemberStatus>,
    clock: Clock,
) -> Result<Shards, ServeError> {
    let mut shards = Shards { threads: Vec::new(), mailboxes: Vec::new(), metrics: Vec::new() };
    for id in (0..count).map(ShardId) {
        let poll = Poll::new().map_err(system("open a poll"))?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(system("open a waker"))?;
        let (mailbox, inbox) = shard_mailbox(waker);
        let metrics = Arc::new(ShardMetrics::default());
        shards.metrics.push(metrics.clone());
        shards.mailboxes.push(mailbox);
        let setup = ShardSetup {
            id,
            poll,
            inbox,
            core: to_core.clone(),
            settings: settings.clone(),
            metrics,
            status: status.clone(),
            clock,
            seed: random_seed()?,
        };
        shards.threads.push(spawn(&format!("shard-{}", id.0), status, move || Shard::new(setup).run())?);
    }
    Ok(shards)
}

fn start_links(settings: LinkSettings, core: CoreOrders) -> Result<Links, ServeError> {
    let tell = move |event: LinkEvent| core.send(ToCoreThread::Link(event));
    sterna_link::start(settings, tell).map_err(|error| ServeError::Cluster(error.to_string()))
}

/// The highest lineage of earlier lives; and, if there is a folder for it, the way to the thread that writes those that
/// come. It ends with the sender. Nobody waits for it: what it has not written yet is one lineage, of a member that ends.
fn start_lineage(config: &Config) -> Result<(Lineage, Option<Sender<Lineage>>), ServeError> {
    let entry = config.cluster.member_listen.as_ref().map(ToString::to_string);
    let Some(file) = LineageFile::open(&config.cluster.coordination_folder, entry.as_deref()) else {
        return Ok((Lineage::NONE, None));
    };
    let seen = file.highest();
    let (sender, lineages) = crossbeam_channel::bounded(1);
    let keep = move || file.keep(&lineages);
    thread::Builder::new().name("lineage".to_owned()).spawn(keep).map_err(system("start a thread"))?;
    Ok((seen, Some(sender)))
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
