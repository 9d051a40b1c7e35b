//! A publish arrives at the core: admit or refuse it, then put it into the log.

use sterna_model::{Code, Qos, Record};

use super::dedup::Publishers;
use super::subject::OVERHEAD_BYTES_MAX;
use super::{Core, Effect, PublishEvent};

impl Core {
    /// Admission is decided here, before the log, because it depends on this member's memory; what is in the
    /// log is applied by every member alike.
    pub(super) fn handle_publish(&mut self, now_ms: u64, publish: PublishEvent, effects: &mut Vec<Effect>) {
        match self.admit(now_ms, &publish) {
            Ok(()) => self.propose(now_ms, publish, effects),
            Err(code) => {
                self.counters.refused += 1;
                effects.push(Effect::PublishResult {
                    to: publish.from,
                    id: publish.id,
                    closure: publish.message.closure,
                    outcome: Err(code),
                });
            }
        }
    }

    /// A cluster of one commits at once. (The replicated log comes between these two lines.)
    fn propose(&mut self, now_ms: u64, publish: PublishEvent, effects: &mut Vec<Effect>) {
        self.apply_publish(now_ms, publish, effects);
    }

    fn admit(&mut self, now_ms: u64, publish: &PublishEvent) -> Result<(), Code> {
        if let Some(stamp) = &publish.stamp {
            // A retry of what was accepted costs nothing and must get its answer even when memory is full.
            if self.publishers.find(stamp)?.is_some() {
                return Ok(());
            }
            if !self.publishers.has_room(&stamp.publisher) {
                return Err(Code::MemoryFull);
            }
        }
        if self.fits(publish) {
            return Ok(());
        }
        // Shed what is beyond its promise first.
        self.expire(now_ms);
        if self.fits(publish) { Ok(()) } else { Err(Code::MemoryFull) }
    }

    /// Whether what the publish leaves behind fits into the cache's share of memory, counting what it pushes out.
    fn fits(&self, publish: &PublishEvent) -> bool {
        let message = &publish.message;
        let history_messages_max = self.history_messages_max();
        let in_history = message.qos == Qos::Guaranteed && history_messages_max > 0;
        let state = self.subjects.find(message.subject.as_str()).and_then(|id| self.subjects.get(id));
        let mut more = 0;
        if in_history || message.retained {
            more += Record::message_cost_bytes(message);
        }
        if state.is_none() {
            more += message.subject.as_str().len() + OVERHEAD_BYTES_MAX;
        }
        if publish.stamp.is_some() {
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
