//! What the server tells a client besides messages, in whatever encoding the client reads.

use crate::{Code, Epoch, Position, Recovery, Seq, SessionId};

/// What the cluster promises for guaranteed messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryMode {
    /// No history, no recovery; snapshots and live flow.
    Standard,
    /// History, positions, recovery.
    Guaranteed,
}

impl DeliveryMode {
    /// Name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Guaranteed => "guaranteed",
        }
    }
}

/// What a client should know of the member it reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// Name and version of the server software.
    pub software: &'static str,
    /// Promise in force.
    pub mode: DeliveryMode,
    /// Largest content, bytes.
    pub message_bytes_max: usize,
    /// The client hears from the server at least this often, and is expected to answer pings. Milliseconds.
    pub keep_alive_ms: u64,
}

/// How a publish was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The message's position; none for a standard message.
    pub position: Option<Position>,
    /// Whether this was a retry of a publish accepted before (the position is the first one's).
    pub duplicate: bool,
}

/// One reply or notice to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The session stands.
    Connected {
        /// Its number.
        session: SessionId,
        /// The member.
        info: std::sync::Arc<ServerInfo>,
        /// Milliseconds until the token expires, if it does.
        token_expires_in_ms: Option<u64>,
    },
    /// A subscription stands; its first messages follow.
    Subscribed {
        /// From the request.
        id: Option<u64>,
        /// Subject subscribed to.
        subject: Box<str>,
        /// What is promised about the past.
        recovery: Recovery,
        /// Position of the cut: messages up to here follow as snapshot, recovered or historical ones,
        /// messages after it as updates.
        position: Position,
        /// With a gap: the first and the last seq that are lost to this client.
        missed: Option<(Seq, Seq)>,
    },
    /// A subscription ended.
    Unsubscribed {
        /// From the request.
        id: Option<u64>,
        /// Subject.
        subject: Box<str>,
    },
    /// The one result of a publish.
    Published {
        /// From the request.
        id: Option<u64>,
        /// From the request.
        closure: Box<str>,
        /// Position, or the code that says why not.
        outcome: Result<Accepted, Code>,
        /// With a refusal: which field or value, for a person.
        detail: Option<Box<str>>,
    },
    /// A request (or, without an id, a frame) was refused.
    Error {
        /// From the request, if it could be read.
        id: Option<u64>,
        /// What is wrong and what to do.
        code: Code,
        /// Subject concerned.
        subject: Option<Box<str>>,
        /// Which field or value, for a person.
        detail: Option<Box<str>>,
    },
    /// Sign of life.
    Pong {
        /// From the request.
        id: Option<u64>,
    },
    /// The new token is in force.
    TokenRenewed {
        /// From the request.
        id: Option<u64>,
        /// Milliseconds until it expires, if it does.
        expires_in_ms: Option<u64>,
    },
    /// Notice: the token is about to expire; renew it.
    TokenToExpire {
        /// Milliseconds left.
        expires_in_ms: u64,
    },
    /// Notice: this member goes away; come back later, elsewhere if servers are given.
    GoingAway {
        /// Milliseconds to wait before the next connect.
        reconnect_after_ms: u64,
        /// Where to go; empty means the client's own list.
        servers: Vec<Box<str>>,
    },
}

impl Reply {
    /// An error without further detail.
    #[must_use]
    pub fn error(id: Option<u64>, code: Code) -> Self {
        Self::Error { id, code, subject: None, detail: None }
    }
}

impl From<(Epoch, Seq)> for Position {
    fn from((epoch, seq): (Epoch, Seq)) -> Self {
        Self { epoch, seq }
    }
}
