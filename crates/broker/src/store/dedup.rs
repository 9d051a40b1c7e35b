//! Which publishes of which publisher were accepted lately, so that a retry gets the first answer again.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sterna_model::limit::{PUBLISHER_ID_BYTES_MAX, PUBLISHER_WINDOW, PUBLISHERS_MAX};
use sterna_model::{Code, Position};

use super::budget::Budget;
use super::codec::RawStamp;

/// Bytes accounted for a publisher besides its name and its window.
const PUBLISHER_OVERHEAD_BYTES: usize = 128;
/// Bytes accounted for one remembered publish.
const REMEMBERED_BYTES: usize = size_of::<(u64, Position)>();

/// The recent publishes of one publisher.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// Publisher seq and position, ascending by seq.
    pub(super) recent: VecDeque<(u64, Position)>,
    /// Highest publisher seq that was dropped from `recent`.
    pub(super) dropped: Option<u64>,
}

impl Window {
    fn bytes(&self, name: &str) -> usize {
        PUBLISHER_OVERHEAD_BYTES + name.len() + self.recent.len() * REMEMBERED_BYTES
    }
}

type Windows = HashMap<Arc<str>, Arc<Window>, FixedState>;

/// The windows of all publishers, in two generations: a publisher is remembered for at least one generation
/// after its last publish, without a list of who was used when. Part of the replicated state, generations
/// included. Names and windows are shared, so that a copy for a state transfer costs little.
#[derive(Clone, Debug)]
pub(super) struct Publishers {
    current: Windows,
    previous: Windows,
    /// When the current generation began, in the time of the log.
    pub(super) rotated_at_ms: u64,
}

impl Publishers {
    /// Most bytes that remembering one more publish can cost.
    pub(super) const NEW_BYTES_MAX: usize =
        PUBLISHER_OVERHEAD_BYTES + PUBLISHER_ID_BYTES_MAX + REMEMBERED_BYTES;

    pub(super) fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed ^ 0x5eed);
        Self {
            current: HashMap::with_hasher(hasher.clone()),
            previous: HashMap::with_hasher(hasher),
            rotated_at_ms: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.current.len() + self.previous.len()
    }

    /// The position given to this publish before, if it was accepted before.
    ///
    /// # Errors
    /// `PublisherSequenceTooOld` if the window no longer reaches back that far.
    pub(super) fn find(&self, stamp: RawStamp<'_>) -> Result<Option<Position>, Code> {
        let Some(window) = self.window(stamp.publisher) else { return Ok(None) };
        if let Ok(place) = window.recent.binary_search_by_key(&stamp.seq, |(seq, _)| *seq) {
            return Ok(Some(window.recent[place].1));
        }
        match window.dropped {
            Some(dropped) if stamp.seq <= dropped => Err(Code::PublisherSequenceTooOld),
            _ => Ok(None),
        }
    }

    /// Whether a publish of this publisher can be remembered without forgetting one too early.
    pub(super) fn has_room(&self, publisher: &str) -> bool {
        self.len() < PUBLISHERS_MAX || self.window(publisher).is_some()
    }

    /// Remembers an accepted publish.
    pub(super) fn remember(&mut self, stamp: RawStamp<'_>, position: Position, budget: &mut Budget) {
        if let Some((name, window)) = self.previous.remove_entry(stamp.publisher) {
            self.current.insert(name, window);
        }
        if !self.current.contains_key(stamp.publisher) {
            budget.add(PUBLISHER_OVERHEAD_BYTES + stamp.publisher.len());
            self.current.insert(stamp.publisher.into(), Arc::default());
        }
        let window =
            Arc::make_mut(self.current.get_mut(stamp.publisher).expect("inserted if it was not there"));
        let place = window.recent.partition_point(|(seq, _)| *seq < stamp.seq);
        window.recent.insert(place, (stamp.seq, position));
        budget.add(REMEMBERED_BYTES);
        if window.recent.len() > PUBLISHER_WINDOW {
            let (dropped, _) = window.recent.pop_front().expect("longer than the window");
            window.dropped = window.dropped.max(Some(dropped));
            budget.remove(REMEMBERED_BYTES);
        }
    }

    /// Begins a generation: forgets publishers that were silent for the whole one before.
    pub(super) fn rotate(&mut self, now_ms: u64, budget: &mut Budget) {
        self.rotated_at_ms = now_ms;
        for (name, window) in self.previous.drain() {
            budget.remove(window.bytes(&name));
        }
        self.previous.shrink_to_fit();
        std::mem::swap(&mut self.current, &mut self.previous);
    }

    /// Every publisher with its window, and whether it was used in the current generation.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Window>, bool)> {
        let current = self.current.iter().map(|(name, window)| (name, window, true));
        current.chain(self.previous.iter().map(|(name, window)| (name, window, false)))
    }

    /// Puts a publisher in that another member remembers.
    pub(super) fn put(&mut self, name: &str, window: Window, is_current: bool) {
        let windows = if is_current { &mut self.current } else { &mut self.previous };
        windows.insert(name.into(), Arc::new(window));
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.current.clear();
        self.previous.clear();
        self.rotated_at_ms = 0;
    }

    /// Bytes accounted for all.
    pub(super) fn bytes(&self) -> usize {
        self.iter().map(|(name, window, _)| window.bytes(name)).sum()
    }

    fn window(&self, publisher: &str) -> Option<&Window> {
        self.current.get(publisher).or_else(|| self.previous.get(publisher)).map(Arc::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(publisher: &str, seq: u64) -> RawStamp<'_> {
        RawStamp { publisher, seq }
    }

    #[test]
    fn what_is_forgotten_is_no_longer_counted() {
        let mut publishers = Publishers::new(1);
        let mut budget = Budget::new(1_000_000);
        for seq in 0..2 * PUBLISHER_WINDOW as u64 {
            publishers.remember(stamp("a", seq), Position::new(7, seq), &mut budget);
            publishers.remember(stamp("b", 1000 - seq.min(999)), Position::new(7, seq), &mut budget);
        }
        let bytes_max = 2 * (Publishers::NEW_BYTES_MAX + PUBLISHER_WINDOW * REMEMBERED_BYTES);
        assert!((1..bytes_max).contains(&budget.used()), "{}", budget.used());
        publishers.rotate(11_000, &mut budget);
        publishers.remember(stamp("a", 5000), Position::new(7, 1), &mut budget);
        publishers.rotate(21_000, &mut budget);
        assert_eq!(publishers.len(), 1, "b was silent for a whole generation");
        assert_eq!(publishers.find(stamp("a", 1023)), Ok(Some(Position::new(7, 1023))));
        publishers.rotate(31_000, &mut budget);
        assert_eq!((publishers.len(), budget.used()), (0, 0));
    }

    #[test]
    fn the_highest_of_the_window_are_kept_in_whatever_order_they_come() {
        let mut publishers = Publishers::new(1);
        let mut budget = Budget::new(1_000_000);
        let window = PUBLISHER_WINDOW as u64;
        for seq in (1..=window + 1).rev() {
            assert_eq!(publishers.find(stamp("a", seq)), Ok(None));
            publishers.remember(stamp("a", seq), Position::new(7, seq), &mut budget);
        }
        assert_eq!(publishers.find(stamp("a", 1)), Err(Code::PublisherSequenceTooOld));
        assert_eq!(publishers.find(stamp("a", 2)), Ok(Some(Position::new(7, 2))));
        assert_eq!(publishers.find(stamp("a", window + 2)), Ok(None));
    }
}
