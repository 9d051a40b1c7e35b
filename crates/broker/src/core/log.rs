//! Between store and agreement: what this member wants is put into numbered batches, each batch brought to the leader
//! until it is applied here.

use std::collections::VecDeque;

use bytes::Bytes;
use sterna_model::{Code, Message, PublisherStamp, Subject};
use sterna_replica::{Input, Level, Replica, Slot, Status};

use super::batches::Batches;
use super::obey::disconnect;
use super::{Channel, Outputs, PeerEvent, PeerFrame, frame};
use crate::session::Now;
use crate::store::codec::Reader;
use crate::store::command::{CommandBuilder, Op, Ops, Origin, read_op};
use crate::store::{Store, Waiter};

/// Bytes of the batches that wait to be applied; more publishes are refused.
const WAITING_BYTES_MAX: usize = 16 << 20;
/// Bytes of the batches that another member, the leader, has and that are not applied here yet.
const FORWARDED_BYTES_MAX: usize = 4 << 20;
/// Bytes of other members' batches that wait for this one to lead them; more are dropped, and come again.
const COLLECTED_BYTES_MAX: usize = 32 << 20;
/// A command is proposed when it has this many bytes.
const COMMAND_BYTES: usize = 256 << 10;
/// Without a leader for so long, publishes are refused.
const LEADERLESS_US: u64 = 2_000_000;
/// A batch that was not applied for so long is sent again.
const RESEND_US: u64 = 1_000_000;
/// The log's time goes on at least this often.
const TIME_STEP_MS: u64 = 1_000;
/// Subjects that one command forgets.
const FORGOTTEN_MAX: usize = 1_000;

/// A batch that this member is to put into the log.
#[derive(Debug)]
pub(super) struct Collected {
    origin: Origin,
    number: u64,
    ops: Bytes,
}

/// The log of one member.
pub(super) struct Log {
    pub(super) replica: Replica,
    slot: Slot,
    /// What is collected for the next batch.
    ops: Ops,
    waiters: Vec<Option<Waiter>>,
    ops_cost_bytes: usize,
    pub(super) batches: Batches,
    pub(super) collected: VecDeque<Collected>,
    pub(super) collected_bytes: usize,
    /// A command that the agreement could not take yet.
    pub(super) stalled: Option<Bytes>,
    /// Commands of a lineage that has ended, which were not applied there.
    pub(super) salvage: Vec<(u64, Level, Bytes)>,
    /// How the last command was applied.
    pub(super) level: Level,
    pub(super) leader: Option<(Slot, u64)>,
    /// When a leader was last known, microseconds of the process clock.
    pub(super) led_us: u64,
    /// When a batch was last applied or sent again.
    pub(super) moved_us: u64,
    /// The log's time as it was last seen to change, and when that was.
    timed: (u64, u64),
    pub(super) has_state: bool,
    pub(super) batches_forwarded: u64,
    pub(super) elections: u64,
}

impl Log {
    pub(super) fn new(replica: Replica, slot: Slot, origin: Origin, now: Now) -> Self {
        Self {
            replica,
            slot,
            ops: Ops::default(),
            waiters: Vec::new(),
            ops_cost_bytes: 0,
            batches: Batches { origin, next_number: 1, ..Batches::default() },
            collected: VecDeque::new(),
            collected_bytes: 0,
            stalled: None,
            salvage: Vec::new(),
            level: Level::FIRST,
            leader: None,
            led_us: now.monotonic_us,
            moved_us: now.monotonic_us,
            timed: (0, now.monotonic_us),
            has_state: false,
            batches_forwarded: 0,
            elections: 0,
        }
    }

    /// Whether this member holds the state of a lineage.
    pub(super) fn has_state(&self) -> bool {
        self.has_state
    }

    /// Whether this member leads, as it thinks.
    pub(super) fn leads(&self) -> bool {
        self.leader_slot() == Some(self.slot)
    }

