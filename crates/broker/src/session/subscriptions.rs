//! The subscriptions of one session: a short list for most, an index beside it for those with many.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sterna_model::SubjectId;

/// Up to this many are searched one by one.
const SCANNED_MAX: usize = 16;

/// One subscription: the subject, and the session's place in its audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Subject.
    pub subject: SubjectId,
    /// Place in the audience.
    pub place: u32,
}

/// The subscriptions of one session.
#[derive(Debug, Default)]
pub struct Subscriptions {
    list: Vec<Subscription>,
    /// Where each subject is in the list, once there are many. Keyed by our own numbers: no need of a seed.
    index: Option<Box<HashMap<SubjectId, u32, FixedState>>>,
}

impl Subscriptions {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Subscription> {
        self.list.iter().copied()
    }

    /// The subscription to a subject.
    #[must_use]
    pub fn find(&self, subject: SubjectId) -> Option<Subscription> {
        self.position(subject).map(|at| self.list[at])
    }

    pub(crate) fn insert(&mut self, subscription: Subscription) {
        if self.list.is_empty() {
            // One subscription is the most common case; do not reserve room for four.
            self.list.reserve_exact(1);
        }
        let at = u32::try_from(self.list.len()).expect("bounded by subscriptions_max");
        self.list.push(subscription);
        if let Some(index) = &mut self.index {
            index.insert(subscription.subject, at);
        } else if self.list.len() > SCANNED_MAX {
            self.index = Some(Box::new((0..).zip(&self.list).map(|(at, s)| (s.subject, at)).collect()));
        }
    }

    pub(crate) fn remove(&mut self, subject: SubjectId) -> Option<Subscription> {
        let at = self.position(subject)?;
        let removed = self.list.swap_remove(at);
        if let Some(index) = &mut self.index {
            index.remove(&subject);
            if let Some(moved) = self.list.get(at) {
                index.insert(moved.subject, u32::try_from(at).expect("was a valid place"));
            }
        }
        Some(removed)
    }

    /// Notes the session's new place in the audience of a subject.
    pub(crate) fn move_to(&mut self, subject: SubjectId, place: u32) {
        let at = self.position(subject).expect("the audience says that there is a subscription");
        self.list[at].place = place;
    }

    pub(super) fn held_bytes(&self) -> usize {
        let index = self.index.as_ref().map_or(0, |index| index.allocation_size() + size_of_val(&**index));
        self.list.capacity() * size_of::<Subscription>() + index
    }

    fn position(&self, subject: SubjectId) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(&subject).map(|at| *at as usize),
            None => self.list.iter().position(|subscription| subscription.subject == subject),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Grows over the bound of the scan and shrinks again, removing from the middle, the front and the back.
    #[test]
    fn few_and_many_are_found_alike() {
        let mut subscriptions = Subscriptions::default();
        let mut expected = BTreeMap::new();
        for round in 0..3_u32 {
            for number in 0..40 {
                let subject = SubjectId(number * 7 + round);
                subscriptions.insert(Subscription { subject, place: number });
                expected.insert(subject, number);
            }
            for number in [20, 0, 39, 1, 38, 5] {
                let subject = SubjectId(number * 7 + round);
                subscriptions.move_to(subject, 100);
                assert_eq!(subscriptions.remove(subject), Some(Subscription { subject, place: 100 }));
                assert_eq!(subscriptions.remove(subject), None);
                expected.remove(&subject);
            }
            for (subject, place) in &expected {
                let subscription = Subscription { subject: *subject, place: *place };
                assert_eq!(subscriptions.find(*subject), Some(subscription));
            }
            assert_eq!(subscriptions.len(), expected.len());
        }
        for subject in expected.keys() {
            assert!(subscriptions.remove(*subject).is_some());
        }
        assert!(subscriptions.is_empty());
    }
}
