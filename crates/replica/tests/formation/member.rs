//! One slot of the model: its present incarnation and what that one knows.

use sterna_replica::frame::{Round, Stance};
use sterna_replica::{Level, Lineage, NodeId, Nonce, Rank, Slot};

/// Seed slots.
pub(crate) const SEEDS: usize = 3;

/// Incarnations of the seed slots; 0 is a placeholder.
pub(crate) type Voters = [u8; SEEDS];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) lineage: u8,
    pub(crate) term: u8,
    /// A replacement: the slot and its new incarnation.
    pub(crate) change: Option<(usize, u8)>,
}

/// The state and log of a lineage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Copy {
    pub(crate) lineage: u8,
    pub(crate) founders: Voters,
    pub(crate) log: Vec<Entry>,
}

impl Copy {
    pub(crate) fn voters(&self) -> Voters {
        let mut voters = self.founders;
        let own = self.log.iter().filter(|entry| entry.lineage == self.lineage);
        for (slot, incarnation) in own.filter_map(|entry| entry.change) {
            voters[slot] = incarnation;
        }
        voters
    }

    pub(crate) fn rank(&self) -> Rank {
        let last = self.log.last().filter(|entry| entry.lineage == self.lineage);
        let term = last.map_or(1, |entry| u64::from(entry.term));
        Rank {
            lineage: Lineage(u64::from(self.lineage)),
            term,
            index: self.log.len() as u64 + 1,
            level: Level::FIRST,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pledge {
    pub(crate) number: u8,
    pub(crate) to: (usize, u8),
    pub(crate) is_confirmed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    Promise,
    Confirm,
    /// The slot and incarnation with the best copy.
    Fetch(usize, u8),
}

impl Stage {
    pub(crate) fn round(self) -> Option<Round> {
        match self {
            Self::Promise => Some(Round::Promise),
            Self::Confirm => Some(Round::Confirm),
            Self::Fetch(..) => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Formation {
    pub(crate) number: u8,
    pub(crate) stage: Stage,
    /// Members as they were when they answered.
    pub(crate) answers: [Option<Box<Member>>; SEEDS],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    pub(crate) incarnation: u8,
    pub(crate) floor: u8,
    pub(crate) lineage: u8,
    /// That of the raft.
    pub(crate) term: u8,
    pub(crate) leads: bool,
    pub(crate) copy: Option<Copy>,
    pub(crate) pledge: Option<Pledge>,
    pub(crate) formation: Option<Formation>,
}

impl Member {
    pub(crate) fn blank(incarnation: u8) -> Self {
        let (copy, pledge, formation) = (None, None, None);
        Self { incarnation, floor: 0, lineage: 0, term: 0, leads: false, copy, pledge, formation }
    }

    /// The copy, if it is that of the lineage that the member is in.
    pub(crate) fn installed(&self) -> Option<&Copy> {
        self.copy.as_ref().filter(|copy| copy.lineage == self.lineage)
    }

    /// What it would answer, with nothing that does not matter to the founder.
    pub(crate) fn answer(&self) -> Box<Self> {
        Box::new(Self { term: 0, leads: false, pledge: None, formation: None, ..self.clone() })
    }

    /// In the words of the crate.
    pub(crate) fn stance(&self, slot: usize) -> Stance {
        let id = |slot: usize, incarnation: u8| NodeId(slot as u64 * 10 + u64::from(incarnation) + 1);
        let voters = self.installed().map(Copy::voters);
        let voters = voters.into_iter().flatten().enumerate();
        Stance {
            nonce: Nonce(u128::from(self.incarnation)),
            level_max: Level::FIRST,
            lineage: Lineage(u64::from(self.lineage)),
            node: if self.lineage == 0 { NodeId::NONE } else { id(slot, self.incarnation) },
            floor: Lineage(u64::from(self.floor)),
            copy: self.copy.as_ref().map(Copy::rank),
            voters: voters.map(|(slot, one)| (Slot(slot as u16), id(slot, one))).collect(),
            outgoing: vec![],
        }
    }
}
