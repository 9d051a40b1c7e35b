//! What members say to each other. The bytes are in `codec`; the page docs/protocol/peer-v1.md is normative.

use bytes::Bytes;

use crate::identity::{Level, Lineage, NodeId, Nonce, Rank, Slot, TransferId};
use crate::membership::Membership;

/// One frame between two members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Lineage of the sender, or none.
    pub lineage: Lineage,
    /// The sender's id there, or none.
    pub from: NodeId,
    /// The receiver's id there, or none if the sender does not know it.
    pub to: NodeId,
    /// What is said.
    pub body: Body,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// "This is what I am": sent all the time.
    Presence(Presence),
    /// A message of the raft of the header's lineage.
    Raft {
        /// Term of the message.
        term: u64,
        /// The message.
        message: RaftMessage,
    },
    /// To an incarnation: "you are the header's `to` in this lineage".
    Admit {
        /// The incarnation.
        nonce: Nonce,
    },
    /// To an incarnation that asked to leave: "you are no longer of this lineage".
    Dismiss {
        /// The incarnation.
        nonce: Nonce,
    },
    /// A question of a founder-to-be.
    Ask {
        /// Which round.
        round: Round,
        /// The lineage to be formed.
        number: Lineage,
        /// The founder's incarnation.
        nonce: Nonce,
    },
    /// The answer to it: yes.
    Answer {
        /// Which round.
        round: Round,
        /// The lineage to be formed.
        number: Lineage,
        /// What the answering member is, from now on frozen.
        stance: Stance,
    },
    /// The answer to it: no.
    Decline {
        /// The lineage that is not to be formed.
        number: Lineage,
        /// The largest lineage that the answering member has heard of.
        seen: Lineage,
    },
    /// A founder asks a bound member for its copy.
    Fetch {
        /// The lineage to be formed.
        number: Lineage,
        /// The founder's incarnation.
        nonce: Nonce,
    },
    /// A state transfer begins.
    Offer {
        /// Number of the transfer at its sender.
        transfer: TransferId,
        /// What is transferred.
        cargo: Cargo,
    },
    /// A part of the state.
    Chunk {
        /// Number of the transfer at its sender.
        transfer: TransferId,
        /// Number of the chunk, from 0.
        number: u64,
        /// Whether it is the last one.
        last: bool,
        /// The part.
        bytes: Bytes,
    },
    /// All chunks below `next` have been taken; 0 accepts the offer.
    Taken {
        /// Number of the transfer at its sender.
        transfer: TransferId,
        /// The chunk that is wanted next.
        next: u64,
    },
    /// One side gives the transfer up.
    Abandon {
        /// Number of the transfer at its sender.
        transfer: TransferId,
        /// Whether it is the sender of the state who says so.
        by_sender: bool,
    },
}

/// The rounds of a formation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// "Stop where you are, and tell what you have." Ends by itself when a leader is heard of again.
    Promise,
    /// "You have stood still since then: now it is for good."
    Confirm,
}

/// What a member is, as the rule of formation needs to know it. The header's lineage and `from` belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stance {
    /// The incarnation.
    pub nonce: Nonce,
    /// The highest level that it knows.
    pub level_max: Level,
    /// Its lineage, or none.
    pub lineage: Lineage,
    /// Its id there, or none.
    pub node: NodeId,
    /// It votes in no lineage below this one.
    pub floor: Lineage,
    /// Its copy of the state, whose lineage may be an older one.
    pub copy: Option<Rank>,
    /// Voters of its lineage, as far as it has applied the log.
    pub voters: Vec<(Slot, NodeId)>,
    /// Voters of the old half of a joint configuration.
    pub outgoing: Vec<(Slot, NodeId)>,
}

/// What a member says of itself all the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Grows with each one; an older one that comes later is passed over.
    pub revision: u64,
    /// What it is.
    pub stance: Stance,
    /// The largest lineage that it has heard of.
    pub seen: Lineage,
    /// The lineage that it wants to be admitted to, or none.
    pub joins: Lineage,
    /// The lineage that it is forming, or none.
    pub forming: Lineage,
    /// Index up to which it has applied the log of its lineage.
    pub applied: u64,
    /// The leader that it hears, perhaps itself, or none.
    pub leader: NodeId,
    /// A leader's word that no replacement is wanted or under way, see rule 3.
    pub settled: bool,
    /// Whether it wants to leave for good.
    pub leaving: bool,
}

/// A message of the raft, without its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RaftMessage {
    /// Entries, and how far the log is committed.
    Append {
        /// Term of the entry before the first one.
        log_term: u64,
        /// Index of the entry before the first one.
        index: u64,
        /// Committed index.
        commit: u64,
        /// Entries with the indices that follow.
        entries: Vec<Entry>,
    },
    /// The log matches up to `index`.
    Appended {
        /// Index.
        index: u64,
        /// Committed index of the follower.
        commit: u64,
    },
    /// The log does not match at `index`.
    NotAppended {
        /// Index of the append.
        index: u64,
        /// Committed index of the follower.
        commit: u64,
        /// Index where it may match.
        hint: u64,
        /// Term of the follower's entry there.
        hint_term: u64,
    },
    /// A candidate asks for a vote.
    AskVote(VoteRequest),
    /// The answer to it.
    Vote {
        /// Whether it was a trial.
        trial: bool,
        /// Whether the vote is given.
        granted: bool,
        /// Committed index of the voter.
        commit: u64,
        /// Term of that entry.
        commit_term: u64,
    },
    /// The leader is there.
    Heartbeat {
        /// Committed index, as far as the follower has it.
        commit: u64,
    },
    /// The follower is there.
    HeartbeatSeen {
        /// Committed index of the follower.
        commit: u64,
    },
    /// The leader hands over: campaign now.
    TimeoutNow,
}

/// A candidate's question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoteRequest {
    /// Whether it is a trial that changes nothing (pre-vote).
    pub trial: bool,
    /// Whether the leader asked for it, so that voters need not wait for the leader's silence.
    pub handed_over: bool,
    /// Term of the candidate's last entry.
    pub log_term: u64,
    /// Its index.
    pub index: u64,
    /// Committed index of the candidate.
    pub commit: u64,
    /// Term of that entry.
    pub commit_term: u64,
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its term.
    pub term: u64,
    /// What it is.
    pub kind: EntryKind,
    /// A command as the owner proposed it, or an encoded change of members.
    pub bytes: Bytes,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A command of the owner; empty at the beginning of a term.
    Command,
    /// A change of members.
    Change,
}

/// What a state transfer brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cargo {
    /// The leader's checkpoint for a member of its lineage.
    Checkpoint {
        /// Term of the leader.
        term: u64,
        /// The log goes on after this index.
        index: u64,
        /// Term of the entry there.
        log_term: u64,
        /// Who belonged to the lineage at that index.
        membership: Membership,
    },
    /// A bound member's copy for a founder.
    Salvage {
        /// The lineage to be formed.
        number: Lineage,
        /// How advanced the copy is.
        rank: Rank,
    },
}
