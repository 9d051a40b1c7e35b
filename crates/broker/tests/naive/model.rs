//! What must be true, written down without any thought of speed or memory.

use std::collections::BTreeMap;

use sterna_broker::core::CoreLimits;
use sterna_model::{DeliveryMode, Kind, Position, Qos, Recovery, Seq, Start};

/// A subject without messages and subscriptions is forgotten after this long.
const IDLE_S: u64 = 600;
/// A subject without messages that has subscriptions is said to be in use this often.
const TOUCH_S: u64 = 200;
/// A subject without messages is looked at this much later at the earliest.
const RETRY_S: u64 = 30;

/// A message that was accepted. A standard one has the seq of the guaranteed one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) number: u64,
    pub(crate) retained: bool,
    pub(crate) qos: Qos,
    time_ms: u64,
}

/// What a subscribe must be answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) recovery: Recovery,
    pub(crate) cut: u64,
    pub(crate) missed: Option<(Seq, Seq)>,
    pub(crate) follows: Vec<(Kind, u64, u64)>,
}

#[derive(Debug, Default)]
pub(crate) struct Subject {
    /// The log has spoken of it. Until then it is known for a standard message or, in `Standard` mode, a subscription.
    is_born: bool,
    floor: u64,
    pub(crate) last: u64,
    log: Vec<Entry>,
    used_s: u64,
    /// When it is next seen whether the subject is in use; 0 for never.
    look_s: u64,
    pub(crate) interest: [u32; 2],
}

pub(crate) struct Model {
    limits: CoreLimits,
    pub(crate) epoch: u64,
    pub(crate) now_ms: u64,
    floor: u64,
    subjects: BTreeMap<u8, Subject>,
}

impl Model {
    pub(crate) fn new(limits: CoreLimits, epoch: u64, now_ms: u64) -> Self {
        Self { limits, epoch, now_ms, floor: 0, subjects: BTreeMap::new() }
    }

    pub(crate) fn subjects(&self) -> usize {
        self.subjects.len()
    }

    pub(crate) fn known(&self, subject: u8) -> Option<&Subject> {
        self.subjects.get(&subject)
    }

    /// Floor and last seq of a subject, as a client would be told.
    fn bounds(&self, subject: u8) -> (u64, u64) {
        let known = self.known(subject);
        let told = known.filter(|state| state.is_born || state.interest != [0, 0] || !self.is_empty(subject));
        told.map_or((self.floor, self.floor), |state| (state.floor, state.last))
    }

    pub(crate) fn last(&self, subject: u8) -> u64 {
        self.bounds(subject).1
    }

    fn is_empty(&self, subject: u8) -> bool {
        self.history(subject).is_empty() && self.snapshot(subject).is_none()
    }

    fn state(&mut self, subject: u8) -> &mut Subject {
        let floor = self.floor;
        self.subjects.entry(subject).or_insert(Subject { floor, last: floor, ..Subject::default() })
    }

    /// The log speaks of the subject, which begins at the floor if it is for the first time.
    fn touch(&mut self, subject: u8) {
        let (floor, now_s) = (self.floor, self.now_ms / 1000);
        let state = self.state(subject);
        if !state.is_born {
            (state.is_born, state.floor, state.last) = (true, floor, floor);
        }
        state.used_s = now_s;
    }

    /// Accepts a message; returns its seq and who hears it.
    pub(crate) fn publish(&mut self, subject: u8, number: u64, retained: bool, qos: Qos) -> (u64, [u32; 2]) {
        let time_ms = self.now_ms;
        if qos == Qos::Guaranteed {
            self.touch(subject);
        } else if !retained && self.known(subject).is_none() {
            return (0, [0, 0]);
        }
        let state = self.state(subject);
        state.last += u64::from(qos == Qos::Guaranteed);
        let (seq, interest) = (state.last, state.interest);
        state.log.push(Entry { seq, number, retained, qos, time_ms });
        self.schedule(subject);
        (seq, interest)
    }

    pub(crate) fn subscribe(&mut self, subject: u8, shard: usize, start: Start) -> Answer {
        let floor = self.floor;
        let state = self.state(subject);
        if !state.is_born && state.interest == [0, 0] {
            (state.floor, state.last) = (floor, floor);
        }
        state.interest[shard] += 1;
        let is_born = state.is_born;
        self.schedule(subject);
        let answer = self.answer(subject, start);
        if !is_born && self.has_log() {
            self.touch(subject);
            self.schedule(subject);
        }
        answer
    }

    pub(crate) fn release(&mut self, subject: u8, shard: usize) {
        let state = self.state(subject);
        state.interest[shard] -= 1;
        let (is_born, is_used) = (state.is_born, state.interest != [0, 0]);
        if is_used || !self.is_empty(subject) {
            return;
        }
        if is_born {
            self.schedule(subject);
        } else {
            self.subjects.remove(&subject);
        }
    }

    fn has_log(&self) -> bool {
        self.limits.mode == DeliveryMode::Guaranteed
    }

    /// When to look at the subject: when a message expires, or when it may have been without use for long.
    fn schedule(&mut self, subject: u8) {
        let expire_ms = self.limits.history_expire_ms;
        let oldest = self.history(subject).first().map(|entry| entry.time_ms + expire_ms);
        let snapshot = self.snapshot(subject).zip(self.limits.snapshot_expire_ms);
        let snapshot = snapshot.map(|(entry, expire_ms)| entry.time_ms + expire_ms);
        let state = &self.subjects[&subject];
        let idle_s = state.used_s + if state.interest == [0, 0] { IDLE_S } else { TOUCH_S };
        let idle_s = self.is_empty(subject).then(|| idle_s.max(self.now_ms / 1000 + RETRY_S));
        let expiry_s = [oldest, snapshot].map(|time_ms| time_ms.map(|time_ms| time_ms / 1000));
        let Some(next_s) = expiry_s.into_iter().chain([idle_s]).flatten().min() else { return };
        let state = self.state(subject);
        if state.look_s == 0 || next_s < state.look_s {
            state.look_s = next_s;
        }
    }

