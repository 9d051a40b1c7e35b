//! The life of the process: bind, start the threads, obey signals, drain, end.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use mio::{Poll, Waker};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use sterna_broker::core::{Core, CoreLimits};
use sterna_config::{Config, ConfigError, Loaded};
use sterna_model::{Epoch, ShardId};

use crate::acceptor::{Acceptor, Listener, StopAcceptor};
use crate::clock::Clock;
use crate::core_thread::CoreThread;
use crate::listen::bind;
use crate::mailbox::{ShardMailbox, ToShard, core_queue, shard_mailbox};
use crate::metrics::{CoreMetrics, Gauge, ShardMetrics};
use crate::reload::{SettingsError, cache_bytes_max, settings};
use crate::shard::{Shard, ShardSetup, WAKER};
use crate::status::MemberStatus;
use crate::trace::{self, LevelHandle};

/// Descriptors that are not clients: files, listeners, wakers, monitoring.
const OWN_DESCRIPTORS: u64 = 64;

/// Why a member could not be started. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be bound.
    #[error("cannot listen on {address} ({parameter}): {source}; free the port or change the parameter")]
    Bind {
        /// As configured.
        address: String,
        /// Where it is configured.
        parameter: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A key, token or certificate cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The system refuses something that every server needs.
    #[error("cannot {what}: {source}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> ServeError {
    move |source| ServeError::System { what, source }
}

/// Runs a member until SIGTERM or SIGINT, then drains it. `load` reads the configuration again on SIGHUP.
///
/// # Errors
/// The member could not be started.
pub fn serve(
    loaded: &Loaded,
    load: impl Fn() -> Result<Loaded, Vec<ConfigError>>,
) -> Result<(), ServeError> {
    let config = &loaded.config;
    let level = trace::start(config.log.format, config.log.level);
    // Registered first: a signal from here on is not lost.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(system("listen for signals"))?;
    let listeners = bind_all(config)?;
    let member = Member::start(config, listeners)?;
    announce(loaded);
    for signal in signals.forever() {
        if signal == SIGHUP {
            member.reload(&load, &level);
        } else {
            break;
        }
    }
    tracing::info!("draining: clients are told when to come back");
    member.drain(config.process.drain_time);
    tracing::info!("stopped");
    Ok(())
}

/// The threads of a running member.
struct Member {
    shards: Vec<ShardMailbox>,
    stop_acceptor: StopAcceptor,
    status: Arc<MemberStatus>,
    /// Acceptor, shards, core, in the order in which they end.
    threads: Vec<JoinHandle<()>>,
}

impl Member {
    fn start(config: &Config, listeners: Vec<Listener>) -> Result<Self, ServeError> {
        let clock = Clock::new();
        let shards = shard_count(config);
        let settings = settings(config, shards)?;
        let status = Arc::new(MemberStatus::default());
        let (to_core, inbox) = core_queue();
        let mut threads = Vec::new();
        let mut mailboxes = Vec::new();
        let mut metrics = Vec::new();
        for id in (0..shards).map(ShardId) {
            let poll = Poll::new().map_err(system("open a poll"))?;
            let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(system("open a waker"))?);
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
            threads.push(spawn(&format!("shard-{}", id.0), move || Shard::new(setup).run())?);
        }
        drop(to_core);
        let connections_max = connections_max(config);
        let refused = Arc::new(Gauge::default());
        let (acceptor, stop_acceptor) =
            Acceptor::new(listeners, mailboxes.clone(), metrics.clone(), connections_max, refused)
                .map_err(system("watch the listening sockets"))?;
        threads.insert(0, spawn("acceptor", move || acceptor.run())?);
        let core = CoreThread {
            core: Core::new(epoch(), core_limits(config, shards), random_seed()?),
            inbox,
            shards: mailboxes.clone(),
            metrics: Arc::new(CoreMetrics::default()),
            clock,
        };
        threads.push(spawn("core", move || core.run())?);
        Ok(Self { shards: mailboxes, stop_acceptor, status, threads })
    }

    fn reload(&self, load: impl Fn() -> Result<Loaded, Vec<ConfigError>>, level: &LevelHandle) {
        let loaded = match load() {
            Ok(loaded) => loaded,
            Err(errors) => {
                for error in errors {
                    tracing::error!(%error, "reload: correct this; the old configuration stays in force");
                }
                return;
            }
        };
        let shards = u16::try_from(self.shards.len()).expect("at most 64 shards");
        match settings(&loaded.config, shards) {
            Ok(settings) => {
                for shard in &self.shards {
                    shard.send(ToShard::Reload(settings.clone()));
                }
                let _ = level.modify(|filter| *filter = trace::level_filter(loaded.config.log.level));
                tracing::info!("reloaded: tokens, keys, certificates, address lists and log level");
            }
            Err(error) => tracing::error!(%error, "reload: correct this; the old settings stay in force"),
        }
    }

    fn drain(self, window: std::time::Duration) {
        self.status.begin_drain();
        self.stop_acceptor.stop();
        let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        for shard in &self.shards {
            shard.send(ToShard::Drain { window_ms });
        }
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread panicked; please report the lines above");
            }
        }
    }
}

