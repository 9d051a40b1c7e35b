//! The formation of a lineage, from the founder's side: survey, promises, confirmation, the best copy, the beginning.

use std::collections::BTreeMap;

use crate::engine::{Engine, Impossible};
use crate::frame::{Body, Round, Stance};
use crate::identity::{Level, Lineage, NodeId, Nonce, Slot};
use crate::membership::Membership;
use crate::output::Output;
use crate::pledge::Pledge;
use crate::replica::{Replica, Seat};
use crate::sabotage::Sabotage;
use crate::verdict::{Verdict, best_copy, judge};

/// A formation under way.
#[derive(Clone, Debug)]
pub(crate) struct Formation {
    pub(crate) number: Lineage,
    pub(crate) stage: Stage,
    since_ms: u64,
    asked_ms: u64,
    answers: BTreeMap<Slot, Stance>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Questions are out.
    Asking(Round),
    /// All have confirmed; the best copy is on its way from there.
    Fetching(Slot),
}

/// Pause between two founders-to-be, so that one of them is first.
const TURN_MS: u64 = 300;
/// Repetitions of a question within a round.
const REPEATS_PER_ROUND: u64 = 5;
/// Rounds that a copy may take to begin to arrive, or to go on arriving.
const FETCH_ROUNDS: u64 = 3;

impl Replica {
    pub(crate) fn watch_formation(&mut self) -> Result<(), Impossible> {
        let Some(formation) = &self.formation else {
            if self.should_form() {
                self.begin_formation();
                return self.judge_round();
            }
            return Ok(());
        };
        let repeat_ms = self.settings.round_ms / REPEATS_PER_ROUND;
        let is_due = self.now_ms - formation.asked_ms >= repeat_ms;
        match formation.stage {
            Stage::Asking(_) => {
                if is_due {
                    self.ask_again();
                }
                self.judge_round()
            }
            Stage::Fetching(from) => {
                let arriving_ms = self.incoming.as_ref().map_or(0, |incoming| incoming.heard_ms);
                let since_ms = formation.since_ms.max(arriving_ms);
                if self.now_ms - since_ms > FETCH_ROUNDS * self.settings.round_ms {
                    self.abandon_formation();
                } else if is_due && self.incoming.is_none() {
                    self.ask_for_copy(from);
                }
                Ok(())
            }
        }
    }

    /// Whether it is time, and this member's turn, to form a lineage.
    fn should_form(&mut self) -> bool {
        let may = self.settings.is_seed(self.settings.slot) && !self.leaving && self.pledge.is_none();
        if !may || self.now_ms < self.next_formation_ms || self.hears_leader(self.settings.quorum_lost_ms) {
            return false;
        }
        let somebody_forms =
            self.peers.present(self.now_ms).any(|(_, presence)| presence.forming != Lineage::NONE);
        if somebody_forms || self.peers.working(self.now_ms).is_some() {
            return false;
        }
        let stances = self.survey();
        let lost_for_ms = self.now_ms - self.quorum_seen_ms;
        let all_are_here = stances.len() == usize::from(self.settings.members);
        let wait_ms = if all_are_here { 0 } else { self.settings.formation_wait_ms };
        let quorum_ms = if self.seat.is_some() { self.settings.quorum_lost_ms } else { 0 };
        let turn_ms = TURN_MS * self.turn(&stances);
        if lost_for_ms < wait_ms.max(quorum_ms) + turn_ms {
            return false;
        }
        self.is_lost(&stances) && self.is_known(&stances)
    }

    /// Whether this member and a majority of the seeds know the level of the best copy. Nobody else can go on from it.
    fn is_known(&self, stances: &BTreeMap<Slot, Stance>) -> bool {
        let level = best_copy(stances).map_or(Level::FIRST, |(_, rank)| rank.level);
        let knowing =
            stances.iter().filter(|(slot, one)| self.settings.is_seed(**slot) && one.level_max >= level);
        let fewer = usize::from(self.settings.breaks(Sabotage::WrongQuorum));
        self.settings.level_max >= level && knowing.count() + fewer >= self.settings.majority()
    }

    fn is_lost(&self, stances: &BTreeMap<Slot, Stance>) -> bool {
        if self.settings.breaks(Sabotage::FormOnSilence) {
            return judge(self.settings.seeds, stances) != Verdict::TooFew;
        }
        let fewer = u16::from(self.settings.breaks(Sabotage::WrongQuorum));
        judge(self.settings.seeds - fewer, stances) == Verdict::Lost
    }

