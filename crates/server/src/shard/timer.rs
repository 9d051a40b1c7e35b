//! Time passes on a shard: handshakes and requests that take too long, keep-alive, tokens, batches, conflation.

use sterna_model::Code;
use sterna_wire::websocket;

use super::Shard;
use super::connection::{Answer, Connection, Flag, Protocol};
use super::wheel::TICK_MS;

impl Shard {
    pub(super) fn on_timers(&mut self) {
        self.end_batches();
        self.deliver_conflated();
        let tick = u32::try_from(self.now.monotonic_us / 1000 / TICK_MS).unwrap_or(u32::MAX);
        if tick == self.tick {
            return;
        }
        self.tick = tick;
        let mut due = Vec::new();
        self.wheel.advance(tick, &mut due);
        for (index, tick) in due {
            self.on_due(index, tick);
        }
        self.count_table_bytes();
        self.publish_metrics();
    }

    /// Sets the connection's timer.
    pub(super) fn set_deadline(&mut self, index: u32, in_ms: u64) {
        let tick =
            self.tick.saturating_add(u32::try_from(in_ms.div_ceil(TICK_MS)).unwrap_or(u32::MAX).max(1));
        let connection = self.connection(index);
        connection.deadline = tick;
        if connection.scheduled == 0 || tick < connection.scheduled {
            let scheduled = self.wheel.insert(tick, index);
            self.connection(index).scheduled = scheduled;
        }
    }

    fn on_due(&mut self, index: u32, due: u32) {
        let tick = self.tick;
        let Some(connection) = self.table.get_mut(index) else { return };
        if connection.scheduled != due {
            // Put in for a connection that had the place before, or overtaken by an earlier tick.
            return;
        }
        connection.scheduled = 0;
        if connection.deadline > tick {
            let in_ticks = connection.deadline - tick;
            self.set_deadline(index, u64::from(in_ticks) * TICK_MS);
        } else {
            self.on_deadline(index);
        }
    }

    fn on_deadline(&mut self, index: u32) {
        if self.goes_away(index) && !self.connection(index).state.has(Flag::Leaving) {
            self.leave(index);
            return;
        }
        let connection = self.connection(index);
        if connection.state.has(Flag::CloseWhenFlushed) || connection.state.has(Flag::Leaving) {
            self.drop_connection(index);
            return;
        }
        match &connection.protocol {
            Protocol::Http(decoder) if decoder.is_mid_request() => self.close(index, Code::RequestTimeout),
            Protocol::Http(_) | Protocol::Choked(_) | Protocol::Closing => self.drop_connection(index),
            Protocol::Waiting(waiting) => match waiting.answer {
                Answer::Poll { .. } => self.end_poll(index, None),
                Answer::Produce { .. } | Answer::Consume { .. } => self.close(index, Code::Internal),
            },
            Protocol::WebSocket(..) => self.keep_alive(index),
            Protocol::EventStream(_) => {
                self.send(index, super::outbox::Frame::constant(sterna_wire::sse::KEEP_ALIVE));
                self.on_session_timer(index);
                self.set_keep_alive(index);
            }
        }
    }

    /// Whether the client was told to go.
    fn goes_away(&self, index: u32) -> bool {
        let is_moving = |connection: &Connection| connection.state.has(Flag::Moving);
        self.drain.is_some() || self.table.get(index).is_some_and(is_moving)
    }

    /// Pings a silent client, and closes one that did not answer.
    fn keep_alive(&mut self, index: u32) {
        let interval_ms = self.settings.keep_alive_interval_ms;
        let tick = self.tick;
        let connection = self.connection(index);
        let silent_ms = u64::from(tick - connection.heard.min(tick)) * TICK_MS;
        if !connection.session.is_connected() {
            // Shook hands, but never connected: this was the handshake's deadline.
            self.close(index, Code::RequestTimeout);
            return;
        }
        if silent_ms >= interval_ms {
            if connection.state.has(Flag::Pinged) {
                self.metrics.keep_alive_timeouts.add(1);
                self.close(index, Code::KeepAliveTimeout);
                return;
            }
            connection.state.set(Flag::Pinged);
            self.send_with(index, |out| websocket::ping(b"", out));
        }
        self.on_session_timer(index);
        self.set_keep_alive(index);
    }

    /// Sets the timer to whatever comes first: the next keep-alive step or the session's own deadline.
    pub(super) fn set_keep_alive(&mut self, index: u32) {
        if self.goes_away(index) {
            // Its time is set: that of its close.
            return;
        }
        let settings = &self.settings;
        let (interval_ms, timeout_ms) = (settings.keep_alive_interval_ms, settings.keep_alive_timeout_ms);
        let Some(connection) = self.table.get(index) else { return };
        let silent_ms = u64::from(self.tick - connection.heard.min(self.tick)) * TICK_MS;
        let mut in_ms = match connection.protocol {
            Protocol::WebSocket(..) if connection.state.has(Flag::Pinged) => timeout_ms,
            Protocol::WebSocket(..) => interval_ms.saturating_sub(silent_ms),
            _ => interval_ms,
        };
        if let Some(at_ms) = connection.session.deadline_ms(&settings.rules) {
            in_ms = in_ms.min(at_ms.saturating_sub(self.now.unix_ms));
        }
        self.set_deadline(index, in_ms.max(TICK_MS));
    }

    /// Lets the session see the time: its token may be about to expire.
    fn on_session_timer(&mut self, index: u32) {
        self.with_session(index, |session, world| {
            session.on_timer(world.now, &world.settings.rules, world.out);
        });
        self.do_outputs(index);
    }

    fn publish_metrics(&self) {
        let metrics = &self.metrics;
        metrics.connections.set(self.table.len() as u64);
        metrics.connections_websocket.set(self.websockets);
        metrics.connections_event_stream.set(self.event_streams);
        metrics.connections_encrypted.set(self.encrypted);
        metrics.subscriptions.set(self.audiences.subscribers() as u64);
        metrics.queue_bytes.set(self.outgoing.arena.held_bytes() as u64);
        metrics.session_bytes.set((self.memory_bytes() - self.outgoing.arena.held_bytes()) as u64);
    }
}
