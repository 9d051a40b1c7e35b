//! The rule of formation: when may a lineage be formed? docs/adr/2026-11-22-replication.md has the proof.

use std::collections::BTreeMap;

use crate::frame::Stance;
use crate::identity::{Lineage, NodeId, Rank, Slot};

/// What is to be thought of the stances of all members that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Fewer than a majority of the seed slots answered.
    TooFew,
    /// The newest lineage among the copies may still have, or get, a majority: among those that answered, or with
    /// those that did not.
    MayLive,
    /// That lineage has lost its majority for good. If anything that was committed in it can be kept, the best copy
    /// has it.
    Lost,
}

/// Judges stances, of seeds and others, taken while all of them stood still.
///
/// Let L be the newest lineage of a copy, and its *holders* the seeds with a copy of L. Every entry that was committed
/// in L is held by a majority of the slots: by their incarnations then, or, if those were replaced, by what the present
/// ones were given before they were admitted. So
///
/// - if the holders are a majority, the best copy has every committed entry;
/// - if the holders and the slots that did not answer together are no majority, a majority of the incarnations that
///   could have voted in L are dead, and the promise of guaranteed delivery ends there;
/// - otherwise those that did not answer may hold what the holders do not: wait.
///
/// In the first case L may yet be able to elect a leader, and then a new lineage would be needless: see `may_elect`.
#[must_use]
pub fn judge(seeds: u16, stances: &BTreeMap<Slot, Stance>) -> Verdict {
    let majority = usize::from(seeds) / 2 + 1;
    let heard: BTreeMap<Slot, &Stance> =
        stances.iter().filter(|(slot, _)| slot.0 < seeds).map(|(slot, stance)| (*slot, stance)).collect();
    if heard.len() < majority {
        return Verdict::TooFew;
    }
    let Some(best) = best_copy(stances) else { return Verdict::Lost };
    let newest = best.1.lineage;
    let holders =
        heard.values().filter(|stance| stance.copy.is_some_and(|rank| rank.lineage == newest)).count();
    let hidden = usize::from(seeds) - heard.len();
    if holders + hidden < majority {
        return Verdict::Lost;
    }
    if holders < majority || may_elect(newest, &heard) { Verdict::MayLive } else { Verdict::Lost }
}

/// The most advanced copy, and who has it; the lowest slot if several are equal.
#[must_use]
pub fn best_copy(stances: &BTreeMap<Slot, Stance>) -> Option<(Slot, Rank)> {
    let copies = stances.iter().filter_map(|(slot, stance)| Some((*slot, stance.copy?)));
    copies.max_by_key(|(slot, rank)| (*rank, std::cmp::Reverse(*slot)))
}

