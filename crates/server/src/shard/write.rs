//! Output: frames into queues, queues into sockets, many messages in one system call where they have met.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::net::Shutdown;

use sterna_model::Code;

use super::connection::{Connection, Flag, Protocol};
use super::outbox::{Arena, FrameRef};
use super::tls::{RECORD_BYTES_MAX, Tls};
use super::{Shard, wheel};
use crate::metrics::ShardMetrics;
use crate::settings::Batching;

/// Connections flushed before the sockets get their turn.
const FLUSH_TURN: usize = 128;
/// How long a closed connection may take to read its last bytes, milliseconds.
const LINGER_MS: u64 = 4 * wheel::TICK_MS;

/// How far a flush got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flushed {
    All,
    Blocked,
    Failed,
}

/// What waits to be written, and for whom.
pub(super) struct Outgoing {
    pub(super) arena: Arena,
    /// Connections whose queue is to be flushed.
    pub(super) dirty: VecDeque<u32>,
    /// Connections that collect a batch.
    pub(super) collecting: Vec<u32>,
    /// When the batches are due, monotonic milliseconds.
    pub(super) collect_until_ms: u64,
}

impl Outgoing {
    pub(super) fn new() -> Self {
        Self { arena: Arena::new(), dirty: VecDeque::new(), collecting: Vec::new(), collect_until_ms: 0 }
    }

    /// Puts a connection on the list of queues to flush, unless its socket is full.
    pub(super) fn make_dirty(&mut self, index: u32, connection: &mut Connection) {
        if !connection.state.has(Flag::Blocked) && connection.state.raise(Flag::Dirty) {
            self.dirty.push_back(index);
        }
    }

    /// Puts a connection on the list of queues that collect a batch, or of those to flush if its batch is full.
    pub(super) fn collect(
        &mut self,
        index: u32,
        connection: &mut Connection,
        batching: Batching,
        now_ms: u64,
    ) {
        if connection.queue.bytes() >= batching.bytes {
            self.make_dirty(index, connection);
        } else if connection.state.raise(Flag::Collecting) {
            if self.collecting.is_empty() {
                self.collect_until_ms = now_ms + batching.time_ms;
            }
            self.collecting.push(index);
        }
    }
}

impl Shard {
    /// Queues a frame and sees to it that it is written in this turn.
    pub(super) fn send(&mut self, index: u32, frame: FrameRef) {
        let Some(connection) = self.table.get_mut(index) else { return };
        self.outgoing.arena.push(&mut connection.queue, frame);
        self.make_dirty(index);
    }

    /// Queues the bytes that `encode` appends.
    pub(super) fn send_with(&mut self, index: u32, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        encode(&mut scratch);
        self.send(index, super::outbox::Frame::own(&scratch));
        scratch.shrink_to(64 * 1024);
        self.scratch = scratch;
    }

    /// Puts a connection on the list of queues to flush.
    pub(super) fn make_dirty(&mut self, index: u32) {
        if let Some(connection) = self.table.get_mut(index) {
            self.outgoing.make_dirty(index, connection);
        }
    }

    /// Batches that are due go to the list of queues to flush.
    pub(super) fn end_batches(&mut self) {
        let outgoing = &mut self.outgoing;
        if outgoing.collecting.is_empty() || self.now.monotonic_us / 1000 < outgoing.collect_until_ms {
            return;
        }
        for index in std::mem::take(&mut outgoing.collecting) {
            if let Some(connection) = self.table.get_mut(index) {
                connection.state.clear(Flag::Collecting);
                self.make_dirty(index);
            }
        }
    }

    /// Flushes queues, for a bounded time.
    pub(super) fn flush_dirty(&mut self) {
        for _ in 0..FLUSH_TURN {
            let Some(index) = self.outgoing.dirty.pop_front() else { break };
            if let Some(connection) = self.table.get_mut(index) {
                connection.state.clear(Flag::Dirty);
                self.flush(index);
            }
        }
        if self.outgoing.dirty.is_empty() && !self.delivered_us.is_empty() {
            let now_us = self.clock.monotonic_us();
            for received_us in self.delivered_us.drain(..) {
                self.metrics.deliver_us.observe(now_us.saturating_sub(received_us));
            }
            self.outgoing.arena.shrink();
        }
    }

