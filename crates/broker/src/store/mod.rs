//! The store: all subjects of a member with their messages, changed only by what the log says, so that it is the same
//! on every member.

mod admit;
mod apply;
mod budget;
pub(crate) mod codec;
pub(crate) mod command;
mod dedup;
mod expire;
mod install;
mod level;
mod origin;
mod recover;
mod subject;
mod subscribe;
mod transfer;

use std::collections::BTreeMap;

use sterna_model::{DeliveryMode, Epoch, GroupId, Seq, SubjectId};

use crate::core::{CoreCounters, CoreLimits, CoreSizes};

pub use level::LEVEL_MAX;
#[cfg(any(test, feature = "rehearsal"))]
pub use level::REHEARSAL;
pub use subscribe::Cursor;

pub(crate) use apply::{Waiter, Waiters};

use apply::Replay;
use budget::Budget;
use dedup::Publishers;
use expire::Schedule;
use install::Staged;
use origin::Origins;
use subject::SubjectTable;
use transfer::Source;

/// The subjects, the publishers' windows, and what goes with them.
#[derive(Debug)]
pub(crate) struct Store {
    group: GroupId,
    epoch: Epoch,
    limits: CoreLimits,
    subjects: SubjectTable,
    publishers: Publishers,
    origins: Origins,
    schedule: Schedule,
    budget: Budget,
    counters: CoreCounters,
    /// Highest last seq of any forgotten subject; subjects met for the first time start from here, so that
    /// a position of a forgotten subject looks complete only if it was the last one.
    floor: Seq,
    /// The time of the log, Unix milliseconds: it never goes back, and the rules know no other.
    time_ms: u64,
    /// Index of the last command.
    applied: u64,
    /// Subjects that are ahead of the log after a state transfer.
    replays: BTreeMap<SubjectId, Replay>,
    /// State transfers to other members.
    sources: Vec<Source>,
    /// A state that arrives.
    staged: Option<Box<Staged>>,
    /// Subjects with subscriptions that the log should hear of, lest they be forgotten.
    touches: Vec<SubjectId>,
    /// Subjects that may be forgotten.
    idle: Vec<SubjectId>,
    /// A level at which it applies too early, because a simulation wants so.
    #[cfg(any(test, feature = "rehearsal"))]
    early: sterna_replica::Level,
}

impl Store {
    /// An empty store. `seed` randomises the hash tables against chosen names.
    pub(crate) fn new(epoch: Epoch, limits: CoreLimits, seed: u64) -> Self {
        Self {
            group: GroupId(0),
            epoch,
            limits,
            subjects: SubjectTable::new(seed),
            publishers: Publishers::new(seed),
            origins: Origins::default(),
            schedule: Schedule::default(),
            budget: Budget::new(limits.cache_bytes_max),
            counters: CoreCounters::default(),
            floor: Seq(0),
            time_ms: 0,
            applied: 0,
            replays: BTreeMap::new(),
            sources: Vec::new(),
            staged: None,
            touches: Vec::new(),
            idle: Vec::new(),
            #[cfg(any(test, feature = "rehearsal"))]
            early: LEVEL_MAX,
        }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The time of the log, Unix milliseconds.
    pub(crate) fn time_ms(&self) -> u64 {
        self.time_ms
    }

    pub(crate) fn counters(&self) -> CoreCounters {
        self.counters
    }

    pub(crate) fn counters_mut(&mut self) -> &mut CoreCounters {
        &mut self.counters
    }

    pub(crate) fn sizes(&self) -> CoreSizes {
        CoreSizes {
            subjects: self.subjects.len(),
            cache_bytes: self.budget.used(),
            publishers: self.publishers.len(),
        }
    }

    /// Whether the publishers' generation has lasted long enough.
    pub(crate) fn wants_rotation(&self) -> bool {
        let generation_ms = self.limits.history_expire_ms.max(1000);
        self.time_ms.saturating_sub(self.publishers.rotated_at_ms) >= generation_ms
    }

    /// Lets time pass where there is no log to say so.
    pub(crate) fn pass(&mut self, now_ms: u64) {
        self.time_ms = self.time_ms.max(now_ms);
        self.touches.clear();
        self.idle.clear();
        self.expire();
    }

    /// Whether so many bytes more fit.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.budget.fits(bytes + subject::OVERHEAD_BYTES_MAX, 0)
    }

    /// Whether messages have seqs.
    fn is_continuous(&self) -> bool {
        self.limits.mode == DeliveryMode::Guaranteed
    }

    /// History length in force.
    fn history_messages_max(&self) -> usize {
        match self.limits.mode {
            DeliveryMode::Standard => 0,
            DeliveryMode::Guaranteed => self.limits.history_messages_max,
        }
    }
}
