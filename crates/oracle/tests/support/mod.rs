//! Short words for histories of one subject.
#![allow(dead_code, reason = "each test program uses a part")]

use sterna_model::{Kind, Position, Qos, Recovery, Seq, Subject};
use sterna_oracle::{
    Beginning, ContentId, Delivery, Fault, Observation, Oracle, PublisherId, SubscriberId, Summary,
};

/// Epoch of most histories.
pub(crate) const E: u64 = 7;

pub(crate) fn subject() -> Subject {
    Subject::parse("/s").expect("a subject")
}

pub(crate) fn at(seq: u64) -> Position {
    Position::new(E, seq)
}

pub(crate) fn attempt(content: u64) -> Observation {
    attempt_as(content, Qos::Guaranteed, true)
}

pub(crate) fn attempt_as(content: u64, qos: Qos, retained: bool) -> Observation {
    let content = ContentId(content);
    Observation::Attempt { publisher: PublisherId(1), subject: subject(), content, qos, retained }
}

pub(crate) fn acknowledged(content: u64, position: Position) -> Observation {
    Observation::Acknowledged { content: ContentId(content), position: Some(position), duplicate: false }
}

pub(crate) fn duplicate(content: u64, position: Position) -> Observation {
    Observation::Acknowledged { content: ContentId(content), position: Some(position), duplicate: true }
}

pub(crate) fn refused(content: u64) -> Observation {
    Observation::Refused { content: ContentId(content) }
}

pub(crate) fn unknown(content: u64) -> Observation {
    Observation::Unknown { content: ContentId(content) }
}

pub(crate) fn begin(subscriber: u64, beginning: Beginning) -> Observation {
    Observation::Subscribed { subscriber: SubscriberId(subscriber), subject: subject(), beginning }
}

pub(crate) fn fresh(cut: Position) -> Beginning {
    Beginning { resume: None, recovery: Recovery::Fresh, cut, missed: None, conflated: false }
}

pub(crate) fn complete(resume: Position, cut: Position) -> Beginning {
    Beginning { resume: Some(resume), recovery: Recovery::Complete, ..fresh(cut) }
}

pub(crate) fn gap(resume: Position, cut: Position, missed: Option<(u64, u64)>) -> Beginning {
    let missed = missed.map(|(from, to)| (Seq(from), Seq(to)));
    Beginning { resume: Some(resume), recovery: Recovery::Gap, missed, ..fresh(cut) }
}

pub(crate) fn reset(resume: Position, cut: Position) -> Beginning {
    Beginning { resume: Some(resume), recovery: Recovery::Reset, ..fresh(cut) }
}

pub(crate) fn conflated(beginning: Beginning) -> Beginning {
    Beginning { conflated: true, ..beginning }
}

/// A guaranteed, retained message at subscriber 1.
pub(crate) fn got(kind: Kind, position: Position, content: u64) -> Observation {
    let content = ContentId(content);
    got_as(1, Delivery { kind, position, qos: Qos::Guaranteed, content, retained: true })
}

pub(crate) fn got_as(subscriber: u64, delivery: Delivery) -> Observation {
    Observation::Delivered { subscriber: SubscriberId(subscriber), subject: subject(), delivery }
}

pub(crate) fn update(seq: u64, content: u64) -> Observation {
    got(Kind::Update, at(seq), content)
}

/// A standard message at subscriber 1.
pub(crate) fn standard(position: Position, content: u64) -> Observation {
    let content = ContentId(content);
    let delivery = Delivery { kind: Kind::Update, position, qos: Qos::Standard, content, retained: true };
    got_as(1, delivery)
}

pub(crate) fn disconnected(subscriber: u64) -> Observation {
    Observation::Disconnected { subscriber: SubscriberId(subscriber), subject: subject() }
}

/// Content `n` at seq `n`, for each of them: published and acknowledged.
pub(crate) fn published(contents: impl IntoIterator<Item = u64>) -> Vec<Observation> {
    contents.into_iter().flat_map(|n| [attempt(n), acknowledged(n, at(n))]).collect()
}

pub(crate) fn judge(history: &[Observation]) -> Result<Summary, Fault> {
    let mut oracle = Oracle::new();
    for observation in history {
        oracle.observe(observation.clone()).map_err(|violation| violation.fault)?;
    }
    oracle.finish().map_err(|violation| violation.fault)
}

/// The fault of a history that is in order as long as `wrong` is not put in the place of `right`.
pub(crate) fn fault_of(history: &[Observation], right: &[Observation], wrong: &[Observation]) -> Fault {
    assert_eq!(judge(history).err(), None, "the history is in order");
    let place = history.windows(right.len()).position(|window| window == right).expect("is in the history");
    let mut mutated = history.to_vec();
    mutated.splice(place..place + right.len(), wrong.iter().cloned());
    judge(&mutated).expect_err("the mutation is a fault")
}
