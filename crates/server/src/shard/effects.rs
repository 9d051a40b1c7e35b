//! What the core wants done on this shard, in its order.

use sterna_broker::core::Effect;
use sterna_broker::session::{Begun, Ended, Messages};
use sterna_model::{Code, ConnectionId, Reply, SubjectId};

use super::Shard;
use super::connection::{Flag, Protocol};
use crate::delivery::websocket_frame;
use crate::mailbox::ShardEffect;

impl Shard {
    pub(super) fn on_effects(&mut self, effects: Vec<ShardEffect>) {
        for effect in effects {
            match effect {
                ShardEffect::Deliver(delivery) => self.deliver(&delivery),
                ShardEffect::Effect(effect) => self.on_effect(effect),
            }
        }
    }

    fn on_effect(&mut self, effect: Effect) {
        match effect {
            Effect::PublishResult { to, id, closure, outcome } => {
                let Some(index) = self.current(to) else { return };
                let connection = self.connection(index);
                connection.unanswered = connection.unanswered.saturating_sub(1);
                let answered = connection.unanswered == 0 && connection.state.has(Flag::Leaving);
                self.send_reply(index, &Reply::Published { id, closure, outcome, detail: None });
                if answered {
                    self.close(index, Code::GoingAway);
                }
            }
            Effect::Subscribed { to, id, conflation_ms, subject, name, cut, page } => {
                let begun = Begun { id, conflation_ms, subject, name, cut, page };
                self.on_subscribed(to, begun);
            }
            Effect::SubscribeRefused { to, id, name, code } => {
                let Some(index) = self.current(to) else { return };
                self.with_session(index, |session, world| {
                    session.on_subscribe_refused(id, &name, code, world.out);
                });
                self.do_outputs(index);
                self.fetch_more(index);
            }
            Effect::Caught { to, subject, cursor, page } => {
                let Some(index) = self.current(to) else { return };
                let messages = self.with_session(index, |session, world| {
                    session.on_caught(world.me, (subject, cursor), page, world.audiences, world.out)
                });
                self.do_outputs(index);
                self.send_messages(index, subject, messages.unwrap_or_default());
                self.fetch_more(index);
            }
            Effect::Unsubscribed { to, id, name, subject } => {
                let Some(index) = self.current(to) else { return };
                let ended = Ended { id, name, subject };
                let left = self.with_session(index, |session, world| {
                    session.on_unsubscribed(world.me, ended, world.audiences, world.table, world.out)
                });
                if let Some(subject) = left.flatten() {
                    self.forget_conflated(index, &[subject]);
                }
                self.do_outputs(index);
                self.fetch_more(index);
            }
            Effect::ReadRefused { to, code, .. } | Effect::Disconnect { to, code } => {
                if let Some(index) = self.current(to) {
                    self.close(index, code);
                }
            }
            Effect::Interrupted { subject, .. } => self.interrupt(subject),
            Effect::Answer { to, name, cut, messages } => {
                if let Some(index) = self.current(to) {
                    self.on_answer(index, &name, cut, &messages);
                }
            }
            Effect::Deliver { .. } => unreachable!("deliveries travel with their encoded forms"),
        }
    }

    fn on_subscribed(&mut self, to: ConnectionId, begun: Begun) {
        let subject = begun.subject;
        let conflates = begun.conflation_ms > 0;
        let Some(index) = self.current(to) else {
            self.release(subject);
            return;
        };
        if conflates {
            self.connection(index).state.set(Flag::Conflates);
        }
        // Whatever waited for an earlier subscription to this subject is older than the new one's beginning.
        if self.connection(index).state.has(Flag::Conflates) {
            self.forget_conflated(index, &[subject]);
        }
        let reply = Reply::Subscribed {
            id: begun.id,
            subject: begun.name.as_str().into(),
            recovery: begun.cut.recovery,
            position: begun.cut.position,
            missed: begun.cut.missed,
        };
        let messages = self.with_session(index, |session, world| {
            session.on_subscribed(world.me, begun, world.audiences, world.table, world.out)
        });
        let messages = messages.unwrap_or_default();
        self.do_outputs(index);
        if matches!(self.connection(index).protocol, Protocol::EventStream(_)) {
            self.metrics.messages_out.add(messages.len() as u64);
            self.send_stream_start(index, &reply, subject, messages);
        } else {
            self.send_messages(index, subject, messages);
        }
        self.fetch_more(index);
        self.account(index);
    }

    /// Sends messages that are this connection's alone.
    fn send_messages(&mut self, index: u32, subject: SubjectId, messages: Messages) {
        let Some(connection) = self.table.get_mut(index) else { return };
        self.metrics.messages_out.add(messages.len() as u64);
        match &connection.protocol {
            Protocol::WebSocket(..) => {
                for (kind, record) in messages {
                    self.send_with(index, |out| websocket_frame(kind, &record, out));
                }
            }
            Protocol::EventStream(_) => self.send_stream_messages(index, subject, messages, None),
            Protocol::Waiting(_) => {
                if let Some((kind, record)) = messages.first() {
                    self.end_poll(index, Some((*kind, record)));
                }
            }
            Protocol::Http(_) | Protocol::Choked(_) | Protocol::Closing => {}
        }
    }

    /// The place of a connection, if it is still the same one.
    fn current(&mut self, id: ConnectionId) -> Option<u32> {
        self.table.current(id.index, id.generation).map(|_| id.index)
    }
}
