//! A publish arrives at the core: admitted or refused, then on its way into the log or, if it is a standard message,
//! to everybody at once.

use bytes::Bytes;
use sterna_model::{Accepted, Code, Qos};
use sterna_replica::Slot;

use super::frame::{self, Frame, Load};
use super::log::Log;
use super::{Channel, Core, Notice, Outputs, PeerFrame, PublishEvent};
use crate::session::Now;
use crate::store::codec::{RawMessage, Reader};
use crate::store::command::{Op, read_op};
use crate::store::{Store, Waiter};

impl Core {
    /// Admission is decided here, before the log, because it depends on this member's memory; what is in the
    /// log is applied by every member alike.
    pub(super) fn publish(&mut self, now: Now, publish: PublishEvent, out: &mut Outputs) {
        let PublishEvent { from, id, wants_result, message, stamp, received_us } = publish;
        let waiter = Waiter { to: from, id, wants_result, received_us };
        let waiting_bytes = self.log.as_ref().map_or(0, |log| log.waiting_cost_bytes());
        // Without a state there is no place for a standard message either.
        let has_state = self.log.as_ref().is_none_or(Log::has_state);
        let log = self.log.as_mut().filter(|_| message.qos == Qos::Guaranteed);
        let ready = match &log {
            Some(log) => log.is_ready(now),
            None if has_state => Ok(()),
            None => Err(Code::NoQuorum),
        };
        let admitted = ready.and_then(|()| self.store.admit(&message, stamp.as_ref(), waiting_bytes));
        if let Err(code) = admitted {
            self.store.counters_mut().refused += 1;
            out.effects.push(waiter.result(&message.closure, Err(code)));
            return;
        }
        if let Some(log) = log {
            let cost_bytes = Store::cost_bytes_max(&message);
            if log.append(&message, stamp.as_ref(), waiter, cost_bytes) {
                self.flush(now, out);
            }
            return;
        }
        let time_ms = now.unix_ms.max(self.store.time_ms());
        if self.members > 1 {
            if self.relays_time_ms != time_ms {
                self.send_relays(out);
                self.relays_time_ms = time_ms;
            }
            self.relays.publish(&message, None);
        }
        self.store.relay(time_ms, RawMessage::of(&message), received_us, &mut out.effects);
        if wants_result {
            let accepted = Accepted { position: None, duplicate: false };
            out.effects.push(waiter.result(&message.closure, Ok(accepted)));
        }
        if self.relays.is_full() {
            self.flush(now, out);
        }
    }

    /// Standard messages with the time that they have here, so that all members agree which one is the last.
    pub(super) fn send_relays(&mut self, out: &mut Outputs) {
        if self.relays.is_empty() {
            return;
        }
        let bytes = frame::relay(self.relays_time_ms, &self.relays.take());
        self.tell_all(&bytes, out);
    }

    /// Tells the other members how many clients this one has.
    pub fn tell_load(&self, load: Load, out: &mut Outputs) {
        self.tell_all(&frame::load(load), out);
    }

    fn tell_all(&self, bytes: &Bytes, out: &mut Outputs) {
        for to in (0..self.members).map(Slot).filter(|slot| *slot != self.slot) {
            out.frames.push(PeerFrame { to, channel: Channel::Forward, bytes: bytes.clone() });
        }
    }

    /// A batch for the leader, or standard messages for everybody.
    pub(super) fn on_forward(&mut self, now: Now, slot: Slot, bytes: &[u8], out: &mut Outputs) {
        match frame::read(bytes) {
            Ok(Frame::Forward { origin, number, ops }) => {
                if let Some(log) = &mut self.log {
                    log.collect(origin, number, ops);
                }
            }
            Ok(Frame::Relay { time_ms, ops }) => self.on_relay(now, time_ms, ops, out),
            Ok(Frame::Load(load)) => {
                self.loads.insert(slot, load);
            }
            Ok(Frame::Snapshots(snapshots)) => {
                self.on_snapshots(now, snapshots, out);
                let bytes = frame::taken();
                out.frames.push(PeerFrame { to: slot, channel: Channel::Transfer, bytes });
            }
            Ok(Frame::Taken) => self.shares.confirm(slot, &self.store, out),
            Err(malformed) => out.notices.push(Notice::Suspicious { slot, why: malformed.to_string() }),
        }
    }

    fn on_snapshots(&mut self, now: Now, mut snapshots: Reader<'_>, out: &mut Outputs) {
        while let Ok((time_ms, message)) = frame::next_snapshot(&mut snapshots) {
            let fits = self.store.has_room(message.content.len() + message.subject.len());
            if fits && self.store.is_newer(message.subject, time_ms) {
                self.store.relay(time_ms, message, now.monotonic_us, &mut out.effects);
            }
        }
    }

    fn on_relay(&mut self, now: Now, time_ms: u64, mut ops: Reader<'_>, out: &mut Outputs) {
        if self.log.as_ref().is_some_and(|log| !log.has_state()) {
            return;
        }
        while let Ok(Op::Publish(message)) = read_op(&mut ops) {
            let fits = self.store.has_room(message.content.len() + message.subject.len());
            if fits || !message.retained {
                self.store.relay(time_ms, message, now.monotonic_us, &mut out.effects);
            }
        }
    }
}
