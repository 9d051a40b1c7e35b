//! What must always hold, seen from outside: by the outputs of all processes and what they say of themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::world::Process;
use crate::engine::Engine;
use crate::identity::{Level, Lineage, NodeId, Nonce, Rank, Slot};
use crate::membership::Membership;
use crate::replica::Replica;
use crate::status::{Role, Status};

/// What a look depends on, told at little cost: processes are looked at after each of their steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Glance {
    nonce: Option<Nonce>,
    floor: Lineage,
    place: (Lineage, NodeId),
    term: u64,
    leads: bool,
    is_installed: bool,
    changed_at: u64,
}

impl Glance {
    pub(super) fn of(replica: &Replica) -> Self {
        let engine = replica.seat.as_ref().map(|seat| &seat.engine);
        Self {
            nonce: Some(replica.nonce),
            floor: replica.floor,
            place: replica.place(),
            term: engine.map_or(0, Engine::term),
            leads: engine.is_some_and(Engine::is_leader),
            is_installed: engine.is_some_and(Engine::is_installed),
            changed_at: engine.map_or(0, |engine| engine.membership().changed_at),
        }
    }
}

/// What is known of a lineage.
#[derive(Clone, Debug, Default)]
struct Life {
    founder: Option<(Slot, Nonce)>,
    /// A later one could go on when it was founded.
    is_stillborn: bool,
    /// Term, number and level of each committed entry.
    log: BTreeMap<u64, (u64, u64, Level)>,
    /// The newest membership that somebody has applied.
    membership: Membership,
    /// All of them, by the index of the change.
    memberships: BTreeMap<u64, Membership>,
    /// Incarnations that have held its state.
    holders: BTreeSet<Nonce>,
    /// What it began with.
    inherited: BTreeSet<u64>,
}

/// Sums of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) lineages: usize,
    pub(super) committed: usize,
    pub(super) acknowledged: usize,
    pub(super) lost: usize,
    pub(super) replaced: usize,
    pub(super) raised: usize,
}

/// The memory of the oracle.
#[derive(Debug)]
pub(super) struct Oracle {
    seeds: usize,
    lives: BTreeMap<Lineage, Life>,
    /// Who acted under an id.
    actors: BTreeMap<(Lineage, NodeId), Nonce>,
    leaders: BTreeMap<(Lineage, u64), NodeId>,
    /// The lineage that each incarnation was in last, and the last index it applied there.
    past: BTreeMap<Nonce, (Lineage, Lineage, u64)>,
    /// Numbers that were committed and not lost since.
    committed: BTreeSet<u64>,
    acknowledged: usize,
    lost: usize,
}

