//! Subscribing, catching up page by page, unsubscribing, reading once: what the core answers to each.

use sterna_model::limit::RECOVERY_PAGE_BYTES_MAX;
use sterna_model::{Code, ConnectionId, Kind, Recovery, Seq, ShardId, Start, Subject, SubjectId};

use super::Store;
use super::recover::{self, Origin};
use super::subject::OVERHEAD_BYTES_MAX;
use crate::core::{Effect, Page, Reading, SubscribeEvent};

/// Where a catch-up goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Next seq to send.
    pub(super) next: Seq,
    /// Last seq before the cut: messages after it are updates.
    pub(super) cut: Seq,
    /// Kind of the messages up to the cut.
    pub(super) kind: Kind,
}

impl Store {
    /// Whether a position may be known to other members, but not yet to this one.
    pub(crate) fn is_behind(&self, name: &str, start: Start) -> bool {
        let Some(resume) = start.resume else { return false };
        let known = self.subjects.find(name).and_then(|id| self.subjects.get(id));
        let last = known.filter(|state| state.is_born).map_or(self.floor, |state| state.last);
        resume.epoch > self.epoch || (resume.epoch == self.epoch && resume.seq > last)
    }

    /// Starts a subscription; the subject, if the log does not know it yet.
    pub(crate) fn subscribe(&mut self, event: SubscribeEvent, effects: &mut Vec<Effect>) -> Option<Subject> {
        let SubscribeEvent { from, id, name, start, conflation_ms } = event;
        let known = self.subjects.find(name.as_str()).is_some();
        if !known && !self.budget.fits(name.as_str().len() + OVERHEAD_BYTES_MAX, 0) {
            effects.push(Effect::SubscribeRefused { to: from, id, name, code: Code::MemoryFull });
            return None;
        }
        let subject = self.subject_id(name.as_str());
        let (epoch, floor, shards) = (self.epoch, self.floor, self.limits.shards);
        let is_continuous = self.is_continuous();
        let state = self.subjects.get_mut(subject).expect("just looked up");
        if !state.is_born && !state.has_interest() {
            (state.floor, state.last) = (floor, floor);
        }
        state.add_interest(from.shard, shards);
        let name = state.name.clone();
        let unborn = (!state.is_born).then(|| name.clone());
        let (cut, origin) = recover::judge(state, epoch, start, is_continuous);
        let page = recover::first_page(state, origin, RECOVERY_PAGE_BYTES_MAX);
        self.count_recovery(cut.recovery);
        effects.push(Effect::Subscribed { to: from, id, conflation_ms, subject, name, cut, page });
        self.schedule_subject(subject);
        unborn
    }

    pub(crate) fn go_on(
        &mut self,
        to: ConnectionId,
        subject: SubjectId,
        cursor: Cursor,
        effects: &mut Vec<Effect>,
    ) {
        let state = self.subjects.get(subject).filter(|state| state.first_available() <= cursor.next);
        let page = state.map(|state| recover::next_page(state, cursor, RECOVERY_PAGE_BYTES_MAX));
        self.counters.recoveries_overrun += u64::from(page.is_none());
        effects.push(Effect::Caught { to, subject, cursor, page });
    }

    pub(crate) fn unsubscribe(
        &mut self,
        to: ConnectionId,
        id: Option<u64>,
        name: Subject,
        effects: &mut Vec<Effect>,
    ) {
        let subject = self.subjects.find(name.as_str());
        effects.push(Effect::Unsubscribed { to, id, name, subject });
    }

    pub(crate) fn release(&mut self, shard: ShardId, subjects: &[SubjectId]) {
        for subject in subjects {
            let state = self.subjects.get_mut(*subject).expect("a subject with a subscription is kept");
            state.remove_interest(shard);
            if state.has_interest() || !state.is_empty() {
                continue;
            }
            if state.is_born {
                self.schedule_subject(*subject);
            } else {
                self.remove_subject(*subject);
            }
        }
    }

    pub(crate) fn read(
        &mut self,
        to: ConnectionId,
        name: &Subject,
        reading: Reading,
        effects: &mut Vec<Effect>,
    ) {
        let start = match reading {
            Reading::Snapshot => Start::default(),
            Reading::History(count) => Start { history: count, resume: None },
            Reading::After(position) => Start { history: 0, resume: Some(position) },
        };
        let found = self.subjects.find(name.as_str()).and_then(|id| self.subjects.get(id));
        let (cut, page) = match found {
            Some(state) if state.is_born || state.has_interest() || !state.is_empty() => {
                let (cut, origin) = recover::judge(state, self.epoch, start, self.is_continuous());
                (cut, recover::read(state, origin))
            }
            _ => {
                (recover::judge_unknown(self.epoch, self.floor, start, self.is_continuous()), Page::default())
            }
        };
        if matches!(reading, Reading::After(_)) {
            self.count_recovery(cut.recovery);
        }
        let mut messages = page.messages;
        if matches!(reading, Reading::History(1..)) {
            messages.retain(|(kind, _)| *kind == Kind::Historical);
        }
        effects.push(Effect::Answer { to, name: name.clone(), cut, messages });
    }

    /// The number of a subject, known or new.
    pub(super) fn subject_id(&mut self, name: &str) -> SubjectId {
        if let Some(id) = self.subjects.find(name) {
            return id;
        }
        let name = Subject::parse(name).expect("checked where it came in");
        let id = self.subjects.insert(name, self.floor);
        let state = self.subjects.get(id).expect("just inserted");
        self.budget.add(state.overhead_bytes(self.limits.shards));
        id
    }

    fn count_recovery(&mut self, recovery: Recovery) {
        match recovery {
            Recovery::Fresh => {}
            Recovery::Complete => self.counters.recoveries_complete += 1,
            Recovery::Gap => self.counters.recoveries_gap += 1,
            Recovery::Reset => self.counters.recoveries_reset += 1,
        }
    }
}

/// What a fresh subscription's cursor starts with.
impl Cursor {
    pub(super) fn of(origin: Origin, next: Seq) -> Self {
        Self { next, cut: origin.cut, kind: origin.kind }
    }
}
