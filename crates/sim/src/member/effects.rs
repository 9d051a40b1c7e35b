//! What the core and the sessions want done on a shard, in its order.

use std::sync::Arc;

use sterna_broker::core::{Effect, Event};
use sterna_broker::session::{Begun, Ended, Messages, Output};
use sterna_broker::shard::Offer;
use sterna_model::{Code, ConnectionId, Kind, Record, Reply, SubjectId};

use super::shard::{Shard, Turn};
use crate::network::Downward;

impl Shard {
    pub(super) fn on_effect(&mut self, turn: &mut Turn<'_>, effect: Effect) {
        match effect {
            Effect::Deliver { subject, record, .. } => self.deliver(turn, subject, &record),
            Effect::PublishResult { to, id, closure, outcome } => {
                let Some(index) = self.current(to) else { return };
                let reply = Reply::Published { id, closure, outcome, detail: None };
                let connection = self.connection(index);
                connection.push(Downward::Reply(reply));
                connection.unanswered = connection.unanswered.saturating_sub(1);
                if connection.unanswered == 0 && connection.leaving {
                    self.close(turn, index, Code::GoingAway);
                }
            }
            Effect::Subscribed { to, id, conflation_ms, subject, name, cut, page } => {
                self.on_subscribed(turn, to, Begun { id, conflation_ms, subject, name, cut, page });
            }
            Effect::SubscribeRefused { to, id, name, code } => {
                let Some(index) = self.current(to) else { return };
                self.with_session(index, |session, _, world| {
                    session.on_subscribe_refused(id, &name, code, &mut world.outputs);
                });
                self.finish(turn, index, Messages::new());
            }
            Effect::Caught { to, subject, cursor, page } => {
                let Some(index) = self.current(to) else { return };
                turn.stage.tally.pages += 1;
                let messages = self.with_session(index, |session, me, world| {
                    session.on_caught(me, (subject, cursor), page, &mut world.audiences, &mut world.outputs)
                });
                self.finish(turn, index, messages.unwrap_or_default());
            }
            Effect::Unsubscribed { to, id, name, subject } => {
                let Some(index) = self.current(to) else { return };
                let ended = Ended { id, name, subject };
                let left = self.with_session(index, |session, me, world| {
                    let Self { audiences, table, outputs, .. } = world;
                    session.on_unsubscribed(me, ended, audiences, table, outputs)
                });
                if let Some(subject) = left.flatten() {
                    self.conflation.forget(index, subject);
                }
                self.finish(turn, index, Messages::new());
            }
            Effect::ReadRefused { to, code, .. } | Effect::Disconnect { to, code } => {
                if let Some(index) = self.current(to) {
                    self.close(turn, index, code);
                }
            }
            Effect::Interrupted { subject, .. } => {
                for index in self.table.indices() {
                    if self.table.get(index).is_some_and(|connection| connection.session.hears(subject)) {
                        turn.stage.tally.interrupted += 1;
                        self.close(turn, index, Code::StateReplaced);
                    }
                }
            }
            Effect::Answer { to, name, cut, messages } => {
                let Some(index) = self.current(to) else { return };
                self.connection(index).push(Downward::Answer(name, cut, messages));
            }
        }
    }

    fn on_subscribed(&mut self, turn: &mut Turn<'_>, to: ConnectionId, begun: Begun) {
        let subject = begun.subject;
        let Some(index) = self.current(to) else {
            self.push_to_core(turn, Event::Release { shard: to.shard, subjects: vec![subject] });
            return;
        };
        // Whatever waited for an earlier subscription to this subject is older than the new one's beginning.
        self.conflation.forget(index, subject);
        let messages = self.with_session(index, |session, me, world| {
            let Self { audiences, table, outputs, .. } = world;
            session.on_subscribed(me, begun, audiences, table, outputs)
        });
        self.finish(turn, index, messages.unwrap_or_default());
    }

    /// Does what the session has put out, then sends messages that are its client's alone.
    fn finish(&mut self, turn: &mut Turn<'_>, index: u32, messages: Messages) {
        self.do_outputs(turn, index);
        for (kind, record) in messages {
            self.push_message(turn, index, kind, record);
        }
        self.fetch_more(turn, index);
    }

    /// Does what a session has put out, in order.
    pub(super) fn do_outputs(&mut self, turn: &mut Turn<'_>, index: u32) {
        for output in std::mem::take(&mut self.outputs) {
            match output {
                Output::Reply(reply) => self.connection(index).push(Downward::Reply(reply)),
                Output::Core(event) => {
                    if matches!(&event, Event::Publish(publish) if publish.wants_result) {
                        self.connection(index).unanswered += 1;
                    }
                    self.push_to_core(turn, event);
                }
                Output::Close(code) => self.close(turn, index, code),
            }
        }
    }

    /// Fan-out to all subscribers on this shard.
    fn deliver(&mut self, turn: &mut Turn<'_>, subject: SubjectId, record: &Arc<Record>) {
        let queue_bytes_max = turn.stage.scenario.out_queue_bytes_max;
        let now_ms = turn.stage.now_us() / 1000;
        let Some(audience) = self.audiences.hear(subject, record) else { return };
        let mut aside = Vec::new();
        for subscriber in audience.subscribers().to_vec() {
            let index = subscriber.connection;
            let Some(connection) = self.table.get(index) else { continue };
            if subscriber.conflation_ms > 0 {
                let can_send = connection.queue_bytes <= queue_bytes_max / 2;
                let (interval_ms, item) = (subscriber.conflation_ms, record.clone());
                let offer = self.conflation.offer(now_ms, index, subject, interval_ms, can_send, item);
                if matches!(offer, Offer::Held { .. }) {
                    turn.stage.tally.conflated += 1;
                    continue;
                }
            }
            self.push_message(turn, index, Kind::Update, record.clone());
            if self.connection(index).queue_bytes > queue_bytes_max {
                aside.push(index);
            }
        }
        for index in aside {
            self.flush_or_close(turn, index);
        }
    }

    /// A queue is beyond its bound: what the socket takes now counts, the rest makes a slow consumer.
    fn flush_or_close(&mut self, turn: &mut Turn<'_>, index: u32) {
        self.flush(turn, index);
        let Some(connection) = self.table.get_mut(index) else { return };
        if !connection.queue.is_empty() && !connection.ending {
            turn.stage.tally.slow_consumers += 1;
            while connection.pop().is_some() {}
            self.close(turn, index, Code::SlowConsumer);
        }
    }

    pub(super) fn push_message(&mut self, turn: &mut Turn<'_>, index: u32, kind: Kind, record: Arc<Record>) {
        let Some(connection) = self.table.get_mut(index).filter(|connection| !connection.ending) else {
            return;
        };
        turn.stage.saboteur.tamper_message(connection.socket, (kind, record), |(kind, record)| {
            connection.push(Downward::Message(kind, record));
        });
    }
}
