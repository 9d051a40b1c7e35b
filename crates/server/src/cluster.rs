//! The cluster as this member sees it: its settings, its state for health, metrics and people, its log lines.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use bytes::Bytes;
use serde_json::{Value, json};
use sterna_broker::core::{Core, CoreStatus, LEVEL_MAX, Notice};
use sterna_config::{Address, Config, Host};
use sterna_link::{ClusterKey, LinkEvent, LinkSettings, LinkTls};
use sterna_model::DeliveryMode;
use sterna_replica::{Incarnation, Lineage, NodeId, Nonce, Role, Settings, Slot, Status};

use crate::metrics::CoreMetrics;
use crate::peers::Peers;
use crate::status::VERSION;

/// What the configuration says of the cluster.
#[derive(Clone, Debug)]
pub(crate) struct ClusterSettings {
    pub(crate) slot: u16,
    /// As in `ClusterMembers`; empty for a single server.
    pub(crate) members: Vec<String>,
    pub(crate) seeds: u16,
}

impl ClusterSettings {
    pub(crate) fn new(config: &Config) -> Self {
        let cluster = &config.cluster;
        let own = cluster.members.iter().position(|member| Some(member) == cluster.member_listen.as_ref());
        let count = cluster.members.len();
        let seeds = cluster.seed_member_count.unwrap_or(match count {
            0..3 => 1,
            3..5 => 3,
            _ => 5,
        });
        let small = |number: usize| u16::try_from(number).expect("the configuration has checked it");
        Self {
            slot: small(own.unwrap_or_default()),
            members: cluster.members.iter().map(ToString::to_string).collect(),
            seeds: small(seeds),
        }
    }

    /// Whether there may be other members.
    pub(crate) fn is_clustered(&self) -> bool {
        self.members.len() > 1
    }

    /// Settings of the agreement; `seen` is the highest lineage of earlier lives.
    pub(crate) fn replica(&self, config: &Config, nonce: u128, seed: u64, seen: Lineage) -> Settings {
        let members = u16::try_from(self.members.len().max(1)).expect("the configuration has checked it");
        let mut settings = Settings::new(Slot(self.slot), Nonce(nonce), seed, self.seeds, members);
        settings.seen = seen;
        settings.level_max = LEVEL_MAX;
        // A message that is larger than a chunk has one of its own.
        settings.chunk_bytes_max =
            settings.chunk_bytes_max.max(config.limits.message_bytes_max + MESSAGE_HEAD_BYTES);
        // A quarter of it, half the log's share of memory, is kept while nobody lags; the rest serves state transfers.
        settings.log_tail_bytes_max =
            (config.limits.memory_bytes / 4).clamp(LOG_TAIL_BYTES.start, LOG_TAIL_BYTES.end);
        settings
    }

    /// Settings of the links; none for a single server.
    pub(crate) fn links(&self, config: &Config, nonce: u128, tls: Option<LinkTls>) -> Option<LinkSettings> {
        let password = config.cluster.password.as_ref().map_or("", |password| password.expose().as_str());
        let key = ClusterKey::new(password.as_bytes());
        let memory_bytes = config.limits.memory_bytes;
        self.is_clustered().then(|| {
            let mut settings = LinkSettings::new(self.slot, nonce, self.members.clone(), self.seeds, key);
            settings.advertised = config.cluster.advertised.iter().map(ToString::to_string).collect();
            settings.tls = tls;
            settings.queue_bytes_max =
                settings.queue_bytes_max.min((memory_bytes / 4).max(LINK_QUEUE_BYTES_MIN));
            settings.unhandled_bytes_max = settings.unhandled_bytes_max.min((memory_bytes / 64).max(1 << 20));
            settings
        })
    }

    /// Says so if strangers could join the cluster.
    pub(crate) fn warn_of_missing_password(&self, config: &Config) {
        let cluster = &config.cluster;
        let is_open = cluster.password.is_none() && config.cluster_tls.is_none();
        if self.is_clustered() && is_open && !cluster.members.iter().all(is_loopback) {
            tracing::warn!(
                "ClusterPassword is not set: whoever reaches the ports of the members can join the cluster; give all \
                 members the same one"
            );
        }
    }
}

