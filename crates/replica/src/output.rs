//! What a replica wants done. The owner obeys in order.

use bytes::Bytes;

use crate::identity::{Level, Lineage, NodeId, Nonce, Rank, Slot, TransferId};

/// One thing to do, with its duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a frame over the link to a slot; drop it if the link is down or its queue is full. Frames of one channel
    /// stay in order. Everything that the frame says is stored already, because memory is the storage.
    Send {
        /// To whom.
        to: Slot,
        /// Bulk must not delay the rest.
        channel: Channel,
        /// The frame.
        frame: Bytes,
    },
    /// The command stands at this place of the log. It is committed if, and only if, `Apply` with the same index and
    /// term follows; another term at that index, or another lineage, means that it may be lost.
    Proposed {
        /// The owner's name for it.
        ticket: u64,
        /// Index of its entry.
        index: u64,
        /// Term of its entry.
        term: u64,
    },
    /// The command was not appended; nothing is left of it.
    Refused {
        /// The owner's name for it.
        ticket: u64,
        /// Why.
        refusal: Refusal,
    },
    /// The command is committed: apply it, deliver what follows from it, acknowledge it if it was proposed here. Comes
    /// in the order of the log, once per incarnation and index. A part of the state that came by transfer may have it
    /// already (its own last index is not below `index`): that part passes over it.
    Apply {
        /// Index of the entry.
        index: u64,
        /// Term of the entry.
        term: u64,
        /// How it is applied, the same on every member; at most the owner's own highest.
        level: Level,
        /// The command.
        command: Bytes,
    },
    /// The command stands in the log of a lineage that has ended, perhaps uncommitted: put it into the state as
    /// `Apply` would, but deliver and acknowledge nothing.
    Salvage {
        /// Index of the entry.
        index: u64,
        /// Term of the entry.
        term: u64,
        /// How it is applied.
        level: Level,
        /// The command.
        command: Bytes,
    },
    /// This member has founded a lineage. The state that it holds is that lineage's, at `index`, which is above every
    /// index that the state has seen. Without a salvaged copy the state is empty.
    Founded {
        /// The lineage, which is the epoch of what is applied from now on.
        lineage: Lineage,
        /// Where its log begins.
        index: u64,
        /// What the state was salvaged from.
        salvaged: Option<Rank>,
        /// The incarnations that stood still for it.
        founders: Vec<(Slot, Nonce)>,
    },
    /// This member belongs to a lineage and waits for its state. It keeps the state it holds, as salvage, until
    /// `InstallDone`.
    Admitted {
        /// The lineage.
        lineage: Lineage,
        /// This member's id there.
        node: NodeId,
    },
    /// This member will never act in its lineage again: the state is salvage from now on, and nothing more is applied
    /// to it.
    Bound {
        /// The lineage that may come, or a later one.
        below: Lineage,
    },
    /// Answer with `Input::Chunk`, now or later. Chunk 0 begins a transfer, of which there is one at a time: it is
    /// asked for when exactly what the checkpoint stands for has been applied. Parts may be read later than that,
    /// while applying goes on, if each carries its own last index.
    ChunkWanted {
        /// The transfer.
        transfer: TransferId,
        /// Number of the chunk; they are asked for in order.
        number: u64,
        /// At most so many bytes.
        bytes_max: usize,
    },
    /// The transfer is over: forget where it stood.
    TransferEnded {
        /// The transfer.
        transfer: TransferId,
    },
    /// A state begins to arrive. Keep it beside the present one.
    InstallBegun,
    /// The next part of it.
    InstallChunk {
        /// As `Input::Chunk` had it at the sender.
        bytes: Bytes,
    },
    /// It is complete and takes the place of the present state. Applying goes on after `index`.
    InstallDone {
        /// Its lineage, which is the epoch of what is applied from now on.
        lineage: Lineage,
        /// Its index.
        index: u64,
    },
    /// It does not come: drop what has arrived.
    InstallDropped,
    /// This member has begun anew, as if its process had been restarted: drop the state. Links stay up.
    Reborn {
        /// The new incarnation.
        nonce: Nonce,
    },
    /// The cluster applies its log in a way that this member does not know, so it takes no part: newer software is to be
    /// started. Said once, until that changes.
    Outdated {
        /// The cluster's level.
        level: Level,
    },
    /// The member may stop: nothing in the cluster waits for it.
    Left,
    /// A frame was not taken. For the log, and for counting.
    Suspicious {
        /// Who sent it.
        slot: Slot,
        /// What is wrong with it.
        why: String,
    },
    /// The replica met a state that cannot be, and has stopped for good. End the process; a new one joins as a new
    /// incarnation.
    Broken {
        /// For the log.
        why: String,
    },
}

/// Which of the connections of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Log, votes, presence.
    Log,
    /// State transfers.
    Transfer,
}

/// Why a command was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another member leads.
    #[error("another member leads")]
    NotLeader {
        /// Where it is, if this member knows.
        leader: Option<Slot>,
    },
    /// Too much waits for its commit, or leadership is being handed over: try again soon.
    #[error("too much waits to be committed")]
    Busy,
    /// The command is empty or too large.
    #[error("the command is empty or too large")]
    Size,
    /// The replica has stopped.
    #[error("the replica has stopped")]
    Stopped,
}
