//! Who belongs to a lineage: the part of the replicated state that is the agreement's own.

use std::collections::{BTreeMap, BTreeSet};

use crate::identity::{NodeId, Nonce, Slot};
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
}

impl Membership {
    /// The founders of a lineage, each seed slot with its incarnation or a placeholder.
    #[must_use]
    pub fn founded(nonces: &BTreeMap<Slot, Nonce>, seeds: u16, index: u64) -> Self {
        let incarnations: BTreeMap<NodeId, Incarnation> = (0..seeds)
            .map(Slot)
            .map(|slot| (NodeId::founding(slot), Incarnation { slot, nonce: nonces.get(&slot).copied() }))
            .collect();
        let voters = incarnations.keys().copied().collect();
        Self { voters, incarnations, changed_at: index, ..Self::default() }
    }

    /// Whether two configurations of voters decide together.
    #[must_use]
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// The id of an incarnation.
    #[must_use]
    pub fn find(&self, slot: Slot, nonce: Nonce) -> Option<NodeId> {
        let wanted = Incarnation { slot, nonce: Some(nonce) };
        self.incarnations.iter().find(|(_, incarnation)| **incarnation == wanted).map(|(node, _)| *node)
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
            Change::Admit { slot, nonce } => {
                let known = next.find(slot, nonce).is_some();
                if self.is_joint() || known || next.incarnations.len() >= NODES_MAX {
                    return false;
                }
                let node = NodeId::admitted(index);
                next.learners.insert(node);
                next.incarnations.insert(node, Incarnation { slot, nonce: Some(nonce) });
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
        known && apart && counted && sized && one_each
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Membership {
        let nonces = BTreeMap::from([(Slot(0), Nonce(10)), (Slot(2), Nonce(12))]);
        Membership::founded(&nonces, 3, 7)
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
        assert!(membership.apply(Change::Admit { slot: Slot(1), nonce: Nonce(11) }, 9));
        let (old, new) = (NodeId(2), NodeId(1009));
        assert_eq!(membership.find(Slot(1), Nonce(11)), Some(new));
        assert!(membership.apply(Change::Replace { old, new }, 10));
        assert!(membership.is_joint() && membership.is_sound());
        assert_eq!((membership.voters.len(), membership.outgoing.len()), (3, 3));
        assert!(!membership.apply(Change::Admit { slot: Slot(4), nonce: Nonce(14) }, 11), "one at a time");
        assert!(membership.apply(Change::Settle, 12));
        assert!(membership.is_sound());
        assert_eq!(membership.voters, BTreeSet::from([NodeId(1), new, NodeId(3)]));
        assert_eq!(membership.slot_of(old), None);
        assert_eq!(membership.changed_at, 12);
    }

    #[test]
    fn changes_that_do_not_fit_change_nothing() {
        let mut membership = three();
        membership.apply(Change::Admit { slot: Slot(1), nonce: Nonce(11) }, 9);
        let before = membership.clone();
        let unfit = [
            Change::Settle,
            Change::Dismiss { node: NodeId(1) },
            Change::Admit { slot: Slot(1), nonce: Nonce(11) },
            Change::Replace { old: NodeId(1), new: NodeId(1009) },
            Change::Replace { old: NodeId(1009), new: NodeId(1009) },
            Change::Replace { old: NodeId(2), new: NodeId(3) },
        ];
        for change in unfit {
            assert!(!membership.apply(change, 20), "{change:?}");
            assert_eq!(membership, before);
        }
    }

    #[test]
    fn unsound_memberships_are_recognised() {
        let sound = three();
        let mut both = sound.clone();
        both.learners.insert(NodeId(1));
        let mut unknown = sound.clone();
        unknown.voters.insert(NodeId(9));
        let mut twice = sound.clone();
        twice.incarnations.insert(NodeId(2), Incarnation { slot: Slot(0), nonce: None });
        let mut spare = sound;
        spare.incarnations.insert(NodeId(9), Incarnation { slot: Slot(4), nonce: None });
        for unsound in [Membership::default(), both, unknown, twice, spare] {
            assert!(!unsound.is_sound(), "{unsound:?}");
        }
    }
}
