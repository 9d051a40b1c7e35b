//! Where a message stands within its subject, and what a resume can promise.

use std::fmt;

/// The lineage of the cluster's memory. It changes only when continuity with the past cannot be promised.
/// At least the wall clock in seconds when the lineage began, so a later lineage has a higher epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Epoch(pub u64);

/// Number of a guaranteed message within its subject and epoch. Grows by one for each; 0 means "none yet".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A place in a subject's order: epoch and seq together. The same on every member.
///
/// A client that holds position `(7, 41)` and resumes is answered *complete* and gets 42, 43, ... while the
/// subject's history still holds 42; *gap* if the epoch is still 7 but 42 is gone; *reset* if the epoch is
/// no longer 7 (so 42 of today would not be the 42 it expects).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position {
    /// Lineage.
    pub epoch: Epoch,
    /// Number within the lineage.
    pub seq: Seq,
}

impl Position {
    /// Position from plain numbers.
    #[must_use]
    pub fn new(epoch: u64, seq: u64) -> Self {
        Self { epoch: Epoch(epoch), seq: Seq(seq) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch.0, self.seq.0)
    }
}

/// What a subscription could promise about the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// No position was given: a fresh subscription.
    Fresh,
    /// Everything after the given position follows, then the live flow.
    Complete,
    /// Some messages after the given position are gone; the snapshot follows, then the live flow.
    Gap,
    /// The given position belongs to another lineage; the snapshot follows, then the live flow.
    Reset,
}

impl Recovery {
    /// Name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Complete => "complete",
            Self::Gap => "gap",
            Self::Reset => "reset",
        }
    }
}
