//! Messages, and the records they become once the cluster has given them a position.

use std::sync::Arc;

use crate::{GroupId, Position, Subject};

/// How carefully a message is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Qos {
    /// At most once: delivered to who is connected, never cached, has no seq of its own.
    Standard,
    /// Cached, replicated, recoverable.
    #[default]
    Guaranteed,
}

impl Qos {
    /// Name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Guaranteed => "guaranteed",
        }
    }

    /// The level of that name, in any letter case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Standard, Self::Guaranteed].into_iter().find(|qos| qos.name().eq_ignore_ascii_case(name))
    }
}

/// How a publisher compressed the content of a message. The server passes the bytes on as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// RFC 1951.
    Deflate,
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    /// All algorithms.
    pub const ALL: [Self; 4] = [Self::Deflate, Self::Gzip, Self::Brotli, Self::Zstd];

    /// Name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deflate => "deflate",
            Self::Gzip => "gzip",
            Self::Brotli => "brotli",
            Self::Zstd => "zstd",
        }
    }

    /// The algorithm of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }
}

/// Why a message reaches a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Published while subscribed.
    Update,
    /// The last retained message, first on every fresh subscription.
    Snapshot,
    /// Missed while away, sent on a resume.
    Recovered,
    /// From the cache, because history was asked for.
    Historical,
}

impl Kind {
    /// Name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Snapshot => "snapshot",
            Self::Recovered => "recovered",
            Self::Historical => "historical",
        }
    }
}

/// What a publisher says: one message for one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it goes.
    pub subject: Subject,
    /// Not empty. UTF-8 text in the common case, any bytes in general.
    pub content: Box<[u8]>,
    /// The publisher's name for the message, empty if none; echoed in the publish result.
    pub closure: Box<str>,
    /// Where receivers may answer.
    pub reply_to: Option<Subject>,
    /// Whether it becomes the subject's snapshot.
    pub retained: bool,
    /// How carefully it is kept.
    pub qos: Qos,
    /// How the content is compressed, if it is.
    pub compression: Option<Compression>,
}

impl Message {
    /// A message with all defaults: retained, guaranteed, no closure.
    #[must_use]
    pub fn new(subject: Subject, content: impl Into<Box<[u8]>>) -> Self {
        Self {
            subject,
            content: content.into(),
            closure: Box::default(),
            reply_to: None,
            retained: true,
            qos: Qos::Guaranteed,
            compression: None,
        }
    }
}

/// A committed message: it has its place and never changes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Log that ordered it.
    pub group: GroupId,
    /// Its position. A standard message has no number of its own: it carries the position of the
    /// guaranteed message before it.
    pub position: Position,
    /// When the cluster accepted it, milliseconds of Unix time.
    pub time_ms: u64,
    /// What was published.
    pub message: Message,
}

impl Record {
    /// Bytes of memory that keeping a record of this message costs: the record, its allocations, their overhead.
    #[must_use]
    pub fn message_cost_bytes(message: &Message) -> usize {
        let content = allocation_bytes(message.content.len()) + allocation_bytes(message.closure.len());
        let reply_to = message.reply_to.as_ref().map_or(0, |s| allocation_bytes(s.as_str().len() + 16));
        allocation_bytes(size_of::<Self>() + 16) + content + reply_to + size_of::<Arc<Self>>()
    }

    /// Bytes of memory that keeping this record costs.
    #[must_use]
    pub fn cost_bytes(&self) -> usize {
        Self::message_cost_bytes(&self.message)
    }
}

/// What the allocator hands out for a request of `bytes`: size classes four to a doubling, none below 8.
#[must_use]
pub(crate) fn allocation_bytes(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        1..=8 => 8,
        9..=128 => bytes.div_ceil(16) * 16,
        _ => {
            let step = bytes.next_power_of_two() / 8;
            bytes.div_ceil(step) * step
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocation_sizes_are_the_allocators_classes() {
        for (ask, get) in
            [(0, 0), (1, 8), (9, 16), (100, 112), (129, 160), (200, 224), (257, 320), (512, 512), (513, 640)]
        {
            assert_eq!(allocation_bytes(ask), get, "{ask}");
        }
    }

    #[test]
    fn names_round_trip() {
        for c in Compression::ALL {
            assert_eq!(Compression::from_name(c.name()), Some(c));
        }
        assert_eq!(Qos::from_name("GUARANTEED"), Some(Qos::Guaranteed));
        assert_eq!(Qos::from_name("exactly"), None);
    }
}
