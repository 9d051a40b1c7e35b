//! Verdicts: which promise was broken, and what happened just before.

use std::fmt;

use sterna_model::{Kind, Position, Seq, Subject};

use crate::{ContentId, Observation, SubscriberId};

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub fault: Fault,
    /// On which subject, if it is known.
    pub subject: Option<Subject>,
    /// The last observations of that subject, oldest first; the last one brought the violation to light.
    pub recent: Vec<Observation>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.subject.as_ref().map_or("(unknown subject)", Subject::as_str);
        write!(f, "{subject}: {}", self.fault)?;
        for observation in &self.recent {
            write!(f, "\n    {observation}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Violation {}

/// A promise that can be broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The test is wrong, not the server.
    #[error("the test used content {} for two different publishes", content.0)]
    ContentReused {
        /// Which.
        content: ContentId,
    },
    /// An answer or a message for something nobody published on this subject.
    #[error("content {} was invented: nobody published it here", content.0)]
    Invention {
        /// Which.
        content: ContentId,
    },
    /// Every attempt was refused, and the message was delivered all the same.
    #[error("content {} was refused and delivered all the same", content.0)]
    RefusedDelivered {
        /// Which.
        content: ContentId,
    },
    /// More answers than attempts.
    #[error("content {} was answered more often than it was published", content.0)]
    AnsweredTwice {
        /// Which.
        content: ContentId,
    },
    /// Two acknowledgements that both claim to be the first.
    #[error("content {} was accepted twice: a retry was not recognised", content.0)]
    AcceptedTwice {
        /// Which.
        content: ContentId,
    },
    /// Said to be a retry, although it was published once.
    #[error("content {} was called a duplicate, but was published only once", content.0)]
    FalseDuplicate {
        /// Which.
        content: ContentId,
    },
    /// A guaranteed message without a seq of its own, or a standard one acknowledged with a position.
    #[error("content {} has a position that does not fit its qos", content.0)]
    PositionUnfit {
        /// Which.
        content: ContentId,
    },
    /// The message is not as it was published.
    #[error("content {} was delivered with another {field} than it was published with", content.0)]
    Altered {
        /// Which.
        content: ContentId,
        /// What differs.
        field: &'static str,
    },
    /// Two messages in one place.
    #[error("{position} holds content {} for one client and content {} for another", first.0, second.0)]
    PositionTaken {
        /// Where.
        position: Position,
        /// Seen there first.
        first: ContentId,
        /// Seen there now.
        second: ContentId,
    },
    /// One message in two places. (After a change of epoch it may get another, if the new epoch has lost the first.)
    #[error("content {} was doubled: it is at {first} and at {second}", content.0)]
    Doubled {
        /// Which.
        content: ContentId,
        /// Known place.
        first: Position,
        /// Further place.
        second: Position,
    },
    /// A place that had passed when the message was published for the first time.
    #[error("content {} was put at {position}, but {past} had passed before it was published", content.0)]
    PlacedInThePast {
        /// Which.
        content: ContentId,
        /// Where.
        position: Position,
        /// Highest position known before the first attempt.
        past: Position,
    },
    /// A message without a subscription.
    #[error("subscriber {} is not subscribed", subscriber.0)]
    NotSubscribed {
        /// Whose.
        subscriber: SubscriberId,
    },
    /// The promise contradicts the positions given with it.
    #[error("the recovery does not fit: {why}")]
    RecoveryUnfit {
        /// In which way.
        why: &'static str,
    },
    /// The range said to be lost does not begin after the resume position, or does not end before the cut.
    #[error("the range {}..={} cannot be what was missed", from.0, to.0)]
    MissedUnfit {
        /// First seq.
        from: Seq,
        /// Last seq.
        to: Seq,
    },
    /// Said to be lost, and delivered from history.
    #[error("{position} was said to be missed, and was delivered")]
    MissedDelivered {
        /// Which.
        position: Position,
    },
    /// The client resumes from a place where it is not.
    #[error("subscriber {} resumes from {resume}, but is between {earliest} and {latest}", subscriber.0)]
    ResumedElsewhere {
        /// Who.
        subscriber: SubscriberId,
        /// Position given.
        resume: Position,
        /// Last message it has.
        earliest: Position,
        /// Last message it has or was told not to expect.
        latest: Position,
    },
    /// A message came a second time.
    #[error("subscriber {} got {position} twice", subscriber.0)]
    Duplicate {
        /// Who.
        subscriber: SubscriberId,
        /// Which.
        position: Position,
    },
    /// A message came after a later one.
    #[error("subscriber {} went back to {position} after {at}", subscriber.0)]
    WentBack {
        /// Who.
        subscriber: SubscriberId,
        /// Which.
        position: Position,
        /// Where the subscriber was.
        at: Position,
    },
    /// A message is missing, and nobody said so.
    #[error("subscriber {} misses {expected} without having been told", subscriber.0)]
    Hole {
        /// Who.
        subscriber: SubscriberId,
        /// First message that is missing.
        expected: Position,
    },
    /// The epoch changed without a reset.
    #[error("subscriber {} moved from {at} to {position} without a reset", subscriber.0)]
    EpochUnannounced {
        /// Who.
        subscriber: SubscriberId,
        /// Where it was.
        at: Position,
        /// Where it is.
        position: Position,
    },
    /// A kind of message that has no place here.
    #[error("subscriber {} got {position} as {}, which has no place here", subscriber.0, kind.name())]
    KindUnfit {
        /// Who.
        subscriber: SubscriberId,
        /// As what.
        kind: Kind,
        /// Which.
        position: Position,
    },
    /// The snapshot is not the last retained message.
    #[error("subscriber {} got the snapshot {position}, but {newer} was retained after it", subscriber.0)]
    SnapshotStale {
        /// Who.
        subscriber: SubscriberId,
        /// What it got.
        position: Position,
        /// A later retained message before the cut.
        newer: Position,
    },
    /// The snapshot is a message that is not retained.
    #[error("content {} is not retained and was delivered as the snapshot", content.0)]
    SnapshotNotRetained {
        /// Which.
        content: ContentId,
    },
    /// Seqs were left out, and there are not enough unanswered publishes that could be there.
    #[error("{missing} seqs were left out, and only {unplaced} publishes could be in their places")]
    SeqsLeftOut {
        /// Seqs that no client has seen between the first and the last of an epoch.
        missing: u64,
        /// Publishes whose fate nobody knows.
        unplaced: u64,
    },
    /// A subscriber that stayed to the end has not got everything.
    #[error("subscriber {} stayed to the end, and is at {at} instead of {last}", subscriber.0)]
    Lost {
        /// Who.
        subscriber: SubscriberId,
        /// Where it is.
        at: Position,
        /// Where it should be.
        last: Position,
    },
}
