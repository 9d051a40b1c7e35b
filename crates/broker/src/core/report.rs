//! What a core tells about itself: for metrics, health and people.

use sterna_replica::{Slot, Status};

use super::Core;

/// A core at one moment.
#[derive(Clone, Debug)]
pub struct CoreStatus {
    /// The agreement's own status; none in `Standard` mode.
    pub replica: Option<Status>,
    /// Whether subscriptions are answered here.
    pub has_state: bool,
    /// Batches of this member on their way into the log.
    pub batches_waiting: usize,
    /// Bytes of the log, and of batches on their way into it.
    pub log_bytes: usize,
    /// Batches of this member that were sent to another one to lead.
    pub batches_forwarded: u64,
    /// Times that the leader changed.
    pub elections: u64,
}

impl Core {
    /// What the core is at the moment.
    #[must_use]
    pub fn status(&self) -> CoreStatus {
        let log = self.log.as_ref();
        let replica = log.map(|log| log.status());
        let kept_bytes = replica.as_ref().map_or(0, |replica| replica.log_bytes);
        CoreStatus {
            has_state: log.is_none_or(|log| log.has_state()),
            log_bytes: kept_bytes + log.map_or(0, |log| log.waiting_bytes()),
            batches_waiting: log.map_or(0, |log| log.batches_waiting()),
            batches_forwarded: log.map_or(0, |log| log.batches_forwarded),
            elections: log.map_or(0, |log| log.elections),
            replica,
        }
    }

    /// The slot of the leader, if one is heard; this member's own in `Standard` mode.
    #[must_use]
    pub fn leader(&self) -> Option<Slot> {
        self.log.as_ref().map_or(Some(self.slot), |log| log.leader_slot())
    }
}
