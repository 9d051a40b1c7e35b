//! One subject's state, and the table of all subjects.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sterna_model::{Qos, Record, Seq, ShardId, Subject, SubjectId};

use crate::core::ShardSet;

/// Bound of [`SubjectState::overhead_bytes`] without the name.
pub(super) const OVERHEAD_BYTES_MAX: usize = 512;
const _: () = assert!(
    size_of::<Option<SubjectState>>() + 104 + 4 * ShardSet::SHARDS_MAX as usize <= OVERHEAD_BYTES_MAX
);

/// What the member knows of one subject.
#[derive(Debug)]
pub(super) struct SubjectState {
    pub(super) name: Subject,
    /// Whether the log knows the subject. One that only this member knows, because somebody subscribes to it, has no
    /// seqs yet.
    pub(super) is_born: bool,
    /// Seq from which the subject began here: what was before is forgotten.
    pub(super) floor: Seq,
    /// Seq of the last guaranteed message.
    pub(super) last: Seq,
    /// Guaranteed messages with contiguous seqs ending at `last`, or empty.
    pub(super) history: VecDeque<Arc<Record>>,
    /// Last retained message.
    pub(super) snapshot: Option<Arc<Record>>,
    /// Subscriptions per shard; none while there are none at all.
    interest: Option<Box<[u32]>>,
    /// Second at which the schedule looks at this subject again; 0 when it is not scheduled.
    pub(super) wakeup_s: u64,
    /// When the log last spoke of the subject, seconds of its time; decides when an empty one is forgotten.
    pub(super) used_s: u64,
}

impl SubjectState {
    fn new(name: Subject, floor: Seq) -> Self {
        Self {
            name,
            is_born: false,
            floor,
            last: floor,
            history: VecDeque::new(),
            snapshot: None,
            interest: None,
            wakeup_s: 0,
            used_s: 0,
        }
    }

    /// First seq still in history, or the one after the last if the history is empty.
    pub(super) fn first_available(&self) -> Seq {
        self.history.front().map_or(self.last.next(), |record| record.position.seq)
    }

    /// History from `seq` on; `seq` must not lie before the first available one.
    pub(super) fn history_from(&self, seq: Seq) -> impl Iterator<Item = &Arc<Record>> {
        let skip = seq.0.saturating_sub(self.first_available().0);
        self.history.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX))
    }

    /// Whether the snapshot is one of the messages in history (so its bytes are counted there).
    pub(super) fn snapshot_is_in_history(&self) -> bool {
        self.snapshot.as_ref().is_some_and(|snapshot| {
            snapshot.message.qos == Qos::Guaranteed && snapshot.position.seq >= self.first_available()
        })
    }

    /// Takes the oldest message out of history; returns the bytes that are no longer used.
    pub(super) fn pop_history(&mut self) -> usize {
        let record = self.history.pop_front().expect("the caller saw a message");
        let kept_as_snapshot = self.snapshot.as_ref().is_some_and(|snapshot| Arc::ptr_eq(snapshot, &record));
        if kept_as_snapshot { 0 } else { record.cost_bytes() }
    }

    /// Replaces the snapshot; returns the bytes that are no longer used.
    pub(super) fn set_snapshot(&mut self, snapshot: Option<Arc<Record>>) -> usize {
        let counted_in_history = self.snapshot_is_in_history();
        let before = std::mem::replace(&mut self.snapshot, snapshot);
        before.filter(|_| !counted_in_history).map_or(0, |record| record.cost_bytes())
    }

    pub(super) fn add_interest(&mut self, shard: ShardId, shards: u16) {
        let counts = self.interest.get_or_insert_with(|| vec![0; usize::from(shards)].into());
        counts[usize::from(shard.0)] += 1;
    }

    /// Ends one subscription of the shard.
    pub(super) fn remove_interest(&mut self, shard: ShardId) {
        let counts = self.interest.as_mut().expect("a release follows a subscription");
        let count = &mut counts[usize::from(shard.0)];
        *count = count.checked_sub(1).expect("a release follows a subscription");
        if counts.iter().all(|count| *count == 0) {
            self.interest = None;
        }
    }

    pub(super) fn has_interest(&self) -> bool {
        self.interest.is_some()
    }

    /// Shards with at least one subscription.
    pub(super) fn interested(&self) -> ShardSet {
        let mut set = ShardSet::default();
        for (shard, count) in (0..).map(ShardId).zip(self.interest.iter().flatten()) {
            if *count > 0 {
                set.insert(shard);
            }
        }
        set
    }

    /// Whether there are no messages.
    pub(super) fn is_empty(&self) -> bool {
        self.history.is_empty() && self.snapshot.is_none()
    }

    /// Takes all messages out; returns the bytes that are no longer used.
    pub(super) fn clear(&mut self) -> usize {
        let mut freed = self.set_snapshot(None);
        while !self.history.is_empty() {
            freed += self.pop_history();
        }
        freed
    }

    /// Bytes of the state itself, without records.
    pub(super) fn overhead_bytes(&self, shards: u16) -> usize {
        // State, name with its reference counts, entry of the hash table at its usual load and a small ring,
        // place in the schedule, interest of each shard.
        size_of::<Option<Self>>() + 16 + self.name.as_str().len() + 16 + 48 + 24 + 4 * usize::from(shards)
    }
}