/// Whether the voters that some member of the lineage knows could elect a leader: those that answered and are still
/// free to vote there, and those that did not answer, who may be alive.
fn may_elect(lineage: Lineage, heard: &BTreeMap<Slot, &Stance>) -> bool {
    let is_free = |stance: &Stance| stance.lineage == lineage && stance.floor <= lineage;
    let may_vote = |(slot, node): &(Slot, NodeId)| {
        heard.get(slot).is_none_or(|stance| is_free(stance) && stance.node == *node)
    };
    let can =
        |voters: &[(Slot, NodeId)]| voters.iter().filter(|voter| may_vote(voter)).count() > voters.len() / 2;
    heard
        .values()
        .filter(|stance| is_free(stance) && !stance.voters.is_empty())
        .any(|stance| can(&stance.voters) && (stance.outgoing.is_empty() || can(&stance.outgoing)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Level, Nonce};

    const L: Lineage = Lineage(100);

    fn blank(nonce: u128) -> Stance {
        Stance {
            nonce: Nonce(nonce),
            level_max: Level::FIRST,
            lineage: Lineage::NONE,
            node: NodeId::NONE,
            floor: Lineage::NONE,
            copy: None,
            voters: vec![],
            outgoing: vec![],
        }
    }

    fn voters(nodes: &[u64]) -> Vec<(Slot, NodeId)> {
        nodes.iter().zip(0..).map(|(node, slot)| (Slot(slot), NodeId(*node))).collect()
    }

    /// A voter of L with a log up to `index`.
    fn holder(node: u64, index: u64, all: &[u64]) -> Stance {
        Stance {
            lineage: L,
            node: NodeId(node),
            floor: L,
            copy: Some(Rank { lineage: L, term: 1, index, level: Level::FIRST }),
            voters: voters(all),
            ..blank(u128::from(node))
        }
    }

    fn judged(seeds: u16, stances: &[(u16, Stance)]) -> Verdict {
        judge(seeds, &stances.iter().map(|(slot, stance)| (Slot(*slot), stance.clone())).collect())
    }

    #[test]
    fn a_blank_start_needs_a_majority_of_the_slots() {
        assert_eq!(judged(3, &[(0, blank(1))]), Verdict::TooFew);
        assert_eq!(judged(3, &[(0, blank(1)), (4, blank(2))]), Verdict::TooFew, "learners do not count");
        assert_eq!(judged(3, &[(0, blank(1)), (2, blank(2))]), Verdict::Lost);
        assert_eq!(judged(1, &[(0, blank(1))]), Verdict::Lost);
    }

    #[test]
    fn one_survivor_and_one_newcomer_wait_for_the_third_who_may_hold_more() {
        let survivor = holder(1, 5, &[1, 2, 3]);
        assert_eq!(judged(3, &[(0, survivor.clone()), (2, blank(9))]), Verdict::MayLive);
        let third_is_new = [(0, survivor.clone()), (1, blank(8)), (2, blank(9))];
        assert_eq!(judged(3, &third_is_new), Verdict::Lost);
        let third_lives = [(0, survivor), (1, holder(2, 6, &[1, 2, 3])), (2, blank(9))];
        assert_eq!(judged(3, &third_lives), Verdict::MayLive, "they can elect a leader");
    }

    #[test]
    fn two_of_three_newcomers_end_the_lineage_even_unheard() {
        assert_eq!(judged(3, &[(1, blank(8)), (2, blank(9))]), Verdict::Lost);
        let learner = holder(1004, 9, &[1, 2, 3]);
        let stances = [(1, blank(8)), (2, blank(9)), (4, learner)];
        assert_eq!(judged(3, &stances), Verdict::Lost);
        let map: BTreeMap<Slot, Stance> = stances.iter().map(|(s, x)| (Slot(*s), x.clone())).collect();
        assert_eq!(best_copy(&map).unwrap().0, Slot(4));
    }

    #[test]
    fn holders_that_gave_their_word_elsewhere_can_elect_nobody() {
        let bound = |node| Stance {
            lineage: Lineage::NONE,
            node: NodeId::NONE,
            floor: Lineage(200),
            ..holder(node, 5, &[])
        };
        assert_eq!(judged(3, &[(0, bound(1)), (1, bound(2))]), Verdict::Lost);
        let one_free = [(0, bound(1)), (1, holder(2, 5, &[1, 2, 3]))];
        assert_eq!(judged(3, &one_free), Verdict::MayLive, "with the third, who did not answer");
        let third_is_new = [one_free[0].clone(), one_free[1].clone(), (2, blank(9))];
        assert_eq!(judged(3, &third_is_new), Verdict::Lost);
    }

    #[test]
    fn a_joint_configuration_needs_both_halves() {
        let joint =
            |node, index| Stance { outgoing: voters(&[1, 2, 3]), ..holder(node, index, &[1, 1005, 3]) };
        let both = [(0, joint(1, 9)), (1, joint(1005, 9)), (2, blank(7))];
        assert_eq!(judged(3, &both), Verdict::Lost, "the old half has one voter left");
        let third_hidden = [both[0].clone(), both[1].clone()];
        assert_eq!(judged(3, &third_hidden), Verdict::MayLive);
    }

    #[test]
    fn a_stale_view_of_the_voters_does_not_hide_a_majority() {
        // Five seeds; slots 0 and 1 were replaced, which the holder in slot 2 has not learnt yet. The new one in slot
        // 0 did not answer and may hold what the others lack.
        let stale = holder(3, 5, &[1, 2, 3, 4, 5]);
        let newer = holder(1006, 7, &[1, 2, 3, 4, 5]);
        let stances = [(1, newer), (2, stale), (3, blank(8)), (4, blank(9))];
        assert_eq!(judged(5, &stances), Verdict::MayLive);
    }
}
