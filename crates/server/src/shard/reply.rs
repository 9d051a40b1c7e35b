//! What a session wants done: replies in the connection's encoding, events for the core, closes.

use sterna_broker::core::Event;
use sterna_broker::session::Output;
use sterna_model::{Code, Recovery, Reply};
use sterna_wire::websocket::Opcode;
use sterna_wire::{native, sse, websocket};

use super::Shard;
use super::connection::Protocol;

impl Shard {
    /// Does what a session has put out, in order.
    pub(super) fn do_outputs(&mut self, index: u32) {
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain(..) {
            match output {
                Output::Reply(reply) => {
                    self.log_reply(index, &reply);
                    self.send_reply(index, &reply);
                }
                Output::Core(event) => {
                    self.count_event(index, &event);
                    self.push_to_core(event);
                }
                Output::Close(code) => self.close(index, code),
            }
        }
        self.outputs = outputs;
    }

    fn count_event(&mut self, index: u32, event: &Event) {
        if let Event::Publish(publish) = event {
            self.metrics.messages_in.add(1);
            if publish.wants_result
                && let Some(connection) = self.table.get_mut(index)
            {
                connection.unanswered += 1;
            }
        }
    }

    /// Sends a reply in the connection's encoding.
    pub(super) fn send_reply(&mut self, index: u32, reply: &Reply) {
        let Some(connection) = self.table.get_mut(index) else { return };
        let refused = matches!(reply, Reply::Error { .. } | Reply::Published { outcome: Err(_), .. });
        // An HTTP answer is counted by its status.
        if refused && !matches!(connection.protocol, Protocol::Waiting(_)) {
            self.metrics.refused_requests.add(1);
        }
        match &mut connection.protocol {
            Protocol::WebSocket(..) => self.send_with(index, |out| {
                websocket::frame_with(Opcode::Text, false, out, |out| native::encode_reply(reply, out));
            }),
            Protocol::EventStream(_) => self.send_stream_reply(index, reply),
            Protocol::Waiting(_) => self.answer_with_reply(index, reply),
            Protocol::Http(_) | Protocol::Choked(_) | Protocol::Closing => {}
        }
    }

    /// A stream tells of subscriptions and errors; the rest has no place in it.
    fn send_stream_reply(&mut self, index: u32, reply: &Reply) {
        match reply {
            Reply::Error { .. } => self.send_with(index, |out| {
                let mut json = Vec::with_capacity(256);
                native::encode_reply(reply, &mut json);
                sse::error_event(&json, out);
            }),
            Reply::GoingAway { reconnect_after_ms, .. } => {
                let after_ms = *reconnect_after_ms;
                self.send_with(index, |out| sse::retry(after_ms.max(1000), out));
            }
            // Sent with the first messages, because its id depends on them.
            Reply::Subscribed { .. } => {}
            Reply::Connected { .. }
            | Reply::Unsubscribed { .. }
            | Reply::Published { .. }
            | Reply::Pong { .. }
            | Reply::TokenRenewed { .. }
            | Reply::TokenToExpire { .. } => {}
        }
    }

    /// The code of the first refusal among what a session has put out, if any.
    pub(super) fn refusal(outputs: &[Output]) -> Option<Code> {
        outputs.iter().find_map(|output| match output {
            Output::Reply(Reply::Error { code, .. }) | Output::Close(code) => Some(*code),
            Output::Reply(_) | Output::Core(_) => None,
        })
    }
}

/// Name of a recovery answer in an HTTP header.
pub(super) fn recovery_header(recovery: Recovery) -> &'static str {
    recovery.name()
}
