//! What a replica tells its owner about itself.

use crate::identity::{Lineage, NodeId, Nonce, Rank, Slot};
use crate::membership::Membership;

/// A replica at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The incarnation.
    pub nonce: Nonce,
    /// Its lineage, or none.
    pub lineage: Lineage,
    /// Its id there, or none.
    pub node: NodeId,
    /// It votes in no lineage below this one.
    pub floor: Lineage,
    /// How advanced its copy is.
    pub copy: Option<Rank>,
    /// What it does in its lineage.
    pub role: Role,
    /// The leader's slot, if one is heard.
    pub leader: Option<Slot>,
    /// Term of the raft.
    pub term: u64,
    /// Committed index.
    pub committed: u64,
    /// Applied index.
    pub applied: u64,
    /// Bytes of the log that are kept: what is not committed, and the tail for members that lag.
    pub log_bytes: usize,
    /// Who belongs to the lineage, as far as the log was applied.
    pub membership: Membership,
    /// Whether nothing is being replaced, the leader says so, and this member belongs to it: safe to be called ready.
    pub is_settled: bool,
    /// What is going on besides.
    pub phase: Phase,
}

/// What a member does in its lineage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It belongs to none.
    Apart,
    /// It belongs to one, but has not got its state yet.
    Blank,
    /// It holds the state and does not vote.
    Learner,
    /// It holds the state and votes.
    Follower,
    /// It orders the entries.
    Leader,
}

/// What a member is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing special.
    Usual,
    /// It waits to be admitted to a lineage.
    Joining,
    /// It is not admitted, because its software does not know the level.
    Outdated,
    /// It asks others whether a lineage may be formed.
    Forming,
    /// It has given its word for a lineage to be formed by another member.
    Pledged,
}