fn bind_all(config: &Config) -> Result<Vec<Listener>, ServeError> {
    let plain = config.listen.plain.iter().map(|address| (address, "Listen", false));
    let encrypted = config.listen.encrypted.iter().map(|address| (address, "ListenEncrypted", true));
    let mut listeners = Vec::new();
    for (address, parameter, encrypted) in plain.chain(encrypted) {
        let sockets = bind(address).map_err(|source| ServeError::Bind {
            address: address.to_string(),
            parameter,
            source,
        })?;
        listeners.extend(sockets.into_iter().map(|socket| Listener { socket, encrypted }));
    }
    Ok(listeners)
}

/// Tells a person where everything is.
fn announce(loaded: &Loaded) {
    for note in &loaded.notes {
        tracing::info!("{note}");
    }
    let config = &loaded.config;
    if config.uses_default_token() {
        tracing::warn!(
            "EntitlementAllowToken is the public default: anybody may publish; set a token of your own"
        );
    }
    if let Some(address) = config.listen.plain.first() {
        let port = address.port;
        let token = if config.uses_default_token() { "some-token" } else { "YOUR-TOKEN" };
        tracing::info!("console    http://localhost:{port}/console.html");
        tracing::info!("subscribe  sterna sub /stocks/IBM --server localhost:{port}");
        tracing::info!("publish    sterna pub /stocks/IBM 142.5 --server localhost:{port} --token {token}");
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, ServeError> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map_err(system("start a thread"))
}

fn shard_count(config: &Config) -> u16 {
    let cores = || thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = config.process.io_threads.unwrap_or_else(cores);
    u16::try_from(threads).unwrap_or(u16::MAX).clamp(1, sterna_broker::core::ShardSet::SHARDS_MAX)
}

fn core_limits(config: &Config, shards: u16) -> CoreLimits {
    let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    CoreLimits {
        mode: config.delivery_mode,
        history_messages_max: config.cache.messages_per_subject_max,
        history_expire_ms: millis(config.cache.expire_time),
        snapshot_expire_ms: config.cache.snapshot_expire_time.map(millis),
        cache_bytes_max: cache_bytes_max(config),
        shards,
    }
}

/// The lineage of a cluster of one begins with the process: its memory does.
fn epoch() -> Epoch {
    Epoch(Clock::unix_ms() / 1000)
}

fn random_seed() -> Result<u64, ServeError> {
    getrandom::u64().map_err(|error| system("get random numbers")(io::Error::other(error.to_string())))
}

/// Connections at once: as configured, and as the descriptors allow.
fn connections_max(config: &Config) -> u64 {
    let descriptors = crate::process::raise_descriptors(config.process.descriptors_max as u64);
    let possible = descriptors.saturating_sub(OWN_DESCRIPTORS).max(1);
    config.limits.connections_max.map_or(possible, |max| possible.min(max as u64))
}
