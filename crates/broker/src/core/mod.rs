//! The core: one deterministic state machine that owns all subjects of a member and gives every message its place.

mod apply;
mod budget;
mod dedup;
mod event;
mod expire;
mod publish;
mod recover;
mod subject;
mod subscribe;

use sterna_model::{DeliveryMode, Epoch, GroupId, Seq};

pub use event::{Cut, Effect, Event, Page, PublishEvent, Reading, ShardSet, SubscribeEvent};
pub use subscribe::Cursor;

use budget::Budget;
use dedup::Publishers;
use expire::Schedule;
use subject::SubjectTable;

/// The bounds a core keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreLimits {
    /// What is promised: with `Standard` no history is kept.
    pub mode: DeliveryMode,
    /// History length per subject, messages.
    pub history_messages_max: usize,
    /// How long a message stays in history unless pushed out by count, milliseconds.
    pub history_expire_ms: u64,
    /// How long a snapshot stays, milliseconds; `None` is for ever.
    pub snapshot_expire_ms: Option<u64>,
    /// Bytes of subjects, history, snapshots and publisher windows.
    pub cache_bytes_max: usize,
    /// Number of I/O shards, at most [`ShardSet::SHARDS_MAX`].
    pub shards: u16,
}

/// Counters that only grow, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreCounters {
    /// Messages given a place (or, for standard ones, passed on).
    pub published: u64,
    /// Publishes recognised as retries.
    pub duplicates: u64,
    /// Publishes refused.
    pub refused: u64,
    /// Resumes answered complete.
    pub recoveries_complete: u64,
    /// Resumes answered with a gap.
    pub recoveries_gap: u64,
    /// Resumes answered with a reset.
    pub recoveries_reset: u64,
    /// Catch-ups that fell out of the history before they ended.
    pub recoveries_overrun: u64,
    /// Messages that left the history by age.
    pub expired: u64,
}

/// Sizes at this moment, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreSizes {
    /// Subjects known.
    pub subjects: usize,
    /// Bytes accounted to subjects, history, snapshots and publisher windows.
    pub cache_bytes: usize,
    /// Publishers remembered.
    pub publishers: usize,
}

/// The state machine. Drain order: every call appends its effects in the order in which they happened; each
/// shard must receive its effects in that order, because a subscription's cut is only consistent with the
/// deliveries before and after it.
#[derive(Debug)]
pub struct Core {
    group: GroupId,
    epoch: Epoch,
    limits: CoreLimits,
    subjects: SubjectTable,
    publishers: Publishers,
    schedule: Schedule,
    budget: Budget,
    counters: CoreCounters,
    /// Highest last seq of any forgotten subject; subjects met for the first time start from here, so that
    /// a position of a forgotten subject looks complete only if it was the last one.
    floor: Seq,
}

impl Core {
    /// An empty core of lineage `epoch`. `seed` randomises the hash tables against chosen names.
    #[must_use]
    pub fn new(epoch: Epoch, limits: CoreLimits, seed: u64) -> Self {
        assert!(limits.shards > 0 && limits.shards <= ShardSet::SHARDS_MAX, "1 to 64 shards");
        Self {
            group: GroupId(0),
            epoch,
            limits,
            subjects: SubjectTable::new(seed),
            publishers: Publishers::new(seed, limits.history_expire_ms),
            schedule: Schedule::default(),
            budget: Budget::new(limits.cache_bytes_max),
            counters: CoreCounters::default(),
            floor: Seq(0),
        }
    }

    /// Takes one event in at `now_ms` (Unix time) and appends what follows from it.
    pub fn handle(&mut self, now_ms: u64, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Publish(publish) => self.handle_publish(now_ms, *publish, effects),
            Event::Subscribe(subscribe) => self.handle_subscribe(now_ms, subscribe, effects),
            Event::Continue { to, subject, cursor } => self.handle_continue(to, subject, cursor, effects),
            Event::Unsubscribe { to, id, name } => self.handle_unsubscribe(to, id, name, effects),
            Event::Release { shard, subjects } => self.handle_release(now_ms, shard, &subjects),
            Event::Read { to, name, reading } => self.handle_read(to, &name, reading, effects),
        }
    }

    /// Lets time pass: expires history, snapshots and idle subjects. Does a bounded amount of work a call.
    pub fn on_timer(&mut self, now_ms: u64) {
        self.expire(now_ms);
        self.publishers.on_timer(now_ms, &mut self.budget);
    }

    /// Lineage of this core.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Counters since start.
    #[must_use]
    pub fn counters(&self) -> CoreCounters {
        self.counters
    }

    /// Sizes now.
    #[must_use]
    pub fn sizes(&self) -> CoreSizes {
        CoreSizes {
            subjects: self.subjects.len(),
            cache_bytes: self.budget.used(),
            publishers: self.publishers.len(),
        }
    }

    /// History length in force.
    fn history_messages_max(&self) -> usize {
        match self.limits.mode {
            DeliveryMode::Standard => 0,
            DeliveryMode::Guaranteed => self.limits.history_messages_max,
        }
    }
}