    /// What all that are present say of themselves. It binds nobody, so it decides nothing but whether to ask.
    pub(crate) fn survey(&self) -> BTreeMap<Slot, Stance> {
        let others = self.peers.present(self.now_ms).map(|(slot, presence)| (slot, presence.stance.clone()));
        others.chain([(self.settings.slot, self.stance())]).collect()
    }

    /// The seed with the best copy is first, because it needs not fetch it.
    fn turn(&self, stances: &BTreeMap<Slot, Stance>) -> u64 {
        let own = (self.copy(), std::cmp::Reverse(self.settings.slot));
        let seeds = stances.iter().filter(|(slot, _)| self.settings.is_seed(**slot));
        seeds.filter(|(slot, stance)| (stance.copy, std::cmp::Reverse(**slot)) > own).count() as u64
    }

    fn begin_formation(&mut self) {
        let seen = self.seen.max(self.floor).max(self.place().0);
        let (slot, nonce) = (self.settings.slot, self.nonce);
        let number = match self.settings.breaks(Sabotage::KeepEpoch) {
            true => Some(Lineage(1)),
            false => Lineage::after(seen, self.wall_ms(), slot, nonce),
        };
        let Some(number) = number else { return };
        self.seen = number;
        self.pledge = Some(Pledge { number, to: slot, nonce, is_confirmed: false, since_ms: self.now_ms });
        self.begin_round(number, Round::Promise);
        self.tell_all();
        self.ask_again();
    }

    fn begin_round(&mut self, number: Lineage, round: Round) {
        self.formation = Some(Formation {
            number,
            stage: Stage::Asking(round),
            since_ms: self.now_ms,
            asked_ms: self.now_ms,
            answers: BTreeMap::new(),
        });
    }

    /// Asks all present members that have not answered.
    fn ask_again(&mut self) {
        let Some(formation) = &mut self.formation else { return };
        let Stage::Asking(round) = formation.stage else { return };
        formation.asked_ms = self.now_ms;
        let number = formation.number;
        let silent = self.peers.present(self.now_ms).map(|(slot, _)| slot);
        let silent: Vec<Slot> = silent.filter(|slot| !formation.answers.contains_key(slot)).collect();
        for slot in silent {
            self.send(slot, Body::Ask { round, number, nonce: self.nonce });
        }
    }

    pub(crate) fn on_answer(
        &mut self,
        slot: Slot,
        round: Round,
        number: Lineage,
        stance: Stance,
    ) -> Result<(), Impossible> {
        if self.peers.nonce(slot) != Some(stance.nonce) {
            return Ok(());
        }
        let Some(formation) = &mut self.formation else { return Ok(()) };
        if formation.number != number {
            return Ok(());
        }
        match formation.stage {
            Stage::Asking(asked) if asked != round => return Ok(()),
            // Late, but bound all the same: it can be a founder.
            Stage::Fetching(_) if round == Round::Promise => return Ok(()),
            _ => formation.answers.insert(slot, stance),
        };
        self.judge_round()
    }

    pub(crate) fn on_decline(&mut self, slot: Slot, number: Lineage, seen: Lineage) {
        self.seen = self.seen.max(seen);
        let Some(formation) = &mut self.formation else { return };
        if formation.number == number {
            formation.answers.remove(&slot);
        }
    }

    /// Goes on to the next stage when everybody who is present has answered, or the time is over.
    fn judge_round(&mut self) -> Result<(), Impossible> {
        let Some(formation) = &self.formation else { return Ok(()) };
        let Stage::Asking(round) = formation.stage else { return Ok(()) };
        let is_over = self.now_ms - formation.since_ms >= self.settings.round_ms;
        let present = self.peers.present(self.now_ms);
        let all_answered = { present }.all(|(slot, _)| formation.answers.contains_key(&slot));
        if !is_over && !all_answered {
            return Ok(());
        }
        let number = formation.number;
        let stances = self.stances_given();
        if !self.is_lost(&stances) || !self.is_known(&stances) {
            if is_over {
                self.abandon_formation();
            }
            return Ok(());
        }
        match round {
            Round::Promise if self.settings.breaks(Sabotage::SkipConfirm) => self.decide(&stances),
            Round::Promise => {
                self.begin_round(number, Round::Confirm);
                self.ask_again();
                self.judge_round()
            }
            Round::Confirm => self.decide(&stances),
        }
    }

