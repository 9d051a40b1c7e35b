//! Which software each member runs: in some runs older and newer ones together, replaced one after the other, and now and
//! then by an older one; in the end all are new.

use sterna_broker::core::{LEVEL_MAX, REHEARSAL};
use sterna_model::Random;
use sterna_replica::{Level, Phase};

use crate::agenda::Happening;
use crate::member::MemberId;
use crate::scenario::Scenario;
use crate::world::World;

/// Keeps what is drawn here apart from the rest of the run.
const STREAM: u64 = 0x6c65_7665_6c73_2121;
/// How often somebody looks whose software is to be replaced, microseconds.
const LOOK_US: u64 = 500_000;

/// The software of all members.
#[derive(Debug)]
pub(crate) struct Versions {
    random: Random,
    is_mixed: bool,
    /// How long each turn of a core takes at least, microseconds: what several members publish meanwhile meets in one
    /// command, which is where levels differ.
    turn_us: u64,
    /// The highest level that each member's software knows when it starts next.
    installed: Vec<Level>,
}

impl Versions {
    /// Of a mixed run, clients get more to do with each other.
    pub(crate) fn of(seed: u64, scenario: &mut Scenario) -> Self {
        let mut random = Random::new(seed ^ STREAM);
        let members = scenario.cluster.members;
        let is_mixed = random.percent(40) && members > 1 && scenario.is_continuous();
        let mut first = || if is_mixed { random.pick(&[LEVEL_MAX, LEVEL_MAX, REHEARSAL]) } else { LEVEL_MAX };
        let installed = (0..members).map(|_| first()).collect();
        let turn_us = if is_mixed { random.pick(&[0, 20_000, 60_000]) } else { 0 };
        if is_mixed {
            (scenario.clients, scenario.subjects, scenario.operation_us) = (6, 1, 20_000);
        }
        Self { random, is_mixed, turn_us, installed }
    }

    /// How long each turn of a core takes at least, microseconds.
    pub(crate) fn turn_us(&self) -> u64 {
        self.turn_us
    }

    /// What the member's software knows when it starts next.
    pub(crate) fn installed(&self, member: MemberId) -> Level {
        self.installed[usize::from(member.0)]
    }
}

impl World {
    /// Plans when which software is installed.
    pub(crate) fn plan_versions(&mut self) {
        let versions = &mut self.stage.versions;
        if !versions.is_mixed {
            return;
        }
        let chaos_us = self.stage.scenario.chaos_us;
        for member in (0..self.stage.scenario.cluster.members).map(MemberId) {
            let mut at_us = versions.random.below(chaos_us);
            self.stage.agenda.at(at_us, Happening::Install(member, REHEARSAL));
            if versions.random.percent(40) {
                at_us += versions.random.below(chaos_us);
                self.stage.agenda.at(at_us, Happening::Install(member, LEVEL_MAX));
                at_us += versions.random.between(500_000, 5_000_000);
                self.stage.agenda.at(at_us, Happening::Install(member, REHEARSAL));
            }
        }
        self.stage.agenda.after(LOOK_US, Happening::Update);
    }

    /// A member has other software from its next start on.
    pub(crate) fn install(&mut self, member: MemberId, level: Level) {
        if !self.stage.calm {
            self.stage.say(|| format!("member {} gets software of level {level}", member.0));
            self.stage.versions.installed[usize::from(member.0)] = level;
        }
    }

    /// In the end all members get the new software.
    pub(crate) fn install_everywhere(&mut self) {
        if self.stage.versions.is_mixed {
            self.stage.versions.installed.fill(REHEARSAL);
        }
    }

    /// Restarts a member whose process is not of the software that is installed, if that may be. The operator of a rough
    /// run does not look how the others are, while things go wrong.
    pub(crate) fn update(&mut self) {
        let candidates: Vec<MemberId> =
            self.stage.members().filter(|member| self.runs_other(*member)).collect();
        let careful = self.stage.calm || self.stage.scenario.cluster.is_gentle;
        let refused = candidates.iter().copied().find(|member| self.is_outdated(*member));
        let chosen = refused.or_else(|| {
            let may = !careful || (!candidates.is_empty() && self.is_whole());
            candidates.first().copied().filter(|_| may)
        });
        if let Some(member) = chosen {
            self.stage.tally.updates += 1;
            self.leave(member);
        }
        self.stage.agenda.after(LOOK_US, Happening::Update);
    }

    fn runs_other(&self, member: MemberId) -> bool {
        let running = self.members[usize::from(member.0)].running();
        running.is_some_and(|running| {
            !running.is_leaving() && running.level_max() != self.stage.versions.installed(member)
        })
    }

    /// Whether the process is not admitted because it is too old.
    fn is_outdated(&self, member: MemberId) -> bool {
        let running = self.members[usize::from(member.0)].running();
        let replica = running.and_then(|running| running.status().replica);
        replica.is_some_and(|replica| replica.phase == Phase::Outdated)
    }

    /// What is not yet as new as it should be, if anything.
    pub(crate) fn outdated_member(&self) -> Option<String> {
        let members = self.stage.members();
        let mut running = members.filter_map(|member| self.members[usize::from(member.0)].running());
        let is_new = |level: Option<Level>| !self.stage.versions.is_mixed || level == Some(REHEARSAL);
        running.find_map(|running| {
            let level = running.status().replica.map(|replica| replica.membership.level);
            let is_good = is_new(level) && is_new(Some(running.level_max()));
            (!is_good).then(|| format!("a member that knows {} is at level {level:?}", running.level_max()))
        })
    }
}
