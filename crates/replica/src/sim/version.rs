//! Which software is started: in some runs older and newer, mixed, until only the newest is left.

use sterna_model::Random;

use super::Profile;
use super::world::{Process, Return, World};
use crate::identity::{Level, Slot};
use crate::status::Phase;

/// What the newest software of a mixed run knows.
const NEWEST: Level = Level(3);
/// Keeps what is drawn here apart from the rest of the run.
const STREAM: u64 = 0x6c65_7665_6c73;
/// One of so many runs is mixed.
const MIXED: u64 = 3;
/// Looks, on average, until somebody starts newer software where it is needed.
const LOOKS: u64 = 20;

/// The software there is.
#[derive(Debug)]
pub(super) struct Versions {
    random: Random,
    newest: Level,
}

impl Versions {
    pub(super) fn of(seed: u64, profile: Profile) -> Self {
        let mut random = Random::new(seed ^ STREAM);
        let is_mixed = random.below(MIXED) == 0 && !matches!(profile, Profile::Once(_));
        Self { random, newest: if is_mixed { NEWEST } else { Level::FIRST } }
    }

    /// The newest there is.
    pub(super) fn newest(&self) -> Level {
        self.newest
    }

    /// What a new process knows.
    pub(super) fn draw(&mut self) -> Level {
        Level(1 + self.random.below(u64::from(self.newest.0)) as u16)
    }
}

impl World {
    /// Whether some process is not of the newest software.
    pub(super) fn is_somebody_old(&self) -> bool {
        self.processes.values().any(|one| self.is_old(one))
    }

    fn is_old(&self, process: &Process) -> bool {
        process.replica.settings.level_max < self.versions.newest()
    }

    /// Newer software is started where nothing goes on without it; in the end everywhere, one after the other.
    pub(super) fn upgrade(&mut self) {
        if !self.is_somebody_old() {
            return;
        }
        let is_refused = |one: &&Process| one.replica.status().phase == Phase::Outdated;
        let refused: Vec<Slot> =
            self.processes.iter().filter(|(_, one)| is_refused(one)).map(|(slot, _)| *slot).collect();
        for slot in refused {
            if self.versions.random.below(LOOKS) == 0 {
                self.report.refused += 1;
                self.newest_from_now.insert(slot);
                self.kill(slot);
                self.start_after(slot, 100_000);
            }
        }
        if self.is_healing && self.is_recovered() {
            let old = self.processes.iter().find(|(_, one)| self.is_old(one)).map(|(slot, _)| *slot);
            old.into_iter().for_each(|slot| self.leave(slot, Return::After(100_000)));
        }
    }
}