/// Whether only this machine reaches the address.
fn is_loopback(address: &Address) -> bool {
    match &address.host {
        Host::Any => false,
        Host::Ip(ip) => ip.is_loopback(),
        Host::Name(name) => name == "localhost",
    }
}

// What the configuration allows, the links take.
const _: () = assert!(sterna_config::ADVERTISED_MAX <= sterna_link::limit::ADVERTISED_MAX);
const _: () = assert!(sterna_config::ADVERTISED_BYTES_MAX <= sterna_link::limit::ADVERTISED_BYTES_MAX);

/// Bytes of the log's tail at most, whatever `Memory` is.
const LOG_TAIL_BYTES: Range<usize> = 8 << 20..256 << 20;
/// The queue of a link holds the largest frame and as much again.
const LINK_QUEUE_BYTES_MIN: usize = 2 * (8 << 20);
/// Bytes around a content in a state transfer: names, numbers.
const MESSAGE_HEAD_BYTES: usize = 8 * 1024;

/// What other threads may know of the cluster.
#[derive(Debug)]
pub(crate) struct ClusterStatus {
    settings: ClusterSettings,
    /// Subscriptions and publishes are served here.
    serves: AtomicBool,
    /// Nothing is being replaced, and this member belongs to a lineage.
    settled: AtomicBool,
    /// Another member was heard of.
    linked: AtomicBool,
    /// Updates since a leader was heard.
    leaderless: AtomicU32,
}

/// Updates without a leader after which an operator should know: about a second. A hand-over takes less.
const LEADERLESS_NOTICE: u32 = 10;

impl ClusterStatus {
    pub(crate) fn new(settings: ClusterSettings) -> Self {
        let [serves, settled, linked] = [(); 3].map(|()| AtomicBool::new(false));
        Self { settings, serves, settled, linked, leaderless: AtomicU32::new(0) }
    }

    /// Whether this member votes.
    pub(crate) fn is_seed(&self) -> bool {
        self.settings.slot < self.settings.seeds
    }

    /// Whether publishes and subscriptions are taken here at the moment.
    pub(crate) fn serves(&self) -> bool {
        self.serves.load(Relaxed)
    }

