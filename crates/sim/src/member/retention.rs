//! What was accepted of whom: a retry that comes later than the promise to remember it (rule P6) says nothing about
//! the rules. Exact only for a member that is alone.

use std::collections::{BTreeMap, BTreeSet};

use sterna_model::PublisherStamp;

use crate::stage::Stage;

#[derive(Debug, Default)]
pub(super) struct Retention {
    publishers: BTreeMap<Box<str>, Accepted>,
}

#[derive(Debug, Default)]
struct Accepted {
    seqs: BTreeSet<u64>,
    /// Those accepted before the publisher was silent for so long that it may have been forgotten.
    doubtful: BTreeSet<u64>,
    /// When it was last accepted: microseconds since the beginning, and milliseconds of the log.
    used: (u64, u64),
}

impl Accepted {
    /// Whether the publisher may have been forgotten since it was last accepted, by either clock.
    fn was_silent(&self, stage: &Stage) -> bool {
        let (at_us, at_ms) = self.used;
        let silent_ms = (stage.now_us() - at_us) / 1000;
        silent_ms.max(stage.latest_ms().saturating_sub(at_ms)) >= stage.scenario.limits.history_expire_ms
    }
}

impl Retention {
    pub(super) fn is_too_late(&self, stage: &Stage, stamp: &PublisherStamp) -> bool {
        self.publishers.get(&stamp.publisher).is_some_and(|accepted| {
            accepted.doubtful.contains(&stamp.seq)
                || (accepted.seqs.contains(&stamp.seq) && accepted.was_silent(stage))
        })
    }

    pub(super) fn note(&mut self, stage: &Stage, stamp: PublisherStamp) {
        let accepted = self.publishers.entry(stamp.publisher).or_default();
        if accepted.was_silent(stage) {
            accepted.doubtful.append(&mut accepted.seqs);
        }
        accepted.seqs.insert(stamp.seq);
        accepted.used = (stage.now_us(), stage.latest_ms());
    }
}
