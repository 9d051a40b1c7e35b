//! Everything that can go into the core, and everything that can come out.

use std::sync::Arc;

use sterna_model::{
    Accepted, Code, ConnectionId, Kind, Message, Position, PublisherStamp, Record, Recovery, Seq, ShardId,
    Start, Subject, SubjectId,
};

use crate::store::Cursor;

/// What can happen to the core.
#[derive(Debug)]
pub enum Event {
    /// A connection publishes; already authorised and checked.
    Publish(Box<PublishEvent>),
    /// A connection subscribes; already authorised.
    Subscribe(SubscribeEvent),
    /// A connection that is catching up has room for the next page.
    Continue {
        /// Who.
        to: ConnectionId,
        /// Which subscription.
        subject: SubjectId,
        /// From the page before.
        cursor: Cursor,
    },
    /// A connection unsubscribes. Passes through the core so that it stays in order with the connection's
    /// own subscribes; the shard does the rest.
    Unsubscribe {
        /// Who.
        to: ConnectionId,
        /// From the request.
        id: Option<u64>,
        /// What.
        name: Subject,
    },
    /// Subscriptions of a shard have ended: one per entry.
    Release {
        /// Which shard.
        shard: ShardId,
        /// Subjects, repeated if several subscriptions of one subject ended.
        subjects: Vec<SubjectId>,
    },
    /// A one-time question (REST) that starts no subscription.
    Read {
        /// Who.
        to: ConnectionId,
        /// What about.
        name: Subject,
        /// What is asked.
        reading: Reading,
    },
}

/// A publish on its way in.
#[derive(Debug)]
pub struct PublishEvent {
    /// Who publishes.
    pub from: ConnectionId,
    /// From the request.
    pub id: Option<u64>,
    /// Whether success is answered too; a refusal always is.
    pub wants_result: bool,
    /// What.
    pub message: Message,
    /// What makes a retry recognisable.
    pub stamp: Option<PublisherStamp>,
    /// When the shard read it; any monotonic scale, passed on untouched to measure latency.
    pub received_us: u64,
}

/// A subscribe on its way in.
#[derive(Debug)]
pub struct SubscribeEvent {
    /// Who subscribes.
    pub from: ConnectionId,
    /// From the request.
    pub id: Option<u64>,
    /// What to.
    pub name: Subject,
    /// From where.
    pub start: Start,
    /// Conflation interval, passed on untouched.
    pub conflation_ms: u32,
}

/// What a one-time question asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The last retained message.
    Snapshot,
    /// The last messages, at most this many.
    History(u32),
    /// What follows a position.
    After(Position),
}

/// What the core wants done. The order within one shard is binding.
#[derive(Debug)]
pub enum Effect {
    /// Answer a publish. Duty: exactly once, and only after this, because the message is committed now.
    PublishResult {
        /// Who published.
        to: ConnectionId,
        /// From the request.
        id: Option<u64>,
        /// From the request.
        closure: Box<str>,
        /// Position, or why not.
        outcome: Result<Accepted, Code>,
    },
    /// Start a subscription. Duty: if `page.next` is none the connection joins the subject's audience at
    /// exactly this point of the effect order; else after the last page. A connection that is gone releases.
    Subscribed {
        /// Who subscribed.
        to: ConnectionId,
        /// From the request.
        id: Option<u64>,
        /// From the request.
        conflation_ms: u32,
        /// Number of the subject.
        subject: SubjectId,
        /// Its name.
        name: Subject,
        /// What is promised about the past.
        cut: Cut,
        /// First messages.
        page: Page,
    },
    /// A subscription could not be started.
    SubscribeRefused {
        /// Who asked.
        to: ConnectionId,
        /// From the request.
        id: Option<u64>,
        /// To what.
        name: Subject,
        /// Why.
        code: Code,
    },
    /// The next messages of a connection that is catching up. Duty: as for `Subscribed`.
    Caught {
        /// Who.
        to: ConnectionId,
        /// Which subscription.
        subject: SubjectId,
        /// From the event.
        cursor: Cursor,
        /// The messages, or none if they have left the history meanwhile: the connection was too slow and
        /// must be told to resume.
        page: Option<Page>,
    },
    /// The unsubscribe has reached its place in the order. Duty: end the subscription if there is one.
    Unsubscribed {
        /// Who.
        to: ConnectionId,
        /// From the request.
        id: Option<u64>,
        /// What.
        name: Subject,
        /// Its number, if the subject is known at all.
        subject: Option<SubjectId>,
    },
    /// Deliver to the audience of the subject on each of these shards.
    Deliver {
        /// Which subject.
        subject: SubjectId,
        /// Shards with interest.
        shards: ShardSet,
        /// The committed message.
        record: Arc<Record>,
        /// From the publish.
        received_us: u64,
    },
    /// A one-time question cannot be answered here.
    ReadRefused {
        /// Who asked.
        to: ConnectionId,
        /// About what.
        name: Subject,
        /// Why.
        code: Code,
    },
    /// Nobody knows what becomes of a publish of this connection. Duty: close it with the code, so that the publisher
    /// publishes again where a retry is recognised.
    Disconnect {
        /// Who.
        to: ConnectionId,
        /// Why.
        code: Code,
    },
    /// Subscriptions do not go on. Duty: close every connection that has one of them, so that the clients resume.
    Interrupted {
        /// Shards that may have some.
        shards: ShardSet,
        /// Which subject; all if none.
        subject: Option<SubjectId>,
    },
    /// Answer a one-time question.
    Answer {
        /// Who asked.
        to: ConnectionId,
        /// About what.
        name: Subject,
        /// What is promised about the past.
        cut: Cut,
        /// The messages.
        messages: Vec<(Kind, Arc<Record>)>,
    },
}

/// The consistent cut at which a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// What is promised about the past.
    pub recovery: Recovery,
    /// Last position before the cut.
    pub position: Position,
    /// With a gap: first and last seq that are lost to the client.
    pub missed: Option<(Seq, Seq)>,
}

/// Messages of a catch-up.
#[derive(Debug, Default)]
pub struct Page {
    /// In order.
    pub messages: Vec<(Kind, Arc<Record>)>,
    /// Where to go on, if this was not all.
    pub next: Option<Cursor>,
}

/// A set of shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardSet(u64);

impl ShardSet {
    /// Most shards a member can have.
    pub const SHARDS_MAX: u16 = 64;

    /// Adds a shard.
    pub fn insert(&mut self, shard: ShardId) {
        self.0 |= 1 << shard.0;
    }

    /// Whether the shard is in the set.
    #[must_use]
    pub fn contains(self, shard: ShardId) -> bool {
        self.0 & (1 << shard.0) != 0
    }

    /// Whether no shard is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The shards, lowest first.
    pub fn iter(self) -> impl Iterator<Item = ShardId> {
        (0..Self::SHARDS_MAX).map(ShardId).filter(move |shard| self.contains(*shard))
    }
}
