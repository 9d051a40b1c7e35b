//! A member: the real core, shards and sessions, driven as the server drives them, with time passing in between.

mod connection;
mod core_thread;
mod effects;
mod shard;
mod token;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use sterna_broker::core::{Core, Effect, Event};
use sterna_broker::session::{Now, Rules};
use sterna_model::{Epoch, PublisherStamp, ServerInfo, ShardId};

use crate::agenda::{Alarm, Happening};
use crate::network::SocketId;
use crate::scenario::CONTENT_BYTES_MAX;
use crate::stage::Stage;

pub(crate) use shard::Shard;
pub(crate) use token::Token;

/// A place in the list of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MemberId(pub(crate) u16);

/// One server. Stopped, it has lost everything but its place.
pub(crate) struct Member {
    id: MemberId,
    seed: u64,
    /// Lineage of the last core.
    epoch: Epoch,
    running: Option<Running>,
}

/// A server process.
pub(crate) struct Running {
    core: Core,
    core_alarm: Alarm,
    /// The core is busy elsewhere until then, microseconds.
    core_stalled_us: u64,
    /// When time passes next for the core, microseconds.
    timer_us: u64,
    inbox: Inbox,
    /// Effects on their way to each shard, for which its mailbox had no room yet.
    outgoing: Vec<VecDeque<Vec<Effect>>>,
    pub(crate) shards: Vec<Shard>,
    rules: Arc<Rules>,
    retention: Retention,
}

/// The bounded way from the shards to the core.
pub(crate) struct Inbox {
    batches: VecDeque<Vec<Event>>,
    batches_max: usize,
}

impl Inbox {
    /// Takes a batch, or gives it back if too many wait.
    fn try_send(&mut self, batch: Vec<Event>) -> Result<(), Vec<Event>> {
        if self.batches.len() >= self.batches_max {
            return Err(batch);
        }
        self.batches.push_back(batch);
        Ok(())
    }
}

/// What was accepted of whom: a retry that comes later than the promise to remember it (rule P6) says nothing
/// about the rules.
#[derive(Debug, Default)]
struct Retention {
    publishers: BTreeMap<Box<str>, Accepted>,
}

#[derive(Debug, Default)]
struct Accepted {
    seqs: BTreeSet<u64>,
    /// Those accepted before the publisher was silent for so long that it may have been forgotten.
    doubtful: BTreeSet<u64>,
    /// When it was last accepted: microseconds since the beginning, and Unix milliseconds.
    used: (u64, u64),
}

impl Accepted {
    /// Whether the publisher may have been forgotten since it was last accepted, by either clock.
    fn was_silent(&self, stage: &Stage) -> bool {
        let (at_us, at_ms) = self.used;
        let silent_ms = (stage.now_us() - at_us) / 1000;
        silent_ms.max(stage.unix_ms().saturating_sub(at_ms)) >= stage.scenario.limits.history_expire_ms
    }
}

impl Retention {
    fn is_too_late(&self, stage: &Stage, stamp: &PublisherStamp) -> bool {
        self.publishers.get(&stamp.publisher).is_some_and(|accepted| {
            accepted.doubtful.contains(&stamp.seq)
                || (accepted.seqs.contains(&stamp.seq) && accepted.was_silent(stage))
        })
    }

    fn note(&mut self, stage: &Stage, stamp: PublisherStamp) {
        let accepted = self.publishers.entry(stamp.publisher).or_default();
        if accepted.was_silent(stage) {
            accepted.doubtful.append(&mut accepted.seqs);
        }
        accepted.seqs.insert(stamp.seq);
        accepted.used = (stage.now_us(), stage.unix_ms());
    }
}

/// The moment as the sessions see it.
fn now(stage: &Stage) -> Now {
    Now { unix_ms: stage.unix_ms(), monotonic_us: stage.now_us() }
}

