//! A leader's care for the members: admitting, replacing, dismissing, one at a time. And leaving in good order.

use crate::frame::{Body, Frame, Presence, Stance};
use crate::identity::{Level, Lineage, NodeId, Nonce, Slot};
use crate::membership::Change;
use crate::output::Channel;
use crate::replica::Replica;
use crate::sabotage::Sabotage;

impl Replica {
    pub(crate) fn lead(&mut self) {
        self.admit_members();
        let Some(seat) = &self.seat else { return };
        if !seat.engine.may_change() {
            return;
        }
        if let Some(change) = self.next_change()
            && let Some(seat) = &mut self.seat
        {
            // Refused when too much waits for its commit; the next tick asks again.
            let _ = seat.engine.propose_change(change);
        }
    }

    /// The one change of members that is wanted most.
    fn next_change(&self) -> Option<Change> {
        let seat = self.seat.as_ref()?;
        let membership = seat.engine.membership();
        if membership.is_joint() {
            return Some(Change::Settle);
        }
        if self.settings.breaks(Sabotage::ExpelSilent)
            && let Some(node) = self.silent_voter()
        {
            return Some(Change::Dismiss { node });
        }
        let joiners: Vec<(Slot, &Stance)> = self
            .peers
            .present(self.now_ms)
            .filter(|(_, presence)| presence.joins == seat.lineage && presence.stance.floor <= seat.lineage)
            .map(|(slot, presence)| (slot, &presence.stance))
            .filter(|(slot, stance)| membership.find(*slot, stance.nonce).is_none())
            .filter(|(_, stance)| stance.level_max >= membership.level)
            .collect();
        let stale = joiners.iter().find_map(|(slot, stance)| membership.stale_learner(*slot, stance.nonce));
        let leaver = || {
            let leaving = self.nodes_present(seat.lineage, |presence| presence.leaving);
            leaving.into_iter().find(|node| self.is_guest(seat.lineage, *node))
        };
        if let Some(node) = stale.or_else(leaver) {
            return Some(Change::Dismiss { node });
        }
        if let Some((slot, Stance { nonce, level_max, .. })) = joiners.first() {
            return Some(Change::Admit { slot: *slot, nonce: *nonce, level_max: *level_max });
        }
        self.next_replacement().or_else(|| self.next_level().map(|level| Change::Raise { level }))
    }

    /// A higher level that all voters know, present or not, and all learners that are present.
    fn next_level(&self) -> Option<Level> {
        let membership = self.seat.as_ref()?.engine.membership();
        let present: Vec<Nonce> = self.peers.present(self.now_ms).map(|(_, one)| one.stance.nonce).collect();
        let counts = |node: &&NodeId| {
            let nonce = membership.incarnations[*node].nonce;
            !membership.learners.contains(*node) || nonce.is_some_and(|nonce| present.contains(&nonce))
        };
        let level = match self.settings.breaks(Sabotage::RaiseUnknown) {
            true => self.settings.level_max,
            false => membership.level_known(membership.incarnations.keys().filter(counts)),
        };
        (level > membership.level).then_some(level)
    }

    /// Those that are present in a lineage and of which that holds. In another lineage a node's id is somebody else's.
    fn nodes_present(&self, lineage: Lineage, holds: impl Fn(&Presence) -> bool) -> Vec<NodeId> {
        let present = self.peers.present(self.now_ms).map(|(_, presence)| presence);
        let wanted = present.filter(|presence| presence.stance.lineage == lineage && holds(presence));
        wanted.map(|presence| presence.stance.node).collect()
    }

    /// For a test: a voter whose incarnation is not present.
    fn silent_voter(&self) -> Option<NodeId> {
        let seat = self.seat.as_ref()?;
        let present = self.nodes_present(seat.lineage, |_| true);
        let is_silent = |node: &NodeId| *node != seat.engine.node() && !present.contains(node);
        seat.engine.membership().voters.iter().copied().find(is_silent)
    }

    /// A learner that may leave: not of a seed slot.
    fn is_guest(&self, lineage: Lineage, node: NodeId) -> bool {
        let Some(seat) = self.seat.as_ref().filter(|seat| seat.lineage == lineage) else { return false };
        let membership = seat.engine.membership();
        membership.learners.contains(&node)
            && membership.slot_of(node).is_some_and(|slot| !self.settings.is_seed(slot))
    }

    /// A new incarnation of a seed slot takes the place of the dead one, when it has what it needs, and when
    /// everybody has finished the last replacement.
    fn next_replacement(&self) -> Option<Change> {
        let seat = self.seat.as_ref()?;
        let membership = seat.engine.membership();
        if !self.is_configuration_applied() {
            return None;
        }
        self.peers.present(self.now_ms).find_map(|(slot, presence)| {
            let old = membership.voter_of(slot)?;
            let new = membership.find(slot, presence.stance.nonce)?;
            let is_member = presence.stance.lineage == seat.lineage && presence.stance.node == new;
            (new != old && is_member && seat.engine.is_caught_up(new)).then_some(Change::Replace { old, new })
        })
    }

