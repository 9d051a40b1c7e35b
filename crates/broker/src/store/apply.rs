//! A committed command becomes true: retries recognised, positions given, history and snapshots changed, results and
//! deliveries sent. Everything that must be the same on every member follows from the log alone.

use std::sync::Arc;

use sterna_model::{Accepted, ConnectionId, Epoch, Message, Position, Qos, Record, Seq, ShardId, SubjectId};
use sterna_replica::Level;

use super::Store;
use super::codec::{Malformed, RawMessage, Reader};
use super::command::{Command, Forgotten, Op, Origin, Section, read_op};
use super::level;
use crate::core::{Effect, ShardSet};

/// A publisher of this member that waits for its result.
#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    pub(crate) to: ConnectionId,
    pub(crate) id: Option<u64>,
    pub(crate) wants_result: bool,
    pub(crate) received_us: u64,
}

/// Who waits for the publishes of a batch, in their order; nobody for the batches of other members.
pub(crate) trait Waiters {
    /// Called once for each batch that is applied, or passed over because it was applied before.
    fn of(&mut self, origin: Origin, number: u64) -> Vec<Option<Waiter>>;
}

/// A member that nobody waits at.
pub(crate) struct Nobody;

impl Waiters for Nobody {
    fn of(&mut self, _origin: Origin, _number: u64) -> Vec<Option<Waiter>> {
        Vec::new()
    }
}

/// Where applying is.
#[derive(Clone, Copy, Debug)]
struct Place {
    index: u64,
    /// When the command arrived, by the process clock.
    received_us: u64,
}