    /// The answers, and the own stance. An incarnation that is gone takes its answer with it, and one that has given its
    /// word for a later lineage meanwhile cannot act in this one.
    fn stances_given(&self) -> BTreeMap<Slot, Stance> {
        let answers = self.formation.iter().flat_map(|formation| &formation.answers);
        let outlives = self.settings.breaks(Sabotage::OutliveNonce);
        let holds = |slot: Slot, given: &Stance| {
            let now = self.peers.presence(slot).map(|presence| &presence.stance);
            let number = self.formation.as_ref().map(|formation| formation.number);
            now.is_some_and(|now| now.nonce == given.nonce && Some(now.floor) <= number)
        };
        let living = answers
            .filter(|(slot, stance)| outlives || holds(**slot, stance))
            .map(|(slot, stance)| (*slot, stance.clone()));
        living.chain([(self.settings.slot, self.stance())]).collect()
    }

    /// Everybody who counts has confirmed after everybody had promised: all stood still at one moment. Nothing is
    /// committed in an older lineage from then on.
    fn decide(&mut self, stances: &BTreeMap<Slot, Stance>) -> Result<(), Impossible> {
        if let Some(pledge) = self.pledge {
            self.bind(pledge);
        }
        let best = best_copy(stances).filter(|(_, rank)| self.salvage.is_none_or(|own| own < *rank));
        match best {
            Some((from, _)) if !self.settings.breaks(Sabotage::OwnCopy) => {
                if let Some(formation) = &mut self.formation {
                    formation.stage = Stage::Fetching(from);
                    formation.since_ms = self.now_ms;
                }
                self.ask_for_copy(from);
                Ok(())
            }
            _ => self.found(),
        }
    }

    fn ask_for_copy(&mut self, from: Slot) {
        let Some(formation) = &mut self.formation else { return };
        formation.asked_ms = self.now_ms;
        let number = formation.number;
        self.send(from, Body::Fetch { number, nonce: self.nonce });
    }

    /// Begins the lineage with the state that this member holds, unless too many have gone since they confirmed.
    pub(crate) fn found(&mut self) -> Result<(), Impossible> {
        let stances = self.stances_given();
        let level = self.first_level(&stances);
        let seeds = stances
            .iter()
            .filter(|(slot, stance)| self.settings.is_seed(**slot) && stance.level_max >= level)
            .map(|(slot, stance)| (*slot, (stance.nonce, stance.level_max)));
        let seeds: BTreeMap<Slot, (Nonce, Level)> = seeds.collect();
        let fewer = usize::from(self.settings.breaks(Sabotage::WrongQuorum));
        if seeds.len() + fewer < self.settings.majority() {
            self.abandon_formation();
            return Ok(());
        }
        let Some(formation) = self.formation.take() else { return Ok(()) };
        self.pledge = None;
        let lineage = formation.number;
        // Above every index that the state has seen, so that the state can tell what it has applied by the index.
        let salvaged = self.salvage.take();
        let index = salvaged.map_or(0, |rank| rank.index) + 1;
        let membership = Membership::founded(&seeds, self.settings.seeds, level, index);
        let node = NodeId::founding(self.settings.slot);
        let engine = Engine::founder(&self.settings, self.random.next(), node, index, membership)?;
        self.seat = Some(Seat { lineage, engine, leader_heard_ms: self.now_ms });
        self.quorum_seen_ms = self.now_ms;
        let founders = seeds.into_iter().map(|(slot, (nonce, _))| (slot, nonce)).collect();
        self.outputs.push(Output::Founded { lineage, index, salvaged, founders });
        self.tell_all();
        self.admit_members();
        if let Some(seat) = &mut self.seat {
            seat.engine.campaign();
        }
        Ok(())
    }

    /// The level that a lineage begins with: that of the copy which it goes on from; without one, what all know.
    fn first_level(&self, stances: &BTreeMap<Slot, Stance>) -> Level {
        let known = stances.values().map(|stance| stance.level_max).min().unwrap_or(Level::FIRST);
        match self.salvage {
            Some(_) if self.settings.breaks(Sabotage::ForgetLevel) => Level::FIRST,
            Some(rank) => rank.level,
            None => known,
        }
    }

    pub(crate) fn abandon_formation(&mut self) {
        self.formation = None;
        self.pledge = None;
        self.drop_install();
        let pause_ms = self.settings.round_ms;
        self.next_formation_ms = self.now_ms + pause_ms / 2 + self.random.below(pause_ms);
        self.tell_all();
    }
}
