//! What the links tell their owner.

use std::fmt;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::admin::Answer;
use crate::link::Link;

/// A connection of a link: frames of one channel stay in order, and do not wait for those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The log and votes: never behind anything large that is not its own.
    Log = 0,
    /// Publishes on their way to the leader, relays.
    Forward = 1,
    /// Bulk state.
    Transfer = 2,
}

impl Channel {
    /// All channels, in the order of their ports.
    pub const ALL: [Self; 3] = [Self::Log, Self::Forward, Self::Transfer];
}

/// One thing that happened. All events come from one thread, one after the other.
#[derive(Debug)]
pub enum LinkEvent {
    /// A link to a member is up, in both directions. No frame of an earlier link of that slot comes after this.
    Up {
        /// The slot at the other end.
        slot: u16,
        /// The process at the other end.
        nonce: u128,
        /// Where clients reach that member, `host:port` each: at most `limit::ADVERTISED_MAX`, and often none.
        advertised: Vec<String>,
        /// Sends frames, until the link is down.
        link: Link,
    },
    /// The link of that slot is down. It is dialled again without anyone asking.
    Down {
        /// The slot at the other end.
        slot: u16,
    },
    /// A whole frame.
    Frame {
        /// The slot at the other end.
        slot: u16,
        /// The channel that it came by.
        channel: Channel,
        /// Never empty.
        bytes: Bytes,
        /// To be dropped once the frame has been handled.
        receipt: Receipt,
    },
    /// Someone who knows the password asks for something.
    Admin {
        /// The request.
        request: Bytes,
        /// To be answered within `limit::ADMIN_TIMEOUT`.
        answer: Answer,
    },
}

/// As long as it lives its frame counts as not handled; with too many bytes not handled, a channel is not read further,
/// and so the other member's queue fills instead of ours.
pub struct Receipt {
    #[expect(dead_code, reason = "its drop is what it is for")]
    permit: OwnedSemaphorePermit,
}

impl Receipt {
    pub(crate) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self { permit }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receipt")
    }
}
