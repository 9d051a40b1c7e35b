//! Who belongs to a lineage: the part of the replicated state that is the agreement's own.

use std::collections::{BTreeMap, BTreeSet};

use crate::identity::{Level, NodeId, Nonce, Slot};
use crate::limit::{NODES_MAX, SEEDS_MAX};

/// Voters, learners, and whose they are. Changed by applying entries only, so it is the same on every member at the
/// same index.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Membership {
    /// One id for each seed slot.
    pub voters: BTreeSet<NodeId>,
    /// The voters before a replacement that is under way, or none.
    pub outgoing: BTreeSet<NodeId>,
    /// All others.
    pub learners: BTreeSet<NodeId>,
    /// Whose the ids are.
    pub incarnations: BTreeMap<NodeId, Incarnation>,
    /// How entries are applied; 0 where nothing is known yet.
    pub level: Level,
    /// Index of the entry that changed it last.
    pub changed_at: u64,
}

/// Whose an id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incarnation {
    /// The slot.
    pub slot: Slot,
    /// The incarnation; none is a placeholder that nobody may use.
    pub nonce: Option<Nonce>,
    /// The highest level that it knows; 0 of a placeholder.
    pub level_max: Level,
}

/// A change of members. Each is one entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new incarnation becomes a learner; its id follows from the index of the entry.
    Admit {
        /// Its slot.
        slot: Slot,
        /// The incarnation.
        nonce: Nonce,
        /// The highest level that it knows.
        level_max: Level,
    },
    /// A learner goes.
    Dismiss {
        /// Its id.
        node: NodeId,
    },
    /// A learner takes the place of the voter of its slot: the joint configuration begins.
    Replace {
        /// The voter.
        old: NodeId,
        /// The learner.
        new: NodeId,
    },
    /// The joint configuration ends.
    Settle,
    /// What follows is applied at another level, which all voters know. Learners that do not know it go.
    Raise {
        /// A higher one.
        level: Level,
    },
}

impl Membership {
    /// The founders of a lineage, each seed slot with its incarnation or a placeholder.
    #[must_use]
    pub fn founded(founders: &BTreeMap<Slot, (Nonce, Level)>, seeds: u16, level: Level, index: u64) -> Self {
        let seat = |slot: Slot| match founders.get(&slot) {
            Some((nonce, level_max)) => Incarnation { slot, nonce: Some(*nonce), level_max: *level_max },
            None => Incarnation { slot, nonce: None, level_max: Level::default() },
        };
        let incarnations: BTreeMap<NodeId, Incarnation> =
            (0..seeds).map(Slot).map(|slot| (NodeId::founding(slot), seat(slot))).collect();
        let voters = incarnations.keys().copied().collect();
        Self { voters, incarnations, level, changed_at: index, ..Self::default() }
    }