impl Oracle {
    pub(super) fn new(seeds: u16) -> Self {
        Self {
            seeds: usize::from(seeds),
            lives: BTreeMap::new(),
            actors: BTreeMap::new(),
            leaders: BTreeMap::new(),
            past: BTreeMap::new(),
            committed: BTreeSet::new(),
            acknowledged: 0,
            lost: 0,
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let replaced = self.lives.values().map(|life| {
            let voters = life.membership.voters.iter();
            voters.filter(|node| node.0 > 1000).count()
        });
        let is_raised = |life: &&Life| {
            let levels: BTreeSet<Level> = life.log.values().map(|(_, _, level)| *level).collect();
            levels.len() > 1
        };
        Counts {
            lineages: self.lives.len(),
            committed: self.committed.len(),
            acknowledged: self.acknowledged,
            lost: self.lost,
            replaced: replaced.sum(),
            raised: self.lives.values().filter(is_raised).count(),
        }
    }

    /// Looks at a process after a step that changed its glance.
    pub(super) fn look(&mut self, slot: Slot, processes: &BTreeMap<Slot, Process>) -> Result<(), String> {
        let process = processes.get(&slot).ok_or("a process that is not there")?;
        let status = process.replica.status();
        if status.role == Role::Leader && status.is_settled {
            check_settled(process, &status.membership, processes)?;
        }
        let past = self.past.entry(status.nonce).or_default();
        if status.lineage != Lineage::NONE && status.lineage < past.0 {
            return Err(format!("went back from lineage {} to {}", past.0, status.lineage));
        }
        if status.floor < past.1 {
            return Err(format!("forgot its word for {}", past.1));
        }
        if status.lineage > past.0 {
            past.0 = status.lineage;
            past.2 = 0;
        }
        past.1 = status.floor;
        if status.lineage == Lineage::NONE {
            return Ok(());
        }
        if status.floor > status.lineage {
            return Err(format!("acts in {} below its word for {}", status.lineage, status.floor));
        }
        let actor = *self.actors.entry((status.lineage, status.node)).or_insert(status.nonce);
        if actor != status.nonce {
            return Err(format!("two incarnations are {} of {}", status.node, status.lineage));
        }
        if status.role == Role::Leader {
            let leader = *self.leaders.entry((status.lineage, status.term)).or_insert(status.node);
            if leader != status.node {
                return Err(format!("two leaders of term {}: {leader} and {}", status.term, status.node));
            }
        }
        if matches!(status.role, Role::Blank | Role::Apart) {
            return Ok(());
        }
        if process.replica.settings.level_max < status.membership.level {
            return Err(format!(
                "holds a state of level {}, which it does not know",
                status.membership.level
            ));
        }
        self.look_at_members(&status)
    }

    fn look_at_members(&mut self, status: &Status) -> Result<(), String> {
        let membership = &status.membership;
        let halves = [&membership.voters, &membership.outgoing];
        if membership.voters.is_empty()
            || halves.iter().any(|half| !half.is_empty() && half.len() != self.seeds)
        {
            return Err(format!("a configuration without exactly {} voters: {membership:?}", self.seeds));
        }
        let life = self.lives.entry(status.lineage).or_default();
        life.holders.insert(status.nonce);
        let known = life.memberships.entry(membership.changed_at).or_insert_with(|| membership.clone());
        if known != membership {
            return Err(format!("members differ at one index: {known:?} and {membership:?}"));
        }
        let before = life.memberships.range(..membership.changed_at).next_back();
        if let Some((_, before)) = before
            && before.level > membership.level
        {
            return Err(format!("the level fell: {before:?} to {membership:?}"));
        }
        if let Some((_, before)) = before
            && before.voters != membership.voters
            && (membership.outgoing != before.voters || before.is_joint())
        {
            return Err(format!("voters changed without a joint step: {before:?} to {membership:?}"));
        }
        if life.membership.changed_at <= membership.changed_at {
            life.membership = membership.clone();
        }
        Ok(())
    }

    /// A process has applied an entry.
    pub(super) fn applied(
        &mut self,
        nonce: Nonce,
        (lineage, index): (Lineage, u64),
        (term, number, level): (u64, u64, Level),
        acknowledged: bool,
    ) -> Result<(), String> {
        let life = self.lives.entry(lineage).or_default();
        if life.is_stillborn {
            return Err(format!("{index} is committed in {lineage}, which came too late"));
        }
        let known = *life.log.entry(index).or_insert((term, number, level));
        if known != (term, number, level) {
            return Err(format!("{index} is {:?}, elsewhere it was {known:?}", (term, number, level)));
        }
        let past = self.past.entry(nonce).or_default();
        if past.0 < lineage {
            *past = (lineage, past.1, 0);
        }
        if past.2 >= index {
            return Err(format!("applied {index} after {}", past.2));
        }
        past.2 = index;
        self.committed.insert(number);
        if acknowledged {
            self.acknowledged += 1;
        }
        Ok(())
    }

    /// A lineage begins: what it has must be all that could be kept, and it must have been needed.
    pub(super) fn founded(
        &mut self,
        slot: Slot,
        lineage: Lineage,
        salvaged: Option<Rank>,
        founders: &[(Slot, Nonce)],
        processes: &BTreeMap<Slot, Process>,
    ) -> Result<(), String> {
        let founder = processes.get(&slot).ok_or("a founder that is not there")?;
        let numbers = founder.owner.state.numbers();
        if self.lives.get(&lineage).is_some_and(|life| life.founder.is_some()) {
            return Err(format!("lineage {lineage} was founded twice"));
        }
        let peers = &founder.replica.peers;
        let is_gone = |(one, nonce): &&(Slot, Nonce)| *one != slot && peers.nonce(*one) != Some(*nonce);
        if let Some((one, _)) = founders.iter().find(is_gone) {
            return Err(format!("founded by the word of a dead incarnation of slot {one}"));
        }
        let can_go_on = |old: Lineage, life: &Life| lives(life, processes, |status| is_free(status, old));
        if self.lives.range(lineage..).any(|(later, life)| can_go_on(*later, life)) {
            // Those who promised have gone on to a later lineage: nothing can come of this one.
            self.lives.entry(lineage).or_default().is_stillborn = true;
            return Ok(());
        }
        let level = founder.replica.status().membership.level;
        if salvaged.is_some_and(|rank| rank.level != level) {
            return Err(format!("lineage {lineage} begins at level {level} with {salvaged:?}"));
        }
        self.check_best(salvaged, &numbers, founders, processes)?;
        for (old, life) in &self.lives {
            if can_go_on(*old, life) {
                return Err(format!("lineage {old} could go on when {lineage} was founded"));
            }
        }
        let gone: BTreeSet<u64> = self.committed.difference(&numbers).copied().collect();
        for number in &gone {
            self.check_excused(*number, processes)?;
        }
        self.lost += gone.len();
        self.committed.retain(|number| !gone.contains(number));
        let life = self.lives.entry(lineage).or_default();
        life.founder = Some((slot, founder.replica.status().nonce));
        life.inherited = numbers;
        Ok(())
    }

    /// Nothing was better among those that stood still for it.
    fn check_best(
        &self,
        salvaged: Option<Rank>,
        numbers: &BTreeSet<u64>,
        founders: &[(Slot, Nonce)],
        processes: &BTreeMap<Slot, Process>,
    ) -> Result<(), String> {
        for (slot, nonce) in founders {
            let Some(process) = processes.get(slot) else { continue };
            let status = process.replica.status();
            if status.nonce != *nonce || status.lineage != Lineage::NONE {
                continue;
            }
            if status.copy > salvaged {
                return Err(format!("slot {slot} had {:?}, but {salvaged:?} was salvaged", status.copy));
            }
            if status.copy.is_some() && status.copy == salvaged && process.owner.state.numbers() != *numbers {
                return Err(format!("the copy of slot {slot} is of the same rank and differs"));
            }
        }
        Ok(())
    }

    /// A committed number is lost. That is allowed only where each lineage that had it has lost its majority.
    fn check_excused(&self, number: u64, processes: &BTreeMap<Slot, Process>) -> Result<(), String> {
        for (lineage, life) in &self.lives {
            let had = life.inherited.contains(&number) || life.log.values().any(|(_, one, _)| *one == number);
            let is_holder = |status: &Status| life.holders.contains(&status.nonce);
            if had && lives(life, processes, is_holder) {
                return Err(format!("{number} of lineage {lineage} is lost, though its majority lives"));
            }
        }
        Ok(())
    }

    /// When all is well: everybody has the same, and nothing that was committed is missing.
    pub(super) fn finish(&self, processes: &BTreeMap<Slot, Process>) -> Result<(), String> {
        if self.committed.is_empty() {
            return Err("nothing was ever committed".into());
        }
        for (slot, process) in processes {
            let numbers = process.owner.state.numbers();
            let missing: Vec<u64> = self.committed.difference(&numbers).copied().take(5).collect();
            if !missing.is_empty() {
                return Err(format!("committed but not in slot {slot} in the end: {missing:?}"));
            }
        }
        let mut states = processes.values().map(|process| &process.owner.state);
        let first = states.next();
        match states.find(|state| Some(*state) != first) {
            Some(other) => Err(format!("states differ in the end: {first:?} and {other:?}")),
            None => Ok(()),
        }
    }
}

/// Rule 3: when a leader calls a replacement finished, those of whom it knows that they hold the state have applied the
/// final configuration.
fn check_settled(
    leader: &Process,
    membership: &Membership,
    processes: &BTreeMap<Slot, Process>,
) -> Result<(), String> {
    let replica = &leader.replica;
    for (slot, presence) in replica.peers.present(replica.now_ms) {
        let Some(other) = processes.get(&slot).map(|one| one.replica.status()) else { continue };
        let holds = presence.stance.copy.is_some_and(|rank| rank.lineage == other.lineage);
        let is_it = other.nonce == presence.stance.nonce && other.lineage == replica.place().0;
        let is_member = membership.find(slot, other.nonce).is_some();
        if is_it && holds && is_member && other.applied < membership.changed_at {
            return Err(format!("settled, but slot {slot} is not as far as {}", membership.changed_at));
        }
    }
    Ok(())
}

/// Whether a member can do something for a lineage: lead, or vote for one who can.
fn is_free(status: &Status, lineage: Lineage) -> bool {
    let holds = !matches!(status.role, Role::Blank | Role::Apart);
    holds && status.lineage == lineage && status.floor <= lineage
}

/// Whether a majority of the voters of the newest membership are processes that pass.
fn lives(life: &Life, processes: &BTreeMap<Slot, Process>, passes: impl Fn(&Status) -> bool) -> bool {
    let counts = |node: &NodeId| {
        let Some(one) = life.membership.incarnations.get(node) else { return false };
        let status = processes.get(&one.slot).map(|process| process.replica.status());
        status.is_some_and(|status| Some(status.nonce) == one.nonce && passes(&status))
    };
    let Membership { voters, outgoing, .. } = &life.membership;
    let halves = [voters, outgoing];
    !voters.is_empty()
        && halves
            .iter()
            .filter(|half| !half.is_empty())
            .all(|half| half.iter().filter(|node| counts(node)).count() > half.len() / 2)
}
