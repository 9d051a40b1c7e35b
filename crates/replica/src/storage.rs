//! The log in memory, as the raft reads it. Entries share their bytes with the frames they came in.

use std::collections::VecDeque;

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{Error, GetEntriesContext, RaftState, Result, Storage, StorageError};

use crate::limit::ENTRY_OVERHEAD_BYTES;
use crate::membership::Membership;

/// Where the log begins: index and term of the entry before the first one.
pub(crate) type Place = (u64, u64);

/// The log of one lineage. What was applied can be cut off at its beginning.
#[derive(Debug, Default)]
pub(crate) struct Log {
    before: Place,
    entries: VecDeque<Entry>,
    entries_bytes: usize,
    hard: HardState,
    applied: Place,
    membership: Membership,
}

impl Log {
    /// The log of a founder: nothing but a checkpoint at `index`, of term 1. An index of 0 would let others replay
    /// the log from its beginning, where there are no voters.
    pub(crate) fn founded(index: u64, membership: Membership) -> Self {
        let place = (index, 1);
        let mut hard = HardState::default();
        hard.term = 1;
        hard.commit = index;
        Self { before: place, applied: place, hard, membership, ..Self::default() }
    }

    /// Whether there is a state that the log goes on from; not so before a blank member got its checkpoint.
    pub(crate) fn is_installed(&self) -> bool {
        self.before.0 > 0
    }

    pub(crate) fn membership(&self) -> &Membership {
        &self.membership
    }

    pub(crate) fn applied(&self) -> u64 {
        self.applied.0
    }

    /// Index and term of the entry that was applied last.
    pub(crate) fn applied_place(&self) -> Place {
        self.applied
    }

    pub(crate) fn last(&self) -> Place {
        self.entries.back().map_or(self.before, |entry| (entry.index, entry.term))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.entries_bytes
    }

    /// Entries that were not applied.
    pub(crate) fn tail(&self) -> impl Iterator<Item = &Entry> {
        self.entries.range((self.applied.0 - self.before.0) as usize..)
    }

    pub(crate) fn set_hard(&mut self, hard: HardState) {
        self.hard = hard;
    }

    pub(crate) fn set_commit(&mut self, commit: u64) {
        self.hard.commit = commit;
    }

    /// The entry at this place was applied.
    pub(crate) fn set_applied(&mut self, index: u64, term: u64) {
        self.applied = (index, term);
    }

    /// The change of members at this place was applied.
    pub(crate) fn set_membership(&mut self, membership: Membership, index: u64, term: u64) {
        self.membership = membership;
        self.applied = (index, term);
    }

    /// Adds entries; they replace what stood at and after their first index.
    pub(crate) fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        while self.entries.back().is_some_and(|entry| entry.index >= first.index) {
            let removed = self.entries.pop_back().expect("it was just looked at");
            self.entries_bytes -= entry_bytes(&removed);
        }
        assert_eq!(self.last().0 + 1, first.index, "the raft leaves no gap");
        self.entries_bytes += entries.iter().map(entry_bytes).sum::<usize>();
        self.entries.extend(entries.iter().cloned());
    }

    /// Begins anew after a checkpoint.
    pub(crate) fn restore(&mut self, index: u64, term: u64, membership: Membership) {
        self.entries.clear();
        self.entries_bytes = 0;
        self.before = (index, term);
        self.applied = self.before;
        self.membership = membership;
    }

    /// Cuts off applied entries until the rest has at most `bytes` bytes, or `bytes_max` as far as somebody needs those
    /// above `index`.
    pub(crate) fn trim(&mut self, bytes: usize, bytes_max: usize, index: u64) {
        while let Some(oldest) = self.entries.front()
            && oldest.index <= self.applied.0
            && self.entries_bytes > if oldest.index <= index { bytes } else { bytes_max }
        {
            let removed = self.entries.pop_front().expect("it was just looked at");
            self.entries_bytes -= entry_bytes(&removed);
            self.before = (removed.index, removed.term);
        }
    }

    pub(crate) fn conf_state(&self) -> ConfState {
        let numbers = |nodes: &std::collections::BTreeSet<crate::identity::NodeId>| {
            nodes.iter().map(|node| node.0).collect::<Vec<u64>>()
        };
        let mut state = ConfState::default();
        state.set_voters(numbers(&self.membership.voters));
        state.set_voters_outgoing(numbers(&self.membership.outgoing));
        state.set_learners(numbers(&self.membership.learners));
        state
    }

    fn position(&self, index: u64) -> Option<usize> {
        index.checked_sub(self.before.0 + 1).map(|at| at as usize)
    }
}

fn entry_bytes(entry: &Entry) -> usize {
    entry.data.len() + entry.context.len() + ENTRY_OVERHEAD_BYTES
}

