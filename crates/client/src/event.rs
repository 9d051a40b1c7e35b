//! What a client tells its user.

use std::fmt;

use sterna_model::{
    Accepted, Class, Code, DeliveryMode, Kind, Position, PublishStatus, Record, Recovery, Seq,
};
use sterna_wire::native::{PublishRefusal, Refusal};

/// What happened. [`Event::name`] is the name of the documented status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection to this server stands; the session follows.
    ServerUp {
        /// Address.
        server: Box<str>,
    },
    /// The server could not be reached, or the connection was lost; the client tries again.
    ServerDown {
        /// Address.
        server: Box<str>,
        /// Why, for a person.
        reason: Box<str>,
        /// Milliseconds until the next attempt.
        retry_in_ms: u64,
    },
    /// The session stands.
    ConnectOk(SessionInfo),
    /// The server will not have this client, and the client stopped: change what the refusal says, for instance with
    /// [`set_entitlement_token`](crate::Client::set_entitlement_token), or connect again.
    ConnectDeny(Refusal),
    /// A subscription stands; its first messages follow.
    Subscribed(Subscribed),
    /// A subscription was refused, or a new token does not allow it; it is forgotten.
    SubscribeDeny {
        /// Subject.
        subject: Box<str>,
        /// Why.
        refusal: Refusal,
    },
    /// A subscription ended.
    Unsubscribed {
        /// Subject.
        subject: Box<str>,
    },
    /// A message of a subscription.
    Message {
        /// Why it came.
        kind: Kind,
        /// The message in its place.
        record: Box<Record>,
    },
    /// The one result of a publish.
    Published(Published),
    /// The token expires soon; set a new one.
    TokenToExpire {
        /// Milliseconds left.
        expires_in_ms: u64,
    },
    /// The token has expired; set a new one.
    TokenExpired(Refusal),
    /// The new token was refused; the old one stays in force.
    TokenInvalid(Refusal),
    /// The new token is in force.
    TokenRenewed {
        /// Milliseconds until it expires, if it does.
        expires_in_ms: Option<u64>,
    },
    /// The member goes away; the client comes back by itself.
    GoingAway {
        /// Milliseconds until the next connection.
        reconnect_after_ms: u64,
    },
    /// The server refused something that belongs to no subscription and no publish.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Which field or value, for a person.
        detail: Option<Box<str>>,
    },
}

/// What is known of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Number of the session, as in the server's log.
    pub session: Box<str>,
    /// Name and version of the server software.
    pub server: Box<str>,
    /// What the cluster promises.
    pub delivery: DeliveryMode,
    /// Largest content, bytes.
    pub message_bytes_max: usize,
    /// Milliseconds until the token expires, if it does.
    pub token_expires_in_ms: Option<u64>,
}

/// What a subscription promises about the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// Subject.
    pub subject: Box<str>,
    /// The promise. After a reconnect, everything but `Complete` means: what was built from the messages has to be
    /// built anew from those that follow.
    pub recovery: Recovery,
    /// Position of the cut: messages up to it follow as the past, later ones as updates.
    pub position: Position,
    /// The first and the last seq that are lost, if the server knows.
    pub missed: Option<(Seq, Seq)>,
    /// Whether the subscription stood before, on another connection.
    pub again: bool,
}

/// The result of a publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// What [`publish`](crate::Client::publish) gave.
    pub publisher_seq: u64,
    /// Closure of the message.
    pub closure: Box<str>,
    /// Position, or why not.
    pub outcome: Result<Accepted, PublishFailure>,
}

/// Why a publish has no OK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishFailure {
    /// The server's last word; none if it had none in time.
    pub refusal: Option<PublishRefusal>,
    /// Whether a connection was lost, or time ran out, while a result was awaited: the message may have been
    /// accepted nevertheless.
    pub uncertain: bool,
}

impl PublishFailure {
    /// The status to act on.
    #[must_use]
    pub fn status(&self) -> PublishStatus {
        self.refusal.as_ref().map_or(PublishStatus::Failed, |refusal| refusal.status)
    }

    /// The code, if there is one and this version knows it.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.refusal.as_ref().and_then(|refusal| refusal.refusal.code())
    }
}

impl fmt::Display for PublishFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.refusal {
            Some(PublishRefusal { refusal, detail: Some(detail), .. }) => {
                write!(f, "{} ({detail})", Shown(refusal))?;
            }
            Some(PublishRefusal { refusal, .. }) => Shown(refusal).fmt(f)?,
            None => f.write_str("no result in time")?,
        }
        f.write_str(if self.uncertain { "; it may have been accepted nevertheless" } else { "" })
    }
}

/// A refusal for a person: number, name and what to do.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a Refusal);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { number, name, advice } = self.0;
        write!(f, "{number} {name}")?;
        if advice.is_empty() { Ok(()) } else { write!(f, ": {advice}") }
    }
}

/// The refusal of a code of our own table.
pub(crate) fn refusal_of(code: Code) -> Refusal {
    Refusal { number: code.number(), name: code.name().into(), advice: code.advice().into() }
}

/// A refusal of a publish that the server did not speak itself.
pub(crate) fn publish_refusal_of(refusal: Refusal) -> PublishRefusal {
    let status = refusal.code().map_or(PublishStatus::Failed, Code::publish_status);
    PublishRefusal { status, refusal, detail: None }
}

/// What to do about a refusal; a number outside of all ranges is the server's fault.
pub(crate) fn class_of(refusal: &Refusal) -> Class {
    refusal.class().unwrap_or(Class::Broken)
}

impl Event {
    /// Name of the status that client libraries document for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ServerUp { .. } => "SERVER_UP",
            Self::ServerDown { .. } => "SERVER_DOWN",
            Self::ConnectOk(_) => "CONNECT_OK",
            Self::ConnectDeny(_) => "CONNECT_DENY",
            Self::Subscribed(Subscribed { again: false, .. }) => "SUBSCRIBE_ALLOW",
            Self::Subscribed(Subscribed { recovery: Recovery::Complete, .. }) => "DATA_SYNC",
            Self::Subscribed(_) => "DATA_RESYNC",
            Self::SubscribeDeny { .. } => "SUBSCRIBE_DENY",
            Self::Unsubscribed { .. } => "UNSUBSCRIBED",
            Self::Message { .. } => "MESSAGE",
            Self::Published(Published { outcome: Ok(_), .. }) => "PUBLISH_OK",
            Self::Published(Published { outcome: Err(failure), .. }) => match failure.status() {
                PublishStatus::Denied => "PUBLISH_DENIED",
                PublishStatus::MessageSizeLimitExceeded => "MESSAGE_SIZE_LIMIT_EXCEEDED",
                PublishStatus::Ok | PublishStatus::Failed => "PUBLISH_FAILED",
            },
            Self::TokenToExpire { .. } => "TOKEN_TO_EXPIRE",
            Self::TokenExpired(_) => "TOKEN_EXPIRED",
            Self::TokenInvalid(_) => "TOKEN_INVALID",
            Self::TokenRenewed { .. } => "TOKEN_RENEWED",
            Self::GoingAway { .. } => "GOING_AWAY",
            Self::Refused { .. } => "REFUSED",
        }
    }
}