/// Subjects in one chunk of the table.
const CHUNK: usize = 1024;

/// All subjects of a member, by number and by name. In chunks, so that growing never copies them all.
#[derive(Debug)]
pub(super) struct SubjectTable {
    chunks: Vec<Box<[Option<SubjectState>]>>,
    free: Vec<SubjectId>,
    names: HashMap<Subject, SubjectId, FixedState>,
}

impl SubjectTable {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            chunks: Vec::new(),
            free: Vec::new(),
            names: HashMap::with_hasher(FixedState::with_seed(seed)),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn find(&self, name: &str) -> Option<SubjectId> {
        self.names.get(name).copied()
    }

    /// Adds a subject that is not in the table.
    pub(super) fn insert(&mut self, name: Subject, floor: Seq) -> SubjectId {
        let state = SubjectState::new(name.clone(), floor);
        if self.free.is_empty() {
            let first = self.chunks.len() * CHUNK;
            let numbers = (first..first + CHUNK).rev();
            let id = |number| SubjectId(u32::try_from(number).expect("memory ends before the numbers do"));
            self.free.extend(numbers.map(id));
            self.chunks.push((0..CHUNK).map(|_| None).collect());
        }
        let id = self.free.pop().expect("just filled");
        *self.place(id).expect("its chunk exists") = Some(state);
        let before = self.names.insert(name, id);
        assert!(before.is_none(), "a subject has one number");
        id
    }

    /// Removes a subject; its number may be given to another one.
    pub(super) fn remove(&mut self, id: SubjectId) -> SubjectState {
        let state = self.place(id).and_then(Option::take).expect("only known subjects are removed");
        self.names.remove(&state.name);
        self.free.push(id);
        state
    }

    /// The first subject whose number is not below this one.
    pub(super) fn next_from(&self, id: SubjectId) -> Option<SubjectId> {
        let places = self.chunks.iter().skip(id.0 as usize / CHUNK).flatten();
        let start = id.0 as usize / CHUNK * CHUNK;
        let taken = places.enumerate().skip(id.0 as usize - start).find(|(_, place)| place.is_some());
        let number = |place| SubjectId(u32::try_from(place).expect("numbers are small"));
        taken.map(|(place, _)| number(start + place))
    }

    pub(super) fn get(&self, id: SubjectId) -> Option<&SubjectState> {
        self.chunks.get(id.0 as usize / CHUNK)?[id.0 as usize % CHUNK].as_ref()
    }

    pub(super) fn get_mut(&mut self, id: SubjectId) -> Option<&mut SubjectState> {
        self.place(id)?.as_mut()
    }

    fn place(&mut self, id: SubjectId) -> Option<&mut Option<SubjectState>> {
        Some(&mut self.chunks.get_mut(id.0 as usize / CHUNK)?[id.0 as usize % CHUNK])
    }
}