impl Storage for Log {
    fn initial_state(&self) -> Result<RaftState> {
        Ok(RaftState::new(self.hard.clone(), self.conf_state()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        let start = self.position(low).ok_or(Error::Store(StorageError::Compacted))?;
        let end = self.position(high).ok_or(Error::Store(StorageError::Compacted))?;
        if end > self.entries.len() {
            return Err(Error::Store(StorageError::Unavailable));
        }
        let bytes_max = max_size.into().unwrap_or(u64::MAX);
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            let first = bytes == 0;
            bytes += entry_bytes(entry) as u64;
            first || bytes <= bytes_max
        };
        Ok(self.entries.range(start..end).take_while(fits).cloned().collect())
    }

    fn term(&self, index: u64) -> Result<u64> {
        if index == self.before.0 {
            return Ok(self.before.1);
        }
        let at = self.position(index).ok_or(Error::Store(StorageError::Compacted))?;
        self.entries.get(at).map(|entry| entry.term).ok_or(Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> Result<u64> {
        Ok(self.before.0 + 1)
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.last().0)
    }

    /// Only a sign that a checkpoint is wanted: what travels is made when its transfer begins.
    fn snapshot(&self, _request_index: u64, _to: u64) -> Result<Snapshot> {
        let mut snapshot = Snapshot::default();
        let head = snapshot.mut_metadata();
        head.index = self.applied.0;
        head.term = self.applied.1;
        head.set_conf_state(self.conf_state());
        Ok(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, term: u64, bytes: usize) -> Entry {
        let mut entry = Entry::default();
        entry.index = index;
        entry.term = term;
        entry.data = vec![7; bytes].into();
        entry
    }

    fn read(log: &Log, low: u64, high: u64, max: Option<u64>) -> Vec<u64> {
        let entries = log.entries(low, high, max, GetEntriesContext::empty(false)).unwrap();
        entries.iter().map(|entry| entry.index).collect()
    }

    #[test]
    fn a_founders_log_begins_after_its_checkpoint() {
        let log = Log::founded(5, Membership::default());
        assert_eq!((log.first_index().unwrap(), log.last_index().unwrap()), (6, 5));
        assert_eq!(log.term(5).unwrap(), 1);
        assert!(log.is_installed() && !Log::default().is_installed());
        assert_eq!(Log::default().first_index().unwrap(), 1);
    }

    #[test]
    fn later_entries_replace_what_stood_there() {
        let mut log = Log::founded(5, Membership::default());
        log.append(&[entry(6, 1, 10), entry(7, 1, 10), entry(8, 1, 10)]);
        log.append(&[entry(7, 2, 20)]);
        assert_eq!(log.last(), (7, 2));
        assert_eq!(log.entries_bytes, 30 + 2 * ENTRY_OVERHEAD_BYTES);
    }

    #[test]
    fn reading_is_bounded_by_bytes_but_gives_at_least_one_entry() {
        let mut log = Log::founded(5, Membership::default());
        log.append(&[entry(6, 1, 4), entry(7, 1, 4), entry(8, 1, 4)]);
        assert_eq!(read(&log, 6, 9, None), [6, 7, 8]);
        assert_eq!(read(&log, 6, 9, Some(2 * 100)), [6, 7]);
        assert_eq!(read(&log, 7, 9, Some(0)), [7]);
    }

    #[test]
    fn only_applied_entries_are_cut_off() {
        let mut log = Log::founded(5, Membership::default());
        log.append(&[entry(6, 1, 4), entry(7, 1, 4), entry(8, 2, 4)]);
        log.set_applied(7, 1);
        log.trim(0, 250, 6);
        assert_eq!(log.bytes(), 2 * entry_bytes(&entry(7, 1, 4)), "somebody needs the next one");
        log.trim(0, 0, 6);
        assert_eq!(log.first_index().unwrap(), 8);
        assert_eq!(log.term(7).unwrap(), 1);
        assert!(matches!(log.term(6), Err(Error::Store(StorageError::Compacted))));
        assert!(log.entries(7, 9, None, GetEntriesContext::empty(false)).is_err());
        assert_eq!(log.tail().count(), 1);
        assert_eq!(log.entries_bytes, 4 + ENTRY_OVERHEAD_BYTES);
    }

    #[test]
    fn a_checkpoint_stands_where_the_log_was_applied() {
        let mut log = Log::founded(5, Membership::default());
        log.append(&[entry(6, 1, 4), entry(7, 3, 4)]);
        log.set_applied(6, 1);
        let snapshot = log.snapshot(0, 0).unwrap();
        assert_eq!((snapshot.get_metadata().index, snapshot.get_metadata().term), (6, 1));
    }
}
