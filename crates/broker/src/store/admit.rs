//! Whether a publish may be put into the log: decided where it arrives, because it depends on this member's memory.

use sterna_model::{Code, Message, PublisherStamp, Qos, Record};

use super::Store;
use super::codec::RawStamp;
use super::dedup::Publishers;
use super::subject::OVERHEAD_BYTES_MAX;

impl Store {
    /// Admits a publish. `waiting_bytes` were admitted before and are not applied yet.
    ///
    /// # Errors
    /// `MemoryFull`, or `PublisherSequenceTooOld`.
    pub(crate) fn admit(
        &mut self,
        message: &Message,
        stamp: Option<&PublisherStamp>,
        waiting_bytes: usize,
    ) -> Result<(), Code> {
        if let Some(PublisherStamp { publisher, seq }) = stamp {
            // A retry of what was accepted costs nothing and must get its answer even when memory is full.
            if self.publishers.find(RawStamp { publisher, seq: *seq })?.is_some() {
                return Ok(());
            }
            if !self.publishers.has_room(publisher) {
                return Err(Code::MemoryFull);
            }
        }
        if self.fits(message, stamp.is_some(), waiting_bytes) {
            return Ok(());
        }
        // Shed what is beyond its promise first.
        self.expire();
        if self.fits(message, stamp.is_some(), waiting_bytes) { Ok(()) } else { Err(Code::MemoryFull) }
    }

    /// Bytes that the message may occupy once it is applied.
    pub(crate) fn cost_bytes_max(message: &Message) -> usize {
        Record::message_cost_bytes(message)
            + message.subject.as_str().len()
            + OVERHEAD_BYTES_MAX
            + Publishers::NEW_BYTES_MAX
    }

    /// Whether what the publish leaves behind fits into the cache's share of memory, counting what it pushes out.
    fn fits(&self, message: &Message, is_stamped: bool, waiting_bytes: usize) -> bool {
        if self.budget.fits(waiting_bytes + Self::cost_bytes_max(message), 0) {
            return true;
        }
        let history_messages_max = self.history_messages_max();
        let in_history = message.qos == Qos::Guaranteed && history_messages_max > 0;
        let state = self.subjects.find(message.subject.as_str()).and_then(|id| self.subjects.get(id));
        let mut more = waiting_bytes;
        if in_history || message.retained {
            more += Record::message_cost_bytes(message);
        }
        if state.is_none() {
            more += message.subject.as_str().len() + OVERHEAD_BYTES_MAX;
        }
        if is_stamped {
            more += Publishers::NEW_BYTES_MAX;
        }
        let mut freed = 0;
        if let Some(state) = state {
            if in_history && state.history.len() >= history_messages_max {
                freed += state.history.front().map_or(0, |record| record.cost_bytes());
            } else if message.retained && !state.snapshot_is_in_history() {
                freed += state.snapshot.as_ref().map_or(0, |record| record.cost_bytes());
            }
        }
        self.budget.fits(more, freed)
    }
}