    /// Rule 3: every live member that holds the state has applied the last change of members.
    fn is_configuration_applied(&self) -> bool {
        let Some(seat) = &self.seat else { return false };
        let membership = seat.engine.membership();
        let is_final = !membership.is_joint() && seat.engine.may_change();
        let is_early = self.settings.breaks(Sabotage::FinishEarly);
        is_final
            && (is_early
                || self.peers.present(self.now_ms).all(|(slot, presence)| {
                    let stance = &presence.stance;
                    let holds = stance.copy.is_some_and(|rank| rank.lineage == seat.lineage);
                    let is_member = membership.find(slot, stance.nonce).is_some();
                    !holds || !is_member || presence.applied >= membership.changed_at
                }))
    }

    /// Whether no replacement is wanted or under way: the leader knows, the others repeat its word.
    pub(crate) fn is_settled(&self) -> bool {
        let Some(seat) = self.seat.as_ref().filter(|seat| seat.engine.is_installed()) else { return false };
        let membership = seat.engine.membership();
        let votes = |slot: Slot, nonce: Nonce| {
            membership.find(slot, nonce).is_some_and(|node| membership.voters.contains(&node))
        };
        let own = self.settings.slot;
        if self.settings.is_seed(own) && !votes(own, self.nonce) {
            return false;
        }
        if seat.engine.is_leader() {
            // One that does not know the level is as good as absent.
            let mut seeds = self.peers.present(self.now_ms).filter(|(slot, presence)| {
                self.settings.is_seed(*slot) && presence.stance.level_max >= membership.level
            });
            return self.is_configuration_applied()
                && seeds.all(|(slot, presence)| votes(slot, presence.stance.nonce));
        }
        let leader = seat.engine.leader();
        self.hears_leader(self.election_ms())
            && self.peers.present(self.now_ms).any(|(_, presence)| {
                let stance = &presence.stance;
                stance.lineage == seat.lineage && stance.node == leader && presence.settled
            })
    }

    /// Tells incarnations that belong to the lineage, but do not know it yet, who they are. A founder does so before
    /// anybody leads, because it needs their votes.
    pub(crate) fn admit_members(&mut self) {
        let Some(seat) = &self.seat else { return };
        let engine = &seat.engine;
        let founds = engine.is_installed() && engine.applied() == engine.membership().changed_at;
        let may = engine.is_leader() || founds && engine.leader() == NodeId::NONE;
        if !may {
            return;
        }
        let (lineage, from) = self.place();
        let mut said = Vec::new();
        for (slot, presence) in self.peers.present(self.now_ms) {
            let stance = &presence.stance;
            let mut node = engine.membership().find(slot, stance.nonce);
            if self.settings.breaks(Sabotage::ReuseIds) {
                node = engine.membership().voter_of(slot).or(node);
            }
            match node {
                Some(node) if stance.lineage < lineage && stance.floor <= lineage => {
                    said.push((slot, node, Body::Admit { nonce: stance.nonce }));
                }
                None if presence.leaving && stance.lineage == lineage => {
                    said.push((slot, stance.node, Body::Dismiss { nonce: stance.nonce }));
                }
                _ => {}
            }
        }
        for (slot, to, body) in said {
            self.send_frame(slot, Channel::Log, &Frame { lineage, from, to, body });
        }
    }

    /// Hands leadership to another voter; false if this member does not lead, or nobody else can.
    pub(crate) fn hand_over(&mut self) -> bool {
        let present = self.nodes_present(self.place().0, |_| true);
        let seat = self.seat.as_mut().filter(|seat| seat.engine.is_leader());
        seat.is_some_and(|seat| seat.engine.hand_over(|node| present.contains(&node)))
    }

    pub(crate) fn on_dismiss(&mut self, nonce: Nonce) {
        if self.leaving && nonce == self.nonce {
            self.leave_lineage();
            self.has_left_now();
        }
    }

    /// Leaves as soon as nobody needs this member: a leader hands over first, a guest waits to be dismissed.
    pub(crate) fn watch_leave(&mut self) {
        if !self.leaving || self.is_needed() || self.hand_over() {
            return;
        }
        let is_guest = !self.settings.is_seed(self.settings.slot);
        if !(is_guest && self.hears_leader(self.election_ms())) {
            self.has_left_now();
        }
    }

    /// Whether a replacement that is under way needs this voter.
    fn is_needed(&self) -> bool {
        let Some(seat) = &self.seat else { return false };
        let votes = seat.engine.membership().voters.contains(&seat.engine.node());
        votes && self.hears_leader(self.election_ms()) && !self.is_settled()
    }
}
