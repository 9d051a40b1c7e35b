//! Presence: telling others what this member is, hearing what they are, and joining the lineage that works.

use crate::engine::{Engine, Impossible};
use crate::frame::{Body, Presence, Stance};
use crate::identity::{Level, Lineage, NodeId, Nonce, Rank, Slot};
use crate::output::Output;
use crate::peers::Working;
use crate::replica::{Address, Replica, Seat};
use crate::sabotage::Sabotage;
use crate::verdict::best_copy;

impl Replica {
    /// The copy of the state that this member holds, its log tail included.
    pub(crate) fn copy(&self) -> Option<Rank> {
        let installed = self.seat.as_ref().filter(|seat| seat.engine.is_installed());
        installed.map(|seat| seat.engine.rank(seat.lineage)).or(self.salvage)
    }

    pub(crate) fn stance(&self) -> Stance {
        let (lineage, node) = self.place();
        let membership = self.seat.as_ref().map(|seat| seat.engine.membership());
        let (voters, outgoing) = membership.map_or((vec![], vec![]), |membership| {
            (membership.by_slot(&membership.voters), membership.by_slot(&membership.outgoing))
        });
        let (nonce, level_max, floor) = (self.nonce, self.settings.level_max, self.floor);
        Stance { nonce, level_max, lineage, node, floor, copy: self.copy(), voters, outgoing }
    }

    /// The lineage that this member waits to be admitted to: one that works, is newer, not below its word, and of a level
    /// that it knows.
    pub(crate) fn joins(&self) -> Lineage {
        let own = self.place().0;
        let knows = |working: &Working| working.level <= self.settings.level_max;
        let working = self.peers.working(self.now_ms).filter(knows).map(|working| working.lineage);
        working.filter(|lineage| *lineage > own && *lineage >= self.floor).unwrap_or(Lineage::NONE)
    }

    fn presence(&mut self) -> Presence {
        self.revision += 1;
        let leader = match &self.seat {
            Some(seat) if self.hears_leader(self.election_ms()) => seat.engine.leader(),
            _ => NodeId::NONE,
        };
        Presence {
            revision: self.revision,
            stance: self.stance(),
            seen: self.seen,
            joins: self.joins(),
            forming: self.formation.as_ref().map_or(Lineage::NONE, |formation| formation.number),
            applied: self.seat.as_ref().map_or(0, |seat| seat.engine.applied()),
            leader,
            settled: self.is_settled(),
            leaving: self.leaving,
        }
    }

    /// Tells one member what this one is.
    pub(crate) fn tell(&mut self, slot: Slot) {
        let presence = self.presence();
        if let Some(peer) = self.peers.peer_mut(slot) {
            peer.told_ms = Some(self.now_ms);
            self.send(slot, Body::Presence(presence));
        }
    }

    /// Answers a frame that was meant for somebody else; not each one of a stream of them.
    pub(crate) fn tell_soon(&mut self, slot: Slot) {
        let quiet_ms = self.settings.presence_ms / 2;
        let told_ms = self.peers.peer_mut(slot).and_then(|peer| peer.told_ms);
        if told_ms.is_none_or(|told_ms| self.now_ms - told_ms >= quiet_ms) {
            self.tell(slot);
        }
    }

    /// Something that others wait for has changed.
    pub(crate) fn tell_all(&mut self) {
        self.next_presence_ms = self.now_ms + self.settings.presence_ms;
        for slot in self.peers.slots() {
            self.tell(slot);
        }
    }

    pub(crate) fn tell_all_when_due(&mut self) {
        if self.now_ms >= self.next_presence_ms {
            self.tell_all();
        }
    }

    pub(crate) fn on_presence(&mut self, slot: Slot, presence: Presence) {
        let known = self.peers.nonce(slot);
        let nonce = presence.stance.nonce;
        for lineage in [presence.seen, presence.stance.lineage, presence.stance.floor, presence.forming] {
            self.seen = self.seen.max(lineage);
        }
        if !self.peers.hear(slot, presence, self.now_ms) {
            return;
        }
        if known != Some(nonce) {
            // Somebody else than before: what was begun with the predecessor is over.
            self.end_transfers_with(slot);
            self.tell_soon(slot);
        }
    }