impl Store {
    /// Applies the command at `index`, as its level says.
    ///
    /// # Errors
    /// The command is not of this version: this member cannot go on.
    pub(crate) fn apply(
        &mut self,
        index: u64,
        level: Level,
        command: &[u8],
        received_us: u64,
        waiters: &mut dyn Waiters,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Malformed> {
        let mut command = Command::read(command)?;
        command.check()?;
        self.time_ms = self.time_ms.max(command.time_ms);
        let place = Place { index, received_us };
        if self.is_rehearsed(level) {
            for section in level::rehearsal(command)? {
                self.apply_section(place, section, waiters, effects)?;
            }
        } else {
            while let Some(section) = command.next()? {
                self.apply_section(place, section, waiters, effects)?;
            }
        }
        self.applied = index;
        if !self.replays.is_empty() {
            self.replays.retain(|_, replay| replay.as_of > index);
        }
        self.expire();
        Ok(())
    }

    /// Puts a command of a lineage that has ended into the state, under the number of another one; nobody hears of it.
    ///
    /// # Errors
    /// The command is not of this version.
    pub(crate) fn salvage(
        &mut self,
        index: u64,
        level: Level,
        command: &[u8],
        epoch: Epoch,
    ) -> Result<(), Malformed> {
        let own = std::mem::replace(&mut self.epoch, epoch);
        let applied = self.apply(index, level, command, 0, &mut Nobody, &mut Vec::new());
        self.epoch = own;
        applied
    }

    fn apply_section(
        &mut self,
        place: Place,
        section: Section<'_>,
        waiters: &mut dyn Waiters,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Malformed> {
        match section {
            Section::Batch { origin, number, ops } => {
                if self.origins.take(origin, number, place.index) {
                    let waiting = waiters.of(origin, number);
                    self.apply_batch(place, ops, waiting, effects)?;
                }
            }
            Section::Forget(forgotten) => self.apply_forget(place, forgotten, effects)?,
            // It may have been proposed again before the first one was committed.
            Section::Rotate if !self.wants_rotation() => {}
            Section::Rotate => self.publishers.rotate(self.time_ms, &mut self.budget),
        }
        Ok(())
    }

    fn apply_batch(
        &mut self,
        place: Place,
        mut ops: Reader<'_>,
        waiting: Vec<Option<Waiter>>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Malformed> {
        let mut waiting = waiting.into_iter();
        while !ops.is_empty() {
            match read_op(&mut ops)? {
                Op::Publish(message) => {
                    self.apply_publish(place, message, waiting.next().flatten(), effects);
                }
                Op::Touch(subject) => self.apply_touch(place, subject, effects),
            }
        }
        Ok(())
    }

    fn apply_publish(
        &mut self,
        place: Place,
        message: RawMessage<'_>,
        waiter: Option<Waiter>,
        effects: &mut Vec<Effect>,
    ) {
        let answered = waiter.as_ref().filter(|waiter| waiter.wants_result);
        match message.stamp.map_or(Ok(None), |stamp| self.publishers.find(stamp)) {
            Ok(None) => {}
            Ok(Some(position)) => {
                self.counters.duplicates += 1;
                let accepted = Accepted { position: Some(position), duplicate: true };
                effects.extend(answered.map(|waiter| waiter.result(message.closure, Ok(accepted))));
                return;
            }
            Err(code) => {
                effects.extend(waiter.map(|waiter| waiter.result(message.closure, Err(code))));
                return;
            }
        }
        let subject = self.born(message.subject, effects);
        let position = match self.replayed(place, subject) {
            Some(position) => position,
            None => self.place(place, subject, message, waiter.as_ref(), effects),
        };
        self.counters.published += 1;
        if let Some(stamp) = message.stamp {
            self.publishers.remember(stamp, position, &mut self.budget);
        }
        let accepted = Accepted { position: Some(position), duplicate: false };
        effects.extend(answered.map(|waiter| waiter.result(message.closure, Ok(accepted))));
    }

    /// Gives a message its position, keeps and delivers it.
    fn place(
        &mut self,
        place: Place,
        subject: SubjectId,
        message: RawMessage<'_>,
        waiter: Option<&Waiter>,
        effects: &mut Vec<Effect>,
    ) -> Position {
        let state = self.subjects.get_mut(subject).expect("just looked up");
        for source in &mut self.sources {
            source.note(subject, state.last);
        }
        state.last = state.last.next();
        state.used_s = self.time_ms / 1000;
        let position = Position { epoch: self.epoch, seq: state.last };
        let message = message.to_message(state.name.clone());
        let record = Arc::new(Record { group: self.group, position, time_ms: self.time_ms, message });
        let received_us = waiter.map_or(place.received_us, |waiter| waiter.received_us);
        self.keep_and_deliver(subject, record, true, received_us, effects);
        position
    }

    /// The position of a publish that the subject, which came by state transfer, has already.
    fn replayed(&mut self, place: Place, subject: SubjectId) -> Option<Position> {
        let replay = self.replays.get_mut(&subject).filter(|replay| place.index <= replay.as_of)?;
        for source in &mut self.sources {
            source.note(subject, replay.last);
        }
        replay.last = replay.last.next();
        Some(Position { epoch: self.epoch, seq: replay.last })
    }

    /// The number of a subject, which the log knows from here on.
    fn born(&mut self, name: &str, effects: &mut Vec<Effect>) -> SubjectId {
        let subject = self.subject_id(name);
        let floor = self.floor;
        let state = self.subjects.get_mut(subject).expect("just looked up");
        if !state.is_born {
            state.is_born = true;
            for source in &mut self.sources {
                source.note(subject, floor);
            }
            // Who subscribed while the floor was lower was told a position that cannot be gone on from.
            let shards = state.interested();
            if state.last != floor && !shards.is_empty() {
                effects.push(Effect::Interrupted { shards, subject: Some(subject) });
            }
            (state.floor, state.last) = (floor, floor);
        }
        subject
    }

    fn apply_touch(&mut self, place: Place, name: &str, effects: &mut Vec<Effect>) {
        let subject = self.born(name, effects);
        if self.replays.get(&subject).is_none_or(|replay| place.index > replay.as_of) {
            let state = self.subjects.get_mut(subject).expect("just looked up");
            state.used_s = self.time_ms / 1000;
            self.schedule_subject(subject);
        }
    }

    fn apply_forget(
        &mut self,
        place: Place,
        mut forgotten: Forgotten<'_>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Malformed> {
        while let Some((name, last)) = forgotten.next()? {
            // Whether it is forgotten or not: so the floor follows from the log alone, also where the state came by
            // transfer without the subject, or with what the subject became afterwards.
            self.floor = self.floor.max(last);
            let Some(subject) = self.subjects.find(name) else { continue };
            if self.replays.get(&subject).is_none_or(|replay| place.index > replay.as_of) {
                self.forget_subject(subject, last, effects);
            }
        }
        Ok(())
    }

    /// Puts a record into history and, if it is the newest, into the snapshot as its fields say, accounts for it,
    /// delivers it.
    pub(super) fn keep_and_deliver(
        &mut self,
        subject: SubjectId,
        record: Arc<Record>,
        is_newest: bool,
        received_us: u64,
        effects: &mut Vec<Effect>,
    ) {
        let history_messages_max = self.history_messages_max();
        let in_history = record.message.qos == Qos::Guaranteed && history_messages_max > 0;
        let state = self.subjects.get_mut(subject).expect("just looked up");
        let becomes_snapshot = record.message.retained && is_newest;
        let mut freed = 0;
        if becomes_snapshot {
            freed += state.set_snapshot(Some(record.clone()));
        }
        if in_history {
            if state.history.len() >= history_messages_max {
                freed += state.pop_history();
            }
            state.history.push_back(record.clone());
        }
        let shards = state.interested();
        if in_history || becomes_snapshot {
            self.budget.add(record.cost_bytes());
        }
        self.budget.remove(freed);
        self.schedule_subject(subject);
        if !shards.is_empty() {
            effects.push(Effect::Deliver { subject, shards, record, received_us });
        }
    }

    /// A standard message, published here or on another member: not in the log, has no seq of its own.
    pub(crate) fn relay(
        &mut self,
        time_ms: u64,
        message: RawMessage<'_>,
        received_us: u64,
        effects: &mut Vec<Effect>,
    ) {
        self.counters.published += 1;
        if !message.retained && self.subjects.find(message.subject).is_none() {
            return;
        }
        let subject = self.subject_id(message.subject);
        let state = self.subjects.get_mut(subject).expect("just looked up");
        // Members that hear of two at the same time agree on the later one.
        let is_older = state.snapshot.as_ref().is_some_and(|snapshot| snapshot.time_ms > time_ms);
        let position = Position { epoch: self.epoch, seq: state.last };
        let message = Message { qos: Qos::Standard, ..message.to_message(state.name.clone()) };
        let record = Arc::new(Record { group: self.group, position, time_ms, message });
        self.keep_and_deliver(subject, record, !is_older, received_us, effects);
    }

    /// Whether a snapshot of this time is newer than the one that is here.
    pub(crate) fn is_newer(&self, subject: &str, time_ms: u64) -> bool {
        let state = self.subjects.find(subject).and_then(|id| self.subjects.get(id));
        state.and_then(|state| state.snapshot.as_ref()).is_none_or(|snapshot| snapshot.time_ms < time_ms)
    }

    /// Subscriptions do not go on.
    pub(crate) fn interrupt_all(&self, effects: &mut Vec<Effect>) {
        effects.push(Effect::Interrupted { shards: self.all_shards(), subject: None });
    }

    /// All shards that have subscriptions.
    pub(super) fn all_shards(&self) -> ShardSet {
        let mut shards = ShardSet::default();
        for shard in (0..self.limits.shards).map(ShardId) {
            shards.insert(shard);
        }
        shards
    }

    /// Number of the last batch of this incarnation that was applied, 0 for none.
    pub(crate) fn last_batch(&self, origin: Origin) -> u64 {
        self.origins.last(origin)
    }

    /// Whether this incarnation should say something, lest it be forgotten.
    pub(crate) fn forgets_soon(&self, origin: Origin) -> bool {
        self.origins.is_ageing(origin)
    }
}

impl Waiter {
    pub(crate) fn result(&self, closure: &str, outcome: Result<Accepted, sterna_model::Code>) -> Effect {
        Effect::PublishResult { to: self.to, id: self.id, closure: closure.into(), outcome }
    }
}

/// A subject that came by state transfer and is ahead of the log here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replay {
    /// The index up to which the subject has everything.
    pub(super) as_of: u64,
    /// Its last seq at the index that applying has reached.
    pub(super) last: Seq,
}
