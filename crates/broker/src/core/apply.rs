//! A committed publish becomes true: retry recognised, position given, history and snapshot changed, result
//! and deliveries sent. The only writer of subjects' messages.

use std::sync::Arc;

use sterna_model::{Accepted, Code, Position, PublisherStamp, Qos, Record};

use super::{Core, Effect, PublishEvent};

impl Core {
    pub(super) fn apply_publish(&mut self, now_ms: u64, publish: PublishEvent, effects: &mut Vec<Effect>) {
        let PublishEvent { from, id, wants_result, mut message, stamp, received_us } = publish;
        let closure = if wants_result { message.closure.clone() } else { Box::default() };
        match self.recognise(stamp.as_ref()) {
            Ok(None) => {}
            Ok(Some(position)) => {
                self.counters.duplicates += 1;
                if wants_result {
                    let accepted = Accepted { position: Some(position), duplicate: true };
                    effects.push(Effect::PublishResult { to: from, id, closure, outcome: Ok(accepted) });
                }
                return;
            }
            Err(code) => {
                let closure = message.closure;
                effects.push(Effect::PublishResult { to: from, id, closure, outcome: Err(code) });
                return;
            }
        }
        let subject = self.subject_id(&message.subject);
        let state = self.subjects.get_mut(subject).expect("just looked up");
        message.subject = state.name.clone();
        let guaranteed = message.qos == Qos::Guaranteed;
        if guaranteed {
            state.last = state.last.next();
        }
        state.used_s = now_ms / 1000;
        let position = Position { epoch: self.epoch, seq: state.last };
        let shards = state.interested();
        let record = Arc::new(Record { group: self.group, position, time_ms: now_ms, message });

        self.keep(subject, &record);
        let position = guaranteed.then_some(position);
        if let (Some(stamp), Some(position)) = (stamp, position) {
            self.publishers.remember(stamp, position, &mut self.budget);
        }
        self.counters.published += 1;
        if wants_result {
            let accepted = Accepted { position, duplicate: false };
            effects.push(Effect::PublishResult { to: from, id, closure, outcome: Ok(accepted) });
        }
        if !shards.is_empty() {
            effects.push(Effect::Deliver { subject, shards, record, received_us });
        }
    }

    fn recognise(&self, stamp: Option<&PublisherStamp>) -> Result<Option<Position>, Code> {
        stamp.map_or(Ok(None), |stamp| self.publishers.find(stamp))
    }

    /// Puts the record into history and snapshot as its fields say, and accounts for it.
    fn keep(&mut self, subject: sterna_model::SubjectId, record: &Arc<Record>) {
        let history_messages_max = self.history_messages_max();
        let in_history = record.message.qos == Qos::Guaranteed && history_messages_max > 0;
        let state = self.subjects.get_mut(subject).expect("just looked up");
        let mut freed = 0;
        if record.message.retained {
            freed += state.set_snapshot(Some(record.clone()));
        }
        if in_history {
            if state.history.len() >= history_messages_max {
                freed += state.pop_history();
            }
            state.history.push_back(record.clone());
        }
        if in_history || record.message.retained {
            self.budget.add(record.cost_bytes());
        }
        self.budget.remove(freed);
        self.schedule_subject(subject);
    }
}
