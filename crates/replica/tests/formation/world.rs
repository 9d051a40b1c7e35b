//! The world of the model: three slots, and what must never happen to what was committed.

use std::collections::BTreeMap;

use sterna_replica::Slot;
use sterna_replica::frame::Stance;
use sterna_replica::verdict::{Verdict, best_copy, judge};

use crate::member::{Copy, Entry, Formation, Member, Pledge, SEEDS, Stage};
use crate::step::Step;

/// A rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    AsItIs,
    WrongQuorum,
    FormOnSilence,
}

/// How often things may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bounds {
    pub(crate) crashes: u8,
    pub(crate) formations: u8,
    pub(crate) writes: u8,
    pub(crate) elections: u8,
    pub(crate) replacements: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    rule: Rule,
    left: Bounds,
    pub(crate) members: [Member; SEEDS],
    /// Lineages in the order of their founding, and what each has committed.
    lineages: Vec<(u8, Option<Copy>)>,
    pub(crate) violation: Option<&'static str>,
}

/// Takes one from what is left; false if nothing is.
fn spend(left: &mut u8) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

impl World {
    pub(crate) fn blank(left: Bounds, rule: Rule) -> Self {
        let members = std::array::from_fn(|_| Member::blank(1));
        Self { rule, left, members, lineages: vec![], violation: None }
    }

    /// All three belong to lineage 1 and slot 0 leads.
    pub(crate) fn working(left: Bounds, rule: Rule) -> Self {
        let mut world = Self::blank(left, rule);
        for member in &mut world.members {
            (member.lineage, member.floor, member.term) = (1, 1, 1);
            member.copy = Some(Copy { lineage: 1, founders: [1; SEEDS], log: vec![] });
        }
        world.members[0].leads = true;
        world.lineages = vec![(1, None)];
        world
    }

    /// Does the step, if it can happen.
    pub(crate) fn take(&mut self, step: Step) -> bool {
        match step {
            Step::Crash(one) => self.crash(one),
            Step::Elect(one, voter) => self.elect(one, voter),
            Step::Write(one) => {
                self.members[one].leads && spend(&mut self.left.writes) && self.append(one, None)
            }
            Step::Replicate(one, other) => self.replicate(one, other),
            Step::Admit(one, other) => self.admit(one, other),
            Step::Replace(one, slot) => self.replace(one, slot),
            Step::Begin(one) => self.begin(one),
            Step::Ask(one, other) => self.ask(one, other),
            Step::Judge(one) => self.judge(one),
            Step::Found(one) => self.found(one),
            Step::GiveUp(one) => {
                self.members[one].formation = None;
                self.members[one].pledge.take().is_some()
            }
        }
    }

    fn crash(&mut self, one: usize) -> bool {
        let incarnation = self.members[one].incarnation;
        self.members[one] = Member::blank(incarnation + 1);
        spend(&mut self.left.crashes)
    }

    fn elect(&mut self, one: usize, voter: usize) -> bool {
        let [candidate, other] = [one, voter].map(|slot| &self.members[slot]);
        let Some(copy) = candidate.installed() else { return false };
        let voters = copy.voters();
        let both_vote = voters[one] == candidate.incarnation && voters[voter] == other.incarnation;
        let both_free = candidate.pledge.is_none() && other.pledge.is_none();
        let is_ahead = other.installed().is_none_or(|own| own.rank() <= copy.rank());
        if other.lineage != copy.lineage || !both_vote || !both_free || !is_ahead || candidate.leads {
            return false;
        }
        let (lineage, term) = (copy.lineage, candidate.term.max(other.term) + 1);
        let rival = |member: &Member| member.leads && member.lineage == lineage && member.term == term;
        if self.members.iter().any(rival) {
            self.violation = Some("two leaders of one term");
        }
        for slot in [one, voter] {
            self.members[slot].term = term;
            self.members[slot].leads = slot == one;
        }
        spend(&mut self.left.elections)
    }

    fn append(&mut self, one: usize, change: Option<(usize, u8)>) -> bool {
        let Member { lineage, term, copy, .. } = &mut self.members[one];
        let Some(copy) = copy else { return false };
        copy.log.push(Entry { lineage: *lineage, term: *term, change });
        true
    }

