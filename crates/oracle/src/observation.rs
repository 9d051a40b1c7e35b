//! What a test tells the oracle, one value per thing seen.

use std::fmt;

use sterna_model::{Kind, Position, Qos, Recovery, Seq, Subject};

/// What a publish is recognised by, wherever it appears. Unique per publish; a retry keeps it. Tests put it
/// into the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentId(pub u64);

/// A publisher, across its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublisherId(pub u64);

/// A subscriber, across its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriberId(pub u64);

/// One thing seen by a client. Observations must reach the oracle in an order that fits real time: an attempt
/// before it is sent, everything else after it is received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A publisher is about to publish, for the first time or again.
    Attempt {
        /// Who.
        publisher: PublisherId,
        /// Where to.
        subject: Subject,
        /// What.
        content: ContentId,
        /// How carefully.
        qos: Qos,
        /// Whether it becomes the snapshot.
        retained: bool,
    },
    /// A publish was answered with OK.
    Acknowledged {
        /// Which.
        content: ContentId,
        /// Position in the answer.
        position: Option<Position>,
        /// Whether the answer says that it was accepted before.
        duplicate: bool,
    },
    /// A publish was answered with anything else: that attempt will never be delivered.
    Refused {
        /// Which.
        content: ContentId,
    },
    /// No answer came, and none will: the attempt may or may not have been accepted.
    Unknown {
        /// Which.
        content: ContentId,
    },
    /// A subscription began, for the first time or again.
    Subscribed {
        /// Who.
        subscriber: SubscriberId,
        /// To what.
        subject: Subject,
        /// How.
        beginning: Beginning,
    },
    /// A message arrived.
    Delivered {
        /// At whom.
        subscriber: SubscriberId,
        /// On which subject.
        subject: Subject,
        /// What.
        delivery: Delivery,
    },
    /// A subscription ended: its connection is gone, or it was unsubscribed. It may begin again.
    Disconnected {
        /// Whose.
        subscriber: SubscriberId,
        /// Of what.
        subject: Subject,
    },
}

/// What was asked for and promised when a subscription began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// Position the subscriber gave.
    pub resume: Option<Position>,
    /// The promise about the past.
    pub recovery: Recovery,
    /// Position of the cut between past and live flow.
    pub cut: Position,
    /// First and last seq that are said to be lost.
    pub missed: Option<(Seq, Seq)>,
    /// Whether the subscriber asked for conflation.
    pub conflated: bool,
}

/// A message as it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Why it was sent.
    pub kind: Kind,
    /// Its position.
    pub position: Position,
    /// How carefully it is kept.
    pub qos: Qos,
    /// What it says.
    pub content: ContentId,
    /// Whether it is marked as retained.
    pub retained: bool,
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt { publisher, content, qos, retained, .. } => {
                let retained = if *retained { "" } else { ", not retained" };
                write!(
                    f,
                    "publisher {} publishes content {}, {}{retained}",
                    publisher.0,
                    content.0,
                    qos.name()
                )
            }
            Self::Acknowledged { content, position, duplicate } => {
                write!(f, "content {} acknowledged", content.0)?;
                if let Some(position) = position {
                    write!(f, " at {position}")?;
                }
                f.write_str(if *duplicate { ", as a duplicate" } else { "" })
            }
            Self::Refused { content } => write!(f, "content {} refused", content.0),
            Self::Unknown { content } => write!(f, "content {} not answered", content.0),
            Self::Subscribed { subscriber, beginning, .. } => {
                write!(f, "subscriber {} begins {beginning}", subscriber.0)
            }
            Self::Delivered { subscriber, delivery, .. } => {
                write!(f, "subscriber {} gets {delivery}", subscriber.0)
            }
            Self::Disconnected { subscriber, .. } => write!(f, "subscriber {} is disconnected", subscriber.0),
        }
    }
}

impl fmt::Display for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with the cut at {}", self.recovery.name(), self.cut)?;
        if let Some(resume) = self.resume {
            write!(f, ", resumed from {resume}")?;
        }
        if let Some((from, to)) = self.missed {
            write!(f, ", missed {}..={}", from.0, to.0)?;
        }
        f.write_str(if self.conflated { ", conflated" } else { "" })
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let retained = if self.retained { "" } else { ", not retained" };
        let standard = if self.qos == Qos::Standard { ", standard" } else { "" };
        write!(f, "{} {} content {}{standard}{retained}", self.kind.name(), self.position, self.content.0)
    }
}