    pub(super) fn flush(&mut self, index: u32) {
        let connection = self.table.get_mut(index).expect("the caller has just seen it");
        match write_queue(connection, &mut self.outgoing.arena, &self.metrics) {
            Flushed::All if connection.state.has(Flag::CloseWhenFlushed) => self.end(index),
            Flushed::All => self.take_more(index),
            Flushed::Blocked => {
                connection.state.set(Flag::Blocked);
                // A queue that is nearly empty may already ask for more.
                self.take_more(index);
            }
            Flushed::Failed => self.drop_connection(index),
        }
    }

    /// There is room in the queue again: for what the core has, and for answers to what the client asks.
    fn take_more(&mut self, index: u32) {
        self.fetch_more(index);
        self.unchoke(index);
    }

    /// Everything is written: shuts our side down and gives the peer a moment to do the same.
    fn end(&mut self, index: u32) {
        let connection = self.connection(index);
        if !connection.state.raise(Flag::Ended) {
            return;
        }
        if let Some(tls) = &mut connection.tls
            && tls.close().is_ok()
        {
            let _ = connection.socket.write(tls.unsent());
        }
        if connection.socket.shutdown(Shutdown::Write).is_err() {
            self.drop_connection(index);
            return;
        }
        connection.protocol = Protocol::Closing;
        connection.state.clear(Flag::Paused);
        self.set_deadline(index, LINGER_MS);
        // What the peer has sent meanwhile, perhaps its end.
        self.read_later(index);
    }

    /// Closes a slow consumer: what it has not read is dropped, so that the code can still reach it.
    pub(super) fn close_slow(&mut self, index: u32) {
        let Some(connection) = self.table.get_mut(index) else { return };
        if connection.state.has(Flag::CloseWhenFlushed) {
            return;
        }
        self.metrics.slow_consumers.add(1);
        let waiting_bytes = connection.queue.bytes();
        self.outgoing.arena.drop_unsent(&mut connection.queue);
        let (session, peer) = (self.session_id(index), self.peer(index));
        tracing::info!(%session, %peer, waiting_bytes, "slow consumer closed: it reads slower than messages come");
        self.close(index, Code::SlowConsumer);
    }
}

/// Writes a queue to its socket, through TLS if there is one.
fn write_queue(connection: &mut Connection, arena: &mut Arena, metrics: &ShardMetrics) -> Flushed {
    let Connection { socket, queue, tls, .. } = connection;
    let mut writes = 0;
    let mut bytes = 0;
    let flushed = match tls {
        None => {
            let done = arena.write(queue, &mut writes, |slices| {
                let written = match slices {
                    [single] => socket.write(single),
                    several => socket.write_vectored(several),
                };
                bytes += written.as_ref().map_or(0, |count| *count as u64);
                written
            });
            match done {
                Ok(true) => Flushed::All,
                Ok(false) => Flushed::Blocked,
                Err(_) => Flushed::Failed,
            }
        }
        Some(tls) => loop {
            match write_tls(socket, tls, &mut writes, &mut bytes) {
                Flushed::All if queue.is_empty() || !tls.is_established() => break Flushed::All,
                Flushed::All => {
                    let mut plain = Vec::with_capacity(queue.bytes().min(RECORD_BYTES_MAX));
                    arena.copy(queue, RECORD_BYTES_MAX, &mut plain);
                    if tls.encrypt(&plain).is_err() {
                        break Flushed::Failed;
                    }
                    arena.advance(queue, plain.len());
                }
                other => break other,
            }
        },
    };
    metrics.writes.add(writes);
    metrics.bytes_out.add(bytes);
    flushed
}

/// Writes the ciphertext that waits.
fn write_tls(socket: &mut mio::net::TcpStream, tls: &mut Tls, writes: &mut u64, bytes: &mut u64) -> Flushed {
    while !tls.unsent().is_empty() {
        *writes += 1;
        match socket.write(tls.unsent()) {
            Ok(0) => return Flushed::Failed,
            Ok(count) => {
                *bytes += count as u64;
                tls.sent(count);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Flushed::Blocked,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Flushed::Failed,
        }
    }
    Flushed::All
}
