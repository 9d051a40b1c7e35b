//! Numbers that must not be confused with each other.

use std::fmt;

/// Subjects that share one replicated log. One group (0) exists today; the number is in every record so
/// that several can come later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct GroupId(pub u16);

/// An I/O thread and its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub u16);

/// One socket of one shard. The generation tells a connection from its successor in the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// Shard that owns the connection.
    pub shard: ShardId,
    /// Place in the shard's table.
    pub index: u32,
    /// How often the place was used before.
    pub generation: u32,
}

/// A client's life on this member, as shown in logs and to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A subject's number inside one member's core. Local: never sent to clients or other members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectId(pub u32);

/// What makes a publish recognisable when it is sent again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublisherStamp {
    /// Chosen by the publisher, unique to it (for instance random), at most `PUBLISHER_ID_BYTES_MAX` bytes.
    pub publisher: Box<str>,
    /// Number of the publish at that publisher; a retry carries the number of the first try.
    pub seq: u64,
}