    /// Whether this member has what it needs, and nobody waits for it.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled.load(Relaxed)
    }

    /// Whether another member was ever heard of.
    pub(crate) fn was_linked(&self) -> bool {
        self.linked.load(Relaxed)
    }

    pub(crate) fn update(&self, status: &CoreStatus, peers: &Peers, metrics: &CoreMetrics) {
        let (links, seeds) = (peers.len(), self.settings.seeds);
        let seeds_present = peers.seeds(seeds) + usize::from(self.is_seed());
        metrics.links.set(links as u64);
        metrics.seeds_missing.set(u64::from(seeds) - seeds_present as u64);
        metrics.log_bytes.set(status.log_bytes as u64);
        metrics.batches_waiting.set(status.batches_waiting as u64);
        metrics.batches_forwarded.set(status.batches_forwarded);
        metrics.elections.set(status.elections);
        self.linked.fetch_or(links > 0, Relaxed);
        let Some(replica) = &status.replica else {
            self.serves.store(true, Relaxed);
            self.settled.store(true, Relaxed);
            return;
        };
        self.serves.store(status.has_state && replica.leader.is_some(), Relaxed);
        self.settled.store(status.has_state && replica.is_settled, Relaxed);
        metrics.role.set(replica.role as u64);
        metrics.term.set(replica.term);
        metrics.committed.set(replica.committed);
        metrics.applied.set(replica.applied);
        metrics.level.set(u64::from(replica.membership.level.0));
        metrics.has_leader.set(u64::from(replica.leader.is_some()));
        if replica.leader.is_some() {
            self.leaderless.store(0, Relaxed);
        } else if self.leaderless.fetch_add(1, Relaxed) == LEADERLESS_NOTICE && self.settings.is_clustered() {
            tracing::warn!(
                "no leader is heard: guaranteed publishes are refused until a majority of the seeds is back"
            );
        }
    }

    /// Answers an administrator: one JSON document.
    pub(crate) fn answer(&self, request: LinkEvent, core: &Core) {
        let LinkEvent::Admin { request, answer } = request else { return };
        let document = if &request[..] == b"status" {
            self.document(core)
        } else {
            json!({ "error": "unknown request; this version knows: status" })
        };
        answer.send(Bytes::from(document.to_string()));
    }

    fn document(&self, core: &Core) -> Value {
        let status = core.status();
        let mut document = json!({
            "version": VERSION,
            "slot": self.settings.slot,
            "members": self.settings.members,
            "seeds": self.settings.seeds,
            "epoch": core.epoch().0,
            "subjects": core.sizes().subjects,
            "serves": self.serves(),
            "mode": DeliveryMode::Standard.name(),
        });
        if let Some(replica) = &status.replica {
            document["mode"] = DeliveryMode::Guaranteed.name().into();
            document["agreement"] = agreement(replica);
            document["agreement"]["elections"] = status.elections.into();
        }
        document
    }

    /// One line in the log for what an operator should know.
    pub(crate) fn tell(&self, notice: Notice) {
        match notice {
            Notice::Leads { leader: Some(Slot(slot)), term } if self.settings.is_clustered() => {
                let is_here = slot == self.settings.slot;
                tracing::info!(leader = slot, term, is_here, "leader of the cluster");
            }
            Notice::Leads { .. } => {}
            Notice::Founded { epoch, is_salvaged: true } => tracing::warn!(
                epoch = epoch.0,
                "a majority of the seeds had lost its memory: a new epoch begins with the messages of the best copy; \
                 clients are told reset"
            ),
            Notice::Founded { epoch, .. } if self.settings.is_clustered() => {
                tracing::info!(epoch = epoch.0, "a new epoch begins, without messages");
            }
            Notice::Founded { .. } => {}
            Notice::Installed { epoch, subjects } => {
                tracing::info!(epoch = epoch.0, subjects, "this member has the messages of the cluster");
            }
            Notice::Bound => tracing::warn!("a majority of the seeds is gone: a new epoch is being formed"),
            Notice::Reborn { .. } => {
                tracing::warn!("this member fell out of the cluster and joins it again without its memory");
            }
            Notice::Switched { level } => {
                tracing::info!(level = level.0, "the log is applied at another level from here on");
            }
            Notice::Outdated { level } => tracing::error!(
                cluster_level = level.0,
                own_level_max = LEVEL_MAX.0,
                "this member's software is older than what the cluster has switched to, so it is not admitted; start the \
                 newer version"
            ),
            Notice::Suspicious { slot, why } => {
                tracing::debug!(slot = slot.0, %why, "a frame of another member was not taken");
            }
            Notice::Left => tracing::info!("nothing in the cluster waits for this member"),
            Notice::Broken { why } => panic!("the agreement cannot go on: {why}"),
        }
    }
}

fn agreement(replica: &Status) -> Value {
    let slot_of = |node: &NodeId| {
        let Some(Incarnation { slot, nonce, level_max }) = replica.membership.incarnations.get(node) else {
            return json!({ "node": node.0 });
        };
        json!({ "node": node.0, "slot": slot.0, "present": nonce.is_some(), "level_max": level_max.0 })
    };
    json!({
        "lineage": replica.lineage.0,
        "node": replica.node.0,
        "role": role_name(replica.role),
        "leader": replica.leader.map(|slot| slot.0),
        "term": replica.term,
        "committed": replica.committed,
        "applied": replica.applied,
        "level": replica.membership.level.0,
        "level_max": LEVEL_MAX.0,
        "settled": replica.is_settled,
        "phase": format!("{:?}", replica.phase).to_lowercase(),
        "voters": replica.membership.voters.iter().map(slot_of).collect::<Vec<_>>(),
        "learners": replica.membership.learners.iter().map(slot_of).collect::<Vec<_>>(),
    })
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Apart => "apart",
        Role::Blank => "blank",
        Role::Learner => "learner",
        Role::Follower => "follower",
        Role::Leader => "leader",
    }
}
