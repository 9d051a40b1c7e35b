//! Connections end: with a code, without one, or in a drain.

use std::net::Shutdown;

use sterna_broker::core::Event;
use sterna_model::{Code, Reply, SubjectId};
use sterna_wire::http::Response;
use sterna_wire::websocket;

use super::connection::{Flag, Protocol};
use super::{Drain, Shard, wheel};

/// How long a closing connection may take to take its last frames, milliseconds.
const CLOSE_MS: u64 = 5_000;
/// How long after its own time in a drain a client may take to leave by itself, so that nothing is under way when the
/// server ends the connection, milliseconds.
const LEAVE_MS: u64 = 500;
/// How long after a drain's window the shard waits for the last bytes to leave, milliseconds.
const DRAIN_LINGER_MS: u64 = 2_000;

impl Shard {
    /// Ends the session now, and the connection when the client has been told the code.
    pub(super) fn close(&mut self, index: u32, code: Code) {
        self.close_with(index, Some(code), code.websocket_close(), code.name());
    }

    /// The same with another WebSocket close code and reason; without a code it is the client who closes.
    pub(super) fn close_with(&mut self, index: u32, code: Option<Code>, close_code: u16, reason: &str) {
        let Some(connection) = self.table.get_mut(index) else { return };
        if connection.state.has(Flag::CloseWhenFlushed) {
            return;
        }
        connection.state.set(Flag::CloseWhenFlushed);
        match (&connection.protocol, code) {
            (Protocol::WebSocket(..), _) => {
                self.send_with(index, |out| websocket::close(close_code, reason, out));
            }
            (Protocol::Http(_) | Protocol::Waiting(_) | Protocol::Choked(_), Some(code)) => {
                self.send_last_response(index, &Response::error(code, None));
            }
            (Protocol::EventStream(_), Some(code)) if code != Code::GoingAway => {
                self.send_reply(index, &Reply::error(None, code));
            }
            _ => {}
        }
        self.end_session(index, code);
        self.connection(index).protocol = Protocol::Closing;
        self.set_deadline(index, CLOSE_MS);
        self.make_dirty(index);
    }

    /// Ends the session and the connection at once.
    pub(super) fn drop_connection(&mut self, index: u32) {
        self.end_session(index, None);
        let Some(mut connection) = self.table.remove(index) else { return };
        self.outgoing.arena.clear(&mut connection.queue);
        self.session_bytes -= connection.accounted as usize;
        self.encrypted -= u64::from(connection.tls.is_some());
        // Closing the descriptor takes it out of the poll as well.
        let _ = connection.socket.shutdown(Shutdown::Both);
        self.metrics.closed.add(1);
    }

    /// Takes the session out of all audiences and counts.
    fn end_session(&mut self, index: u32, code: Option<Code>) {
        if self.table.get(index).is_none() {
            return;
        }
        let connection = self.connection(index);
        // A request over REST has a session for its own time only.
        let connected =
            connection.session.is_connected() && !matches!(connection.protocol, Protocol::Waiting(_));
        if connected {
            self.log_disconnect(index, code);
        }
        let connection = self.connection(index);
        let (websocket, event_stream) = match connection.protocol {
            Protocol::WebSocket(..) => (1, 0),
            Protocol::EventStream(_) => (0, 1),
            Protocol::Http(_) | Protocol::Waiting(_) | Protocol::Choked(_) | Protocol::Closing => (0, 0),
        };
        // Counted once: what is left behind speaks nothing any more.
        connection.protocol = Protocol::Closing;
        self.websockets -= websocket;
        self.event_streams -= event_stream;
        self.forget_session(index);
    }

    /// Ends the session, but not the connection.
    pub(super) fn forget_session(&mut self, index: u32) {
        let connection = self.connection(index);
        let conflates = connection.state.has(Flag::Conflates);
        connection.state.clear(Flag::Conflates);
        connection.unanswered = 0;
        let session = std::mem::take(&mut connection.session);
        // What the core still answers is for the session that was.
        self.table.renew(index);
        let subjects = session.close(&mut self.audiences, &mut self.table);
        if conflates {
            self.forget_conflated(index, &subjects);
        }
        if !subjects.is_empty() {
            self.push_to_core(Event::Release { shard: self.id, subjects });
        }
    }

    /// Gives up a subscription that the core has begun for a connection that is gone.
    pub(super) fn release(&mut self, subject: SubjectId) {
        self.push_to_core(Event::Release { shard: self.id, subjects: vec![subject] });
    }

