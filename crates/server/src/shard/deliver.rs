//! Fan-out: one committed message to all of its subscribers on this shard, each form encoded once.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use sterna_broker::shard::Offer;
use sterna_model::{Kind, SubjectId};
use sterna_wire::websocket::Deflater;

use super::Shard;
use super::connection::{Connection, Flag, Protocol};
use super::outbox::{Frame, FrameRef};
use super::write::Outgoing;
use crate::delivery::Delivery;
use crate::settings::Settings;

/// With the shard's memory used up, a client with more than this waiting counts as slow, bytes.
pub(super) const PRESSED_QUEUE_BYTES_MAX: usize = 64 * 1024;

/// The frames of one delivery, made when the first connection needs them.
#[derive(Default)]
struct Frames {
    plain: Option<FrameRef>,
    /// None inside: compression is not worth it.
    deflated: Option<Option<FrameRef>>,
    event: Option<FrameRef>,
    event_without_id: Option<FrameRef>,
}

/// What frames are made with.
struct Encoding<'a> {
    deflater: &'a mut Deflater,
    scratch: &'a mut Vec<u8>,
}

/// A delivery that conflation holds back: accounted once on this shard, however many subscriptions it waits for.
#[derive(Debug)]
pub(super) struct Held {
    delivery: Arc<Delivery>,
    bytes: usize,
    /// Bytes of all that is held on this shard.
    total_bytes: Rc<Cell<usize>>,
}

impl Held {
    fn new(delivery: &Arc<Delivery>, total_bytes: &Rc<Cell<usize>>) -> Rc<Self> {
        let bytes = delivery.held_bytes() + size_of::<Self>();
        total_bytes.set(total_bytes.get() + bytes);
        Rc::new(Self { delivery: delivery.clone(), bytes, total_bytes: total_bytes.clone() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.total_bytes.set(self.total_bytes.get() - self.bytes);
    }
}

/// What became of a delivery to one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Served {
    Queued,
    /// Its queue is beyond the bound.
    Full,
    /// A long poll: it is answered and ends.
    Poll,
    /// It is closing.
    Gone,
}

impl Shard {
    pub(super) fn deliver(&mut self, delivery: &Arc<Delivery>) {
        let now_ms = self.now.monotonic_us / 1000;
        let pressed = self.memory_bytes() > self.settings.shard_bytes_max;
        let queue_bytes_max = self.settings.out_queue_bytes_max;
        let Some(audience) = self.audiences.hear(delivery.subject, &delivery.record) else { return };
        let mut frames = Frames::default();
        let mut held = None;
        let mut aside = Vec::new();
        let mut queued = 0;
        for subscriber in audience.subscribers() {
            let index = subscriber.connection;
            let Some(connection) = self.table.get_mut(index) else { continue };
            if subscriber.conflation_ms > 0 {
                let can_send = connection.queue.bytes() <= queue_bytes_max / 2;
                let interval_ms = subscriber.conflation_ms;
                let item = held.get_or_insert_with(|| Held::new(delivery, &self.conflated_bytes)).clone();
                let offer =
                    self.conflation.offer(now_ms, index, delivery.subject, interval_ms, can_send, item);
                if let Offer::Held { replaced } = offer {
                    self.metrics.conflated.add(u64::from(replaced));
                    continue;
                }
            }
            let mut target = Target { index, connection, pressed, now_ms };
            let mut encoding = Encoding { deflater: &mut self.deflater, scratch: &mut self.scratch };
            match target.serve(&mut frames, delivery, &mut self.outgoing, &self.settings, &mut encoding) {
                Served::Queued => queued += 1,
                Served::Gone => {}
                served @ (Served::Full | Served::Poll) => aside.push((index, served)),
            }
        }
        self.metrics.messages_out.add(queued);
        self.delivered_us.push(delivery.received_us);
        for (index, served) in aside {
            match served {
                Served::Poll => self.end_poll(index, Some((Kind::Update, &delivery.record))),
                _ => self.flush_or_close(index),
            }
        }
    }

    /// Sends what conflation has held back long enough.
    pub(super) fn deliver_conflated(&mut self) {
        let now_ms = self.now.monotonic_us / 1000;
        let room = self.settings.out_queue_bytes_max / 2;
        loop {
            let table = &self.table;
            let can_send =
                |index| table.get(index).is_some_and(|connection| connection.queue.bytes() <= room);
            let Some((index, _, held)) = self.conflation.pop_due(now_ms, can_send) else { return };
            let Some(connection) = self.table.get_mut(index) else { continue };
            let mut target = Target { index, connection, pressed: false, now_ms };
            let mut frames = Frames::default();
            let mut encoding = Encoding { deflater: &mut self.deflater, scratch: &mut self.scratch };
            target.serve(&mut frames, &held.delivery, &mut self.outgoing, &self.settings, &mut encoding);
            self.metrics.messages_out.add(1);
        }
    }