    /// Looks for a lineage that works while this member has no part in it.
    pub(crate) fn watch_others(&mut self) {
        if self.hears_leader(self.settings.quorum_lost_ms) {
            self.quorum_seen_ms = self.now_ms;
        }
        if !self.is_excluded() {
            self.excluded_since_ms = None;
            return;
        }
        let since_ms = *self.excluded_since_ms.get_or_insert(self.now_ms);
        if self.now_ms - since_ms >= self.settings.rebirth_ms {
            self.be_reborn();
        }
    }

    /// Whether a lineage works that this incarnation can never join: because it gave its word for a later one, which
    /// did not come about, or because its id was taken from it.
    fn is_excluded(&self) -> bool {
        if self.hears_leader(self.settings.quorum_lost_ms) || self.formation.is_some() {
            return false;
        }
        let Some(working) = self.peers.working(self.now_ms) else { return false };
        let own = self.place().0;
        working.lineage < self.floor || working.lineage == own && working.leader.is_some()
    }

    /// Says so when this member cannot take part because it does not know the level of the others.
    pub(crate) fn watch_level(&mut self) {
        let outdated = self.level_unknown();
        if let Some(level) = outdated.filter(|_| self.outdated != outdated) {
            self.outputs.push(Output::Outdated { level });
        }
        self.outdated = outdated;
    }

    /// The level of the lineage that works, or else of the best copy, if this member does not know it.
    fn level_unknown(&self) -> Option<Level> {
        if self.hears_leader(self.settings.quorum_lost_ms) {
            return None;
        }
        let working = self.peers.working(self.now_ms).map(|working| working.level);
        let level = working.or_else(|| best_copy(&self.survey()).map(|(_, rank)| rank.level));
        level.filter(|level| *level > self.settings.level_max)
    }

    /// Begins anew as another incarnation. The old one is as dead as if its process had been killed.
    pub(crate) fn be_reborn(&mut self) {
        self.leave_lineage();
        self.nonce = Nonce(self.random.wide());
        self.floor = Lineage::NONE;
        self.salvage = None;
        self.pledge = None;
        self.excluded_since_ms = None;
        self.quorum_seen_ms = self.now_ms;
        self.outputs.push(Output::Reborn { nonce: self.nonce });
        self.tell_all();
    }

    pub(crate) fn on_admit(&mut self, address: Address, nonce: Nonce) -> Result<(), Impossible> {
        let (own, _) = self.place();
        let lineage = address.lineage;
        let is_member = self.peers.presence(address.slot).is_some_and(|p| p.stance.lineage == lineage);
        if nonce != self.nonce || lineage <= own || lineage < self.floor || !is_member {
            return Ok(());
        }
        if address.to == NodeId::NONE {
            self.suspect(address.slot, "admitted without an id".into());
            return Ok(());
        }
        self.leave_lineage();
        self.pledge = None;
        self.formation = None;
        self.floor = lineage;
        let engine = Engine::blank(&self.settings, self.random.next(), address.to)?;
        self.seat = Some(Seat { lineage, engine, leader_heard_ms: self.now_ms });
        self.quorum_seen_ms = self.now_ms;
        if self.settings.breaks(Sabotage::DropCopyEarly) {
            self.salvage = None;
        }
        self.outputs.push(Output::Admitted { lineage, node: address.to });
        self.tell_all();
        Ok(())
    }

    /// Leaves the lineage for good and keeps its state, log tail included, as salvage.
    pub(crate) fn leave_lineage(&mut self) {
        self.end_all_transfers();
        let Some(seat) = self.seat.take() else { return };
        if seat.engine.is_installed() {
            let tail = if self.settings.breaks(Sabotage::DropTail) { vec![] } else { seat.engine.tail() };
            for command in tail {
                let (index, term, level) = (command.index, command.term, command.level);
                self.outputs.push(Output::Salvage { index, term, level, command: command.bytes });
            }
            self.salvage = Some(seat.engine.rank(seat.lineage));
        }
    }
}
