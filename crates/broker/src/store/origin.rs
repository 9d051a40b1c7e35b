//! How far the batches of each incarnation have been applied.

use std::collections::BTreeMap;

use super::command::Origin;

/// Incarnations remembered. An incarnation that is forgotten has been silent while as many others were not; one that lives
/// says something before.
const ORIGINS_MAX: usize = 1024;

/// An incarnation's last batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) number: u64,
    /// Index of its command.
    pub(super) index: u64,
}

/// Part of the replicated state: the same on every member at the same index.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins(BTreeMap<Origin, Last>);

impl Origins {
    /// Number of the last batch of this incarnation that was applied, 0 for none.
    pub(super) fn last(&self, origin: Origin) -> u64 {
        self.0.get(&origin).map_or(0, |last| last.number)
    }

    /// Whether the incarnation has been silent while half as many others as are remembered were not.
    pub(super) fn is_ageing(&self, origin: Origin) -> bool {
        let own = self.0.get(&origin).map_or(u64::MAX, |last| last.index);
        self.0.len() > ORIGINS_MAX / 2
            && self.0.values().filter(|last| last.index > own).count() >= ORIGINS_MAX / 2
    }

    /// Takes a batch in; false if it was applied before, or one before it is missing.
    pub(super) fn take(&mut self, origin: Origin, number: u64, index: u64) -> bool {
        if number != self.last(origin) + 1 {
            return false;
        }
        self.put(origin, Last { number, index });
        if self.0.len() > ORIGINS_MAX {
            let oldest =
                self.0.iter().min_by_key(|(origin, last)| (last.index, **origin)).map(|(origin, _)| *origin);
            self.0.remove(&oldest.expect("not empty"));
        }
        true
    }

    pub(super) fn put(&mut self, origin: Origin, last: Last) {
        self.0.insert(origin, last);
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (Origin, Last)> {
        self.0.iter().map(|(origin, last)| (*origin, *last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_taken_once_and_in_order() {
        let mut origins = Origins::default();
        let taken = [1, 1, 3, 2, 2, 3].map(|number| origins.take(7, number, 100 + number));
        assert_eq!(taken, [true, false, false, true, false, true]);
        assert_eq!(origins.last(7), 3);
    }

    #[test]
    fn the_longest_silent_is_forgotten() {
        let mut origins = Origins::default();
        for index in 0..=ORIGINS_MAX as u64 {
            assert!(origins.take(Origin::from(5000 - index), 1, index));
        }
        assert_eq!((origins.last(5000), origins.last(4999)), (0, 1));
    }

    #[test]
    fn who_is_half_forgotten_is_told_and_whoever_speaks_is_not() {
        let mut origins = Origins::default();
        for index in 0..=ORIGINS_MAX as u64 / 2 {
            assert!(!origins.is_ageing(0), "at {index}");
            assert!(origins.take(Origin::from(index), 1, index));
        }
        assert!(origins.is_ageing(0) && !origins.is_ageing(1) && !origins.is_ageing(9_999));
        assert!(origins.take(0, 2, 9_999));
        assert!(!origins.is_ageing(0));
    }
}
