//! What the owner decides before a replica starts.

use crate::identity::{Level, Lineage, Nonce, Slot};
use crate::limit::{CHUNK_BYTES_MAX, COMMAND_BYTES_MAX, MEMBERS_MAX, SEEDS_MAX};
use crate::sabotage::Sabotage;

/// Settings of a replica. All members of a cluster need the same `seeds` and `members`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The member's own position in `ClusterMembers`.
    pub slot: Slot,
    /// Random bits, drawn anew at each start of the process.
    pub nonce: Nonce,
    /// Seed of everything that is decided by chance: election time-outs, pauses, later nonces.
    pub seed: u64,
    /// The first slots, whose current incarnations vote.
    pub seeds: u16,
    /// All slots that may ever run.
    pub members: u16,
    /// The highest lineage that the owner remembers of earlier lives, or none: new ones are above it.
    pub seen: Lineage,
    /// The highest level that the owner knows how to apply; it knows all below.
    pub level_max: Level,
    /// Time between two ticks of the raft, which the owner keeps by `Input::Tick`.
    pub tick_ms: u64,
    /// Ticks between two heartbeats of a leader.
    pub heartbeat_ticks: u16,
    /// An election begins after this many ticks without a leader, or up to twice as many.
    pub election_ticks: u16,
    /// Time between two words of presence to each member.
    pub presence_ms: u64,
    /// A member that was not heard of for so long is not counted as present.
    pub presence_lost_ms: u64,
    /// Without a leader for so long, a member takes part in the formation of a lineage.
    pub quorum_lost_ms: u64,
    /// Time for other members to be found before a lineage is formed, so that the most advanced copy is among
    /// them. Ends early when all slots are present.
    pub formation_wait_ms: u64,
    /// Time for the answers to one round of questions of a formation.
    pub round_ms: u64,
    /// A member that can no longer take part in a lineage which works without it starts anew after this time.
    pub rebirth_ms: u64,
    /// Bytes of applied entries that a leader keeps for a member that lags, or that the state is on its way to. While
    /// half of them are not enough for what is proposed during a transfer, proposals wait. While nobody lags it is a
    /// quarter; of a member that is alone, nothing.
    pub log_tail_bytes_max: usize,
    /// Bytes of entries that a leader takes before they are committed; more is refused as busy.
    pub uncommitted_bytes_max: usize,
    /// Bytes of entries in one append frame; one entry may be larger.
    pub append_bytes_max: usize,
    /// Bytes of one chunk of a state transfer.
    pub chunk_bytes_max: usize,
    /// Bytes of state that all transfers together may send in a tick.
    pub transfer_bytes_per_tick: usize,
    /// Which rule a test breaks.
    #[cfg(test)]
    pub(crate) sabotage: Sabotage,
}

/// Why settings cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The own slot is not among the members, or the numbers of seeds and members are out of bounds.
    #[error("1 to {SEEDS_MAX} seeds among at most {MEMBERS_MAX} members, and the own slot is one of them")]
    Slots,
    /// Times that cannot work together.
    #[error("times grow: tick, heartbeat, half an election time-out, quorum_lost_ms; none is 0")]
    Times,
    /// Every owner knows the first level.
    #[error("the highest level is not 0")]
    Level,
    /// Sizes that cannot work together.
    #[error("sizes are not 0, within the limits, and the uncommitted bytes hold an append")]
    Sizes,
}

impl Settings {
    /// Settings for a local network.
    #[must_use]
    pub fn new(slot: Slot, nonce: Nonce, seed: u64, seeds: u16, members: u16) -> Self {
        Self {
            slot,
            nonce,
            seed,
            seeds,
            members,
            seen: Lineage::NONE,
            level_max: Level::FIRST,
            tick_ms: 25,
            heartbeat_ticks: 2,
            election_ticks: 16,
            presence_ms: 100,
            presence_lost_ms: 1_000,
            quorum_lost_ms: 2_000,
            formation_wait_ms: 3_000,
            round_ms: 1_000,
            rebirth_ms: 5_000,
            log_tail_bytes_max: 32 << 20,
            uncommitted_bytes_max: 16 << 20,
            append_bytes_max: 256 << 10,
            chunk_bytes_max: 64 << 10,
            transfer_bytes_per_tick: 2 << 20,
            #[cfg(test)]
            sabotage: Sabotage::None,
        }
    }

    /// How many of the seeds are a majority.
    #[must_use]
    pub fn majority(&self) -> usize {
        usize::from(self.seeds) / 2 + 1
    }

    /// Whether the slot's incarnations vote.
    #[must_use]
    pub fn is_seed(&self, slot: Slot) -> bool {
        slot.0 < self.seeds
    }

    /// Whether a test breaks this rule.
    #[cfg(test)]
    pub(crate) fn breaks(&self, rule: Sabotage) -> bool {
        self.sabotage == rule
    }

    /// Nobody breaks a rule outside of tests.
    #[cfg(not(test))]
    pub(crate) fn breaks(&self, _rule: Sabotage) -> bool {
        false
    }

    /// Checks the values against each other.
    ///
    /// # Errors
    /// Says which group of values cannot be used.
    pub fn check(&self) -> Result<(), SettingsError> {
        let seeds = (1..=SEEDS_MAX).contains(&self.seeds);
        let members = (self.seeds..=MEMBERS_MAX).contains(&self.members);
        if !seeds || !members || self.slot.0 >= self.members {
            return Err(SettingsError::Slots);
        }
        if self.level_max < Level::FIRST {
            return Err(SettingsError::Level);
        }
        let election_ms = self.tick_ms.saturating_mul(2 * u64::from(self.election_ticks));
        let times = [self.tick_ms, self.presence_ms, self.round_ms, self.rebirth_ms];
        let presence = self.presence_ms < self.presence_lost_ms;
        let ticks = 0 < self.heartbeat_ticks && self.heartbeat_ticks < self.election_ticks;
        if times.contains(&0) || !presence || !ticks || self.quorum_lost_ms < election_ms {
            return Err(SettingsError::Times);
        }
        let append = (1..=COMMAND_BYTES_MAX).contains(&self.append_bytes_max)
            && self.append_bytes_max <= self.uncommitted_bytes_max;
        let chunk = (1..=CHUNK_BYTES_MAX).contains(&self.chunk_bytes_max);
        if !append || !chunk || self.transfer_bytes_per_tick == 0 {
            return Err(SettingsError::Sizes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let good = Settings::new(Slot(4), Nonce(1), 1, 3, 5);
        assert_eq!(good.check(), Ok(()));
        assert_eq!(good.majority(), 2);
        let slots = [(5, 3, 5), (0, 0, 5), (0, 4, 3), (0, 10, 12), (0, 3, 65)];
        for (slot, seeds, members) in slots {
            let bad = Settings::new(Slot(slot), Nonce(1), 1, seeds, members);
            assert_eq!(bad.check(), Err(SettingsError::Slots), "{slot} {seeds} {members}");
        }
        let times = Settings { quorum_lost_ms: 100, ..good };
        assert_eq!(times.check(), Err(SettingsError::Times));
        let level = Settings { level_max: Level(0), ..good };
        assert_eq!(level.check(), Err(SettingsError::Level));
        let sizes = Settings { append_bytes_max: 1 << 30, ..good };
        assert_eq!(sizes.check(), Err(SettingsError::Sizes));
    }
}
