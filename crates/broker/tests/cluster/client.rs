//! Publishers and subscribers of the cluster, and what they hold against it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sterna_broker::core::{Cut, Event, Page};
use sterna_model::{Code, Epoch, Kind, Position, Qos, Record, Recovery, ShardId, SubjectId};

/// What a publisher knows of its publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Waiting,
    Accepted(Position),
    Refused(Code),
    /// The connection ended before the answer.
    Unknown,
}

#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) subject: u8,
    /// Publisher and its seq; such a publish is tried until it is accepted.
    pub(crate) stamp: Option<(u8, u64)>,
    pub(crate) fate: Fate,
    /// The connection that it was last tried on.
    pub(crate) connection: u32,
}

/// Every guaranteed message that anybody was ever shown.
#[derive(Default)]
pub(crate) struct Truth {
    places: BTreeMap<(u8, Position), u64>,
    numbers: BTreeMap<(u64, Epoch), (u8, Position)>,
}

pub(crate) fn number(record: &Record) -> u64 {
    u64::from_le_bytes(record.message.content[..8].try_into().unwrap())
}

pub(crate) fn subject_of(record: &Record) -> u8 {
    record.message.subject.as_str()[2..].parse().unwrap()
}

impl Truth {
    /// All are shown the same message at a place, and no message at two places: but one that was lost with the memory
    /// of a majority may have another place in the next lineage.
    pub(crate) fn show(&mut self, record: &Record) {
        if record.message.qos == Qos::Standard {
            return;
        }
        let (place, number) = ((subject_of(record), record.position), number(record));
        assert_eq!(*self.places.entry(place).or_insert(number), number, "two messages at {place:?}");
        assert_eq!(
            *self.numbers.entry((number, place.1.epoch)).or_insert(place),
            place,
            "message {number} at two places"
        );
    }

    pub(crate) fn place(&self, number: u64) -> Option<(u8, Position)> {
        self.numbers.range((number, Epoch(0))..(number + 1, Epoch(0))).next_back().map(|(_, place)| *place)
    }
}

/// A subscription at one member.
struct Heard {
    name: u8,
    last: Position,
    is_catching_up: bool,
}

/// The subscriber of one member: it hears all subjects, and resumes where it was interrupted.
#[derive(Default)]
pub(crate) struct Subscriber {
    heard: BTreeMap<SubjectId, Heard>,
    /// Where it will go on.
    pub(crate) wanted: BTreeMap<u8, Option<Position>>,
    /// What it has asked for and waits for.
    pub(crate) asked: BTreeSet<u8>,
}

impl Subscriber {
    pub(crate) fn begin(&mut self, subject: SubjectId, name: u8, resume: Option<Position>, cut: &Cut) {
        if let Some(resume) = resume
            && cut.recovery == Recovery::Complete
        {
            assert_eq!(resume.epoch, cut.position.epoch);
        }
        let is_complete = cut.recovery == Recovery::Complete;
        let last = resume.filter(|_| is_complete).unwrap_or(cut.position);
        self.heard.insert(subject, Heard { name, last, is_catching_up: true });
    }

    /// Takes a page; true if there is another one.
    pub(crate) fn page(
        &mut self,
        subject: SubjectId,
        cut: Option<&Cut>,
        page: &Page,
        truth: &mut Truth,
    ) -> bool {
        let Some(heard) = self.heard.get_mut(&subject) else { return false };
        for (kind, record) in &page.messages {
            truth.show(record);
            if matches!(kind, Kind::Recovered | Kind::Update) {
                heard.hear(record);
            }
        }
        let is_complete = cut.is_some_and(|cut| cut.recovery == Recovery::Complete);
        if page.next.is_none() && is_complete {
            assert_eq!(Some(heard.last), cut.map(|cut| cut.position), "complete means complete");
        }
        heard.is_catching_up = page.next.is_some();
        heard.is_catching_up
    }

    pub(crate) fn deliver(&mut self, subject: SubjectId, record: &Arc<Record>, truth: &mut Truth) {
        truth.show(record);
        if let Some(heard) = self.heard.get_mut(&subject).filter(|heard| !heard.is_catching_up) {
            heard.hear(record);
        }
    }

    /// Ends one subscription, or all; they are wanted again from where they were.
    pub(crate) fn interrupt(&mut self, subject: Option<SubjectId>) -> Event {
        let ended: Vec<SubjectId> =
            self.heard.keys().copied().filter(|id| subject.is_none_or(|one| one == *id)).collect();
        for id in &ended {
            let heard = self.heard.remove(id).expect("just seen");
            self.wanted.insert(heard.name, Some(heard.last));
        }
        Event::Release { shard: ShardId(0), subjects: ended }
    }
}

impl Heard {
    fn hear(&mut self, record: &Record) {
        if record.message.qos == Qos::Guaranteed {
            let seq = record.position.seq;
            assert_eq!(seq, self.last.seq.next(), "/s{} goes on without a gap", self.name);
            self.last = Position { epoch: self.last.epoch, seq };
        }
    }
}
