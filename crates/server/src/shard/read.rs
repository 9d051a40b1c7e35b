//! Input: from the socket through TLS to the protocol that the connection speaks.

use std::io::{ErrorKind, Read};

use mio::event::Event as PollEvent;
use sterna_model::Code;
use sterna_wire::http::Decoder;

use super::connection::{Flag, Protocol};
use super::deliver::PRESSED_QUEUE_BYTES_MAX;
use super::tls::TlsProgress;
use super::{READ_TURN_BYTES, Shard};

impl Shard {
    /// The poll says that something happened to a socket.
    pub(super) fn on_socket(&mut self, event: &PollEvent) {
        let index = u32::try_from(event.token().0).expect("places are u32");
        let Some(connection) = self.table.get_mut(index) else { return };
        if event.is_error() {
            self.drop_connection(index);
            return;
        }
        if event.is_writable() && connection.state.has(Flag::Blocked) {
            connection.state.clear(Flag::Blocked);
            self.make_dirty(index);
        }
        if event.is_readable() || event.is_read_closed() {
            self.read(index, event.is_read_closed());
        }
        if event.is_read_closed() {
            // Most likely it is gone. If it has only ended its side, this is an answer that it has to expect anyway.
            self.end_poll(index, None);
        }
    }

    /// Reads what could not be read before.
    pub(super) fn read_unread(&mut self) {
        for _ in 0..self.unread.len() {
            if !self.may_read() {
                return;
            }
            let Some(index) = self.unread.pop_front() else { return };
            if let Some(connection) = self.table.get_mut(index)
                && connection.state.has(Flag::ReadPending)
            {
                connection.state.clear(Flag::ReadPending);
                self.read(index, true);
            }
        }
    }

    /// Notes that a connection has input left.
    pub(super) fn read_later(&mut self, index: u32) {
        if self.connection(index).state.raise(Flag::ReadPending) {
            self.unread.push_back(index);
        }
    }

    /// `until_end`: the peer may have sent its end, which no further poll event would tell.
    fn read(&mut self, index: u32, until_end: bool) {
        let mut buffer = std::mem::take(&mut self.read_buffer);
        self.read_with(index, &mut buffer, until_end);
        self.read_buffer = buffer;
        self.account(index);
        self.shed(index);
    }