    pub(super) fn leader_slot(&self) -> Option<Slot> {
        self.leader.map(|(slot, _)| slot)
    }

    pub(super) fn batches_waiting(&self) -> usize {
        self.batches.waiting.len()
    }

    /// Bytes of the batches on their way into the log.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.batches.waiting_bytes + self.collected_bytes
    }

    pub(super) fn status(&self) -> Status {
        self.replica.status()
    }

    /// Bytes that what waits may occupy once it is applied.
    pub(super) fn waiting_cost_bytes(&self) -> usize {
        self.batches.cost_bytes + self.ops_cost_bytes
    }

    /// Whether a publish can be taken.
    ///
    /// # Errors
    /// `NoQuorum` or `Overloaded`.
    pub(super) fn is_ready(&self, now: Now) -> Result<(), Code> {
        if !self.has_state || self.is_leaderless(now) {
            return Err(Code::NoQuorum);
        }
        if self.batches.waiting_bytes + self.ops.len() > WAITING_BYTES_MAX {
            return Err(Code::Overloaded);
        }
        Ok(())
    }

    fn is_leaderless(&self, now: Now) -> bool {
        self.leader.is_none() && now.monotonic_us - self.led_us > LEADERLESS_US
    }

    /// Appends a publish to the batch; true if the batch is full.
    pub(super) fn append(
        &mut self,
        message: &Message,
        stamp: Option<&PublisherStamp>,
        waiter: Waiter,
        cost_bytes: usize,
    ) -> bool {
        self.ops.publish(message, stamp);
        self.waiters.push(Some(waiter));
        self.ops_cost_bytes += cost_bytes;
        self.ops.is_full()
    }

    /// The subject is in use.
    pub(super) fn touch(&mut self, subject: &Subject) {
        self.ops.touch(subject);
    }

    /// Takes another member's batch; the leader it is meant for may not be this member any more.
    pub(super) fn collect(&mut self, origin: Origin, number: u64, ops: &[u8]) {
        let leads = self.leader_slot() == Some(self.slot);
        if leads && self.collected_bytes + ops.len() <= COLLECTED_BYTES_MAX {
            self.collected_bytes += ops.len();
            self.collected.push_back(Collected { origin, number, ops: Bytes::copy_from_slice(ops) });
        }
    }

    /// Seals the batch, brings batches to the leader, and as the leader puts them into the log.
    pub(super) fn flush(&mut self, now: Now, store: &mut Store, out: &mut Outputs) {
        if !self.ops.is_empty() {
            let waiters = std::mem::take(&mut self.waiters);
            self.batches.push(self.ops.take(), waiters, std::mem::take(&mut self.ops_cost_bytes));
        }
        if self.batches.sent == 0 {
            self.moved_us = now.monotonic_us;
        }
        match self.leader {
            Some((slot, _)) if slot == self.slot => {
                while let Some((number, ops)) = self.batches.send(usize::MAX) {
                    self.collected_bytes += ops.len();
                    self.collected.push_back(Collected { origin: self.batches.origin, number, ops });
                }
                self.lead(now, store, out);
            }
            Some((to, _)) => {
                while let Some((number, ops)) = self.batches.send(FORWARDED_BYTES_MAX) {
                    let bytes = frame::forward(self.batches.origin, number, &ops);
                    out.frames.push(PeerFrame { to, channel: Channel::Forward, bytes });
                    self.batches_forwarded += 1;
                }
            }
            None => {}
        }
    }

    /// Puts what was collected into the log.
    fn lead(&mut self, now: Now, store: &mut Store, out: &mut Outputs) {
        if let Some(command) = self.stalled.take() {
            self.propose(now, command, store, out);
        }
        while self.stalled.is_none() && !self.collected.is_empty() {
            let bytes = self.collected_bytes.min(COMMAND_BYTES);
            let mut command = CommandBuilder::new(self.time_ms(now, store), bytes);
            while let Some(one) = self.collected.pop_front() {
                self.collected_bytes -= one.ops.len();
                command.batch(one.origin, one.number, &one.ops);
                if command.len() >= COMMAND_BYTES {
                    break;
                }
            }
            self.propose(now, command.finish(), store, out);
        }
    }

    fn propose(&mut self, now: Now, command: Bytes, store: &mut Store, out: &mut Outputs) {
        // Kept until the agreement has said what becomes of it.
        self.stalled = Some(command.clone());
        self.step(now, Input::Propose { ticket: 0, command }, store, out);
    }

    pub(super) fn on_peer(&mut self, now: Now, event: PeerEvent, store: &mut Store, out: &mut Outputs) {
        let input = match event {
            PeerEvent::Up { slot } => Input::LinkUp { slot },
            PeerEvent::Down { slot } => {
                if self.leader_slot() == Some(slot) {
                    self.batches.unsend();
                }
                Input::LinkDown { slot }
            }
            PeerEvent::Frame { slot, bytes, .. } => Input::Frame { slot, bytes },
        };
        self.step(now, input, store, out);
    }

    pub(super) fn leave(&mut self, now: Now, store: &mut Store, out: &mut Outputs) {
        self.step(now, Input::Leave, store, out);
    }

    pub(super) fn on_tick(&mut self, now: Now, store: &mut Store, out: &mut Outputs) {
        self.step(now, Input::Tick, store, out);
        for subject in store.take_touches() {
            self.ops.touch(&subject);
        }
        if self.batches.waiting.is_empty() && store.forgets_soon(self.batches.origin) {
            self.batches.push(Bytes::new(), Vec::new(), 0);
        }
        if self.leader_slot() == Some(self.slot) {
            self.keep_time(now, store, out);
        } else {
            store.take_idle(0);
        }
        if self.batches.sent > 0 && now.monotonic_us - self.moved_us > RESEND_US {
            self.moved_us = now.monotonic_us;
            self.batches.unsend();
        }
        if self.is_leaderless(now) {
            self.give_up(store, out);
        }
    }

    /// What the log's time is to be now: the wall clock, or if that went back, as much later as time has passed.
    pub(super) fn time_ms(&mut self, now: Now, store: &Store) -> u64 {
        if store.time_ms() != self.timed.0 {
            self.timed = (store.time_ms(), now.monotonic_us);
        }
        let (time_ms, seen_us) = self.timed;
        now.unix_ms.max(time_ms + (now.monotonic_us - seen_us) / 1000)
    }

    /// The leader's: time goes on also when nobody publishes, and takes away what nobody uses.
    fn keep_time(&mut self, now: Now, store: &mut Store, out: &mut Outputs) {
        let time_ms = self.time_ms(now, store);
        let is_due = time_ms >= store.time_ms() + TIME_STEP_MS || store.has_idle();
        if self.stalled.is_some() || !is_due {
            return;
        }
        let mut command = CommandBuilder::new(time_ms, 0);
        let idle = store.take_idle(FORGOTTEN_MAX);
        if !idle.is_empty() {
            command.forget(idle.iter().map(|(subject, last)| (subject, *last)));
        }
        if store.wants_rotation() {
            command.rotate();
        }
        self.propose(now, command.finish(), store, out);
    }

    /// There is no leader: publishes that nobody was given are refused; of others nobody knows what becomes of them.
    fn give_up(&mut self, store: &mut Store, out: &mut Outputs) {
        for pending in self.batches.take_unsent() {
            let mut waiters = pending.waiters.into_iter();
            let mut ops = Reader(&pending.ops);
            while let Ok(op) = read_op(&mut ops) {
                if let Op::Publish(message) = op
                    && let Some(waiter) = waiters.next().flatten()
                {
                    store.counters_mut().refused += 1;
                    out.effects.push(waiter.result(message.closure, Err(Code::NoQuorum)));
                }
            }
        }
        for pending in &mut self.batches.waiting {
            disconnect(&mut pending.waiters, out);
        }
    }
}
