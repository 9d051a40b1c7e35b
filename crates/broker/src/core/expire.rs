//! What time takes away: history, snapshots, idle subjects. Each subject has at most one place in the schedule.

use std::collections::BTreeSet;

use sterna_model::{Seq, SubjectId};

use super::Core;

/// Subjects looked at in one call; the rest waits for the next.
const SUBJECTS_PER_CALL_MAX: usize = 20_000;
/// A subject without messages and subscriptions is forgotten after this long, seconds.
const IDLE_SUBJECT_S: u64 = 600;

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

impl Core {
    /// Makes sure that the subject is looked at when its next message expires.
    pub(super) fn schedule_subject(&mut self, subject: SubjectId) {
        let limits = self.limits;
        let Some(state) = self.subjects.get_mut(subject) else { return };
        let oldest = state.history.front();
        let oldest = oldest.map(|record| record.time_ms.saturating_add(limits.history_expire_ms));
        let snapshot = state.snapshot.as_ref().zip(limits.snapshot_expire_ms);
        let snapshot = snapshot.map(|(record, expire_ms)| record.time_ms.saturating_add(expire_ms));
        let idle = state.is_empty().then_some((state.used_s + IDLE_SUBJECT_S) * 1000);
        let Some(next_ms) = [oldest, snapshot, idle].into_iter().flatten().min() else { return };
        // Rounded up: a message is kept at least as long as promised.
        let second = next_ms.div_ceil(1000);
        if state.wakeup_s == 0 || second < state.wakeup_s {
            self.schedule.place(subject, state.wakeup_s, second);
            state.wakeup_s = second;
        }
    }

    /// Expires what is due.
    pub(super) fn expire(&mut self, now_ms: u64) {
        for _ in 0..SUBJECTS_PER_CALL_MAX {
            let Some(subject) = self.schedule.pop_due(now_ms / 1000) else { return };
            self.expire_subject(now_ms, subject);
        }
    }

    fn expire_subject(&mut self, now_ms: u64, subject: SubjectId) {
        let limits = self.limits;
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
        if state.is_empty() && state.used_s + IDLE_SUBJECT_S <= now_ms / 1000 {
            self.forget_subject(subject);
        } else {
            self.schedule_subject(subject);
        }
    }

    fn forget_subject(&mut self, subject: SubjectId) {
        let state = self.subjects.remove(subject);
        self.floor = Seq(self.floor.0.max(state.last.0));
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
