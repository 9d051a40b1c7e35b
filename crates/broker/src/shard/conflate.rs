//! Conflation: at most the newest message of a subject per interval, for each subscription that asked for it.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sterna_model::SubjectId;

/// A conflated subscription: place of the connection, and the subject.
type Key = (u32, SubjectId);

/// What became of an offered item.
#[derive(Debug, PartialEq, Eq)]
pub enum Offer<T> {
    /// Send it now.
    Now(T),
    /// It waits for the end of the interval.
    Held {
        /// In the place of an item that waited before, and is never sent.
        replaced: bool,
    },
}

#[derive(Debug)]
struct Slot<T> {
    interval_ms: u32,
    /// Before this time nothing is sent.
    next_at_ms: u64,
    waiting: Option<T>,
}

/// The conflated subscriptions of a shard. `T` is what waits: one item per subscription at most.
#[derive(Debug)]
pub struct Conflation<T> {
    slots: HashMap<Key, Slot<T>, FixedState>,
    due: BTreeMap<u64, Vec<Key>>,
}

impl<T> Conflation<T> {
    /// No subscriptions. `seed` randomises the table.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { slots: HashMap::with_hasher(FixedState::with_seed(seed)), due: BTreeMap::new() }
    }

    /// Offers the newest item of a subscription. `can_send` is false while the connection's queue is full:
    /// then the item waits as well.
    pub fn offer(
        &mut self,
        now_ms: u64,
        connection: u32,
        subject: SubjectId,
        interval_ms: u32,
        can_send: bool,
        item: T,
    ) -> Offer<T> {
        let slot = self.slots.entry((connection, subject)).or_insert(Slot {
            interval_ms,
            next_at_ms: 0,
            waiting: None,
        });
        slot.interval_ms = interval_ms;
        if can_send && slot.waiting.is_none() && slot.next_at_ms <= now_ms {
            slot.next_at_ms = now_ms + u64::from(interval_ms);
            return Offer::Now(item);
        }
        let replaced = slot.waiting.replace(item).is_some();
        if !replaced {
            slot.next_at_ms = slot.next_at_ms.max(now_ms + u64::from(!can_send) * u64::from(interval_ms));
            self.due.entry(slot.next_at_ms).or_default().push((connection, subject));
        }
        Offer::Held { replaced }
    }

    /// Forgets a subscription and what waits for it.
    pub fn forget(&mut self, connection: u32, subject: SubjectId) {
        self.slots.remove(&(connection, subject));
    }

    /// When something is due next.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<u64> {
        self.due.first_key_value().map(|(at_ms, _)| *at_ms)
    }

    /// Takes out one item that is due; `can_send` says whether the connection's queue has room (if not, the
    /// item waits another interval).
    pub fn pop_due(&mut self, now_ms: u64, can_send: impl Fn(u32) -> bool) -> Option<(u32, SubjectId, T)> {
        loop {
            let mut first = self.due.first_entry().filter(|entry| *entry.key() <= now_ms)?;
            let at_ms = *first.key();
            let Some(key) = first.get_mut().pop() else {
                first.remove();
                continue;
            };
            // A slot that was forgotten (and perhaps begun anew) has another due time or nothing waiting.
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            if slot.next_at_ms != at_ms || slot.waiting.is_none() {
                continue;
            }
            slot.next_at_ms = now_ms + u64::from(slot.interval_ms.max(1));
            if can_send(key.0) {
                let item = slot.waiting.take().expect("checked above");
                return Some((key.0, key.1, item));
            }
            self.due.entry(slot.next_at_ms).or_default().push(key);
        }
    }

    /// Bytes accounted for the table (not for what waits).
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.slots.allocation_size() + self.due.len() * 64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: SubjectId = SubjectId(7);

    #[test]
    fn only_the_newest_of_an_interval_is_sent() {
        let mut conflation = Conflation::new(1);
        assert_eq!(conflation.offer(1000, 1, S, 100, true, "a"), Offer::Now("a"));
        assert_eq!(conflation.offer(1010, 1, S, 100, true, "b"), Offer::Held { replaced: false });
        assert_eq!(conflation.offer(1020, 1, S, 100, true, "c"), Offer::Held { replaced: true });
        assert_eq!(conflation.next_due_ms(), Some(1100));
        assert_eq!(conflation.pop_due(1099, |_| true), None);
        assert_eq!(conflation.pop_due(1100, |_| true), Some((1, S, "c")));
        assert_eq!(conflation.pop_due(1100, |_| true), None);
        assert_eq!(conflation.offer(1150, 1, S, 100, true, "d"), Offer::Held { replaced: false });
        assert_eq!(conflation.pop_due(1200, |_| true), Some((1, S, "d")));
        assert_eq!(conflation.offer(1500, 1, S, 100, true, "e"), Offer::Now("e"));
    }

    #[test]
    fn a_full_queue_makes_the_newest_wait() {
        let mut conflation = Conflation::new(1);
        assert_eq!(conflation.offer(1000, 1, S, 100, false, "a"), Offer::Held { replaced: false });
        assert_eq!(conflation.pop_due(1100, |_| false), None);
        assert_eq!(
            conflation.offer(1110, 1, S, 100, true, "b"),
            Offer::Held { replaced: true },
            "order: a waits, so b replaces it"
        );
        assert_eq!(conflation.pop_due(1200, |_| true), Some((1, S, "b")));
    }

    #[test]
    fn a_forgotten_subscription_sends_nothing() {
        let mut conflation = Conflation::new(1);
        conflation.offer(1000, 1, S, 100, true, "a");
        conflation.offer(1001, 1, S, 100, true, "b");
        conflation.forget(1, S);
        assert_eq!(conflation.pop_due(2000, |_| true), None);
        assert_eq!(conflation.next_due_ms(), None);
    }

    proptest::proptest! {
        /// Whatever is offered when: at most one item per interval and subscription, in order, and the newest
        /// one arrives in the end.
        #[test]
        fn sent_in_order_apart_and_to_the_end(
            offers in proptest::collection::vec((0..60_u64, 0..3_u32, 0..4_u8, 0..4_u8), 1..60),
        ) {
            const INTERVALS_MS: [u32; 3] = [1, 50, 100];
            let mut conflation = Conflation::new(1);
            let mut sent = [const { Vec::new() }; 3];
            let mut newest = [None; 3];
            let mut now_ms = 1000;
            for (item, (wait_ms, connection, full, late)) in offers.into_iter().enumerate() {
                for _ in 0..wait_ms {
                    now_ms += 1;
                    // Now and then the shard looks too late.
                    while late != 0
                        && let Some((connection, _, item)) = conflation.pop_due(now_ms, |_| full != 0) {
                        sent[connection as usize].push((now_ms, item));
                    }
                }
                let interval_ms = INTERVALS_MS[connection as usize];
                newest[connection as usize] = Some(item);
                if let Offer::Now(item) = conflation.offer(now_ms, connection, S, interval_ms, full != 0, item) {
                    sent[connection as usize].push((now_ms, item));
                }
            }
            while let Some(due_ms) = conflation.next_due_ms() {
                now_ms = now_ms.max(due_ms);
                while let Some((connection, _, item)) = conflation.pop_due(now_ms, |_| true) {
                    sent[connection as usize].push((now_ms, item));
                }
            }
            for ((sent, newest), interval_ms) in sent.iter().zip(newest).zip(INTERVALS_MS) {
                let apart = |pair: &[(u64, usize)]| {
                    pair[0].1 < pair[1].1 && pair[0].0 + u64::from(interval_ms) <= pair[1].0
                };
                proptest::prop_assert!(sent.windows(2).all(apart), "{sent:?}");
                proptest::prop_assert_eq!(sent.last().map(|(_, item)| *item), newest);
            }
        }
    }
}
