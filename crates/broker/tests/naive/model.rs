//! What must be true, written down without any thought of speed or memory.

use std::collections::BTreeMap;

use sterna_broker::core::CoreLimits;
use sterna_model::{Kind, Position, Qos, Recovery, Seq, Start};

/// A subject without messages and subscriptions is forgotten after this long.
const IDLE_S: u64 = 600;

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
    floor: u64,
    pub(crate) last: u64,
    log: Vec<Entry>,
    used_s: u64,
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

    /// Last seq of a subject, as a client would be told.
    pub(crate) fn last(&self, subject: u8) -> u64 {
        self.known(subject).map_or(self.floor, |subject| subject.last)
    }

    fn touch(&mut self, subject: u8) -> &mut Subject {
        let floor = self.floor;
        let state =
            self.subjects.entry(subject).or_insert(Subject { floor, last: floor, ..Subject::default() });
        state.used_s = self.now_ms / 1000;
        state
    }

    /// Accepts a message; returns its seq and who hears it.
    pub(crate) fn publish(&mut self, subject: u8, number: u64, retained: bool, qos: Qos) -> (u64, [u32; 2]) {
        let time_ms = self.now_ms;
        let state = self.touch(subject);
        state.last += u64::from(qos == Qos::Guaranteed);
        let seq = state.last;
        state.log.push(Entry { seq, number, retained, qos, time_ms });
        (seq, state.interest)
    }

    pub(crate) fn subscribe(&mut self, subject: u8, shard: usize, start: Start) -> Answer {
        self.touch(subject).interest[shard] += 1;
        self.answer(subject, start)
    }

    pub(crate) fn release(&mut self, subject: u8, shard: usize) {
        self.touch(subject).interest[shard] -= 1;
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

        let floor = self.known(subject).map_or(self.floor, |state| state.floor);
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
        let last = self.last(subject);
        let floor = self.known(subject).map_or(self.floor, |state| state.floor);
        let Some(resume) = resume else { return (Recovery::Fresh, 0) };
        let seq = resume.seq.0;
        if resume.epoch.0 != self.epoch || seq > last {
            return (Recovery::Reset, seq);
        }
        let kept = |wanted: u64| history.iter().any(|entry| entry.seq == wanted);
        let alone = history.is_empty() && seq + 1 == last && snapshot.is_some_and(|entry| entry.seq == last);
        let all = alone || (seq + 1..=last).all(kept);
        if seq >= floor && all { (Recovery::Complete, seq) } else { (Recovery::Gap, seq) }
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now_ms += seconds * 1000;
        let subjects: Vec<u8> = self.subjects.keys().copied().collect();
        for subject in subjects {
            let state = &self.subjects[&subject];
            let idle = state.interest == [0, 0] && state.used_s + IDLE_S <= self.now_ms / 1000;
            if idle && self.history(subject).is_empty() && self.snapshot(subject).is_none() {
                let last = self.subjects.remove(&subject).expect("just seen").last;
                self.floor = self.floor.max(last);
            }
        }
    }
}