    fn read_with(&mut self, index: u32, buffer: &mut [u8], until_end: bool) {
        let mut turn = 0;
        loop {
            let may_read = self.may_read() && turn < READ_TURN_BYTES;
            let Some(connection) = self.table.get_mut(index) else { return };
            // What comes behind a close is read, and goes nowhere: a reset would overtake the close frame.
            if connection.state.has(Flag::Leaving) && !matches!(connection.protocol, Protocol::Closing) {
                return;
            }
            let waits = matches!(connection.protocol, Protocol::Waiting(_) | Protocol::Choked(_));
            let unread = connection.queue.bytes() > self.settings.out_queue_bytes_max;
            if waits || unread || connection.session.is_saturated() {
                connection.state.set(Flag::Paused);
                return;
            }
            if !may_read {
                self.read_later(index);
                return;
            }
            match connection.socket.read(buffer) {
                Ok(0) => {
                    self.on_end_of_input(index);
                    return;
                }
                Ok(count) => {
                    turn += count;
                    connection.heard = self.tick;
                    connection.state.clear(Flag::Pinged);
                    self.metrics.bytes_in.add(count as u64);
                    self.take_bytes(index, &mut buffer[..count]);
                    if count < buffer.len() && !until_end {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.drop_connection(index);
                    return;
                }
            }
        }
    }

    /// The peer sends nothing more. A request that it had made is still answered.
    fn on_end_of_input(&mut self, index: u32) {
        let connection = self.connection(index);
        match &connection.protocol {
            Protocol::Waiting(_) | Protocol::Choked(_) => {
                // Comes back here when that is answered.
                connection.state.set(Flag::InputEnded);
                self.end_poll(index, None);
            }
            Protocol::Http(_) | Protocol::Closing if !connection.queue.is_empty() => {
                connection.state.set(Flag::CloseWhenFlushed);
            }
            _ => self.drop_connection(index),
        }
    }

    /// Goes on with what had to wait until the client reads its answers.
    pub(super) fn unchoke(&mut self, index: u32) {
        let bytes_max = self.settings.out_queue_bytes_max;
        let Some(connection) = self.table.get_mut(index) else { return };
        if connection.queue.bytes() > bytes_max {
            return;
        }
        if let Protocol::Choked(input) = &mut connection.protocol {
            let mut input = std::mem::take(input);
            connection.protocol = Protocol::Http(Decoder::default());
            self.feed(index, &mut input);
            self.end_if_ended(index);
        }
        if self.table.get(index).is_some() {
            self.resume_reading(index);
        }
    }

    /// What had to wait is done with; if that was all, the end of the input is due.
    pub(super) fn end_if_ended(&mut self, index: u32) {
        if self.table.get(index).is_some_and(|connection| connection.state.has(Flag::InputEnded)) {
            self.on_end_of_input(index);
        }
    }

    /// Goes on reading what was paused.
    pub(super) fn resume_reading(&mut self, index: u32) {
        let connection = self.connection(index);
        if connection.state.has(Flag::Paused) && !connection.session.is_saturated() {
            connection.state.clear(Flag::Paused);
            self.read_later(index);
        }
    }

    fn take_bytes(&mut self, index: u32, input: &mut [u8]) {
        let Some(mut tls) = self.connection(index).tls.take() else {
            self.feed(index, input);
            return;
        };
        let mut plain = std::mem::take(&mut self.plain);
        let progress = tls.read(input, &mut plain);
        self.connection(index).tls = Some(tls);
        // Handshake messages and alerts wait inside TLS.
        self.make_dirty(index);
        if !plain.is_empty() {
            self.feed(index, &mut plain);
        }
        plain.clear();
        self.plain = plain;
        match progress {
            Ok(TlsProgress::Open) => {}
            Ok(TlsProgress::PeerClosed) if self.table.get(index).is_some() => self.on_end_of_input(index),
            Ok(TlsProgress::PeerClosed) => {}
            Err(error) => {
                self.metrics.tls_failures.add(1);
                tracing::debug!(%error, "TLS with a client failed");
                // The alert that says why is sent first.
                if let Some(connection) = self.table.get_mut(index) {
                    connection.protocol = Protocol::Closing;
                    connection.state.set(Flag::CloseWhenFlushed);
                }
            }
        }
    }

    /// Gives plain bytes to the protocol that the connection speaks, also if that changes on the way.
    pub(super) fn feed(&mut self, index: u32, input: &mut [u8]) {
        let mut at = 0;
        while at < input.len() {
            let bytes_max = self.settings.out_queue_bytes_max;
            let Some(connection) = self.table.get_mut(index) else { return };
            let unread = connection.queue.bytes() > bytes_max;
            let input = &mut input[at..];
            at += match &mut connection.protocol {
                Protocol::Http(decoder) if unread && !decoder.is_mid_request() => {
                    // An answer may be many times longer than its request.
                    connection.protocol = Protocol::Choked((&*input).into());
                    input.len()
                }
                Protocol::Http(_) => self.feed_http(index, input),
                Protocol::WebSocket(..) => self.feed_websocket(index, input),
                Protocol::Waiting(waiting) => {
                    // Pipelined behind a request that awaits the core; bounded by one read.
                    waiting.rest.extend_from_slice(input);
                    input.len()
                }
                // Nothing is expected from the client of a stream, or behind a close.
                Protocol::EventStream(_) | Protocol::Choked(_) | Protocol::Closing => input.len(),
            };
        }
    }

    /// Closes a connection that holds a half message, or does not read its answers, while the shard's memory is used
    /// up.
    fn shed(&mut self, index: u32) {
        if self.memory_bytes() <= self.settings.shard_bytes_max {
            return;
        }
        let Some(connection) = self.table.get(index) else { return };
        let half = match &connection.protocol {
            Protocol::Http(decoder) => decoder.held_bytes(),
            Protocol::WebSocket(decoder, _) => decoder.held_bytes(),
            Protocol::Waiting(_) | Protocol::EventStream(_) | Protocol::Choked(_) | Protocol::Closing => 0,
        };
        let unread =
            connection.state.has(Flag::Blocked) && connection.queue.bytes() > PRESSED_QUEUE_BYTES_MAX;
        if unread {
            self.close_slow(index);
        } else if half > 0 {
            self.close(index, Code::MemoryFull);
        }
    }
}
