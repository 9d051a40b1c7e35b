//! Which publishes of which publisher were accepted lately, so that a retry gets the first answer again.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sterna_model::limit::{PUBLISHER_ID_BYTES_MAX, PUBLISHER_WINDOW, PUBLISHERS_MAX};
use sterna_model::{Code, Position, PublisherStamp};

use super::budget::Budget;

/// Bytes accounted for a publisher besides its name and its window.
const PUBLISHER_OVERHEAD_BYTES: usize = 128;
/// Bytes accounted for one remembered publish.
const REMEMBERED_BYTES: usize = size_of::<(u64, Position)>();

/// The recent publishes of one publisher.
#[derive(Debug, Default)]
struct Window {
    /// Publisher seq and position, ascending by seq.
    recent: VecDeque<(u64, Position)>,
    /// Highest publisher seq that was dropped from `recent`.
    dropped: Option<u64>,
}

/// The windows of all publishers, in two generations: a publisher is remembered for at least one generation
/// after its last publish, without a list of who was used when.
#[derive(Debug)]
pub(super) struct Publishers {
    current: HashMap<Box<str>, Window, FixedState>,
    previous: HashMap<Box<str>, Window, FixedState>,
    generation_ms: u64,
    rotated_at_ms: u64,
}

impl Publishers {
    /// Most bytes that remembering one more publish can cost.
    pub(super) const NEW_BYTES_MAX: usize =
        PUBLISHER_OVERHEAD_BYTES + PUBLISHER_ID_BYTES_MAX + REMEMBERED_BYTES;

    pub(super) fn new(seed: u64, generation_ms: u64) -> Self {
        let hasher = FixedState::with_seed(seed ^ 0x5eed);
        Self {
            current: HashMap::with_hasher(hasher.clone()),
            previous: HashMap::with_hasher(hasher),
            generation_ms: generation_ms.max(1000),
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
    pub(super) fn find(&self, stamp: &PublisherStamp) -> Result<Option<Position>, Code> {
        let Some(window) = self.window(&stamp.publisher) else { return Ok(None) };
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
    pub(super) fn remember(&mut self, stamp: PublisherStamp, position: Position, budget: &mut Budget) {
        if let Some(window) = self.previous.remove(&stamp.publisher) {
            self.current.insert(stamp.publisher.clone(), window);
        }
        let name_bytes = stamp.publisher.len();
        let window = self.current.entry(stamp.publisher).or_insert_with(|| {
            budget.add(PUBLISHER_OVERHEAD_BYTES + name_bytes);
            Window::default()
        });
        let place = window.recent.partition_point(|(seq, _)| *seq < stamp.seq);
        window.recent.insert(place, (stamp.seq, position));
        budget.add(REMEMBERED_BYTES);
        if window.recent.len() > PUBLISHER_WINDOW {
            let (dropped, _) = window.recent.pop_front().expect("longer than the window");
            window.dropped = window.dropped.max(Some(dropped));
            budget.remove(REMEMBERED_BYTES);
        }
    }

    /// Forgets publishers that were silent for a whole generation.
    pub(super) fn on_timer(&mut self, now_ms: u64, budget: &mut Budget) {
        if self.rotated_at_ms == 0 {
            self.rotated_at_ms = now_ms;
        }
        if now_ms.saturating_sub(self.rotated_at_ms) < self.generation_ms {
            return;
        }
        self.rotated_at_ms = now_ms;
        for (name, window) in self.previous.drain() {
            budget.remove(PUBLISHER_OVERHEAD_BYTES + name.len() + window.recent.len() * REMEMBERED_BYTES);
        }
        self.previous.shrink_to_fit();
        std::mem::swap(&mut self.current, &mut self.previous);
    }

    fn window(&self, publisher: &str) -> Option<&Window> {
        self.current.get(publisher).or_else(|| self.previous.get(publisher))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(publisher: &str, seq: u64) -> PublisherStamp {
        PublisherStamp { publisher: publisher.into(), seq }
    }

    #[test]
    fn what_is_forgotten_is_no_longer_counted() {
        let mut publishers = Publishers::new(1, 10_000);
        let mut budget = Budget::new(1_000_000);
        publishers.on_timer(1_000, &mut budget);
        for seq in 0..2 * PUBLISHER_WINDOW as u64 {
            publishers.remember(stamp("a", seq), Position::new(7, seq), &mut budget);
            publishers.remember(stamp("b", 1000 - seq.min(999)), Position::new(7, seq), &mut budget);
        }
        let bytes_max = 2 * (Publishers::NEW_BYTES_MAX + PUBLISHER_WINDOW * REMEMBERED_BYTES);
        assert!((1..bytes_max).contains(&budget.used()), "{}", budget.used());
        publishers.on_timer(11_000, &mut budget);
        publishers.remember(stamp("a", 5000), Position::new(7, 1), &mut budget);
        publishers.on_timer(21_000, &mut budget);
        assert_eq!(publishers.len(), 1, "b was silent for a whole generation");
        assert_eq!(publishers.find(&stamp("a", 1023)), Ok(Some(Position::new(7, 1023))));
        publishers.on_timer(31_000, &mut budget);
        assert_eq!((publishers.len(), budget.used()), (0, 0));
    }

    #[test]
    fn the_highest_of_the_window_are_kept_in_whatever_order_they_come() {
        let mut publishers = Publishers::new(1, 10_000);
        let mut budget = Budget::new(1_000_000);
        let window = PUBLISHER_WINDOW as u64;
        for seq in (1..=window + 1).rev() {
            assert_eq!(publishers.find(&stamp("a", seq)), Ok(None));
            publishers.remember(stamp("a", seq), Position::new(7, seq), &mut budget);
        }
        assert_eq!(publishers.find(&stamp("a", 1)), Err(Code::PublisherSequenceTooOld));
        assert_eq!(publishers.find(&stamp("a", 2)), Ok(Some(Position::new(7, 2))));
        assert_eq!(publishers.find(&stamp("a", window + 2)), Ok(None));
    }

    #[test]
    fn a_clock_that_goes_back_forgets_nothing_early() {
        let mut publishers = Publishers::new(1, 10_000);
        let mut budget = Budget::new(1_000_000);
        publishers.on_timer(100_000, &mut budget);
        publishers.remember(stamp("a", 1), Position::new(7, 1), &mut budget);
        for now_ms in [50_000, 60_000, 70_000] {
            publishers.on_timer(now_ms, &mut budget);
        }
        assert_eq!(publishers.find(&stamp("a", 1)), Ok(Some(Position::new(7, 1))));
    }
}
