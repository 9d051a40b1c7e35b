//! What goes between a core and other members, and what it tells its operator.

use bytes::Bytes;
use sterna_model::Epoch;
use sterna_replica::{Level, Nonce, Slot};

use super::Effect;

/// What a call brought about.
#[derive(Debug, Default)]
pub struct Outputs {
    /// For the shards, in order.
    pub effects: Vec<Effect>,
    /// For other members, in order for each of them and each channel.
    pub frames: Vec<PeerFrame>,
    /// For the operator, and for the member's life.
    pub notices: Vec<Notice>,
}

/// Which connection of a link. Bulk does not delay the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Log, votes, presence.
    Log,
    /// Publishes on their way to the leader, standard messages.
    Forward,
    /// State transfers.
    Transfer,
}

/// A frame for another member; to be dropped if there is no link.
#[derive(Clone, Debug)]
pub struct PeerFrame {
    /// To whom.
    pub to: Slot,
    /// Over which connection.
    pub channel: Channel,
    /// The whole frame.
    pub bytes: Bytes,
}

/// What another member, or the link to it, says. The link is authenticated.
#[derive(Clone, Debug)]
pub enum PeerEvent {
    /// The link is up; no frame of an earlier one follows.
    Up {
        /// The slot at the other end.
        slot: Slot,
    },
    /// The link is down.
    Down {
        /// The slot at the other end.
        slot: Slot,
    },
    /// A whole frame.
    Frame {
        /// The slot at the other end.
        slot: Slot,
        /// Over which connection.
        channel: Channel,
        /// The frame.
        bytes: Bytes,
    },
}

/// What an operator should know, or the process must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Another member, or this one, leads now; nobody, if none.
    Leads {
        /// Its slot.
        leader: Option<Slot>,
        /// Number of the election.
        term: u64,
    },
    /// This member has founded a lineage.
    Founded {
        /// Its epoch.
        epoch: Epoch,
        /// Whether messages of an earlier one were saved.
        is_salvaged: bool,
    },
    /// The state has arrived from another member.
    Installed {
        /// Its epoch.
        epoch: Epoch,
        /// Subjects in it.
        subjects: usize,
    },
    /// A majority is gone: this member, which holds a state, stands by for a new lineage.
    Bound,
    /// This member could not go on and begins anew.
    Reborn {
        /// The new incarnation.
        nonce: Nonce,
    },
    /// From now on the log is applied at another level than before.
    Switched {
        /// The level.
        level: Level,
    },
    /// The cluster is at a level that this software does not know: the member is not admitted.
    Outdated {
        /// The cluster's level.
        level: Level,
    },
    /// A frame of another member was not taken.
    Suspicious {
        /// Who sent it.
        slot: Slot,
        /// What is wrong with it.
        why: String,
    },
    /// The member may stop.
    Left,
    /// The process must end; a new one joins as a new incarnation.
    Broken {
        /// For the log.
        why: String,
    },
}
