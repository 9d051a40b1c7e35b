//! What a client can ask for, in whatever encoding it asked.

use crate::{Message, Position, PublisherStamp};

/// One request of a client. Texts are as the client sent them; the session judges them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// First request of every session.
    Connect {
        /// Protocol version the client speaks.
        version: u32,
        /// Entitlement token.
        token: Option<Box<str>>,
        /// Name and version of the client software, for the access log.
        client: Option<Box<str>>,
    },
    /// Subscribe to subjects, each with its own start.
    Subscribe {
        /// Chosen by the client, repeated in the replies.
        id: Option<u64>,
        /// What to subscribe to.
        items: Vec<SubscribeItem>,
    },
    /// End subscriptions.
    Unsubscribe {
        /// Chosen by the client, repeated in the replies.
        id: Option<u64>,
        /// Which.
        subjects: Vec<Box<str>>,
    },
    /// Publish one message.
    Publish {
        /// Chosen by the client, repeated in the result.
        id: Option<u64>,
        /// Where to. Judged before anything else, so it is still a text.
        subject: Box<str>,
        /// Where receivers may answer.
        reply_to: Option<Box<str>>,
        /// Message without its subjects.
        publish: Box<Publish>,
    },
    /// Ask for a sign of life.
    Ping {
        /// Chosen by the client, repeated in the reply.
        id: Option<u64>,
    },
    /// Replace the token of the live session.
    RenewToken {
        /// Chosen by the client, repeated in the reply.
        id: Option<u64>,
        /// The new token.
        token: Box<str>,
    },
}

/// The fields of a publish besides its subjects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Content bytes.
    pub content: Box<[u8]>,
    /// Publisher's name for the message.
    pub closure: Box<str>,
    /// Whether it becomes the snapshot.
    pub retained: bool,
    /// How carefully it is kept.
    pub qos: crate::Qos,
    /// How the content is compressed.
    pub compression: Option<crate::Compression>,
    /// What makes a retry recognisable.
    pub stamp: Option<PublisherStamp>,
}

impl Publish {
    /// The message for `subject`, and the stamp.
    #[must_use]
    pub fn into_message(
        self,
        subject: crate::Subject,
        reply_to: Option<crate::Subject>,
    ) -> (Message, Option<PublisherStamp>) {
        let message = Message {
            subject,
            content: self.content,
            closure: self.closure,
            reply_to,
            retained: self.retained,
            qos: self.qos,
            compression: self.compression,
        };
        (message, self.stamp)
    }
}

/// One subject of a subscribe request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeItem {
    /// Subject, not yet judged.
    pub subject: Box<str>,
    /// Where to begin.
    pub start: Start,
    /// Deliver at most the newest message per this many milliseconds; 0 delivers all.
    pub conflation_ms: u32,
}

/// Where a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Start {
    /// Up to this many historical messages, unless a resume is complete.
    pub history: u32,
    /// The last position the client has; what follows it is recovered.
    pub resume: Option<Position>,
}
