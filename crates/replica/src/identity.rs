//! Who is who: lineages, slots, incarnations and their node ids.

use std::fmt;

/// A life of the log; the epoch that clients see. Two lineages never have the same number, see [`Lineage::after`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Lineage(pub u64);

/// Bits of a lineage below its milliseconds: 6 of the founder's slot, 5 of its nonce.
const FOUNDER_BITS: u32 = 11;
const NONCE_BITS: u32 = 5;
/// Milliseconds among which a founder picks by its nonce, if the wall clock does not tell lineages apart.
const SPREAD_MS: u128 = 1 << 6;

impl Lineage {
    /// No lineage.
    pub const NONE: Self = Self(0);
    /// The largest number that clients can read exactly (2^53 - 1).
    pub const MAX: Self = Self((1 << 53) - 1);

    /// A number above `seen`, not below the wall clock (`wall_ms` milliseconds since 1970), that no other incarnation
    /// takes: the low bits are those of the founder. A founder that crashes and comes back, and hears the same `seen`
    /// again, must not take the number of its predecessor: it is later, or if its clock went back, another nonce
    /// leads elsewhere. None when the numbers are used up, in the year 2109.
    #[must_use]
    pub fn after(seen: Self, wall_ms: u64, slot: Slot, nonce: Nonce) -> Option<Self> {
        let seen_ms = seen.0 >> FOUNDER_BITS;
        let spread_ms = ((nonce.0 >> NONCE_BITS) % SPREAD_MS) as u64;
        let moment_ms = if wall_ms > seen_ms { wall_ms } else { seen_ms + 1 + spread_ms };
        let founder = u64::from(slot.0 % 64) << NONCE_BITS | (nonce.0 as u64 % (1 << NONCE_BITS));
        let number = moment_ms.checked_mul(1 << FOUNDER_BITS)? | founder;
        (number <= Self::MAX.0).then_some(Self(number))
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A position in `ClusterMembers`, from 0. At most one process of a slot is alive at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u16);

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// 128 random bits per start of a process: one *incarnation* of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nonce(pub u128);

/// An incarnation's number within a lineage, never used twice there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u64);

/// What is added to the log index of the entry that admits an incarnation.
const ADMITTED_BASE: u64 = 1000;

impl NodeId {
    /// Nobody, or not known.
    pub const NONE: Self = Self(0);

    /// The id that the founding of a lineage gives to a seed slot, also to one that nobody occupies.
    #[must_use]
    pub fn founding(slot: Slot) -> Self {
        Self(u64::from(slot.0) + 1)
    }

    /// The id of the incarnation that the entry at `index` admits.
    #[must_use]
    pub fn admitted(index: u64) -> Self {
        Self(ADMITTED_BASE + index)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A number for how the log is applied. Software that applies an entry in another way than before knows one more level;
/// all members change to it at one index, see docs/adr/2026-11-22-levels.md.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Level(pub u16);

impl Level {
    /// The lowest, with which every cluster can begin.
    pub const FIRST: Self = Self(1);
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How advanced a copy of the state is, its log tail included: the end of its log. Copies compare by lineage, then
/// term, then index, as logs do in an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rank {
    /// Lineage of the copy.
    pub lineage: Lineage,
    /// Term of its last entry.
    pub term: u64,
    /// Index of its last entry.
    pub index: u64,
    /// The level after that entry. It follows from the others.
    pub level: Level,
}

/// A state transfer, numbered by the member that sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransferId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_790_000_000_000;

    #[test]
    fn lineages_grow_with_the_clock_and_with_what_was_seen() {
        let first = Lineage::after(Lineage::NONE, NOW_MS, Slot(63), Nonce(31)).unwrap();
        assert!(first.0 >= NOW_MS);
        let later = Lineage::after(Lineage::NONE, NOW_MS + 1, Slot(0), Nonce(0)).unwrap();
        assert!(later > first, "a millisecond decides, whoever founds, and whatever was seen");
        let next = Lineage::after(first, NOW_MS, Slot(0), Nonce(7)).unwrap();
        assert!(next > first);
        assert!(Lineage::after(next, 0, Slot(2), Nonce(0)).unwrap() > next, "a clock that went back");
    }

    #[test]
    fn incarnations_of_one_slot_and_other_slots_take_different_numbers() {
        let number =
            |slot, nonce| Lineage::after(Lineage(NOW_MS << 11), NOW_MS, Slot(slot), Nonce(nonce)).unwrap();
        assert_ne!(number(0, 1), number(0, 2));
        assert_ne!(
            number(0, 1),
            number(0, 1 + 32),
            "more of the nonce tells them apart than fits into the low bits"
        );
        assert_ne!(number(0, 1), number(1, 1));
    }

    #[test]
    fn numbers_end_where_clients_cannot_read_them() {
        assert_eq!(Lineage::after(Lineage::MAX, NOW_MS, Slot(0), Nonce(0)), None);
        assert_eq!(Lineage::after(Lineage::NONE, u64::MAX, Slot(0), Nonce(0)), None);
    }

    #[test]
    fn founding_and_admitted_ids_do_not_meet() {
        assert!(NodeId::founding(Slot(crate::limit::SEEDS_MAX - 1)) < NodeId::admitted(1));
    }
}