    /// Ends every connection that has a subscription to the subject, or to any: what it has does not go on here.
    pub(super) fn interrupt(&mut self, subject: Option<SubjectId>) {
        for index in 0..self.table.places() {
            if self.table.get(index).is_some_and(|connection| connection.session.hears(subject)) {
                self.close(index, Code::StateReplaced);
            }
        }
    }

    /// Tells every client when to go, and lets each go at its own time within the window.
    pub(super) fn begin_drain(&mut self, window_ms: u64) {
        if self.drain.is_some() {
            return;
        }
        self.drain = Some(Drain { started_ms: self.now.monotonic_us / 1000, window_ms });
        for index in 0..self.table.places() {
            let Some(connection) = self.table.get(index) else { continue };
            let delay_ms = match &connection.protocol {
                Protocol::WebSocket(..) | Protocol::EventStream(_) => self.pace(index, window_ms),
                Protocol::Http(_) | Protocol::Choked(_) | Protocol::Closing => 0,
                // Its answer comes first.
                Protocol::Waiting(_) => window_ms,
            };
            if connection.session.is_connected() && !matches!(connection.protocol, Protocol::Waiting(_)) {
                self.tell_to_go(index, delay_ms);
            }
            if delay_ms == 0 {
                self.leave(index);
            } else {
                self.set_deadline(index, delay_ms + LEAVE_MS);
            }
        }
    }

    /// Asks some clients, from a place chosen at random, to move to another member now.
    pub(super) fn offload(&mut self, clients: u64) {
        let places = self.table.places();
        if self.drain.is_some() || places == 0 {
            return;
        }
        let first = u32::try_from(self.now.monotonic_us % u64::from(places)).expect("below places");
        let mut left = clients;
        for index in (first..places).chain(0..first) {
            let Some(connection) = self.table.get_mut(index) else { continue };
            let lasts = matches!(connection.protocol, Protocol::WebSocket(..) | Protocol::EventStream(_));
            if !lasts || !connection.session.is_connected() || !connection.state.raise(Flag::Moving) {
                continue;
            }
            let servers = self.elsewhere.addresses(0);
            self.send_reply(index, &Reply::GoingAway { reconnect_after_ms: 0, servers });
            self.set_deadline(index, LEAVE_MS);
            left -= 1;
            if left == 0 {
                return;
            }
        }
    }

    /// Tells a client that connects in a drain what the others were told at its beginning.
    pub(super) fn tell_if_draining(&mut self, index: u32) {
        if self.drain.is_some() {
            let left_ticks = self.connection(index).deadline.saturating_sub(self.tick);
            let left_ms = u64::from(left_ticks) * wheel::TICK_MS;
            self.tell_to_go(index, left_ms.saturating_sub(LEAVE_MS));
        }
    }

    /// A connection's own time within a drain's window.
    fn pace(&self, index: u32, window_ms: u64) -> u64 {
        ((self.mixed(index) >> 32) * window_ms) >> 32
    }

    /// A number of a connection's own.
    fn mixed(&self, index: u32) -> u64 {
        (self.seed ^ u64::from(index)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Tells a client when to go, and where to: each has another member as its first.
    fn tell_to_go(&mut self, index: u32, reconnect_after_ms: u64) {
        // The high half is the pace's: members get their clients spread over the window as well.
        let servers = self.elsewhere.addresses(self.mixed(index) & 0xffff_ffff);
        self.send_reply(index, &Reply::GoingAway { reconnect_after_ms, servers });
    }

    /// Lets a connection go: it reads no more, and closes when every publish is answered.
    pub(super) fn leave(&mut self, index: u32) {
        let Some(connection) = self.table.get_mut(index) else { return };
        connection.state.set(Flag::Leaving);
        let idle_http = matches!(connection.protocol, Protocol::Http(_)) && connection.queue.is_empty();
        if idle_http {
            self.drop_connection(index);
        } else if connection.unanswered == 0 {
            self.close(index, Code::GoingAway);
        } else {
            self.set_deadline(index, CLOSE_MS);
        }
    }

    /// Whether a drain has come to its end.
    pub(super) fn is_drained(&self) -> bool {
        let Some(drain) = &self.drain else { return false };
        let elapsed_ms = self.clock.monotonic_ms() - drain.started_ms;
        self.table.len() == 0 || elapsed_ms > drain.window_ms + DRAIN_LINGER_MS + wheel::TICK_MS
    }
}
