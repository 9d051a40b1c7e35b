//! A member: the real core, shards and sessions, driven as the server drives them, with time passing in between.

mod connection;
mod core_thread;
mod effects;
mod life;
mod retention;
mod shard;
mod token;
mod trace;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use sterna_broker::core::{Core, CoreSettings, CoreStatus, Effect, Event};
use sterna_broker::session::{Now, Rules};
use sterna_model::{ConnectionId, PublisherStamp, Random, ServerInfo, ShardId};
use sterna_replica::{Level, Nonce, Settings, Slot};

use crate::network::SocketId;
use crate::scenario::CONTENT_BYTES_MAX;
use crate::stage::Stage;

pub(crate) use core_thread::Aftermath;
pub(crate) use life::HAND_OVER_US;
pub(crate) use shard::Shard;
pub(crate) use token::Token;

use life::Life;
use retention::Retention;

/// A place in the list of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MemberId(pub(crate) u16);

/// One server. Stopped, it has lost everything but its place.
pub(crate) struct Member {
    id: MemberId,
    random: Random,
    /// How many processes there were.
    process: u64,
    running: Option<Running>,
}

/// A server process.
pub(crate) struct Running {
    id: MemberId,
    pub(crate) core: Core,
    /// The core is busy elsewhere until then, microseconds.
    core_stalled_us: u64,
    /// The whole process stands still until then, microseconds.
    paused_us: u64,
    /// Until when each turn takes how long, microseconds.
    slow: (u64, u64),
    /// When the core is next told that time has passed, microseconds.
    tick_us: u64,
    inbox: Inbox,
    /// Effects on their way to each shard, for which its mailbox had no room yet.
    outgoing: Vec<VecDeque<Vec<Effect>>>,
    pub(crate) shards: Vec<Shard>,
    rules: Arc<Rules>,
    retention: Retention,
    /// Stamps of publishes that are not answered yet.
    stamps: BTreeMap<(ConnectionId, Option<u64>), PublisherStamp>,
    life: Life,
    /// The highest level that the software knows.
    level_max: Level,
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

/// The moment as a member sees it.
fn now(stage: &Stage, member: MemberId) -> Now {
    Now { unix_ms: stage.unix_ms(member), monotonic_us: stage.now_us() }
}

impl Member {
    pub(crate) fn new(id: MemberId, random: Random) -> Self {
        Self { id, random, process: 0, running: None }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(crate) fn running(&self) -> Option<&Running> {
        self.running.as_ref()
    }

    pub(crate) fn running_mut(&mut self) -> Option<&mut Running> {
        self.running.as_mut()
    }

    /// The number of the last process.
    pub(crate) fn process(&self) -> u64 {
        self.process
    }

    /// Starts empty, as another incarnation.
    pub(crate) fn start(&mut self, stage: &mut Stage) {
        self.process += 1;
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
        let (id, seed) = (self.id, self.random.next());
        let nonce =
            Nonce(u128::from(self.process) << 80 | u128::from(id.0) << 64 | u128::from(self.random.next()));
        let level_max = stage.versions.installed(id);
        let replica = stage.scenario.cluster.settings(Slot(id.0), nonce, self.random.next());
        let replica = Settings { level_max, ..replica };
        let settings = CoreSettings { limits, replica, seed };
        let now = now(stage, id);
        let running = Running {
            id,
            core: Core::new(settings, now).expect("the settings fit together"),
            core_stalled_us: 0,
            paused_us: 0,
            slow: (0, 0),
            tick_us: 0,
            inbox: Inbox { batches: VecDeque::new(), batches_max: stage.scenario.batches_max },
            outgoing: (0..limits.shards).map(|_| VecDeque::new()).collect(),
            shards: (0..limits.shards).map(|shard| Shard::new(id, ShardId(shard), seed)).collect(),
            rules: Arc::new(rules),
            retention: Retention::default(),
            stamps: BTreeMap::new(),
            life: Life::begin(stage, &mut self.random),
            level_max,
        };
        stage.wake_core_soon(id);
        stage.say(|| format!("member {} starts", id.0));
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
        let is_open = running.is_open(stage);
        if is_open {
            running.shards[shard].accept(socket);
        }
        is_open
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
            stage.wake_core_soon(self.id);
        }
    }

    /// The core does nothing for some time.
    pub(crate) fn stall_core(&mut self, until_us: u64) {
        self.core_stalled_us = until_us;
    }

    /// The whole process does nothing for some time.
    pub(crate) fn pause(&mut self, until_us: u64) {
        self.paused_us = until_us;
        self.core_stalled_us = until_us;
        self.shards.iter_mut().for_each(|shard| shard.stall(until_us));
    }

    /// Each turn takes so long, for some time.
    pub(crate) fn slow_down(&mut self, until_us: u64, turn_us: u64) {
        self.slow = (until_us, turn_us);
    }

    /// Whether the process stands still.
    pub(crate) fn is_paused(&self, stage: &Stage) -> bool {
        stage.now_us() < self.paused_us
    }

    /// The highest level that the software knows.
    pub(crate) fn level_max(&self) -> Level {
        self.level_max
    }

    pub(crate) fn status(&self) -> CoreStatus {
        self.core.status()
    }

    /// What is under way inside, if anything.
    pub(crate) fn busy(&self) -> Option<String> {
        let id = self.id.0;
        if !self.inbox.batches.is_empty() || self.outgoing.iter().any(|waiting| !waiting.is_empty()) {
            return Some(format!("the core of member {id} is busy"));
        }
        let busy = self.shards.iter().find_map(Shard::busy);
        busy.map(|what| format!("member {id}, {what}"))
    }

    /// Connections that have not gone.
    pub(crate) fn connections(&self) -> usize {
        self.shards.iter().map(|shard| shard.sockets().count()).sum()
    }

    /// After all clients have gone: whatever is left of them, if anything.
    pub(crate) fn left_over(&mut self, stage: &Stage) -> Option<String> {
        for shard in &self.shards {
            if let Some(what) = shard.left_over() {
                return Some(format!("member {}, {what}", self.id.0));
            }
        }
        if stage.scenario.cluster.members > 1 {
            // What is idle is forgotten by all together, which would take another run.
            return None;
        }
        self.left_in_core(stage)
    }

    /// All that expires has expired, and what is idle is forgotten: is there anything left?
    fn left_in_core(&mut self, stage: &Stage) -> Option<String> {
        let mut now = now(stage, self.id);
        let mut out = Default::default();
        for _ in 0..8 {
            now.unix_ms += 700_000 + stage.scenario.limits.history_expire_ms;
            now.monotonic_us += 1_000_000;
            self.core.on_tick(now, &mut out);
            self.core.flush(now, &mut out);
        }
        let sizes = self.core.sizes();
        let expires = stage.scenario.limits.snapshot_expire_ms.is_some();
        // Without an agreement subjects are not forgotten together, so each member forgets on its own.
        let nothing = sizes.publishers == 0 && (!expires || (sizes.subjects, sizes.cache_bytes) == (0, 0));
        (!nothing).then(|| format!("in the core: {sizes:?}"))
    }

    /// Adds what the core has counted.
    pub(crate) fn count(&self, stage: &mut Stage) {
        let (counters, status) = (self.core.counters(), self.core.status());
        stage.tally.overruns += counters.recoveries_overrun;
        stage.tally.elections += status.elections;
        stage.tally.forwarded += status.batches_forwarded;
    }
}
