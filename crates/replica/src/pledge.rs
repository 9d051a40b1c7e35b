//! A member's word: to vote in no lineage below one that another member wants to form.

use crate::form::Stage;
use crate::frame::{Body, Round};
use crate::identity::{Lineage, Nonce, Slot};
use crate::output::Output;
use crate::replica::Replica;
use crate::sabotage::Sabotage;

/// A word that was given, perhaps to oneself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pledge {
    pub(crate) number: Lineage,
    pub(crate) to: Slot,
    pub(crate) nonce: Nonce,
    /// For good. Before that the member only stands still, and goes on when it hears a leader.
    pub(crate) is_confirmed: bool,
    pub(crate) since_ms: u64,
}

/// Rounds that a promise holds without being confirmed.
const PATIENCE_ROUNDS: u64 = 2;
/// Words of presence that a founder may be silent, or speak of something else, because some are late or lost.
const PATIENCE_WORDS: u64 = 5;

impl Replica {
    /// Whether this member stands still: it neither votes nor takes entries in its lineage.
    pub(crate) fn is_frozen(&self) -> bool {
        self.pledge.is_some()
    }

    /// A leader is heard: a promise that was not confirmed is void, and the founder will hear so when it asks.
    pub(crate) fn thaw(&mut self) {
        if self.pledge.is_some_and(|pledge| !pledge.is_confirmed) {
            self.pledge = None;
            self.formation = None;
        }
    }

    pub(crate) fn watch_pledge(&mut self) {
        let Some(pledge) = self.pledge else { return };
        if self.formation.is_some() {
            return;
        }
        let founder_is_there = self.peers.present(self.now_ms).any(|(slot, presence)| {
            slot == pledge.to && presence.stance.nonce == pledge.nonce && presence.forming == pledge.number
        });
        // A founder that has given up says so with its next words of presence.
        let patience_ms = match founder_is_there {
            true => PATIENCE_ROUNDS * self.settings.round_ms,
            false => PATIENCE_WORDS * self.settings.presence_ms,
        };
        if founder_is_there && pledge.is_confirmed {
            self.pledge = Some(Pledge { since_ms: self.now_ms, ..pledge });
        } else if self.now_ms - pledge.since_ms > patience_ms {
            // A confirmed word stays given: the floor holds it. Only the waiting ends.
            self.pledge = None;
        }
    }

    pub(crate) fn on_ask(&mut self, slot: Slot, round: Round, number: Lineage, nonce: Nonce) {
        if self.peers.nonce(slot) != Some(nonce) || !self.settings.is_seed(slot) {
            return;
        }
        let given = self.pledge.filter(|p| p.number == number && p.to == slot && p.nonce == nonce);
        let agreed = match round {
            Round::Promise => {
                let agreed = given.is_some() || self.promise(slot, number, nonce);
                if agreed && self.settings.breaks(Sabotage::SkipConfirm) {
                    self.pledge.filter(|pledge| !pledge.is_confirmed).inspect(|pledge| self.bind(*pledge));
                }
                agreed
            }
            Round::Confirm => given.is_some_and(|pledge| self.confirm(pledge)),
        };
        let body = if agreed {
            Body::Answer { round, number, stance: self.stance() }
        } else {
            Body::Decline { number, seen: self.seen.max(self.floor) }
        };
        self.seen = self.seen.max(number);
        self.send(slot, body);
    }

    fn promise(&mut self, to: Slot, number: Lineage, nonce: Nonce) -> bool {
        let known = self.floor.max(self.settings.seen);
        let is_newer = number > known && self.pledge.is_none_or(|pledge| number > pledge.number);
        let waits = self.pledge.is_some_and(|pledge| pledge.is_confirmed);
        let works = self.hears_leader(self.settings.quorum_lost_ms);
        // Of two founders-to-be that ask each other, the one with the smaller number gives way.
        let insists = self.formation.as_ref().is_some_and(|own| own.stage != Stage::Asking(Round::Promise));
        if !is_newer || waits || works || insists {
            return false;
        }
        self.formation = None;
        self.pledge = Some(Pledge { number, to, nonce, is_confirmed: false, since_ms: self.now_ms });
        true
    }

    fn confirm(&mut self, pledge: Pledge) -> bool {
        if !pledge.is_confirmed {
            self.bind(pledge);
        }
        true
    }

    /// From now on this incarnation acts in no lineage below the pledge's. What it has becomes salvage.
    pub(crate) fn bind(&mut self, pledge: Pledge) {
        if self.settings.breaks(Sabotage::ForgetWord) {
            self.pledge = None;
            return;
        }
        self.leave_lineage();
        self.floor = pledge.number;
        self.pledge = Some(Pledge { is_confirmed: true, since_ms: self.now_ms, ..pledge });
        self.outputs.push(Output::Bound { below: pledge.number });
    }
}
