//! What can happen to a replica.

use bytes::Bytes;

use crate::identity::{Slot, TransferId};

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// `tick_ms` have passed. Ticks that were missed are not made up for.
    Tick,
    /// The owner asks for a command to be appended to the log.
    Propose {
        /// The owner's name for it, given back at once in `Output::Proposed` or `Output::Refused`.
        ticket: u64,
        /// Not empty, at most `COMMAND_BYTES_MAX` bytes.
        command: Bytes,
    },
    /// An authenticated link to a slot is up, in both directions. From now on, no frame of an earlier link of that slot
    /// may arrive.
    LinkUp {
        /// The slot at the other end.
        slot: Slot,
    },
    /// The link to a slot is down.
    LinkDown {
        /// The slot at the other end.
        slot: Slot,
    },
    /// A whole frame has arrived.
    Frame {
        /// The slot at the other end of the link.
        slot: Slot,
        /// The frame.
        bytes: Bytes,
    },
    /// The chunk that `Output::ChunkWanted` asked for.
    Chunk {
        /// The transfer.
        transfer: TransferId,
        /// Number of the chunk.
        number: u64,
        /// Whether the state ends with it.
        last: bool,
        /// At most as many bytes as were asked for.
        bytes: Bytes,
    },
    /// The member is to lead no longer, if another one can.
    HandOver,
    /// The member will stop for good: let a replacement that is under way finish, hand over, and be dismissed if the
    /// slot does not vote. Ends with `Output::Left`; an owner that cannot wait so long stops all the same.
    Leave,
}