    /// The highest level that all of these know, placeholders apart.
    #[must_use]
    pub fn level_known<'a>(&'a self, nodes: impl Iterator<Item = &'a NodeId>) -> Level {
        let somebody = nodes.filter_map(|node| self.incarnations.get(node)).filter(|one| one.nonce.is_some());
        somebody.map(|one| one.level_max).min().unwrap_or(self.level)
    }

    /// Whether two configurations of voters decide together.
    #[must_use]
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// The id of an incarnation.
    #[must_use]
    pub fn find(&self, slot: Slot, nonce: Nonce) -> Option<NodeId> {
        let is_it = |one: &Incarnation| one.slot == slot && one.nonce == Some(nonce);
        self.incarnations.iter().find(|(_, one)| is_it(one)).map(|(node, _)| *node)
    }

    /// The slot of an id.
    #[must_use]
    pub fn slot_of(&self, node: NodeId) -> Option<Slot> {
        self.incarnations.get(&node).map(|incarnation| incarnation.slot)
    }

    /// The voter that stands for a seed slot.
    #[must_use]
    pub fn voter_of(&self, slot: Slot) -> Option<NodeId> {
        self.voters.iter().copied().find(|node| self.slot_of(*node) == Some(slot))
    }

    /// A learner of the slot that is not `nonce`: an incarnation that is gone.
    #[must_use]
    pub fn stale_learner(&self, slot: Slot, nonce: Nonce) -> Option<NodeId> {
        let gone = |node: &&NodeId| {
            self.incarnations.get(*node).is_some_and(|one| one.slot == slot && one.nonce != Some(nonce))
        };
        self.learners.iter().find(gone).copied()
    }

    /// Pairs of slot and voter, for a stance.
    #[must_use]
    pub fn by_slot(&self, nodes: &BTreeSet<NodeId>) -> Vec<(Slot, NodeId)> {
        nodes.iter().filter_map(|node| Some((self.slot_of(*node)?, *node))).collect()
    }

    /// Applies the entry at `index`. False: the change does not fit, and nothing was changed; every member finds
    /// the same, because it depends on the log alone.
    pub fn apply(&mut self, change: Change, index: u64) -> bool {
        let mut next = self.clone();
        match change {
            Change::Admit { slot, nonce, level_max } => {
                let known = next.find(slot, nonce).is_some();
                let is_full = next.incarnations.len() >= NODES_MAX;
                if self.is_joint() || known || is_full || level_max < self.level {
                    return false;
                }
                let node = NodeId::admitted(index);
                next.learners.insert(node);
                next.incarnations.insert(node, Incarnation { slot, nonce: Some(nonce), level_max });
            }
            Change::Dismiss { node } => {
                if self.is_joint() || !next.learners.remove(&node) {
                    return false;
                }
                next.incarnations.remove(&node);
            }
            Change::Replace { old, new } => {
                let same_slot = self.slot_of(old) == self.slot_of(new);
                if self.is_joint() || !self.learners.contains(&new) || !same_slot {
                    return false;
                }
                next.outgoing = next.voters.clone();
                if !next.voters.remove(&old) {
                    return false;
                }
                next.learners.remove(&new);
                next.voters.insert(new);
            }
            Change::Settle => {
                if !self.is_joint() {
                    return false;
                }
                for gone in self.outgoing.difference(&self.voters) {
                    next.incarnations.remove(gone);
                }
                next.outgoing.clear();
            }
            Change::Raise { level } => {
                if self.is_joint() || level <= self.level || level > self.level_known(self.voters.iter()) {
                    return false;
                }
                next.level = level;
                next.learners.retain(|node| self.incarnations[node].level_max >= level);
                next.incarnations
                    .retain(|node, _| next.voters.contains(node) || next.learners.contains(node));
            }
        }
        next.changed_at = index;
        *self = next;
        true
    }

    /// Whether it can be one that a leader sent: all that the raft takes for granted.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let ids = self.voters.union(&self.outgoing).chain(&self.learners);
        let known = ids.clone().all(|node| *node != NodeId::NONE && self.incarnations.contains_key(node));
        let apart = self.learners.is_disjoint(&self.voters) && self.learners.is_disjoint(&self.outgoing);
        let counted = self.incarnations.len() <= NODES_MAX
            && self.incarnations.len() == ids.collect::<BTreeSet<_>>().len();
        let halves = [&self.voters, &self.outgoing];
        let sized = !self.voters.is_empty()
            && self.voters.len() <= usize::from(SEEDS_MAX)
            && (self.outgoing.is_empty() || self.outgoing.len() == self.voters.len());
        let one_each = halves.iter().all(|half| {
            let slots: BTreeSet<_> = half.iter().filter_map(|node| self.slot_of(*node)).collect();
            slots.len() == half.len()
        });
        let levels = self.level >= Level::FIRST && self.level <= self.level_known(self.incarnations.keys());
        known && apart && counted && sized && one_each && levels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Membership {
        let founders = [(0, 10), (2, 12)].map(|(slot, nonce)| (Slot(slot), (Nonce(nonce), Level(3))));
        Membership::founded(&BTreeMap::from(founders), 3, Level(2), 7)
    }

    /// The incarnation in the slot with this number.
    fn admit(slot: u16, level_max: Level) -> Change {
        Change::Admit { slot: Slot(slot), nonce: Nonce(u128::from(slot) + 10), level_max }
    }

    #[test]
    fn founding_gives_each_seed_slot_an_id_and_nobody_may_use_a_placeholder() {
        let membership = three();
        assert!(membership.is_sound());
        assert_eq!(membership.voters.len(), 3);
        assert_eq!(membership.find(Slot(0), Nonce(10)), Some(NodeId(1)));
        assert_eq!(membership.incarnations[&NodeId(2)].nonce, None);
    }

    #[test]
    fn a_replacement_goes_through_learner_and_joint_configuration() {
        let mut membership = three();
        assert!(membership.apply(admit(1, Level(3)), 9));
        let (old, new) = (NodeId(2), NodeId(1009));
        assert_eq!(membership.find(Slot(1), Nonce(11)), Some(new));
        assert!(membership.apply(Change::Replace { old, new }, 10));
        assert!(membership.is_joint() && membership.is_sound());
        assert_eq!((membership.voters.len(), membership.outgoing.len()), (3, 3));
        assert!(!membership.apply(admit(4, Level(3)), 11), "one at a time");
        assert!(!membership.apply(Change::Raise { level: Level(3) }, 11), "one at a time");
        assert!(membership.apply(Change::Settle, 12));
        assert!(membership.is_sound());
        assert_eq!(membership.voters, BTreeSet::from([NodeId(1), new, NodeId(3)]));
        assert_eq!(membership.slot_of(old), None);
        assert_eq!(membership.changed_at, 12);
    }

    #[test]
    fn changes_that_do_not_fit_change_nothing() {
        let mut membership = three();
        membership.apply(admit(1, Level(2)), 9);
        let before = membership.clone();
        let unfit = [
            Change::Settle,
            Change::Dismiss { node: NodeId(1) },
            admit(1, Level(2)),
            Change::Replace { old: NodeId(1), new: NodeId(1009) },
            Change::Replace { old: NodeId(1009), new: NodeId(1009) },
            Change::Replace { old: NodeId(2), new: NodeId(3) },
            admit(4, Level(1)),
            Change::Raise { level: Level(2) },
            Change::Raise { level: Level(4) },
        ];
        for change in unfit {
            assert!(!membership.apply(change, 20), "{change:?}");
            assert_eq!(membership, before);
        }
    }

    #[test]
    fn the_level_rises_as_far_as_all_voters_know_and_is_then_asked_of_learners() {
        let mut membership = three();
        membership.apply(admit(1, Level(4)), 8);
        membership.apply(admit(5, Level(2)), 9);
        let voters = membership.level_known(membership.voters.iter());
        assert_eq!(voters, Level(3), "a placeholder knows nothing and needs not");
        assert!(!membership.apply(Change::Raise { level: Level(4) }, 10));
        assert!(membership.apply(Change::Raise { level: Level(3) }, 10) && membership.is_sound());
        assert_eq!((membership.level, membership.changed_at), (Level(3), 10));
        assert_eq!(membership.find(Slot(5), Nonce(15)), None);
        assert!(!membership.apply(admit(4, Level(2)), 11));
        assert!(membership.apply(admit(4, Level(3)), 11));
    }

    #[test]
    fn unsound_memberships_are_recognised() {
        let sound = three();
        let mut both = sound.clone();
        both.learners.insert(NodeId(1));
        let mut unknown = sound.clone();
        unknown.voters.insert(NodeId(9));
        let mut twice = sound.clone();
        twice.incarnations.insert(NodeId(2), Incarnation { slot: Slot(0), ..sound.incarnations[&NodeId(2)] });
        let mut spare = sound.clone();
        spare.incarnations.insert(NodeId(9), Incarnation { slot: Slot(4), ..sound.incarnations[&NodeId(2)] });
        let too_high = Membership { level: Level(4), ..sound };
        for unsound in [Membership::default(), both, unknown, twice, spare, too_high] {
            assert!(!unsound.is_sound(), "{unsound:?}");
        }
    }
}