impl Member {
    pub(crate) fn new(id: MemberId, seed: u64) -> Self {
        Self { id, seed, epoch: Epoch(0), running: None }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(crate) fn running_mut(&mut self) -> Option<&mut Running> {
        self.running.as_mut()
    }

    /// Starts empty, with a new lineage.
    pub(crate) fn start(&mut self, stage: &mut Stage) {
        self.epoch = Epoch((stage.unix_ms() / 1000).max(self.epoch.0 + 1));
        self.seed = self.seed.wrapping_add(1);
        let limits = stage.scenario.limits;
        let info = ServerInfo {
            software: "sim",
            mode: limits.mode,
            message_bytes_max: CONTENT_BYTES_MAX,
            keep_alive_ms: 30_000,
        };
        let rules = Rules {
            authority: Box::new(token::Tokens),
            info: Arc::new(info),
            subscriptions_max: stage.scenario.subscriptions_max,
            renew_before_ms: 2_000,
        };
        let id = self.id;
        let mut running = Running {
            core: Core::new(self.epoch, limits, self.seed),
            core_alarm: Alarm::default(),
            core_stalled_us: 0,
            timer_us: 0,
            inbox: Inbox { batches: VecDeque::new(), batches_max: stage.scenario.batches_max },
            outgoing: (0..limits.shards).map(|_| VecDeque::new()).collect(),
            shards: (0..limits.shards).map(|shard| Shard::new(id, ShardId(shard), self.seed)).collect(),
            rules: Arc::new(rules),
            retention: Retention::default(),
        };
        running.core_alarm.set(&mut stage.agenda, 0, Happening::CoreTurn(id));
        stage.say(|| format!("member {} starts, epoch {}", id.0, self.epoch.0));
        self.running = Some(running);
    }

    /// Stops at once. The sockets that it served are returned; their clients have yet to notice.
    pub(crate) fn stop(&mut self, stage: &mut Stage) -> Vec<SocketId> {
        let Some(running) = self.running.take() else { return Vec::new() };
        stage.say(|| format!("member {} stops", self.id.0));
        running.count(stage);
        running.shards.iter().flat_map(Shard::sockets).collect()
    }

    /// A connection has reached the member; false if nobody is there.
    pub(crate) fn accept(&mut self, stage: &mut Stage, socket: SocketId) -> bool {
        let shard = usize::from(stage.network.get(socket).shard);
        let Some(running) = &mut self.running else { return false };
        running.shards[shard].accept(socket);
        true
    }

    /// Something has arrived for a shard, or will at that time.
    pub(crate) fn wake_shard(&mut self, stage: &mut Stage, shard: u16, at_us: u64) {
        if let Some(running) = &mut self.running {
            running.shards[usize::from(shard)].wake(stage, at_us);
        }
    }
}

impl Running {
    /// A shard has its turn.
    pub(crate) fn shard_turn(&mut self, stage: &mut Stage, shard: u16) {
        let batches = self.inbox.batches.len();
        let shard = &mut self.shards[usize::from(shard)];
        let room = shard.turn(stage, &mut self.inbox, &self.rules);
        if room || self.inbox.batches.len() > batches {
            self.wake_core(stage);
        }
    }

    /// What is under way inside, if anything.
    pub(crate) fn busy(&self) -> Option<String> {
        if !self.inbox.batches.is_empty() || self.outgoing.iter().any(|waiting| !waiting.is_empty()) {
            return Some("the core is busy".to_owned());
        }
        self.shards.iter().find_map(Shard::busy)
    }

    /// Connections that have not gone.
    pub(crate) fn connections(&self) -> usize {
        self.shards.iter().map(|shard| shard.sockets().count()).sum()
    }

    /// After all clients have gone: whatever is left of them, if anything.
    pub(crate) fn left_over(&mut self, stage: &Stage) -> Option<String> {
        for shard in &self.shards {
            if let Some(what) = shard.left_over() {
                return Some(what);
            }
        }
        // All that expires has expired, and what is idle is forgotten.
        let mut now_ms = stage.unix_ms();
        for _ in 0..4 {
            now_ms += 700_000 + stage.scenario.limits.history_expire_ms;
            self.core.on_timer(now_ms);
        }
        let sizes = self.core.sizes();
        let expires = stage.scenario.limits.snapshot_expire_ms.is_some();
        let nothing = sizes.publishers == 0 && (!expires || (sizes.subjects, sizes.cache_bytes) == (0, 0));
        (!nothing).then(|| format!("in the core: {sizes:?}"))
    }

    /// Adds what the core has counted.
    pub(crate) fn count(&self, stage: &mut Stage) {
        stage.tally.overruns += self.core.counters().recoveries_overrun;
    }
}
