//! What time takes away: history, snapshots, idle subjects. Each subject has at most one place in the schedule.

use std::collections::BTreeSet;

use sterna_model::{Seq, Subject, SubjectId};

use super::Store;
use crate::core::Effect;

/// Subjects looked at in one call; the rest waits for the next.
const SUBJECTS_PER_CALL_MAX: usize = 20_000;
/// A subject without messages and subscriptions is forgotten after this long, seconds.
const IDLE_SUBJECT_S: u64 = 600;
/// The log hears this often of a subject without messages that has subscriptions, seconds.
const TOUCH_S: u64 = 200;
/// After this long the log is asked once more, seconds.
const RETRY_S: u64 = 30;

/// Which subjects to look at in which second.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    places: BTreeSet<(u64, SubjectId)>,
}

impl Schedule {
    /// Gives a subject its place, instead of the one it may have.
    fn place(&mut self, subject: SubjectId, before_s: u64, second: u64) {
        self.places.remove(&(before_s, subject));
        self.places.insert((second, subject));
    }

    /// Takes out the next subject due at `now_s`.
    fn pop_due(&mut self, now_s: u64) -> Option<SubjectId> {
        self.places.first().filter(|(second, _)| *second <= now_s)?;
        self.places.pop_first().map(|(_, subject)| subject)
    }
}

impl Store {
    /// Makes sure that the subject is looked at when its next message expires, or when it has been idle for long.
    pub(super) fn schedule_subject(&mut self, subject: SubjectId) {
        let limits = self.limits;
        let Some(state) = self.subjects.get_mut(subject) else { return };
        let oldest = state.history.front();
        let oldest = oldest.map(|record| record.time_ms.saturating_add(limits.history_expire_ms));
        let snapshot = state.snapshot.as_ref().zip(limits.snapshot_expire_ms);
        let snapshot = snapshot.map(|(record, expire_ms)| record.time_ms.saturating_add(expire_ms));
        let idle_s = if state.has_interest() { TOUCH_S } else { IDLE_SUBJECT_S };
        let idle =
            state.is_empty().then(|| (state.used_s + idle_s).max(self.time_ms / 1000 + RETRY_S) * 1000);
        let Some(next_ms) = [oldest, snapshot, idle].into_iter().flatten().min() else { return };
        // Rounded up: a message is kept at least as long as promised.
        let second = next_ms.div_ceil(1000);
        if state.wakeup_s == 0 || second < state.wakeup_s {
            self.schedule.place(subject, state.wakeup_s, second);
            state.wakeup_s = second;
        }
    }

    /// Expires what is due.
    pub(super) fn expire(&mut self) {
        for _ in 0..SUBJECTS_PER_CALL_MAX {
            let Some(subject) = self.schedule.pop_due(self.time_ms / 1000) else { return };
            self.expire_subject(subject);
        }
    }

    fn expire_subject(&mut self, subject: SubjectId) {
        let (limits, now_ms) = (self.limits, self.time_ms);
        let state = self.subjects.get_mut(subject).expect("a forgotten subject has no place");
        state.wakeup_s = 0;
        let mut freed = 0;
        let is_old = |time_ms: u64| time_ms.saturating_add(limits.history_expire_ms) <= now_ms;
        while state.history.front().is_some_and(|record| is_old(record.time_ms)) {
            freed += state.pop_history();
            self.counters.expired += 1;
        }
        if state.history.is_empty() {
            state.history.shrink_to_fit();
        }
        let snapshot = state.snapshot.as_ref().zip(limits.snapshot_expire_ms);
        if snapshot.is_some_and(|(record, expire_ms)| record.time_ms.saturating_add(expire_ms) <= now_ms) {
            freed += state.set_snapshot(None);
        }
        self.budget.remove(freed);
        if !state.is_empty() {
            self.schedule_subject(subject);
        } else if !state.is_born && !state.has_interest() {
            self.remove_subject(subject);
        } else {
            let idle_s = (now_ms / 1000).saturating_sub(state.used_s);
            if state.has_interest() && idle_s >= TOUCH_S {
                self.touches.push(subject);
            } else if !state.has_interest() && idle_s >= IDLE_SUBJECT_S {
                self.idle.push(subject);
            }
            self.schedule_subject(subject);
        }
    }

    /// Subjects with subscriptions that were not heard of for long: the log is to be told that they are in use.
    pub(crate) fn take_touches(&mut self) -> Vec<Subject> {
        let touches = std::mem::take(&mut self.touches);
        let states = touches.into_iter().filter_map(|subject| self.subjects.get(subject));
        states.filter(|state| state.has_interest()).map(|state| state.name.clone()).collect()
    }

    /// Whether there are subjects that may be forgotten. None while the state goes to another member: there a subject
    /// that was forgotten and born again in the meantime could not be told from one that goes on.
    pub(crate) fn has_idle(&self) -> bool {
        !self.idle.is_empty() && self.sources.is_empty()
    }

    /// At most so many subjects that may be forgotten, with their last seq; all others that were found are let go,
    /// and found again later.
    pub(crate) fn take_idle(&mut self, subjects_max: usize) -> Vec<(Subject, Seq)> {
        let mut idle = std::mem::take(&mut self.idle);
        if !self.sources.is_empty() {
            idle.clear();
        }
        let states = idle.into_iter().filter_map(|subject| self.subjects.get(subject));
        let states = states.filter(|state| state.is_born && state.is_empty() && !state.has_interest());
        states.take(subjects_max).map(|state| (state.name.clone(), state.last)).collect()
    }

    /// Forgets a subject as the log says, unless it was used meanwhile.
    pub(super) fn forget_subject(&mut self, subject: SubjectId, last: Seq, effects: &mut Vec<Effect>) {
        let now_s = self.time_ms / 1000;
        let state = self.subjects.get_mut(subject).expect("just looked up");
        if !state.is_born || state.last != last || state.used_s + IDLE_SUBJECT_S > now_s {
            return;
        }
        for source in &mut self.sources {
            source.forget(subject);
        }
        self.budget.remove(state.clear());
        state.is_born = false;
        let shards = state.interested();
        if shards.is_empty() {
            self.remove_subject(subject);
        } else {
            effects.push(Effect::Interrupted { shards, subject: Some(subject) });
        }
    }

    /// Takes a subject out of the table.
    pub(super) fn remove_subject(&mut self, subject: SubjectId) {
        let state = self.subjects.remove(subject);
        if state.wakeup_s != 0 {
            self.schedule.places.remove(&(state.wakeup_s, subject));
        }
        for source in &mut self.sources {
            source.forget(subject);
        }
        self.replays.remove(&subject);
        self.budget.remove(state.overhead_bytes(self.limits.shards));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_has_one_place() {
        let mut schedule = Schedule::default();
        schedule.place(SubjectId(1), 0, 50);
        schedule.place(SubjectId(2), 0, 40);
        schedule.place(SubjectId(1), 50, 30);
        assert_eq!(schedule.places.len(), 2);
        assert_eq!(schedule.pop_due(29), None);
        assert_eq!(schedule.pop_due(40), Some(SubjectId(1)));
        assert_eq!(schedule.pop_due(40), Some(SubjectId(2)));
        assert_eq!(schedule.pop_due(100), None);
    }
}