    fn replicate(&mut self, one: usize, other: usize) -> bool {
        let [leader, follower] = [one, other].map(|slot| &self.members[slot]);
        let Some(copy) = leader.copy.clone().filter(|_| leader.leads) else { return false };
        let is_bound = follower.pledge.as_ref().is_some_and(|pledge| pledge.is_confirmed);
        if follower.lineage != leader.lineage || follower.term > leader.term || is_bound {
            return false;
        }
        let voters = copy.voters();
        let both_vote = voters[one] == leader.incarnation && voters[other] == follower.incarnation;
        let is_of_term =
            copy.log.last().is_some_and(|last| last.lineage == copy.lineage && last.term == leader.term);
        let term = leader.term;
        let follower = &mut self.members[other];
        // The leader is heard: a promise that was not confirmed is void.
        (follower.pledge, follower.formation) = (None, None);
        (follower.term, follower.leads, follower.copy) = (term, false, Some(copy.clone()));
        if both_vote && is_of_term {
            self.commit(copy);
        }
        true
    }

    fn commit(&mut self, copy: Copy) {
        let place = self.lineages.iter().position(|(number, _)| *number == copy.lineage);
        let place = place.expect("it was founded");
        if self.lineages[place + 1..].iter().any(|(_, committed)| committed.is_some()) {
            self.violation = Some("a lineage commits after its successor did");
        }
        let before = &self.lineages[place].1;
        if before
            .as_ref()
            .is_some_and(|before| !copy.log.starts_with(&before.log) && !before.log.starts_with(&copy.log))
        {
            self.violation = Some("a committed entry was replaced");
        }
        if before.as_ref().is_none_or(|before| before.log.len() < copy.log.len()) {
            self.look_for_loss(&copy.log);
            self.lineages[place].1 = Some(copy);
        }
    }

    fn admit(&mut self, one: usize, other: usize) -> bool {
        let Some(copy) = self.members[one].installed() else { return false };
        let lineage = copy.lineage;
        let founds = copy.log.iter().all(|entry| entry.lineage != lineage);
        let may = self.members[one].leads || founds;
        // A new incarnation is admitted by an entry, which a majority must have.
        let third = SEEDS - one - other;
        let knows = copy.voters()[other] == self.members[other].incarnation || self.is_follower(third, one);
        let newcomer = &mut self.members[other];
        let joins = newcomer.lineage < lineage && newcomer.floor <= lineage;
        if !may || !knows || !joins {
            return false;
        }
        (newcomer.lineage, newcomer.floor, newcomer.term) = (lineage, lineage, 0);
        (newcomer.leads, newcomer.pledge, newcomer.formation) = (false, None, None);
        true
    }

    /// Whether a voter follows a leader, so that both are a majority.
    fn is_follower(&self, voter: usize, leader: usize) -> bool {
        let [leader, voter_now] = [leader, voter].map(|slot| &self.members[slot]);
        let votes = leader.installed().is_some_and(|copy| copy.voters()[voter] == voter_now.incarnation);
        let is_bound = voter_now.pledge.as_ref().is_some_and(|pledge| pledge.is_confirmed);
        leader.leads
            && votes
            && voter_now.lineage == leader.lineage
            && voter_now.term <= leader.term
            && !is_bound
    }

    /// Both halves of the joint step: leader and third voter are a majority of either.
    fn replace(&mut self, one: usize, slot: usize) -> bool {
        let [leader, newcomer] = [one, slot].map(|slot| &self.members[slot]);
        let Some(copy) = leader.copy.as_ref().filter(|_| leader.leads) else { return false };
        let committed = self.lineages.iter().find(|(number, _)| *number == copy.lineage);
        let is_settled = copy.log.iter().all(|entry| entry.lineage != copy.lineage)
            || committed.is_some_and(|(_, committed)| committed.as_ref() == Some(copy));
        let incarnation = newcomer.incarnation;
        let is_new = copy.voters()[slot] != incarnation && newcomer.installed() == Some(copy);
        let third = SEEDS - one - slot;
        if !is_settled || !is_new || !self.is_follower(third, one) || !spend(&mut self.left.replacements) {
            return false;
        }
        self.append(one, Some((slot, incarnation))) && {
            self.replicate(one, third) && self.replicate(one, slot)
        }
    }

    fn begin(&mut self, one: usize) -> bool {
        let member = &mut self.members[one];
        if member.pledge.is_some() || !spend(&mut self.left.formations) {
            return false;
        }
        // Above what this member knows; the low bits are its own.
        let seen = member.floor.max(member.lineage).max(member.copy.as_ref().map_or(0, |copy| copy.lineage));
        let number = (seen / 16 + 1) * 16 + one as u8 * 4 + member.incarnation;
        let to = (one, member.incarnation);
        member.leads = false;
        member.pledge = Some(Pledge { number, to, is_confirmed: false });
        member.formation =
            Some(Formation { number, stage: Stage::Promise, answers: [const { None }; SEEDS] });
        true
    }