    /// Guaranteed messages that are still kept.
    pub(crate) fn history(&self, subject: u8) -> Vec<Entry> {
        let Some(state) = self.known(subject) else { return Vec::new() };
        let guaranteed: Vec<_> = state.log.iter().filter(|entry| entry.qos == Qos::Guaranteed).collect();
        let from = guaranteed.len().saturating_sub(self.limits.history_messages_max);
        let is_young = |entry: &&&Entry| entry.time_ms + self.limits.history_expire_ms > self.now_ms;
        guaranteed[from..].iter().filter(is_young).map(|entry| **entry).collect()
    }

    pub(crate) fn snapshot(&self, subject: u8) -> Option<Entry> {
        let last = self.known(subject)?.log.iter().rfind(|entry| entry.retained)?;
        let expires = self.limits.snapshot_expire_ms.map(|expire_ms| last.time_ms + expire_ms);
        expires.is_none_or(|at_ms| at_ms > self.now_ms).then_some(*last)
    }

    /// Rules R1 to R8 of the protocol.
    pub(crate) fn answer(&self, subject: u8, start: Start) -> Answer {
        let cut = self.last(subject);
        let history = self.history(subject);
        let snapshot = self.snapshot(subject);
        let guaranteed = snapshot.filter(|entry| entry.qos == Qos::Guaranteed);
        let standard = snapshot.filter(|entry| entry.qos == Qos::Standard);
        let (recovery, resume) = self.judge(subject, start.resume, &history, guaranteed);

        let mut follows = Vec::new();
        if recovery == Recovery::Complete {
            let behind = |entry: &&Entry| entry.seq > resume;
            let alone = guaranteed.filter(|_| history.is_empty());
            let recovered = history.iter().chain(&alone).filter(behind);
            follows.extend(recovered.map(|entry| (Kind::Recovered, *entry)));
            let in_place = standard.filter(|entry| entry.seq >= resume);
            follows.extend(in_place.map(|entry| (Kind::Snapshot, entry)));
        } else {
            let count = history.len().min(start.history as usize);
            let newest = &history[history.len() - count..];
            follows.extend(newest.iter().map(|entry| (Kind::Historical, *entry)));
            let apart = snapshot.filter(|entry| !newest.contains(entry));
            follows.extend(apart.map(|entry| (Kind::Snapshot, entry)));
        }
        follows.sort_by_key(|(_, entry)| (entry.seq, entry.qos == Qos::Standard));

        let floor = self.bounds(subject).0;
        let tells = recovery == Recovery::Gap && resume >= floor;
        let comes =
            |seq: &u64| follows.iter().any(|(_, entry)| entry.seq == *seq && entry.qos == Qos::Guaranteed);
        let lost = (resume + 1..=cut).rfind(|seq| !comes(seq)).filter(|_| tells);
        let missed = lost.map(|to| (Seq(resume + 1), Seq(to)));
        let follows = follows.into_iter().map(|(kind, entry)| (kind, entry.seq, entry.number)).collect();
        Answer { recovery, cut, missed, follows }
    }

    fn judge(
        &self,
        subject: u8,
        resume: Option<Position>,
        history: &[Entry],
        snapshot: Option<Entry>,
    ) -> (Recovery, u64) {
        let (floor, last) = self.bounds(subject);
        let Some(resume) = resume else { return (Recovery::Fresh, 0) };
        let seq = resume.seq.0;
        if resume.epoch.0 != self.epoch || seq > last {
            return (Recovery::Reset, seq);
        }
        if !self.has_log() {
            return (Recovery::Gap, seq);
        }
        let kept = |wanted: u64| history.iter().any(|entry| entry.seq == wanted);
        let alone = history.is_empty() && seq + 1 == last && snapshot.is_some_and(|entry| entry.seq == last);
        let all = alone || (seq + 1..=last).all(kept);
        if seq >= floor && all { (Recovery::Complete, seq) } else { (Recovery::Gap, seq) }
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now_ms += seconds * 1000;
        let now_s = self.now_ms / 1000;
        let due = |state: &Subject| state.look_s != 0 && state.look_s <= now_s;
        let subjects: Vec<u8> =
            self.subjects.iter().filter(|(_, state)| due(state)).map(|(subject, _)| *subject).collect();
        for subject in subjects {
            self.look(subject);
        }
    }

    /// Sees whether the subject is in use. In `Standard` mode nobody has to know, for there are no seqs.
    fn look(&mut self, subject: u8) {
        let is_empty = self.is_empty(subject);
        let now_s = self.now_ms / 1000;
        let state = self.state(subject);
        state.look_s = 0;
        let (is_used, idle_s) = (state.interest != [0, 0], now_s - state.used_s);
        let (is_born, last) = (state.is_born, state.last);
        if is_empty && !is_used && (!is_born || idle_s >= IDLE_S) {
            self.subjects.remove(&subject);
            self.floor = self.floor.max(if is_born { last } else { 0 });
            return;
        }
        self.schedule(subject);
        if is_empty && is_used && idle_s >= TOUCH_S && self.has_log() {
            self.touch(subject);
            self.schedule(subject);
        }
    }
}