    /// Forgets what conflation holds for a subscription that ended.
    pub(super) fn forget_conflated(&mut self, index: u32, subjects: &[SubjectId]) {
        for subject in subjects {
            self.conflation.forget(index, *subject);
        }
    }

    /// A queue is beyond its bound: what the socket takes now counts, the rest makes a slow consumer.
    fn flush_or_close(&mut self, index: u32) {
        self.flush(index);
        if let Some(connection) = self.table.get(index)
            && connection.state.has(Flag::Blocked)
        {
            self.close_slow(index);
        }
    }
}

/// A connection that a delivery is for.
struct Target<'a> {
    index: u32,
    connection: &'a mut Connection,
    pressed: bool,
    now_ms: u64,
}

impl Target<'_> {
    fn serve(
        &mut self,
        frames: &mut Frames,
        delivery: &Delivery,
        outgoing: &mut Outgoing,
        settings: &Settings,
        encoding: &mut Encoding<'_>,
    ) -> Served {
        let connection = &mut *self.connection;
        let frame = match &mut connection.protocol {
            Protocol::WebSocket(_, deflate) => {
                let plain = delivery.plain(encoding.scratch);
                let compresses = deflate.is_some_and(|deflate| deflate.may_compress(plain.len()));
                let threshold_bytes = settings.compression_threshold_bytes.filter(|_| compresses);
                let deflated = threshold_bytes.and_then(|threshold_bytes| {
                    let deflated = frames.deflated.get_or_insert_with(|| {
                        delivery.deflated(threshold_bytes, encoding.deflater).cloned().map(Frame::shared)
                    });
                    deflated.as_ref()
                });
                deflated.unwrap_or_else(|| frames.plain.get_or_insert_with(|| Frame::shared(plain.clone())))
            }
            Protocol::EventStream(stream) if stream.is_single() => {
                frames.event.get_or_insert_with(|| Frame::shared(delivery.event().clone()))
            }
            Protocol::EventStream(stream) => {
                stream.note(delivery.subject, delivery.record.position);
                let mut id_line = Vec::new();
                stream.resume.write_id_line(&mut id_line);
                outgoing.arena.push(&mut connection.queue, Frame::own(&id_line));
                frames
                    .event_without_id
                    .get_or_insert_with(|| Frame::shared(delivery.event_without_id().clone()))
            }
            Protocol::Waiting(_) => return Served::Poll,
            Protocol::Http(_) | Protocol::Choked(_) | Protocol::Closing => return Served::Gone,
        };
        outgoing.arena.push(&mut connection.queue, frame.clone());
        match settings.batching {
            Some(batching) => outgoing.collect(self.index, connection, batching, self.now_ms),
            None => outgoing.make_dirty(self.index, connection),
        }
        let waiting = connection.queue.bytes();
        let blocked = connection.state.has(Flag::Blocked);
        if waiting > settings.out_queue_bytes_max
            || (self.pressed && blocked && waiting > PRESSED_QUEUE_BYTES_MAX)
        {
            return Served::Full;
        }
        Served::Queued
    }
}

#[cfg(test)]
mod tests {
    use sterna_broker::shard::Conflation;
    use sterna_model::{Epoch, GroupId, Message, Position, Record, Seq, Subject};

    use super::*;

    fn delivery(content_bytes: usize) -> Arc<Delivery> {
        let message = Message::new(Subject::parse("/a").unwrap(), vec![b'x'; content_bytes]);
        let position = Position { epoch: Epoch(1), seq: Seq(1) };
        Arc::new(Delivery::new(
            SubjectId(1),
            Arc::new(Record { group: GroupId(0), position, time_ms: 0, message }),
            0,
        ))
    }

    #[test]
    fn what_conflation_holds_is_accounted_once_and_until_it_goes() {
        let total_bytes = Rc::new(Cell::new(0));
        let mut conflation = Conflation::new(1);
        for (round, content_bytes) in [(0, 10), (1, 5_000), (2, 9_000)] {
            let held = Held::new(&delivery(content_bytes), &total_bytes);
            for connection in 0..100 {
                conflation.offer(1000 + round, connection, SubjectId(1), 50, true, held.clone());
            }
        }
        assert!((18_000..20_000).contains(&total_bytes.get()), "the newest: {} bytes", total_bytes.get());
        while conflation.pop_due(2000, |_| true).is_some() {}
        assert_eq!(total_bytes.get(), 0);
    }
}