    fn ask(&mut self, one: usize, other: usize) -> bool {
        let founder = &self.members[one];
        let Some(formation) = &founder.formation else { return false };
        if formation.answers[other].is_some() {
            return false;
        }
        let (number, stage, to) = (formation.number, formation.stage, (one, founder.incarnation));
        let member = &mut self.members[other];
        let given = member.pledge.as_ref().is_some_and(|pledge| pledge.number == number && pledge.to == to);
        match stage {
            Stage::Promise if !given => {
                let is_newer = number > member.floor;
                let gives_way = member.pledge.as_ref().is_none_or(|pledge| {
                    let insists = member.formation.as_ref().is_some_and(|own| own.stage != Stage::Promise);
                    number > pledge.number && !pledge.is_confirmed && !insists
                });
                if !is_newer || !gives_way {
                    return false;
                }
                member.leads = false;
                member.formation = None;
                member.pledge = Some(Pledge { number, to, is_confirmed: false });
            }
            Stage::Confirm if given => self.bind(other, number),
            Stage::Promise => {}
            _ => return false,
        }
        let answer = self.members[other].answer();
        let formation = self.members[one].formation.as_mut().expect("it asks");
        formation.answers[other] = Some(answer);
        true
    }

    fn bind(&mut self, one: usize, number: u8) {
        let member = &mut self.members[one];
        (member.lineage, member.floor, member.leads) = (0, number, false);
        if let Some(pledge) = &mut member.pledge {
            pledge.is_confirmed = true;
        }
    }

    fn judge(&mut self, one: usize) -> bool {
        let Some(formation) = &self.members[one].formation else { return false };
        if formation.stage.round().is_none() {
            return false;
        }
        let answers = formation.answers.iter().enumerate();
        let mut stances: BTreeMap<Slot, Stance> = answers
            .filter_map(|(slot, answer)| Some((Slot(slot as u16), answer.as_ref()?.stance(slot))))
            .collect();
        stances.insert(Slot(one as u16), self.members[one].stance(one));
        let is_lost = match self.rule {
            Rule::WrongQuorum => judge(SEEDS as u16 - 1, &stances) == Verdict::Lost,
            Rule::FormOnSilence => judge(SEEDS as u16, &stances) != Verdict::TooFew,
            _ => judge(SEEDS as u16, &stances) == Verdict::Lost,
        };
        if !is_lost {
            return false;
        }
        let best = best_copy(&stances).map_or(one, |(slot, _)| usize::from(slot.0));
        let incarnation = stances[&Slot(best as u16)].nonce.0 as u8;
        let (number, stage) = (formation.number, formation.stage);
        if stage == Stage::Confirm {
            self.bind(one, number);
        }
        if let Some(formation) = &mut self.members[one].formation {
            match stage {
                Stage::Promise => {
                    formation.stage = Stage::Confirm;
                    formation.answers = Default::default();
                }
                _ => formation.stage = Stage::Fetch(best, incarnation),
            }
        }
        true
    }

    fn found(&mut self, one: usize) -> bool {
        let Some(formation) = self.members[one].formation.clone() else { return false };
        let Stage::Fetch(best, incarnation) = formation.stage else { return false };
        if self.members[best].incarnation != incarnation {
            return false;
        }
        let log = self.members[best].copy.as_ref().map_or(vec![], |copy| copy.log.clone());
        let mut founders = formation.answers.map(|answer| answer.map_or(0, |member| member.incarnation));
        founders[one] = self.members[one].incarnation;
        let number = formation.number;
        let copy = Some(Copy { lineage: number, founders, log });
        let incarnation = self.members[one].incarnation;
        self.members[one] =
            Member { floor: number, lineage: number, term: 1, copy, ..Member::blank(incarnation) };
        self.lineages.push((number, None));
        true
    }

    /// What was committed elsewhere may be missing only where a majority of the voters who held it is dead. Founding alone
    /// harms nobody: a lineage whose founders are gone, or have gone on, never commits.
    fn look_for_loss(&mut self, log: &[Entry]) {
        for (lineage, committed) in &mut self.lineages {
            let Some(copy) = committed.as_ref().filter(|copy| !log.starts_with(&copy.log)) else { continue };
            let lives = |(slot, incarnation): (usize, u8)| {
                let member = &self.members[slot];
                let holds = member.copy.as_ref().is_some_and(|own| own.lineage >= *lineage);
                member.incarnation == incarnation && holds
            };
            let living = copy.voters().into_iter().enumerate().filter(|voter| lives(*voter)).count();
            if living > SEEDS / 2 {
                self.violation = Some("committed entries are lost though a majority lives");
            }
            *committed = None;
        }
    }
}
